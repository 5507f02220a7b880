//! The file's words and the environment's to settings: what their shape alone cannot say.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use chassis::{
    config::{Environment, Problems},
    excerpt::excerpt,
    units::Span,
};
use context_core::{chunk::Size, scope};

use super::{
    backends::{DAY, Said, embeddings, key_file, positive, positive_within, rerank, said, store, summary, within},
    file::{self, File},
    settings::{Caches, Conversations, Ingest, Limits, Listen, OfCollection, Settings},
};

/// Nothing is remembered for longer.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The settings. `None` where a problem leaves nothing to build on; every problem is in `problems`.
pub(super) fn settings(file: &File, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
    let listen = listen(&file.listen, environment, problems);
    let tenant = said(environment, "CONTEXT_TENANT", file.tenant.as_ref(), "tenant");
    let token = said(environment, "CONTEXT_TOKEN_FILE", file.token_file.as_ref(), "token_file");
    if tenant.is_none() && token.is_none() && !problems.pruned("tenant") && !problems.pruned("token_file") {
        problems.warn(
            "CONTEXT_TENANT",
            "is not set, and neither is CONTEXT_TOKEN_FILE: every request is refused (403), since it is nobody's",
            "set CONTEXT_TENANT to the one tenant of this pod",
        );
    }
    let tenant = tenant.and_then(|said| name::<scope::Tenant>(&said, problems));
    let token_file: Option<PathBuf> = token.and_then(|said| key_file(&said, problems));
    let default = "default".to_owned();
    let collection = said(environment, "CONTEXT_COLLECTION", file.collection.as_ref(), "collection");
    let collection = collection.unwrap_or(Said { text: &default, place: "collection" });
    let collection = name::<scope::Collection>(&collection, problems);
    let collections = collections(&file.collections, problems);
    let store = store(file, &collections.values().collect::<Vec<_>>(), environment, problems);
    let embeddings = embeddings(&file.embeddings, environment, problems);
    let rerank = rerank(&file.rerank, environment, problems);
    for (field, message) in file.retrieval.faults() {
        problems.push(format!("retrieval.{field}"), message);
    }
    let ingest = ingest(&file.ingest, problems);
    let month: Duration = Span::seconds(30 * 24 * 60 * 60).into();
    let conversations = Conversations {
        ttl: positive_within(file.conversations.ttl, month, 100 * YEAR, "conversations.ttl", problems),
        summary: file.conversations.summary.as_ref().and_then(|given| summary(given, problems)),
    };
    let caches = caches(&file.caches, problems);
    let limits = limits(&file.limits, problems);
    let (collection, store, ingest) = (collection?, store?, ingest?);
    problems.is_empty().then(|| Settings {
        listen,
        tenant,
        token_file,
        collection,
        store,
        embeddings,
        rerank,
        retrieval: file.retrieval.clone(),
        ingest,
        collections,
        conversations,
        caches,
        limits,
        mcp_store: file.mcp.store.unwrap_or(false),
    })
}

fn name<T: std::str::FromStr<Err = scope::BadName>>(said: &Said<'_>, problems: &mut Problems) -> Option<T> {
    said.text.parse().map_err(|error: scope::BadName| problems.push(said.place, error.to_string())).ok()
}

fn listen(given: &file::Listen, environment: &Environment, problems: &mut Problems) -> Listen {
    let mut address = |variable: &str, given: Option<&String>, place: &str, default: &str| {
        let Some(said) = said(environment, variable, given, place) else { return default.to_owned() };
        if let Err(error) = chassis::net::parse_listen(said.text) {
            problems.push(said.place, error.to_string());
        }
        said.text.to_owned()
    };
    let data = address("CONTEXT_LISTEN", given.data.as_ref(), "listen.data", Listen::DATA);
    let admin = address("CONTEXT_ADMIN_LISTEN", given.admin.as_ref(), "listen.admin", Listen::ADMIN);
    let port = |text: &str| chassis::net::parse_listen(text).map(chassis::net::Listen::port).unwrap_or_default();
    if port(&data) != 0 && port(&data) == port(&admin) {
        problems.push("CONTEXT_ADMIN_LISTEN", "has the port of CONTEXT_LISTEN; the two need one each");
    }
    let drain = environment.read::<Span>("DRAIN_TIMEOUT", problems);
    let drain = within(drain, Listen::DRAIN, DAY, "DRAIN_TIMEOUT", problems);
    Listen { data, admin, drain }
}

fn collections(
    given: &BTreeMap<String, file::Collection>,
    problems: &mut Problems,
) -> BTreeMap<scope::Collection, OfCollection> {
    let mut collections = BTreeMap::new();
    for (text, of) in given {
        let place = format!("collections.{}", excerpt(text));
        for field in of.fields.keys().filter(|field| field.trim().is_empty()) {
            problems.push(format!("{place}.fields"), format!("`{field}` is no name of a field"));
        }
        let Some(collection) = name(&Said { text, place: &place }, problems) else { continue };
        collections.insert(collection, OfCollection { fields: of.fields.clone(), language: of.language });
    }
    collections
}

fn ingest(given: &file::Ingest, problems: &mut Problems) -> Option<Ingest> {
    let default = Size::default();
    let tokens = given.chunk.tokens.unwrap_or(default.tokens());
    // Whoever wants small chunks and says nothing about the overlap means a quarter.
    let overlap = given.chunk.overlap.unwrap_or_else(|| default.overlap().min(tokens / 4));
    let chunk = Size::new(tokens, overlap).map_err(|error| problems.push("ingest.chunk", error.to_string())).ok();
    let max_document = given.max_document.map_or(16 << 20, |size| size.as_usize());
    if max_document == 0 {
        problems.push("ingest.max_document", "must be above 0: nothing could be put in");
    }
    let (language, allow_write) = (given.language.unwrap_or_default(), given.allow_write.unwrap_or(true));
    Some(Ingest { chunk: chunk?, language, max_document, allow_write })
}

fn caches(given: &file::Caches, problems: &mut Problems) -> Caches {
    let default = Caches::default();
    let bytes = |size: Option<chassis::units::Size>, default: u64| {
        size.map_or(default, |size| u64::try_from(size.as_usize()).unwrap_or(u64::MAX))
    };
    let ttl = within(given.ttl, default.ttl, YEAR, "caches.ttl", problems);
    let outage = within(given.outage, default.outage, YEAR, "caches.outage", problems);
    if outage < ttl {
        problems.push("caches.outage", "must not be shorter than `caches.ttl`");
    }
    Caches {
        embeddings: bytes(given.embeddings, default.embeddings),
        results: bytes(given.results, default.results),
        chunks: bytes(given.chunks, default.chunks),
        ttl,
        outage,
    }
}

fn limits(given: &file::Limits, problems: &mut Problems) -> Limits {
    let default = Limits::default();
    let size = |size: Option<chassis::units::Size>, default: usize| size.map_or(default, |size| size.as_usize());
    let max_body = size(given.max_body, default.max_body);
    let limits = Limits {
        max_body,
        max_bodies: size(given.max_bodies, default.max_bodies.max(max_body)),
        body_timeout: positive(given.body_timeout, default.body_timeout, "limits.body_timeout", problems),
        max_query: size(given.max_query, default.max_query),
        max_in_flight: given.max_in_flight.unwrap_or(default.max_in_flight),
        collections: given.collections.unwrap_or(default.collections),
        timeout: positive(given.timeout, default.timeout, "limits.timeout", problems),
        header_timeout: positive(given.header_timeout, default.header_timeout, "limits.header_timeout", problems),
    };
    let zeros = [
        ("max_body", limits.max_body == 0),
        ("max_query", limits.max_query == 0),
        ("max_in_flight", limits.max_in_flight == 0),
        ("collections", limits.collections == 0),
    ];
    if limits.max_bodies < limits.max_body {
        problems.push("limits.max_bodies", "must not be below `limits.max_body`: the largest body would never fit");
    }
    if limits.max_query > Limits::MOST_OF_A_QUERY {
        problems.push_hint(
            "limits.max_query",
            format!("must be at most {}: longer queries are never looked for", Limits::MOST_OF_A_QUERY),
            "leave it out, or write 16KiB or less",
        );
    }
    for (name, _) in zeros.into_iter().filter(|(_, zero)| *zero) {
        problems.push(format!("limits.{name}"), "must be above 0: nothing could be served");
    }
    limits
}
