//! Every problem of a configuration at once, each with its path in the file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "many fields are only there to be read from the file")]

use std::collections::BTreeMap;

use chassis::clock;
use chassis::config::{Problems, parse_yaml, schema};
use chassis::net::Listen;
use chassis::units::{Size, Span};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    listen: Option<Listen>,
    #[serde(default)]
    providers: BTreeMap<String, Provider>,
    #[serde(default)]
    routes: Vec<Route>,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Provider {
    kind: Kind,
    url: String,
    #[serde(default)]
    auth: Option<Auth>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Openai,
    Anthropic,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Auth {
    File { path: String },
    None,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Route {
    model: String,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Target {
    provider: String,
    #[serde(default)]
    weight: u32,
    #[serde(default)]
    retry: Option<Retry>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Retry {
    budget: Budget,
    within: Span,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Budget {
    share: f64,
    kind: Kind,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    body: Size,
    timeout: Span,
    strict: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: Size::bytes(32 << 20), timeout: Span::seconds(60), strict: false }
    }
}

fn read(text: &str) -> (Option<File>, Problems) {
    parse_yaml(text)
}

fn lines(text: &str) -> Vec<String> {
    read(text).1.to_string().lines().map(str::to_owned).collect()
}

fn valid(text: &str) -> File {
    let (file, problems) = read(text);
    assert!(problems.is_empty(), "{problems}");
    file.unwrap()
}

#[test]
fn a_valid_file_is_read_whole() {
    let file = valid(
        "
listen: 127.0.0.1:7070
providers:
  main: { kind: openai, url: 'https://api.openai.com', auth: { type: file, path: /keys } }
routes:
- model: fast
  targets:
  - { provider: main, weight: 2, retry: { budget: { share: 0.2, kind: openai }, within: 5s } }
limits:
  timeout: 500ms
",
    );
    assert_eq!(file.listen, Some(Listen::Loopback(7070)));
    assert_eq!(file.providers["main"].kind, Kind::Openai);
    assert_eq!(file.routes[0].targets[0].weight, 2);
    assert_eq!(file.limits.timeout, Span::millis(500));
    assert_eq!(file.limits.body, Size::bytes(32 << 20));
}

#[test]
fn an_empty_document_is_an_empty_mapping() {
    for text in ["", "\n", "# nothing yet\n", "---\n", "{}"] {
        assert!(valid(text).routes.is_empty());
    }
}

#[test]
fn a_key_without_a_value_is_as_if_it_were_not_there() {
    let file = valid("routes:\n# - model: fast\nlimits:\n  strict: ~\n");
    assert!(file.routes.is_empty());
    assert_eq!(lines("routes: [{model: , targets: []}]"), ["routes[0].model: missing"]);
}

#[test]
fn every_problem_is_told_at_once() {
    let text = "
lisen: ':7070'
providers:
  main: { kind: opnai, url: 'https://x' }
  local: { kind: openai }
routes:
- model: fast
  targets:
  - { provider: main, weight: heavy }
  - { provder: local, weight: 1 }
- model: 4.1
  targets: {}
limits: { timeout: 30, body: 32MB, strict: yes }
";
    let mut found = lines(text);
    found.sort();
    let expected = [
        "limits.body: `32MB` is not a size: the unit is one of `KiB`, `MiB` and `GiB`, or none for bytes",
        "limits.strict: expected a boolean, found a string (write true or false)",
        "limits.timeout: expected a duration with its unit, such as `500ms`, `5s`, `2m` or `1h`, \
         found integer `30`",
        "lisen: unknown key (did you mean `listen`?)",
        "providers.local.url: missing",
        "providers.main.kind: expected one of openai, anthropic, found `opnai` (did you mean `openai`?)",
        "routes[0].targets[0].weight: expected a whole number, 0 or more, found a string",
        "routes[0].targets[1].provder: unknown key (did you mean `provider`?)",
        "routes[0].targets[1].provider: missing",
        "routes[1].model: expected a string, found number `4.1` (put quotes around it)",
        "routes[1].targets: expected a list, found a mapping",
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_missing_key_of_one_mapping_is_told_even_deep_ones() {
    assert_eq!(lines("routes: [{}]"), ["routes[0].model: missing", "routes[0].targets: missing"]);
    // `budget` is a mapping with keys of its own; what it would need is not worth a line yet.
    let text = "routes: [{model: m, targets: [{provider: p, retry: {}}]}]";
    let place = "routes[0].targets[0].retry";
    assert_eq!(lines(text), [format!("{place}.budget: missing"), format!("{place}.within: missing")]);
}

#[test]
fn what_could_not_be_built_is_known_and_the_rest_is_there() {
    let text = "
providers:
  broken: { kind: openai }
  good: { kind: openai, url: x }
routes:
- { model: a, targets: 7 }
- { model: b, targets: [{provider: broken}, {provider: nobody}] }
";
    let (file, mut problems) = read(text);
    let file = file.unwrap();
    assert_eq!(file.providers.keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(file.routes.len(), 1);
    assert!(problems.pruned("providers.broken"));
    assert!(!problems.pruned("providers.good"));
    assert!(!problems.pruned("providers.nobody"));
    assert!(problems.pruned_within("routes"));

    // A validator speaks of the value it has; the operator reads of the file.
    problems.push("routes[0].targets[1].provider", "there is no provider `nobody`");
    let last = problems.iter().last().unwrap();
    assert_eq!(last.path, "routes[1].targets[1].provider");
}

#[test]
fn a_value_never_contains_anything_invented() {
    let (file, problems) = read("routes: [{model: a}, {model: b, targets: []}]");
    assert_eq!(problems.to_string(), "routes[0].targets: missing");
    let models: Vec<_> = file.unwrap().routes.into_iter().map(|route| route.model).collect();
    assert_eq!(models, ["b"]);
}

#[test]
fn a_root_that_does_not_fit_is_told_once() {
    for text in ["- a\n- b\n", "just words", "42"] {
        let (file, problems) = read(text);
        assert!(file.is_none());
        assert_eq!(problems.len(), 1, "{problems}");
    }
}

#[test]
fn tagged_enums_are_looked_into() {
    let at = |auth: &str| lines(&format!("providers: {{a: {{kind: openai, url: x, auth: {auth}}}}}"));
    let place = "providers.a.auth";
    assert_eq!(at("{type: file, path: /keys, mode: 7}"), [format!("{place}.mode: unknown key (known keys: path)")]);
    assert_eq!(at("{type: file}"), [format!("{place}.path: missing")]);
    // Which keys belong to a tag nobody knows cannot be said.
    let unknown = "type: expected one of file, none, found `fil` (did you mean `file`?)";
    assert_eq!(at("{type: fil}"), [format!("{place}.{unknown}")]);
    assert_eq!(at("{type: fil, path: /keys}"), [format!("{place}.{unknown}")]);
    assert_eq!(at("{type: fil, mode: 7}"), [format!("{place}.{unknown}")]);
    assert_eq!(at("{path: /keys}"), [format!("{place}.type: missing")]);
    assert!(at("{type: none}").is_empty());
}

#[test]
fn a_list_is_no_mapping() {
    assert_eq!(lines("limits: []"), ["limits: expected a mapping, found a list"]);
    assert_eq!(lines("limits: [1, 2]"), ["limits: expected a mapping, found a list"]);
    let at = |target: &str| lines(&format!("routes: [{{model: m, targets: [{target}]}}]"));
    let place = "routes[0].targets[0]";
    assert_eq!(at("[main, 1]"), [format!("{place}: expected a mapping, found a list")]);
    let retry = "{provider: p, retry: [[0.5, openai], 5s]}";
    assert_eq!(at(retry), [format!("{place}.retry: expected a mapping, found a list")]);
}

/// Whatever stands wherever, it is told in the words of YAML and not in those of the library that reads it.
#[test]
fn no_word_of_rust_is_in_a_problem() {
    let values = ["5", "-5", "1.5", "1e999", "99999999999999999999", "true", "text", "''", "[]", "[1]", "{}", "{a: b}"];
    let mut told = String::new();
    for value in values {
        for place in ["listen: @", "providers: @", "routes: @", "limits: @", "limits: {body: @, timeout: @, strict: @}"]
        {
            told += &format!("{}\n", read(&place.replace('@', value)).1);
        }
        for provider in ["{kind: @, url: @, auth: @}", "{kind: openai, url: x, auth: {type: @, path: @}}"] {
            told += &format!("{}\n", read(&format!("providers: {{a: {}}}", provider.replace('@', value))).1);
        }
        for target in [
            "@",
            "{provider: @, weight: @, retry: @}",
            "{provider: p, retry: {budget: {share: @, kind: @}, within: @}}",
        ] {
            told +=
                &format!("{}\n", read(&format!("routes: [{{model: @, targets: [{target}]}}]").replace('@', value)).1);
        }
    }
    let foreign = [
        "f64",
        "i64",
        "u32",
        "u64",
        "usize",
        "float",
        "String",
        "struct",
        "enum",
        "variant",
        "identifier",
        "index",
        "sequence",
        "map",
        "policy",
    ];
    for line in told.lines() {
        let word = line.split(|letter: char| !letter.is_alphanumeric()).find(|word| foreign.contains(word));
        assert_eq!(word, None, "{line}");
    }
    assert!(told.contains("share: expected a number, found a string"), "{told}");
}

#[test]
fn duplicate_keys_are_told_beside_everything_else() {
    let found = lines("limits: {strict: true}\nroutes: 7\nlimits: {strict: false}\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("line 3, column 1: "), "{found:?}");
    assert!(found[0].contains("the key `limits` is there twice"), "{found:?}");
    assert!(found[1].starts_with("routes: "), "{found:?}");
}

#[test]
fn broken_yaml_names_the_line() {
    let found = lines("routes:\n- model: [unclosed\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("line "), "{found:?}");
}

#[test]
fn an_alias_bomb_is_refused_quickly() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(", "));
    }
    let start = clock::now();
    let (file, problems) = read(&bomb);
    assert!(file.is_none());
    assert_eq!(problems.len(), 1, "{problems}");
    assert!((clock::now() - start).as_secs() < 2);
}

#[test]
fn depth_and_size_have_limits() {
    assert!(read(&"[".repeat(10_000)).0.is_none());
    assert!(read(&format!("x: '{}'", "y".repeat(5 << 20))).0.is_none());
}

#[test]
fn there_is_an_end_to_problems() {
    let text: String = (0..500).map(|index| format!("key{index}: 1\n")).collect();
    let (file, problems) = read(&text);
    assert!(file.is_none());
    assert_eq!(problems.len(), 101);
}

#[test]
fn a_credential_in_the_wrong_place_is_not_repeated() {
    let key = "sk-proj-0123456789abcdefghijklmnopqrstuvwxyz0123456789";
    let places = [
        format!("routes: {key}"),
        format!("limits: {{timeout: {key}, body: {key}, strict: {key}}}"),
        format!("providers: {{a: {{kind: {key}, url: x, auth: {key}}}}}"),
        format!("providers: {{a: {{kind: openai, url: x, auth: {{type: {key}}}}}}}"),
        format!("routes: [{key}"),
        format!("routes: {{{key}: a, {key}: a}}"),
        format!("{key}: a"),
        format!("listen: {key}"),
        format!("routes:\n- model: \"{key}\n"),
        format!("routes: *{key}\n"),
    ];
    for text in places {
        let (_, problems) = read(&text);
        assert!(!problems.is_empty());
        assert!(!problems.to_string().contains(key), "{problems}");
    }
}

#[test]
fn the_schema_knows_units_and_descriptions() {
    let schema: serde_json::Value = serde_json::from_str(&schema::<File>()).unwrap();
    assert_eq!(schema["$defs"]["Span"]["pattern"], "^[0-9]+(ms|s|m|h|d)$");
    assert_eq!(schema["additionalProperties"], false);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r"[a-z\[\]{}:,\-&*!|>'\x22 \n0-9#~]{0,200}") {
        let _ = read(&text);
    }
}
