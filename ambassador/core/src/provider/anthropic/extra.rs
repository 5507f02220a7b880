//! Fields of the caller's dialect that this API has no place for: which of them are worth a word when they are left out.
//!
//! A field that would have changed the answer is reported. One that is about bookkeeping, caching or transport is not,
//! and neither is one at the value that asks for nothing: many clients send all their defaults.

use serde_json::{Map, Value};

use super::Dropped;

/// Fields that would have changed the answer.
const MISSED: &[&str] = &[
    "audio",
    "best_of",
    "chat_template_kwargs",
    "enable_thinking",
    "frequency_penalty",
    "function_call",
    "functions",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "min_p",
    "min_tokens",
    "modalities",
    "moderation",
    "plugins",
    "presence_penalty",
    "reasoning",
    "repetition_penalty",
    "seed",
    "service_tier",
    "stop_token_ids",
    "structured_outputs",
    "suffix",
    "thinking",
    "top_a",
    "top_logprobs",
    "verbosity",
    "web_search_options",
];

/// Fields without which the answer is the same, and those that [`super::encode`] reads itself.
const QUIET: &[&str] = &[
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "stream_options",
    "top_k",
];

pub(super) fn report(extra: &Map<String, Value>, dropped: &mut Dropped) {
    for (name, value) in extra {
        if QUIET.contains(&name.as_str()) || asks_for_nothing(name, value) {
            continue;
        }
        dropped.add(MISSED.iter().find(|known| *known == name).copied().unwrap_or("other"));
    }
}

fn asks_for_nothing(name: &str, value: &Value) -> bool {
    let is = |text: &str| value.as_str() == Some(text);
    value.is_null()
        || match name {
            "frequency_penalty" | "presence_penalty" | "min_p" | "top_a" | "top_logprobs" | "min_tokens" => {
                value.as_f64() == Some(0.0)
            }
            "repetition_penalty" | "best_of" => value.as_f64() == Some(1.0),
            "logprobs" => value == false,
            "logit_bias" | "chat_template_kwargs" => value.as_object().is_some_and(Map::is_empty),
            "functions" | "plugins" | "stop_token_ids" => value.as_array().is_some_and(Vec::is_empty),
            "modalities" => value.as_array().is_some_and(|all| all.iter().all(|one| one == "text")),
            "service_tier" => is("auto") || is("default"),
            "verbosity" => is("medium"),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reported(extra: &Value) -> Vec<&'static str> {
        let mut dropped = Dropped::default();
        report(extra.as_object().unwrap(), &mut dropped);
        dropped.0
    }

    #[test]
    fn what_changes_the_answer_is_reported_by_name() {
        let extra = json!({"seed": 0, "logit_bias": {"5": -100}, "logprobs": true, "presence_penalty": 0.1, "made_up": 1, "also_made_up": 2});
        assert_eq!(reported(&extra), ["seed", "logit_bias", "logprobs", "presence_penalty", "other"]);
    }

    #[test]
    fn defaults_and_bookkeeping_pass_without_a_word() {
        let extra = json!({
            "presence_penalty": 0, "frequency_penalty": 0.0, "logprobs": false, "logit_bias": {}, "modalities": ["text"],
            "service_tier": "auto", "verbosity": "medium", "seed": null, "made_up": null,
            "store": true, "metadata": {"a": "b"}, "prompt_cache_key": "k", "stream_options": {}, "prediction": {"type": "content"},
        });
        assert!(reported(&extra).is_empty());
        let asked =
            json!({"service_tier": "flex", "verbosity": "low", "modalities": ["text", "audio"], "top_logprobs": 2});
        assert_eq!(reported(&asked), ["service_tier", "verbosity", "modalities", "top_logprobs"]);
    }
}
