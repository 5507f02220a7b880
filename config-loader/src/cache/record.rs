//! What is kept: a value, and its bytes.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    manifest::sha256,
    settings::Identity,
    source::{Content, Fetched},
};

/// The shape that this program writes and reads.
const VERSION: u32 = 1;

/// What the sources of a set gave when all of it was good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// When that was, since 1970, in whole seconds.
    pub saved: Duration,
    /// What each gave.
    pub sources: BTreeMap<Identity, Fetched>,
}

#[derive(Serialize, Deserialize)]
struct Shape {
    version: u32,
    saved: u64,
    sources: BTreeMap<Identity, Source>,
}

#[derive(Serialize, Deserialize)]
struct Source {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolved: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// Whether it is a directory; then the files have names.
    directory: bool,
    files: Vec<File>,
}

#[derive(Serialize, Deserialize)]
struct File {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    /// Against a disk that forgets, not against anybody: who can write here can write this, too.
    sha256: String,
    base64: String,
}

impl Record {
    /// Its bytes.
    ///
    /// # Errors
    /// None that a record can cause; serde's are passed on.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let sources = self.sources.iter().map(|(identity, fetched)| (identity.clone(), store(fetched))).collect();
        serde_json::to_vec(&Shape { version: VERSION, saved: self.saved.as_secs(), sources })
    }

    /// The record that these bytes are.
    ///
    /// # Errors
    /// What is wrong with them: cut off, of another version, changed since.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let Shape { version, saved, sources } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if version != VERSION {
            return Err(format!("version {version} where {VERSION} is due"));
        }
        let sources = sources.into_iter().map(|(identity, source)| Ok((identity, load(source)?)));
        Ok(Self { saved: Duration::from_secs(saved), sources: sources.collect::<Result<_, String>>()? })
    }
}

fn store(fetched: &Fetched) -> Source {
    let file = |name: &str, bytes: &Bytes| File {
        name: name.to_owned(),
        sha256: sha256(bytes),
        base64: STANDARD.encode(bytes),
    };
    let (directory, files) = match &fetched.content {
        Content::File(bytes) => (false, vec![file("", bytes)]),
        Content::Directory(files) => (true, files.iter().map(|(name, bytes)| file(name, bytes)).collect()),
    };
    let Fetched { content: _, version, resolved, media_type } = fetched.clone();
    Source { version, resolved, media_type, directory, files }
}

fn load(source: Source) -> Result<Fetched, String> {
    let Source { version, resolved, media_type, directory, files } = source;
    let mut files = files
        .into_iter()
        .map(|File { name, sha256: expected, base64 }| {
            let bytes = STANDARD.decode(base64).map_err(|error| error.to_string())?;
            if sha256(&bytes) == expected {
                Ok((name, bytes.into()))
            } else {
                Err("a file has changed since".to_owned())
            }
        })
        .collect::<Result<Vec<(String, Bytes)>, String>>()?;
    let content = match (directory, files.len()) {
        (true, _) => Content::Directory(files),
        (false, 1) => Content::File(files.remove(0).1),
        (false, count) => return Err(format!("{count} files where one is due")),
    };
    Ok(Fetched { content, version, resolved, media_type })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Spec;
    use proptest::prelude::*;

    fn fetched() -> impl Strategy<Value = Fetched> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
        let content = prop_oneof![
            bytes().prop_map(Content::File),
            prop::collection::vec(("[a-z/]{1,9}", bytes()), 0..4).prop_map(Content::Directory),
        ];
        let text = || prop::option::of("\\PC{0,9}");
        (content, text(), text(), text()).prop_map(|(content, version, resolved, media_type)| Fetched {
            content,
            version,
            resolved,
            media_type,
        })
    }

    fn record() -> impl Strategy<Value = Record> {
        let sources = prop::collection::vec(fetched(), 0..4);
        (0..u64::from(u32::MAX), sources).prop_map(|(saved, sources)| Record {
            saved: Duration::from_secs(saved),
            sources: sources
                .into_iter()
                .zip(0..)
                .map(|(fetched, number)| (Spec::Inline(format!("{number}")).identity(), fetched))
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn what_is_kept_comes_back(record in record()) {
            prop_assert_eq!(Record::from_bytes(&record.to_bytes().unwrap()).unwrap(), record);
        }

        #[test]
        fn what_is_cut_off_is_told(record in record(), at: prop::sample::Index) {
            let bytes = record.to_bytes().unwrap();
            let at = at.index(bytes.len());
            prop_assert!(Record::from_bytes(&bytes[..at]).is_err());
        }
    }

    #[test]
    fn what_a_disk_has_changed_is_told() {
        let fetched = Fetched {
            content: Content::File(Bytes::from_static(b"You are kind.")),
            version: None,
            resolved: None,
            media_type: None,
        };
        let sources = [(Spec::File("/a".into()).identity(), fetched)].into();
        let text = String::from_utf8(Record { saved: Duration::ZERO, sources }.to_bytes().unwrap()).unwrap();
        let other = STANDARD.encode("You are king.");
        let changed = text.replace(&STANDARD.encode("You are kind."), &other);
        assert!(changed.contains(&other));
        assert_eq!(Record::from_bytes(changed.as_bytes()).unwrap_err(), "a file has changed since");
        let later = text.replace("\"version\":1", "\"version\":2");
        assert_eq!(Record::from_bytes(later.as_bytes()).unwrap_err(), "version 2 where 1 is due");
    }
}
