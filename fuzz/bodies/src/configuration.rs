//! Any bytes as the configuration file: valid settings, or problems that can be shown and tell no key.

use ambassador_core::provider::Operation;
use chassis::config::Environment;

/// The text of a key that no problem and no settings may show.
const CANARY: &str = "sk-canary-7c1e5b0f4d6a2938";

/// `data` is the file. What is not UTF-8 is no text and is refused when it is read.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let environment = Environment::from_pairs([("OPENAI_API_KEY", CANARY), ("ANTHROPIC_API_KEY", CANARY)]);
    // A text that holds the canary itself may be shown.
    let secret = !text.contains(CANARY);
    match ambassador_config::from_text(text, &environment) {
        Ok(loaded) => {
            assert!(!secret || !format!("{loaded:?}").contains(CANARY), "settings show a key");
            let settings = loaded.settings;
            assert!(!settings.upstreams.is_empty(), "settings without a provider");
            for (model, _) in settings.router.models() {
                // Some routes serve chat alone, but each of them leads somewhere.
                let plan = settings.router.plan(Operation::Chat, &model, 7).expect("a listed model has a way");
                assert!(!plan.candidates.is_empty());
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            assert!(!secret || !format!("{problems} {problems:?}").contains(CANARY), "problems show a key");
        }
    }
}
