//! Servers for processes: HTTP with and without TLS, good until they are told to be bad.

use std::{
    net::TcpStream,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustls::ServerConfig;
use tokio::runtime::Runtime;

use crate::support::{
    http::{Reply, Request, Server},
    tls::{Authority, Secured},
};

/// Where they run.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| chassis::task::runtime().unwrap());

/// A server in the clear.
pub(crate) fn serve(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    RUNTIME.block_on(Server::start(handler))
}

/// A server behind TLS, for `localhost`.
pub(crate) fn secured(authority: &Authority, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Secured {
    secured_by(authority.server("localhost"), handler)
}

/// A server behind TLS of this kind.
pub(crate) fn secured_by(config: ServerConfig, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Secured {
    RUNTIME.block_on(Secured::start(config, handler))
}

/// What a server answers: one reply to everything, until it gets others, of which each is given once and the last again
/// and again.
#[derive(Clone)]
pub(crate) struct Script(Arc<Mutex<Vec<Reply>>>, Arc<AtomicUsize>);

impl Script {
    pub(crate) fn good(reply: Reply) -> Self {
        Self(Arc::new(Mutex::new(vec![reply])), Arc::default())
    }

    pub(crate) fn turn(&self, replies: Vec<Reply>) {
        *self.0.lock().unwrap() = replies;
        self.1.store(0, Ordering::SeqCst);
    }

    pub(crate) fn next(&self) -> Reply {
        let replies = self.0.lock().unwrap();
        let number = self.1.fetch_add(1, Ordering::SeqCst);
        replies[number.min(replies.len() - 1)].clone()
    }
}

/// Ends a server, until nobody listens there any more.
pub(crate) fn stop(server: &Server) {
    server.stop();
    while TcpStream::connect(server.address).is_ok() {
        thread::sleep(Duration::from_millis(5));
    }
}
