//! Why there is no answer: what, where, and what to do. Nothing of a question or an answer is in it.

use std::{
    error::Error,
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use http::{HeaderMap, header::RETRY_AFTER};

use crate::breaker::Resting;

/// Nobody is waited for longer.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Why an endpoint did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection, or one that broke.
    #[error("{place}: cannot be reached ({why}); look whether the server is up and listens there")]
    Unreachable {
        /// Where.
        place: String,
        /// What the connection says.
        why: String,
    },
    /// It wants to know who we are, or knows and refuses.
    #[error("{place}: answers {status}; {}", login(.token.as_ref()))]
    Denied {
        /// Where.
        place: String,
        /// 401 or 403.
        status: u16,
        /// The file of the token that was sent.
        token: Option<PathBuf>,
    },
    /// Too many requests.
    #[error("{place}: answers 429, too many requests{}; ask for less at a time, or for a higher limit", after(*.retry_after))]
    TooMany {
        /// Where.
        place: String,
        /// When it may be asked again, where it says so.
        retry_after: Option<Duration>,
    },
    /// It failed itself: 5xx, and what is as good as that.
    #[error("{place}: answers {status}{}; look at that server's logs", after(*.retry_after))]
    Failed {
        /// Where.
        place: String,
        /// Which.
        status: u16,
        /// When it may be asked again, where it says so.
        retry_after: Option<Duration>,
    },
    /// It does not take what we ask: any other status.
    #[error("{place}: answers {status}; {}", advice(*.status))]
    Refused {
        /// Where.
        place: String,
        /// Which.
        status: u16,
    },
    /// The deadline came first.
    #[error("{place}: no answer within {} ms; look whether the server is overloaded, or give more time", .after.as_millis())]
    Late {
        /// Where.
        place: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// A page for people.
    #[error(
        "{place}: answers with an HTML page where {due} is due; look whether the URL leads to the API, and whether a proxy is in between"
    )]
    Html {
        /// Where.
        place: String,
        /// What should have come.
        due: &'static str,
    },
    /// Not what it should be.
    #[error("{place}: the answer is not {due}: it {why}; look whether the URL and the model are the right ones")]
    Shape {
        /// Where.
        place: String,
        /// What should have come.
        due: &'static str,
        /// What is wrong with it, to be read after "it".
        why: String,
    },
    /// More than is read.
    #[error("{place}: the answer is larger than {limit} bytes; ask for fewer at a time")]
    TooLarge {
        /// Where.
        place: String,
        /// The most that is read, in bytes.
        limit: usize,
    },
    /// It failed so often that it is left alone for a while.
    #[error("{place}: {resting}")]
    Resting {
        /// Where.
        place: String,
        /// When it is tried again, and why not now.
        resting: Resting,
    },
    /// There is no token to send.
    #[error("{message}")]
    Token {
        /// What is wrong with its file.
        message: String,
    },
}

impl Trouble {
    /// Whether the same may work a moment later.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TooMany { .. } | Self::Failed { .. })
    }

    /// When it may be tried again, where the server said so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after, .. } | Self::Failed { retry_after, .. } => *retry_after,
            Self::Resting { resting, .. } => Some(resting.wait),
            Self::Unreachable { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::Late { .. }
            | Self::Html { .. }
            | Self::Shape { .. }
            | Self::TooLarge { .. }
            | Self::Token { .. } => None,
        }
    }

    /// A word for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Denied { .. } => "denied",
            Self::TooMany { .. } => "too_many",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
            Self::Late { .. } => "late",
            Self::Html { .. } | Self::Shape { .. } | Self::TooLarge { .. } => "unusable",
            Self::Resting { .. } => "resting",
            Self::Token { .. } => "token",
        }
    }

    /// An answer whose status is not one of success. `now` is the time since 1970.
    pub(super) fn of_status(
        place: String,
        status: u16,
        headers: &HeaderMap,
        token: Option<PathBuf>,
        now: Duration,
    ) -> Self {
        let value = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = value.and_then(|value| wait(value, now));
        match status {
            401 | 403 => Self::Denied { place, status, token },
            429 => Self::TooMany { place, retry_after },
            408 | 425 | 500..=599 => Self::Failed { place, status, retry_after },
            _ => Self::Refused { place, status },
        }
    }

    pub(super) fn unreachable(place: String, error: &reqwest::Error) -> Self {
        // The innermost says what happened; the outer ones only where in the client.
        let causes = std::iter::successors(Some(error as &dyn Error), |&error| error.source());
        let why = causes.last().map(ToString::to_string).unwrap_or_default();
        Self::Unreachable { place, why }
    }
}

/// Seconds, or a date. A time that has passed says nothing.
fn wait(value: &str, now: Duration) -> Option<Duration> {
    let wait = match value.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(value.trim()).ok()?;
            date.duration_since(UNIX_EPOCH).ok()?.checked_sub(now)?
        }
    };
    Some(wait.min(LONGEST)).filter(|wait| !wait.is_zero())
}

fn after(wait: Option<Duration>) -> String {
    wait.map_or_else(String::new, |wait| format!(", to be asked again in {} s", wait.as_secs()))
}

fn login(token: Option<&PathBuf>) -> String {
    match token {
        Some(path) => format!("the token in {} is not accepted, or not for this model", path.display()),
        None => "it wants a token: name the file of one".to_owned(),
    }
}

const fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed: write the address that it leads to",
        404 | 405 => "check the URL (most have /v1 in it) and the name of the model",
        413 => "ask for fewer texts at a time, or for shorter ones",
        _ => "it does not take this request: check the URL, the model and the limits of that server",
    }
}

/// Whether this is a page for people.
pub(super) fn looks_like_html(body: &[u8]) -> bool {
    let head = body.trim_ascii_start();
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    head.first() == Some(&b'<')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, retry: Option<&str>) -> Trouble {
        let headers = retry.map(|retry| (RETRY_AFTER, retry.parse().unwrap())).into_iter().collect();
        Trouble::of_status("http://a/".to_owned(), status, &headers, None, Duration::from_secs(784_111_777))
    }

    #[test]
    fn a_status_says_whether_it_passes() {
        for status in [408, 425, 429, 500, 502, 503, 504, 529] {
            assert!(of(status, None).passes(), "{status}");
        }
        for status in [301, 304, 400, 401, 403, 404, 413, 422] {
            assert!(!of(status, None).passes(), "{status}");
        }
    }

    #[test]
    fn and_when() {
        let after = |value| of(429, Some(value)).retry_after();
        assert_eq!(after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(after("18446744073709551615"), Some(LONGEST));
        for value in ["0", "-1", "soon", "", "Sun, 06 Nov 1994 08:49:36 GMT"] {
            assert_eq!(after(value), None, "{value}");
        }
    }

    #[test]
    fn every_sentence_says_where_and_what_to_do() {
        for (trouble, says) in [
            (of(401, None), "http://a/: answers 401; it wants a token"),
            (of(404, None), "http://a/: answers 404; check the URL"),
            (of(429, Some("3")), "http://a/: answers 429, too many requests, to be asked again in 3 s; ask for less"),
            (of(502, None), "http://a/: answers 502; look at"),
            (of(307, None), "http://a/: answers 307; redirects are not followed"),
        ] {
            let told = trouble.to_string();
            assert!(told.starts_with(says), "{told}");
        }
    }
}
