//! The text that says where to listen.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::BindError;
use crate::excerpt::excerpt;

/// Where to listen.
///
/// In a file, a flag or a variable it is written as an address and a port:
///
/// | text | meaning |
/// | --- | --- |
/// | `127.0.0.1:7070`, `localhost:7070` | the loopback, on both families |
/// | `0.0.0.0:7071`, `[::]:7071`, `:7071` | every address, on both families |
/// | `10.0.0.5:7070`, `[::1]:7070` | exactly that address |
///
/// Port 0 lets the kernel pick a free port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listen {
    /// `127.0.0.1`, and `::1` where there is IPv6.
    Loopback(u16),
    /// Every address of this machine.
    Any(u16),
    /// One address and no other.
    Exactly(SocketAddr),
}

impl Listen {
    /// Takes the sockets. They accept from now on, although nobody answers yet.
    ///
    /// # Errors
    ///
    /// [`BindError`], whose text is for the operator.
    pub fn bind(self) -> Result<Vec<TcpListener>, BindError> {
        match self {
            Self::Loopback(port) => super::loopback(port),
            Self::Any(port) => super::any(port),
            Self::Exactly(address) => super::listen(&[address]),
        }
    }

    /// The port.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Loopback(port) | Self::Any(port) => port,
            Self::Exactly(address) => address.port(),
        }
    }

    /// Where a client in the same pod reaches it, in the order to try.
    #[must_use]
    pub fn reachable_at(self) -> Vec<SocketAddr> {
        match self {
            Self::Loopback(port) | Self::Any(port) => {
                vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
            }
            Self::Exactly(address) => vec![address],
        }
    }
}

/// The text is not an address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is not an address to listen on; write an IP address and a port, such as \
     `127.0.0.1:7070` for this pod only, or `0.0.0.0:7071` for everybody"
)]
pub struct ListenError {
    given: String,
}

/// Reads a [`Listen`]; the same as `text.parse()`.
///
/// # Errors
///
/// When the text is not an IP address (or `localhost`, or nothing) and a port.
pub fn parse_listen(text: &str) -> Result<Listen, ListenError> {
    text.parse()
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let refuse = || ListenError { given: excerpt(text) };
        let text = text.trim();
        let (host, port) = text.rsplit_once(':').ok_or_else(refuse)?;
        if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
            let port = port.parse().map_err(|_| refuse())?;
            return Ok(if host.is_empty() { Self::Any(port) } else { Self::Loopback(port) });
        }
        let address: SocketAddr = text.parse().map_err(|_| refuse())?;
        Ok(match address {
            any if any.ip().is_unspecified() => Self::Any(any.port()),
            v4 if v4.ip() == Ipv4Addr::LOCALHOST => Self::Loopback(v4.port()),
            other => Self::Exactly(other),
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(port) => write!(f, "127.0.0.1:{port}"),
            Self::Any(port) => write!(f, "0.0.0.0:{port}"),
            Self::Exactly(address) => address.fmt(f),
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Listen {
    fn schema_name() -> Cow<'static, str> {
        "Listen".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An IP address and a port to listen on. 127.0.0.1 means the loopback and \
                            0.0.0.0 every address, both on IPv4 and IPv6.",
            "pattern": "^.*:[0-9]+$",
            "examples": ["127.0.0.1:7070", "0.0.0.0:7071"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        let read = |text: &str| parse_listen(text).unwrap();
        assert_eq!(read("127.0.0.1:7070"), Listen::Loopback(7070));
        assert_eq!(read("localhost:7070"), Listen::Loopback(7070));
        assert_eq!(read("0.0.0.0:7071"), Listen::Any(7071));
        assert_eq!(read("[::]:7071"), Listen::Any(7071));
        assert_eq!(read(":7071"), Listen::Any(7071));
        assert_eq!(read("10.0.0.5:7070"), Listen::Exactly("10.0.0.5:7070".parse().unwrap()));
        assert_eq!(read("[::1]:7070"), Listen::Exactly("[::1]:7070".parse().unwrap()));
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["127.0.0.1:7070", "0.0.0.0:7071", "10.0.0.5:7070", "[::1]:7070"] {
            assert_eq!(parse_listen(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn says_what_it_wanted() {
        for text in ["7070", "", ":", "host:7070", "127.0.0.1", "127.0.0.1:70700", "::1:7070x"] {
            let refusal = parse_listen(text).unwrap_err().to_string();
            assert!(refusal.contains("`127.0.0.1:7070`"), "{refusal}");
        }
    }
}
