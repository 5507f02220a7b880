//! What this pod can look things up in: a context-sidecar, and a few documents that are put into it.
//!
//! It searches by words. A simulated provider's embeddings say nothing of what a text means, and a ranking by them would
//! only look like one.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::plan::{Environment, Port, usual};
use super::spec::{Probe, Role, Spec};
use crate::process::binary;

/// Each document's name, and what it says.
const DOCUMENTS: [(&str, &str); 6] = [
    ("bailing.md", include_str!("../documents/bailing.md")),
    ("lashings.md", include_str!("../documents/lashings.md")),
    ("outrigger.md", include_str!("../documents/outrigger.md")),
    ("paddles.md", include_str!("../documents/paddles.md")),
    ("sails.md", include_str!("../documents/sails.md")),
    ("wayfinding.md", include_str!("../documents/wayfinding.md")),
];

/// Whose they are.
const TENANT: &str = "canoe";

/// What would contradict the variables of the pod pattern, or have another search than the one described here.
const WITHOUT: [&str; 8] = [
    "CONTEXT_CONFIG",
    "CONTEXT_COLLECTION",
    "CONTEXT_TOKEN_FILE",
    "QDRANT_URL",
    "QDRANT_API_KEY_FILE",
    "EMBEDDINGS_URL",
    "EMBEDDINGS_MODEL",
    "RERANK_URL",
];

#[derive(Debug)]
pub(super) struct Library {
    pub port: Port,
    /// Where the documents are as files.
    pub folder: PathBuf,
}

impl Library {
    /// Lays the documents into `folder`; and the processes: the sidecar, and what puts them into it.
    pub(super) fn within(
        folder: &Path,
        environment: &Environment,
        notes: &mut Vec<String>,
    ) -> Result<(Self, [Spec; 2])> {
        let port = Port::of(environment, "CONTEXT_LISTEN", usual(9090), "the context-sidecar listens on", notes)?;
        let admin = Port::of(environment, "CONTEXT_ADMIN_LISTEN", usual(9091), "its admin port is", notes)?.at;
        let documents = folder.join("documents");
        fs::create_dir(&documents).context("no folder for the documents")?;
        for (name, text) in DOCUMENTS {
            fs::write(documents.join(name), text).with_context(|| format!("cannot write {name}"))?;
        }
        let specs = [sidecar(port.at, admin, &folder.join("data"))?, ingest(port.at, &documents)?];
        Ok((Self { port, folder: documents }, specs))
    }

    /// The names of all of them, in order.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        DOCUMENTS.iter().map(|(name, _)| *name)
    }

    /// What stands in a document's file from one character to before another.
    pub(super) fn quote(&self, document: &str, start: usize, end: usize) -> Result<String> {
        let path = self.folder.join(document);
        let text = fs::read_to_string(&path).with_context(|| format!("{document} is cited, but is no document"))?;
        Ok(text.chars().skip(start).take(end.saturating_sub(start)).collect())
    }
}

fn sidecar(listen: SocketAddr, admin: SocketAddr, data: &Path) -> Result<Spec> {
    Ok(Spec {
        name: "context-sidecar",
        role: Role::Sidecar,
        program: binary("context-sidecar")?,
        arguments: Vec::new(),
        env: vec![
            ("CONTEXT_LISTEN", listen.to_string()),
            ("CONTEXT_ADMIN_LISTEN", admin.to_string()),
            ("CONTEXT_TENANT", TENANT.to_owned()),
            ("CONTEXT_DATA_DIR", data.display().to_string()),
        ],
        without: WITHOUT.to_vec(),
        ready: Some(Probe { address: admin, path: "/health/ready" }),
        termination: None,
        remark: format!("admin port {admin}; searches by words: simulated embeddings mean nothing"),
    })
}

/// In a cluster this is whoever has the documents; here it is done before an agent would start.
fn ingest(listen: SocketAddr, documents: &Path) -> Result<Spec> {
    Ok(Spec {
        name: "ingest",
        role: Role::Init,
        program: binary("context-sidecar")?,
        arguments: vec!["ingest".to_owned(), documents.display().to_string()],
        env: vec![("CONTEXT_SERVICE_URL", format!("http://{listen}")), ("CONTEXT_TENANT", TENANT.to_owned())],
        without: WITHOUT.to_vec(),
        ready: None,
        termination: None,
        remark: format!("context-sidecar ingest {}", documents.display()),
    })
}
