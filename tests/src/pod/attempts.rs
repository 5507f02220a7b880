//! What the ambassador's log says about one request: which attempts failed, and why.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::launch::Pod;

/// How long the end of a request may take to reach the log, and the log us.
const PATIENCE: Duration = Duration::from_secs(2);

/// The attempts of a request that failed, in order, a sentence each. The request has been answered, or is hopeless.
pub(super) async fn failed(pod: &Pod, request: &str) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log: Vec<Value> = pod.log("ambassador").iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let of_it: Vec<&Value> = log.iter().filter(|entry| entry["request_id"] == request).collect();
        // The line of its end is the last: after it there is nothing to wait for.
        if of_it.iter().any(|entry| entry["message"] == "request ended") || Instant::now() > deadline {
            return of_it.into_iter().filter(|entry| entry["message"] == "attempt failed").map(sentence).collect();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn sentence(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or("?");
    let (provider, reason, attempt) = (text("provider"), text("reason"), &entry["attempt"]);
    let what = match entry["status"].as_u64() {
        Some(status) => format!("answered {status} ({reason})"),
        None => format!("failed ({reason}: {})", text("detail")),
    };
    format!("attempt {attempt}: {provider} {what}; {}", text("next"))
}
