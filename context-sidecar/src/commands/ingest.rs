//! `ingest DIR`: the files of a directory, a batch at a time.

use std::{io::IsTerminal as _, path::Path};

use chassis::{config::Environment, exit::Code, output};
use context_core::document::Document;
use context_sidecar::files::{self, Unreadable};
use http::Method;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::{Stopped, service::Service, with};
use crate::cli::Into;

/// The most documents of a request.
const ITEMS: usize = 128;

/// The most bytes of text of a request; one document may have more.
const BYTES: usize = 4 << 20;

/// The largest file, or line: no sidecar takes larger documents unless it was told to.
const LARGEST: u64 = 16 << 20;

/// Puts the files of a directory in, and says what became of them.
pub(crate) fn ingest(environment: &Environment, path: &Path, into: &Into) -> Code {
    if !path.exists() {
        output::complain(format!("{}: there is no such file or directory", path.display()));
        return Code::Usage;
    }
    let collection = into.collection.clone().or_else(|| environment.get("CONTEXT_COLLECTION").map(str::to_owned));
    with(environment, |service| all(service, path, collection))
}

/// What became of all so far.
#[derive(Debug, Default)]
struct Tally {
    created: u64,
    unchanged: u64,
    replaced: u64,
    failed: Vec<String>,
}

struct Batches {
    service: Service,
    collection: Option<String>,
    bar: ProgressBar,
    waiting: Vec<Document>,
    bytes: usize,
    tally: Tally,
}

async fn all(service: Service, path: &Path, collection: Option<String>) -> Result<Code, Stopped> {
    let listing = files::list(path);
    let total = listing.files.iter().map(|file| file.bytes).sum();
    let mut tally = Tally::default();
    tally.failed.extend(listing.unreadable.iter().map(told));
    let mut batches = Batches { service, collection, bar: bar(total), waiting: Vec::new(), bytes: 0, tally };
    for file in &listing.files {
        batches.bar.set_message(file.name.clone());
        // What is read of a file is kept for a moment only: a file of lines may be larger than the memory.
        let (send, mut documents) = tokio::sync::mpsc::channel(ITEMS);
        let reading = {
            let file = file.clone();
            tokio::task::spawn_blocking(move || {
                let mut take = |document| send.blocking_send(document).map_err(drop);
                let _ended_early = files::read(&file, LARGEST, &mut take);
            })
        };
        while let Some(document) = documents.recv().await {
            match document {
                Ok(document) => batches.add(document).await?,
                Err(unreadable) => batches.tally.failed.push(told(&unreadable)),
            }
        }
        let _done = reading.await;
        batches.bar.inc(file.bytes);
    }
    batches.send().await?;
    batches.bar.finish_and_clear();
    let Tally { created, unchanged, replaced, failed } = batches.tally;
    for failure in &failed {
        output::complain(failure);
    }
    let skipped = match listing.skipped {
        0 => String::new(),
        skipped => format!(" ({skipped} files of other formats left out)"),
    };
    output::line(format!(
        "{} files: {created} documents created, {replaced} replaced, {unchanged} unchanged, {} failed{skipped}",
        listing.files.len(),
        failed.len(),
    ));
    Ok(if failed.is_empty() { Code::Ok } else { Code::Data })
}

impl Batches {
    async fn add(&mut self, document: Document) -> Result<(), Stopped> {
        if self.waiting.len() >= ITEMS || (self.bytes + document.text.len() > BYTES && !self.waiting.is_empty()) {
            self.send().await?;
        }
        self.bytes += document.text.len();
        self.waiting.push(document);
        Ok(())
    }

    /// Sends what waits; where that is too much at once, each by itself.
    async fn send(&mut self) -> Result<(), Stopped> {
        self.bytes = 0;
        let documents = std::mem::take(&mut self.waiting);
        if documents.is_empty() {
            return Ok(());
        }
        match self.put(&documents).await {
            Err(stopped) if stopped.too_large => {
                for document in documents {
                    match self.put(std::slice::from_ref(&document)).await {
                        Err(stopped) if stopped.too_large => {
                            self.tally.failed.push(format!("{}: {}", document.id, stopped.message));
                        }
                        done => done?,
                    }
                }
                Ok(())
            }
            done => done,
        }
    }

    async fn put(&mut self, documents: &[Document]) -> Result<(), Stopped> {
        let mut body = json!({"documents": documents});
        if let (Some(collection), Value::Object(fields)) = (&self.collection, &mut body) {
            fields.insert("collection".to_owned(), json!(collection));
        }
        let answer = self.service.ask(Method::PUT, "/v1/documents", &body).await.map_err(|stopped| {
            if stopped.too_large {
                return stopped;
            }
            self.bar.finish_and_clear();
            let message = format!("{}\nwhat is in stays in: run it again to go on", stopped.message);
            Stopped { message, ..stopped }
        })?;
        let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
        self.tally.created += count("created");
        self.tally.unchanged += count("unchanged");
        self.tally.replaced += count("replaced");
        let results = answer.get("results").and_then(Value::as_array);
        for result in results.into_iter().flatten() {
            if let Some(message) = result.get("message").and_then(Value::as_str) {
                let id = result.get("id").and_then(Value::as_str).unwrap_or("?");
                self.tally.failed.push(format!("{id}: {message}"));
            }
        }
        Ok(())
    }
}

fn told(unreadable: &Unreadable) -> String {
    format!("{}: {}", unreadable.place, unreadable.message)
}

/// A bar on a terminal, else nothing.
fn bar(total: u64) -> ProgressBar {
    let shown = std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {eta} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
