//! What the command line does instead of serving: it asks a sidecar, or is one for as long as that takes.

mod ingest;
mod query;
mod service;

pub(crate) use ingest::ingest;
pub(crate) use query::query;

use chassis::{config::Environment, exit::Code, output, task};

use self::service::Service;

/// Why a command did not do it.
#[derive(Debug)]
pub(crate) struct Stopped {
    code: Code,
    message: String,
    /// It was too much at once.
    too_large: bool,
}

impl Stopped {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), too_large: false }
    }
}

/// Does `work` with a sidecar.
fn with<F: Future<Output = Result<Code, Stopped>>>(environment: &Environment, work: impl FnOnce(Service) -> F) -> Code {
    let done = task::block_on(async {
        let service = Service::reach(environment).await?;
        let done = work(service.clone()).await;
        service.end().await;
        done
    });
    match done {
        Ok(Ok(code)) => code,
        Ok(Err(Stopped { code, message, .. })) => {
            output::complain(message);
            code
        }
        Err(error) => {
            output::complain(format!("context-sidecar: {error}"));
            Code::Unavailable
        }
    }
}
