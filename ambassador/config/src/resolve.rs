//! The file to settings: what its shape alone cannot say.

use std::collections::BTreeMap;

use ambassador_core::{
    catalog, provider,
    route::{self, Router, Rules},
};
use chassis::{
    config::{Environment, Problems},
    excerpt::excerpt,
    secret::Secret,
};

use crate::{
    FILE_VARIABLE,
    address::base_url,
    file,
    parts::{check_keys, is_name, key_file, key_list, required, routed, variable},
    routing::{own_timeouts, routes},
    settings::{Limits, Listen, Settings, Upstream},
    variables::{NAMES, beside},
};

/// The least that a file says.
const LEAST: &str = "providers: { openai: { kind: openai, keys: [ { env: OPENAI_API_KEY } ] } } and routes: [ { model: \"*\", \
                     targets: [ { provider: openai } ] } ]";

/// What is wrong with a provider's variable that is set although there is a file.
const TWO_SOURCES: &str =
    "is set beside AMBASSADOR_CONFIG: the providers are configured by the file or by variables, not both";

/// The settings of a file. `None` where a problem leaves nothing to build on; every problem is in `problems`.
pub(crate) fn settings(file: &file::File, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
    refuse_two_sources(file, environment, problems);
    let upstreams: Vec<Upstream> =
        file.providers.iter().filter_map(|(name, provider)| upstream(name, provider, environment, problems)).collect();
    refuse_nothing(file, problems);
    let known: Vec<route::Upstream> = upstreams.iter().map(|upstream| routed(upstream, None)).collect();
    let routes = routes(file, &known, problems);
    let default = own_timeouts(&file.timeouts, "timeouts", problems);
    let limits = limits(&file.limits, problems);
    let prices = prices(&file.prices, problems);
    let listen = Listen::from(environment, problems);
    let router = Router::new(known, Rules::Table(routes), default);
    problems.is_empty().then_some(Settings { listen, upstreams, router, limits, prices })
}

/// A file without a provider or without a route serves nobody.
fn refuse_nothing(file: &file::File, problems: &mut Problems) {
    let absent = |absent: bool, key: &str, problems: &Problems| absent && !problems.pruned_within(key);
    let no_provider = absent(file.providers.is_empty(), "providers", problems);
    let no_route = absent(file.routes.is_empty(), "routes", problems);
    if no_provider && no_route {
        problems.push_hint("", "names neither a provider nor a route", format!("the least is {LEAST}"));
        return;
    }
    if no_provider {
        problems.push_hint(
            "providers",
            "names no provider",
            "write, for instance, providers: { openai: { kind: openai, keys: [ { env: OPENAI_API_KEY } ] } }",
        );
    }
    if no_route {
        problems.push_hint(
            "routes",
            "has no route, so that every model would be unknown",
            "a route with model: \"*\" takes every model",
        );
    }
}

/// With a file, the variables that would configure providers would be ignored in silence. Better to say so.
fn refuse_two_sources(file: &file::File, environment: &Environment, problems: &mut Problems) {
    let of_providers =
        file.providers.keys().flat_map(|name| ["BASE_URL", "MODEL", "API_KEY_FILE"].map(|what| variable(name, what)));
    let names = NAMES.map(str::to_owned).into_iter().chain(of_providers);
    for name in names.filter(|name| environment.get(name).is_some()) {
        problems.push_hint(&name, TWO_SOURCES, format!("unset {name}, or unset {FILE_VARIABLE}"));
    }
    if problems.pruned_within("providers") {
        // A key that could not be read may well have named the variable.
        return;
    }
    let named = beside(Some(file));
    for provider in file.providers.keys() {
        let name = variable(provider, "API_KEY");
        if environment.get(&name).is_some() && !named.contains(&name) {
            let hint = format!("name it in the file, as keys: [ {{ env: {name} }} ], or unset {name}");
            problems.push_hint(&name, TWO_SOURCES, hint);
        }
    }
}

fn upstream(
    name: &str,
    provider: &file::Provider,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<Upstream> {
    let path = format!("providers.{}", excerpt(name));
    if !is_name(name) {
        problems.push(&path, "a provider's name is made of up to 31 lower-case letters, digits, `-` and `_`");
    }
    let given = provider.kind.and_then(|kind| provider::by_kind(kind.name()));
    if given.is_none() && !problems.pruned(&format!("{path}.kind")) {
        problems.push(format!("{path}.kind"), "is missing: openai, anthropic or openai-compatible");
    }
    // Without a kind the rest is checked as far as it can be, as that of the kind that wants least.
    let kind = given.or_else(|| provider::by_kind("openai-compatible"))?;
    let place = format!("{path}.base_url");
    let base_url = match (&provider.base_url, kind.base_url()) {
        (Some(url), _) => base_url(kind, url, &place, environment, problems),
        (None, Some(url)) => Some(url.to_owned()),
        (None, None) if given.is_none() || problems.pruned(&place) => None,
        (None, None) => {
            problems.push_hint(
                &place,
                "is missing: this kind has no address of its own",
                "write, for instance, base_url: http://vllm.inference:8000/v1",
            );
            None
        }
    };
    let keys: Vec<Secret> = provider
        .keys
        .iter()
        .enumerate()
        .flat_map(|(i, key)| keys(key, &format!("{path}.keys[{i}]"), environment, problems))
        .collect();
    if provider.keys.is_empty() && kind.base_url().is_some() && !problems.pruned_within(&format!("{path}.keys")) {
        problems.push_hint(
            format!("{path}.keys"),
            "names no key",
            format!("write, for instance, keys: [ {{ env: {} }} ]", variable(&excerpt(name), "API_KEY")),
        );
    }
    check_keys(&keys, &format!("{path}.keys"), problems);
    let stream_usage = provider.stream_usage.unwrap_or(true);
    // A provider with a problem still stands for its name, so that routes to it are not called unknown as well.
    let base_url = base_url.unwrap_or_default();
    Some(Upstream { name: name.to_owned(), provider: kind, base_url, keys, stream_usage })
}

fn keys(key: &file::Key, place: &str, environment: &Environment, problems: &mut Problems) -> Vec<Secret> {
    match (&key.file, &key.env) {
        (Some(file), None) => match key_file(file) {
            Ok(keys) => return keys,
            Err(error) => problems.push(format!("{place}.file"), error.to_string()),
        },
        (None, Some(name)) => match environment.get(name).map(key_list) {
            Some(keys) if !keys.is_empty() => return keys,
            _ => {
                problems.push(format!("{place}.env"), format!("the environment variable {} is not set", excerpt(name)))
            }
        },
        _ if problems.pruned(&format!("{place}.file")) || problems.pruned(&format!("{place}.env")) => {}
        _ => problems.push(place, "must name exactly one of `file` and `env`"),
    }
    Vec::new()
}

fn limits(given: &file::Limits, problems: &mut Problems) -> Limits {
    let default = Limits::default();
    let limits = Limits {
        max_body: given.max_body.map_or(default.max_body, |size| size.as_usize()),
        max_answer: given.max_answer.map_or(default.max_answer, |size| size.as_usize()),
        max_in_flight: given.max_in_flight.unwrap_or(default.max_in_flight),
        queue_timeout: given.queue_timeout.map_or(default.queue_timeout, Into::into),
        attempts: given.attempts.unwrap_or(default.attempts),
        header_timeout: given.header_timeout.map_or(default.header_timeout, Into::into),
    };
    let zeros = [
        ("max_body", limits.max_body == 0),
        ("max_answer", limits.max_answer == 0),
        ("max_in_flight", limits.max_in_flight == 0),
        ("attempts", limits.attempts == 0),
        ("header_timeout", limits.header_timeout.is_zero()),
    ];
    for (name, _) in zeros.into_iter().filter(|(_, zero)| *zero) {
        problems.push(format!("limits.{name}"), "must be above 0: nothing could be served");
    }
    limits
}

fn prices(given: &BTreeMap<String, file::Price>, problems: &mut Problems) -> BTreeMap<String, catalog::Price> {
    let mut prices = BTreeMap::new();
    for (model, price) in given {
        let place = format!("prices.{model}");
        let input = required(&price.input, &format!("{place}.input"), problems);
        let output = required(&price.output, &format!("{place}.output"), problems);
        if [input, price.cached.as_ref(), output]
            .into_iter()
            .flatten()
            .any(|dollars| !dollars.is_finite() || *dollars < 0.0)
        {
            problems.push(&place, "a price is a number of 0 or more");
        }
        if let (Some(&input), Some(&output)) = (input, output) {
            prices.insert(model.clone(), catalog::Price { input, cached: price.cached.unwrap_or(input), output });
        }
    }
    prices
}
