//! Objects that are read from objects alone.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// Reads an object, or nothing: serde would take a list of its fields' values for one as well.
///
/// # Errors
/// It is something else.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let given = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(given.map(|Object(value)| value))
}

/// What is read from an object alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Pair {
        one: u8,
    }

    #[test]
    fn a_list_is_no_object() {
        assert_eq!(serde_json::from_str::<Object<Pair>>(r#"{"one": 1}"#).unwrap(), Object(Pair { one: 1 }));
        assert!(serde_json::from_str::<Pair>("[1]").is_ok() && serde_json::from_str::<Object<Pair>>("[1]").is_err());
        assert_eq!(object::<_, Pair>(serde_json::Value::Null).unwrap(), None);
    }
}
