//! Numbers that carry their unit, so that `timeout: 30` cannot mean two things.
//!
//! Both types are written in a file the way they are printed here, and say what they wanted when
//! they are given something else.

mod size;
mod span;

pub use size::Size;
pub use span::Span;

use crate::excerpt::excerpt;

/// Why a text is not a [`Span`] or a [`Size`]. A long text is not quoted whole, in case a
/// credential was pasted into the wrong field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {wanted}: {why}")]
pub struct UnitError {
    given: String,
    wanted: &'static str,
    why: &'static str,
}

impl UnitError {
    fn new(given: &str, wanted: &'static str, why: &'static str) -> Self {
        Self { given: excerpt(given), wanted, why }
    }
}

/// Splits `90s` into `90` and `s`.
fn split(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(digits)
}
