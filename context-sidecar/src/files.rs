//! Files to documents: text, Markdown, HTML and JSON Lines.
//!
//! Markdown stays as it is, since its marks tell headings from prose to models and to whoever cuts it; HTML becomes text.

mod html;

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use context_core::document::Document;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde::Deserialize;
use serde_json::{Map, Value};
use walkdir::WalkDir;

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

/// What is in a directory.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order of their names.
    pub files: Vec<Found>,
    /// Files of other formats.
    pub skipped: usize,
    /// What could not be looked at.
    pub unreadable: Vec<Unreadable>,
}

/// All files below a directory; or the one file, if it is one. Hidden ones are left out, and links are not followed.
#[must_use]
pub fn list(root: &Path) -> Listing {
    let mut listing = Listing::default();
    let hidden =
        |entry: &walkdir::DirEntry| entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
    let entries = WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(|entry| !hidden(entry));
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let place = error.path().unwrap_or(root).display().to_string();
                let message = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                listing.unreadable.push(Unreadable { place, message });
                continue;
            }
        };
        if !entry.file_type().is_file() {
            continue;
        }
        let Some(format) = Format::of(entry.path()) else {
            listing.skipped += 1;
            continue;
        };
        let within = entry.path().strip_prefix(root).ok().filter(|path| !path.as_os_str().is_empty());
        let within = within.unwrap_or_else(|| Path::new(entry.file_name()));
        let parts: Vec<_> = within.iter().map(|part| part.to_string_lossy()).collect();
        let bytes = entry.metadata().map_or(0, |about| about.len());
        listing.files.push(Found { path: entry.path().to_owned(), name: parts.join("/"), format, bytes });
    }
    listing
}

/// The documents of a file, each given to `take` as soon as it is read; a file of `most` bytes at most, or a line of them.
///
/// # Errors
/// What `take` says, which ends it.
pub fn read<E>(
    file: &Found,
    most: u64,
    take: &mut dyn FnMut(Result<Document, Unreadable>) -> Result<(), E>,
) -> Result<(), E> {
    if file.format == Format::JsonLines {
        return lines(file, most, take);
    }
    take(whole(file, most).map_err(|message| Unreadable { place: file.name.clone(), message }))
}

fn whole(file: &Found, most: u64) -> Result<Document, String> {
    let mut bytes = Vec::new();
    File::open(&file.path)
        .and_then(|open| open.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("is larger than {most} bytes: split it"));
    }
    let text = text_of(bytes)?;
    let (title, text) = match file.format {
        Format::Markdown => (heading(&text), text),
        Format::Html => html::read(&text)?,
        Format::Text | Format::JsonLines => (None, text),
    };
    if text.trim().is_empty() {
        return Err("is empty: there is no text in it".to_owned());
    }
    Ok(Document { id: file.name.clone(), title, text, url: None, metadata: of(&file.name) })
}

fn of(name: &str) -> Map<String, Value> {
    Map::from_iter([("path".to_owned(), Value::String(name.to_owned()))])
}

fn text_of(bytes: Vec<u8>) -> Result<String, String> {
    let text = String::from_utf8(bytes)
        .map_err(|error| format!("is no UTF-8 text: byte {} is wrong", error.utf8_error().valid_up_to()))?;
    if text.contains('\0') {
        return Err("is binary, whatever its name says".to_owned());
    }
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The first heading of Markdown, if it is one of the first two levels.
fn heading(text: &str) -> Option<String> {
    let mut title: Option<String> = None;
    // What stands above the text, about it, is no heading.
    for event in Parser::new_ext(text, Options::ENABLE_YAML_STYLE_METADATA_BLOCKS) {
        if let Event::Start(Tag::Heading { level: HeadingLevel::H1 | HeadingLevel::H2, .. }) = event {
            title = Some(String::new());
        } else if let Event::Text(part) | Event::Code(part) = &event {
            title.iter_mut().for_each(|title| title.push_str(part));
        } else if matches!(event, Event::End(TagEnd::Heading(_))) && title.is_some() {
            break;
        }
    }
    title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty())
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

fn lines<E>(
    file: &Found,
    most: u64,
    take: &mut dyn FnMut(Result<Document, Unreadable>) -> Result<(), E>,
) -> Result<(), E> {
    let unreadable = |place: String, message: String| Unreadable { place, message };
    let mut reader = match File::open(&file.path) {
        Ok(open) => BufReader::new(open),
        Err(error) => return take(Err(unreadable(file.name.clone(), format!("cannot be read: {error}")))),
    };
    for number in 1_usize.. {
        let (place, mut bytes) = (format!("{}:{number}", file.name), Vec::new());
        match io::Read::take(&mut reader, most + 1).read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(read) if read as u64 > most => {
                return take(Err(unreadable(place, format!("is longer than {most} bytes; the rest is not read"))));
            }
            Ok(_) if bytes.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(_) => take(line(bytes, &place).map_err(|message| unreadable(place, message)))?,
            Err(error) => return take(Err(unreadable(place, format!("cannot be read: {error}")))),
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
