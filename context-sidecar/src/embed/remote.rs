//! A server that makes vectors.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable as _};
use chassis::clock;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Semaphore;

use super::{
    Dialect, Embedder, Memory, Purpose, Settings, batch,
    flight::{self, Flights, Pilot, Place},
    memory::Key,
    vector,
    wire::{OpenAiAnswer, OpenAiQuestion, TeiQuestion, Vector},
};
use crate::{
    breaker::{Gate, Outcome},
    http::{Call, Client, Endpoint, Token, Trouble},
    metrics::Series,
};

/// How often the same is tried, the first time counted.
const TRIES: usize = 4;

/// A call with less time than this that comes too late says nothing about the server.
const FAIR: Duration = Duration::from_secs(1);

/// A server that makes vectors.
pub struct Remote {
    endpoint: Endpoint,
    settings: Settings,
    dimension: OnceLock<usize>,
    memory: Memory,
    flights: Flights,
    documents: Semaphore,
    /// Slots of their own: somebody waits for a query, and nobody is to wait for a whole ingest.
    queries: Semaphore,
    gate: Gate,
    series: Option<Series>,
}

/// A text that is to be embedded by us.
struct Task<'t> {
    text: &'t str,
    key: Key,
    pilot: Pilot<'t>,
}

impl Remote {
    /// The server at `base`.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn at(
        client: &Client,
        base: &str,
        token: Option<Arc<Token>>,
        settings: Settings,
        memory: Memory,
    ) -> Result<Self, String> {
        Ok(Self {
            endpoint: Endpoint::new(client, base, settings.dialect.path(), token)?,
            dimension: OnceLock::new(),
            memory,
            flights: Flights::default(),
            documents: Semaphore::new(settings.at_once.max(1)),
            queries: Semaphore::new(settings.at_once.max(1)),
            gate: Gate::new(settings.breaker.clone()),
            settings,
            series: None,
        })
    }

    /// The same, whose look-ups in its memory are counted.
    #[must_use]
    pub fn counted(self, series: Series) -> Self {
        Self { series: Some(series), ..self }
    }

    /// Whether it is left alone, for the metrics.
    #[must_use]
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Vectors for texts that are all different.
    async fn distinct(
        &self,
        texts: &HashMap<Key, String>,
        purpose: Purpose,
        call: &Call,
    ) -> Result<HashMap<Key, Arc<[f32]>>, Trouble> {
        let mut made = HashMap::with_capacity(texts.len());
        while made.len() < texts.len() {
            let (mut tasks, mut theirs) = (Vec::new(), Vec::new());
            for (key, text) in texts {
                if made.contains_key(key) {
                    continue;
                }
                if let Some(vector) = self.memory.get(key) {
                    made.insert(*key, vector);
                    continue;
                }
                match self.flights.board(*key) {
                    // Whoever made it remembers it first and leaves then: it may have come in between.
                    Place::Ours(pilot) => match self.memory.get(key) {
                        Some(vector) => _ = made.insert(*key, vector),
                        None => tasks.push(Task { text, key: *key, pilot }),
                    },
                    Place::Theirs(flight) => theirs.push((*key, flight)),
                }
            }
            made.extend(self.make(tasks, purpose, call).await?);
            for (key, flight) in theirs {
                let news = call.within(flight::wait(flight)).await;
                match news.ok_or_else(|| Trouble::Late { place: self.endpoint.place(), after: Duration::ZERO })? {
                    Some(Ok(vector)) => _ = made.insert(key, vector),
                    Some(Err(trouble)) => return Err(trouble),
                    // Given up by whoever made it: the next round.
                    None => {}
                }
            }
        }
        Ok(made)
    }

    async fn make(
        &self,
        mut tasks: Vec<Task<'_>>,
        purpose: Purpose,
        call: &Call,
    ) -> Result<Vec<(Key, Arc<[f32]>)>, Trouble> {
        // Texts of like lengths go together: a server pads them to the longest.
        tasks.sort_by_key(|task| task.text.len());
        let lengths: Vec<usize> = tasks.iter().map(|task| task.text.len()).collect();
        let mut rest = tasks.into_iter();
        let mut batches = Vec::new();
        for run in batch::cut(&lengths, self.settings.items.max(1), self.settings.bytes) {
            batches.push(self.batch(rest.by_ref().take(run.len()).collect(), purpose, call));
        }
        let under_way = stream::iter(batches).buffer_unordered(self.settings.at_once.max(1));
        let made: Vec<_> = under_way.try_collect().await?;
        Ok(made.into_iter().flatten().collect())
    }

    async fn batch(
        &self,
        tasks: Vec<Task<'_>>,
        purpose: Purpose,
        call: &Call,
    ) -> Result<Vec<(Key, Arc<[f32]>)>, Trouble> {
        let texts: Vec<&str> = tasks.iter().map(|task| task.text).collect();
        match self.insist(&texts, purpose, call).await {
            Ok(vectors) => {
                let mut made = Vec::with_capacity(tasks.len());
                for (task, vector) in tasks.into_iter().zip(vectors) {
                    let vector: Arc<[f32]> = vector.into();
                    self.memory.put(task.key, Arc::clone(&vector));
                    task.pilot.tell(Ok(Arc::clone(&vector)));
                    made.push((task.key, vector));
                }
                Ok(made)
            }
            Err(trouble) => {
                // Those who wait may have more time than we had.
                if !matches!(trouble, Trouble::Late { .. }) {
                    tasks.into_iter().for_each(|task| task.pilot.tell(Err(trouble.clone())));
                }
                Err(trouble)
            }
        }
    }

    /// Tries it, and again where that may help and there is time.
    async fn insist(&self, texts: &[&str], purpose: Purpose, call: &Call) -> Result<Vec<Vec<f32>>, Trouble> {
        let slots = match purpose {
            Purpose::Query => &self.queries,
            Purpose::Document => &self.documents,
        };
        let slot = call.within(slots.acquire()).await;
        let _slot = slot.ok_or_else(|| Trouble::Late { place: self.endpoint.place(), after: Duration::ZERO })?;
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(5))
            .with_max_times(TRIES - 1)
            .with_jitter();
        let in_time = |trouble: &Trouble, wait: Option<Duration>| {
            let wait = trouble.retry_after().unwrap_or_default().max(wait?);
            (wait < call.left(clock::now())).then_some(wait)
        };
        (|| self.try_once(texts, call))
            .retry(waits)
            .sleep(tokio::time::sleep)
            .when(Trouble::passes)
            .adjust(in_time)
            .await
    }

    async fn try_once(&self, texts: &[&str], call: &Call) -> Result<Vec<Vec<f32>>, Trouble> {
        let pass = self.gate.enter().map_err(|resting| Trouble::Resting { place: self.endpoint.place(), resting })?;
        let answer = self.ask(texts, call).await;
        // Where questions have less time than is fair, all that they have is: else a slow server would never be left alone.
        let fair = FAIR.min(self.settings.query_timeout * 3 / 4);
        match &answer {
            Err(Trouble::Late { after, .. }) if *after < fair => pass.tell(Outcome::Nothing),
            Err(trouble) if trouble.passes() || matches!(trouble, Trouble::Late { .. }) => {
                pass.failed(&trouble.to_string());
            }
            Ok(_) | Err(_) => pass.tell(Outcome::Answered),
        }
        answer
    }

    async fn ask(&self, texts: &[&str], call: &Call) -> Result<Vec<Vec<f32>>, Trouble> {
        let due = self.settings.dialect.due();
        let unfit = |why| self.endpoint.shape(due, why);
        let vectors = match self.settings.dialect {
            Dialect::OpenAi => {
                let model = &self.settings.model;
                let question = OpenAiQuestion { model, input: texts, encoding_format: "base64" };
                let answer: OpenAiAnswer = self.endpoint.ask(&question, due, call).await?;
                answer.in_order(texts.len()).map_err(unfit)?
            }
            Dialect::Tei => {
                let question = TeiQuestion { inputs: texts, truncate: true };
                let answer: Vec<Vector> = self.endpoint.ask(&question, due, call).await?;
                answer.into_iter().map(|vector| vector.0).collect()
            }
        };
        let vectors = vector::checked(vectors, texts.len(), self.dimension.get().copied()).map_err(unfit)?;
        let Some(found) = vectors.first().map(Vec::len) else { return Ok(vectors) };
        let known = *self.dimension.get_or_init(|| found);
        if found == known {
            Ok(vectors)
        } else {
            // Two first answers at once, and they differ.
            Err(unfit(format!("has vectors of {found} numbers where others had {known}")))
        }
    }
}

#[async_trait]
impl Embedder for Remote {
    fn model(&self) -> &str {
        &self.settings.model
    }

    fn dimension(&self) -> Option<usize> {
        self.dimension.get().copied()
    }

    fn breaker(&self) -> Option<&Gate> {
        Some(&self.gate)
    }

    fn memory(&self) -> Option<&Memory> {
        Some(&self.memory)
    }

    fn describe(&self) -> String {
        format!("{} at {}", self.settings.model, self.endpoint.place())
    }

    async fn embed(&self, texts: &[&str], purpose: Purpose, call: &Call) -> Result<Vec<Vec<f32>>, Trouble> {
        let now = clock::now();
        let (prefix, deadline) = match purpose {
            // Whoever asks waits for it, and there are still the words to be looked for.
            Purpose::Query => {
                let own = now.checked_add(self.settings.query_timeout).unwrap_or(call.deadline);
                (&self.settings.query_prefix, own.min(call.deadline))
            }
            Purpose::Document => (&self.settings.document_prefix, call.deadline),
        };
        let call = &Call { deadline, ..call.clone() };
        let named = texts.iter().map(|text| {
            let whole = format!("{prefix}{text}");
            (Key::of(&self.settings.model, &whole), whole)
        });
        let named: Vec<(Key, String)> = named.collect();
        let keys: Vec<Key> = named.iter().map(|(key, _)| *key).collect();
        let wanted: HashMap<Key, String> = named.into_iter().collect();
        if let Some(series) = &self.series {
            let hits = wanted.keys().filter(|key| self.memory.has(key)).count();
            series.looked_up("embeddings", hits, wanted.len() - hits);
        }
        let made = self.distinct(&wanted, purpose, call).await?;
        Ok(keys.iter().filter_map(|key| made.get(key)).map(|vector| vector.to_vec()).collect())
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("endpoint", &self.endpoint).field("model", &self.settings.model).finish()
    }
}
