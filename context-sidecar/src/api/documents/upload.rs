//! Files that are sent as they are: text, Markdown, HTML and JSON Lines, by their content type.

use std::{convert::Infallible, io::Cursor, sync::Arc};

use context_core::document::Document;
use http::header::CONTENT_TYPE;

use crate::{
    api::{App, Asked, route::Parameter},
    failure::{Failure, Kind},
    files::{self, Format, Placed, Unreadable},
    ingest::ItemFailure,
};

/// What is taken as a file, as the OpenAPI document tells it.
pub(in crate::api) const TYPES: [&str; 4] = ["text/plain", "text/markdown", "text/html", "application/x-ndjson"];

/// What stands behind the `?`, and goes with a file alone.
pub(super) const QUERY: &[Parameter] = &[
    Parameter::text("collection", "Of a file: into which collection. Default: that of the configuration."),
    Parameter::text("id", "Of a file: its document's id. Of JSON Lines: what lines without an id are named after."),
    Parameter::text("title", "Of a file: its title. Default: what it says itself."),
    Parameter::text("url", "Of a file: where people find it."),
    Parameter::up_to(LONGEST, "ttl_seconds", "Of a file: it is gone after so many seconds. Default: it stays."),
];

/// The longest time to live, in seconds: a hundred years.
const LONGEST: usize = 100 * 365 * 24 * 60 * 60;

/// What is never text.
const OTHERS: [&str; 7] =
    ["multipart/", "image/", "audio/", "video/", "application/pdf", "application/zip", "application/vnd."];

/// The documents of a file, if a file was sent; with what is wrong with the others.
pub(super) struct Upload {
    pub(super) documents: Vec<Result<Document, ItemFailure>>,
    pub(super) ttl_seconds: Option<u64>,
}

/// What was sent, where it is a file.
///
/// # Errors
/// It is a file that nobody reads, or says not which document it is.
pub(super) async fn given(app: &Arc<App>, asked: &Asked) -> Result<Option<Upload>, Failure> {
    let given = asked.parts.headers.get(CONTENT_TYPE).and_then(|header| header.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if OTHERS.iter().any(|other| kind.starts_with(other)) {
        let message = format!(
            "It is not read here: send each file by itself as one of {}, or documents as application/json.",
            TYPES.join(", ")
        );
        return Err(Failure::new(Kind::Invalid, message).about("content-type"));
    }
    let id = asked.said("id");
    let format = match kind.as_str() {
        // JavaScript says so of any string that it sends, JSON too.
        "text/plain" if id.is_some() => Format::Text,
        "text/markdown" | "text/x-markdown" => Format::Markdown,
        "text/html" | "application/xhtml+xml" => Format::Html,
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Format::JsonLines
        }
        _ => {
            if let Some((name, _)) = asked.query.first() {
                let message = format!("It goes with a file ({}); of JSON it stands in the body.", TYPES.join(", "));
                return Err(Failure::new(Kind::Invalid, message).about(name.clone()));
            }
            return Ok(None);
        }
    };
    let is_lines = format == Format::JsonLines;
    if !is_lines && id.is_none_or(|id| id.trim().is_empty()) {
        let message = "It is missing: say in the URL by which id the document is known, as in ?id=guide.md.";
        return Err(Failure::new(Kind::Invalid, message).about("id"));
    }
    for name in ["title", "url"] {
        if is_lines && asked.said(name).is_some() {
            let message = "Of JSON Lines each line has its own.";
            return Err(Failure::new(Kind::Invalid, message).about(name));
        }
    }
    let ttl_seconds = asked.number("ttl_seconds", 1, LONGEST)?.and_then(|seconds| u64::try_from(seconds).ok());
    let (body, name, most) = (asked.body.clone(), id.unwrap_or_default().to_owned(), app.settings.ingest.max_document);
    let (title, url) = (asked.said("title").map(str::to_owned), asked.said("url").map(str::to_owned));
    // A page is a tree before it is text, which takes its time.
    let read = move || {
        if is_lines {
            return lines(&body, &name, most);
        }
        let document = if body.len() > most {
            Err(format!("is larger than {most} bytes (ingest.max_document): split it"))
        } else {
            files::document(format, body.to_vec(), &name)
        };
        let named =
            |document: Document| Document { title: title.or(document.title), url: url.or(document.url), ..document };
        vec![document.map(named).map_err(|message| ItemFailure { id: Some(name), message })]
    };
    let documents = tokio::task::spawn_blocking(read).await.map_err(|_| {
        Failure::new(Kind::Internal, "Reading the file failed. That is a bug; see the log for its panic.")
    })?;
    Ok(Some(Upload { documents, ttl_seconds }))
}

fn lines(body: &[u8], name: &str, most: usize) -> Vec<Result<Document, ItemFailure>> {
    let mut documents = Vec::new();
    let Ok(()) = files::lines::<Infallible>(Cursor::new(body), name, most as u64, &mut |read| {
        documents.push(match read {
            // It was named after its place, and that is after nothing.
            Ok(Placed { place, document }) if name.is_empty() && document.id == place => {
                let message = format!("line {}: id: is missing", place.trim_start_matches(':'));
                Err(ItemFailure { id: None, message })
            }
            Ok(Placed { document, .. }) => Ok(document),
            Err(Unreadable { place, message }) => {
                let line = place.rsplit(':').next().unwrap_or_default();
                Err(ItemFailure { id: None, message: format!("line {line}: {message}") })
            }
        });
        Ok(())
    });
    documents
}
