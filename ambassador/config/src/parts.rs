//! What a provider is made of, wherever it is configured.

use ambassador_core::route;
use std::path::Path;

use chassis::{
    config::Problems,
    excerpt::excerpt,
    secret::{self, Secret},
};

use crate::settings::Upstream;

/// The router's view of a provider.
pub(crate) fn routed(upstream: &Upstream, model: Option<String>) -> route::Upstream {
    route::Upstream { name: upstream.name.clone(), provider: upstream.provider, model }
}

/// Longer than any name that is meant, and shorter than a key that was pasted into the wrong place.
const MAX_NAME: usize = 31;

/// Whether a provider may be called so: a name that a variable, a label and a log line can carry.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// A key with a space or a line break in the middle is no key, wherever it comes from; it is found here, before every
/// request fails of it.
pub(crate) fn check_keys(keys: &[Secret], place: &str, problems: &mut Problems) {
    for key in keys.iter().filter(|key| !key.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
        problems.push_hint(
            place,
            format!(
                "the key with fingerprint {} has a space, a control or a non-ASCII character within it",
                key.fingerprint()
            ),
            "separate several keys by commas",
        );
    }
}

/// The variable that says `what` of the provider `name`: `my-vllm` and `BASE_URL` make `MY_VLLM_BASE_URL`.
pub(crate) fn variable(name: &str, what: &str) -> String {
    format!("{}_{what}", name.to_ascii_uppercase().replace('-', "_"))
}

/// What must be there, unless it is known to be wrong.
pub(crate) fn required<'v, T>(value: &'v Option<T>, place: &str, problems: &mut Problems) -> Option<&'v T> {
    if value.is_none() && !problems.pruned(place) {
        problems.push(place, "missing");
    }
    value.as_ref()
}

/// Keys separated by commas.
pub(crate) fn key_list(text: &str) -> Vec<Secret> {
    text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(|key| Secret::new(key.to_owned())).collect()
}

/// The keys of a file or a directory of files. What is no path at all may well be a key, and is not repeated.
pub(crate) fn key_file(path: &str) -> Result<Vec<Secret>, String> {
    if path.contains('/') {
        return secret::read_keys(Path::new(path)).map_err(|error| error.to_string());
    }
    Err(format!("`{}` is no absolute path of a file with keys", excerpt(path)))
}
