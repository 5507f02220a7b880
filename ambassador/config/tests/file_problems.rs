//! A bad file is told all that is wrong with it at once, each with its path and, where one is known, a remedy.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::{file, told, with_providers};

const ROUTE: &str = "routes: [ { model: m, targets: [ { provider: vllm } ] } ]\n";

/// The problems of a file that is good but for `rest`.
fn with_route(rest: &str) -> Vec<String> {
    told(file(&with_providers(&format!("{ROUTE}{rest}"))))
}

/// The problems of a file whose one route is `route`.
fn of_route(route: &str) -> Vec<String> {
    told(file(&with_providers(&format!("routes:\n  - {route}\n"))))
}

/// The problems of a file whose one provider, `p`, is `provider`.
fn of_provider(provider: &str) -> Vec<String> {
    told(file(&format!("providers:\n  p: {provider}\nroutes: [ {{ model: m, targets: [ {{ provider: p }} ] }} ]\n")))
}

#[test]
fn a_good_file_has_none() {
    assert_eq!(with_route(""), [] as [&str; 0]);
    assert_eq!(of_provider("{ kind: openai-compatible, base_url: http://p/v1 }"), [] as [&str; 0]);
}

#[test]
fn all_problems_are_told_at_once_and_in_the_order_of_the_file() {
    let text = r#"
providers:
  openai: { kind: opnai, keys: [ { env: OPENAI_API_KEY } ] }
  anthropic: { kind: anthropic, base_url: "https://api.anthropic.com/v1", keys: [ { env: ANTHROPIC_API_KEY, file: /x } ] }
  vllm: { kind: openai-compatible, bas_url: "http://vllm:8000/v1" }
  engine: { kind: openai-compatible }
  Upper: { kind: openai, keys: [ { env: UNSET_KEY } ] }
routes:
  - { model: a, targets: [ { provider: opnai, model: gpt-4o } ] }
  - { model: a, tiers: [] }
  - { model: "b*c", targets: [ { provider: engine, weight: 2 } ] }
  - { model: d, targets: [], tiers: [ [ { provider: engine } ] ] }
  - { model: e, tiers: [ [ { provider: engine, weight: heavy }, { provider: engine, weight: -1 } ], [] ], timeouts: { idle: 0s } }
timeouts: { connect: 5, headrs: 60s }
limits: { max_body: 0MiB, attempts: 0 }
prices: { m: { input: -1, output: 1 } }
"#;
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("all_problems_at_once", told(file(text)).join("\n"));
    });
}

#[test]
fn an_unknown_key_is_told_with_the_one_that_was_meant() {
    for (text, problem) in [
        ("limit: {}", "limit: unknown key (did you mean `limits`?)"),
        ("limits: { max_boby: 1MiB }", "limits.max_boby: unknown key (did you mean `max_body`?)"),
        ("timeouts: { first_token: 5s }", "timeouts.first_token: unknown key (did you mean `first_content`?)"),
        ("limits: { speed: 5 }", "limits.speed: unknown key (known keys: max_body, max_answer, "),
    ] {
        let told = with_route(text);
        assert!(told.len() == 1 && told[0].starts_with(problem), "{told:?}");
    }
    let told = of_route("{ model: m, targets: [ { provder: vllm } ] }");
    assert_eq!(told[0], "routes[0].targets[0].provder: unknown key (did you mean `provider`?)");
    assert_eq!(told[1], "routes[0].targets[0].provider: missing");
}

#[test]
fn a_wrong_type_is_told_with_the_one_that_is_wanted() {
    for (text, place) in [
        ("limits: { max_in_flight: many }", "limits.max_in_flight"),
        ("limits: { attempts: -1 }", "limits.attempts"),
        ("limits: { attempts: 1.5 }", "limits.attempts"),
        ("limits: { max_body: lots }", "limits.max_body"),
        ("limits: 7", "limits"),
        ("timeouts: { connect: 5 }", "timeouts.connect"),
        ("timeouts: { connect: soon }", "timeouts.connect"),
        ("prices: { m: 3 }", "prices.m"),
        ("prices: { m: { input: free, output: 1 } }", "prices.m.input"),
    ] {
        let told = with_route(text);
        assert!(told.len() == 1 && told[0].starts_with(&format!("{place}: ")), "{text}: {told:?}");
    }
    assert!(told(file("providers: 7\nroutes: none\n")).len() == 2);
    assert!(!told(file("just words")).is_empty());
    assert!(!told(file("a: [")).is_empty());
}

#[test]
fn a_list_is_no_mapping() {
    for (text, place) in
        [("timeouts: []", "timeouts"), ("limits: [ 32MiB ]", "limits"), ("prices: { m: [ 1, 2, 3 ] }", "prices.m")]
    {
        assert_eq!(with_route(text), [format!("{place}: expected a mapping, found a list")]);
    }
    assert_eq!(
        of_route("{ model: m, targets: [ [ vllm ] ], timeouts: [] }"),
        [
            "routes[0].targets[0]: expected a mapping, found a list",
            "routes[0].timeouts: expected a mapping, found a list"
        ]
    );
}

#[test]
fn an_empty_file_is_told_what_the_least_is() {
    for text in ["", "# to be written\n", "---\n", "{}", "providers: {}\nroutes: []\n"] {
        let told = told(file(text));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("names neither a provider nor a route (the least is providers: {"), "{told:?}");
    }
    let (_, least) =
        told(file(""))[0].clone().split_once("(the least is ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let least = least.trim_end_matches(')').replace(" and routes", "\nroutes");
    assert_eq!(told(file(&least)), [] as [&str; 0], "the least is enough");
    let half = told(file("routes: [ { model: m, targets: [ { provider: p } ] } ]"));
    assert!(half[0].starts_with("providers: names no provider (write, for instance, "), "{half:?}");
}

#[test]
fn what_is_missing_hides_nothing_else() {
    assert_eq!(
        with_route("prices: { m: { input: -1 }, n: { output: 1, cached: -1 } }"),
        [
            "prices.m.output: missing",
            "prices.m: a price is a number of 0 or more",
            "prices.n.input: missing",
            "prices.n: a price is a number of 0 or more",
        ]
    );
    assert_eq!(
        of_route("{ targets: [ { model: '', weight: 2, timeouts: { idle: 0s } }, { provider: x } ] }"),
        [
            "routes[0].model: missing",
            "routes[0].targets[0].weight: has no meaning here: targets are tried in their order (to share load, put them \
             into one tier: tiers: [ [ {...}, {...} ] ])",
            "routes[0].targets[0].model: must not be empty; without it the request's model is sent",
            "routes[0].targets[0].timeouts.idle: must be longer than 0",
            "routes[0].targets[0].provider: missing",
            "routes[0].targets[1].provider: `x` is no provider of this file (the providers are: openai, vllm)",
        ]
    );
    let told = told(file("providers: { p: { kind: openai-compatible } }\nlimits: { attempts: 0 }\n"));
    let places: Vec<&str> = told.iter().map(|it| it.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["providers.p.base_url", "routes", "limits.attempts"]);
}

#[test]
fn a_target_names_a_provider_that_there_is() {
    assert_eq!(
        of_route("{ model: m, targets: [ { provider: vlm } ] }"),
        ["routes[0].targets[0].provider: `vlm` is no provider of this file (the providers are: openai, vllm)"]
    );
    assert_eq!(
        of_route("{ model: m, tiers: [ [ { provider: vllm } ], [ { provider: vllm }, { provider: x } ] ] }"),
        ["routes[0].tiers[1][1].provider: `x` is no provider of this file (the providers are: openai, vllm)"]
    );
}

#[test]
fn a_provider_with_a_problem_is_not_called_unknown_as_well() {
    for provider in ["{ kind: opnai }", "{ kind: openai-compatible }", "{ kind: anthropic, base_url: ftp://x }", "{}"] {
        let told = of_provider(provider);
        assert!(!told.is_empty() && told.iter().all(|problem| problem.starts_with("providers.p")), "{told:?}");
    }
}

#[test]
fn a_key_comes_from_one_place() {
    let keys = |keys: &str| of_provider(&format!("{{ kind: openai, keys: {keys} }}"));
    assert_eq!(
        keys("[ { env: OPENAI_API_KEY, file: /x } ]"),
        ["providers.p.keys[0]: must name exactly one of `file` and `env`"]
    );
    assert_eq!(keys("[ {} ]"), ["providers.p.keys[0]: must name exactly one of `file` and `env`"]);
    assert_eq!(
        keys("[ { env: OPENAI_API_KEY }, { env: NO_SUCH_KEY } ]"),
        ["providers.p.keys[1].env: the environment variable NO_SUCH_KEY is not set"]
    );
    let told = keys("[ { file: /no/such/key } ]");
    assert!(told.len() == 1 && told[0].starts_with("providers.p.keys[0].file: /no/such/key: no such file"), "{told:?}");
    let told = keys("[]");
    assert!(told.len() == 1 && told[0].starts_with("providers.p.keys: names no key (write, for instance"), "{told:?}");
}

#[test]
fn time_outs_and_limits_are_above_zero() {
    for (text, place) in [
        ("timeouts: { connect: 0s }", "timeouts.connect: must be longer than 0"),
        ("timeouts: { total: 0ms }", "timeouts.total: must be longer than 0"),
        ("limits: { max_body: 0MiB }", "limits.max_body: must be above 0"),
        ("limits: { max_answer: 0MiB }", "limits.max_answer: must be above 0"),
        ("limits: { max_in_flight: 0 }", "limits.max_in_flight: must be above 0"),
        ("limits: { attempts: 0 }", "limits.attempts: must be above 0"),
    ] {
        let told = with_route(text);
        assert!(told.len() == 1 && told[0].starts_with(place), "{text}: {told:?}");
    }
    let told = of_route(
        "{ model: m, timeouts: { idle: 0s }, targets: [ { provider: vllm, timeouts: { first_content: 0s } } ] }",
    );
    let places: Vec<&str> = told.iter().map(|it| it.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["routes[0].targets[0].timeouts.first_content", "routes[0].timeouts.idle"]);
}

#[test]
fn weights_are_numbers_that_share_something() {
    let weighing = |weight: &str| {
        of_route(&format!(
            "{{ model: m, tiers: [ [ {{ provider: vllm, weight: {weight} }}, {{ provider: openai }} ] ] }}"
        ))
    };
    assert_eq!(weighing("-0.5"), ["routes[0].tiers[0][0].weight: must be a number of 0 or more"]);
    for weight in [".nan", ".inf", "-.inf"] {
        let told = weighing(weight);
        assert!(told.len() == 1 && told[0].starts_with("line 5, column "), "{told:?}");
        assert!(told[0].ends_with("a number must be finite"), "{told:?}");
    }
    assert_eq!(
        of_route("{ model: m, tiers: [ [ { provider: vllm, weight: 0 } ] ] }"),
        ["routes[0].tiers[0]: has no target with a weight above 0"]
    );
    let tier = "[ { provider: vllm, weight: 1e308 }, { provider: openai, weight: 1e308 } ]";
    assert_eq!(
        of_route(&format!("{{ model: m, tiers: [ {tier} ] }}")),
        ["routes[0].tiers[0]: has weights whose sum is beyond any number (3 and 1 share as 3e300 and 1e300 do)"]
    );
    let told = of_route("{ model: m, tiers: [ [ { provider: vllm, weight: 0 }, 7 ] ] }");
    assert_eq!(told, ["routes[0].tiers[0][1]: expected a mapping, found integer `7`"], "the other may have one");
    let told = of_route("{ model: m, targets: [ { provider: vllm, weight: 2 } ] }");
    assert!(told.len() == 1 && told[0].starts_with("routes[0].targets[0].weight: has no meaning here"), "{told:?}");
}

#[test]
fn routes_lead_somewhere() {
    for (route, problem) in [
        ("{ model: m }", "routes[0]: must have exactly one of `targets` and `tiers`"),
        (
            "{ model: m, targets: [ { provider: vllm } ], tiers: [ [ { provider: vllm } ] ] }",
            "routes[0]: must have exactly one of `targets` and `tiers`",
        ),
        ("{ model: m, targets: [] }", "routes[0].targets: names no target"),
        ("{ model: m, tiers: [] }", "routes[0].tiers: names no tier"),
        ("{ model: m, tiers: [ [ { provider: vllm } ], [] ] }", "routes[0].tiers[1]: names no target"),
        (
            "{ model: m, targets: [ { provider: vllm, model: '' } ] }",
            "routes[0].targets[0].model: must not be empty; without it the request's model is sent",
        ),
    ] {
        assert_eq!(of_route(route), [problem]);
    }
    let none = told(file(&with_providers("routes: []\n")));
    assert!(none.len() == 1 && none[0].starts_with("routes: has no route"), "{none:?}");
    for model in ["''", "'*a'", "'a*b'", "'a**'"] {
        let told = of_route(&format!("{{ model: {model}, targets: [ {{ provider: vllm }} ] }}"));
        assert_eq!(told, ["routes[0].model: must be a model's name, or a prefix that ends in one `*`"], "{model}");
    }
    for model in ["'*'", "'gpt-*'", "m"] {
        assert!(of_route(&format!("{{ model: {model}, targets: [ {{ provider: vllm }} ] }}")).is_empty());
    }
}

#[test]
fn a_model_has_one_route() {
    let route = "{ model: m, targets: [ { provider: vllm } ] }";
    let told = told(file(&with_providers(&format!("routes: [ {route}, {route}, {route} ]\n"))));
    let problem = "an earlier route has the same model; only one can hold";
    assert_eq!(told, [format!("routes[1].model: {problem}"), format!("routes[2].model: {problem}")]);
}

#[test]
fn a_key_that_comes_twice_is_told() {
    let told = told(file(&with_providers(&format!("{ROUTE}{ROUTE}"))));
    assert!(told.len() == 1 && told[0].contains("routes"), "{told:?}");
}

#[test]
fn prices_are_numbers_that_cost() {
    for price in ["{ input: -1, output: 1 }", "{ input: 1, output: -0.1 }", "{ input: 1, output: 1, cached: -1 }"] {
        assert_eq!(with_route(&format!("prices: {{ m: {price} }}")), ["prices.m: a price is a number of 0 or more"]);
    }
}
