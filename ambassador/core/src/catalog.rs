//! What is known of models: families, defaults, limits, prices. A small table with a date, not a service: what it
//! does not know is passed on or counted as unknown, never guessed. Prices can be overridden in the configuration.

use crate::chat::Usage;

/// The day on which the tables below were last held against the vendors' pages.
pub const AS_OF: &str = "2026-11-24";

/// Dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Input that was not read from a cache.
    pub input: f64,
    /// Input read from the provider's cache.
    pub cached: f64,
    /// Output, reasoning included.
    pub output: f64,
}

impl Price {
    /// What an exchange cost, in dollars.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "no exchange has 2^53 tokens")]
    pub fn dollars(&self, usage: &Usage) -> f64 {
        // Writing to the cache costs a quarter more than reading without it, at the one vendor that counts it.
        let written = usage.cache_written as f64 * 0.25;
        let fresh = (usage.input.saturating_sub(usage.cached) as f64 + written) * self.input;
        (fresh + usage.cached as f64 * self.cached + usage.output as f64 * self.output) / 1e6
    }
}

/// A family of models that one kind of provider serves.
struct Family {
    kind: &'static str,
    /// What the names of the family begin with.
    prefixes: &'static [&'static str],
    /// What is asked for when the caller's model is of another family.
    default_model: &'static str,
    /// Names worth listing.
    models: &'static [&'static str],
}

const FAMILIES: &[Family] = &[
    Family {
        kind: "openai",
        prefixes: &["gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "ft:gpt-"],
        default_model: "gpt-4o",
        models: &[
            "gpt-5",
            "gpt-5-mini",
            "gpt-4.1",
            "gpt-4o",
            "gpt-4o-mini",
            "o3",
            "o4-mini",
            "text-embedding-3-large",
            "text-embedding-3-small",
        ],
    },
    Family {
        kind: "anthropic",
        prefixes: &["claude-"],
        default_model: "claude-sonnet-4-5",
        models: &["claude-opus-4-5", "claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5"],
    },
];

/// Prices by the beginning of the model's name; the longest that matches holds, so that dated snapshots
/// (`gpt-4o-2024-08-06`) cost what their family does.
const PRICES: &[(&str, Price)] = &[
    ("gpt-5", price(1.25, 0.125, 10.0)),
    ("gpt-5-mini", price(0.25, 0.025, 2.0)),
    ("gpt-5-nano", price(0.05, 0.005, 0.4)),
    ("gpt-4.1", price(2.0, 0.5, 8.0)),
    ("gpt-4.1-mini", price(0.4, 0.1, 1.6)),
    ("gpt-4.1-nano", price(0.1, 0.025, 0.4)),
    ("gpt-4o", price(2.5, 1.25, 10.0)),
    ("gpt-4o-mini", price(0.15, 0.075, 0.6)),
    ("o3", price(2.0, 0.5, 8.0)),
    ("o4-mini", price(1.1, 0.275, 4.4)),
    ("text-embedding-3-small", price(0.02, 0.02, 0.0)),
    ("text-embedding-3-large", price(0.13, 0.13, 0.0)),
    ("claude-opus-4-5", price(5.0, 0.5, 25.0)),
    ("claude-opus-4", price(15.0, 1.5, 75.0)),
    ("claude-sonnet-4", price(3.0, 0.3, 15.0)),
    ("claude-haiku-4-5", price(1.0, 0.1, 5.0)),
    ("claude-3-5-haiku", price(0.8, 0.08, 4.0)),
];

const fn price(input: f64, cached: f64, output: f64) -> Price {
    Price { input, cached, output }
}

/// Whether `model` is of the family that providers of `kind` serve. `openai-compatible` has no family: nobody can
/// know what a self-hosted engine serves.
#[must_use]
pub fn is_of_family(kind: &str, model: &str) -> bool {
    // Open weights under the vendor's name: engines serve them, the vendor does not.
    if model.starts_with("gpt-oss") {
        return false;
    }
    FAMILIES.iter().any(|family| family.kind == kind && family.prefixes.iter().any(|prefix| model.starts_with(prefix)))
}

/// What to ask a provider of `kind` for when the caller's model is not one it serves.
#[must_use]
pub fn default_model(kind: &str) -> Option<&'static str> {
    FAMILIES.iter().find(|family| family.kind == kind).map(|family| family.default_model)
}

/// The names of `kind`'s family that `GET /v1/models` lists.
#[must_use]
pub fn models(kind: &str) -> &'static [&'static str] {
    FAMILIES.iter().find(|family| family.kind == kind).map_or(&[], |family| family.models)
}

/// What `model` costs; `None` where the table does not know.
#[must_use]
pub fn price_of(model: &str) -> Option<Price> {
    PRICES
        .iter()
        .filter(|(name, _)| is_same_or_snapshot(model, name))
        .max_by_key(|(name, _)| name.len())
        .map(|(_, price)| *price)
}

/// `gpt-4o-2024-08-06` is a snapshot of `gpt-4o`; `gpt-4o-audio-preview` is another model at another price, but
/// `claude-opus-4-1-20250805` is in the `claude-opus-4` line, so a version number may come between.
fn is_same_or_snapshot(model: &str, name: &str) -> bool {
    let Some(rest) = model.strip_prefix(name) else { return false };
    rest.is_empty()
        || (rest.starts_with('-') && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
        || rest == "-latest"
}

/// Whether an OpenAI model reasons: such take `max_completion_tokens` only.
#[must_use]
pub fn is_openai_reasoning(model: &str) -> bool {
    model.starts_with("gpt-5") || ["o1", "o3", "o4"].iter().any(|prefix| model.starts_with(prefix))
}

/// What an Anthropic model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnthropicModel {
    /// Most tokens that an answer may have: what is asked for when the caller names no limit, since the API wants one.
    pub max_output: u64,
    /// Takes `temperature`, `top_p`, `top_k`.
    pub sampling: bool,
    /// Takes `temperature` and `top_p` in one request.
    pub sampling_pair: bool,
    /// Thinks as it sees fit (`thinking: adaptive` with `output_config.effort`) instead of by a budget of tokens.
    pub adaptive_thinking: bool,
    /// Thinks unless it is told not to (and can be told).
    pub thinks_unasked: bool,
}

/// What an Anthropic model takes. An unknown name is taken for a new model: those refuse most.
#[must_use]
pub fn anthropic(model: &str) -> AnthropicModel {
    let is = |names: &[&str]| names.iter().any(|name| model.contains(name));
    let claude_3 = is(&["claude-3", "claude-2", "claude-instant"]);
    let first_4 = is(&["opus-4-0", "opus-4-2025", "sonnet-4-0", "sonnet-4-2025"]);
    let later_4 = is(&["opus-4-1", "opus-4-5", "opus-4-6", "sonnet-4-5", "sonnet-4-6", "haiku-4-5"]);
    let sampling = claude_3 || first_4 || later_4;
    AnthropicModel {
        max_output: if is(&["claude-3-5"]) {
            8_192
        } else if claude_3 && !is(&["claude-3-7"]) {
            4_096
        } else if is(&["opus-4-0", "opus-4-1", "opus-4-2025"]) {
            32_000
        } else {
            64_000
        },
        sampling,
        sampling_pair: claude_3 || first_4,
        adaptive_thinking: !sampling,
        thinks_unasked: is(&["opus-5", "sonnet-5", "haiku-5"]) && !is(&["opus-5-5", "sonnet-5-5"]),
    }
}

/// The provider and the model of a name written `provider/model`, if it is one.
#[must_use]
pub fn split_provider(name: &str) -> Option<(&str, &str)> {
    let (provider, model) = name.split_once('/')?;
    (!provider.is_empty() && !model.is_empty()).then_some((provider, model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_costs_what_its_family_does_and_a_sibling_does_not() {
        assert_eq!(price_of("gpt-4o-2024-08-06"), price_of("gpt-4o"));
        assert_ne!(price_of("gpt-4o-mini"), price_of("gpt-4o"));
        assert_eq!(price_of("claude-opus-4-1-20250805").unwrap().output, 75.0);
        assert_eq!(price_of("claude-opus-4-5-20251101").unwrap().output, 25.0);
        assert_eq!(price_of("gpt-4o-audio-preview"), None);
        assert_eq!(price_of("llama-3.3-70b"), None);
    }

    #[test]
    fn cached_input_costs_its_own_price() {
        let usage = Usage { input: 1_000_000, cached: 400_000, output: 100_000, ..Usage::default() };
        let price = Price { input: 3.0, cached: 0.3, output: 15.0 };
        assert!((price.dollars(&usage) - (1.8 + 0.12 + 1.5)).abs() < 1e-9);
    }

    #[test]
    fn families_do_not_overlap() {
        assert!(is_of_family("openai", "gpt-4o") && !is_of_family("anthropic", "gpt-4o"));
        assert!(is_of_family("anthropic", "claude-x") && !is_of_family("openai", "claude-x"));
        assert!(!is_of_family("openai-compatible", "gpt-4o"));
        for kind in ["openai", "anthropic"] {
            let default = default_model(kind).unwrap();
            assert!(is_of_family(kind, default) && models(kind).contains(&default));
            assert!(models(kind).iter().all(|model| is_of_family(kind, model)), "{kind}");
            assert!(price_of(default).is_some());
        }
    }
}
