//! Who is asked, and where documents are kept: the file's words and the environment's to settings.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use chassis::{
    config::{Environment, Problems, parse_url},
    excerpt::excerpt,
    secret::read_keys,
    units::Span,
};

use super::{
    file::{self, Consistency, EmbeddingsApi, RerankApi},
    settings::{Embeddings, OfCollection, Rerank, Store, Summary},
};
use crate::{
    embed::{self, AMBASSADOR, Dialect},
    rerank::Shape,
    store::qdrant,
};

/// What is said, and where: by the variable, or else by the file.
pub(super) struct Said<'s> {
    pub(super) text: &'s str,
    pub(super) place: &'s str,
}

/// What the variable says, or else the file.
pub(super) fn said<'s>(
    environment: &'s Environment,
    variable: &'s str,
    file: Option<&'s String>,
    place: &'s str,
) -> Option<Said<'s>> {
    match environment.get(variable) {
        Some(text) => Some(Said { text, place: variable }),
        None => file.map(|text| Said { text, place }),
    }
}

/// An address, without a slash at its end. Where it is none, `example` is one.
pub(super) fn url(said: &Said<'_>, example: &str, problems: &mut Problems) -> Option<String> {
    match parse_url(said.text) {
        Ok(_) => Some(said.text.trim_end_matches('/').to_owned()),
        Err(faults) => {
            for fault in faults {
                let hint = if fault.hint.contains("http://") {
                    format!("write, for instance, {example}")
                } else {
                    fault.hint.to_owned()
                };
                problems.push_hint(said.place, fault.message, hint);
            }
            None
        }
    }
}

/// A file with a key, which must be there now: a typo in its name is found at the start, and not by the first caller.
pub(super) fn key_file(said: &Said<'_>, problems: &mut Problems) -> Option<PathBuf> {
    if !said.text.contains('/') {
        // It may well be the key, and is not repeated.
        problems.push_hint(
            said.place,
            "is no path of a file with a key",
            "write a path, such as /var/run/secrets/context/key",
        );
        return None;
    }
    let path = PathBuf::from(said.text);
    match read_keys(&path) {
        Ok(_) => Some(path),
        Err(error) => {
            problems.push(said.place, error.to_string());
            None
        }
    }
}

/// Where documents are kept.
pub(super) fn store(
    file: &file::File,
    collections: &[&OfCollection],
    environment: &Environment,
    problems: &mut Problems,
) -> Option<Store> {
    let (given, embedded) = (file.store.qdrant.clone().unwrap_or_default(), file.store.embedded.as_ref());
    if file.store.qdrant.is_some() && embedded.is_some() {
        problems.push("store", "must have one of `qdrant` and `embedded`, not both");
        return None;
    }
    let directory =
        said(environment, "CONTEXT_DATA_DIR", embedded.and_then(|it| it.path.as_ref()), "store.embedded.path");
    // A directory in the environment is for a laptop; whoever names a Qdrant as well means the Qdrant.
    let address = said(environment, "QDRANT_URL", given.url.as_ref(), "store.qdrant.url");
    match (address, directory) {
        (Some(address), directory) if embedded.is_none() || environment.get("QDRANT_URL").is_some() => {
            if directory.is_some() {
                let place = if embedded.is_some() { "store.embedded" } else { "CONTEXT_DATA_DIR" };
                problems.warn(place, "is not used, since there is a Qdrant", "unset QDRANT_URL for the embedded store");
            }
            qdrant(&given, &address, collections, environment, problems).map(Store::Qdrant)
        }
        (_, Some(directory)) => Some(Store::Embedded(PathBuf::from(directory.text))),
        _ if problems.pruned_within("store") => None,
        _ => {
            problems.push_hint(
                "QDRANT_URL",
                "is not set, and neither is CONTEXT_DATA_DIR: there is nowhere to keep documents",
                "set QDRANT_URL=http://qdrant:6333, or CONTEXT_DATA_DIR=/data for the embedded store",
            );
            None
        }
    }
}

fn qdrant(
    given: &file::Qdrant,
    address: &Said<'_>,
    collections: &[&OfCollection],
    environment: &Environment,
    problems: &mut Problems,
) -> Option<qdrant::Settings> {
    let mut number = |name: &str, given: Option<u32>| {
        let number = given?;
        if number == 0 {
            problems.push(format!("store.qdrant.{name}"), "must be above 0");
        }
        NonZeroU32::new(number)
    };
    let (shards, replicas) = (number("shards", given.shards), number("replicas", given.replicas));
    let write_consistency = number("write_consistency", given.write_consistency);
    let key = said(environment, "QDRANT_API_KEY_FILE", given.api_key_file.as_ref(), "store.qdrant.api_key_file");
    let api_key_file = key.and_then(|said| key_file(&said, problems));
    let mut indexes: Vec<(String, qdrant::Indexed)> = Vec::new();
    for (name, field) in collections.iter().flat_map(|of| &of.fields) {
        let indexed = match field {
            file::Field::Keyword => qdrant::Indexed::Keyword,
            file::Field::Number => qdrant::Indexed::Number,
            file::Field::Bool => qdrant::Indexed::Bool,
        };
        match indexes.iter().find(|(other, _)| other == name) {
            None => indexes.push((name.clone(), indexed)),
            Some((_, other)) if *other == indexed => {}
            Some(_) => problems.push_hint(
                "collections",
                format!("the field `{}` is of one kind here and of another there", excerpt(name)),
                "give it one kind in all collections",
            ),
        }
    }
    let consistency = given.read_consistency.map(|consistency| match consistency {
        Consistency::Majority => qdrant::Consistency::Majority,
        Consistency::Quorum => qdrant::Consistency::Quorum,
        Consistency::All => qdrant::Consistency::All,
    });
    let url = url(address, "http://qdrant:6333", problems)?;
    Some(qdrant::Settings { url, api_key_file, consistency, indexes, shards, replicas, write_consistency })
}

/// What makes vectors.
pub(super) fn embeddings(
    given: &file::Embeddings,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<Embeddings> {
    let model = said(environment, "EMBEDDINGS_MODEL", given.model.as_ref(), "embeddings.model");
    let address = said(environment, "EMBEDDINGS_URL", given.url.as_ref(), "embeddings.url");
    let key = given.key_file.as_ref().map(|text| Said { text, place: "embeddings.key_file" });
    let key_file = key.and_then(|said| key_file(&said, problems));
    if given.batch == Some(0) {
        problems.push("embeddings.batch", "must be above 0");
    }
    let timeout = positive(given.timeout, Duration::from_secs(60), "embeddings.timeout", problems);
    let query_timeout = positive(given.query_timeout, embed::QUERY_WITHIN, "embeddings.query_timeout", problems);
    let url = match &address {
        Some(address) => url(address, AMBASSADOR, problems),
        None => Some(AMBASSADOR.to_owned()),
    };
    let Some(model) = model else {
        if let Some(address) = address {
            let hint = "set EMBEDDINGS_MODEL to search by meaning as well";
            problems.warn(address.place, "is set without a model: there is search by words only", hint);
        }
        return None;
    };
    let dialect = match given.api {
        Some(EmbeddingsApi::Tei) => Dialect::Tei,
        Some(EmbeddingsApi::Openai) | None => Dialect::OpenAi,
    };
    let mut settings = embed::Settings::of(model.text, dialect);
    settings.items = given.batch.unwrap_or(settings.items);
    settings.query_prefix = given.prefixes.query.clone().unwrap_or_default();
    settings.document_prefix = given.prefixes.document.clone().unwrap_or_default();
    settings.query_timeout = query_timeout;
    Some(Embeddings { url: url?, key_file, settings, timeout })
}

/// What reranks.
pub(super) fn rerank(given: &file::Rerank, environment: &Environment, problems: &mut Problems) -> Option<Rerank> {
    let key = given.key_file.as_ref().map(|text| Said { text, place: "rerank.key_file" });
    let key_file = key.and_then(|said| key_file(&said, problems));
    let candidates = given.candidates.unwrap_or(50);
    if !(1..=crate::pipeline::MOST_RERANKED).contains(&candidates) {
        problems.push("rerank.candidates", format!("must be from 1 to {}", crate::pipeline::MOST_RERANKED));
    }
    let timeout = positive(given.timeout, Duration::from_secs(2), "rerank.timeout", problems);
    let address = said(environment, "RERANK_URL", given.url.as_ref(), "rerank.url")?;
    let shape = given.api.map(|api| match api {
        RerankApi::Cohere => Shape::Cohere,
        RerankApi::Tei => Shape::Tei,
    });
    let model = given.model.clone().unwrap_or_default();
    Some(Rerank {
        url: url(&address, "http://tei:8080/rerank", problems)?,
        key_file,
        model,
        shape,
        candidates,
        timeout,
    })
}

/// What sums up.
pub(super) fn summary(given: &file::Summary, problems: &mut Problems) -> Option<Summary> {
    let url = match &given.url {
        Some(text) => url(&Said { text, place: "conversations.summary.url" }, AMBASSADOR, problems),
        None => Some(AMBASSADOR.to_owned()),
    };
    let model = given.model.clone().filter(|model| !model.trim().is_empty());
    if model.is_none() && !problems.pruned("conversations.summary.model") {
        problems.push_hint("conversations.summary.model", "missing", "name a model that the ambassador knows");
    }
    Some(Summary { url: url?, model: model? })
}

/// Nobody waits for longer.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long something may take: longer than nothing, and at most a day.
pub(super) fn positive(given: Option<Span>, default: Duration, place: &str, problems: &mut Problems) -> Duration {
    positive_within(given, default, DAY, place, problems)
}

/// A length of time that is longer than nothing and not longer than `most`.
pub(super) fn positive_within(
    given: Option<Span>,
    default: Duration,
    most: Duration,
    place: &str,
    problems: &mut Problems,
) -> Duration {
    if given.is_some_and(Span::is_zero) {
        problems.push(place, "must be longer than 0");
    }
    within(given, default, most, place, problems)
}

/// A length of time that is not longer than `most`: there are clocks that end where a number of 64 bits does.
pub(super) fn within(
    given: Option<Span>,
    default: Duration,
    most: Duration,
    place: &str,
    problems: &mut Problems,
) -> Duration {
    let span = given.map_or(default, Into::into);
    if span > most {
        let most = Span::millis(u64::try_from(most.as_millis()).unwrap_or(u64::MAX));
        problems.push(place, format!("must be at most {most}"));
    }
    span.min(most)
}
