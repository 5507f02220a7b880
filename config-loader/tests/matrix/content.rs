//! What comes whole and is not what it should be, from whatever source.

use serde_json::json;

use crate::{
    case::{Case, Job, stands, succeeds},
    pod::Pod,
    set::{Set, Source},
};

const TOOLS: &str = r#"[{"name": "search", "description": "canary", "input_schema": {"type": "object"}}]"#;

const BOMB: &str = "a: &a [canary, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]
g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f]
h: &h [*g, *g, *g, *g, *g, *g, *g, *g, *g]
i: &i [*h, *h, *h, *h, *h, *h, *h, *h, *h]
";

const JQ: &str = "correct it, for instance with jq";
const LINT: &str = "`config-loader lint` checks a file before it is published";
const CURL: &str = "look at the address with curl";

/// Minisign's own example: a key, and its signature of `test`.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
    RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
    trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
    wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==\n";

/// Of which type, what comes, and what is told of it (where it is, in the file; what it is; what to do).
type Row = (&'static str, &'static str, &'static [u8], &'static str, &'static str);

const ROWS: [Row; 19] = [
    (
        "a login page",
        "text",
        b"<!doctype html><title>Log in</title>canary",
        "is an HTML page, perhaps a login page",
        CURL,
    ),
    ("a login page for JSON", "tools", b"\n<html><p>canary</p></html>", "is an HTML page", CURL),
    ("JSON that is cut", "tools", b"[{\"name\": \"canary", "is not strict JSON: line 1, column 17", JQ),
    ("no JSON", "json", b"{\n\"a\": 'canary'}", "is not strict JSON: line 2, column 6", JQ),
    ("nothing for JSON", "json", b"", "is not strict JSON: line 1", "the file is empty"),
    (
        "a key twice in JSON",
        "json",
        b"{\"a\": \"canary\", \"a\": 2}",
        "line 1, column 19: the key `a` is there twice",
        JQ,
    ),
    ("no YAML", "yaml", b"a: 1\nb: [canary\n", "line 2, column 4: not valid YAML", LINT),
    ("a key twice in YAML", "yaml", b"a: canary\nb: 2\na: 3\n", "line 3, column 1: the key `a` is there twice", LINT),
    ("aliases that explode", "yaml", BOMB.as_bytes(), "line 6, column 8: not valid YAML: alias", LINT),
    (
        "aliases that explode in guardrails",
        "guardrails",
        BOMB.as_bytes(),
        "line 6, column 8: not valid YAML: alias",
        "write version: 1",
    ),
    (
        "guardrails of another type",
        "guardrails",
        b"version: 1\nlimits: { steps: canary }\n",
        "limits.steps: expected a whole number",
        LINT,
    ),
    (
        "guardrails with an unknown key",
        "guardrails",
        b"version: 1\nlimit: canary\n",
        "limit: unknown key",
        "did you mean `limits`?",
    ),
    (
        "a pattern that is none",
        "guardrails",
        b"version: 1\ninput: { deny: [ { name: x, pattern: 'canary(' } ] }\n",
        "input.deny[0].pattern: at character 7: unclosed group",
        LINT,
    ),
    (
        "a tool without a schema",
        "tools",
        b"[{\"name\": \"search\", \"description\": \"canary\"}]",
        "[0]: `search` has no schema",
        "input_schema (Anthropic)",
    ),
    (
        "a tool with a bad schema",
        "tools",
        b"[{\"name\": \"search\", \"input_schema\": {\"type\": \"canary\"}}]",
        "[0].input_schema.type: is no type of JSON Schema",
        "the types are array",
    ),
    ("bytes that are no UTF-8", "text", b"canary \xff", "is not UTF-8 text: byte 8 (line 1)", "save it as UTF-8"),
    ("UTF-16", "text", b"\xff\xfec\0a\0n\0", "is UTF-16 text", "save it as UTF-8"),
    ("an empty prompt", "prompt", b" \n", "is empty", "an agent without a prompt does anything"),
    (
        "a bad ambassador.yaml",
        "ambassador",
        b"providers: canary\n",
        "providers: expected a mapping, found a string",
        "takes every model",
    ),
];

fn good(kind: &str) -> &'static [u8] {
    match kind {
        "tools" | "json" => TOOLS.as_bytes(),
        "guardrails" => b"version: 1\n",
        _ => b"canary: You are kind.\n",
    }
}

/// Everything that is wrong with a content, from this source.
pub(crate) fn faults(source: &dyn Source) -> Vec<Job<'_>> {
    let mut jobs: Vec<Job<'_>> = ROWS.iter().map(|row| wrong(source, row)).collect();
    jobs.push(("a byte order mark, and the line ends of Windows".to_owned(), Box::new(|| cleaned(source))));
    jobs.push(("another SHA-256 than the pinned one".to_owned(), Box::new(|| pinned(source))));
    jobs.push(("another content than was signed".to_owned(), Box::new(|| signed(source))));
    jobs.push(("more than is allowed".to_owned(), Box::new(|| larger(source))));
    jobs
}

fn wrong<'a>(source: &'a dyn Source, row: &'static Row) -> Job<'a> {
    let (name, kind, bytes, says, hint) = *row;
    let job = move || {
        let file = name.replace(' ', "-");
        // An ambassador's file needs more than a line; there the good set is of another type.
        let first = if kind == "ambassador" { "yaml" } else { kind };
        let set = |kind, bytes| Set::of(kind, source.having(&file, bytes)).with(source.environment());
        let before = set(first, good(first));
        let after = || set(kind, bytes);
        stands(&Pod::new(), &before, after, &Case::of(&source.place(&file), 65, says, hint));
    };
    (name.to_owned(), Box::new(job))
}

fn cleaned(source: &dyn Source) {
    let pod = Pod::new();
    let set = |bytes: &[u8]| Set::of("text", source.having("clean", bytes)).with(source.environment());
    succeeds(&pod, &set(b"canary\n"), b"canary\n");
    succeeds(&pod, &set(b"\xef\xbb\xbfcanary\r\ntwo\r\n"), b"canary\ntwo\n");
}

fn pinned(source: &dyn Source) {
    let pin = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let set = |bytes: &[u8]| {
        let set = Set::of("text", source.having("pinned", bytes)).with(source.environment());
        Set { checks: json!({ "sha256": pin }), ..set }
    };
    let case = Case::of(&source.place("pinned"), 65, "and 9f86d081884c7d659a2f", "correct checks.sha256");
    stands(&Pod::new(), &set(b"test"), || set(b"canary"), &case);
}

fn signed(source: &dyn Source) {
    let set = |bytes: &[u8], signature: &str| {
        let entry = source.having("signed", bytes);
        let mut wanted = json!({ "public_key": KEY });
        let own = source.signature("signed", signature.as_bytes());
        if !own.is_null() {
            wanted["source"] = own;
        }
        let set = Set::of("text", entry).with(source.environment());
        Set { checks: json!({ "signature": wanted }), ..set }
    };
    let place = source.place("signed");
    let pod = Pod::new();
    for (bytes, signature, says, hint) in [
        (&b"canary"[..], SIGNATURE, "its signature does not belong to it", "find out who changed the file"),
        (b"test", "canary", "its signature is not in minisign's format", "minisign -Sm FILE"),
        (b"test", "<html>canary", "its signature is an HTML page", CURL),
        (
            b"test",
            &SIGNATURE.replace("RUQf6LRC", "RUQf6LRD"),
            "it is signed with the key",
            "sign it with the right key",
        ),
    ] {
        stands(&pod, &set(b"test", SIGNATURE), || set(bytes, signature), &Case::of(&place, 65, says, hint));
    }
}

fn larger(source: &dyn Source) {
    let set = |bytes: &[u8]| Set::of("text", source.having("larger", bytes)).with(source.environment()).at_most("1KiB");
    let case = Case::of(&source.place("larger"), 65, "than", "max_size or limits.file");
    stands(&Pod::new(), &set(&[b'c'; 1 << 10]), || set(&b"canary".repeat(171)), &case);
}
