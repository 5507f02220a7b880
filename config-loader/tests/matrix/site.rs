//! A web server with one file behind all that can be secret about it, and the same as a source of any file.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    set::{Set, Source},
    support::{
        http::{Reply, Server},
        tls::Authority,
    },
    web::{Script, secured, serve},
};

pub(crate) const TOOLS: &str = r#"[{"name": "search", "description": "canary", "input_schema": {"type": "object"}}]"#;

/// A server, with or without TLS, that has tools until it is told to be bad.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) script: Script,
    access: Access,
}

/// How a server is asked.
struct Access {
    authority: Option<Authority>,
    secrets: TempDir,
}

impl Access {
    fn new(secure: bool) -> Self {
        let secrets = tempfile::tempdir().unwrap();
        fs::write(secrets.path().join("bearer"), "canary-token\n").unwrap();
        Self { authority: secure.then(Authority::new), secrets }
    }

    fn url(&self, server: &Server, path: &str) -> String {
        match &self.authority {
            None => server.url(path),
            Some(_) => format!("https://localhost:{}{path}", server.address.port()),
        }
    }

    /// What a file says about this URL: with a query, a header and a token.
    fn source(&self, url: &str) -> Value {
        let bearer = self.secrets.path().join("bearer");
        let mut http =
            json!({"url": format!("{url}?token=canary"), "headers": {"x-team": "canary"}, "bearer_file": bearer});
        if let Some(authority) = &self.authority {
            http["tls"] = json!({ "ca_file": authority.path("ca.pem") });
        }
        json!({ "http": http })
    }
}

impl Site {
    pub(crate) fn new(secure: bool) -> Self {
        let script = Script::good(Reply::ok(TOOLS));
        let (access, answers) = (Access::new(secure), script.clone());
        let server = match &access.authority {
            None => serve(move |_| answers.next()),
            Some(authority) => (*secured(authority, move |_| answers.next())).clone(),
        };
        Self { server, script, access }
    }

    /// How messages call its file.
    pub(crate) fn place(&self) -> String {
        self.access.url(&self.server, "/tested")
    }

    pub(crate) fn source(&self) -> Value {
        self.access.source(&self.place())
    }

    /// Variables by which it is trusted.
    pub(crate) fn trusting(&self) -> Vec<(String, String)> {
        let authority = self.access.authority.iter().filter_map(|authority| authority.path("ca.pem"));
        authority.map(|path| ("SSL_CERT_FILE".to_owned(), path)).collect()
    }

    pub(crate) fn set(&self) -> Set {
        Set::of("tools", self.source())
    }
}

/// A server that has many files.
pub(crate) struct Files {
    server: Server,
    held: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    access: Access,
}

impl Files {
    pub(crate) fn new(secure: bool) -> Self {
        let (access, held) = (Access::new(secure), Arc::<Mutex<BTreeMap<String, Vec<u8>>>>::default());
        let files = Arc::clone(&held);
        let answer = move |path: &str| {
            let files = files.lock().unwrap();
            let file = path.split('?').next().and_then(|path| files.get(path.trim_start_matches('/')));
            file.map_or_else(|| Reply::new("404 Not Found", &[], "canary"), Reply::ok)
        };
        let server = match &access.authority {
            None => serve(move |request| answer(request.path())),
            Some(authority) => (*secured(authority, move |request| answer(request.path()))).clone(),
        };
        Self { server, held, access }
    }
}

impl Source for Files {
    fn having(&self, name: &str, bytes: &[u8]) -> Value {
        self.held.lock().unwrap().insert(name.to_owned(), bytes.to_vec());
        self.access.source(&self.place(name))
    }

    fn place(&self, name: &str) -> String {
        self.access.url(&self.server, &format!("/{name}"))
    }
}
