//! The config-loader of this pod, and the store that it loads from.
//!
//! What the environment names is loaded from there; what it does not, from a simulated store.

use std::path::Path;

use anyhow::Result;

use super::plan::{Environment, free_port};
use super::spec::{Probe, Role, Spec};
use crate::process::binary;

/// The variables of the drop-in form, and where the simulated store has what they name.
const SOURCES: [(&str, &str); 3] =
    [("PROMPT_URL", "/system-prompt.txt"), ("TOOLS_URL", "/tools.json"), ("GUARDRAILS_URL", "/guardrails.yaml")];

/// In a demonstration somebody is waiting: a store that is down is told of sooner than in a cluster.
const DEADLINE: &str = "10s";

/// The store, where anything is to come from it, and the config-loader that fills `directory`.
pub(super) fn specs(environment: &Environment, directory: &Path, termination: &Path) -> Result<(Option<Spec>, Spec)> {
    let given = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let mut env = vec![
        ("CONFIG_DIR", directory.display().to_string()),
        ("TERMINATION_LOG", termination.display().to_string()),
        ("CONFIG_LOADER_DEADLINE", given("CONFIG_LOADER_DEADLINE").map_or(DEADLINE, String::as_str).to_owned()),
    ];
    let mut store = None;
    if SOURCES.iter().any(|(name, _)| given(name).is_none()) {
        let address = free_port()?;
        for (name, path) in SOURCES.into_iter().filter(|(name, _)| given(name).is_none()) {
            env.push((name, format!("http://{address}{path}")));
        }
        // A proxy of this machine's is for the world outside.
        let except = given("NO_PROXY").or_else(|| given("no_proxy")).map_or("", String::as_str);
        env.push(("NO_PROXY", format!("{except},{}", address.ip())));
        store = Some(Spec {
            name: "simulated store",
            role: Role::World,
            program: binary("simulated-store")?,
            arguments: vec!["--listen".to_owned(), address.to_string()],
            env: Vec::new(),
            without: Vec::new(),
            ready: Some(Probe { address, path: "/system-prompt.txt" }),
            termination: None,
            remark: "has a prompt, tools and guardrails".to_owned(),
        });
    }
    let loader = Spec {
        name: "config-loader",
        role: Role::Init,
        program: binary("config-loader")?,
        arguments: Vec::new(),
        env,
        // A file would contradict the variables of the drop-in form.
        without: vec!["CONFIG_LOADER_CONFIG"],
        ready: None,
        termination: Some(termination.to_path_buf()),
        remark: format!("the set is in {}", directory.display()),
    };
    Ok((store, loader))
}

/// The variables by which somebody chose what is loaded.
pub(super) fn chosen(environment: &Environment) -> Vec<&'static str> {
    let is_given = |name: &&str| environment.get(*name).is_some_and(|value| !value.is_empty());
    SOURCES.into_iter().map(|(name, _)| name).filter(is_given).collect()
}
