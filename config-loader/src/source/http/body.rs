//! The body of an answer, under a limit that holds after decompression.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// What `content-encoding` says; `None` for one that was not asked for.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            _ => None,
        }
    }
}

/// Why a body cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoilt {
    /// It is larger than the limit.
    TooLarge,
    /// It says that it is compressed, and is not, or not to its end.
    NotGzip,
}

/// Collects a body piece by piece, and never more than the limit.
pub(super) struct Collector {
    sink: Sink,
    /// Bytes that came. They are bounded as well: members of gzip that hold nothing would come for ever.
    came: u64,
    limit: u64,
}

enum Sink {
    Plain(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
}

impl Collector {
    /// For a body of which `expected` bytes are announced.
    pub(super) fn new(encoding: Encoding, limit: u64, expected: Option<u64>) -> Self {
        let room = expected.unwrap_or_default().min(limit);
        let bounded = Bounded {
            held: Vec::with_capacity(usize::try_from(room).unwrap_or_default()),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            overflowed: false,
        };
        let sink = match encoding {
            Encoding::Identity => Sink::Plain(bounded),
            Encoding::Gzip => Sink::Gzip(Box::new(MultiGzDecoder::new(bounded))),
        };
        Self { sink, came: 0, limit }
    }

    /// How many bytes came, before decompression.
    pub(super) const fn came(&self) -> u64 {
        self.came
    }

    /// How many bytes are held, after decompression.
    pub(super) fn held(&self) -> usize {
        match &self.sink {
            Sink::Plain(bounded) => bounded.held.len(),
            Sink::Gzip(decoder) => decoder.get_ref().held.len(),
        }
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Spoilt> {
        self.came = self.came.saturating_add(piece.len() as u64);
        if self.came > self.limit {
            return Err(Spoilt::TooLarge);
        }
        match &mut self.sink {
            Sink::Plain(bounded) => bounded.write_all(piece).map_err(|_| Spoilt::TooLarge),
            Sink::Gzip(decoder) => decoder.write_all(piece).map_err(|_| why(decoder.get_ref())),
        }
    }

    pub(super) fn finish(self) -> Result<Bytes, Spoilt> {
        let held = match self.sink {
            Sink::Plain(bounded) => bounded.held,
            // Nothing at all is an empty body, and no broken one.
            Sink::Gzip(_) if self.came == 0 => Vec::new(),
            Sink::Gzip(mut decoder) => {
                if decoder.try_finish().is_err() {
                    return Err(why(decoder.get_ref()));
                }
                std::mem::take(&mut decoder.get_mut().held)
            }
        };
        Ok(held.into())
    }
}

fn why(bounded: &Bounded) -> Spoilt {
    if bounded.overflowed { Spoilt::TooLarge } else { Spoilt::NotGzip }
}

/// Memory that takes so much and no more.
struct Bounded {
    held: Vec<u8>,
    limit: usize,
    overflowed: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.limit.saturating_sub(self.held.len()) {
            self.overflowed = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn collected(encoding: Encoding, limit: u64, bytes: &[u8], piece: usize) -> Result<Bytes, Spoilt> {
        let mut collector = Collector::new(encoding, limit, None);
        bytes.chunks(piece).try_for_each(|piece| collector.push(piece))?;
        collector.finish()
    }

    proptest! {
        #[test]
        fn what_went_in_comes_out_however_it_is_split(bytes: Vec<u8>, piece in 1_usize..64) {
            prop_assert_eq!(collected(Encoding::Identity, 4096, &bytes, piece).unwrap(), bytes.clone());
            prop_assert_eq!(collected(Encoding::Gzip, 4096, &gzip(&bytes), piece).unwrap(), bytes);
        }

        #[test]
        fn the_limit_is_the_last_size_that_fits(size in 1_usize..2000, piece in 1_usize..64) {
            let bytes = vec![b'a'; size];
            for (encoding, sent) in [(Encoding::Identity, bytes.clone()), (Encoding::Gzip, gzip(&bytes))] {
                let limit = size as u64;
                // What is compressed may be larger than what it holds, where that is little.
                prop_assume!(sent.len() < size || encoding == Encoding::Identity);
                prop_assert_eq!(collected(encoding, limit, &sent, piece).unwrap(), bytes.clone());
                prop_assert_eq!(collected(encoding, limit - 1, &sent, piece), Err(Spoilt::TooLarge));
            }
        }

        #[test]
        fn half_of_what_was_compressed_is_found_out(cut in 1_usize..500) {
            let whole = gzip(&[b'a'; 100_000]);
            let half = whole.get(..cut.min(whole.len() - 1)).unwrap();
            prop_assert_eq!(collected(Encoding::Gzip, 1 << 20, half, 7), Err(Spoilt::NotGzip));
        }
    }

    #[test]
    fn several_members_are_one_body_and_no_member_is_an_empty_one() {
        let two = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(collected(Encoding::Gzip, 100, &two, 5).unwrap(), "one two");
        assert_eq!(collected(Encoding::Gzip, 100, b"", 5).unwrap(), "");
        assert_eq!(collected(Encoding::Gzip, 100, b"plain text", 5), Err(Spoilt::NotGzip));
    }

    #[test]
    fn members_without_content_do_not_come_for_ever() {
        let nothing = gzip(b"").repeat(100);
        assert_eq!(collected(Encoding::Gzip, 100, &nothing, 20), Err(Spoilt::TooLarge));
    }
}
