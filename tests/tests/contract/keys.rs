//! A provider has a pool of keys, from a variable, a file or a folder of files.

use e2e::harness::Setup;
use e2e::provider::{Provider, Rule, Seen, Step};

use crate::support::{MODEL, error_of, two_providers};

fn count(seen: &[Seen], key: &str) -> usize {
    seen.iter().filter(|seen| seen.key == key).count()
}

#[tokio::test]
async fn a_refused_key_is_replaced_by_the_next() {
    for setup in [Setup::openai_then_anthropic, Setup::anthropic_then_openai] {
        let (primary, fallback) = two_providers().await;
        primary.on(Rule::always(Step::status(401)).for_key("sk-bad"));
        let ambassador = setup(&primary, &fallback)
            .env("OPENAI_API_KEY", "sk-bad,sk-good")
            .env("ANTHROPIC_API_KEY", "sk-bad,sk-good")
            .start()
            .await;
        for _ in 0..6 {
            assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 200);
        }
        let seen = primary.seen();
        assert_eq!(count(&seen, "sk-good"), 6, "the fallback is for when no key is left");
        assert!(count(&seen, "sk-bad") <= 6, "a refused key was used again for the same request");
        assert_eq!(fallback.seen().len(), 0);
    }
}

#[tokio::test]
async fn a_key_at_its_limit_is_replaced_by_the_next() {
    let (primary, fallback) = two_providers().await;
    primary.on(Rule::always(Step::status(429)).for_key("sk-limited"));
    let ambassador =
        Setup::openai_then_anthropic(&primary, &fallback).env("OPENAI_API_KEY", "sk-limited, sk-good").start().await;
    for _ in 0..6 {
        let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
        assert_eq!((answer.status, answer.header("x-ambassador-provider")), (200, "openai"));
    }
    let seen = primary.seen();
    assert_eq!(count(&seen, "sk-good"), 6);
    assert!(count(&seen, "sk-limited") <= 6, "a key at its limit was used again for the same request");
}

#[tokio::test]
async fn when_no_key_is_left_the_next_provider_is() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::status(401));
    let ambassador =
        Setup::openai_then_anthropic(&primary, &fallback).env("OPENAI_API_KEY", "sk-one,sk-two").start().await;
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!((answer.status, answer.header("x-ambassador-provider")), (200, "anthropic"));
    assert_eq!((count(&primary.seen(), "sk-one"), count(&primary.seen(), "sk-two")), (1, 1));
}

#[tokio::test]
async fn when_no_key_is_good_the_caller_gets_a_401() {
    let provider = Provider::start().await.unwrap();
    provider.always(Step::status(401));
    let ambassador = Setup::openai_alone(&provider).env("OPENAI_API_KEY", "sk-one,sk-two").start().await;
    for _ in 0..2 {
        let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
        assert_eq!(answer.status, 401);
        error_of(&answer);
    }
}

#[tokio::test]
async fn keys_come_from_a_file_one_a_line() {
    let provider = Provider::start().await.unwrap();
    provider.on(Rule::always(Step::status(401)).for_key("sk-first"));
    let (setup, path) = Setup::new().file("keys", "sk-first\n\n  sk-second \n");
    let setup = setup.env("PRIMARY_PROVIDER", "openai").env("OPENAI_BASE_URL", provider.openai_url());
    let ambassador = setup.env("OPENAI_API_KEY_FILE", path.display().to_string()).start().await;
    for _ in 0..3 {
        assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 200);
    }
    assert_eq!(count(&provider.seen(), "sk-second"), 3);
}

#[tokio::test]
async fn keys_come_from_a_folder_as_a_mounted_secret_is_one() {
    let provider = Provider::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    // As the kubelet lays it out: the files are links into a dated folder, `..data` a link to that.
    let dated = dir.path().join("..2026_11_24");
    std::fs::create_dir(&dated).unwrap();
    std::fs::write(dated.join("one"), "sk-mounted\n").unwrap();
    std::os::unix::fs::symlink("..2026_11_24", dir.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/one", dir.path().join("one")).unwrap();
    let setup = Setup::new().env("PRIMARY_PROVIDER", "openai").env("OPENAI_BASE_URL", provider.openai_url());
    let ambassador = setup.env("OPENAI_API_KEY_FILE", dir.path().display().to_string()).start().await;
    assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 200);
    assert_eq!(count(&provider.seen(), "sk-mounted"), 1);
}
