//! Real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use chassis::net::{BindError, Incoming, Listen, any, listen, loopback};
use chassis::task::block_on;
use socket2::SockRef;

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn connects(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok()
}

#[test]
fn the_loopback_is_bound_on_every_family_there_is() {
    let listeners = loopback(0).unwrap();
    assert_eq!(listeners.len(), if has_ipv6() { 2 } else { 1 });
    let ports: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
    assert!(ports.iter().all(|port| *port == ports[0]));
    for address in Listen::Loopback(ports[0]).reachable_at() {
        assert_eq!(connects(address), address.is_ipv4() || has_ipv6());
    }
}

#[test]
fn every_address_is_one_socket_for_both_families() {
    let listeners = any(0).unwrap();
    assert_eq!(listeners.len(), 1);
    let port = listeners[0].local_addr().unwrap().port();
    for address in Listen::Any(port).reachable_at() {
        assert_eq!(connects(address), address.is_ipv4() || has_ipv6());
    }
}

#[test]
fn a_taken_port_is_told_with_its_address_and_what_to_do() {
    let held = loopback(0).unwrap();
    let address = held[0].local_addr().unwrap();
    let refusals =
        [loopback(address.port()).unwrap_err(), any(address.port()).unwrap_err(), listen(&[address]).unwrap_err()];
    for refusal in refusals {
        assert!(matches!(refusal, BindError::InUse { .. }), "{refusal:?}");
        let text = refusal.to_string();
        assert!(text.contains(&format!(":{}: the address is in use", address.port())), "{text}");
        assert!(text.contains("choose another port"), "{text}");
    }
}

#[test]
fn an_address_of_somebody_else_is_told_as_such() {
    let refusal = listen(&["192.0.2.1:0".parse().unwrap()]).unwrap_err();
    assert!(matches!(refusal, BindError::NoSuchAddress { .. }), "{refusal:?}");
}

#[test]
fn accepted_connections_do_not_delay_small_writes() {
    block_on(async {
        let mut incoming = Incoming::new(loopback(0).unwrap()).unwrap();
        for address in incoming.addresses() {
            let client = TcpStream::connect(address).unwrap();
            let (stream, peer) = incoming.accept().await;
            assert_eq!(peer, client.local_addr().unwrap());
            let socket = SockRef::from(&stream);
            assert!(socket.tcp_nodelay().unwrap());
            assert!(socket.keepalive().unwrap());
        }
    })
    .unwrap();
}

#[test]
fn no_listener_starves_another() {
    block_on(async {
        let mut incoming = Incoming::new(listen(&["127.0.0.1:0".parse().unwrap(); 2]).unwrap()).unwrap();
        let addresses = incoming.addresses();
        let _clients: Vec<_> = addresses
            .iter()
            .flat_map(|address| [TcpStream::connect(address).unwrap(), TcpStream::connect(address).unwrap()])
            .collect();
        let mut ports = Vec::new();
        for _ in 0..4 {
            ports.push(incoming.accept().await.0.local_addr().unwrap().port());
        }
        ports.sort_unstable();
        let mut expected: Vec<_> = addresses.iter().flat_map(|address| [address.port(); 2]).collect();
        expected.sort_unstable();
        assert_eq!(ports, expected);
    })
    .unwrap();
}
