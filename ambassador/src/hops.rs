//! How many ambassadors a request has come through. One whose provider is itself, or another that leads back to it,
//! would ask itself until all slots are taken.

use http::{HeaderMap, HeaderName, StatusCode};

use crate::failure::Failure;

/// Tells the next ambassador, if the provider is one.
const HOPS: HeaderName = HeaderName::from_static("x-ambassador-hops");

/// More than anyone puts in a row on purpose.
const MAX: u16 = 8;

/// The ambassadors before this one.
pub(crate) fn before(headers: &HeaderMap) -> u16 {
    headers.get(&HOPS).and_then(|hops| hops.to_str().ok()?.parse().ok()).unwrap_or_default()
}

/// What is said to a request that has come through so many ambassadors that they must be going in circles.
pub(crate) fn circle(before: u16) -> Option<Failure> {
    if before < MAX {
        return None;
    }
    let message = format!(
        "The request has come through {before} ambassadors: they lead in a circle. Look for a base_url that points back \
         at one of them."
    );
    Some(Failure::new(StatusCode::LOOP_DETECTED, "server_error", message).with_code("loop_detected"))
}

/// Tells the provider that there is one more than `before`.
pub(crate) fn tell(before: u16, headers: &mut HeaderMap) {
    headers.insert(HOPS, before.saturating_add(1).into());
}
