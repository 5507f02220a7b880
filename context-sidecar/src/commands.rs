//! What the command line does instead of serving: it asks a sidecar, or is one for as long as that takes.

mod filter;
mod ingest;
mod prune;
mod query;
mod service;
mod shown;
mod tally;

pub(crate) use ingest::ingest;
pub(crate) use query::query;

use chassis::{config::Environment, exit::Code, task};

use self::{service::Service, shown::Shown};
use crate::cli::Into;

/// Why a command did not do it.
#[derive(Debug)]
pub(crate) struct Stopped {
    code: Code,
    message: String,
    /// It was too much at once.
    too_large: bool,
}

impl Stopped {
    fn new(code: Code, message: impl std::convert::Into<String>) -> Self {
        Self { code, message: message.into(), too_large: false }
    }
}

impl Into {
    /// The environment, with what the command line says about whose documents these are.
    fn over(&self, environment: &Environment) -> Environment {
        match &self.tenant {
            Some(tenant) => environment.with("CONTEXT_TENANT", tenant),
            None => environment.clone(),
        }
    }

    /// In which collection, if anybody says so.
    fn collection(&self, environment: &Environment) -> Option<String> {
        self.collection.clone().or_else(|| environment.get("CONTEXT_COLLECTION").map(str::to_owned))
    }
}

/// Does `work` with a sidecar.
fn with<F: Future<Output = Result<Code, Stopped>>>(
    environment: &Environment,
    shown: &Shown,
    work: impl FnOnce(Service) -> F,
) -> Code {
    let done = task::block_on(async {
        let service = Service::reach(environment, shown).await?;
        let done = work(service.clone()).await;
        service.end().await;
        done
    });
    shown.end();
    match done {
        Ok(Ok(code)) => code,
        Ok(Err(Stopped { code, message, .. })) => {
            shown.complain(&message);
            code
        }
        Err(error) => {
            shown.complain(&format!("context-sidecar: {error}"));
            Code::Unavailable
        }
    }
}
