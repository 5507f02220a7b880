//! A Qdrant: the one that `QDRANT_URL` names, or a stand-in as a child process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chassis::config::Environment;
use chassis::tls::Roots;
use context_sidecar::store::qdrant::{Indexed, Qdrant, Settings};
use e2e::harness::free_port;

use crate::data::Names;
use crate::support::StandIn;

pub(crate) const ABSENT: &str = "there is neither QDRANT_URL nor ../shared/retrieval/fake_qdrant.py with a Python that has \
                                 qdrant-client (python3 -m venv target/qdrant; target/qdrant/bin/pip install qdrant-client)";

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server, killed when it is dropped if it is ours.
pub(crate) struct Server {
    _child: Option<StandIn>,
    url: String,
    key_file: Option<PathBuf>,
}

impl Server {
    pub(crate) fn start() -> Option<Self> {
        let environment = Environment::from_process();
        if let Some(url) = environment.get("QDRANT_URL") {
            let key_file = environment.get("QDRANT_API_KEY_FILE").map(PathBuf::from);
            return Some(Self { _child: None, url: url.to_owned(), key_file });
        }
        Self::stand_in(free_port(), &[])
    }

    /// The stand-in, at an address, with more arguments.
    pub(crate) fn stand_in(address: SocketAddr, arguments: &[&str]) -> Option<Self> {
        let child = StandIn::start(address, arguments)?;
        Some(Self { _child: Some(child), url: format!("http://{address}"), key_file: None })
    }

    /// A client of it.
    pub(crate) fn store(&self) -> Qdrant {
        let indexes = [("lang", Indexed::Keyword), ("year", Indexed::Number), ("draft", Indexed::Bool)];
        let settings = Settings {
            url: self.url.clone(),
            api_key_file: self.key_file.clone(),
            indexes: indexes.map(|(key, kind)| (key.to_owned(), kind)).to_vec(),
            ..Settings::default()
        };
        Qdrant::new(settings, &Roots::default()).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Drops what a case has made.
    pub(crate) async fn tidy(&self, names: &Names) {
        let client =
            reqwest::Client::builder().tls_backend_preconfigured(Roots::default().client(true)).build().unwrap();
        let key = self.key_file.as_ref().map(|path| std::fs::read_to_string(path).unwrap().trim().to_owned());
        for name in names.given() {
            let url = format!("{}/collections/{}", self.url.trim_end_matches('/'), name.as_str());
            let _ = client.delete(url).header("api-key", key.as_deref().unwrap_or_default()).send().await;
        }
    }
}
