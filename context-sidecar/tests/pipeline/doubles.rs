//! An embedder, a reranker and a store that do as they are told.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use context_core::{
    filter::Filter,
    point::{Point, PointId},
    scope::{Collection, Scope, Tenant},
};
use context_sidecar::{
    embed::{Embedder, Purpose},
    http::{Call, Trouble},
    rerank::{Ranked, Rerank},
    store::{Fault, Found, Kind, Legs, Store, Which, embedded::Embedded},
};
use tempfile::TempDir;

pub(crate) fn down(place: &str) -> Trouble {
    Trouble::Unreachable { place: place.to_owned(), why: "connection refused".to_owned() }
}

/// Words count where their hashes say: texts with the same words mean the same.
#[derive(Debug)]
pub(crate) struct Embeds {
    pub(crate) model: &'static str,
    pub(crate) is_down: AtomicBool,
    /// How many texts were embedded to be found.
    pub(crate) embedded: AtomicUsize,
}

const WIDTH: usize = 64;

impl Embeds {
    pub(crate) fn new(model: &'static str) -> Arc<Self> {
        Arc::new(Self { model, is_down: AtomicBool::new(false), embedded: AtomicUsize::new(0) })
    }
}

fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![0.01_f32; WIDTH];
    for word in text.to_lowercase().split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = word.bytes().fold(7_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        vector[hash % WIDTH] += 1.0;
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.iter().map(|number| number / length).collect()
}

#[async_trait]
impl Embedder for Embeds {
    fn model(&self) -> &str {
        self.model
    }

    fn dimension(&self) -> Option<usize> {
        Some(WIDTH)
    }

    fn describe(&self) -> String {
        self.model.to_owned()
    }

    async fn embed(&self, texts: &[&str], purpose: Purpose, _: &Call) -> Result<Vec<Vec<f32>>, Trouble> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(down("embedder"));
        }
        if purpose == Purpose::Document {
            self.embedded.fetch_add(texts.len(), Ordering::SeqCst);
        }
        Ok(texts.iter().map(|text| vector(text)).collect())
    }
}

/// The last of what it is given is the best.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    pub(crate) is_down: AtomicBool,
    pub(crate) asked: Mutex<Vec<usize>>,
}

#[async_trait]
impl Rerank for Turns {
    fn describe(&self) -> String {
        "reranker".to_owned()
    }

    async fn rerank(&self, _: &str, documents: &[&str], top: usize, _: &Call) -> Result<Vec<Ranked>, Trouble> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(down("reranker"));
        }
        self.asked.lock().unwrap().push(documents.len());
        let ranked = (0..documents.len()).rev().map(|index| Ranked { index, score: index as f32 });
        Ok(ranked.take(top).collect())
    }
}

/// How a store is to fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fails {
    Never,
    /// Always.
    Always,
    /// It does not answer.
    Hangs,
    /// It does not answer one kind of call.
    HangsOver(&'static str),
    /// The call of this number from now on, before it is done ...
    Before(usize),
    /// ... or after.
    After(usize),
}

/// An embedded store that fails, and may be written to by others.
#[derive(Debug)]
pub(crate) struct Shaky {
    store: Embedded,
    fails: Mutex<Fails>,
    calls: Mutex<Vec<&'static str>>,
    /// Given in full while it is looked for, and gone when it is fetched.
    pub(crate) vanishing: Mutex<HashSet<PointId>>,
    vanish_always: AtomicBool,
    /// Of the next points that are put, only so many get there.
    pub(crate) halves: Mutex<Option<usize>>,
    /// So much time is gone when it has said which chunks there are.
    pub(crate) lag: Mutex<Duration>,
    _directory: Arc<TempDir>,
}

impl Shaky {
    pub(crate) fn new() -> Arc<Self> {
        Self::with_ceiling(100_000)
    }

    /// With room for so many chunks.
    pub(crate) fn with_ceiling(ceiling: usize) -> Arc<Self> {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let store = Embedded::with_ceiling(directory.path(), ceiling).unwrap();
        Arc::new(Self::over(store, directory))
    }

    fn over(store: Embedded, directory: Arc<TempDir>) -> Self {
        let (fails, calls, vanishing) = (Mutex::new(Fails::Never), Mutex::default(), Mutex::default());
        Self {
            store,
            fails,
            calls,
            vanishing,
            vanish_always: AtomicBool::new(false),
            halves: Mutex::new(None),
            lag: Mutex::default(),
            _directory: directory,
        }
    }

    /// Another door to the same.
    pub(crate) fn twin(&self) -> Arc<Self> {
        Arc::new(Self::over(self.store.clone(), Arc::clone(&self._directory)))
    }

    pub(crate) fn fail(&self, how: Fails) {
        *self.fails.lock().unwrap() = how;
    }

    pub(crate) fn vanish_always(&self) {
        self.vanish_always.store(true, Ordering::SeqCst);
    }

    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    async fn shaken<T: Send>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        self.calls.lock().unwrap().push(what);
        let fault = || Err(Fault::Unavailable("the store is down".to_owned()));
        let now = {
            let mut fails = self.fails.lock().unwrap();
            let now = *fails;
            match now {
                Fails::Before(left) => *fails = if left == 0 { Fails::Always } else { Fails::Before(left - 1) },
                Fails::After(left) => *fails = if left == 0 { Fails::Always } else { Fails::After(left - 1) },
                Fails::Never | Fails::Always | Fails::Hangs | Fails::HangsOver(_) => {}
            }
            now
        };
        match now {
            Fails::Always | Fails::Before(0) => fault(),
            Fails::HangsOver(call) if call != what => work.await,
            Fails::Hangs | Fails::HangsOver(_) => {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
                fault()
            }
            Fails::After(0) => {
                let _ = work.await;
                fault()
            }
            Fails::Never | Fails::Before(_) | Fails::After(_) => {
                // Whoever else is there has a turn.
                tokio::task::yield_now().await;
                work.await
            }
        }
    }
}

#[async_trait]
impl Store for Shaky {
    fn describe(&self) -> String {
        "store".to_owned()
    }

    async fn collection(&self, name: &Collection) -> Result<Option<Kind>, Fault> {
        self.shaken("collection", self.store.collection(name)).await
    }

    async fn collections(&self) -> Result<Vec<Collection>, Fault> {
        self.shaken("collections", self.store.collections()).await
    }

    async fn count(&self, scope: &Scope, now: u64) -> Result<u64, Fault> {
        self.shaken("count", self.store.count(scope, now)).await
    }

    async fn has_key(&self, scope: &Scope, key: &str, now: u64) -> Result<bool, Fault> {
        self.shaken("has_key", self.store.has_key(scope, key, now)).await
    }

    async fn keys(&self, scope: &Scope, now: u64) -> Result<Vec<String>, Fault> {
        self.shaken("keys", self.store.keys(scope, now)).await
    }

    async fn prolong(&self, scope: &Scope, filter: &Filter, expires: u64) -> Result<(), Fault> {
        self.shaken("prolong", self.store.prolong(scope, filter, expires)).await
    }

    async fn create(&self, name: &Collection, kind: &Kind) -> Result<(), Fault> {
        self.shaken("create", self.store.create(name, kind)).await
    }

    async fn search(&self, scope: &Scope, legs: &Legs, filter: Option<&Filter>, now: u64) -> Result<Found, Fault> {
        self.shaken("search", self.store.search(scope, legs, filter, now)).await
    }

    async fn get(&self, scope: &Scope, ids: &[PointId], vectors: bool, now: u64) -> Result<Vec<Point>, Fault> {
        let mut points = self.shaken("get", self.store.get(scope, ids, vectors, now)).await?;
        let mut vanishing = self.vanishing.lock().unwrap();
        let always = self.vanish_always.load(Ordering::SeqCst);
        points.retain(|point| !always && !vanishing.remove(&point.id));
        Ok(points)
    }

    async fn chunks(&self, scope: &Scope, documents: &[String], now: u64) -> Result<Vec<Point>, Fault> {
        let chunks = self.shaken("chunks", self.store.chunks(scope, documents, now)).await;
        let lag = *self.lag.lock().unwrap();
        std::thread::sleep(lag);
        chunks
    }

    async fn documents(
        &self,
        scope: &Scope,
        filter: Option<&Filter>,
        after: Option<&str>,
        limit: usize,
        now: u64,
    ) -> Result<Vec<(String, u32)>, Fault> {
        self.shaken("documents", self.store.documents(scope, filter, after, limit, now)).await
    }

    async fn put(&self, scope: &Scope, points: &[Point]) -> Result<(), Fault> {
        let half = self.halves.lock().unwrap().take();
        if let Some(most) = half {
            self.store.put(scope, &points[..most.min(points.len())]).await?;
            return Err(Fault::Unavailable("the store is down".to_owned()));
        }
        self.shaken("put", self.store.put(scope, points)).await
    }

    async fn delete(&self, scope: &Scope, which: &Which) -> Result<u64, Fault> {
        self.shaken("delete", self.store.delete(scope, which)).await
    }

    async fn expire(&self, collection: &Collection, now: u64) -> Result<Vec<Tenant>, Fault> {
        self.shaken("expire", self.store.expire(collection, now)).await
    }

    async fn ping(&self) -> Result<(), Fault> {
        self.shaken("ping", self.store.ping()).await
    }
}
