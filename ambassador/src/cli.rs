//! The command line.

use chassis::cli::Probe;
use clap::{Parser, Subcommand};

/// One localhost endpoint for every model provider, with failover.
///
/// Without a command it serves: the OpenAI API on AMBASSADOR_LISTEN (default 127.0.0.1:7070), probes and metrics on
/// AMBASSADOR_ADMIN_LISTEN (default 0.0.0.0:7071). Enough to start with:
///
/// PRIMARY_PROVIDER=anthropic FALLBACK_PROVIDER=openai ANTHROPIC_API_KEY=... OPENAI_API_KEY=... ambassador
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub(crate) struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Command {
    /// Check the configuration, tell every problem at once (exit 78), or show what it means.
    Check,
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// Ask a running ambassador how it is: exit 0 if well. For probes in an image without a shell.
    Healthcheck {
        /// Which probe to ask.
        #[arg(default_value = "ready")]
        probe: Probe,
    },
}
