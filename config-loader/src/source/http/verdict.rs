//! What an answer that is no file means, and a connection that gave none.

use std::{
    error::Error,
    io,
    time::{Duration, UNIX_EPOCH},
};

use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use rustls::{AlertDescription, CertificateError};

use chassis::exit::Code;

use super::address::Forbidden;
use crate::failure::{Failure, Retry};

/// What was sent to prove who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// Nothing is configured.
    Nothing,
    /// This.
    Sent(String),
    /// Something is configured, but this is another server than the one that it is meant for.
    HeldBack,
}

/// An answer that is neither a file nor a redirect. `now` is the time since 1970.
pub(super) fn refused(place: &str, status: StatusCode, headers: &HeaderMap, login: &Login, now: Duration) -> Failure {
    let message = format!("{place}: answers {status}");
    let unavailable = || Failure::unavailable(message.clone());
    match status.as_u16() {
        401 | 403 => Failure::denied(message).with_hint(match login {
            Login::Nothing => "name a bearer_file, or basic with a password_file".to_owned(),
            Login::Sent(what) => format!("{what} is not accepted, or not for this file"),
            Login::HeldBack => "credentials are not sent on to another server; name this one as url".to_owned(),
        }),
        407 => Failure::denied(message).with_hint(PROXY_LOGIN),
        404 | 410 => unavailable()
            .with_retry(Retry::Never)
            .with_hint("correct the path, or publish the file there; some servers say so where a login is missing"),
        408 | 425 | 429 | 500..=599 => {
            let value = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry = value.and_then(|value| retry_after(value, now)).map_or(Retry::Soon, Retry::After);
            unavailable().with_retry(retry).with_hint("look at the server's own logs")
        }
        200..=399 => unavailable().with_retry(Retry::Never).with_hint("a whole file comes with 200 OK"),
        _ => unavailable().with_retry(Retry::Never).with_hint("the server does not take this request: check the URL"),
    }
}

const PROXY_LOGIN: &str = "the proxy wants credentials: put them into its URL, as http://user:password@proxy:3128";

/// Nobody waits longer; and a wait without an end cannot be added to a time.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Seconds, or a date. A time that has passed says nothing.
fn retry_after(value: &str, now: Duration) -> Option<Duration> {
    let wait = match value.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(value.trim()).ok()?;
            date.duration_since(UNIX_EPOCH).ok()?.checked_sub(now)?
        }
    };
    Some(wait.min(LONGEST)).filter(|wait| !wait.is_zero())
}

/// There was no answer.
pub(super) fn unanswered(place: &str, error: &reqwest::Error, stall: Duration) -> Failure {
    if let Some(forbidden) = find::<Forbidden>(error) {
        return refused_address(place, forbidden);
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return untrusted(place, tls);
    }
    let texts = || chain(error).map(ToString::to_string);
    // The type behind these is private.
    if texts().any(|text| text.contains("proxy authorization required")) {
        return Failure::denied(format!("{place}: the proxy answers 407 Proxy Authentication Required"))
            .with_hint(PROXY_LOGIN);
    }
    if texts().any(|text| text.contains("tunnel error")) {
        return Failure::unavailable(format!("{place}: the proxy does not connect to it ({})", last(error)))
            .with_hint("look whether the proxy may go there, or name the host in NO_PROXY");
    }
    if error.is_timeout() {
        return Failure::new(Code::Deadline, format!("{place}: no answer within {stall:?}"))
            .with_retry(Retry::Soon)
            .with_hint("look whether the server is alive, and whether a network policy drops the packets");
    }
    if error.is_dns() {
        return Failure::unavailable(format!("{place}: the name of the host cannot be resolved ({})", last(error)))
            .with_hint("check its spelling; in a cluster, a Service is called name.namespace");
    }
    if error.is_connect() {
        return Failure::unavailable(format!("{place}: cannot connect: {}", last(error)))
            .with_hint("look whether the server is up, and listens at that port");
    }
    Failure::unavailable(format!("{place}: the connection broke before an answer came: {}", last(error)))
        .with_hint("look whether HTTP is spoken at that port, and at the server's own logs")
}

/// The answer began, and does not end as it should.
pub(super) fn broken_off(place: &str, error: &reqwest::Error, came: u64, stall: Duration) -> Failure {
    if error.is_timeout() {
        return Failure::new(Code::Deadline, format!("{place}: nothing more came for {stall:?}, after {came} bytes"))
            .with_retry(Retry::Soon)
            .with_hint("look whether the server is alive");
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return untrusted(place, tls);
    }
    Failure::unavailable(format!("{place}: was cut off after {came} bytes: {}", last(error)))
        .with_hint("the server closed the connection, or sent less than it announced")
}

/// An address that nothing is fetched from.
pub(super) fn refused_address(place: &str, forbidden: &Forbidden) -> Failure {
    Failure::denied(format!("{place}: {forbidden}")).with_hint("if it is meant, allow_addresses permits it")
}

fn untrusted(place: &str, error: &rustls::Error) -> Failure {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};
    let failure = Failure::unavailable(format!("{place}: TLS: {error}"));
    let never = |hint: &str| failure.clone().with_retry(Retry::Never).with_hint(hint);
    if let InvalidCertificate(why) = error {
        use CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext};
        return never(if matches!(why, NotValidForName | NotValidForNameContext { .. }) {
            "the certificate is for another name: use that in the URL (tls.ca_file does not help)"
        } else if matches!(why, Expired | ExpiredContext { .. }) {
            "the server's certificate is to be renewed (tls.ca_file does not help)"
        } else if why.to_string().contains("CaUsedAsEndEntity") {
            "the server shows the authority's own certificate: let it have one that the authority has signed"
        } else {
            "name the authority that signed it with tls.ca_file, or SSL_CERT_FILE"
        });
    }
    if let AlertReceived(alert) = error {
        return never(if matches!(alert, AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) {
            "the server may want a certificate of ours: name tls.cert_file and tls.key_file"
        } else {
            "the server refuses our side: if it is our certificate, check tls.cert_file; if its own, tls.ca_file"
        });
    }
    failure.clone().with_hint(if matches!(error, InvalidMessage(_)) {
        "if no TLS is spoken at that port, write http:// (or see tls.ca_file)"
    } else {
        "see tls.ca_file, tls.cert_file and tls.key_file"
    })
}

/// The error and its causes. An [`io::Error`] hides the one that it was made of.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        within.map(|within| within as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// What all of it is due to. The outer ones say no more, or the URL with its query.
fn last(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, retry: Option<&str>) -> (Code, Retry) {
        let mut headers = HeaderMap::new();
        headers.extend(retry.map(|retry| (RETRY_AFTER, retry.parse().unwrap())));
        let now = Duration::from_secs(784_111_777);
        let failure = refused("http://a/", StatusCode::from_u16(status).unwrap(), &headers, &Login::Nothing, now);
        assert!(failure.hint.is_some());
        (failure.code, failure.retry)
    }

    #[test]
    fn a_status_says_whether_to_come_back() {
        for status in [401, 403, 407] {
            assert_eq!(of(status, None), (Code::Denied, Retry::Never), "{status}");
        }
        for status in [202, 206, 300, 304, 400, 404, 405, 410, 418, 451] {
            assert_eq!(of(status, None), (Code::Unavailable, Retry::Never), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(of(status, None), (Code::Unavailable, Retry::Soon), "{status}");
        }
    }

    #[test]
    fn and_when_in_seconds_or_as_a_date() {
        let after = |value| of(503, Some(value)).1;
        assert_eq!(after(" 7 "), Retry::After(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:47 GMT"), Retry::After(Duration::from_secs(10)));
        assert_eq!(after("18446744073709551615"), Retry::After(LONGEST));
        for value in ["0", "-1", "soon", "", "Sun, 06 Nov 1994 08:49:36 GMT", "99999999999999999999999"] {
            assert_eq!(after(value), Retry::Soon, "{value}");
        }
    }
}
