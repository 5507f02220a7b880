//! The sidecar that a command asks: the one that runs, or else this process.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::{
    clock,
    config::Environment,
    exit::Code,
    metrics::Metrics,
    net::{Incoming, listen},
    secret::read_keys,
    shutdown::Drain,
    task,
    tls::Roots,
};
use context_sidecar::{
    api::App,
    assemble,
    config::{self, Loaded},
    scope::{Gatekeeper, TENANT},
    server::{self, Options},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use tokio::time::sleep;

use super::{Stopped, shown::Shown};

/// Where a sidecar is, unless it is said.
const USUAL: &str = "http://127.0.0.1:9090";

/// Enough to find out that nobody is there.
const KNOCK: Duration = Duration::from_secs(2);

/// How long a whole answer may take: a batch of documents is embedded in it.
const WITHIN: Duration = Duration::from_secs(10 * 60);

/// Longer than anybody wants to look at nothing.
const SILENCE: Duration = Duration::from_secs(3);

/// How often it is said again that somebody is waited for.
const REMINDER: Duration = Duration::from_secs(30);

/// Waiting for what is busy or down for a moment, within bounds and not in silence.
#[derive(Debug)]
pub(super) struct Wait {
    began: Instant,
    until: Instant,
    pause: Duration,
    told: Option<Instant>,
}

impl Wait {
    /// For so long at most.
    pub(super) fn within(patience: Duration) -> Self {
        let began = clock::now();
        Self { began, until: began + patience, pause: Duration::from_millis(250), told: None }
    }

    /// Waits a little, and says why where it becomes long. `false` where it has been long enough.
    pub(super) async fn a_little(&mut self, after: Option<Duration>, why: &str, shown: &Shown) -> bool {
        let (now, wait) = (clock::now(), after.unwrap_or(self.pause).min(Duration::from_secs(30)));
        if now + wait >= self.until {
            return false;
        }
        let is_due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= REMINDER);
        if is_due && (now + wait).saturating_duration_since(self.began) >= SILENCE {
            let left = self.until.saturating_duration_since(now).as_secs();
            shown.notice(&format!("{why}\n  trying again, for {left} s more at most"));
            self.told = Some(now);
        }
        sleep(wait).await;
        self.pause = (self.pause * 2).min(Duration::from_secs(10));
        true
    }
}

/// The sidecar that is asked. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Service {
    client: reqwest::Client,
    base: String,
    headers: HeaderMap,
    /// Ends the one that is this process.
    drain: Option<Drain>,
}

/// An answer that is an error.
#[derive(Debug)]
struct Refused {
    status: u16,
    message: String,
    retry_after: Option<Duration>,
}

impl Service {
    /// The one that `CONTEXT_SERVICE_URL` names; or the one at the usual place; or, where nobody is there, this process.
    pub(super) async fn reach(environment: &Environment, shown: &Shown) -> Result<Self, Stopped> {
        let named = environment.get("CONTEXT_SERVICE_URL");
        let base = named.unwrap_or(USUAL).trim_end_matches('/').to_owned();
        chassis::config::parse_url(&base).map_err(|faults| {
            let faults: Vec<&str> = faults.iter().map(|fault| fault.message).collect();
            Stopped::new(Code::Config, format!("CONTEXT_SERVICE_URL: {}", faults.join("; ")))
        })?;
        let https = base.starts_with("https:");
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(Roots::of(environment).client(https))
            .no_proxy()
            .connect_timeout(KNOCK)
            .timeout(WITHIN)
            .build()
            .map_err(|error| Stopped::new(Code::Software, format!("no HTTP client: {error}")))?;
        let service = Self { client, base, headers: headers(environment)?, drain: None };
        let knock = service.client.get(format!("{}/openapi.json", service.base)).timeout(KNOCK).send().await;
        match (knock, named) {
            (Ok(_), _) => Ok(service),
            (Err(error), Some(_)) => Err(Stopped::new(
                Code::Unavailable,
                format!(
                    "CONTEXT_SERVICE_URL: {} cannot be reached ({}): no sidecar runs there\nstart it (`context-sidecar`), \
                     name another one, or unset the variable to work on the store of the configuration without one",
                    service.base,
                    why(&error)
                ),
            )),
            (Err(_), None) => service.become_one(environment, shown),
        }
    }

    /// Serves on a port of this process's own, and asks there.
    fn become_one(self, environment: &Environment, shown: &Shown) -> Result<Self, Stopped> {
        let Loaded { mut settings, .. } = config::load(environment).map_err(|problems| {
            let message = format!(
                "no sidecar runs at {USUAL}: start one (`context-sidecar`), or name one (CONTEXT_SERVICE_URL)\nor let this \
                 command open the store itself, for which this is missing:\n{problems}"
            );
            Stopped::new(Code::Unavailable, message)
        })?;
        // Whoever may open the store may write to it: what is closed is the way over HTTP, and this is none but in name.
        settings.ingest.allow_write = true;
        let failed = |error: String| Stopped::new(Code::Unavailable, format!("context-sidecar: {error}"));
        let metrics = Metrics::new();
        let gatekeeper = Gatekeeper::new(settings.tenant.clone(), settings.token_file.as_deref())
            .map_err(|error| failed(error.to_string()))?;
        let pipeline = assemble::pipeline(&settings, &metrics, &Roots::of(environment)).map_err(failed)?;
        shown.notice(&format!("no sidecar answers at {USUAL}; opening {} here", pipeline.describe()));
        let drain = Drain::new();
        let app = App::new(Arc::new(pipeline), Arc::new(settings), gatekeeper, &metrics, drain.clone());
        let sockets = listen(&[([127, 0, 0, 1], 0).into()]).map_err(|error| failed(error.to_string()))?;
        let incoming = Incoming::new(sockets).map_err(|error| failed(error.to_string()))?;
        let address = incoming.addresses().first().map(ToString::to_string).unwrap_or_default();
        let options = Options { traces: false, connections: 64, seed: 0 };
        task::spawn(server::serve(app, incoming, drain.clone(), options));
        Ok(Self { base: format!("http://{address}"), drain: Some(drain), ..self })
    }

    /// Lets what is under way come to its end.
    pub(super) async fn end(self) {
        if let Some(drain) = self.drain {
            drop(self.client);
            let _ended = drain.drain(KNOCK).await;
        }
    }

    /// Asks, and asks again while it is busy or down.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        patience: Duration,
        shown: &Shown,
    ) -> Result<Value, Stopped> {
        let mut wait = Wait::within(patience);
        loop {
            let refused = match self.once(&method, path, body).await {
                Ok(answer) => return Ok(answer),
                Err(refused) => refused,
            };
            let may_pass = matches!(refused.status, 0 | 429 | 503 | 504);
            if !may_pass || !wait.a_little(refused.retry_after, &refused.message, shown).await {
                return Err(self.stopped(refused));
            }
        }
    }

    fn stopped(&self, refused: Refused) -> Stopped {
        let Refused { status, mut message, .. } = refused;
        if status == 403 && !self.headers.contains_key(TENANT) {
            message.push_str("\nthis command names no tenant: say whose documents by --tenant NAME, or CONTEXT_TENANT");
        }
        Stopped { too_large: status == 413, ..Stopped::new(code(status), message) }
    }

    async fn once(&self, method: &Method, path: &str, body: &Value) -> Result<Value, Refused> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.base)).headers(self.headers.clone());
        let request = if body.is_null() {
            request
        } else {
            request.header(header::CONTENT_TYPE, "application/json").body(body.to_string())
        };
        let unreachable = |error: reqwest::Error| Refused {
            status: 0,
            message: format!("{} cannot be reached ({})", self.base, why(&error)),
            retry_after: None,
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let after = response.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
        let bytes = response.bytes().await.map_err(unreachable)?;
        let value: Option<Value> = serde_json::from_slice(&bytes).ok();
        if let (true, Some(value)) = (status.is_success(), &value) {
            return Ok(value.clone());
        }
        let said = |field: &str| value.as_ref()?.pointer(&format!("/error/{field}"))?.as_str();
        let message = match (said("message"), said("param")) {
            (Some(message), Some(param)) => format!("{param}: {message}"),
            (Some(message), None) => message.to_owned(),
            (None, _) => format!("{} answers {status}, and says nothing that makes sense", self.base),
        };
        Err(Refused { status: status.as_u16(), message, retry_after: after.map(Duration::from_secs) })
    }
}

/// How a command ends that was refused.
fn code(status: u16) -> Code {
    match status {
        401 | 403 => Code::Denied,
        400 | 404 | 409 | 413 | 422 => Code::Data,
        504 => Code::Deadline,
        500 => Code::Software,
        _ => Code::Unavailable,
    }
}

/// Whose documents, as the environment says it.
fn headers(environment: &Environment) -> Result<HeaderMap, Stopped> {
    let mut headers = HeaderMap::new();
    if let Some(tenant) = environment.get("CONTEXT_TENANT") {
        let tenant = HeaderValue::from_bytes(tenant.as_bytes())
            .map_err(|_| Stopped::new(Code::Config, "CONTEXT_TENANT: has a character in it that names cannot have"))?;
        headers.insert(HeaderName::from_static(TENANT), tenant);
    }
    if let Some(path) = environment.get("CONTEXT_TOKEN_FILE") {
        let keys = read_keys(path.as_ref())
            .map_err(|error| Stopped::new(Code::Config, format!("CONTEXT_TOKEN_FILE: {error}")))?;
        if let Some(key) = keys.first()
            && let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", key.expose()))
        {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
    }
    Ok(headers)
}

/// Why it cannot be reached, without the address.
fn why(error: &reqwest::Error) -> String {
    let mut source = std::error::Error::source(error);
    let mut last = String::new();
    while let Some(inner) = source {
        last = inner.to_string();
        source = inner.source();
    }
    if last.is_empty() { "no answer".to_owned() } else { last }
}
