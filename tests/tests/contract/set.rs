//! The pod begins with a set: what the agent finds, from where, and that without it nothing starts.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use e2e::harness::{PATIENCE, free_port};
use e2e::http;
use e2e::process::Process;
use e2e::store::Store;

use crate::pod::{pod, says};

const LONG_ENOUGH: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_agent_says_what_the_set_says_and_it_arrives() {
    let mut demo = Process::start(&mut pod("demo")).unwrap();
    let status = demo.wait(LONG_ENOUGH).await.expect("it ends by itself");
    let told = demo.stdout.text();
    assert!(status.success(), "{told}\n{}", demo.stderr.text());
    for clue in [
        "config-loader",
        "sha256:",
        "guardrails.yaml ",
        "/tools.json",
        "from the set: You are the mate of an outrigger canoe.",
        "the simulated anthropic received it as `system`, with 1 tool",
        "the simulated openai received it as a message of the role system, with 1 tool",
    ] {
        assert!(told.contains(clue), "no {clue:?} in\n{told}");
    }
    let rows = |name: &str| told.lines().filter_map(|line| line.trim_start().strip_prefix(name)).next().map(str::trim);
    assert_eq!(rows("digest "), rows("set "), "the metric tells of the set\n{told}");
}

#[tokio::test]
async fn a_prompt_of_ones_own_is_loaded_instead() {
    let folder = tempfile::tempdir().unwrap();
    let prompt = folder.path().join("prompt.txt");
    std::fs::write(&prompt, "You are a lighthouse.\nSay {{so}}.\n").unwrap();
    let mut command = pod("demo");
    command.env("PROMPT_URL", format!("file://{}", prompt.display()));
    let mut demo = Process::start(&mut command).unwrap();
    let status = demo.wait(LONG_ENOUGH).await.expect("it ends by itself");
    let told = demo.stdout.text();
    assert!(status.success(), "{told}\n{}", demo.stderr.text());
    for clue in [
        "PROMPT_URL is in the environment",
        "from the set: You are a lighthouse. Say {{so}}.",
        "the simulated openai received it",
        // What is not one's own is the store's.
        "simulated store",
    ] {
        assert!(told.contains(clue), "no {clue:?} in\n{told}");
    }
}

#[tokio::test]
async fn a_proxy_of_this_machine_is_not_asked_for_what_is_on_it() {
    for exceptions in [None, Some("internal.example")] {
        let mut command = pod("demo");
        command.env("HTTP_PROXY", format!("http://{}", free_port())).env("CONFIG_LOADER_DEADLINE", "1s");
        command.envs(exceptions.map(|exceptions| ("no_proxy", exceptions)));
        let mut demo = Process::start(&mut command).unwrap();
        let status = demo.wait(LONG_ENOUGH).await.expect("it ends by itself");
        assert!(status.success(), "{}\n{}", demo.stdout.text(), demo.stderr.text());
    }
}

#[tokio::test]
async fn without_its_prompt_the_pod_does_not_start_and_says_why() {
    for command in ["demo", "up"] {
        let nobody = format!("http://{}/prompt.txt", free_port());
        let mut command = pod(command);
        let (_, admin) = command
            .get_envs()
            .find(|(name, _)| *name == "AMBASSADOR_ADMIN_LISTEN")
            .map(|it| (it.0, it.1.unwrap()))
            .unwrap();
        let admin: std::net::SocketAddr = admin.to_str().unwrap().parse().unwrap();
        command.env("PROMPT_URL", &nobody).env("CONFIG_LOADER_DEADLINE", "1s");
        let mut pod = Process::start(&mut command).unwrap();
        let status = pod.wait(LONG_ENOUGH).await.expect("it ends by itself");
        let (told, why) = (pod.stdout.text(), pod.stderr.text());
        assert!(!status.success(), "{told}\n{why}");
        let mut lines = why.lines().skip_while(|line| line.is_empty());
        let first = lines.next().unwrap_or_default();
        assert!(first.starts_with("pod: config-loader failed, so the pod does not start"), "{why}");
        let block: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        assert_eq!(block.len(), 2, "{why}");
        assert!(block[0].starts_with("    failed (exit code 69, unavailable)"), "{why}");
        assert!(block[1].contains("prompt") && block[1].contains(&nobody), "{why}");
        assert!(!told.lines().any(|line| line.trim_start().starts_with("ambassador ")), "{told}");
        assert!(TcpStream::connect(admin).is_err(), "something listens on {admin}");
    }
}

#[tokio::test]
async fn the_pod_says_where_its_set_is_and_takes_it_along() {
    let mut up = Process::start(&mut pod("up")).unwrap();
    says(&mut up, "curl -N").await;
    let told = up.stdout.text();
    let place = told.lines().find_map(|line| line.strip_prefix("The agent's set, in ")).expect(&told);
    let prompt = std::fs::read_to_string(Path::new(place).join("system-prompt.txt")).unwrap();
    assert!(prompt.starts_with("You are"), "{prompt}");
    let status = up.stop(PATIENCE).await.expect("it ends when it is told to");
    assert!(status.success(), "{}\n{}", up.stdout.text(), up.stderr.text());
    assert!(!Path::new(place).parent().unwrap().exists(), "{place} is still there");
}

#[tokio::test]
async fn a_pod_that_still_waits_for_its_set_ends_when_it_is_told_to() {
    let mut command = pod("demo");
    let nobody = format!("http://{}/prompt.txt", free_port());
    let mut demo = Process::start(command.env("PROMPT_URL", nobody).env("CONFIG_LOADER_DEADLINE", "60s")).unwrap();
    says(&mut demo, "simulated openai").await;
    let status = demo.stop(PATIENCE).await.expect("it ends when it is told to");
    assert!(!status.success());
    assert!(demo.stderr.text().contains("interrupted before the pod was up"), "{}", demo.stderr.text());
}

#[tokio::test]
async fn a_store_has_versions_and_no_more_than_it_has() {
    let store = Store::listen(free_port()).await.unwrap();
    let address = store.address();
    let serving = tokio::spawn(store.serve());
    for path in Store::paths() {
        let answer = http::get(address, path).await.unwrap();
        assert_eq!((answer.status, answer.header("etag").len()), (200, 18), "{path}");
    }
    assert_eq!(http::get(address, "/").await.unwrap().status, 404);
    serving.abort();
}
