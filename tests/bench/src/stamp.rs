//! The time at which the upstream made a chunk, carried in the chunk's text: `#` and 16 hexadecimal digits and `#`.
//!
//! It survives whatever a gateway does to the JSON around it, so one reader serves every dialect.

use std::fmt;

const WIDTH: usize = 18;

/// Writes itself as the text of one chunk.
pub(crate) struct Stamp(pub(crate) u64);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:016x}#", self.0)
    }
}

/// Finds stamps in a body that arrives in pieces, wherever the cuts fall.
#[derive(Default)]
pub(crate) struct Stamps {
    unread: Vec<u8>,
}

impl Stamps {
    pub(crate) fn read(&mut self, piece: &[u8], mut found: impl FnMut(u64)) {
        self.unread.extend_from_slice(piece);
        let mut rest = self.unread.as_slice();
        while let Some(at) = rest.iter().position(|&byte| byte == b'#') {
            rest = &rest[at..];
            let Some((candidate, behind)) = rest.split_at_checked(WIDTH) else {
                break;
            };
            if let Some(stamp) = parse(candidate) {
                found(stamp);
                rest = behind;
            } else {
                rest = &rest[1..];
            }
        }
        let keep = if rest.first() == Some(&b'#') { rest.len() } else { 0 };
        self.unread.drain(..self.unread.len() - keep);
    }
}

fn parse(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"#")?.strip_suffix(b"#")?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_wherever_the_body_is_cut() {
        let body = format!("## x#{}{} #1234 {}#", Stamp(7), Stamp(u64::MAX), Stamp(9));
        for cut in 0..=body.len() {
            let (mut stamps, mut found) = (Stamps::default(), Vec::new());
            let (first, second) = body.as_bytes().split_at(cut);
            stamps.read(first, |stamp| found.push(stamp));
            stamps.read(second, |stamp| found.push(stamp));
            assert_eq!(found, [7, u64::MAX, 9], "cut at {cut}");
        }
    }
}
