//! The proxies that are asked instead of the server itself: the one of the settings, else those of the environment.

use chassis::config::Environment;
use reqwest::{ClientBuilder, NoProxy, Proxy, Url};

use super::settings::Fault;

/// Whom a proxy is for.
type Kind = fn(Url) -> reqwest::Result<Proxy>;

/// The proxies, and whom they are for.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    proxies: Vec<(Url, Proxy)>,
}

impl Proxies {
    /// The one of the settings, else what `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    ///
    /// # Errors
    /// One of them is no URL of a proxy. None of it is quoted: this is where people have a password.
    pub(super) fn choose(setting: Option<&str>, environment: &Environment) -> Result<Self, Vec<Fault>> {
        let mut made = Self::default();
        if let Some(text) = setting {
            made.add("proxy", text, Proxy::all).map_err(|fault| vec![fault])?;
            return Ok(made);
        }
        let except = variable(environment, "NO_PROXY").and_then(|(_, list)| NoProxy::from_string(&spelled_out(list)));
        let kinds: [(_, Kind); 3] =
            [("HTTP_PROXY", Proxy::http), ("HTTPS_PROXY", Proxy::https), ("ALL_PROXY", Proxy::all)];
        let mut faults = Vec::new();
        for (name, kind) in kinds {
            let Some((name, text)) = variable(environment, name) else { continue };
            faults.extend(made.add(&name, text, |url| Ok(kind(url)?.no_proxy(except.clone()))).err());
        }
        if faults.is_empty() { Ok(made) } else { Err(faults) }
    }

    fn add(&mut self, field: &str, text: &str, make: impl Fn(Url) -> reqwest::Result<Proxy>) -> Result<(), Fault> {
        let fault = |message| Fault::new(field, message, "write, for instance, http://proxy.example:3128");
        let text = text.trim();
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url: Url = full.parse().map_err(|_| fault("is not the URL of a proxy"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(fault("is not the URL of an HTTP proxy; others, such as SOCKS, are not supported"));
        }
        let proxy = make(url.clone()).map_err(|_| fault("is not the URL of a proxy"))?;
        self.proxies.push((url, proxy));
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.proxies.is_empty()
    }

    /// Where they are.
    pub(super) fn urls(&self) -> impl Iterator<Item = &Url> {
        self.proxies.iter().map(|(url, _)| url)
    }

    /// A client that asks them, and no others.
    pub(super) fn apply(&self, client: ClientBuilder) -> ClientBuilder {
        self.proxies.iter().fold(client.no_proxy(), |client, (_, proxy)| client.proxy(proxy.clone()))
    }
}

/// These variables are written in both cases, and nobody agrees on one.
fn variable<'a>(environment: &'a Environment, name: &str) -> Option<(String, &'a str)> {
    [name.to_owned(), name.to_ascii_lowercase()].into_iter().find_map(|name| {
        let value = environment.get(&name)?;
        Some((name, value))
    })
}

/// `NO_PROXY` as others take it, in the words of the library: there, `*` stands for names alone and `*.example` for none.
fn spelled_out(list: &str) -> String {
    let entries = list.split([',', ' ']).filter(|entry| !entry.is_empty()).map(|entry| match entry {
        "*" => "*,0.0.0.0/0,::/0",
        _ => entry.strip_prefix('*').unwrap_or(entry),
    });
    entries.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(setting: Option<&str>, variables: &[(&str, &str)]) -> Result<Vec<String>, Vec<String>> {
        match Proxies::choose(setting, &Environment::from_pairs(variables.iter().copied())) {
            Ok(proxies) => Ok(proxies.urls().map(ToString::to_string).collect()),
            Err(faults) => Err(faults.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect()),
        }
    }

    #[test]
    fn the_settings_come_before_the_environment() {
        let variables = [("HTTP_PROXY", "http://a:1"), ("https_proxy", "b:2"), ("NO_PROXY", "*")];
        assert_eq!(chosen(Some("c:3"), &variables).unwrap(), ["http://c:3/"]);
        assert_eq!(chosen(None, &variables).unwrap(), ["http://a:1/", "http://b:2/"]);
        assert_eq!(chosen(None, &[]).unwrap(), [""; 0]);
    }

    #[test]
    fn those_who_need_no_proxy_may_be_written_in_several_ways() {
        assert_eq!(spelled_out("*"), "*,0.0.0.0/0,::/0");
        assert_eq!(spelled_out(" *.svc, .a.example 10.0.0.0/8,,b"), ".svc,.a.example,10.0.0.0/8,b");
    }

    #[test]
    fn every_fault_is_told_and_no_password() {
        let variables = [("HTTP_PROXY", "http://me:secret@:1"), ("all_proxy", "socks5://me:secret@a:1080")];
        let faults = chosen(None, &variables).unwrap_err();
        assert_eq!(faults.len(), 2);
        assert!(faults[0].starts_with("HTTP_PROXY is not"), "{faults:?}");
        assert!(faults[1].starts_with("all_proxy is not the URL of an HTTP proxy"), "{faults:?}");
        assert!(!faults.concat().contains("secret"));
    }
}
