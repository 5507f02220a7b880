//! What the tests of the configuration share.
#![allow(dead_code, reason = "each test file uses some of it")]

use ambassador_config::Settings;
use chassis::config::{Environment, Problems};

/// The text of a key that must never be seen again.
pub(crate) const CANARY: &str = "sk-canary-7c1e5b0f4d6a2938b7e1c0d5a4f6";

/// An environment with a key for each vendor and nothing else.
pub(crate) fn with_keys() -> Environment {
    Environment::from_pairs([("OPENAI_API_KEY", CANARY), ("ANTHROPIC_API_KEY", CANARY)])
}

/// The settings of a file beside an environment with keys.
pub(crate) fn file(text: &str) -> Result<Settings, Problems> {
    ambassador_config::from_text(text, &with_keys()).map(|loaded| loaded.settings)
}

/// The settings of an environment.
pub(crate) fn variables<const N: usize>(pairs: [(&str, &str); N]) -> Result<Settings, Problems> {
    ambassador_config::load(&Environment::from_pairs(pairs)).map(|loaded| loaded.settings)
}

/// The problems as they are shown, one a line; none of them tells a key.
pub(crate) fn told(settings: Result<Settings, Problems>) -> Vec<String> {
    let problems = settings.err().unwrap_or_default();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(!format!("{lines:?} {problems} {problems:?}").contains(CANARY), "{problems}");
    lines
}

/// A file with two providers; `rest` has its routes and whatever else.
pub(crate) fn with_providers(rest: &str) -> String {
    format!(
        "providers:\n  openai: {{ kind: openai, keys: [ {{ env: OPENAI_API_KEY }} ] }}\n  \
         vllm: {{ kind: openai-compatible, base_url: http://vllm:8000/v1 }}\n{rest}"
    )
}
