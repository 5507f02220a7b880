//! The file's routes: which models go where, as far as its shape alone cannot say.

use ambassador_core::{route, timeouts};
use chassis::{config::Problems, excerpt::excerpt, units::Span};

use crate::{file, parts::required};

/// The routes of a file over the providers that are `known`.
pub(crate) fn routes(file: &file::File, known: &[route::Upstream], problems: &mut Problems) -> Vec<route::Route> {
    let mut routes: Vec<route::Route> = Vec::with_capacity(file.routes.len());
    for (i, route) in file.routes.iter().enumerate() {
        let place = format!("routes[{i}]");
        let model = required(&route.model, &format!("{place}.model"), problems);
        if let Some(model) = model {
            if model.is_empty() || model.trim_end_matches('*').contains('*') || model.ends_with("**") {
                problems.push(format!("{place}.model"), "must be a model's name, or a prefix that ends in one `*`");
            }
            if routes.iter().any(|other| other.model == *model) {
                problems.push(format!("{place}.model"), "an earlier route has the same model; only one can hold");
            }
        }
        let tiers = tiers(route, &place, file, known, problems);
        let timeouts = own_timeouts(&route.timeouts, &format!("{place}.timeouts"), problems);
        routes.extend(model.map(|model| route::Route { model: model.clone(), tiers, timeouts }));
    }
    routes
}

fn tiers(
    route: &file::Route,
    place: &str,
    file: &file::File,
    known: &[route::Upstream],
    problems: &mut Problems,
) -> Vec<Vec<route::Target>> {
    match (&route.targets, &route.tiers) {
        (Some(targets), None) => {
            if targets.is_empty() && !problems.pruned_within(&format!("{place}.targets")) {
                problems.push(format!("{place}.targets"), "names no target");
            }
            let mut tiers = Vec::with_capacity(targets.len());
            for (i, target) in targets.iter().enumerate() {
                let place = format!("{place}.targets[{i}]");
                if target.weight.is_some() {
                    problems.push_hint(
                        format!("{place}.weight"),
                        "has no meaning here: targets are tried in their order",
                        "to share load, put them into one tier: tiers: [ [ {...}, {...} ] ]",
                    );
                }
                tiers.push(self::target(target, &place, file, known, problems).into_iter().collect());
            }
            tiers
        }
        (None, Some(tiers)) => {
            if tiers.is_empty() && !problems.pruned_within(&format!("{place}.tiers")) {
                problems.push(format!("{place}.tiers"), "names no tier");
            }
            let mut resolved = Vec::with_capacity(tiers.len());
            for (i, tier) in tiers.iter().enumerate() {
                let place = format!("{place}.tiers[{i}]");
                if tier.is_empty() && !problems.pruned_within(&place) {
                    problems.push(&place, "names no target");
                }
                check_weights(tier, &place, problems);
                let targets = tier.iter().enumerate();
                let targets = targets
                    .filter_map(|(j, target)| self::target(target, &format!("{place}[{j}]"), file, known, problems));
                resolved.push(targets.collect());
            }
            resolved
        }
        _ if problems.pruned(&format!("{place}.targets")) || problems.pruned(&format!("{place}.tiers")) => Vec::new(),
        _ => {
            problems.push(place, "must have exactly one of `targets` and `tiers`");
            Vec::new()
        }
    }
}

/// A tier's load is shared by what each weight is of their sum.
fn check_weights(tier: &[file::Target], place: &str, problems: &mut Problems) {
    let weights = || tier.iter().map(|target| target.weight.unwrap_or(1.0));
    // Any other number is told where it stands.
    if tier.is_empty() || problems.pruned_within(place) || weights().any(|weight| weight < 0.0) {
        return;
    }
    let sum: f64 = weights().sum();
    if sum == 0.0 {
        problems.push(place, "has no target with a weight above 0");
    } else if !sum.is_finite() {
        problems.push_hint(place, "has weights whose sum is beyond any number", "3 and 1 share as 3e300 and 1e300 do");
    }
}

fn target(
    target: &file::Target,
    place: &str,
    file: &file::File,
    known: &[route::Upstream],
    problems: &mut Problems,
) -> Option<route::Target> {
    let weight = target.weight.unwrap_or(1.0);
    if !weight.is_finite() || weight < 0.0 {
        problems.push(format!("{place}.weight"), "must be a number of 0 or more");
    }
    if target.model.as_deref() == Some("") {
        problems.push(format!("{place}.model"), "must not be empty; without it the request's model is sent");
    }
    let timeouts = own_timeouts(&target.timeouts, &format!("{place}.timeouts"), problems);
    let provider = required(&target.provider, &format!("{place}.provider"), problems)?;
    let Some(upstream) = known.iter().position(|upstream| upstream.name == *provider) else {
        if !problems.pruned(&format!("providers.{provider}")) {
            let names: Vec<String> = file.providers.keys().map(|name| excerpt(name)).collect();
            problems.push_hint(
                format!("{place}.provider"),
                format!("`{}` is no provider of this file", excerpt(provider)),
                format!("the providers are: {}", names.join(", ")),
            );
        }
        return None;
    };
    Some(route::Target { upstream, model: target.model.clone(), weight, timeouts })
}

/// Time-outs as they stand at `place`.
pub(crate) fn own_timeouts(given: &file::Timeouts, place: &str, problems: &mut Problems) -> timeouts::Timeouts {
    let mut read = |name: &str, span: Option<Span>| {
        let duration = span.map(std::time::Duration::from)?;
        if duration.is_zero() {
            problems.push(format!("{place}.{name}"), "must be longer than 0");
        }
        Some(duration)
    };
    timeouts::Timeouts {
        connect: read("connect", given.connect),
        headers: read("headers", given.headers),
        first_content: read("first_content", given.first_content),
        idle: read("idle", given.idle),
        total: read("total", given.total),
    }
}
