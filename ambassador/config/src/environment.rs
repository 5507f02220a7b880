//! The two variables of the pod pattern, and a key each, to settings.

use ambassador_core::{
    provider::{self, Provider},
    route::{Router, Rules},
    timeouts::Timeouts,
};
use chassis::{
    config::{Environment, Problems},
    excerpt::excerpt,
    secret::Secret,
};

use crate::{
    FILE_VARIABLE,
    address::base_url,
    parts::{check_keys, is_name, key_file, key_list, routed, variable},
    settings::{Limits, Listen, Settings, Upstream},
};

/// The settings of an environment that names no file but these providers. `None` where there is a problem.
pub(crate) fn settings(names: &[String], environment: &Environment, problems: &mut Problems) -> Option<Settings> {
    let mut upstreams = Vec::with_capacity(names.len());
    let mut routed_upstreams = Vec::with_capacity(names.len());
    for name in names {
        if let Some(upstream) = upstream(name, environment, problems) {
            let model = environment.get(&variable(name, "MODEL")).map(str::to_owned);
            routed_upstreams.push(routed(&upstream, model));
            upstreams.push(upstream);
        }
    }
    let listen = Listen::from(environment, problems);
    let router = Router::new(routed_upstreams, Rules::Families, Timeouts::default());
    let settings = Settings { listen, upstreams, router, limits: Limits::default(), prices: Default::default() };
    problems.is_empty().then_some(settings)
}

/// The providers by name: the primary, then the fallbacks.
pub(crate) fn names(environment: &Environment, problems: &mut Problems) -> Vec<String> {
    let Some(primary) = environment.get("PRIMARY_PROVIDER") else {
        problems.push_hint(
            "PRIMARY_PROVIDER",
            "is not set",
            format!("set PRIMARY_PROVIDER=anthropic and ANTHROPIC_API_KEY, say, or name a file in {FILE_VARIABLE}"),
        );
        return Vec::new();
    };
    let fallbacks = environment.get("FALLBACK_PROVIDER").unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    let all = std::iter::once(("PRIMARY_PROVIDER", primary))
        .chain(fallbacks.split(',').map(|name| ("FALLBACK_PROVIDER", name)));
    for (source, name) in all {
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() {
            continue;
        }
        if !is_name(&name) {
            let name = excerpt(&name);
            problems.push(source, format!("`{name}` is no provider's name: letters, digits, `-` and `_` make one"));
        } else if names.contains(&name) {
            problems.push(source, format!("names `{name}` a second time"));
        } else if let Some(other) = names.iter().find(|other| variable(other, "") == variable(&name, "")) {
            problems.push_hint(
                source,
                format!("names `{other}` and `{name}`, and both would read the variables {}", variable(&name, "...")),
                "give one of them another name",
            );
        } else {
            names.push(name);
        }
    }
    names
}

fn upstream(name: &str, environment: &Environment, problems: &mut Problems) -> Option<Upstream> {
    let kind = provider::by_kind(name).or_else(|| provider::by_kind("openai-compatible"))?;
    let url_variable = variable(name, "BASE_URL");
    let address = match (environment.get(&url_variable), kind.base_url()) {
        (Some(url), _) => base_url(kind, url, &url_variable, environment, problems),
        (None, Some(url)) => Some(url.to_owned()),
        (None, None) => {
            problems.push_hint(
                &url_variable,
                format!("is not set, and `{name}` is no vendor that is known by name (those are: openai, anthropic)"),
                format!("set {url_variable} to where it serves OpenAI's API, as http://vllm.inference:8000/v1"),
            );
            None
        }
    };
    let keys = keys(name, kind, environment, problems);
    Some(Upstream { name: name.to_owned(), provider: kind, base_url: address?, keys, stream_usage: true })
}

fn keys(name: &str, kind: &dyn Provider, environment: &Environment, problems: &mut Problems) -> Vec<Secret> {
    let (key_variable, file_variable) = (variable(name, "API_KEY"), variable(name, "API_KEY_FILE"));
    let mut keys = environment.get(&key_variable).map(key_list).unwrap_or_default();
    if let Some(path) = environment.get(&file_variable) {
        match key_file(path) {
            Ok(more) => keys.extend(more),
            Err(error) => problems.push(&file_variable, error.to_string()),
        }
    } else if keys.is_empty() && kind.base_url().is_some() {
        problems.push_hint(
            &key_variable,
            "is not set",
            format!("set {key_variable}, or {file_variable} to a file or a directory of files with keys"),
        );
    }
    check_keys(kind, &keys, &key_variable, problems);
    keys
}
