//! How a process says, by one number, why it ended.
//!
//! The numbers follow `sysexits.h` where it has a fitting one, so that an operator who sees only
//! `Exit Code: 78` in `kubectl describe` knows that the configuration is to blame, not the network.

use std::process::ExitCode;

/// The exit codes of every binary of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// The work is done, or the process drained and stopped as asked.
    Ok = 0,
    /// It was asked whether something is there, and it is not, as `grep` says it. Nothing is wrong.
    Nothing = 1,
    /// The command line is wrong.
    Usage = 64,
    /// The input is malformed: not the configuration, but what it points to.
    Data = 65,
    /// There is no input to work on.
    NoInput = 66,
    /// Something we depend on, or the address to listen on, is not available.
    Unavailable = 69,
    /// A defect of ours.
    Software = 70,
    /// Time ran out; trying again may help.
    Deadline = 75,
    /// Credentials or permissions were refused; trying again will not help.
    Denied = 77,
    /// The configuration is wrong: file, environment or mounted secret.
    Config = 78,
    /// Somebody pressed Ctrl-C, as a shell says it.
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}
