//! The names of the environment that are read, and what is odd about those that are not.

use chassis::{
    config::{AUTHORITIES, Environment, Problems, check_authorities, warn_of_mistyped, warn_of_strangers},
    config_set, telemetry,
};

use super::{FILE_VARIABLE, Settings, Store};

/// The variables that are read.
const OWN: [&str; 15] = [
    FILE_VARIABLE,
    "CONTEXT_LISTEN",
    "CONTEXT_ADMIN_LISTEN",
    "CONTEXT_TENANT",
    "CONTEXT_COLLECTION",
    "CONTEXT_TOKEN_FILE",
    "CONTEXT_DATA_DIR",
    "CONTEXT_SERVICE_URL",
    "QDRANT_URL",
    "QDRANT_API_KEY_FILE",
    "EMBEDDINGS_URL",
    "EMBEDDINGS_MODEL",
    "RERANK_URL",
    "DRAIN_TIMEOUT",
    config_set::DIRECTORY_VARIABLE,
];

/// How variables begin that are this program's alone: one that is not read is a mistake, however it is spelled.
const PREFIXES: [&str; 4] = ["CONTEXT_", "QDRANT_", "EMBEDDINGS_", "RERANK_"];

/// Looks at what holds for the whole process.
pub(super) fn check(environment: &Environment, settings: Option<&Settings>, problems: &mut Problems) {
    check_authorities(environment, settings.is_none_or(needs_tls), problems);
    let others = [AUTHORITIES, "SSL_CERT_DIR"].into_iter().chain(telemetry::VARIABLES.iter().copied());
    let read: Vec<String> = OWN.into_iter().chain(others).map(str::to_owned).collect();
    warn_of_mistyped(environment, &read, problems);
    warn_of_strangers(environment, &read, &PREFIXES, problems);
}

/// Whether anybody is spoken to over TLS.
pub(super) fn needs_tls(settings: &Settings) -> bool {
    let store = match &settings.store {
        Store::Qdrant(qdrant) => Some(&qdrant.url),
        Store::Embedded(_) => None,
    };
    let embeddings = settings.embeddings.as_ref().map(|embeddings| &embeddings.url);
    let rerank = settings.rerank.as_ref().map(|rerank| &rerank.url);
    let summary = settings.conversations.summary.as_ref().map(|summary| &summary.url);
    [store, embeddings, rerank, summary].into_iter().flatten().any(|url| url.starts_with("https:"))
}
