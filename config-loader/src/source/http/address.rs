//! Addresses that nothing is fetched from: where clouds serve credentials to whoever asks from within.
//!
//! A URL's own address is looked at before it is asked, and the addresses of a name where they are resolved for the
//! connection: what was looked at is what is connected to, so that a name cannot change its mind in between.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use ipnet::IpNet;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// The names under which Google and AWS serve credentials. A proxy would resolve them for us.
const METADATA_NAMES: [&str; 5] =
    ["metadata.google.internal", "metadata.goog", "metadata", "instance-data.ec2.internal", "instance-data"];

/// What they stand for.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Where clouds serve credentials outside of the link-local range: Alibaba, Azure, Oracle.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];

/// The same for AWS and Google.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

/// How names become addresses.
#[async_trait]
pub trait Names: Send + Sync {
    /// The addresses of a name.
    ///
    /// # Errors
    /// There is no such name, or nobody to ask.
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// As the system does it: `/etc/hosts`, then DNS with the pod's search domains.
#[derive(Debug, Clone, Copy)]
pub(super) struct System;

#[async_trait]
impl Names for System {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// An address that nothing is fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forbidden {
    host: String,
    address: IpAddr,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, address } = self;
        let named = host.trim_matches(['[', ']']).parse() == Ok(*address);
        let stands_for = if named { String::new() } else { format!(", which is {address}") };
        write!(f, "{host}{stands_for}: a link-local or metadata address, where clouds serve credentials")
    }
}

impl std::error::Error for Forbidden {}

/// Which addresses may be connected to.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    allowed: Vec<IpNet>,
}

impl Rules {
    /// All but the usual ones, and of those the ones in `allowed`.
    pub(super) const fn allowing(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Looks at what can be told from a URL alone: an address in it, or a name that clouds gave their own.
    pub(super) fn look_at(&self, url: &Url) -> Result<(), Forbidden> {
        let Some(host) = url.host_str() else { return Ok(()) };
        if METADATA_NAMES.iter().any(|name| host.trim_end_matches('.').eq_ignore_ascii_case(name)) {
            return self.admit(host, METADATA.into());
        }
        // The parser has written every form of an address (hexadecimal, one number) in the usual one.
        host.trim_matches(['[', ']']).parse().map_or(Ok(()), |address| self.admit(host, address))
    }

    fn admit(&self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        let meant = meant(address);
        let allowed = self.allowed.iter().any(|net| net.contains(&address) || net.contains(&meant));
        if allowed || !sensitive(meant) { Ok(()) } else { Err(Forbidden { host: host.to_owned(), address }) }
    }
}

/// The address that is reached: IPv4 hides in some of IPv6.
fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let embedded = Ipv4Addr::from(u32::from(g) << 16 | u32::from(h));
    match [a, b, c, d, e, f] {
        // Mapped; NAT64; compatible, which is no more than a relic, but `::1` is none.
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => embedded.into(),
        [0, 0, 0, 0, 0, 0] if g != 0 => embedded.into(),
        _ => address,
    }
}

fn sensitive(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || METADATA_V4.contains(&v4),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || METADATA_V6.contains(&v6),
    }
}

/// Resolves names for connections, and refuses those that lead where nothing is fetched from.
pub(super) struct Guard {
    pub(super) names: Arc<dyn Names>,
    pub(super) rules: Rules,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, rules, name) = (Arc::clone(&self.names), self.rules.clone(), name.as_str().to_owned());
        Box::pin(async move {
            let addresses = names.look_up(&name).await?;
            if addresses.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address").into());
            }
            // One bad address is enough: which of them is connected to is decided by who answers first.
            addresses.iter().try_for_each(|&address| rules.admit(&name, address))?;
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, allowed: &[&str]) -> bool {
        let rules = Rules::allowing(allowed.iter().map(|net| net.parse().unwrap()).collect());
        rules.look_at(&url.parse().unwrap()).is_err()
    }

    #[test]
    fn credentials_of_clouds_are_out_of_reach_in_every_notation() {
        for host in [
            "169.254.169.254",
            "169.254.0.1:8080",
            "0xa9fea9fe",
            "2852039166",
            "0251.0376.0251.0376",
            "[fe80::1]",
            "[febf::1]",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[::169.254.169.254]",
            "[64:ff9b::169.254.169.254]",
            "[fd00:ec2::254]",
            "[fd20:ce::254]",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "metadata.google.internal",
            "Metadata.Google.Internal.",
        ] {
            assert!(refused(&format!("http://{host}/latest"), &[]), "{host}");
        }
    }

    #[test]
    fn the_cluster_and_the_world_are_in_reach() {
        for host in ["127.0.0.1", "[::1]", "10.0.0.1", "192.168.1.1", "172.16.0.1", "[fd00::1]", "8.8.8.8", "a.example"]
        {
            assert!(!refused(&format!("http://{host}/"), &[]), "{host}");
        }
    }

    #[test]
    fn what_is_allowed_is_allowed_and_nothing_beside_it() {
        assert!(!refused("http://169.254.20.10/", &["169.254.20.10/32"]));
        assert!(!refused("http://[::ffff:169.254.20.10]/", &["169.254.20.0/24"]));
        assert!(refused("http://169.254.169.254/", &["169.254.20.10/32", "10.0.0.0/8"]));
        assert!(!refused("http://metadata.google.internal/", &["169.254.169.254/32"]));
        assert!(!refused("http://[fe80::1]/", &["fe80::/10"]));
    }

    #[test]
    fn what_is_refused_is_named() {
        let rules = Rules::default();
        let told = |host: &str, address: &str| rules.admit(host, address.parse().unwrap()).unwrap_err().to_string();
        let why = "a link-local or metadata address, where clouds serve credentials";
        assert_eq!(told("a.example", "169.254.1.1"), format!("a.example, which is 169.254.1.1: {why}"));
        assert_eq!(told("[fe80::1]", "fe80::1"), format!("[fe80::1]: {why}"));
    }
}
