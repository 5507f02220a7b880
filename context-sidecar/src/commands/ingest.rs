//! `ingest DIR`: the files of a directory, a batch at a time.

use std::time::Duration;

use chassis::{config::Environment, exit::Code, output};
use context_core::document::Document;
use context_sidecar::files::{self, Format, Found, Placed, Unreadable};
use http::Method;
use serde_json::{Value, json};

use super::{
    Stopped,
    prune::{self, Ids},
    service::{Service, Wait},
    shown::Shown,
    tally::{self, Tally},
    with,
};
use crate::cli::Ingest;

/// The most documents of a request.
const ITEMS: usize = 128;

/// The most bytes of text of a request; one document may have more.
const BYTES: usize = 4 << 20;

/// The largest file, or line: no sidecar takes larger documents unless it was told to.
const LARGEST: u64 = 16 << 20;

/// How long what is busy or down for a moment is asked again.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// Puts the files of a directory in, and says what became of them.
pub(crate) fn ingest(environment: &Environment, asked: &Ingest) -> Code {
    let path = &asked.path;
    let shown = Shown::new(asked.quiet);
    if !path.exists() {
        shown.complain(&format!("{}: there is no such file or directory", path.display()));
        return Code::Usage;
    }
    let prefix = asked.prefix.as_deref().map(|prefix| prefix.trim_matches('/'));
    if prefix.is_some_and(str::is_empty) {
        shown.complain("--prefix: is empty: name what the ids of these documents begin with");
        return Code::Usage;
    }
    if asked.prune && !path.is_dir() {
        shown.complain("--prune: removes what is no longer in a directory, and this is a file");
        return Code::Usage;
    }
    let listing = files::list(path);
    if listing.files.is_empty() && listing.unreadable.is_empty() {
        let tally = Tally { left_out: listing.left_out, ..Tally::default() };
        let left_out = tally.left_out().map(|left_out| format!("\n{left_out}")).unwrap_or_default();
        let message = format!(
            "{}: there is no text (.txt), Markdown (.md), HTML (.html) or JSON Lines (.jsonl) file in it{left_out}",
            path.display()
        );
        let stopped = Stopped::new(Code::NoInput, message);
        shown.complain(&stopped.message);
        if asked.json {
            output::line(tally.json(Some(&stopped)));
        }
        return stopped.code;
    }
    let environment = asked.into.over(environment);
    let collection = asked.into.collection(&environment);
    let mut tally =
        Tally { files: listing.files.len(), left_out: listing.left_out, is_dry: asked.dry_run, ..Tally::default() };
    let mut is_known = true;
    for Unreadable { place, message } in &listing.unreadable {
        // What would have been in there is not known.
        is_known = false;
        shown.complain(&format!("{place}: {message}"));
        tally.fail(place, message);
    }
    with(&environment, &shown, |service| async {
        let mut batches = Batches {
            service,
            collection,
            prefix: prefix.map(str::to_owned),
            shown: &shown,
            waiting: Vec::new(),
            bytes: 0,
            seen: Ids::default(),
            is_known,
            tally,
        };
        let done = tokio::select! {
            done = batches.all(&listing.files, asked.prune) => done,
            _ = tokio::signal::ctrl_c() => Err(Stopped::new(Code::Interrupted, "interrupted")),
        };
        shown.end();
        let tally = &batches.tally;
        let done = done.map_err(|stopped| advised(stopped, tally));
        if asked.json {
            output::line(tally.json(done.as_ref().err()));
        } else if !asked.quiet && done.is_ok() {
            output::line(tally.told());
        }
        done?;
        Ok(if tally.failed == 0 && tally.not_pruned.is_none() { Code::Ok } else { Code::Data })
    })
}

/// Why it was stopped, what is in, and whether it helps to run it again.
fn advised(stopped: Stopped, tally: &Tally) -> Stopped {
    let done = tally.created + tally.replaced + tally.unchanged;
    let again = matches!(stopped.code, Code::Unavailable | Code::Deadline | Code::Interrupted);
    let next = if again { "run it again to go on, only what is missing is embedded" } else { "mend that first" };
    let message = format!("{}\n{done} documents are in and stay in: {next}", stopped.message);
    Stopped { message, ..stopped }
}

/// What is on its way.
struct Batches<'s> {
    service: Service,
    collection: Option<String>,
    prefix: Option<String>,
    shown: &'s Shown,
    waiting: Vec<Placed>,
    bytes: usize,
    /// The ids that there were.
    seen: Ids,
    /// Whether these are the ids of all that is in the directory.
    is_known: bool,
    tally: Tally,
}

impl Batches<'_> {
    async fn all(&mut self, found: &[Found], prune: bool) -> Result<(), Stopped> {
        self.shown.begin(found.iter().map(|file| file.bytes).sum());
        let mut done = 0;
        for file in found {
            self.shown.progress(done, &file.name);
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
                    Ok(document) => self.add(document).await?,
                    Err(Unreadable { place, message }) => {
                        // Of a line that cannot be read the id is not known; a file's is its name.
                        self.is_known &= file.format != Format::JsonLines;
                        self.seen.add(&self.id(&file.name));
                        self.fail(&place, &message);
                    }
                }
            }
            if reading.await.is_err() {
                self.is_known = false;
                self.fail(&file.name, "cannot be read: that is a bug, and no fault of the file's");
            }
            done += file.bytes;
        }
        self.send().await?;
        match (prune, self.prefix.clone()) {
            (true, Some(prefix)) => self.prune(&prefix).await,
            _ => Ok(()),
        }
    }

    fn fail(&mut self, place: &str, message: &str) {
        self.shown.complain(&format!("{place}: {message}"));
        self.tally.fail(place, message);
    }

    fn id(&self, name: &str) -> String {
        self.prefix.as_ref().map_or_else(|| name.to_owned(), |prefix| format!("{prefix}/{name}"))
    }

    async fn add(&mut self, mut placed: Placed) -> Result<(), Stopped> {
        let document = &mut placed.document;
        document.id = self.id(&document.id);
        if !self.seen.add(&document.id) {
            let message = format!("has the id of one before it ({}): give it another one", document.id);
            self.fail(&placed.place, &message);
            return Ok(());
        }
        if self.tally.is_dry {
            self.tally.would += 1;
            return Ok(());
        }
        let bytes = document.text.len();
        if self.waiting.len() >= ITEMS || (self.bytes + bytes > BYTES && !self.waiting.is_empty()) {
            self.send().await?;
        }
        self.bytes += bytes;
        self.waiting.push(placed);
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
                        Err(stopped) if stopped.too_large => self.fail(&document.place, &stopped.message),
                        done => done?,
                    }
                }
                Ok(())
            }
            done => done,
        }
    }

    /// Puts documents in, and again those that failed for something that passes.
    async fn put(&mut self, documents: &[Placed]) -> Result<(), Stopped> {
        let mut wait = Wait::within(PATIENCE);
        let mut left: Vec<&Placed> = documents.iter().collect();
        loop {
            let given: Vec<&Document> = left.iter().map(|placed| &placed.document).collect();
            let mut body = json!({"documents": given});
            if let (Some(collection), Value::Object(fields)) = (&self.collection, &mut body) {
                fields.insert("collection".to_owned(), json!(collection));
            }
            let answer = self.service.ask(Method::PUT, "/v1/documents", &body, PATIENCE, self.shown).await?;
            let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
            self.tally.created += count("created");
            self.tally.unchanged += count("unchanged");
            self.tally.replaced += count("replaced");
            let results = answer.get("results").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let (mut again, mut why) = (Vec::new(), String::new());
            for (placed, result) in left.into_iter().zip(results) {
                let said = |field: &str| result.get(field).and_then(Value::as_str);
                match (said("message"), said("type")) {
                    (None, _) => {}
                    (Some(message), Some("unavailable_error" | "timeout_error" | "rate_limit_error")) => {
                        again.push(placed);
                        message.clone_into(&mut why);
                    }
                    (Some(message), _) => self.fail(&placed.place, message),
                }
            }
            if again.is_empty() {
                return Ok(());
            }
            if !wait.a_little(None, &why, self.shown).await {
                return Err(Stopped::new(Code::Unavailable, why));
            }
            left = again;
        }
    }

    /// Removes what is below the prefix and no longer in the directory; says first what that is.
    async fn prune(&mut self, prefix: &str) -> Result<(), Stopped> {
        if !self.is_known {
            self.tally.not_pruned =
                Some("what could not be read may be what is in there still; mend it, and run it again");
            return Ok(());
        }
        let collection = self.collection.as_deref();
        let gone = prune::gone(&self.service, collection, prefix, &self.seen, self.shown).await?;
        if gone.is_empty() {
            return Ok(());
        }
        let (count, some) = (gone.len(), tally::some(&gone));
        let verb = if self.tally.is_dry { "would be removed" } else { "being removed" };
        self.shown.notice(&format!("no longer in the directory, {verb} ({count}):\n{some}"));
        if !self.tally.is_dry {
            prune::remove(&self.service, collection, &gone, self.shown).await?;
        }
        self.tally.removed = gone;
        Ok(())
    }
}
