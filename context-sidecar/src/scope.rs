//! Whose request it is: the one place where that is decided, for every route and every door. It fails closed.
//!
//! The tenant is that of the configuration, or the one that a caller names in `x-tenant-id` and proves that it may. Nothing
//! in a body or a query says whose it is.

use std::{
    fmt,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use chassis::secret::{KeyFileError, Secret, read_keys};
use context_core::scope::Tenant;
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, ORIGIN},
};

use crate::failure::{Failure, Kind};

/// The header in which a caller names its tenant.
pub const TENANT: &str = "x-tenant-id";

/// Decides whose a request is.
#[derive(Debug)]
pub struct Gatekeeper {
    tenant: Option<Tenant>,
    tokens: Option<Tokens>,
}

impl Gatekeeper {
    /// For the tenant of the configuration, and the file with the tokens that prove a caller; either may be missing.
    ///
    /// # Errors
    /// The file cannot be read, or has no token in it.
    pub fn new(tenant: Option<Tenant>, token_file: Option<&Path>) -> Result<Self, KeyFileError> {
        Ok(Self { tenant, tokens: token_file.map(Tokens::at).transpose()? })
    }

    /// Whose a request with these headers is.
    ///
    /// # Errors
    /// 403 where that is not clear, or not proven.
    pub fn tenant(&self, headers: &HeaderMap) -> Result<Tenant, Failure> {
        let refuse = |message: &str| Err(Failure::new(Kind::Forbidden, message).about(TENANT));
        let mut named = headers.get_all(TENANT).iter();
        let (first, second) = (named.next(), named.next());
        if second.is_some() {
            return refuse("The request names its tenant twice: send the header once.");
        }
        let given = match first.map(|header| std::str::from_utf8(header.as_bytes()).map(str::parse::<Tenant>)) {
            None => None,
            Some(Ok(Ok(tenant))) => Some(tenant),
            Some(Ok(Err(error))) => return refuse(&format!("The tenant's name {error}.")),
            Some(Err(_)) => return refuse("The tenant's name is not UTF-8."),
        };
        // Whoever gives this sidecar a token wants it asked for, whosever the documents are.
        if self.tenant.is_some() && self.tokens.as_ref().is_some_and(|tokens| !tokens.prove(headers)) {
            return refuse(
                "The request does not prove itself: send `authorization: Bearer ...` with the token of \
                 CONTEXT_TOKEN_FILE.",
            );
        }
        match (&self.tenant, given) {
            (Some(ours), None) => Ok(ours.clone()),
            (Some(ours), Some(given)) if *ours == given => Ok(given),
            (Some(_), Some(_)) => {
                refuse("This sidecar serves one tenant (CONTEXT_TENANT), and the request is for another one.")
            }
            (None, None) => refuse(
                "The request says nothing about whose documents it is about: set CONTEXT_TENANT for this sidecar, or send \
                 x-tenant-id with the bearer token of CONTEXT_TOKEN_FILE.",
            ),
            (None, Some(given)) => match &self.tokens {
                None => refuse(
                    "This sidecar believes nobody who names a tenant, as it has no CONTEXT_TOKEN_FILE: set that, or \
                     CONTEXT_TENANT.",
                ),
                Some(tokens) if tokens.prove(headers) => Ok(given),
                Some(_) => refuse(
                    "The request names a tenant and does not prove that it may: send `authorization: Bearer ...` with the \
                     token of CONTEXT_TOKEN_FILE.",
                ),
            },
        }
    }
}

/// Refuses what comes from a web page of elsewhere: a browser lets any page talk to a server of its user's machine. What is
/// no browser names no origin.
///
/// # Errors
/// 403.
pub(crate) fn refuse_pages(headers: &HeaderMap) -> Result<(), Failure> {
    let is_here = |origin: &HeaderValue| {
        let host = origin.to_str().ok().and_then(|origin| origin.parse::<http::Uri>().ok());
        host.is_some_and(|uri| matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]")))
    };
    if headers.get_all(ORIGIN).iter().all(is_here) {
        return Ok(());
    }
    Err(Failure::new(Kind::Forbidden, "The request comes from a web page of another machine (`origin`)."))
}

/// What differs when a file is another one, or was written to: device, inode, length, time of the last change.
type Stamp = (u64, u64, u64, i64, i64);

/// The tokens that prove a caller: several while they are being changed. The file is read anew when it has changed.
struct Tokens {
    path: PathBuf,
    known: Mutex<(Option<Stamp>, Vec<Secret>)>,
}

impl Tokens {
    fn at(path: &Path) -> Result<Self, KeyFileError> {
        let stamp = stamp(path);
        Ok(Self { path: path.to_owned(), known: Mutex::new((stamp, read_keys(path)?)) })
    }

    /// Whether these headers have one of the tokens. How long it takes says nothing about how much of it is right.
    fn prove(&self, headers: &HeaderMap) -> bool {
        let Some(given) = bearer(headers) else { return false };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.path);
        if now.is_none() || now != known.0 {
            match read_keys(&self.path) {
                Ok(tokens) => *known = (now, tokens),
                // Whoever takes the file away takes the proof away.
                Err(error) => {
                    tracing::warn!(%error, "no caller can prove itself");
                    *known = (None, Vec::new());
                }
            }
        }
        known.1.iter().fold(false, |proven, token| (*token == given) | proven)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokens").field(&self.path).finish()
    }
}

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    // Of two, nobody knows which one is meant.
    let (Some(given), None) = (given.next(), given.next()) else { return None };
    let (scheme, token) = given.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim().to_owned()))
}

fn stamp(path: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.dev(), about.ino(), about.len(), about.mtime(), about.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn told(keeper: &Gatekeeper, pairs: &[(&'static str, &str)]) -> Result<String, Kind> {
        keeper.tenant(&headers(pairs)).map(|tenant| tenant.to_string()).map_err(|failure| failure.kind)
    }

    #[test]
    fn without_a_tenant_and_without_a_proof_it_is_nobodys() {
        let nobody = Gatekeeper::new(None, None).unwrap();
        let one = Gatekeeper::new(Some("acme".parse().unwrap()), None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "right\n").unwrap();
        let many = Gatekeeper::new(None, Some(&path)).unwrap();
        let both = Gatekeeper::new(Some("acme".parse().unwrap()), Some(&path)).unwrap();

        let (right, wrong) = (("authorization", "Bearer right"), ("authorization", "Bearer wrong"));
        let (acme, globex) = (("x-tenant-id", "acme"), ("x-tenant-id", "globex"));
        let (no, yes) = (Err(Kind::Forbidden), |name: &str| Ok(name.to_owned()));
        for (keeper, pairs, due) in [
            (&nobody, vec![], no.clone()),
            (&nobody, vec![acme], no.clone()),
            (&nobody, vec![acme, right], no.clone()),
            (&one, vec![], yes("acme")),
            (&one, vec![acme], yes("acme")),
            (&one, vec![globex], no.clone()),
            (&one, vec![globex, right], no.clone()),
            (&one, vec![wrong], yes("acme")),
            (&many, vec![], no.clone()),
            (&many, vec![right], no.clone()),
            (&many, vec![acme], no.clone()),
            (&many, vec![acme, wrong], no.clone()),
            (&many, vec![acme, ("authorization", "right")], no.clone()),
            (&many, vec![acme, ("authorization", "Basic right")], no.clone()),
            (&many, vec![acme, ("authorization", "Bearer ")], no.clone()),
            (&many, vec![acme, right], yes("acme")),
            (&many, vec![globex, ("authorization", "bearer right")], yes("globex")),
            (&many, vec![acme, acme, right], no.clone()),
            (&many, vec![("x-tenant-id", ""), right], no.clone()),
            (&many, vec![("x-tenant-id", "a b"), right], no.clone()),
            (&many, vec![("x-tenant-id", "\u{e4}cme"), right], yes("\u{e4}cme")),
            (&both, vec![], no.clone()),
            (&both, vec![wrong], no.clone()),
            (&both, vec![right], yes("acme")),
            (&both, vec![acme, right], yes("acme")),
            (&many, vec![acme, right, wrong], no.clone()),
            (&both, vec![globex, right], no.clone()),
        ] {
            assert_eq!(told(keeper, &pairs), due, "{keeper:?} {pairs:?}");
        }
    }

    #[test]
    fn a_page_of_elsewhere_is_refused_and_what_is_no_page_is_not() {
        for (origin, is_refused) in [
            ("https://evil.example", true),
            ("null", true),
            ("http://localhost.evil.example", true),
            ("http://localhost:3000", false),
            ("http://127.0.0.1:9090", false),
        ] {
            assert_eq!(refuse_pages(&headers(&[("origin", origin)])).is_err(), is_refused, "{origin}");
        }
        assert!(refuse_pages(&HeaderMap::new()).is_ok());
        assert!(refuse_pages(&headers(&[("origin", "http://localhost"), ("origin", "http://evil.example")])).is_err());
    }

    #[test]
    fn a_token_is_what_is_in_the_file_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first").unwrap();
        let keeper = Gatekeeper::new(None, Some(&path)).unwrap();
        let proves = |token: &str| {
            told(&keeper, &[("x-tenant-id", "acme"), ("authorization", &format!("Bearer {token}"))]).is_ok()
        };
        assert!(proves("first") && !proves("second"));
        std::fs::write(&path, "second\nthird").unwrap();
        assert!(!proves("first") && proves("second") && proves("third"));
        std::fs::write(&path, "").unwrap();
        assert!(!proves("second") && !proves(""));
        std::fs::remove_file(&path).unwrap();
        assert!(!proves("second"));
        std::fs::write(&path, "fourth").unwrap();
        assert!(proves("fourth"));
        assert!(!format!("{keeper:?}").contains("fourth"));
    }
}
