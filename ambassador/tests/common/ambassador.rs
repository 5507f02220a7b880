//! The ambassador itself, in this process, on a port of its own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ambassador::{
    gateway::Gateway,
    server::{self, Options},
};
use ambassador_config::Settings;
use chassis::{
    config::Environment,
    metrics::Metrics,
    net::Incoming,
    shutdown::{Drain, Drained},
    task,
    tls::Roots,
};

use super::client::{Answer, Client};

/// A key that must not be seen anywhere but upstream.
pub(crate) const KEY: &str = "sk-canary-4f1d9c";

/// A running ambassador. It takes no more connections once it is dropped.
pub(crate) struct Ambassador {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Arc<Gateway>,
    metrics: Metrics,
    drain: Drain,
}

impl Ambassador {
    /// One that is configured by this file.
    pub(crate) fn start(file: &str) -> Self {
        let environment = Environment::from_pairs([("KEY", KEY)]);
        Self::with(ambassador_config::from_text(file, &environment).unwrap().settings)
    }

    /// One that is configured by this file and believes certificates that go back to `roots`.
    pub(crate) fn trusting(roots: &Roots, file: &str) -> Self {
        let environment = Environment::from_pairs([("KEY", KEY)]);
        Self::of(ambassador_config::from_text(file, &environment).unwrap().settings, roots)
    }

    /// One with these settings.
    pub(crate) fn with(settings: Settings) -> Self {
        Self::of(settings, &Roots::default())
    }

    /// One that is its own provider.
    pub(crate) fn in_a_circle() -> Self {
        let incoming = incoming();
        let file = alone(incoming.addresses()[0], "");
        let settings = ambassador_config::from_text(&file, &Environment::from_pairs([("KEY", KEY)])).unwrap().settings;
        Self::on(incoming, settings, &Roots::default())
    }

    fn of(settings: Settings, roots: &Roots) -> Self {
        Self::on(incoming(), settings, roots)
    }

    /// One with room for so many clients.
    pub(crate) fn with_room_for(connections: usize, file: &str) -> Self {
        let environment = Environment::from_pairs([("KEY", KEY)]);
        let settings = ambassador_config::from_text(file, &environment).unwrap().settings;
        Self::serving(incoming(), settings, &Roots::default(), connections)
    }

    fn on(incoming: Incoming, settings: Settings, roots: &Roots) -> Self {
        Self::serving(incoming, settings, roots, usize::MAX)
    }

    fn serving(incoming: Incoming, settings: Settings, roots: &Roots, connections: usize) -> Self {
        let metrics = Metrics::new();
        let gateway = Arc::new(Gateway::new(settings, &metrics, 1, roots).unwrap());
        let drain = Drain::new();
        let address = incoming.addresses()[0];
        task::spawn(server::serve(
            Arc::clone(&gateway),
            incoming,
            drain.clone(),
            Options { traces: false, connections },
        ));
        Self { address, gateway, metrics, drain }
    }

    /// What a chat request is answered, on a connection of its own.
    pub(crate) async fn chat(&self, body: &str) -> Answer {
        let mut client = Client::connect(self.address).await;
        client.chat(body).await;
        client.answer().await
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.drain.in_flight()
    }

    /// The end of the process, with this much grace.
    pub(crate) fn end(&self, grace: Duration) -> impl Future<Output = Drained> + Send + use<> {
        let drain = self.drain.clone();
        async move { drain.drain(grace).await }
    }

    /// The metrics as they are scraped.
    pub(crate) fn scrape(&self) -> String {
        self.metrics.encode()
    }

    /// The value of a series, by its name with its labels as they are written; `None` where there is none.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let scrape = self.scrape();
        scrape.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }
}

/// A port of one's own.
fn incoming() -> Incoming {
    Incoming::new(chassis::net::listen(&[([127, 0, 0, 1], 0).into()]).unwrap()).unwrap()
}

impl Drop for Ambassador {
    fn drop(&mut self) {
        self.drain.begin();
    }
}

/// A provider `name` at an address, and a target of it with these time-outs (`""` for none of its own).
pub(crate) fn target(name: &str, address: SocketAddr, timeouts: &str) -> (String, String) {
    let provider =
        format!("  {name}: {{ kind: openai-compatible, base_url: 'http://{address}/v1', keys: [ {{ env: KEY }} ] }}\n");
    (provider, format!("      - {{ provider: {name}, timeouts: {{ {timeouts} }} }}\n"))
}

/// A file with one provider, `primary`, for every model.
pub(crate) fn alone(address: SocketAddr, timeouts: &str) -> String {
    let (provider, target) = target("primary", address, timeouts);
    format!("providers:\n{provider}routes:\n  - model: '*'\n    targets:\n{target}")
}

/// A file with two: `primary` with these time-outs, then `fallback`.
pub(crate) fn with_fallback(primary: SocketAddr, fallback: SocketAddr, timeouts: &str) -> String {
    let (first, first_target) = target("primary", primary, timeouts);
    let (second, second_target) = target("fallback", fallback, "");
    format!("providers:\n{first}{second}routes:\n  - model: '*'\n    targets:\n{first_target}{second_target}")
}
