//! Settings to a pipeline: whoever is named in them is made, and nobody is asked anything yet.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chassis::{clock, metrics::Metrics, tls::Roots};

use crate::{
    config::{Settings, Store as Where},
    conversations::{ChatCompletions, INDEXES, Summarize},
    embed::{Embedder, Memory, Remote},
    http::{Call, Client, Token, Trouble},
    metrics::Series,
    pipeline::{self, Parts, Pipeline},
    rerank::{Ranked, Rerank, Reranker},
    store::{Store, embedded::Embedded, qdrant::Qdrant},
};

/// The pipeline that these settings ask for. It blocks while an embedded store is read.
///
/// # Errors
/// The embedded store cannot be opened, or what is named cannot be spoken to.
pub fn pipeline(settings: &Settings, metrics: &Metrics, roots: &Roots) -> Result<Pipeline, String> {
    let https = |url: &str| url.starts_with("https:");
    let urls = settings.embeddings.iter().map(|it| &it.url).chain(settings.rerank.iter().map(|it| &it.url));
    let urls = urls.chain(settings.conversations.summary.iter().map(|it| &it.url));
    let client = Client::new(roots, urls.into_iter().any(|url| https(url)))?;
    let token = |path: Option<&std::path::PathBuf>| match path {
        None => Ok(None),
        Some(path) => Token::at(path).map(|token| Some(Arc::new(token))).map_err(|error| error.to_string()),
    };
    let store: Arc<dyn Store> = match &settings.store {
        Where::Qdrant(qdrant) => {
            let mut qdrant = qdrant.clone();
            qdrant.indexes.extend(INDEXES.map(|(key, kind)| (key.to_owned(), kind)));
            Arc::new(Qdrant::new(qdrant, roots).map_err(|fault| fault.to_string())?)
        }
        Where::Embedded(directory) => Arc::new(Embedded::open(directory).map_err(|fault| fault.to_string())?),
    };
    let series = Series::new(metrics);
    let embedder = match &settings.embeddings {
        None => None,
        Some(given) => {
            let (token, memory) = (token(given.key_file.as_ref())?, Memory::of(settings.caches.embeddings));
            let remote = Remote::at(&client, &given.url, token, given.settings.clone(), memory)
                .map_err(|error| format!("the embedder {error}"))?;
            let remote = remote.counted(series.clone());
            Some(Arc::new(remote) as Arc<dyn Embedder>)
        }
    };
    let reranker = match &settings.rerank {
        None => None,
        Some(given) => {
            let token = token(given.key_file.as_ref())?;
            let reranker = Reranker::at(&client, &given.url, token, given.shape, given.model.clone())
                .map_err(|error| format!("the reranker {error}"))?;
            Some(Arc::new(Within { reranker, most: given.timeout }) as Arc<dyn Rerank>)
        }
    };
    let summarizer = match &settings.conversations.summary {
        None => None,
        Some(given) => {
            let completions = ChatCompletions::at(&client, &given.url, None, given.model.clone())
                .map_err(|error| format!("what sums up {error}"))?;
            Some(Arc::new(completions) as Arc<dyn Summarize>)
        }
    };
    let settings = of_pipeline(settings);
    Ok(Pipeline::new(Parts { store, embedder, reranker, summarizer, series, settings }))
}

/// A reranker that has no more time than it was given, however much the question has.
#[derive(Debug)]
struct Within {
    reranker: Reranker,
    most: Duration,
}

#[async_trait]
impl Rerank for Within {
    fn describe(&self) -> String {
        self.reranker.describe()
    }

    async fn rerank(&self, query: &str, documents: &[&str], top: usize, call: &Call) -> Result<Vec<Ranked>, Trouble> {
        let call = Call { deadline: call.deadline.min(clock::now() + self.most), ..call.clone() };
        self.reranker.rerank(query, documents, top, &call).await
    }
}

/// What of the settings is the pipeline's.
fn of_pipeline(settings: &Settings) -> pipeline::Settings {
    let default = pipeline::Settings::default();
    pipeline::Settings {
        language: settings.ingest.language,
        languages: settings.collections.iter().filter_map(|(name, of)| Some((name.clone(), of.language?))).collect(),
        fields: settings.collections.iter().map(|(name, of)| (name.clone(), of.fields.clone())).collect(),
        collections: settings.limits.collections,
        chunks: settings.ingest.chunk,
        reranked: settings.rerank.as_ref().map_or(default.reranked, |rerank| rerank.candidates),
        results_bytes: settings.caches.results,
        results_ttl: settings.caches.ttl,
        stale_for: settings.caches.outage,
        chunks_bytes: settings.caches.chunks,
        document_bytes: settings.ingest.max_document,
        conversations: pipeline::Conversations {
            ttl: Some(settings.conversations.ttl),
            ..default.conversations.clone()
        },
        ..default
    }
}
