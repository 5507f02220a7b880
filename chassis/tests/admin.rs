//! The admin port over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use chassis::admin::{Admin, Heartbeat, Readiness};
use chassis::metrics::{Counter, Metrics};
use chassis::net::{Listen, loopback};
use chassis::{cli, clock};
use http::StatusCode;

struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    exchange(address, &format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let answer = ask(address, "GET", path);
    (answer.status, answer.body)
}

fn answer(status: u16, body: &str) -> (u16, String) {
    (status, body.to_owned())
}

struct Process {
    readiness: Readiness,
    heartbeat: Heartbeat,
    metrics: Metrics,
    address: SocketAddr,
}

fn process(change: impl FnOnce(Admin) -> Admin) -> Process {
    let readiness = Readiness::new();
    let heartbeat = Heartbeat::new(clock::now() - Duration::from_secs(60));
    let metrics = Metrics::new();
    let admin = Admin::new(readiness.clone(), heartbeat.clone(), metrics.clone());
    let serving = change(admin).serve(Listen::Loopback(0).bind().unwrap()).unwrap();
    Process { readiness, heartbeat, metrics, address: serving.addresses()[0] }
}

#[test]
fn from_start_to_end() {
    let Process { readiness, address, .. } = process(|admin| admin);
    assert_eq!(get(address, "/health/startup"), answer(503, r#"{"status":"not started","reason":"starting"}"#));
    let starting = answer(503, r#"{"status":"not ready","reason":"starting"}"#);
    assert_eq!(get(address, "/health/ready"), starting);

    readiness.started();
    readiness.ready(true, "");
    assert_eq!(get(address, "/health/startup"), answer(200, r#"{"status":"started"}"#));
    for path in ["/health", "/health/ready", "/ready", "/ready?verbose=1"] {
        assert_eq!(get(address, path), answer(200, r#"{"status":"ready"}"#));
    }

    readiness.ready(false, "no key is usable");
    assert_eq!(get(address, "/health"), answer(503, r#"{"status":"not ready","reason":"no key is usable"}"#));

    readiness.ready(true, "");
    readiness.draining();
    assert_eq!(get(address, "/ready"), answer(503, r#"{"status":"not ready","reason":"draining"}"#));
    assert_eq!(get(address, "/health/live"), answer(200, r#"{"status":"live"}"#));
}

#[test]
fn a_data_plane_that_no_longer_turns_is_not_live() {
    let Process { heartbeat, address, .. } = process(|admin| admin);
    assert_eq!(get(address, "/health/live").0, 200);
    heartbeat.beat(clock::now() - Duration::from_secs(12));
    let (status, body) = get(address, "/health/live");
    assert_eq!(status, 503);
    assert!(body.contains("the last heartbeat was 12 s ago"), "{body}");
    heartbeat.beat(clock::now());
    assert_eq!(get(address, "/health/live").0, 200);
}

#[test]
fn what_is_not_there_and_what_is_not_allowed() {
    let Process { address, .. } = process(|admin| admin);
    assert_eq!(get(address, "/nothing"), answer(404, r#"{"error":"no such path"}"#));
    assert_eq!(get(address, "/health/live/"), answer(404, r#"{"error":"no such path"}"#));
    let refused = ask(address, "POST", "/health");
    assert_eq!(refused.status, 405);
    assert!(refused.head.contains("allow: get, head"), "{}", refused.head);
    assert_eq!(refused.body, r#"{"error":"only GET and HEAD"}"#);
}

#[test]
fn head_has_the_status_and_no_body() {
    let Process { address, .. } = process(|admin| admin);
    let head = ask(address, "HEAD", "/health/live");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn metrics_are_scraped() {
    let Process { metrics, address, .. } = process(|admin| admin);
    metrics.register("requests", "Requests taken", Counter::<u64>::default()).inc_by(3);
    let scraped = ask(address, "GET", "/metrics");
    assert_eq!(scraped.status, 200);
    assert!(scraped.head.contains("content-type: application/openmetrics-text; version=1.0.0"));
    assert!(scraped.body.contains("requests_total 3"), "{}", scraped.body);
}

#[test]
fn details_and_routes_are_added() {
    let Process { address, .. } = process(|admin| {
        admin
            .details(|| serde_json::Map::from_iter([("active_tasks".to_owned(), 2.into())]))
            .route("/version", || (StatusCode::OK, "text/plain", "1.2.3".to_owned()))
            .route("/health", || (StatusCode::IM_A_TEAPOT, "text/plain", String::new()))
    });
    assert_eq!(get(address, "/version"), answer(200, "1.2.3"));
    let (status, body) = get(address, "/health");
    assert_eq!(status, 503);
    assert_eq!(body, r#"{"status":"not ready","reason":"starting","active_tasks":2}"#);
}

#[test]
fn one_connection_serves_many_probes() {
    let Process { address, .. } = process(|admin| admin);
    let probe = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
    let last = "GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let all = exchange(address, &format!("{probe}{probe}{last}"));
    assert_eq!(all.body.matches("HTTP/1.1 200").count(), 2, "{}", all.body);
}

#[test]
fn a_prober_that_does_not_finish_asking_is_cut_off() {
    let Process { address, .. } = process(|admin| admin);
    let mut slow = TcpStream::connect(address).unwrap();
    slow.write_all(b"GET /health HTT").unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(get(address, "/health/live").0, 200);
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    slow.shutdown(Shutdown::Both).ok();
}

#[test]
fn a_health_check_from_the_command_line() {
    let Process { readiness, address, .. } = process(|admin| admin);
    let check = |address: &str| format!("{:?}", cli::healthcheck(address, "/health/ready"));
    let [ok, failed, usage] = [0, 1, 64].map(|code| format!("{:?}", ExitCode::from(code)));
    let any = format!("0.0.0.0:{}", address.port());
    assert_eq!(check(&any), failed);
    readiness.started();
    readiness.ready(true, "");
    assert_eq!(check(&any), ok);
    assert_eq!(check(&format!("127.0.0.1:{}", address.port())), ok);
    assert_eq!(check("nowhere"), usage);

    let silent = loopback(0).unwrap();
    let start = clock::now();
    assert_eq!(check(&silent[0].local_addr().unwrap().to_string()), failed);
    assert!((clock::now() - start) < Duration::from_secs(4));
}

#[test]
fn clients_that_do_not_ask_or_do_not_read_keep_nobody_out() {
    let process = process(|admin| admin);
    process.readiness.started();
    let connect = |request: &str| {
        let mut stream = TcpStream::connect(process.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    // Far more than there is room for, held open to the end.
    let silent: Vec<_> = (0..200).map(|_| connect("")).collect();
    let half: Vec<_> = (0..200).map(|_| connect("GET /health/live HTTP/1.1\r\nx-half: ")).collect();
    let unread: Vec<_> = (0..200).map(|_| connect(&"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(500))).collect();
    for _ in 0..3 {
        let mut probe = connect("GET /health/startup HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        // Shorter than it takes until those who say nothing are sent away: that is not what lets a probe in.
        probe.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
        let mut text = String::new();
        probe.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    }
    drop((silent, half, unread));
}
