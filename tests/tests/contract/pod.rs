//! The newcomer's command: the pod on localhost, an agent's request answered, a failover seen.

use std::process::Command;
use std::time::Duration;

use e2e::harness::free_port;
use e2e::process::{Process, binary};

fn pod(command: &str) -> Command {
    let mut pod = Command::new(binary("pod").unwrap());
    pod.arg(command).env_clear();
    pod.env("AMBASSADOR_LISTEN", free_port().to_string()).env("AMBASSADOR_ADMIN_LISTEN", free_port().to_string());
    pod
}

#[tokio::test]
async fn the_demo_shows_a_failover_and_ends_by_itself() {
    let mut demo = Process::start(&mut pod("demo")).unwrap();
    let status = demo.wait(Duration::from_secs(60)).await.expect("it ends by itself");
    let told = demo.stdout.text();
    assert!(status.success(), "{told}\n{}", demo.stderr.text());
    for clue in [
        "answered by",
        "openai",
        "anthropic answered 503 (server_error)",
        "cost",
        "curl",
        "from openai import OpenAI",
        "make up",
    ] {
        assert!(told.contains(clue), "no {clue:?} in\n{told}");
    }
    assert!(!told.contains('\u{1b}'), "colours where there is no terminal");
}

#[tokio::test]
async fn the_demo_leaves_nothing_behind() {
    let mut command = pod("demo");
    let listen =
        command.get_envs().find(|(name, _)| *name == "AMBASSADOR_LISTEN").and_then(|(_, value)| value).unwrap();
    let listen: std::net::SocketAddr = listen.to_str().unwrap().parse().unwrap();
    let mut demo = Process::start(&mut command).unwrap();
    demo.wait(Duration::from_secs(60)).await.expect("it ends by itself");
    assert!(std::net::TcpStream::connect(listen).is_err(), "somebody still listens on {listen}");
}

#[tokio::test]
async fn the_pod_stays_up_until_it_is_told_to_end() {
    let mut up = Process::start(&mut pod("up")).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !up.stdout.text().contains("curl") {
        assert!(
            std::time::Instant::now() < deadline && up.ended().is_none(),
            "{}\n{}",
            up.stdout.text(),
            up.stderr.text()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let status = up.stop(Duration::from_secs(20)).await.expect("it ends when it is told to");
    assert!(status.success(), "{}\n{}", up.stdout.text(), up.stderr.text());
}

#[tokio::test]
async fn a_port_that_somebody_else_has_is_a_clear_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = pod("demo");
    let mut demo = Process::start(command.env("AMBASSADOR_LISTEN", &address)).unwrap();
    let status = demo.wait(Duration::from_secs(60)).await.expect("it ends by itself");
    assert!(!status.success());
    assert!(demo.stderr.text().contains(&address), "{}", demo.stderr.text());
}
