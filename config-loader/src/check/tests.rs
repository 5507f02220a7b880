use std::sync::Arc;

use proptest::prelude::*;

use super::*;

const KINDS: [Kind; 8] =
    [Kind::Prompt, Kind::Tools, Kind::Guardrails, Kind::Ambassador, Kind::Json, Kind::Yaml, Kind::Text, Kind::Binary];

fn context() -> template::Context {
    template::Context {
        env: [("NAME".to_owned(), "Ada".to_owned())].into(),
        values: [("big".to_owned(), "x".repeat(100).into())].into(),
        file: Arc::new(|_| Err("is not there".to_owned())),
    }
}

fn run(kind: Kind, rules: &Rules<'_>, text: &'static str) -> Result<Checked, Failure> {
    check(kind, rules, Bytes::from_static(text.as_bytes()), None)
}

fn told(kind: Kind, rules: &Rules<'_>, text: &'static str) -> String {
    match run(kind, rules, text) {
        Ok(checked) => format!("fine {}", String::from_utf8_lossy(&checked.bytes)),
        Err(failure) => {
            assert_eq!(failure.code, Code::Data);
            failure.message
        }
    }
}

#[test]
fn each_kind_is_checked_as_what_it_is() {
    let rules = Rules::default();
    let table = [
        (Kind::Prompt, " \n", "is empty"),
        (Kind::Prompt, "{{braces}} stay", "fine {{braces}} stay"),
        (Kind::Text, "", "fine "),
        (Kind::Text, "\u{feff}a\r\nb", "fine a\nb"),
        (Kind::Binary, "\u{feff}a\r\nb\0", "fine \u{feff}a\r\nb\0"),
        (Kind::Json, "{\"a\":1,\"a\":2}", "is not strict JSON: line 1, column 10: the key `a` is there twice"),
        (Kind::Json, "{}", "fine {}"),
        (Kind::Yaml, "a: 1\na: 2", "line 2, column 1: the key `a` is there twice"),
        (Kind::Tools, "{}", "there is no list of tools (write [ … ], or { \"tools\": [ … ] })"),
        (Kind::Tools, "[]", "fine []"),
        (Kind::Guardrails, "version: 2", "version: is not known here (write version: 1)"),
        (Kind::Guardrails, "version: 1", "fine version: 1"),
        (
            Kind::Ambassador,
            "providers: 1\nroutes: 2",
            "providers: expected a mapping, found integer `1`; routes: expected a list, found integer `2`",
        ),
    ];
    for (kind, text, expected) in table {
        assert_eq!(told(kind, &rules, text), expected, "{kind:?} {text}");
    }
}

#[test]
fn a_login_page_is_nothing_but_binary() {
    for kind in KINDS {
        let told = told(kind, &Rules::default(), "<!DOCTYPE html><title>Sign in</title>");
        if kind == Kind::Binary {
            assert!(told.starts_with("fine"));
        } else {
            assert_eq!(told, "is an HTML page, perhaps a login page or a proxy's error");
        }
    }
}

#[test]
fn pins_and_signatures_are_over_what_was_fetched() {
    let text = "\u{feff}a\r\n";
    let context = context();
    let fetched = Digest::of(text.as_bytes());
    let rules = Rules { sha256: Some(fetched), template: Some(&context), ..Rules::default() };
    let checked = run(Kind::Text, &rules, text).unwrap();
    assert_eq!((checked.fetched, checked.sha256), (fetched, Digest::of(b"a\n")));
    assert!(told(Kind::Text, &rules, "a\n").starts_with("its SHA-256 is "));
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3".parse().unwrap();
    let rules = Rules { signature: Some((&key, b"")), ..Rules::default() };
    for kind in KINDS {
        assert!(told(kind, &rules, "test").starts_with("its signature is not in minisign's format"));
    }
}

#[test]
fn rules_of_text_are_not_for_binary_files() {
    let context = context();
    let table = [
        (Rules { template: Some(&context), ..Rules::default() }, "template is for text, and the type is binary"),
        (Rules { max_tokens: Some(1), ..Rules::default() }, "checks.max_tokens is for text, and the type is binary"),
    ];
    for (rules, expected) in table {
        let failure = run(Kind::Binary, &rules, "x").unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (Code::Config, expected));
    }
}

#[test]
fn the_first_thing_that_is_wrong_is_told() {
    let pinned = Some(Digest::of(b""));
    let rules = Rules { max_size: Size::bytes(3), sha256: pinned, ..Rules::default() };
    assert_eq!(told(Kind::Json, &rules, "none"), "has 4 bytes, and 3 are allowed");
    assert!(told(Kind::Json, &rules, "no").starts_with("its SHA-256"));
}

#[test]
fn a_template_is_rendered_before_it_is_checked() {
    let context = context();
    let rules = Rules { template: Some(&context), max_size: Size::bytes(64), ..Rules::default() };
    assert_eq!(told(Kind::Json, &rules, "{\"name\": \"{{ env.NAME }}\"}"), "fine {\"name\": \"Ada\"}");
    assert_eq!(told(Kind::Prompt, &rules, "{{ '' }}"), "is empty");
    let told = told(Kind::Prompt, &rules, "{{ values.big }}");
    assert_eq!(told, "has 100 bytes when its template is rendered, and 64 are allowed");
}

#[cfg(feature = "tokens")]
#[test]
fn tokens_are_counted_where_that_is_asked_for() {
    let count = |kind, rules: Rules<'_>| run(kind, &rules, "hello world").map(|checked| checked.tokens);
    assert_eq!(count(Kind::Prompt, Rules::default()), Ok(None));
    assert_eq!(count(Kind::Prompt, Rules { count_tokens: true, ..Rules::default() }), Ok(Some(2)));
    assert_eq!(count(Kind::Text, Rules { count_tokens: true, ..Rules::default() }), Ok(None));
    assert_eq!(count(Kind::Text, Rules { max_tokens: Some(2), ..Rules::default() }), Ok(Some(2)));
    let failure = count(Kind::Prompt, Rules { max_tokens: Some(1), ..Rules::default() }).unwrap_err();
    assert_eq!(failure.message, "has 2 tokens, and checks.max_tokens allows 1");
}

#[test]
fn guardrails_without_effect_are_told() {
    let tools = run(Kind::Tools, &Rules::default(), r#"[{"name": "a", "input_schema": {"type": "object"}}]"#).unwrap();
    let guardrails = run(Kind::Guardrails, &Rules::default(), "version: 1\ntools: { allow: [a, b] }").unwrap();
    assert_eq!(across([&guardrails, &tools]), ["tools.allow[1]: `b` matches no tool of this set"]);
    assert_eq!(across([&guardrails]), [] as [&str; 0]);
}

proptest! {
    #[test]
    fn any_bytes_are_a_file_or_a_failure(bytes: Vec<u8>, kind in prop::sample::select(KINDS.to_vec())) {
        let context = context();
        for template in [None, Some(&context)] {
            let rules = Rules { template, ..Rules::default() };
            if let Ok(checked) = check(kind, &rules, Bytes::from(bytes.clone()), None) {
                prop_assert_eq!(checked.sha256, Digest::of(&checked.bytes));
                prop_assert_eq!(checked.fetched, Digest::of(&bytes));
            }
        }
    }
}
