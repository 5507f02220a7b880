//! The binary itself: what it leaves in the directory, what it says, and the number it ends with.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and stands outside"
)]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    thread,
};

const TOOLS: &str = r#"[{"type":"function","function":{"name":"search","parameters":{"type":"object"}}}]"#;

/// A server of these paths; any other is a 404. It goes with the process.
fn serve(files: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or_default() == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let path = head.split([' ', '?']).nth(1).unwrap_or_default();
            let (status, body) = match files.iter().find(|(known, _)| *known == path) {
                Some((_, body)) => ("200 OK", *body),
                None => ("404 Not Found", "nothing here"),
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _gone = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    format!("http://{address}")
}

fn run(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_config-loader"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .env("CONFIG_DIR", directory.join("config"))
        .env("TERMINATION_LOG", directory.join("termination-log"))
        .env("LOG_FORMAT", "text")
        .env("CONFIG_LOADER_DEADLINE", "20s")
        .output()
        .unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn three_urls_become_a_set_and_a_bad_one_leaves_it_as_it_was() {
    let url = serve(&[
        ("/prompt", "You are kind. {{braces}} stay.\n"),
        ("/tools", TOOLS),
        ("/guardrails", "version: 1\ntools: { allow: [search] }\n"),
        ("/login", "<!doctype html><title>Log in</title>"),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let (prompt, tools, guardrails) =
        (format!("{url}/prompt?token=hunter2"), format!("{url}/tools"), format!("{url}/guardrails"));
    let good = [("PROMPT_URL", &*prompt), ("TOOLS_URL", &*tools), ("GUARDRAILS_URL", &*guardrails)];
    let published = run(dir.path(), &[], &good);
    assert_eq!(code(&published), Some(0), "{}", text(&published.stderr));
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(read("config/system-prompt.txt"), "You are kind. {{braces}} stay.\n");
    assert_eq!(read("config/tools.json"), TOOLS);
    let manifest: serde_json::Value = serde_json::from_str(&read("config/manifest.json")).unwrap();
    assert!(manifest["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(manifest["files"].as_array().unwrap().len(), 3);
    assert!(read("termination-log").starts_with("ok (exit code 0): published: 3 files"));
    let before = read("config/manifest.json");

    // Again, and nothing changes.
    let again = run(dir.path(), &[], &good);
    assert!(text(&again.stdout).contains("unchanged: 3 files"), "{}", text(&again.stdout));
    let same = run(dir.path(), &["diff"], &good);
    assert_eq!(text(&same.stdout), "nothing would change\n");

    for (bad, expected, said) in [
        (format!("{url}/nowhere"), 69, "404"),
        (format!("{url}/login"), 65, "HTML"),
        (format!("{url}/prompt"), 65, "not strict JSON"),
        ("ftp://a/b".to_owned(), 78, "no URL of a known scheme"),
    ] {
        let with_bad = [("PROMPT_URL", &*prompt), ("TOOLS_URL", &*bad), ("GUARDRAILS_URL", &*guardrails)];
        let failed = run(dir.path(), &[], &with_bad);
        let stderr = text(&failed.stderr);
        assert_eq!(code(&failed), Some(expected), "{stderr}");
        assert!(stderr.contains(said) && read("termination-log").contains(said), "{stderr}");
        assert_eq!(read("config/manifest.json"), before);
        assert_eq!(read("config/tools.json"), TOOLS);
    }
    let everything = [&published, &again, &same].map(|it| text(&it.stdout) + &text(&it.stderr)).concat();
    assert!(
        !everything.contains("hunter2") && !before.contains("hunter2") && !read("termination-log").contains("hunter2")
    );
}

#[test]
fn a_file_describes_more_and_verify_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("set.yaml");
    fs::write(
        &file,
        "
values: { tenant: acme }
templates: { env: [REGION] }
files:
  - name: prompt
    target: prompts/system.txt
    type: prompt
    template: true
    source: { inline: 'You work for {{ values.tenant }} in {{ env.REGION }}.' }
  - { name: notes, target: notes.txt, type: text, optional: true, source: { file: { path: /nowhere } } }
",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let verified = run(dir.path(), &["verify"], &[("CONFIG_LOADER_CONFIG", file), ("REGION", "eu")]);
    assert_eq!(code(&verified), Some(0), "{}", text(&verified.stderr));
    assert!(text(&verified.stdout).starts_with("prompts/system.txt: "));
    assert!(!dir.path().join("config").exists() && !dir.path().join("termination-log").exists());

    let published = run(dir.path(), &[], &[("CONFIG_LOADER_CONFIG", file), ("REGION", "eu")]);
    assert_eq!(code(&published), Some(0), "{}", text(&published.stderr));
    let prompt = fs::read_to_string(dir.path().join("config/prompts/system.txt")).unwrap();
    assert_eq!(prompt, "You work for acme in eu.");
    assert!(text(&published.stderr).contains("left out, because it is optional"));

    let undefined = run(dir.path(), &[], &[("CONFIG_LOADER_CONFIG", file)]);
    assert_eq!(code(&undefined), Some(65), "{}", text(&undefined.stderr));
    assert!(text(&undefined.stderr).contains("env.REGION"), "{}", text(&undefined.stderr));
}

#[test]
fn a_wrong_command_line_is_64_and_nothing_to_load_is_78() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(code(&run(dir.path(), &["fetch"], &[])), Some(64));
    let nothing = run(dir.path(), &[], &[]);
    assert_eq!(code(&nothing), Some(78));
    assert!(text(&nothing.stderr).contains("set PROMPT_URL"), "{}", text(&nothing.stderr));
    let schema = run(dir.path(), &["schema"], &[]);
    assert!(serde_json::from_slice::<serde_json::Value>(&schema.stdout).unwrap()["properties"]["files"].is_object());
}

#[test]
fn the_deadline_bounds_what_cannot_be_given_up_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let authority = dir.path().join("ca.pem");
    // Who opens it waits for somebody to write into it.
    rustix::fs::mkfifoat(rustix::fs::CWD, &authority, rustix::fs::Mode::RWXU).unwrap();
    let file = dir.path().join("set.yaml");
    let text = format!(
        "deadline: 1s\nfiles: [ {{ name: a, target: a, type: text, source: {{ http: {{ url: 'https://127.0.0.1:1/', tls: \
         {{ ca_file: {authority:?} }} }} }} }} ]"
    );
    fs::write(&file, text).unwrap();
    let ended = run(dir.path(), &[], &[("CONFIG_LOADER_CONFIG", file.to_str().unwrap())]);
    assert_eq!(code(&ended), Some(75), "{}", text_of(&ended));
    let left = fs::read_to_string(dir.path().join("termination-log")).unwrap();
    assert!(left.contains("the deadline came while the sources were asked"), "{left}");
}

fn text_of(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn a_configuration_that_is_no_ordinary_file_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("set.yaml");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    for (path, says) in [(fifo.to_str().unwrap(), "is a pipe"), ("/dev/zero", "is a device"), ("/", "is a directory")] {
        let ended = run(dir.path(), &[], &[("CONFIG_LOADER_CONFIG", path)]);
        assert_eq!(code(&ended), Some(78), "{}", text_of(&ended));
        assert!(text_of(&ended).contains(says), "{}", text_of(&ended));
    }
}

#[test]
fn a_signal_ends_the_wait_for_another_one_that_publishes() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("config")).unwrap();
    let lock = fs::File::create(dir.path().join("config/..lock")).unwrap();
    lock.lock().unwrap();
    let file = dir.path().join("set.yaml");
    let set = "deadline: 1h\nfiles: [ { name: a, target: a, type: text, source: { inline: x } } ]";
    fs::write(&file, set).unwrap();
    let mut running = Command::new(env!("CARGO_BIN_EXE_config-loader"))
        .env_clear()
        .env("CONFIG_LOADER_CONFIG", &file)
        .env("CONFIG_DIR", dir.path().join("config"))
        .env("TERMINATION_LOG", dir.path().join("termination-log"))
        .env("RUST_LOG", "info")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut byte = [0];
    // Once it says that something was fetched, signals are heard.
    running.stderr.as_mut().unwrap().read_exact(&mut byte).unwrap();
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = running.wait_with_output().unwrap();
    assert_eq!(code(&ended), Some(75), "{}", text_of(&ended));
    assert!(!dir.path().join("config/a").exists());
}

#[test]
fn in_a_pod_every_line_is_json_and_says_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let json = |variables: &[(&str, &str)]| {
        let ended = Command::new(env!("CARGO_BIN_EXE_config-loader"))
            .env_clear()
            .envs(variables.iter().copied())
            .env("CONFIG_DIR", dir.path().join("config"))
            .env("TERMINATION_LOG", dir.path().join("termination-log"))
            .output()
            .unwrap();
        assert_eq!(text(&ended.stdout), "");
        let lines = text(&ended.stderr);
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line));
        lines.filter(|line| line["level"] == "ERROR").collect::<Vec<_>>()
    };
    let errors = json(&[("PROMPT_URL", "file:///nowhere/prompt.txt")]);
    assert_eq!((errors.len(), &errors[0]["exit_code"], &errors[0]["name"]), (1, &69.into(), &"prompt".into()));
    assert!(errors[0]["message"].as_str().unwrap().contains("there is no such file"), "{errors:?}");
    let errors = json(&[("PROMPT_URL", "file://nowhere/prompt.txt"), ("TOOLS_URL", "ftp://a/b")]);
    assert_eq!((errors.len(), &errors[0]["exit_code"]), (2, &78.into()));
    assert!(errors[0]["message"].as_str().unwrap().contains("three slashes"), "{errors:?}");
    fs::write(dir.path().join("prompt.txt"), "Be kind.").unwrap();
    let url = format!("file://{}\n", dir.path().join("prompt.txt").display());
    assert_eq!(json(&[("PROMPT_URL", &url)]).len(), 0, "the line end of a Secret is no part of a URL");
}

#[test]
fn a_configuration_can_be_linted_by_its_name_wherever_its_sources_are() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("set.yaml");
    let lint = |entries: &str| {
        fs::write(&file, format!("files: [ {entries} ]")).unwrap();
        let ended = run(dir.path(), &["lint", file.to_str().unwrap()], &[]);
        (code(&ended), text_of(&ended))
    };
    let far = |more: &str| {
        format!("{{ name: a, target: a, type: text, source: {{ http: {{ url: 'http://far/a'{more} }} }} }}")
    };
    assert_eq!(lint(&far("")).0, Some(0));
    for (entries, says) in [
        (far(", allow_addresses: [foo]"), "allow_addresses"),
        (far(", headers: { 'Bad Header': x }"), "header"),
        (format!("{}, {{ name: b, target: a, type: text, source: {{ inline: x }} }}", far("")), "two files"),
        (
            "{ name: a, target: a, type: binary, template: true, source: { s3: { url: 's3://b/k' } } }".to_owned(),
            "template",
        ),
    ] {
        let (code, told) = lint(&entries);
        assert_eq!(code, Some(78), "{entries}: {told}");
        assert!(told.contains(says), "{told}");
    }
}
