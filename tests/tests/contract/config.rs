//! A configuration is right, or every problem with it is told at once, each with its place, before anything starts.

use std::net::{Ipv4Addr, TcpListener};

use e2e::harness::Setup;
use serde_json::Value;

/// For a configuration that is wrong.
const CONFIG: Option<i32> = Some(78);
/// For a command line that is wrong.
const USAGE: Option<i32> = Some(64);

const GOOD: &str = "providers:
  openai:    { kind: openai, keys: [ { env: OPENAI_API_KEY } ] }
  anthropic: { kind: anthropic, keys: [ { env: ANTHROPIC_API_KEY } ] }
  vllm:      { kind: openai-compatible, base_url: 'http://vllm.inference:8000/v1' }
routes:
  - model: gpt-4o
    timeouts: { total: 30s }
    targets:
      - { provider: openai, model: gpt-4o, timeouts: { headers: 5s } }
      - { provider: anthropic, model: claude-sonnet-4-5 }
";

/// Five mistakes.
const BAD: &str = "providers:
  openai: { kind: openia, keys: [ { env: OPENAI_API_KEY } ] }
  vllm: { kind: openai-compatible }
rotues: []
routes:
  - model: gpt-4o
    timeouts: { total: soon }
    targets:
      - { provider: nobody, model: gpt-4o }
";

fn with_keys(yaml: &str) -> Setup {
    Setup::new().env("OPENAI_API_KEY", "k").env("ANTHROPIC_API_KEY", "k").config(yaml)
}

#[tokio::test]
async fn a_good_file_passes_the_check() {
    let ended = with_keys(GOOD).run(&["check"]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[tokio::test]
async fn the_check_shows_every_route_with_its_shares() {
    let yaml = "providers:
  openai: { kind: openai, keys: [ { env: OPENAI_API_KEY } ] }
  anthropic: { kind: anthropic, keys: [ { env: ANTHROPIC_API_KEY } ] }
routes:
  - { model: gpt-4o, targets: [ { provider: openai }, { provider: anthropic, model: claude-sonnet-4-5 } ] }
  - model: 'llama-*'
    tiers: [ [ { provider: openai, model: gpt-4o, weight: 3 }, { provider: anthropic, model: claude-haiku-4-5 } ] ]
";
    let shown = with_keys(yaml).run(&["check"]).await.stdout;
    for line in [
        "gpt-4o -> openai/(the model asked for), then anthropic/claude-sonnet-4-5",
        "llama-* -> openai/gpt-4o 75 % or anthropic/claude-haiku-4-5 25 %",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[tokio::test]
async fn the_check_shows_what_is_not_the_default() {
    let yaml = "providers: { openai: { kind: openai, keys: [ { env: OPENAI_API_KEY } ] } }
routes:
  - model: gpt-4o
    timeouts: { total: 3m, headers: 60s }
    targets: [ { provider: openai }, { provider: openai, model: gpt-5, timeouts: { first_content: 20s, total: 45s } } ]
  - { model: plain, targets: [ { provider: openai, timeouts: { connect: 5s } } ] }
timeouts: { connect: 2s, idle: 60s }
limits: { max_body: 1MiB, attempts: 2 }
prices: { gpt-4o: { input: 1, output: 2.5 }, llama: { input: 0.6, cached: 0, output: 0.8 } }
";
    let shown = with_keys(yaml).run(&["check"]).await.stdout;
    for lines in [
        "then openai/gpt-5\n    time-outs: connect 2s, headers 1m, total 3m\n    time-outs of openai/gpt-5: connect 2s, \
         headers 1m, first_content 20s, total for one attempt 45s\n",
        "  plain -> openai/(the model asked for)\n    time-outs: connect 2s\n    time-outs of openai/(the model asked \
         for): the defaults\n",
        "\nlimits: bodies of 1MiB, answers of 64MiB, 4096 requests at once (further ones wait up to 30s), 2 attempts a \
         request, headers within 2m\n",
        "\nprices, in dollars for a million tokens\n  gpt-4o: input 1, cached 1, output 2.5 (instead of input 2.5, cached \
         1.25, output 10)\n  llama: input 0.6, cached 0, output 0.8\n",
    ] {
        assert!(shown.contains(lines), "not shown:\n{lines}\nbut:\n{shown}");
    }
    let plain =
        with_keys("").env("AMBASSADOR_CONFIG", "").env("PRIMARY_PROVIDER", "openai").run(&["check"]).await.stdout;
    assert!(plain.contains("limits: bodies of 32MiB") && !plain.contains("time-outs") && !plain.contains("prices"));
}

#[tokio::test]
async fn all_problems_are_told_at_once_by_the_check_and_at_the_start() {
    for arguments in [&["check"][..], &[]] {
        let ended = with_keys(BAD).run(arguments).await;
        assert_eq!(ended.code, CONFIG, "{arguments:?}: {}", ended.stderr);
        let told = ended.stdout + &ended.stderr;
        for clue in ["openia", "base_url", "rotues", "soon", "nobody"] {
            assert!(told.contains(clue), "{arguments:?}: nothing is said of {clue}:\n{told}");
        }
        assert!(told.contains("routes[0]") || told.contains("routes.0"), "no place is told:\n{told}");
    }
}

#[tokio::test]
async fn what_is_no_yaml_is_told_with_its_file_and_line() {
    let ended = with_keys("providers:\n  openai: { kind: openai\nroutes: [").run(&["check"]).await;
    assert_eq!(ended.code, CONFIG);
    assert!((ended.stdout + &ended.stderr).contains("/ambassador.yaml, line "), "no line is told");
}

#[tokio::test]
async fn what_is_odd_is_told_by_the_check_and_refuses_nothing() {
    let setup = with_keys(GOOD).env("RUST_LOG", "verbose").env("DRAIN_TIMOUT", "x").env("LOG_FORMAT", "xml");
    let setup = setup.env("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
    let ended = setup.run(&["check"]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let (_, warnings) = ended.stdout.split_once("\nwarnings\n").expect("warnings are told");
    for name in ["RUST_LOG", "DRAIN_TIMOUT", "LOG_FORMAT", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
        assert!(warnings.contains(&format!("  {name}: ")), "nothing is said of {name}:\n{}", ended.stdout);
    }
    let fine = with_keys(GOOD).run(&["check"]).await;
    assert!(!fine.stdout.contains("warnings"), "{}", fine.stdout);
}

#[tokio::test]
async fn what_is_odd_is_told_beside_the_problems() {
    let ended = with_keys(BAD).env("RUST_LOG", "verbose").env("OPENAI_BASEURL", "x").run(&["check"]).await;
    assert_eq!(ended.code, CONFIG);
    assert!(ended.stderr.contains("openia") && ended.stderr.contains("warning: RUST_LOG: "), "{}", ended.stderr);
}

#[tokio::test]
async fn authorities_that_cannot_be_read_end_the_start() {
    for arguments in [&["check"][..], &[]] {
        let ended = with_keys(GOOD).env("SSL_CERT_FILE", "/nowhere/ca.pem").run(arguments).await;
        assert_eq!(ended.code, CONFIG, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("SSL_CERT_FILE: cannot read /nowhere/ca.pem"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn nothing_configured_is_told() {
    let ended = Setup::new().run(&[]).await;
    assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
    assert!(ended.stderr.contains("PRIMARY_PROVIDER"), "{}", ended.stderr);
}

#[tokio::test]
async fn problems_of_the_environment_are_told_together() {
    let setup = Setup::new().env("PRIMARY_PROVIDER", "anthropic").env("FALLBACK_PROVIDER", "my-vllm,openai");
    let ended = setup.env("OPENAI_API_KEY", "k").env("OPENAI_BASE_URL", "not a url").run(&[]).await;
    assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
    for clue in ["ANTHROPIC_API_KEY", "MY_VLLM_BASE_URL", "OPENAI_BASE_URL"] {
        assert!(ended.stderr.contains(clue), "nothing is said of {clue}:\n{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_file_and_provider_variables_together_are_refused() {
    let ended = with_keys(GOOD).env("PRIMARY_PROVIDER", "openai").run(&[]).await;
    assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("PRIMARY_PROVIDER") && ended.stderr.contains("AMBASSADOR_CONFIG"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn files_that_are_missing_are_named() {
    let ended = Setup::new().env("AMBASSADOR_CONFIG", "/nowhere/ambassador.yaml").run(&[]).await;
    assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
    assert!(ended.stderr.contains("/nowhere/ambassador.yaml"), "{}", ended.stderr);

    let setup = Setup::new().env("PRIMARY_PROVIDER", "openai").env("OPENAI_API_KEY_FILE", "/nowhere/openai-key");
    let ended = setup.run(&[]).await;
    assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
    assert!(ended.stderr.contains("/nowhere/openai-key"), "{}", ended.stderr);

    let yaml = GOOD.replace("env: OPENAI_API_KEY", "file: /nowhere/in-yaml");
    let ended = with_keys(&yaml).run(&["check"]).await;
    assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
    assert!((ended.stdout + &ended.stderr).contains("/nowhere/in-yaml"));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let _listener = TcpListener::bind(taken).unwrap();
    for variable in ["AMBASSADOR_LISTEN", "AMBASSADOR_ADMIN_LISTEN"] {
        let setup = Setup::new().env("PRIMARY_PROVIDER", "openai").env("OPENAI_API_KEY", "k");
        let ended = setup.env(variable, taken.to_string()).run(&[]).await;
        assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
        assert!(ended.stderr.contains(&taken.port().to_string()), "{variable}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_told() {
    let setup = Setup::new().env("PRIMARY_PROVIDER", "openai").env("OPENAI_API_KEY", "k");
    let ended = setup.env("AMBASSADOR_LISTEN", "localhost:seventy").run(&[]).await;
    assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
    assert!(ended.stderr.contains("AMBASSADOR_LISTEN"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_schema_is_json_and_knows_the_file() {
    let ended = Setup::new().run(&["schema"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let schema: Value = serde_json::from_str(&ended.stdout).unwrap();
    for key in ["providers", "routes"] {
        assert!(schema["properties"][key].is_object(), "{key} is not in the schema");
    }
}

#[tokio::test]
async fn wrong_usage_is_its_own_code_and_help_is_help() {
    for arguments in [&["no-such-command"][..], &["--no-such-flag"], &["check", "too", "much"]] {
        let ended = Setup::new().run(arguments).await;
        assert_eq!(ended.code, USAGE, "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty());
    }
    let help = Setup::new().run(&["--help"]).await;
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("check") && help.stdout.contains("healthcheck"), "{}", help.stdout);
    let version = Setup::new().run(&["--version"]).await;
    assert_eq!(version.code, Some(0));
    assert!(version.stdout.contains("ambassador"), "{}", version.stdout);
}
