//! A request's top-level fields as the caller wrote them.
//!
//! Where both sides speak the same dialect, the caller's bytes are the best translation there is: fields that this
//! program has never heard of survive. So the body is read only one level deep, and changed only where it must be.

use std::{borrow::Cow, fmt};

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use super::reason::TOO_MANY_FIELDS;

/// More fields than any API has; each is looked for among the others.
const MAX_FIELDS: usize = 512;

/// The top-level fields of a JSON object, in order, their values unread.
pub struct Envelope<'a> {
    original: &'a Bytes,
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// A name came twice. Readers disagree on which one counts, so what is sent on must not say it twice.
    repeated: bool,
}

impl<'a> Envelope<'a> {
    /// Reads `body` one level deep. A name that comes twice counts by its last value, as most servers read it.
    ///
    /// # Errors
    /// When it is not one JSON object.
    pub fn parse(body: &'a Bytes) -> Result<Self, serde_json::Error> {
        let Fields { fields, repeated } = serde_json::from_slice(body)?;
        Ok(Self { original: body, fields, repeated })
    }

    /// The value of a field, as JSON text; `null` counts as absent, as it does in the API.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.get())
            .filter(|value| *value != "null")
    }

    /// All fields in order: name and JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), value.get()))
    }

    /// The body as it came.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.original.clone()
    }

    /// The body with `edits` made and all else as it came.
    #[must_use]
    pub fn edited(&self, edits: &[Edit<'_>]) -> Bytes {
        if edits.is_empty() && !self.repeated {
            return self.to_bytes();
        }
        let mut out = BytesMut::with_capacity(self.original.len() + 64);
        for (name, value) in &self.fields {
            let (name, value) = match edits.iter().find(|edit| edit.field() == name) {
                None => (name.as_ref(), value.get()),
                Some(Edit::Set(_, json)) => (name.as_ref(), json.as_ref()),
                Some(Edit::Rename(_, to)) => (*to, value.get()),
            };
            append(&mut out, name, value);
        }
        for edit in edits {
            if let Edit::Set(name, json) = edit
                && !self.fields.iter().any(|(field, _)| field == name)
            {
                append(&mut out, name, json);
            }
        }
        if out.is_empty() {
            out.put_u8(b'{');
        }
        out.put_u8(b'}');
        out.freeze()
    }
}

/// Shows which fields there are, and nothing of them.
impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("fields", &self.fields.len()).finish_non_exhaustive()
    }
}

fn append(out: &mut BytesMut, name: &str, value: &str) {
    out.put_u8(if out.is_empty() { b'{' } else { b',' });
    out.put_slice(json_string(name).as_bytes());
    out.put_u8(b':');
    out.put_slice(value.as_bytes());
}

/// `text` as a JSON string.
#[must_use]
pub fn json_string(text: &str) -> String {
    // Serialising a str cannot fail; an empty string is what a reader would make of nothing.
    serde_json::to_string(text).unwrap_or_else(|_| String::from("\"\""))
}

/// One change to a top-level field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit<'e> {
    /// This field has this value (JSON text), whether it was there or not.
    Set(&'static str, Cow<'e, str>),
    /// The field of the first name is called by the second.
    Rename(&'static str, &'static str),
}

impl Edit<'_> {
    fn field(&self) -> &'static str {
        match self {
            Self::Set(name, _) | Self::Rename(name, _) => name,
        }
    }
}

struct Fields<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
    repeated: bool,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> de::Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(12);
        let mut repeated = false;
        while let Some(Name(name)) = map.next_key()? {
            let value = map.next_value()?;
            if let Some(known) = fields.iter_mut().find(|(known, _)| *known == name) {
                known.1 = value;
                repeated = true;
            } else if fields.len() < MAX_FIELDS {
                fields.push((name, value));
            } else {
                return Err(de::Error::custom(TOO_MANY_FIELDS));
            }
        }
        Ok(Fields { fields, repeated })
    }
}

/// A key, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    fn edited(text: &str, edits: &[Edit<'_>]) -> String {
        let body = Bytes::from(text.to_owned());
        let edited = Envelope::parse(&body).unwrap().edited(edits);
        String::from_utf8(edited.to_vec()).unwrap()
    }

    #[test]
    fn what_is_not_edited_stays_to_the_byte() {
        let text = r#"{ "model" : "a", "x":1.0e2, "é\n":{"deep": [ 1 ]} }"#;
        assert_eq!(edited(text, &[]), text);
        let set = Edit::Set("model", r#""b""#.into());
        assert_eq!(edited(text, &[set]), r#"{"model":"b","x":1.0e2,"é\n":{"deep": [ 1 ]}}"#);
    }

    #[test]
    fn fields_are_added_renamed_and_never_said_twice() {
        let add = Edit::Set("stream_options", "{}".into());
        assert_eq!(edited(r#"{"a":1,"a":2}"#, std::slice::from_ref(&add)), r#"{"a":2,"stream_options":{}}"#);
        assert_eq!(edited(r#"{"a":1,"a":2}"#, &[]), r#"{"a":2}"#);
        assert_eq!(edited("{}", &[add]), r#"{"stream_options":{}}"#);
        assert_eq!(edited(r#"{"max_tokens":5}"#, &[Edit::Rename("max_tokens", "other")]), r#"{"other":5}"#);
    }

    #[test]
    fn only_one_object_is_a_request() {
        for text in ["", "[]", "1", "{} {}", "{\"a\":}", "{\"a\":1", "null", "\u{feff}{}"] {
            assert!(Envelope::parse(&Bytes::from(text.to_owned())).is_err(), "{text}");
        }
    }

    #[test]
    fn a_flood_of_fields_is_refused() {
        let body = |fields: usize| {
            let fields: Vec<String> = (0..fields).map(|i| format!("\"{i}\":0")).collect();
            Bytes::from(format!("{{{}}}", fields.join(",")))
        };
        assert!(Envelope::parse(&body(MAX_FIELDS)).is_ok());
        let told = crate::wire::reason::reason(&Envelope::parse(&body(MAX_FIELDS + 1)).unwrap_err());
        assert!(told.starts_with(TOO_MANY_FIELDS), "{told}");
    }

    proptest! {
        #[test]
        fn an_edit_changes_that_field_and_no_other(
            fields in proptest::collection::btree_map("[a-zé\"\\\\]{0,6}", any::<i64>(), 0..8),
            model in "\\PC*",
        ) {
            let object: Map<String, Value> = fields.into_iter().map(|(name, n)| (name, json!({"n": n}))).collect();
            let text = serde_json::to_string(&object).unwrap();
            let got: Map<String, Value> =
                serde_json::from_str(&edited(&text, &[Edit::Set("model", json_string(&model).into())])).unwrap();
            let mut want = object;
            want.insert("model".into(), model.into());
            prop_assert_eq!(got, want);
        }
    }
}
