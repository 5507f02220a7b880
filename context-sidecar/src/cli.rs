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
    /// there, it does the work itself, by the same configuration. It may be broken off and run again: what has not changed
    /// is not embedded again. Exit 0: all of it is in; 65: some of it is not.
    Ingest {
        /// The directory, or a file.
        path: PathBuf,
        #[command(flatten)]
        into: Into,
    },
    /// Ask a question, and print the passages that answer it.
    ///
    /// It asks whom `ingest` asks.
    Query {
        /// The question.
        query: String,
        /// How many passages.
        #[arg(long, default_value_t = 5)]
        top_k: usize,
        /// Print the answer as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        into: Into,
    },
}

/// Which documents.
#[derive(Debug, Clone, Args)]
pub(crate) struct Into {
    /// Which collection. Default: CONTEXT_COLLECTION, or that of the sidecar.
    #[arg(long)]
    pub(crate) collection: Option<String>,
}
