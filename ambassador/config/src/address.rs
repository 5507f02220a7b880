//! The address of a provider: what it may look like, and where it may not lead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ambassador_core::provider::Provider;
use chassis::{
    config::{Environment, Problems, parse_url},
    net::{self, parse_listen},
};
use http::Uri;

use crate::settings::Listen;

/// Where an ambassador listens that listens on loopback.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Checks an address and cuts the slash at its end.
pub(crate) fn base_url(
    kind: &dyn Provider,
    url: &str,
    place: &str,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<String> {
    let uri = match parse_url(url) {
        Ok(uri) => uri,
        Err(faults) => {
            for fault in faults {
                problems.push_hint(place, fault.message, fault.hint);
            }
            return None;
        }
    };
    if is_ours(&uri, environment) {
        problems.push_hint(
            place,
            "is where this ambassador listens itself: it would ask itself for ever",
            "write where the provider is, or let AMBASSADOR_LISTEN have another port",
        );
        return None;
    }
    let url = url.trim_end_matches('/');
    if kind.kind() == "anthropic" {
        if url.ends_with("/v1") {
            problems.push_hint(place, "ends in /v1, which the kind anthropic adds by itself", "cut /v1 off");
            return None;
        }
    } else if let Some(end) = ["/chat/completions", "/embeddings"].into_iter().find(|end| url.ends_with(end)) {
        problems.warn(place, format!("ends in {end}, which is added once more"), format!("cut {end} off"));
    } else if !uri.path().split('/').any(is_version) {
        let message = "has no version in its path, and most engines serve OpenAI's API below /v1";
        problems.warn(place, message, format!("try {url}/v1"));
    }
    Some(url.to_owned())
}

/// `v1`, `v4`, `v1beta`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// Whether a request to `uri` would come back to us.
fn is_ours(uri: &Uri, environment: &Environment) -> bool {
    let Ok(listen) = parse_listen(environment.get("AMBASSADOR_LISTEN").unwrap_or(Listen::DATA)) else { return false };
    let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    if uri.port_u16().unwrap_or(default_port) != listen.port() {
        return false;
    }
    reached(uri.host().unwrap_or_default()).into_iter().any(|ip| match listen {
        net::Listen::Any(_) => ip.is_loopback(),
        net::Listen::Loopback(_) => LOOPBACK.contains(&ip),
        net::Listen::Exactly(ours) => ours.ip() == ip,
    })
}

/// Where a connection to `host` ends, as far as that is known without asking anybody.
fn reached(host: &str) -> Vec<IpAddr> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return LOOPBACK.to_vec();
    }
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        // To connect to no address in particular is to connect to the loopback.
        Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => vec![Ipv4Addr::LOCALHOST.into()],
        Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => vec![Ipv6Addr::LOCALHOST.into()],
        Ok(ip) => vec![ip],
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_v_and_a_digit() {
        for (segment, version) in [("v1", true), ("v1beta", true), ("v", false), ("vllm", false), ("1", false)] {
            assert_eq!(is_version(segment), version, "{segment}");
        }
    }

    #[test]
    fn where_it_listens_it_does_not_ask() {
        let asks_itself = |listen: &str, url: &str| {
            is_ours(&url.parse().unwrap(), &Environment::from_pairs([("AMBASSADOR_LISTEN", listen)]))
        };
        for url in
            ["http://localhost:7070/v1", "http://127.0.0.1:7070", "http://a.localhost:7070", "https://0.0.0.0:7070/"]
        {
            for listen in ["", "127.0.0.1:7070", "localhost:7070", "0.0.0.0:7070", ":7070"] {
                assert!(asks_itself(listen, url), "{listen} {url}");
            }
            for listen in ["127.0.0.1:7072", "127.0.0.2:7070", "10.0.0.5:7070", "localhost", "127.0.0.1:0"] {
                assert!(!asks_itself(listen, url), "{listen} {url}");
            }
        }
        assert!(
            asks_itself("[::1]:7070", "http://[::1]:7070/v1") && asks_itself("[::1]:7070", "http://localhost:7070")
        );
        assert!(
            asks_itself(":7070", "http://127.1.2.3:7070") && !asks_itself("127.0.0.1:7070", "http://127.1.2.3:7070")
        );
        assert!(asks_itself("10.0.0.5:7070", "http://10.0.0.5:7070/v1"));
        assert!(asks_itself("127.0.0.1:80", "http://LOCALHOST./v1") && asks_itself(":443", "https://0.0.0.0"));
        assert!(asks_itself(":7070", "http://[::]:7070") && asks_itself(":7070", "http://[::ffff:127.0.0.1]:7070"));
        for url in
            ["http://vllm:7070/v1", "http://10.0.0.6:7070/v1", "http://localhost:8000/v1", "http://localhost.com:7070"]
        {
            assert!(!asks_itself(":7070", url), "{url}");
        }
    }
}
