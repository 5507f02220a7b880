//! A length of time in a configuration file: `500ms`, `5s`, `2m`, `1h`, `30d`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::{UnitError, split};

/// Units from the largest to the smallest, each in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const WANTED: &str = "duration";

/// A length of time, in whole milliseconds.
///
/// It is written as a whole number and a unit: `500ms`, `5s`, `2m` or `1h`. Zero is a valid span;
/// whether it makes sense is for the owner of the field to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// A span of so many milliseconds.
    #[must_use]
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// A span of so many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The same length as the standard library's type.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Whether this is no time at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = |why| UnitError::new(text, WANTED, why);
        let (digits, unit) = split(text.trim());
        if digits.is_empty() {
            return Err(refuse("write a whole number and a unit, such as `500ms`, `5s`, `2m` or `1h`"));
        }
        if unit.is_empty() {
            return Err(refuse("the unit is missing; write `ms`, `s`, `m`, `h` or `d` after the number"));
        }
        if unit.starts_with('.') {
            return Err(refuse("fractions are not allowed; use a smaller unit, `1500ms` for 1.5 seconds"));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(refuse("the unit is one of `ms`, `s`, `m`, `h` and `d`"));
        };
        digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*scale))
            .map(Self::millis)
            .ok_or_else(|| refuse("that is longer than the age of the universe"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in UNITS {
            if millis.is_multiple_of(u128::from(scale)) {
                return write!(f, "{}{unit}", millis / u128::from(scale));
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, such as `500ms`, `5s`, `2m` or `1h`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration: a whole number and a unit, such as 500ms, 5s, 2m or 1h.",
            "pattern": "^[0-9]+(ms|s|m|h|d)$",
            "examples": ["500ms", "5s", "2m", "1h"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_unit() {
        let read = |text: &str| text.parse::<Span>().map(Span::duration);
        assert_eq!(read("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(read("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(read("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(read("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(read("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(read("0s"), Ok(Duration::ZERO));
        assert_eq!(read(" 5s "), Ok(Duration::from_secs(5)));
    }

    #[test]
    fn says_what_it_wanted() {
        let refusal = |text: &str| text.parse::<Span>().unwrap_err().to_string();
        assert!(refusal("30").contains("the unit is missing"));
        assert!(refusal("1.5s").contains("`1500ms`"));
        assert!(refusal("5 s").contains("the unit is one of"));
        assert!(refusal("5min").contains("the unit is one of"));
        assert!(refusal("").contains("such as"));
        assert!(refusal("-1s").contains("such as"));
        assert!(refusal("99999999999999999999h").contains("longer"));
    }

    #[test]
    fn a_pasted_credential_is_not_quoted() {
        let pasted = "k".repeat(164);
        let refusal = pasted.parse::<Span>().unwrap_err().to_string();
        assert!(!refusal.contains(&pasted[..7]));
    }

    #[test]
    fn a_bare_number_is_refused_with_examples() {
        let refusal = serde_json::from_str::<Span>("30").unwrap_err().to_string();
        assert!(refusal.contains("500ms"), "{refusal}");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(millis in any::<u64>()) {
            let span = Span::millis(millis);
            prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
            let json = serde_json::to_string(&span).unwrap();
            prop_assert_eq!(serde_json::from_str::<Span>(&json).unwrap(), span);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = text.parse::<Span>();
        }
    }
}
