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
    variables::VENDORS,
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
    if problems.iter().any(|problem| problem.path == "PRIMARY_PROVIDER") {
        check_unnamed(names, environment, problems);
    }
    let listen = Listen::from(environment, problems);
    let router = Router::new(routed_upstreams, Rules::Families, Timeouts::default());
    let settings = Settings { listen, upstreams, router, limits: Limits::default(), prices: Default::default() };
    problems.is_empty().then_some(settings)
}

/// The providers by name: the primary, then the fallbacks. Without a primary, the fallbacks are still looked at.
pub(crate) fn names(environment: &Environment, problems: &mut Problems) -> Vec<String> {
    let listed = |source: &'static str| {
        let list = environment.get(source).unwrap_or_default().split(',').map(str::trim);
        list.filter(|name| !name.is_empty()).map(move |name| (source, name))
    };
    match listed("PRIMARY_PROVIDER").count() {
        0 => problems.push_hint(
            "PRIMARY_PROVIDER",
            "is not set",
            format!("set PRIMARY_PROVIDER=anthropic and ANTHROPIC_API_KEY, say, or name a file in {FILE_VARIABLE}"),
        ),
        1 => {}
        several => problems.push_hint(
            "PRIMARY_PROVIDER",
            format!("names {several} providers, and only one can be asked first"),
            "leave the first one there; the others belong into FALLBACK_PROVIDER",
        ),
    }
    let mut names: Vec<String> = Vec::new();
    for (source, name) in listed("PRIMARY_PROVIDER").chain(listed("FALLBACK_PROVIDER")) {
        let name = name.to_ascii_lowercase();
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

/// Where it is not known who is asked first, it may be meant to be a vendor that is named nowhere yet: what is set of it
/// is looked at, and nothing is missed.
fn check_unnamed(names: &[String], environment: &Environment, problems: &mut Problems) {
    for name in VENDORS.into_iter().filter(|vendor| !names.iter().any(|name| name == vendor)) {
        let Some(kind) = provider::by_kind(name) else { continue };
        let place = variable(name, "BASE_URL");
        if let Some(url) = environment.get(&place) {
            base_url(kind, url, &place, environment, problems);
        }
        let any_key = ["API_KEY", "API_KEY_FILE"].iter().any(|what| environment.get(&variable(name, what)).is_some());
        if any_key {
            keys(name, kind, environment, problems);
        }
    }
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
    check_keys(&keys, &key_variable, problems);
    keys
}
