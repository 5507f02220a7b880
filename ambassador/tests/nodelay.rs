//! Small writes go out at once on both sides: towards the providers and towards the agent.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use ambassador::pool;
use chassis::{net::Incoming, tls::Roots};
use hyper_rustls::MaybeHttpsStream;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

#[tokio::test]
async fn a_connection_to_a_provider_has_no_delay() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let stream = pool::connector(Roots::default().client(false)).oneshot(origin).await.unwrap();
    let MaybeHttpsStream::Http(stream) = stream else { unreachable!("http gets no TLS") };
    let socket = SockRef::from(stream.inner());
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    let untuned = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    assert!(!SockRef::from(&untuned).tcp_nodelay().unwrap(), "it is not the default, or this proves nothing");
}

#[tokio::test]
async fn a_connection_of_an_agent_has_no_delay() {
    let mut incoming = Incoming::new(chassis::net::listen(&[([127, 0, 0, 1], 0).into()]).unwrap()).unwrap();
    let address = incoming.addresses().into_iter().next().unwrap();
    let (client, (accepted, _)) = tokio::join!(TcpStream::connect(address), incoming.accept());
    let socket = SockRef::from(&accepted);
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    drop(client.unwrap());
}
