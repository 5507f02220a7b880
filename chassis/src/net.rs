//! Sockets: where to listen, and how a connection is set up.
//!
//! `127.0.0.1` is not the whole of the loopback: a client that resolves `localhost` to `::1` first
//! would be refused. So the loopback is bound on both families, and "every address" is one
//! dual-stack socket. A machine without IPv6 is fine; a port that is taken is an error at the
//! start, with the address in it.

pub mod descriptors;
mod incoming;
mod listen;

pub use incoming::{Incoming, tune};
pub use listen::{Listen, ListenError, parse_listen};

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel completes before we accept them. The kernel caps it at `somaxconn`.
const BACKLOG: i32 = 4096;

/// With port 0 the kernel picks a free port for IPv4, which may be taken for IPv6. So often we ask
/// again before that is an error.
const PORT_PICKS: usize = 8;

/// Why an address cannot be listened on. The text is for the operator and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Something listens there already.
    #[error(
        "cannot listen on {address}: the address is in use; another process in this pod or on this \
         machine holds the port: stop it, or choose another port to listen on"
    )]
    InUse {
        /// The address that is taken.
        address: SocketAddr,
    },
    /// The port is reserved for privileged processes.
    #[error("cannot listen on {address}: not permitted; choose a port above 1023")]
    Denied {
        /// The address that was refused.
        address: SocketAddr,
    },
    /// No interface has the address.
    #[error(
        "cannot listen on {address}: this machine has no such address; choose 127.0.0.1 for this \
         pod only, or 0.0.0.0 for everybody"
    )]
    NoSuchAddress {
        /// The address that nothing here has.
        address: SocketAddr,
    },
    /// Anything else the operating system said.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// The address that was refused.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BindError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        let kind = source.kind();
        if kind == io::ErrorKind::AddrInUse {
            Self::InUse { address }
        } else if kind == io::ErrorKind::PermissionDenied {
            Self::Denied { address }
        } else if kind == io::ErrorKind::AddrNotAvailable {
            Self::NoSuchAddress { address }
        } else {
            Self::Other { address, source }
        }
    }
}

/// Listens on exactly these addresses. The listeners do not block and are ready for tokio.
///
/// # Errors
///
/// [`BindError`] for the first address that cannot be had; then none is held.
pub fn listen(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    addresses.iter().map(|address| bind(*address, Stack::Single)).collect()
}

/// Listens on `127.0.0.1` and, where there is IPv6, on `::1`. Port 0 picks one free port for both.
///
/// # Errors
///
/// [`BindError`] when the port is taken on either.
pub fn loopback(port: u16) -> Result<Vec<TcpListener>, BindError> {
    for _ in 1..PORT_PICKS {
        match loopback_once(port) {
            Err(BindError::InUse { .. }) if port == 0 => {}
            done => return done,
        }
    }
    loopback_once(port)
}

fn loopback_once(port: u16) -> Result<Vec<TcpListener>, BindError> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let first = bind(v4, Stack::Single)?;
    let port = first.local_addr().map_err(|source| BindError::new(v4, source))?.port();
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    match bind(v6, Stack::Single) {
        Ok(second) => Ok(vec![first, second]),
        Err(error) if lacks_ipv6(&error) => Ok(vec![first]),
        Err(error) => Err(error),
    }
}

/// Listens on every address of both families with one socket, or on every IPv4 address where there
/// is no IPv6. Port 0 picks a free port.
///
/// # Errors
///
/// [`BindError`] when the port is taken.
pub fn any(port: u16) -> Result<Vec<TcpListener>, BindError> {
    match bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), Stack::Dual) {
        Ok(listener) => Ok(vec![listener]),
        Err(error) if lacks_ipv6(&error) => {
            Ok(vec![bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), Stack::Single)?])
        }
        Err(error) => Err(error),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stack {
    Single,
    Dual,
}

fn bind(address: SocketAddr, stack: Stack) -> Result<TcpListener, BindError> {
    let try_bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(stack == Stack::Single)?;
        }
        // A restart must not wait for the last connections of its predecessor to time out.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from(socket))
    };
    try_bind().map_err(|source| BindError::new(address, source))
}

/// Whether a refusal on an IPv6 address means that there is no IPv6: no socket of that family can
/// be made, or no interface has the address. A port that is taken is neither.
fn lacks_ipv6(error: &BindError) -> bool {
    match error {
        BindError::NoSuchAddress { .. } => true,
        BindError::Other { .. } => Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).is_err(),
        BindError::InUse { .. } | BindError::Denied { .. } => false,
    }
}
