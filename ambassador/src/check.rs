//! What a valid configuration means, for people.

use std::fmt::Write;

use ambassador_config::Settings;
use ambassador_core::{catalog, route::Target};
use chassis::config::Problem;

/// The settings in a few lines: who is asked for what, with how many keys; then what is odd about them.
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
            1 => "1 key".to_owned(),
            several => format!("{several} keys"),
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
        }
    }
    let _ =
        write!(text, "\nlistens on {} (agent) and {} (probes, metrics)", settings.listen.data, settings.listen.admin);
    if !warnings.is_empty() {
        text.push_str("\n\nwarnings");
        for warning in warnings {
            let _ = write!(text, "\n  {warning}");
        }
    }
    text
}

/// The targets of a tier, each with its share of the load where there are several.
fn share(settings: &Settings, tier: &[Target]) -> String {
    let total: f64 = tier.iter().map(|target| target.weight).sum();
    let targets = tier.iter().filter_map(|target| {
        let upstream = settings.upstreams.get(target.upstream)?;
        let model = target.model.as_deref().unwrap_or("(the model asked for)");
        let name = format!("{}/{model}", upstream.name);
        Some(if tier.len() > 1 { format!("{name} {:.0} %", target.weight / total * 100.0) } else { name })
    });
    targets.collect::<Vec<_>>().join(" or ")
}
