//! What it means that a Redis server cannot be had or says no.
//!
//! What a server says in its own words is not repeated as a rule: some of its errors quote the command, and with it
//! what was to be written.

use std::io;

use ::redis::{ErrorKind, RedisError};
use chassis::exit::Code;

use super::Settings;
use crate::failure::{Failure, Retry};

const NO_TLS: &str = "if it is not meant to speak TLS, write redis://";

/// There is no connection.
pub(super) fn unreachable(place: &str, error: &io::Error) -> Failure {
    Failure::unavailable(format!("{place}: cannot be connected to ({error})"))
        .with_hint("check host, port and NetworkPolicy, and whether Redis runs")
}

/// There is a connection, but no TLS.
pub(super) fn handshake(place: &str, error: &io::Error) -> Failure {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(why)) => {
            Failure::unavailable(format!("{place}: its certificate is not to be trusted ({why})"))
                .with_retry(Retry::Never)
                .with_hint("name its authority with SSL_CERT_FILE, or the host as its certificate does")
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            Failure::unavailable(format!("{place}: does not speak TLS")).with_retry(Retry::Never).with_hint(NO_TLS)
        }
        Some(error) => Failure::unavailable(format!("{place}: TLS failed ({error})")).with_hint(NO_TLS),
        None => unreachable(place, error),
    }
}

/// There is a connection, and no answer to the greeting of TLS.
pub(super) fn silent(place: &str) -> Failure {
    Failure::unavailable(format!("{place}: does not answer the greeting of TLS")).with_hint(NO_TLS)
}

/// TLS wants a name that certificates can have.
pub(super) fn no_name(place: &str) -> Failure {
    Failure::new(Code::Config, format!("{place}: its host is no name for a certificate")).with_hint("correct the host")
}

/// The server, or the client on its behalf, has failed a command.
pub(super) fn told(place: &str, settings: &Settings, error: &RedisError) -> Failure {
    let code = error.code().unwrap_or_default();
    match (error.kind(), code) {
        (ErrorKind::AuthenticationFailed, _) | (_, "WRONGPASS" | "NOAUTH") => denied(place, settings),
        (_, "NOPERM") => {
            // It names the user and the command, or says that it is about the key.
            let detail = error.detail().unwrap_or("no permission");
            Failure::denied(format!("{place}: {detail}"))
                .with_hint("let the user run STRLEN, EXISTS and GETRANGE (and SET for a cache) on this key")
        }
        (_, "WRONGTYPE") => Failure::data(format!("{place}: its value is no string, but a list, a hash or the like"))
            .with_hint("store the file with SET"),
        (_, "LOADING") => Failure::unavailable(format!("{place}: Redis is still loading its data"))
            .with_hint("give it time (CONFIG_LOADER_DEADLINE), or look at its log"),
        (_, "MOVED" | "ASK") => Failure::new(Code::Config, format!("{place}: is on another node of the cluster"))
            .with_hint("clusters are not followed; name the node that has the key"),
        (_, "READONLY") => Failure::new(Code::Config, format!("{place}: is on a replica, which may only be read"))
            .with_hint("name the primary"),
        (ErrorKind::Io, _) => cut(place, settings, error),
        // An answer that ends in the middle is told as one that cannot be parsed.
        (ErrorKind::Parse, _) if error.to_string().contains("end of input") => cut(place, settings, error),
        (ErrorKind::Parse, _) => Failure::unavailable(format!("{place}: what answers is not Redis"))
            .with_retry(Retry::Never)
            .with_hint("correct host or port"),
        (kind, "") => Failure::unavailable(format!("{place}: the command failed ({kind:?})"))
            .with_hint("look at the log of Redis"),
        (_, code) => Failure::unavailable(format!("{place}: Redis failed the command with {code}"))
            .with_hint("look at the log of Redis"),
    }
}

fn denied(place: &str, settings: &Settings) -> Failure {
    let (what, hint) = match &settings.password_file {
        None => ("wants a password", "set password_file (and username, where Redis has ACLs)".to_owned()),
        Some(path) => {
            let user = settings.username.as_deref().unwrap_or("default");
            ("refuses the password", format!("check the user `{user}` and {}", path.display()))
        }
    };
    Failure::denied(format!("{place}: {what}")).with_hint(hint)
}

fn cut(place: &str, settings: &Settings, error: &RedisError) -> Failure {
    let hint = if settings.address.tls { "look at the log of Redis" } else { "if it speaks TLS, write rediss://" };
    let io = error.kind() == ErrorKind::Io;
    let why = if io { format!(" ({})", chassis::causes::causes(error)) } else { String::new() };
    Failure::unavailable(format!("{place}: the connection was cut off{why}")).with_hint(hint)
}
