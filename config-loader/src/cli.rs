//! The command line.

use clap::{Parser, Subcommand, ValueEnum};

/// Prompts, tools and guardrails into a directory, whole and checked, or why not.
///
/// Without a command it loads once and ends: an init container. Enough to start with:
///
/// PROMPT_URL=https://prompts.example.com/agent.txt config-loader
///
/// TOOLS_URL and GUARDRAILS_URL do the same for tools.json and guardrails.yaml; CONFIG_DIR (default /config) is where
/// they go, CONFIG_LOADER_DEADLINE (default 60s) how long all of it may take. CONFIG_LOADER_CONFIG names a file that
/// describes more than that.
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub(crate) struct Cli {
    /// What to do instead of loading.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do instead of loading.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Fetch and check everything, and write nothing.
    Verify,
    /// Check the configuration, and the files that can be read without a network.
    Lint {
        /// The configuration. Default: what the variables say.
        file: Option<String>,
    },
    /// Fetch and check everything, and tell what would change. Write nothing.
    Diff,
    /// Print a JSON Schema.
    Schema {
        /// Of which file.
        #[arg(default_value = "config")]
        of: SchemaOf,
    },
}

/// The files that have a schema of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// The file that CONFIG_LOADER_CONFIG names.
    Config,
    /// guardrails.yaml.
    Guardrails,
}
