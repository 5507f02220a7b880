//! Ports of loopback that nobody listens on.
//!
//! They are below those that a kernel gives to whoever asks for any, or connects: from there another process would take a
//! port between the look and the use. Each process begins at another place, so that they do not meet each other either.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 10_000;
const COUNT: u32 = 22_000;

/// How many a process has before it comes to those of the next one.
const EACH: u32 = 64;

/// A port that is free at this moment, and that this process has not been told of lately.
pub fn free() -> io::Result<SocketAddr> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = process::id().wrapping_mul(EACH);
    for _ in 0..COUNT {
        let place = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let Ok(port) = u16::try_from(FIRST + place) else { continue };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no port of loopback is free"))
}
