//! What a valid configuration means, for people.

use std::{
    fmt::{Display, Write},
    time::Duration,
};

use ambassador_config::{Limits, Listen, Settings};
use ambassador_core::{
    catalog::{self, Price},
    route::Target,
    timeouts::Timeouts,
};
use chassis::{
    config::Problem,
    units::{Size, Span},
};

/// The settings in a few lines: who is asked for what, with how many keys, within which bounds and at which prices that
/// are not the built-in ones; then what is odd about them.
#[must_use]
pub(crate) fn describe(settings: &Settings, warnings: &[Problem], from_file: bool) -> String {
    let mut text = String::from("The configuration is valid.\n\nproviders");
    if !from_file {
        text.push_str(", in the order in which they are asked");
    }
    text.push('\n');
    for (upstream, routed) in settings.upstreams.iter().zip(settings.router.upstreams()) {
        let kind = upstream.provider.kind();
        let keys = match upstream.keys.len() {
            0 => "no key".to_owned(),
            several => counted(several, "key"),
        };
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "  {}: {kind} at {}, {keys}", upstream.name, upstream.base_url);
        if !from_file {
            let other = match (&routed.model, catalog::default_model(kind)) {
                (Some(model), _) => format!("{model} (as configured)"),
                (None, Some(model)) => format!("{model} (the default of {})", catalog::AS_OF),
                (None, None) => "by the name that the request gives".to_owned(),
            };
            let family = catalog::models(kind);
            if family.is_empty() {
                let _ = writeln!(text, "    asked for every model {other}");
            } else {
                let _ = writeln!(text, "    asked for its own models by name, for any other: {other}");
            }
        }
    }
    if from_file {
        text.push_str("\nroutes\n");
        for route in settings.router.routes() {
            let tiers = route.tiers.iter().map(|tier| share(settings, tier));
            let _ = writeln!(text, "  {} -> {}", route.model, tiers.collect::<Vec<_>>().join(", then "));
            let of_route = route.timeouts.over(settings.router.timeouts());
            if let Some(bounds) = bounds(of_route, "total") {
                let _ = writeln!(text, "    time-outs: {bounds}");
            }
            let own = route.tiers.iter().flatten().filter(|target| target.timeouts != Timeouts::default());
            for target in own {
                let inherited = Timeouts { total: None, ..of_route };
                let bounds = bounds(target.timeouts.over(inherited), "total for one attempt");
                let bounds = bounds.unwrap_or_else(|| "the defaults".to_owned());
                let _ = writeln!(text, "    time-outs of {}: {bounds}", name(settings, target));
            }
        }
    }
    let _ = writeln!(text, "\n{}", limits(&settings.limits));
    if !settings.prices.is_empty() {
        text.push_str("\nprices, in dollars for a million tokens\n");
        for (model, price) in &settings.prices {
            let instead = catalog::price_of(model).map(|known| format!(" (instead of {})", dollars(known)));
            let _ = writeln!(text, "  {model}: {}{}", dollars(*price), instead.unwrap_or_default());
        }
    }
    let Listen { data, admin, drain } = &settings.listen;
    let drain = span(*drain);
    let _ = write!(text, "\nlistens on {data} (agent) and {admin} (probes, metrics)");
    let _ = write!(text, "\nends within {drain} of SIGTERM: that long may requests in flight take");
    if !warnings.is_empty() {
        text.push_str("\n\nwarnings");
        for warning in warnings {
            let _ = write!(text, "\n  {warning}");
        }
    }
    text
}

fn limits(limits: &Limits) -> String {
    let wait = if limits.queue_timeout.is_zero() {
        "further ones are refused".to_owned()
    } else {
        format!("further ones wait up to {}", span(limits.queue_timeout))
    };
    format!(
        "limits: bodies of {}, answers of {}, {} at once ({wait}), {} a request, headers within {}",
        size(limits.max_body),
        size(limits.max_answer),
        counted(limits.max_in_flight, "request"),
        counted(limits.attempts, "attempt"),
        span(limits.header_timeout),
    )
}

/// `1 key`, `2 keys`.
fn counted(count: impl Display + PartialEq + From<u8>, what: &str) -> String {
    if count == 1.into() { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The targets of a tier, each with its share of the load where there are several.
fn share(settings: &Settings, tier: &[Target]) -> String {
    let total: f64 = tier.iter().map(|target| target.weight).sum();
    let targets = tier.iter().map(|target| {
        let name = name(settings, target);
        if tier.len() > 1 { format!("{name} {:.0} %", target.weight / total * 100.0) } else { name }
    });
    targets.collect::<Vec<_>>().join(" or ")
}

/// A target as a caller could ask for it: the provider and the model.
fn name(settings: &Settings, target: &Target) -> String {
    let upstream = settings.upstreams.get(target.upstream).map_or("?", |upstream| upstream.name.as_str());
    format!("{upstream}/{}", target.model.as_deref().unwrap_or("(the model asked for)"))
}

/// The time-outs that are not the default ones; `None` where all of them are.
fn bounds(timeouts: Timeouts, total: &str) -> Option<String> {
    let Timeouts { connect, headers, first_content, idle, total: whole } = timeouts;
    let default = Timeouts::STREAM;
    let other = |time: Option<Duration>, default: Option<Duration>| time.filter(|time| Some(*time) != default);
    let bounds = [
        ("connect", other(connect, default.connect)),
        // For whole answers there is no default, so whatever is said differs from it.
        ("headers", headers),
        ("first_content", other(first_content, default.first_content)),
        ("idle", other(idle, default.idle)),
        (total, other(whole, Some(Timeouts::REQUEST).filter(|_| total == "total"))),
    ];
    let told = bounds.into_iter().filter_map(|(name, time)| Some(format!("{name} {}", span(time?))));
    Some(told.collect::<Vec<_>>().join(", ")).filter(|bounds| !bounds.is_empty())
}

fn span(time: Duration) -> Span {
    Span::millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn size(bytes: usize) -> Size {
    Size::bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
}

fn dollars(price: Price) -> String {
    format!("input {}, cached {}, output {}", price.input, price.cached, price.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told_with_what_happens_beyond_them() {
        let told = limits(&Limits::default());
        assert!(told.contains(" 4096 requests at once (further ones wait up to 30s), 4 attempts a request,"), "{told}");
        let one = Limits { max_in_flight: 1, attempts: 1, queue_timeout: Duration::ZERO, ..Limits::default() };
        let told = limits(&one);
        assert!(told.contains(" 1 request at once (further ones are refused), 1 attempt a request,"), "{told}");
    }
}
