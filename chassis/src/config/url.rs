//! What the address of a server may look like in a configuration.

use http::Uri;

/// Why a text is no address of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlFault {
    /// What is wrong.
    pub message: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

/// Reads an address: `http` or `https`, a host, perhaps a port and a path, and nothing beside that. None of the text is
/// in a fault, because a URL is a place where people put credentials.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse_url(text: &str) -> Result<Uri, Vec<UrlFault>> {
    let fault = |message, hint| UrlFault { message, hint };
    let parsed = text.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    let Some((uri, authority)) = parsed.and_then(|uri| uri.authority().cloned().map(|authority| (uri, authority)))
    else {
        return Err(vec![fault("is not an http(s) URL", "write, for instance, http://vllm.inference:8000/v1")]);
    };
    let server = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = server.strip_prefix(authority.host()).unwrap_or_default();
    let good_port =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|it| it > 0));
    let checks = [
        (authority.host().is_empty(), fault("has no host", "write, for instance, http://vllm.inference:8000/v1")),
        (
            !good_port,
            fault("has no port from 1 to 65535 after the host", "correct the number, or leave `:` and port out"),
        ),
        (authority.as_str().contains('@'), fault("has credentials in it", "keys go where keys are configured")),
        (uri.query().is_some(), fault("has a query", "cut off what begins with `?`")),
        // The parser drops it in silence.
        (text.contains('#'), fault("has a fragment", "cut off what begins with `#`")),
    ];
    let faults: Vec<UrlFault> = checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, fault)| fault).collect();
    if faults.is_empty() { Ok(uri) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<&'static str> {
        parse_url(text).err().unwrap_or_default().iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn an_address_is_a_host_perhaps_a_port_and_a_path() {
        for text in ["http://a", "https://a.b:443/v1/", "HTTP://[::1]:8000/v1", "http://10.0.0.1:1", "http://a:65535"] {
            assert_eq!(faults(text), [] as [&str; 0], "{text}");
        }
    }

    #[test]
    fn everything_wrong_with_it_is_told() {
        let no_url = "is not an http(s) URL";
        for text in ["", "a", "a:80", "ftp://a", "//a/v1", "/v1", "http://", "http:///v1", "http://a b"] {
            assert_eq!(faults(text), [no_url], "{text}");
        }
        let no_port = "has no port from 1 to 65535 after the host";
        for text in ["http://a:0", "http://a:65536/v1", "http://a:99999999999", "http://[::1]:0/v1", "http://a:/v1"] {
            assert_eq!(faults(text), [no_port], "{text}");
        }
        assert_eq!(faults("http://:8000/v1"), ["has no host"]);
        let all = faults("http://me:secret@a:0/v1?x=1#y");
        assert_eq!(all, [no_port, "has credentials in it", "has a query", "has a fragment"]);
    }
}
