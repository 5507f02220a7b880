//! Where a redirect may lead: decisions over URLs.

use reqwest::Url;

use crate::failure::{Failure, Retry};

/// As curl and browsers have it, roughly; a chain that is longer goes nowhere.
const MOST: usize = 10;

/// Where one fetch has been so far. The last one is where it is.
#[derive(Debug)]
pub(super) struct Trail {
    visited: Vec<Url>,
    here: Url,
}

/// What a redirect means for what is sent along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The same server.
    Same,
    /// Another host, scheme or port: nothing that was meant for the first may be sent there, now or later.
    Crossed,
}

impl Trail {
    pub(super) const fn starting(here: Url) -> Self {
        Self { visited: Vec::new(), here }
    }

    /// What is to be asked now.
    pub(super) const fn here(&self) -> &Url {
        &self.here
    }

    /// Where that is and how we came there, fit for a log.
    pub(super) fn place(&self) -> String {
        match self.visited.first() {
            None => location(&self.here),
            Some(first) => format!("{} (redirected from {})", location(&self.here), location(first)),
        }
    }

    /// Where redirects have led, if there was one; fit for a log.
    pub(super) fn resolved(&self) -> Option<String> {
        self.visited.first().map(|_| location(&self.here))
    }

    /// Goes to where `target` points, as seen from here.
    ///
    /// # Errors
    /// It is no URL of HTTP, it gives up TLS, or it leads round in a circle.
    pub(super) fn follow(&mut self, target: &str, allow_http: bool) -> Result<Step, Failure> {
        let place = self.place();
        let mut next = self.here.join(target).map_err(|_| {
            Failure::unavailable(format!("{place}: redirects to what is no URL")).with_retry(Retry::Never)
        })?;
        if !matches!(next.scheme(), "http" | "https") {
            return Err(Failure::denied(format!("{place}: redirects to a {}: URL", next.scheme()))
                .with_hint("only http and https are followed"));
        }
        // Whoever redirects does not choose what we log in with.
        let _always_for_http = (next.set_username(""), next.set_password(None));
        next.set_fragment(None);
        if self.here.scheme() == "https" && next.scheme() == "http" && !allow_http {
            let message = format!("{place}: redirects from https to {}", location(&next));
            return Err(Failure::denied(message).with_hint("allow_http_redirect permits it"));
        }
        let step = if next.origin() == self.here.origin() { Step::Same } else { Step::Crossed };
        self.visited.push(std::mem::replace(&mut self.here, next));
        if let Some(circle) = self.visited.iter().position(|url| *url == self.here) {
            let stations = self.visited.iter().skip(circle).chain([&self.here]).map(location).collect::<Vec<_>>();
            let message = format!("redirects lead round in a circle: {}", stations.join(" -> "));
            return Err(gone_astray(message));
        }
        if self.visited.len() > MOST {
            return Err(gone_astray(format!("{place}: more than {MOST} redirects")));
        }
        Ok(step)
    }
}

fn gone_astray(message: String) -> Failure {
    Failure::unavailable(message)
        .with_retry(Retry::Never)
        .with_hint("open the URL by hand; a page that asks for a login often redirects so")
}

/// A URL without what may be secret in it: credentials, query and fragment.
pub(super) fn location(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    format!("{origin}{}", url.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chassis::exit::Code;

    fn trail(url: &str) -> Trail {
        Trail::starting(url.parse().unwrap())
    }

    #[test]
    fn a_relative_target_stays_and_another_host_port_or_scheme_is_a_crossing() {
        for (target, step) in [
            ("/b", Step::Same),
            ("c?d=e", Step::Same),
            ("https://a.example:443/x", Step::Same),
            ("//b.example/", Step::Crossed),
            ("https://a.example:8443/", Step::Crossed),
            ("http://a.example/", Step::Crossed),
            ("https://sub.a.example/", Step::Crossed),
        ] {
            assert_eq!(trail("https://a.example/a").follow(target, true), Ok(step), "{target}");
        }
    }

    #[test]
    fn tls_is_not_given_up_unless_that_is_allowed() {
        let failure = trail("https://a.example/a?token=1").follow("http://a.example/b?token=2", false).unwrap_err();
        assert_eq!(failure.code, Code::Denied);
        assert_eq!(
            failure.to_string(),
            "https://a.example/a: redirects from https to http://a.example/b; allow_http_redirect permits it"
        );
        assert_eq!(trail("http://a.example/").follow("https://a.example/", false), Ok(Step::Crossed));
    }

    #[test]
    fn only_http_is_followed() {
        for target in ["file:///etc/passwd", "ftp://a/", "javascript:alert(1)", "data:text/plain,x"] {
            assert_eq!(trail("http://a/").follow(target, true).unwrap_err().code, Code::Denied, "{target}");
        }
        assert_eq!(trail("http://a/").follow("http://[", true).unwrap_err().code, Code::Unavailable);
    }

    #[test]
    fn a_circle_is_named_station_by_station() {
        let mut trail = trail("http://a/start");
        for target in ["/one", "http://b/two?x=secret", "http://a/one"] {
            match trail.follow(target, false) {
                Ok(_) => {}
                Err(failure) => {
                    let told = "redirects lead round in a circle: http://a/one -> http://b/two -> http://a/one";
                    assert_eq!((failure.message.as_str(), failure.retry), (told, Retry::Never));
                    return;
                }
            }
        }
        panic!("it was not found out");
    }

    #[test]
    fn ten_are_followed_and_no_more() {
        let mut trail = trail("http://a/0");
        for n in 1..=10 {
            assert_eq!(trail.follow(&format!("/{n}"), false), Ok(Step::Same), "{n}");
        }
        let failure = trail.follow("/11", false).unwrap_err();
        assert_eq!(failure.message, "http://a/10 (redirected from http://a/0): more than 10 redirects");
    }

    #[test]
    fn credentials_in_a_target_are_dropped() {
        let mut trail = trail("http://a/");
        trail.follow("http://me:secret@b/x#y", false).unwrap();
        assert_eq!(trail.here().as_str(), "http://b/x");
    }
}
