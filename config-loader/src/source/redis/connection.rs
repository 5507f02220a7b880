//! A connection for one errand: nothing is kept, since an init container has nothing else to ask.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisResult};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time;
use tokio_rustls::TlsConnector;

use super::bounded::{Bounded, Flooded};
use super::{Settings, location, refusal};
use crate::failure::Failure;
use crate::source::file;

/// A Redis without TLS takes the greeting for a command that is not complete, and waits for the rest of it. Whoever has
/// written one `s` too many in the URL is to hear that, and not of a deadline.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// How much may come beside the answer: the greeting, lengths, an error, in bytes.
const AROUND: u64 = 64 << 10;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What carries commands to the server and answers back, as long as it is polled.
pub(super) struct Line {
    driver: Pin<Box<dyn Future<Output = ()> + Send>>,
    flooded: Flooded,
}

impl Line {
    /// Whether the server sends more than it may, as long as anybody wants to know.
    pub(super) fn flooded(&self) -> Flooded {
        self.flooded.clone()
    }

    /// Does the work over this line.
    pub(super) async fn carry<T>(self, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => done,
            // The server has closed it, perhaps after its last answer: either way, the work hears of it.
            () = self.driver => work.await,
        }
    }
}

/// Connects, and says who we are. The answer may be of `most` bytes.
pub(super) async fn open(settings: &Settings, key: &str, most: u64) -> Result<(MultiplexedConnection, Line), Failure> {
    let place = location(settings, key);
    // A user who may only read is not let say the name of its library, and each try would be in the ACL log.
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name().set_db(settings.address.database.into());
    if let Some(path) = &settings.password_file {
        info = info.set_password(file::secret(path).await?.expose());
        if let Some(username) = &settings.username {
            info = info.set_username(username);
        }
    }
    let (stream, flooded) = Bounded::new(connect(settings, &place).await?, most.saturating_add(AROUND));
    // Without time-outs: how long anything may take is the caller's decision.
    let patient = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let opened = MultiplexedConnection::new_with_config(&info, stream, patient).await;
    let (connection, driver) = opened.map_err(|error| refusal::told(&place, settings, &error))?;
    Ok((connection, Line { driver: Box::pin(driver), flooded }))
}

async fn connect(settings: &Settings, place: &str) -> Result<Box<dyn Stream>, Failure> {
    let address = &settings.address;
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await;
    let tcp = tcp.map_err(|error| refusal::unreachable(place, &error))?;
    // Commands are small writes; with Nagle's algorithm they would wait for the delayed ACK of the one before.
    tcp.set_nodelay(true).map_err(|error| refusal::unreachable(place, &error))?;
    if !address.tls {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(address.host.clone()).map_err(|_| refusal::no_name(place))?;
    let connector = TlsConnector::from(Arc::new(settings.roots.client(true)));
    let Ok(tls) = time::timeout(HANDSHAKE_WITHIN, connector.connect(name, tcp)).await else {
        return Err(refusal::silent(place));
    };
    let tls = tls.map_err(|error| refusal::handshake(place, &error))?;
    Ok(Box::new(tls))
}
