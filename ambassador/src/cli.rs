//! The command line.

use chassis::{exit::Code, output};
use clap::{Parser, Subcommand, ValueEnum};

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

/// The probes of the admin port.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Probe {
    /// The process turns.
    Live,
    /// It takes requests.
    Ready,
    /// It has started.
    Startup,
}

impl Probe {
    /// Where the probe is asked.
    #[must_use]
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Live => "/health/live",
            Self::Ready => "/health/ready",
            Self::Startup => "/health/startup",
        }
    }
}

impl Cli {
    /// The command line of this process, or how to exit instead.
    ///
    /// # Errors
    /// [`Code::Usage`] when it makes no sense, [`Code::Ok`] when help or the version was asked for.
    pub(crate) fn read() -> Result<Self, Code> {
        Self::try_parse().map_err(|error| {
            let text = error.to_string();
            // Help and the version come as errors, too, but they are what was asked for.
            if error.use_stderr() {
                output::complain(text.trim_end());
                Code::Usage
            } else {
                output::line(text.trim_end());
                Code::Ok
            }
        })
    }
}
