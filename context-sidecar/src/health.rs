//! Whether work can be taken: the store answers, and the collection is of the kind that is due. It is looked at every few
//! seconds and remembered in between, and nobody is asked who takes money for it: an embedder that is down leaves the search
//! by words.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chassis::{admin::Readiness, clock, shutdown::Drain, task};
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};

use crate::{
    config::Settings,
    http::Call,
    pipeline::Pipeline,
    store::{Kind, Store},
};

/// How often it is looked.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks.
    pub every: Duration,
    /// And while it is not ready: who waits for it wants to know at once.
    pub soon: Duration,
    /// Between two sweeps of what has expired.
    pub sweep: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { every: Duration::from_secs(5), soon: Duration::from_millis(500), sweep: Duration::from_secs(60) }
    }
}

/// How long a sweep may take.
const SWEEP_WITHIN: Duration = Duration::from_secs(60);

/// A store that takes longer is not there.
const WITHIN: Duration = Duration::from_secs(3);

/// What readiness answers say beside ready or not. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Details(Arc<Mutex<Map<String, Value>>>);

impl Details {
    /// As they are now.
    #[must_use]
    pub fn now(&self) -> Map<String, Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn say(&self, key: &str, value: impl Into<Value>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), value.into());
    }
}

/// Looks until the process ends; returns after the first look.
pub async fn watch(
    pipeline: Arc<Pipeline>,
    settings: Arc<Settings>,
    readiness: Readiness,
    details: Details,
    drain: Drain,
    pace: Pace,
) {
    look(&pipeline, &settings, &readiness, &details).await;
    task::spawn(sweep(Arc::clone(&pipeline), drain.clone(), pace.sweep));
    task::spawn(async move {
        while !drain.is_draining() {
            let is_ready = readiness.verdict() == chassis::admin::Verdict::Yes;
            sleep(if is_ready { pace.every } else { pace.soon }).await;
            look(&pipeline, &settings, &readiness, &details).await;
        }
    });
}

/// Removes what has expired, until the process ends. By itself: a store takes its time for it.
async fn sweep(pipeline: Arc<Pipeline>, drain: Drain, every: Duration) {
    while !drain.is_draining() {
        sleep(every).await;
        pipeline.sweep(clock::unix().as_secs(), &Call::until(clock::now() + SWEEP_WITHIN)).await;
    }
}

async fn look(pipeline: &Pipeline, settings: &Settings, readiness: &Readiness, details: &Details) {
    let store = &*pipeline.store;
    details.say("store", store.describe());
    details.say("model", settings.embeddings.as_ref().map(|embeddings| embeddings.settings.model.clone()));
    let verdict = timeout(WITHIN, verdict(store, settings)).await;
    let verdict = verdict.unwrap_or_else(|_| Err(format!("{} does not answer within {WITHIN:?}", store.describe())));
    match verdict {
        Ok(()) => {
            pipeline.store_answers();
            readiness.ready(true, "");
        }
        Err(reason) => {
            if readiness.verdict() == chassis::admin::Verdict::Yes {
                tracing::warn!(reason, "not ready");
            }
            readiness.ready(false, reason);
        }
    }
}

async fn verdict(store: &dyn Store, settings: &Settings) -> Result<(), String> {
    store.ping().await.map_err(|fault| fault.to_string())?;
    let name = &settings.collection;
    // One that is not there yet is made by the first document.
    let Some(Kind { dense }) = store.collection(name).await.map_err(|fault| fault.to_string())? else { return Ok(()) };
    let wanted = settings.embeddings.as_ref().map(|embeddings| embeddings.settings.model.as_str());
    match (dense, wanted) {
        (Some((model, _)), Some(wanted)) if model != wanted => Err(format!(
            "the collection `{name}` is for vectors of `{model}`, and EMBEDDINGS_MODEL is `{wanted}`: set it back, or ingest \
             into a new collection"
        )),
        (None, Some(_)) => Err(format!(
            "the collection `{name}` is for words only, and EMBEDDINGS_MODEL is set: unset it, or ingest into a new \
             collection"
        )),
        (Some(_), _) | (None, None) => Ok(()),
    }
}
