//! The newcomer's command: the pod on localhost, an agent's request answered, a failover seen.

use std::process::Command;
use std::time::Duration;

use e2e::harness::free_port;
use e2e::process::{Process, binary};

pub(crate) fn pod(command: &str) -> Command {
    let mut pod = Command::new(binary("pod").unwrap());
    pod.arg(command).env_clear();
    for name in ["AMBASSADOR_LISTEN", "AMBASSADOR_ADMIN_LISTEN", "CONTEXT_LISTEN", "CONTEXT_ADMIN_LISTEN"] {
        pod.env(name, free_port().to_string());
    }
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
    let ports: Vec<std::net::SocketAddr> = command
        .get_envs()
        .filter(|(name, _)| name.to_str().unwrap().ends_with("_LISTEN"))
        .map(|(_, value)| value.unwrap().to_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(ports.len(), 4);
    let mut demo = Process::start(&mut command).unwrap();
    demo.wait(Duration::from_secs(60)).await.expect("it ends by itself");
    for port in ports {
        assert!(std::net::TcpStream::connect(port).is_err(), "somebody still listens on {port}");
    }
}

#[tokio::test]
async fn the_demo_says_how_both_providers_failed() {
    let mut command = pod("demo");
    let nobody = format!("http://{}/v1", free_port());
    let mut demo = Process::start(command.env("OPENAI_API_KEY", "sk-fake").env("OPENAI_BASE_URL", nobody)).unwrap();
    let status = demo.wait(Duration::from_secs(60)).await.expect("it ends by itself");
    let told = demo.stderr.text();
    assert!(!status.success(), "{told}");
    for clue in ["anthropic answered 503 (server_error)", "openai failed (connect: ", r#""message":"attempt failed""#] {
        assert!(told.contains(clue), "no {clue:?} in\n{told}");
    }
}

#[tokio::test]
async fn the_pod_stays_up_without_a_provider_until_it_is_told_to_end() {
    let mut up = Process::start(&mut pod("up")).unwrap();
    says(&mut up, "curl -N").await;
    kill(children(&up, "simulated-provider")[0]);
    says(&mut up, "simulated anthropic ended by itself").await;
    let status = up.stop(Duration::from_secs(20)).await.expect("it ends when it is told to");
    assert!(status.success(), "{}\n{}", up.stdout.text(), up.stderr.text());
}

#[tokio::test]
async fn the_pod_ends_with_any_of_its_sidecars() {
    for name in ["ambassador", "context-sidecar"] {
        let mut up = Process::start(&mut pod("up")).unwrap();
        says(&mut up, "curl -N").await;
        kill(children(&up, name)[0]);
        let status = up.wait(Duration::from_secs(20)).await.expect("it ends by itself");
        assert!(!status.success());
        assert!(up.stderr.text().contains(&format!("{name} ended by itself")), "{}", up.stderr.text());
    }
}

/// Waits until `process` has said `words`.
pub(crate) async fn says(process: &mut Process, words: &str) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !process.stdout.text().contains(words) {
        assert!(
            std::time::Instant::now() < deadline && process.ended().is_none(),
            "{}\n{}",
            process.stdout.text(),
            process.stderr.text()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The processes that `process` started from the binary `name`, in the order of their start.
fn children(process: &Process, name: &str) -> Vec<i32> {
    let id = process.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let children = children.split_whitespace().map(|child| child.parse().unwrap());
    children
        .filter(|child| std::fs::read_link(format!("/proc/{child}/exe")).is_ok_and(|program| program.ends_with(name)))
        .collect()
}

fn kill(child: i32) {
    assert!(Command::new("kill").args(["-9", &child.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn help_is_no_failure() {
    for (name, clue) in
        [("pod", "pod up"), ("simulated-provider", r#""status": {"code": 503}"#), ("simulated-store", "/tools.json")]
    {
        let helped = Command::new(binary(name).unwrap()).arg("--help").output().unwrap();
        let told = String::from_utf8_lossy(&helped.stdout);
        assert!(helped.status.success() && told.contains(clue), "{told}");
    }
}

#[tokio::test]
async fn a_port_that_somebody_else_has_is_a_clear_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for name in ["AMBASSADOR_LISTEN", "CONTEXT_LISTEN"] {
        let mut command = pod("demo");
        let mut demo = Process::start(command.env(name, &address)).unwrap();
        let status = demo.wait(Duration::from_secs(60)).await.expect("it ends by itself");
        assert!(!status.success());
        assert!(demo.stderr.text().contains(&address), "{}", demo.stderr.text());
    }
}
