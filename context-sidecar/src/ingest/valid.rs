//! What no document may be, and what of its metadata is ours.

use std::collections::{BTreeMap, HashMap};

use context_core::document::{Document, Metadata};
use serde_json::Value;

use super::ItemFailure;
use crate::config::Field;

/// The longest id, in bytes.
pub(crate) const LONGEST_ID: usize = 512;
/// The longest title or address, in bytes. A title is indexed with every chunk.
const LONGEST_NAME: usize = 2_048;
/// Keys of metadata, at most.
const MOST_KEYS: usize = 64;
/// The longest key, in bytes.
const LONGEST_KEY: usize = 128;
/// Members of a list, at most.
const MOST_MEMBERS: usize = 256;
/// All of it, in bytes: it is kept with every chunk.
const METADATA_BYTES: usize = 16 << 10;

/// Says whose something is. Who reads it elsewhere must not find there what a user has written.
const RESERVED: [&str; 5] = ["tenant", "tenant_id", "x-tenant-id", "constructor", "prototype"];

/// Documents that can be put in, and what is wrong with the others. Of those with the same id it is the first.
pub(super) fn checked(
    documents: Vec<Result<Document, ItemFailure>>,
    most_bytes: usize,
    fields: Option<&BTreeMap<String, Field>>,
) -> Vec<Result<Document, ItemFailure>> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let check = |(index, document): (usize, Result<Document, ItemFailure>)| {
        let document = one(document?, most_bytes, fields)?;
        match seen.get(&document.id) {
            Some(first) => {
                let message = format!("documents[{first}] has the same id: put one of them in");
                Err(ItemFailure { id: Some(document.id), message })
            }
            None => {
                seen.insert(document.id.clone(), index);
                Ok(document)
            }
        }
    };
    documents.into_iter().enumerate().map(check).collect()
}

fn one(
    mut document: Document,
    most_bytes: usize,
    fields: Option<&BTreeMap<String, Field>>,
) -> Result<Document, ItemFailure> {
    if let Some(message) = bad_id(&document.id) {
        // It is shown to whoever gets the answer: not at any length.
        let id: String = document.id.chars().filter(|char| !char.is_control()).take(64).collect();
        return Err(ItemFailure { id: Some(id).filter(|id| !id.is_empty()), message });
    }
    let message = bad_text(&document, most_bytes).or_else(|| bad_metadata(&document.metadata));
    let message = message.or_else(|| fields.and_then(|fields| bad_fields(&document.metadata, fields)));
    if let Some(message) = message {
        return Err(ItemFailure { id: Some(document.id), message });
    }
    document.metadata.retain(|key, value| !is_reserved(key) && !value.is_null());
    document.title = document.title.filter(|title| !title.trim().is_empty());
    document.url = document.url.filter(|url| !url.trim().is_empty());
    Ok(document)
}

/// What is wrong with an id.
pub(crate) fn bad_id(id: &str) -> Option<String> {
    if id.trim().is_empty() {
        return Some("id: is empty".to_owned());
    }
    if id.len() > LONGEST_ID {
        return Some(format!("id: is longer than {LONGEST_ID} bytes"));
    }
    id.chars().any(char::is_control).then(|| "id: has a control character in it".to_owned())
}

fn bad_text(document: &Document, most_bytes: usize) -> Option<String> {
    let text = &document.text;
    if text.len() > most_bytes {
        let (mib, most) = (text.len() >> 20, most_bytes >> 20);
        return Some(format!("text: has {mib} MiB, and {most} MiB are possible: cut it into several documents"));
    }
    if text.trim().is_empty() {
        return Some("text: is empty".to_owned());
    }
    if let Some(at) = text.find('\0') {
        return Some(format!("text: has a NUL at byte {at}: it is binary, and not text"));
    }
    for (field, name) in [("title", &document.title), ("url", &document.url)] {
        let name = name.as_deref().unwrap_or_default();
        if name.len() > LONGEST_NAME {
            return Some(format!("{field}: is longer than {LONGEST_NAME} bytes"));
        }
        if name.contains('\0') {
            return Some(format!("{field}: has a NUL in it"));
        }
    }
    None
}

fn bad_metadata(metadata: &Metadata) -> Option<String> {
    if metadata.len() > MOST_KEYS {
        return Some(format!("metadata: has {} keys, and {MOST_KEYS} are possible", metadata.len()));
    }
    let mut bytes = 0;
    for (key, value) in metadata {
        if key.trim().is_empty() || key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
            return Some(format!(
                "metadata: a key is empty, longer than {LONGEST_KEY} bytes, or has a control character in it"
            ));
        }
        bytes += key.len() + bytes_of(value);
        let is_fine = match value {
            Value::Array(members) => members.len() <= MOST_MEMBERS && members.iter().all(is_scalar),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
            Value::Object(_) => false,
        };
        if !is_fine {
            return Some(format!(
                "metadata.{key}: must be a string, a number, a boolean or a list of up to {MOST_MEMBERS} of these"
            ));
        }
    }
    (bytes > METADATA_BYTES)
        .then(|| format!("metadata: has {bytes} bytes, and {METADATA_BYTES} are possible: it is kept with every chunk"))
}

/// What is declared to be of a kind, and is of another one: it would never be found by what it is filtered by.
fn bad_fields(metadata: &Metadata, fields: &BTreeMap<String, Field>) -> Option<String> {
    fields.iter().find_map(|(key, field)| {
        let fits = |value: &Value| match field {
            Field::Keyword => value.is_string(),
            Field::Number => value.is_number(),
            Field::Bool => value.is_boolean(),
        };
        let is_fine = match metadata.get(key)? {
            Value::Null => true,
            Value::Array(members) => members.iter().all(fits),
            value @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => fits(value),
        };
        let due = match field {
            Field::Keyword => "a string",
            Field::Number => "a number",
            Field::Bool => "true or false",
        };
        (!is_fine).then(|| format!("metadata.{key}: must be {due}, or a list of such: the collection declares it so"))
    })
}

const fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

fn bytes_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(members) => members.iter().map(bytes_of).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => 8,
    }
}

fn is_reserved(key: &str) -> bool {
    let key = key.trim().to_ascii_lowercase();
    key.starts_with('_') || RESERVED.contains(&key.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(id: &str, text: &str, metadata: Value) -> Result<Document, ItemFailure> {
        let Value::Object(metadata) = metadata else { unreachable!() };
        Ok(Document { id: id.to_owned(), title: None, text: text.to_owned(), url: None, metadata })
    }

    #[test]
    fn what_is_wrong_is_said_of_each() {
        let nested = (0..200).fold(json!(1), |inner, _| json!([inner]));
        let many: Metadata = (0..100).map(|key| (key.to_string(), json!(1))).collect();
        for (case, says) in [
            (document("", "t", json!({})), "id: is empty"),
            (document(&"x".repeat(513), "t", json!({})), "id: is longer"),
            (document("a\nb", "t", json!({})), "control character"),
            (document("a", " \n ", json!({})), "text: is empty"),
            (document("a", "t\0", json!({})), "NUL at byte 1"),
            (document("a", &"x".repeat(1 << 21), json!({})), "has 2 MiB, and 1 MiB are possible"),
            (document("a", "t", json!({"k": {"a": 1}})), "metadata.k: must be"),
            (document("a", "t", json!({"k": nested})), "metadata.k: must be"),
            (document("a", "t", json!({"k": [1, null]})), "metadata.k: must be"),
            (document("a", "t", json!({"": 1})), "metadata: a key is empty"),
            (document("a", "t", Value::Object(many)), "metadata: has 100 keys"),
            (document("a", "t", json!({"k": "x".repeat(20_000)})), "metadata: has 20001 bytes"),
        ] {
            let told = checked(vec![case], 1 << 20, None).remove(0).unwrap_err().message;
            assert!(told.contains(says), "`{told}` does not say `{says}`");
        }
    }

    #[test]
    fn of_two_with_one_id_it_is_the_first() {
        let given = ["a", "b", "a"].map(|id| document(id, "t", json!({})));
        let checked = checked(given.into(), 100, None);
        assert!(checked[0].is_ok() && checked[1].is_ok());
        assert!(checked[2].as_ref().unwrap_err().message.starts_with("documents[0] has the same id"));
    }

    #[test]
    fn what_says_whose_it_is_is_not_the_users_to_say() {
        let about = json!({"tenant": "b", "Tenant_ID": "b", "_seq": 1, "__proto__": 1, "lang": "en", "gone": null, "tags": ["a", 1, true]});
        let kept = checked(vec![document("a", "t", about)], 100, None).remove(0).unwrap().metadata;
        assert_eq!(Value::Object(kept), json!({"lang": "en", "tags": ["a", 1, true]}));
    }

    #[test]
    fn what_is_declared_has_to_be_so() {
        let fields = [("year", Field::Number), ("lang", Field::Keyword), ("draft", Field::Bool)];
        let fields = fields.map(|(key, field)| (key.to_owned(), field)).into();
        for (metadata, says) in [
            (json!({"year": "2020"}), "metadata.year: must be a number"),
            (json!({"year": [2020, "x"]}), "metadata.year: must be a number"),
            (json!({"lang": 7}), "metadata.lang: must be a string"),
            (json!({"draft": "true"}), "metadata.draft: must be true or false"),
        ] {
            let failure = checked(vec![document("a", "t", metadata)], 100, Some(&fields)).remove(0).unwrap_err();
            assert!(failure.id.as_deref() == Some("a") && failure.message.starts_with(says), "{failure:?}");
        }
        let fine = json!({"year": [2020, 1.5], "lang": "en", "draft": null, "other": 7});
        assert!(checked(vec![document("a", "t", fine)], 100, Some(&fields)).remove(0).is_ok());
    }
}
