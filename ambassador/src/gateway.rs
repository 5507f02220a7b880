//! What every request shares.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ambassador_config::{Limits, Settings};
use ambassador_core::{
    catalog,
    route::{self, Router},
};
use chassis::{clock, metrics::Metrics, shutdown::Drain, tls::Roots};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
};
use tokio::sync::Semaphore;

use crate::{
    conversations::Conversations,
    metrics::Series,
    pool,
    upstream::{Unusable, Upstream},
};

/// The configured ambassador.
#[derive(Debug)]
pub struct Gateway {
    /// Which models go where.
    pub router: Router,
    /// The providers, by the index that candidates name.
    pub upstreams: Vec<Arc<Upstream>>,
    /// What one request may take.
    pub limits: Limits,
    /// What is counted.
    pub series: Arc<Series>,
    /// Conversations seen lately.
    pub conversations: Arc<Conversations>,
    /// The end of the process: what is still streamed when it is hurried says so to its caller.
    pub drain: Drain,
    /// Slots for requests in flight.
    pub slots: Arc<Semaphore>,
    draws: AtomicU64,
}

impl Gateway {
    /// A gateway by its settings, its series registered in `metrics`. `seed` decides the draws among targets of a tier;
    /// upstreams are believed whose certificates go back to `roots`.
    ///
    /// # Errors
    /// When an upstream cannot be used.
    pub fn new(settings: Settings, metrics: &Metrics, seed: u64, roots: &Roots) -> Result<Self, Unusable> {
        let Settings { upstreams, router, limits, prices, listen: _ } = settings;
        let any_tls = upstreams.iter().any(|upstream| upstream.base_url.starts_with("https:"));
        let connector = pool::connector(roots.client(any_tls));
        let models = known_models(&router);
        let series = Arc::new(Series::new(metrics, models, prices.into_iter().collect::<HashMap<_, _>>()));
        let upstreams = upstreams
            .into_iter()
            .map(|upstream| {
                let answered = series.attempt(&upstream.name, "answered");
                Upstream::new(upstream, connector.clone(), answered).map(Arc::new)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let conversations = Arc::new(Conversations::default());
        let active = ActiveConversations(Arc::clone(&conversations));
        metrics.within(|registry| registry.register_collector(Box::new(active)));
        let slots = Arc::new(Semaphore::new(limits.max_in_flight.min(Semaphore::MAX_PERMITS)));
        Ok(Self {
            router,
            upstreams,
            limits,
            series,
            conversations,
            drain: Drain::new(),
            slots,
            draws: AtomicU64::new(seed),
        })
    }

    /// A random number.
    pub fn draw(&self) -> u64 {
        route::mix(self.draws.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }
}

/// The models that get labels of their own from the start.
fn known_models(router: &Router) -> Vec<String> {
    let mut models: Vec<String> = router.models().into_iter().map(|(model, _)| model).collect();
    models.extend(router.target_models());
    models.extend(
        router.upstreams().iter().filter_map(|it| catalog::default_model(it.provider.kind())).map(str::to_owned),
    );
    models.sort_unstable();
    models.dedup();
    models
}

/// The gauge of conversations, counted when it is asked for.
#[derive(Debug)]
struct ActiveConversations(Arc<Conversations>);

impl Collector for ActiveConversations {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let active = i64::try_from(self.0.active(clock::now())).unwrap_or(i64::MAX);
        let gauge = ConstGauge::new(active);
        let help = "Conversations that had a request in the last five minutes";
        let metric = encoder.encode_descriptor("active_conversations", help, None, gauge.metric_type())?;
        gauge.encode(metric)
    }
}
