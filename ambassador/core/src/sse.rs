//! Server-sent events, incrementally: bytes in any split to whole events.
//!
//! Follows the WHATWG event-stream grammar: lines end in LF, CRLF or CR; a blank line ends an event; a line that
//! starts with a colon is a comment; one space after the field's colon is not part of the value.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// The largest event that is held, in bytes. Longer ones are an error: no API sends them, a broken one might.
pub const MAX_EVENT: usize = 16 * 1024 * 1024;

/// An event longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {MAX_EVENT} bytes")]
pub struct TooLong;

/// Collects bytes and gives out whole events.
#[derive(Default)]
pub struct Splitter {
    buffer: Vec<u8>,
    /// Bytes of `buffer` already given out.
    start: usize,
    /// Bytes of `buffer` already searched for the end of the event that begins at `start`: what makes a stream that
    /// arrives a byte at a time cost linear and not quadratic time.
    searched: usize,
}

impl Splitter {
    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// When the event that they belong to is over [`MAX_EVENT`].
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.searched = 0;
        } else if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
        }
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() > MAX_EVENT && self.end_of_event().is_none() {
            return Err(TooLong);
        }
        Ok(())
    }

    /// The next whole event, if it has arrived; its closing blank line is part of it.
    pub fn next_event(&mut self) -> Option<Frame<'_>> {
        let end = self.end_of_event()?;
        let begin = self.start;
        self.start = end;
        self.searched = end;
        self.buffer.get(begin..end).map(Frame)
    }

    /// What is left when the stream has ended: an event without its closing blank line. Servers that leave the last
    /// one out are common enough, so what is whole in itself is worth a look; a cut event shows itself by its data.
    pub fn remainder(&self) -> Frame<'_> {
        Frame(self.buffer.get(self.start..).unwrap_or_default())
    }

    /// Where the event that begins at `start` ends, just after its blank line.
    fn end_of_event(&mut self) -> Option<usize> {
        loop {
            let rest = self.buffer.get(self.searched..)?;
            let Some(offset) = memchr2(b'\n', b'\r', rest) else {
                self.searched = self.buffer.len();
                return None;
            };
            self.searched += offset;
            let next = self.after_line_break(self.searched)?;
            // A second break right here closes the event. When it is a CR at the very end of what has come, an LF
            // may follow that belongs to it: then the answer has to wait.
            match self.buffer.get(next)? {
                b'\n' | b'\r' => return self.after_line_break(next),
                _ => self.searched = next,
            }
        }
    }

    /// The position after the line break at `at`; `None` while a CR may still turn out to be a CRLF.
    fn after_line_break(&self, at: usize) -> Option<usize> {
        match (self.buffer.get(at), self.buffer.get(at + 1)) {
            (Some(b'\n'), _) => Some(at + 1),
            (Some(b'\r'), Some(b'\n')) => Some(at + 2),
            (Some(b'\r'), Some(_)) => Some(at + 1),
            _ => None,
        }
    }
}

/// The bytes of one event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a>(&'a [u8]);

impl<'a> Frame<'a> {
    /// An event from its bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes as they came.
    #[must_use]
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// The value of `data`, several lines joined by LF; `None` where there is no such field (comments, say).
    #[must_use]
    pub fn data(self) -> Option<Cow<'a, [u8]>> {
        let mut found: Option<Cow<'a, [u8]>> = None;
        for line in Lines(self.0) {
            // A stream may begin with a byte order mark.
            let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
            let Some(value) = field(line, b"data") else { continue };
            match &mut found {
                None => found = Some(Cow::Borrowed(value)),
                Some(joined) => {
                    let joined = joined.to_mut();
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                }
            }
        }
        found
    }
}

/// The value of a line if it is of the field `name`.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}

impl std::fmt::Debug for Splitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Splitter({} bytes)", self.buffer.len())
    }
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({} bytes)", self.0.len())
    }
}

struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = match memchr(b'\n', self.0) {
            // The common case first: LF or CRLF, found by one search.
            Some(lf) if memchr(b'\r', self.0.get(..lf).unwrap_or_default()).is_none() => lf,
            _ => memchr2(b'\n', b'\r', self.0).unwrap_or(self.0.len()),
        };
        let (line, rest) = self.0.split_at_checked(end).unwrap_or((self.0, &[]));
        self.0 = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
        Some(line)
    }
}

/// Appends one event that carries `data`.
pub fn write(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let mut splitter = Splitter::default();
        let mut seen = Vec::new();
        for piece in pieces {
            splitter.feed(piece).unwrap();
            while let Some(frame) = splitter.next_event() {
                seen.push(frame.data().map(Cow::into_owned));
            }
        }
        seen.push(splitter.remainder().data().map(Cow::into_owned));
        seen
    }

    #[test]
    fn every_line_break_ends_an_event() {
        for text in ["data: a\n\ndata: b\n\nx", "data: a\r\n\r\ndata: b\r\n\r\nx", "data: a\r\rdata: b\r\rx"] {
            assert_eq!(split(&[text.as_bytes()]), [Some(b"a".to_vec()), Some(b"b".to_vec()), None], "{text:?}");
        }
    }

    #[test]
    fn comments_names_and_missing_spaces() {
        let text = b": hello\n\nevent: ping\ndata:{\"a\":1}\n\ndata: two\ndata:  lines\n\ndatax: no\n\n";
        let lines = Some(b"two\n lines".to_vec());
        assert_eq!(split(&[text]), [None, Some(b"{\"a\":1}".to_vec()), lines, None, None]);
    }

    #[test]
    fn the_last_event_may_lack_its_blank_line() {
        assert_eq!(split(&[b"data: a\n\ndata: [DONE]"]), [Some(b"a".to_vec()), Some(b"[DONE]".to_vec())]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut splitter = Splitter::default();
        splitter.feed(b"data: ").unwrap();
        let piece = vec![b'x'; MAX_EVENT / 4];
        assert_eq!((0..4).find_map(|_| splitter.feed(&piece).err()), Some(TooLong));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            text in proptest::collection::vec(prop_oneof![
                Just("data: é🌍"), Just("data:x"), Just("\n"), Just("\r\n"), Just("\r"), Just(": c"), Just("event: e"),
            ], 0..40),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let bytes = text.concat().into_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(split(&pieces), split(&[&bytes]));
        }
    }
}
