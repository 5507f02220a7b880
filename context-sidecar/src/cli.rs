//! The command line.

use std::path::PathBuf;

use chassis::cli::Probe;
use clap::{Args, Parser, Subcommand};

/// The right passages for an agent's prompt, within the budget, from the right tenant.
///
/// Without a command it serves: the API on CONTEXT_LISTEN (default 127.0.0.1:9090), probes and metrics on
/// CONTEXT_ADMIN_LISTEN (default 0.0.0.0:9091). Enough to start with:
///
/// CONTEXT_TENANT=me CONTEXT_DATA_DIR=./data context-sidecar
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub(crate) struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Check the configuration, tell every problem at once (exit 78), or show what it means.
    Check,
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// Ask a running sidecar how it is: exit 0 if well. For probes in an image without a shell.
    Healthcheck {
        /// Which probe to ask.
        #[arg(default_value = "ready")]
        probe: Probe,
    },
    /// Ingest the text, Markdown, HTML and JSON Lines files of a directory.
    ///
    /// It asks the sidecar at CONTEXT_SERVICE_URL (default http://127.0.0.1:9090). Where none is named and none answers
    /// there, it does the work itself, by the same configuration (CONTEXT_DATA_DIR or QDRANT_URL). It may be broken off and
    /// run again: what has not changed is not embedded again.
    #[command(after_help = INGEST)]
    Ingest(Ingest),
    /// Ask a question, and print the passages that answer it.
    ///
    /// It asks whom `ingest` asks.
    #[command(after_help = QUERY)]
    Query(Query),
}

const INGEST: &str = "\
Examples:
  context-sidecar ingest ./docs
  context-sidecar ingest ./handbook --collection papers --prefix handbook
  context-sidecar ingest ./handbook --prefix handbook --prune --dry-run
  context-sidecar ingest notes.md --tenant acme --quiet
  context-sidecar ingest ./docs --json

Exit: 0 all of it is in; 64 no such file or directory; 65 some of it is not in, each told as file:line: reason; 66 there is
nothing to ingest; 69 nobody answers; 77 refused; 130 interrupted";

const QUERY: &str = "\
Examples:
  context-sidecar query \"how is a stale set marked?\"
  context-sidecar query \"canoes\" --filter lang=en --filter 'year=2024' --top-k 3
  context-sidecar query \"canoes\" --filter '{\"type\": \"gte\", \"key\": \"year\", \"value\": 2020}'
  context-sidecar query \"canoes\" --collection papers --mode lexical --max-tokens 500
  context-sidecar query \"canoes\" --tenant acme --json --explain

Exit: 0 something was found; 1 nothing was; 65 the question makes no sense there; 69 nobody answers; 77 refused";

/// What to ingest, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct Ingest {
    /// The directory, or a file.
    pub(crate) path: PathBuf,
    /// Begin the ids of these documents with NAME/, so that two directories may have files of the same name.
    #[arg(long, value_name = "NAME")]
    pub(crate) prefix: Option<String>,
    /// Remove the documents below the prefix that are no longer in the directory, and say first which.
    #[arg(long, requires = "prefix")]
    pub(crate) prune: bool,
    /// Read all of it, say what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Say nothing but what fails.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print what became of it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) into: Into,
}

/// What to ask, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct Query {
    /// The question.
    pub(crate) query: String,
    /// How many passages.
    #[arg(long, default_value_t = 5)]
    pub(crate) top_k: usize,
    /// Which documents, by their metadata: KEY=VALUE, all of which hold, or a filter as JSON.
    #[arg(long, value_name = "KEY=VALUE|JSON")]
    pub(crate) filter: Vec<String>,
    /// By what is searched. Default: hybrid where there is an embedder, else lexical.
    #[arg(long, value_parser = ["hybrid", "dense", "lexical"])]
    pub(crate) mode: Option<String>,
    /// Print a context of at most so many tokens, as for a prompt, instead of each passage by itself.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) max_tokens: Option<usize>,
    /// Print the answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print what each stage did, too.
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) into: Into,
}

/// Which documents.
#[derive(Debug, Clone, Args)]
pub(crate) struct Into {
    /// Which collection. Default: CONTEXT_COLLECTION, or that of the sidecar.
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Option<String>,
    /// Whose documents. Default: CONTEXT_TENANT, or the tenant of the sidecar. A sidecar of several tenants wants the token
    /// of CONTEXT_TOKEN_FILE with it.
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_help_are_command_lines() {
        let examples: Vec<&str> =
            [INGEST, QUERY].iter().flat_map(|help| help.lines()).filter(|line| line.starts_with("  ")).collect();
        assert_eq!(examples.len(), 10);
        for example in examples {
            // Quoting by a mark that has no other use there.
            let mut words: Vec<String> = Vec::new();
            for (index, part) in example.trim().split(if example.contains('\'') { '\'' } else { '"' }).enumerate() {
                if index % 2 == 1 {
                    words.push(part.to_owned());
                } else {
                    words.extend(part.split_whitespace().map(|word| word.trim_matches('"').to_owned()));
                }
            }
            assert!(Cli::try_parse_from(&words).is_ok(), "{example}: {words:?}");
        }
    }
}
