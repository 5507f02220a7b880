//! Nagle's algorithm against delayed acknowledgements costs 40 ms a piece: it is off on both sides of the ambassador.

use std::time::{Duration, Instant};

use e2e::harness::Setup;
use e2e::provider::Step;

use crate::support::{MODEL, assert_clean, two_providers};

/// The proof: the option itself, read from the sockets of the running ambassador.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_option_is_set_on_the_sockets_of_both_sides() {
    use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
    use socket2::SockRef;

    let (primary, fallback) = two_providers().await;
    primary.always(Step::slow(200));
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let mut stream = ambassador.agent().ask_streamed(MODEL, &"word ".repeat(50)).await.unwrap();
    stream.first_content().await.unwrap();

    let pid = ambassador.process.id();
    let process = pidfd_open(Pid::from_raw(pid.try_into().unwrap()).unwrap(), PidfdFlags::empty()).unwrap();
    let (mut agents, mut providers) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let is_socket =
            std::fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().starts_with("socket:"));
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()).filter(|_| is_socket) else {
            continue;
        };
        let socket = match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
            Ok(socket) => socket,
            Err(error) => e2e::skip!("this kernel does not let a parent look at its child's sockets: {error}"),
        };
        let socket = SockRef::from(&socket);
        // Listeners have no peer.
        let Some(peer) = socket.peer_addr().ok().and_then(|peer| peer.as_socket()) else { continue };
        let local = socket.local_addr().ok().and_then(|local| local.as_socket()).map(|local| local.port());
        let nodelay = socket.tcp_nodelay().unwrap();
        if peer.port() == primary.address().port() {
            providers.push(nodelay);
        } else if local == Some(ambassador.listen.port()) {
            agents.push(nodelay);
        }
    }
    assert_eq!(agents, [true], "towards the agent");
    assert_eq!(providers, [true], "towards the provider");
}

/// What it is for: pieces sent every 4 ms are passed on as they come. The option alone does not make it so, a relay
/// that gathers would fail this too. Half of them being late is told apart from a busy machine, which delays a few.
#[tokio::test]
async fn small_pieces_do_not_wait_for_one_another() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::slow(4));
    for setup in [Setup::anthropic_then_openai(&primary, &fallback), Setup::openai_then_anthropic(&primary, &fallback)]
    {
        let ambassador = setup.start().await;
        let told = ambassador.agent().ask_streamed(MODEL, &"word ".repeat(200)).await.unwrap().read().await;
        assert_clean(&told);
        let sent = primary.seen().last().unwrap().contents.clone();
        assert_eq!(sent.len(), told.content_at.len(), "pieces are passed on as they come");
        let late = |(arrived, sent): (&Instant, &Instant)| arrived.saturating_duration_since(*sent);
        let mut delays: Vec<Duration> = told.content_at.iter().zip(&sent).map(late).collect();
        delays.sort();
        let median = delays[delays.len() / 2];
        assert!(median < Duration::from_millis(10), "half of the pieces came {median:?} late or later");
    }
}

/// And small requests, one after the other on one connection, have no 40 ms between them.
#[tokio::test]
async fn small_requests_on_one_connection_do_not_wait() {
    use http_body_util::{BodyExt, Full};

    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::openai_then_anthropic(&primary, &fallback).start().await;
    let stream = tokio::net::TcpStream::connect(ambassador.listen).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut took = Vec::new();
    for _ in 0..60 {
        let since = Instant::now();
        let body = Full::new(bytes::Bytes::from(e2e::agent::question(MODEL, "hi").to_string()));
        let request =
            hyper::Request::post("/v1/chat/completions").header("host", "a").header("content-type", "application/json");
        let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        took.push(since.elapsed());
    }
    took.sort();
    assert!(
        took[took.len() / 2] < Duration::from_millis(35),
        "half of the requests took {:?} or longer",
        took[took.len() / 2]
    );
}
