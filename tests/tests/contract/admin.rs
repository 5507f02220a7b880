//! Probes: on a port of their own, never in the way of a model nor a model in theirs.

use std::time::{Duration, Instant};

use e2e::harness::{Setup, free_port};
use e2e::provider::Fault;

use crate::support::{MODEL, two_providers};

#[tokio::test]
async fn probes_answer_and_call_no_model() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    for _ in 0..10 {
        for path in ["/health/live", "/health/ready", "/health/startup", "/metrics"] {
            assert_eq!(ambassador.admin(path).await.status, 200, "{path}");
        }
    }
    assert_eq!(ambassador.admin("/health/nope").await.status, 404);
    assert_eq!(ambassador.admin("/v1/models").await.status, 404, "no data plane on the admin port");
    assert_eq!((primary.seen().len(), fallback.seen().len()), (0, 0));
}

#[tokio::test]
async fn probes_do_not_wait_behind_requests() {
    let (primary, fallback) = two_providers().await;
    primary.always(Fault::HangBeforeHead);
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let agent = ambassador.agent();
        waiting.spawn(async move { agent.ask(MODEL, "hi").await.map(|answer| answer.status) });
    }
    primary.seen_when(|seen| seen.len() >= 50).await;
    let since = Instant::now();
    for path in ["/health/live", "/health/ready", "/health/startup", "/metrics"] {
        assert_eq!(ambassador.admin(path).await.status, 200, "{path}");
    }
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_provider_that_is_down_makes_nothing_unready() {
    let (primary, fallback) = two_providers().await;
    primary.always(Fault::ResetBeforeHead);
    fallback.always(Fault::ResetBeforeHead);
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    for _ in 0..5 {
        assert!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status >= 500);
    }
    assert_eq!(ambassador.admin("/health/live").await.status, 200);
    assert_eq!(ambassador.admin("/health/ready").await.status, 200, "every pod unready would mend nothing");
}

#[tokio::test]
async fn the_healthcheck_command_asks_the_running_one() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    for probe in
        [&["healthcheck"][..], &["healthcheck", "live"], &["healthcheck", "ready"], &["healthcheck", "startup"]]
    {
        let ended = Setup::new().env("AMBASSADOR_ADMIN_LISTEN", ambassador.admin.to_string()).run(probe).await;
        assert_eq!(ended.code, Some(0), "{probe:?}: {}", ended.stderr);
    }
    // The address that it listens on everywhere is asked on this machine.
    let everywhere = format!("0.0.0.0:{}", ambassador.admin.port());
    let ended = Setup::new().env("AMBASSADOR_ADMIN_LISTEN", everywhere).run(&["healthcheck", "ready"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let ended =
        Setup::new().env("AMBASSADOR_ADMIN_LISTEN", free_port().to_string()).run(&["healthcheck", "ready"]).await;
    assert!(ended.code.is_some_and(|code| code != 0), "nobody is there to be healthy");
}
