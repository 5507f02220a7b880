//! Files to documents: text, Markdown, HTML and JSON Lines.

mod charset;
mod front;
mod html;
mod listing;
mod markdown;
mod page;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

use context_core::document::Document;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::listing::{LeftOut, Listing, list};

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text.
    Text,
    /// Text with marks.
    Markdown,
    /// A page.
    Html,
    /// A document a line.
    JsonLines,
}

impl Format {
    /// By the end of a file's name.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let end = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match end.as_str() {
            "txt" | "text" | "log" | "rst" | "adoc" | "org" => Self::Text,
            "md" | "markdown" | "mdx" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "jsonl" | "ndjson" => Self::JsonLines,
            _ => return None,
        })
    }
}

/// A file that could be ingested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its path within the directory, with `/`, by which its document is known.
    pub name: String,
    /// What it is read as.
    pub format: Format,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Something that is no document: where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The file, or a line of it.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

/// A document, and where it was read.
#[derive(Debug)]
pub struct Placed {
    /// The file, or a line of it.
    pub place: String,
    /// What it says.
    pub document: Document,
}

/// The documents of a file, each given to `take` as soon as it is read; a file of `most` bytes at most, or a line of them.
///
/// # Errors
/// What `take` says, which ends it.
pub fn read<E>(
    file: &Found,
    most: u64,
    take: &mut dyn FnMut(Result<Placed, Unreadable>) -> Result<(), E>,
) -> Result<(), E> {
    let unreadable = |message: String| Unreadable { place: file.name.clone(), message };
    if file.format == Format::JsonLines {
        return match File::open(&file.path) {
            Ok(open) => lines(BufReader::new(open), &file.name, most, take),
            Err(error) => take(Err(unreadable(format!("cannot be read: {error}")))),
        };
    }
    let place = file.name.clone();
    take(whole(file, most).map(|document| Placed { place, document }).map_err(unreadable))
}

fn whole(file: &Found, most: u64) -> Result<Document, String> {
    let mut bytes = Vec::new();
    File::open(&file.path)
        .and_then(|open| open.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("is larger than {most} bytes: split it"));
    }
    let mut document = document(file.format, bytes, &file.name)?;
    document.metadata.insert("path".to_owned(), Value::String(file.name.clone()));
    Ok(document)
}

/// The document that is all of a file. Its id is the file's name.
///
/// # Errors
/// What it is instead, and what to do. Nothing of it is quoted.
pub fn document(format: Format, bytes: Vec<u8>, name: &str) -> Result<Document, String> {
    let text = charset::text(bytes, name)?;
    let (mut front, text) = match format {
        Format::Markdown => markdown::read(&text)?,
        Format::Html => {
            let (title, text) = html::read(&text)?;
            (front::Front { title, ..front::Front::default() }, text)
        }
        Format::Text | Format::JsonLines => (front::Front::default(), text),
    };
    if text.trim().is_empty() {
        return Err("is empty: there is no text in it".to_owned());
    }
    let (title, url, metadata) = (front.title.take(), front.url.take(), front.metadata);
    Ok(Document { id: name.to_owned(), title, text, url, metadata })
}

/// A line of JSON Lines; `_id` is what collections for measurements have.
#[derive(Deserialize)]
struct Line {
    #[serde(alias = "_id")]
    id: Option<String>,
    #[serde(default)]
    title: Option<String>,
    text: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
}

/// The documents of JSON Lines, each given to `take` as soon as it is read; `name` is what they are lines of.
///
/// # Errors
/// What `take` says, which ends it.
pub fn lines<E>(
    mut reader: impl BufRead,
    name: &str,
    most: u64,
    take: &mut dyn FnMut(Result<Placed, Unreadable>) -> Result<(), E>,
) -> Result<(), E> {
    for number in 1_usize.. {
        let (place, mut bytes) = (format!("{name}:{number}"), Vec::new());
        let unreadable = |message: String| Err(Unreadable { place: place.clone(), message });
        match io::Read::take(&mut reader, most + 1).read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(read) if read as u64 > most => {
                return take(unreadable(format!("is longer than {most} bytes; the rest is not read")));
            }
            Ok(_) if bytes.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(_) => take(match line(bytes, &place) {
                Ok(document) => Ok(Placed { place, document }),
                Err(message) => unreadable(message),
            })?,
            Err(error) => return take(unreadable(format!("cannot be read: {error}"))),
        }
    }
    Ok(())
}

fn line(bytes: Vec<u8>, place: &str) -> Result<Document, String> {
    let text = String::from_utf8(bytes).map_err(|_| "is no UTF-8 text".to_owned())?;
    let line: Line = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let why = "is no document: it has at least a `text`, and perhaps `id`, `title`, `url`, `metadata`";
        if error.is_data() { why.to_owned() } else { "is no JSON".to_owned() }
    })?;
    let Line { id, title, text, url, metadata } = line;
    let id = id.filter(|id| !id.trim().is_empty()).unwrap_or_else(|| place.to_owned());
    Ok(Document {
        id,
        title: title.filter(|it| !it.trim().is_empty()),
        text,
        url,
        metadata: metadata.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
