//! Environment -> the processes of this pod.
//!
//! A vendor whose key is in the environment is the real one, else it is simulated. The simulated one that stands
//! first always fails, so that a failover can be seen.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::library::Library;
use super::loader;
use super::spec::{Probe, Role, Spec};
use crate::port;
use crate::process::binary;

/// The variables that this program was started with.
pub type Environment = BTreeMap<String, String>;

/// What the provider that is to fail answers with.
const FAILURE: u16 = 503;

/// A model provider as the pod sees it.
#[derive(Debug)]
pub(super) struct Provider {
    /// What the ambassador calls it: also its kind.
    pub name: &'static str,
    /// Where it is simulated; `None` for the real one.
    pub simulated: Option<SocketAddr>,
    pub fails: bool,
}

/// Where something listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port {
    pub at: SocketAddr,
    /// Where it is to be expected in the next pod: not here, where the usual port was taken.
    pub expected: SocketAddr,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub specs: Vec<Spec>,
    /// Where the agent asks the ambassador.
    pub port: Port,
    pub admin: SocketAddr,
    pub primary: Provider,
    pub fallback: Provider,
    /// Where the agent's set is: what an emptyDir at /config is in a cluster. Gone with the plan.
    pub config: PathBuf,
    pub library: Library,
    _folder: TempDir,
    /// What is not as a reader of the README would expect.
    pub notes: Vec<String>,
}

impl Plan {
    pub(super) fn of(environment: &Environment) -> Result<Self> {
        let mut notes = Vec::new();
        let port = Port::of(environment, "AMBASSADOR_LISTEN", usual(7070), "the ambassador listens on", &mut notes)?;
        let admin = Port::of(environment, "AMBASSADOR_ADMIN_LISTEN", usual(7071), "its admin port is", &mut notes)?.at;

        let (primary, fallback) = providers(environment)?;
        for real in [&primary, &fallback].into_iter().filter(|provider| provider.simulated.is_none()) {
            notes.push(format!(
                "{} is in the environment: requests to {} are real, and billed.",
                key_of(real.name),
                real.name
            ));
        }
        if !primary.fails {
            notes.push("Both providers are real, so nothing is made to fail.".into());
        }

        for name in loader::chosen(environment) {
            notes.push(format!("{name} is in the environment: the config-loader loads from there."));
        }

        let folder = TempDir::with_prefix("outrigger-").context("no temporary folder")?;
        let config = folder.path().join("config");
        let (store, loader) = loader::specs(environment, &config, &folder.path().join("termination-log"))?;
        let (library, looking_up) = Library::within(folder.path(), environment, &mut notes)?;
        let mut specs = Vec::from_iter(store);
        for provider in [&primary, &fallback] {
            specs.extend(simulation(provider)?);
        }
        let mut ambassador = ambassador(&primary, &fallback, port.at, admin)?;
        ambassador.env.push(("CONFIG_DIR", config.display().to_string()));
        specs.extend([loader, ambassador]);
        specs.extend(looking_up);
        Ok(Self { specs, port, admin, primary, fallback, config, library, _folder: folder, notes })
    }
}

/// Which provider stands first and which behind it. With one key the real one stands behind, where it answers.
fn providers(environment: &Environment) -> Result<(Provider, Provider)> {
    let has = |name| environment.get(key_of(name)).is_some_and(|key| !key.is_empty());
    let (first, second) =
        if has("anthropic") && !has("openai") { ("openai", "anthropic") } else { ("anthropic", "openai") };
    let provider = |name| -> Result<Provider> {
        Ok(Provider { name, simulated: if has(name) { None } else { Some(free_port()?) }, fails: false })
    };
    let mut primary = provider(first)?;
    primary.fails = primary.simulated.is_some();
    Ok((primary, provider(second)?))
}

/// The process that stands in for a provider, where one does.
fn simulation(provider: &Provider) -> Result<Option<Spec>> {
    let Some(address) = provider.simulated else { return Ok(None) };
    let mut arguments = vec!["--listen".to_owned(), address.to_string()];
    if provider.fails {
        arguments.extend(["--fail".to_owned(), FAILURE.to_string()]);
    }
    let remark =
        if provider.fails { format!("made to fail: answers {FAILURE} to everything") } else { "answers".into() };
    Ok(Some(Spec {
        name: if provider.name == "openai" { "simulated openai" } else { "simulated anthropic" },
        role: Role::World,
        program: binary("simulated-provider")?,
        arguments,
        env: Vec::new(),
        without: Vec::new(),
        ready: Some(Probe { address, path: "/_requests" }),
        termination: None,
        remark,
    }))
}

fn ambassador(primary: &Provider, fallback: &Provider, listen: SocketAddr, admin: SocketAddr) -> Result<Spec> {
    let mut env = vec![
        ("PRIMARY_PROVIDER", primary.name.to_owned()),
        ("FALLBACK_PROVIDER", fallback.name.to_owned()),
        ("AMBASSADOR_LISTEN", listen.to_string()),
        ("AMBASSADOR_ADMIN_LISTEN", admin.to_string()),
    ];
    for (provider, address) in
        [primary, fallback].into_iter().filter_map(|provider| Some((provider, provider.simulated?)))
    {
        // As in the vendors' own SDKs, OpenAI's base URL has the version in it and Anthropic's has not.
        let version = if provider.name == "openai" { "/v1" } else { "" };
        env.push((key_of(provider.name), "sk-simulated".to_owned()));
        env.push((url_of(provider.name), format!("http://{address}{version}")));
    }
    Ok(Spec {
        name: "ambassador",
        role: Role::Sidecar,
        program: binary("ambassador")?,
        arguments: Vec::new(),
        env,
        // A file would contradict the variables of the pod pattern.
        without: vec!["AMBASSADOR_CONFIG"],
        ready: Some(Probe { address: admin, path: "/health/ready" }),
        termination: None,
        remark: format!("admin port {admin}"),
    })
}

fn key_of(provider: &str) -> &'static str {
    if provider == "openai" { "OPENAI_API_KEY" } else { "ANTHROPIC_API_KEY" }
}

fn url_of(provider: &str) -> &'static str {
    if provider == "openai" { "OPENAI_BASE_URL" } else { "ANTHROPIC_BASE_URL" }
}

impl Port {
    /// What the environment gives; else the usual one where it is free; or any other, which is noted.
    pub(super) fn of(
        environment: &Environment,
        name: &str,
        usual: SocketAddr,
        what: &str,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        if let Some(given) = environment.get(name) {
            let at = given.parse().with_context(|| format!("{name}={given} is no address such as {usual}"))?;
            return Ok(Self { at, expected: at });
        }
        if TcpListener::bind(usual).is_ok() {
            return Ok(Self { at: usual, expected: usual });
        }
        let at = free_port()?;
        notes.push(format!("{usual} is taken on this machine, so {what} {at}."));
        Ok(Self { at, expected: usual })
    }
}

/// The port that the documentation says.
pub(super) const fn usual(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

pub(super) fn free_port() -> Result<SocketAddr> {
    port::free().context("no free port")
}
