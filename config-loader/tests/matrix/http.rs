//! HTTP in the clear, and what HTTPS has in common with it: answers that are none.

use std::time::Duration;

use serde_json::json;

use crate::{
    case::{Case, Job, each, stands, succeeds},
    content,
    pod::Pod,
    set::Set,
    site::{Files, Site, TOOLS},
    support::http::{Reply, Then, gzip},
    target,
    web::{serve, stop},
};

/// A fault, how long it is waited for, the answers it is, and the code and words that it becomes.
type Row = (&'static str, &'static str, fn(&Site) -> Vec<Reply>, i32, &'static str, &'static str);

/// Enough for what ends by itself; little for what ends with the deadline.
const LONG: &str = "40s";
const SHORT: &str = "3s";

const LOGS: &str = "at the server's own logs";
const RAISE: &str = "CONFIG_LOADER_DEADLINE";
const LIMIT: &str = "raise its checks.max_size or limits.file";
const CUT: &str = "the server closed the connection, or sent less than it announced";
const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

const ROWS: [Row; 25] = [
    (
        "hangs",
        SHORT,
        |_| vec![Reply::raw("").then(Then::Hang)],
        75,
        "no answer within",
        "look whether the server is alive",
    ),
    (
        "hangs half way",
        SHORT,
        |_| vec![announcing(100).then(Then::Hang)],
        75,
        "nothing more came for",
        "look whether the server is alive",
    ),
    ("drips", SHORT, |_| vec![announcing(9999).then(drip())], 75, "did not come to its end before the deadline", RAISE),
    ("cuts before it answers", SHORT, |_| vec![Reply::raw("")], 69, "the connection broke before an answer came", LOGS),
    ("cuts in its head", SHORT, |_| vec![Reply::raw("HTTP/1.1 200 O")], 69, "broke before an answer came", LOGS),
    ("cuts half way", SHORT, |_| vec![Reply::raw(format!("{HEAD}5\r\ncanar"))], 69, "was cut off after", CUT),
    ("announces more than comes", SHORT, |_| vec![announcing(100)], 69, "was cut off after 81 bytes", CUT),
    ("announces less than comes", LONG, |_| vec![announcing(70)], 65, "is not strict JSON: line 1, column 70", "jq"),
    ("401", LONG, |_| vec![status("401 Unauthorized")], 77, "answers 401 Unauthorized", "is not accepted"),
    ("403", LONG, |_| vec![status("403 Forbidden")], 77, "answers 403 Forbidden", "or not for this file"),
    ("404", LONG, |_| vec![status("404 Not Found")], 69, "answers 404 Not Found", "correct the path"),
    (
        "500",
        SHORT,
        |_| vec![status("500 Internal Server Error")],
        69,
        "answers 500 Internal Server Error; so it was at each of",
        LOGS,
    ),
    ("503 for an hour", LONG, |_| vec![busy()], 69, "answers 503 Service Unavailable", LOGS),
    (
        "a login page",
        LONG,
        |_| vec![page()],
        65,
        "is an HTML page, perhaps a login page",
        "look at the address with curl",
    ),
    (
        "10 GiB",
        LONG,
        |_| vec![announcing(10 << 30).then(endless())],
        65,
        "is larger than 16MiB (10737418240 bytes)",
        LIMIT,
    ),
    ("10 GiB in chunks", LONG, |_| vec![chunks()], 65, "is larger than 16MiB", LIMIT),
    (
        "10 GiB until it closes",
        LONG,
        |_| vec![Reply::raw("HTTP/1.1 200 OK\r\n\r\n").then(endless())],
        65,
        "is larger than 16MiB",
        LIMIT,
    ),
    ("a gzip bomb", LONG, |_| vec![bomb()], 65, "is larger than 16MiB", LIMIT),
    ("no gzip", SHORT, |_| vec![gzipped(b"canary")], 65, "is announced as gzip, and is not", "compress it again"),
    (
        "a redirect loop",
        LONG,
        |site| {
            vec![
                Reply::redirect(site.place() + "?a=canary"),
                Reply::redirect("/b?canary"),
                Reply::redirect(site.place() + "?a=canary"),
            ]
        },
        69,
        "redirects lead round in a circle",
        "open the URL by hand",
    ),
    (
        "redirects without an end",
        LONG,
        |_| (0..20).map(|n| Reply::redirect(format!("/{n}?canary"))).collect(),
        69,
        "more than 10 redirects",
        "open the URL by hand",
    ),
    (
        "a redirect to metadata",
        LONG,
        |site| vec![to_metadata(site)],
        77,
        "a link-local or metadata address, where clouds serve credentials",
        "allow_addresses permits it",
    ),
    (
        "a redirect to a file",
        LONG,
        |_| vec![Reply::redirect("file:///etc/passwd?canary")],
        77,
        "redirects to a file: URL",
        "only http and https",
    ),
    ("headers without an end", SHORT, |_| vec![headers()], 69, "the connection broke before an answer came", LOGS),
    (
        "no HTTP",
        SHORT,
        |_| vec![Reply::raw("220 canary ESMTP\r\n")],
        69,
        "the connection broke before an answer came",
        LOGS,
    ),
];

fn announcing(length: u64) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{TOOLS}"))
}

fn status(line: &str) -> Reply {
    Reply::new(line, &["www-authenticate: Bearer realm=\"canary\""], "canary")
}

/// With TLS where the site has it: else it would be refused for that.
fn to_metadata(site: &Site) -> Reply {
    let place = site.place();
    let (scheme, _) = place.split_once(':').unwrap();
    Reply::redirect(format!("{scheme}://169.254.169.254/latest?canary"))
}

fn busy() -> Reply {
    Reply::new("503 Service Unavailable", &["retry-after: 3600"], "canary")
}

fn page() -> Reply {
    Reply::new("200 OK", &["content-type: text/html"], "<!doctype html><title>Log in, canary</title>")
}

fn drip() -> Then {
    Then::Drip(vec![b'x'; 9999], Duration::from_millis(30))
}

fn endless() -> Then {
    Then::Repeat(vec![b'x'; 1 << 16])
}

fn chunks() -> Reply {
    Reply::raw(HEAD).then(Then::Repeat([b"10000\r\n".as_slice(), &[b'x'; 1 << 16], b"\r\n"].concat()))
}

fn headers() -> Reply {
    Reply::raw("HTTP/1.1 200 OK\r\n").then(Then::Repeat(b"x-team: canary\r\n".repeat(1 << 12)))
}

fn gzipped(body: &[u8]) -> Reply {
    Reply::new("200 OK", &["content-encoding: gzip"], body)
}

/// Ten gigabytes, in less than may come.
fn bomb() -> Reply {
    gzipped(&gzip(&[0; 1 << 20]).repeat(10 << 10))
}

/// Every fault of a server, with or without TLS.
pub(crate) fn faults(secure: bool) -> Vec<Job<'static>> {
    let mut jobs: Vec<Job<'_>> = ROWS.iter().map(|row| wrong(secure, row)).collect();
    jobs.push(("down".to_owned(), Box::new(move || down(secure))));
    jobs.push(("500 twice, then up again".to_owned(), Box::new(move || recovers(secure))));
    jobs
}

fn wrong(secure: bool, row: &'static Row) -> Job<'static> {
    let (name, within, replies, code, says, hint) = *row;
    let job = move || {
        let site = Site::new(secure);
        let case = Case::of(&site.place(), code, says, hint);
        let fault = || {
            site.script.turn(replies(&site));
            site.set().within(within)
        };
        stands(&Pod::new(), &site.set(), fault, &case);
    };
    (name.to_owned(), Box::new(job))
}

fn down(secure: bool) {
    let site = Site::new(secure);
    let fault = || {
        stop(&site.server);
        site.set().within(SHORT)
    };
    let says = "cannot connect: Connection refused";
    stands(&Pod::new(), &site.set(), fault, &Case::of(&site.place(), 69, says, "look whether the server is up"));
}

fn recovers(secure: bool) {
    let (site, pod) = (Site::new(secure), Pod::new());
    succeeds(&pod, &site.set(), TOOLS.as_bytes());
    let broken = || status("500 Internal Server Error");
    let better = TOOLS.replace("search", "find");
    site.script.turn(vec![broken(), broken(), Reply::ok(&better)]);
    succeeds(&pod, &site.set(), better.as_bytes());
    assert_eq!(site.server.asked().len(), 4);
}

#[test]
fn what_a_server_does_wrong() {
    each(faults(false));
}

#[test]
fn what_comes_and_where_it_goes() {
    let files = Files::new(false);
    each(content::faults(&files).into_iter().chain(target::faults(&files)).collect());
}

#[test]
fn the_address_where_clouds_have_credentials_is_asked_only_where_that_is_allowed() {
    // Nothing is there in a test; a proxy stands for it.
    let proxy = serve(|_| Reply::ok("canary"));
    let set = |allowed: &[&str]| {
        let http =
            json!({"url": "http://169.254.169.254/tested?canary", "proxy": proxy.url(""), "allow_addresses": allowed});
        Set::of("text", json!({ "http": http }))
    };
    let case = Case::of("http://169.254.169.254/tested", 77, "a link-local or metadata address", "allow_addresses");
    let pod = Pod::new();
    stands(&pod, &set(&["169.254.169.254"]), || set(&["169.254.169.253"]), &case);
    assert_eq!(proxy.asked().len(), 1);
}

#[test]
fn a_password_in_a_url_is_not_told() {
    let site = Site::new(false);
    let url = site.place().replace("http://", "http://me:canary@");
    let fault = || Set::of("tools", json!({"http": {"url": url}}));
    let place = "files[0].source".to_owned();
    let case =
        Case { code: 78, begins: place, says: "has credentials in it", hint: "bearer_file", place: String::new() };
    stands(&Pod::new(), &site.set(), fault, &case);
}
