//! Where a Redis server is, as a URL says it.

use std::fmt;
use std::str::FromStr;

use chassis::config::UrlFault;
use http::Uri;

/// `redis://host:6379/0`, or `rediss://` for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// Default: 6379.
    pub port: u16,
    /// The number of the database. Default: 0.
    pub database: u32,
}

impl FromStr for Address {
    type Err = UrlFault;

    /// Reads a URL. None of its text is in a fault, because URLs of Redis are a place where people put passwords.
    fn from_str(text: &str) -> Result<Self, UrlFault> {
        let fault = |message, hint| UrlFault { message, hint };
        let no_url = fault("is not a redis:// or rediss:// URL", "write, for instance, redis://redis.data:6379/0");
        let uri: Uri = text.parse().map_err(|_| no_url)?;
        let tls = match uri.scheme_str() {
            Some("redis") => false,
            Some("rediss") => true,
            _ => return Err(no_url),
        };
        let authority = uri.authority().ok_or(no_url)?;
        if authority.as_str().contains('@') {
            return Err(fault("has credentials in it", "username and password_file are for these"));
        }
        // The parser drops a fragment in silence.
        if uri.query().is_some() || text.contains('#') {
            return Err(fault("has a query or a fragment", "cut off what begins with `?` or `#`"));
        }
        let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        let port = match rest.strip_prefix(':') {
            None => Some(6379),
            Some(port) => port.parse().ok().filter(|port| *port > 0),
        };
        let port = port.ok_or(fault("has no port from 1 to 65535 after the host", "correct the number"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(fault("has no host", "write, for instance, redis://redis.data:6379/0"));
        }
        let database = match uri.path().trim_start_matches('/') {
            "" => Some(0),
            number => number.parse().ok(),
        };
        let database = database
            .ok_or(fault("has something else than the number of a database as its path", "write, for instance, /0"))?;
        Ok(Self { tls, host: host.to_owned(), port, database })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tls, host, port, database } = self;
        let scheme = if *tls { "rediss" } else { "redis" };
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{host}{close}:{port}/{database}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_everywhere() {
        for (text, whole) in [
            ("redis://a", "redis://a:6379/0"),
            ("rediss://a.b:1/", "rediss://a.b:1/0"),
            ("redis://[::1]:7000/15", "redis://[::1]:7000/15"),
            ("redis://10.0.0.1/3", "redis://10.0.0.1:6379/3"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), whole);
        }
        let address: Address = "rediss://[::1]/2".parse().unwrap();
        assert_eq!(address, Address { tls: true, host: "::1".to_owned(), port: 6379, database: 2 });
    }

    #[test]
    fn faults_say_what_is_wrong_and_never_the_text() {
        let fault = |text: &str| text.parse::<Address>().unwrap_err().message;
        for text in ["", "a", "a:6379", "http://a", "unix:///run/redis", "redis://", "redis:///0"] {
            assert_eq!(fault(text), "is not a redis:// or rediss:// URL", "{text}");
        }
        assert_eq!(fault("redis://:secret@a"), "has credentials in it");
        assert_eq!(fault("redis://a?db=1"), "has a query or a fragment");
        assert_eq!(fault("redis://a#1"), "has a query or a fragment");
        for text in ["redis://a:0", "redis://a:65536", "redis://a:"] {
            assert_eq!(fault(text), "has no port from 1 to 65535 after the host", "{text}");
        }
        assert_eq!(fault("redis://a/x"), "has something else than the number of a database as its path");
    }
}
