//! What a valid configuration means, for people.

use std::{fmt::Write, time::Duration};

use chassis::{
    config::Problem,
    units::{Size, Span},
};
use context_sidecar::config::{Settings, Store};

/// The settings in a few lines, then what is odd about them.
#[must_use]
pub(crate) fn describe(settings: &Settings, warnings: &[Problem]) -> String {
    let mut lines = vec!["The configuration is valid.".to_owned(), String::new()];
    lines.push(match (&settings.tenant, &settings.token_file) {
        (Some(tenant), _) => format!("tenant: {tenant}, for every request"),
        (None, Some(file)) => format!("tenant: by x-tenant-id, of callers with the token in {}", file.display()),
        (None, None) => "tenant: none, so that every request is refused".to_owned(),
    });
    lines.push(format!("collection: {}, unless a request names another one", settings.collection));
    lines.push(match &settings.store {
        Store::Qdrant(qdrant) => {
            let key = if qdrant.api_key_file.is_some() { "with a key" } else { "without a key" };
            format!("store: Qdrant at {}, {key}", qdrant.url)
        }
        Store::Embedded(path) => format!("store: embedded, in {}", path.display()),
    });
    lines.push(match &settings.embeddings {
        Some(it) => format!("embeddings: {} at {}", it.settings.model, it.url),
        None => "embeddings: none, so that there is search by words only (EMBEDDINGS_MODEL is not set)".to_owned(),
    });
    if let Some(rerank) = &settings.rerank {
        lines.push(format!(
            "rerank: the best {} at {}, within {}",
            rerank.candidates,
            rerank.url,
            span(rerank.timeout)
        ));
    }
    let ingest = &settings.ingest;
    lines.push(format!(
        "ingest: chunks of {} tokens with {} overlap, {:?}, documents of {}{}",
        ingest.chunk.tokens(),
        ingest.chunk.overlap(),
        ingest.language,
        size(ingest.max_document),
        if ingest.allow_write { "" } else { ", and none over HTTP" },
    ));
    for (name, of) in settings.collections.iter().filter(|(_, of)| !of.fields.is_empty()) {
        let fields: Vec<&str> = of.fields.keys().map(String::as_str).collect();
        lines.push(format!("collection {name}: filtered by {}", fields.join(", ")));
    }
    let summary = settings.conversations.summary.as_ref();
    let summary = summary.map_or_else(String::new, |summary| format!(", summed up by {}", summary.model));
    lines.push(format!("conversations: kept for {}{summary}", span(settings.conversations.ttl)));
    let limits = &settings.limits;
    lines.push(format!(
        "limits: bodies of {}, queries of {}, {} requests at once, each within {}",
        size(limits.max_body),
        size(limits.max_query),
        limits.max_in_flight,
        span(limits.timeout),
    ));
    lines.push(format!("MCP: tools to find{}", if settings.mcp_store { " and to store" } else { "" }));
    lines.push(String::new());
    lines.push(format!("listens on {} (agent) and {} (probes, metrics)", settings.listen.data, settings.listen.admin));
    lines
        .push(format!("ends within {} of SIGTERM: that long may requests in flight take", span(settings.listen.drain)));
    let mut text = lines.join("\n");
    if !warnings.is_empty() {
        text.push_str("\n\nwarnings");
        for warning in warnings {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {warning}");
        }
    }
    text
}

fn span(time: Duration) -> Span {
    Span::millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn size(bytes: usize) -> Size {
    Size::bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
}
