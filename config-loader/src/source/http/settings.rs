//! What can be said about an HTTP source, and what of it makes no sense.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use chassis::{excerpt::excerpt, secret::Secret};
use ipnet::IpNet;
use reqwest::{
    Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};

use super::auth::{Credentials, Password};
use crate::file;

/// How a URL is asked for. It is checked by [`super::Http::new`].
#[derive(Clone, Default)]
pub struct HttpSettings {
    /// `http://` or `https://`. A user name and a password in it are sent as basic authentication.
    pub url: String,
    /// Headers that are sent along.
    pub headers: BTreeMap<String, String>,
    /// A file with a bearer token.
    pub bearer_file: Option<String>,
    /// A user name, and a file with the password.
    pub basic: Option<file::Basic>,
    /// Certificates.
    pub tls: file::Tls,
    /// A proxy, instead of those of the environment.
    pub proxy: Option<String>,
    /// Follows redirects from https to http.
    pub allow_http_redirect: bool,
    /// Addresses that are refused otherwise, as IPs or CIDRs.
    pub allow_addresses: Vec<String>,
}

impl From<&file::Http> for HttpSettings {
    /// What the file says. A URL that is missing is empty here, which is a fault.
    fn from(http: &file::Http) -> Self {
        let file::Http {
            url,
            headers,
            bearer_file,
            basic,
            tls,
            proxy,
            timeout: _,
            allow_http_redirect,
            allow_addresses,
        } = http.clone();
        Self {
            url: url.unwrap_or_default(),
            headers,
            bearer_file,
            basic,
            tls: tls.unwrap_or_default(),
            proxy,
            allow_http_redirect,
            allow_addresses,
        }
    }
}

/// What makes no sense in [`HttpSettings`] or the environment. It quotes no value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The setting, such as `url` or `tls.key_file`, or the variable of the environment.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Fault {
    pub(super) fn new(field: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), hint: hint.into() }
    }
}

/// The URL without credentials, and those, if it had some.
pub(super) fn url(text: &str) -> Result<(Url, Option<Credentials>), Fault> {
    let fault = |message: &str, hint: &str| Fault::new("url", message, hint);
    let mut url: Url = match text.parse() {
        Ok(url) => url,
        Err(_) if text.trim().is_empty() => {
            return Err(fault("missing", "write, for instance, https://config.example/prompt.txt"));
        }
        Err(_) => return Err(fault("is not a URL", "write, for instance, https://config.example/prompt.txt")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = excerpt(url.scheme());
        return Err(fault(&format!("has the scheme `{scheme}`"), "an HTTP source begins with http:// or https://"));
    }
    if url.port() == Some(0) {
        return Err(fault("has the port 0", "name the one that the server listens at, or none"));
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let given = (!url.username().is_empty() || url.password().is_some()).then(|| Credentials::Basic {
        username: decoded(url.username()),
        password: Password::Given(Secret::new(decoded(url.password().unwrap_or_default()))),
    });
    let _always_for_http = (url.set_username(""), url.set_password(None));
    url.set_fragment(None);
    Ok((url, given))
}

/// The credentials; at most one sort of them.
pub(super) fn credentials(settings: &HttpSettings, in_url: Option<Credentials>) -> Result<Credentials, Fault> {
    let bearer = settings.bearer_file.as_ref().map(|path| Credentials::Bearer(PathBuf::from(path)));
    let basic = settings.basic.as_ref().map(|basic| Credentials::Basic {
        username: basic.username.clone(),
        password: Password::File(PathBuf::from(&basic.password_file)),
    });
    if settings.basic.as_ref().is_some_and(|basic| basic.username.contains(':')) {
        return Err(Fault::new("basic.username", "has a colon", "HTTP has no way to send such a user name"));
    }
    let header = settings.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
    let sorts = [
        ("bearer_file", bearer.is_some()),
        ("basic", basic.is_some()),
        ("url", in_url.is_some()),
        ("headers.authorization", header),
    ];
    let given: Vec<_> = sorts.iter().filter(|(_, given)| *given).map(|(field, _)| *field).collect();
    if let [first, second, ..] = given.as_slice() {
        let message = format!("is a second way to log in, beside {first}");
        return Err(Fault::new(*second, message, "leave one of them"));
    }
    Ok(bearer.or(basic).or(in_url).unwrap_or(Credentials::None))
}

/// The headers. Those that belong to the connection or to what this program makes of the body are not for the settings.
pub(super) fn headers(settings: &BTreeMap<String, String>) -> Result<HeaderMap, Vec<Fault>> {
    let mut headers = HeaderMap::new();
    let mut faults = Vec::new();
    for (text, value) in settings {
        let field = format!("headers.{}", excerpt(text));
        let Ok(name) = text.parse::<HeaderName>() else {
            faults.push(Fault::new(field, "is no name of a header", "write letters, digits and dashes"));
            continue;
        };
        if OURS.contains(&name) {
            faults.push(Fault::new(field, "is set by this program", "leave it out"));
            continue;
        }
        match HeaderValue::from_str(value.trim()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            Err(_) => faults.push(Fault::new(field, "has a control character in it", "write one line of text")),
        }
    }
    if faults.is_empty() { Ok(headers) } else { Err(faults) }
}

const OURS: [HeaderName; 13] = [
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Our certificate is nothing without its key.
pub(super) fn certificates(tls: &file::Tls) -> Result<(), Fault> {
    let missing = |field: &str, other: &str| Fault::new(field, "missing", format!("{other} is of no use without it"));
    match (&tls.cert_file, &tls.key_file) {
        (Some(_), None) => Err(missing("tls.key_file", "tls.cert_file")),
        (None, Some(_)) => Err(missing("tls.cert_file", "tls.key_file")),
        _ => Ok(()),
    }
}

/// Addresses and networks.
pub(super) fn networks(texts: &[String]) -> Result<Vec<IpNet>, Vec<Fault>> {
    let mut networks = Vec::new();
    let mut faults = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(network) => networks.push(network),
            Err(_) => faults.push(Fault::new(
                format!("allow_addresses[{index}]"),
                format!("`{}` is neither an address nor a network", excerpt(text)),
                "write, for instance, 169.254.20.10 or 169.254.20.0/24",
            )),
        }
    }
    if faults.is_empty() { Ok(networks) } else { Err(faults) }
}
