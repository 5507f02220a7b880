//! What was received and what became of it, for whoever wants to know afterwards.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use super::request::Request;

/// One request, as it came.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// Which connection it came on, from 1: tells whether connections are kept.
    pub connection: usize,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The key it came with, from either header.
    pub key: String,
    /// The answer was sent in full, or the failure that was asked for was carried out.
    pub finished: bool,
    /// The caller went away before that; after how long.
    pub gone_after_ms: Option<u128>,
    /// When each piece of a stream's content was written.
    #[serde(skip)]
    pub contents: Vec<Instant>,
    #[serde(skip)]
    since: Instant,
}

impl Seen {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<Seen>>>);

impl Journal {
    pub(super) fn open(&self, connection: usize, request: &Request) -> Entry {
        let seen = Seen {
            connection,
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
            key: request.key().to_owned(),
            finished: false,
            gone_after_ms: None,
            contents: Vec::new(),
            since: Instant::now(),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(seen);
        Entry { journal: self.clone(), index: all.len() - 1 }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The line of one request, written as it is served.
pub(super) struct Entry {
    journal: Journal,
    index: usize,
}

impl Entry {
    fn write(&self, change: impl FnOnce(&mut Seen)) {
        let mut all = self.journal.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = all.get_mut(self.index) {
            change(seen);
        }
    }

    pub(super) fn content(&self) {
        self.write(|seen| seen.contents.push(Instant::now()));
    }

    pub(super) fn finished(&self) {
        self.write(|seen| seen.finished = true);
    }

    pub(super) fn gone(&self) {
        self.write(|seen| seen.gone_after_ms = Some(seen.since.elapsed().as_millis()));
    }
}
