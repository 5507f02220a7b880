//! An amount of memory in a configuration file: `64KiB`, `32MiB`, `1GiB`, or plain bytes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use super::{UnitError, split};

/// Units from the largest to the smallest, each in bytes.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

const WANTED: &str = "size";

/// An amount of memory or of data, in bytes.
///
/// It is written as a whole number with a binary unit (`64KiB`, `32MiB`, `1GiB`), or as a plain
/// number of bytes. Decimal units (`MB`) are refused, because half of their readers mean `MiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory; `usize::MAX` where the machine cannot hold it.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = |why| UnitError::new(text, WANTED, why);
        let (digits, unit) = split(text.trim());
        if digits.is_empty() {
            return Err(refuse("write a number of bytes, or a whole number and `KiB`, `MiB` or `GiB`"));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(refuse("the unit is one of `KiB`, `MiB` and `GiB`, or none for bytes"));
        };
        digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*scale))
            .map(Self)
            .ok_or_else(|| refuse("that is more than 16 EiB"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0");
        }
        for (unit, scale) in UNITS {
            if self.0.is_multiple_of(scale) {
                return write!(f, "{}{unit}", self.0 / scale);
            }
        }
        Ok(())
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrBytes;

        impl Visitor<'_> for TextOrBytes {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as `64KiB`, `32MiB` or `1GiB`, or a number of bytes")
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes).map(Size).map_err(|_| E::invalid_value(Unexpected::Signed(bytes), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(TextOrBytes)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A size: a whole number with KiB, MiB or GiB, or a plain number of bytes.",
            "oneOf": [
                { "type": "string", "pattern": "^[0-9]+(KiB|MiB|GiB)?$" },
                { "type": "integer", "minimum": 0 },
            ],
            "examples": ["64KiB", "32MiB", "1GiB", 65536],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_unit_and_plain_bytes() {
        let read = |text: &str| text.parse::<Size>().map(Size::get);
        assert_eq!(read("64KiB"), Ok(65_536));
        assert_eq!(read("32MiB"), Ok(33_554_432));
        assert_eq!(read("1GiB"), Ok(1_073_741_824));
        assert_eq!(read("1000"), Ok(1000));
        assert_eq!(serde_json::from_str::<Size>("1000").unwrap(), Size::bytes(1000));
    }

    #[test]
    fn says_what_it_wanted() {
        let refusal = |text: &str| text.parse::<Size>().unwrap_err().to_string();
        assert!(refusal("32MB").contains("`KiB`, `MiB` and `GiB`"));
        assert!(refusal("lots").contains("a number of bytes"));
        assert!(refusal("99999999999GiB").contains("16 EiB"));
        assert!(serde_json::from_str::<Size>("-1").is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(bytes in any::<u64>()) {
            let size = Size::bytes(bytes);
            prop_assert_eq!(size.to_string().parse::<Size>(), Ok(size));
            let json = serde_json::to_string(&size).unwrap();
            prop_assert_eq!(serde_json::from_str::<Size>(&json).unwrap(), size);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = text.parse::<Size>();
        }
    }
}
