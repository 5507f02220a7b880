//! Printing for people: version, help, schema, the reason why a start failed.
//!
//! Everything else is a log line. `println!` panics when the reader has gone away (`ambassador
//! schema | head`), so the macros are denied in this workspace and these two functions, which do
//! not mind a broken pipe, take their place.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes one line to standard output. A reader that has gone away is not an error.
pub fn line(text: impl Display) {
    write(io::stdout().lock(), &text);
}

/// Writes one line to standard error. A reader that has gone away is not an error.
pub fn complain(text: impl Display) {
    write(io::stderr().lock(), &text);
}

fn write(mut to: impl Write, text: &dyn Display) {
    // There is nowhere left to report to when standard output or error fail.
    let _ = writeln!(to, "{text}").and_then(|()| to.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    struct BrokenPipe;

    impl Write for BrokenPipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_broken_pipe_is_silent() {
        write(BrokenPipe, &"nobody reads this");
    }
}
