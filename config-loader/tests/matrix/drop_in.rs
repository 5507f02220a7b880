//! The form that needs no file: a URL each, of whatever kind.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{
    case::harmless,
    pod::Pod,
    site::{Site, TOOLS},
    support::http::Reply,
};

/// Runs it with these URLs, and tells what was published.
fn loaded(urls: [(&str, &str); 3], more: &[(String, String)]) -> [String; 3] {
    let pod = Pod::new();
    let ended = pod.start_with(&urls, more).wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    harmless(&pod, &ended);
    ["system-prompt.txt", "tools.json", "guardrails.yaml"].map(|name| {
        let path = pod.published().join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o444);
        fs::read_to_string(path).unwrap()
    })
}

#[test]
fn urls_of_servers() {
    let (plain, secure, rules) = (Site::new(false), Site::new(true), Site::new(false));
    rules.script.turn(vec![Reply::ok("version: 1\n")]);
    let [prompt, tools, rules] = [&plain, &secure, &rules].map(|site| site.place() + "?token=canary");
    let urls = [("PROMPT_URL", &*prompt), ("TOOLS_URL", &*tools), ("GUARDRAILS_URL", &*rules)];
    assert_eq!(loaded(urls, &secure.trusting()), [TOOLS, TOOLS, "version: 1\n"]);
}

#[cfg(all(feature = "redis", feature = "s3"))]
mod all_kinds {
    use std::fs;

    use super::loaded;
    use crate::{
        redis::{self, Redis},
        s3::{self, Moto, keys},
        set::Source as _,
        site::TOOLS,
        support::process::say,
    };

    #[test]
    fn urls_of_all_kinds() {
        let Some(redis) = Redis::start_with(&["--requirepass", ""]) else { e2e::skip!("{}", redis::ABSENT) };
        let Some(moto) = Moto::start() else { e2e::skip!("{}", s3::ABSENT) };
        say(redis.address, "SET prompts/a \"canary {{braces}}\"\r\n");
        moto.having("tools", TOOLS.as_bytes());
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("guardrails"), "version: 1\n").unwrap();
        let key = format!("redis://{}/0/prompts/a", redis.address);
        let file = format!("file://{}/guardrails", dir.path().display());
        let urls = [("PROMPT_URL", &*key), ("TOOLS_URL", "s3://prompts/tools"), ("GUARDRAILS_URL", &*file)];
        let mut more = keys();
        more.push(("AWS_ENDPOINT_URL_S3".to_owned(), format!("http://{}", moto.address)));
        assert_eq!(loaded(urls, &more), ["canary {{braces}}", TOOLS, "version: 1\n"]);
    }
}
