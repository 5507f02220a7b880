//! An HTTP/1.1 answer that arrives in pieces: its status, and the bytes of its body.

use anyhow::{Context as _, bail};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Stage {
    #[default]
    Head,
    Sized(usize),
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailer,
    Done,
}

#[derive(Default)]
pub(crate) struct Reply {
    stage: Stage,
    status: u16,
    closes: bool,
    unread: Vec<u8>,
}

impl Reply {
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        !self.closes
    }

    /// Takes what was read and hands on what of it is body; true at the end of the answer.
    pub(crate) fn push(&mut self, read: &[u8], mut body: impl FnMut(&[u8])) -> anyhow::Result<bool> {
        let mut unread = std::mem::take(&mut self.unread);
        let rest = if unread.is_empty() {
            self.advance(read, &mut body)?
        } else {
            unread.extend_from_slice(read);
            self.advance(&unread, &mut body)?
        };
        self.unread = rest.to_vec();
        Ok(self.stage == Stage::Done)
    }

    /// As far as `bytes` reach; the rest is for when more has come.
    fn advance<'a>(&mut self, mut bytes: &'a [u8], body: &mut impl FnMut(&[u8])) -> anyhow::Result<&'a [u8]> {
        loop {
            match self.stage {
                Stage::Head => {
                    let Some((head, rest)) = split_at_mark(bytes, b"\r\n\r\n") else {
                        return Ok(bytes);
                    };
                    self.read_head(std::str::from_utf8(head).context("a head that is not text")?)?;
                    bytes = rest;
                }
                Stage::Sized(0) => self.stage = Stage::Done,
                Stage::Chunk(0) => self.stage = Stage::ChunkEnd,
                Stage::Sized(left) | Stage::Chunk(left) => {
                    let (piece, rest) = bytes.split_at(left.min(bytes.len()));
                    if piece.is_empty() {
                        return Ok(bytes);
                    }
                    body(piece);
                    let left = left - piece.len();
                    self.stage =
                        if matches!(self.stage, Stage::Sized(_)) { Stage::Sized(left) } else { Stage::Chunk(left) };
                    bytes = rest;
                }
                Stage::ChunkSize => {
                    let Some((line, rest)) = split_at_mark(bytes, b"\r\n") else {
                        return Ok(bytes);
                    };
                    let size = std::str::from_utf8(line).ok().and_then(|line| line.split(';').next());
                    let size = usize::from_str_radix(size.unwrap_or_default().trim(), 16).context("a chunk's size")?;
                    self.stage = if size == 0 { Stage::Trailer } else { Stage::Chunk(size) };
                    bytes = rest;
                }
                Stage::ChunkEnd => {
                    let Some((_, rest)) = bytes.split_at_checked(2) else {
                        return Ok(bytes);
                    };
                    self.stage = Stage::ChunkSize;
                    bytes = rest;
                }
                Stage::Trailer => {
                    let Some((line, rest)) = split_at_mark(bytes, b"\r\n") else {
                        return Ok(bytes);
                    };
                    self.stage = if line.is_empty() { Stage::Done } else { Stage::Trailer };
                    bytes = rest;
                }
                Stage::Done => return Ok(bytes),
            }
        }
    }

    fn read_head(&mut self, head: &str) -> anyhow::Result<()> {
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        self.status = status.and_then(|status| status.parse().ok()).context("a status line")?;
        let mut framing = None;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                framing = Some(Stage::Sized(value.parse().context("a content-length")?));
            } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
                framing = Some(Stage::ChunkSize);
            } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
                self.closes = true;
            }
        }
        let Some(framing) = framing else { bail!("an answer that says neither its length nor that it is chunked") };
        self.stage = framing;
        Ok(())
    }
}

fn split_at_mark<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(pieces: &[&[u8]]) -> (String, bool) {
        let (mut reply, mut body, mut done) = (Reply::default(), Vec::new(), false);
        for piece in pieces {
            done = reply.push(piece, |bytes| body.extend_from_slice(bytes)).unwrap();
        }
        assert_eq!(reply.status(), 200);
        (String::from_utf8(body).unwrap(), done)
    }

    #[test]
    fn any_cut_gives_the_same_body() {
        let sized = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world".as_slice();
        let chunked =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello \r\n5;x=1\r\nworld\r\n0\r\nt: 1\r\n\r\n"
                .as_slice();
        for answer in [sized, chunked] {
            for cut in 0..=answer.len() {
                let (first, second) = answer.split_at(cut);
                assert_eq!(decoded(&[first, second]), ("hello world".to_owned(), true), "cut at {cut}");
            }
        }
    }

    #[test]
    fn half_an_answer_is_not_done() {
        assert_eq!(decoded(&[b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"]), ("half".to_owned(), false));
    }
}
