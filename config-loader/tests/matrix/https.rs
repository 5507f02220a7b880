//! HTTP behind TLS: the same faults, and those of trust.

use serde_json::{Value, json};

use crate::{
    case::{Case, each, stands, succeeds},
    content,
    http::faults,
    pod::Pod,
    set::Set,
    site::{Files, Site, TOOLS},
    support::{
        http::Reply,
        scripted::short,
        tls::{Authority, Secured},
    },
    target,
    web::{secured_by, serve},
};

#[test]
fn what_a_server_does_wrong() {
    each(faults(true));
}

#[test]
fn what_comes_and_where_it_goes() {
    let files = Files::new(true);
    each(content::faults(&files).into_iter().chain(target::faults(&files)).collect());
}

/// What a file says about a server of which this authority is known.
fn source(port: u16, authority: &Authority) -> Value {
    let url = format!("https://localhost:{port}/tested?token=canary");
    json!({"http": {"url": url, "tls": {"ca_file": authority.path("ca.pem")}}})
}

fn stands_as(site: &Site, then: Value, port: u16, says: &'static str, hint: &'static str) {
    let case = Case::of(&format!("https://localhost:{port}/tested"), 69, says, hint);
    stands(&Pod::new(), &site.set(), || Set::of("tools", then).within("3s"), &case);
}

#[test]
fn a_server_that_is_not_to_be_trusted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let of = |config| secured_by(config, |_| Reply::ok("canary"));
    let port = |server: &Secured| server.address.port();
    let other = of(authority.server("other.example"));
    let old = of(authority.until("localhost", 2001));
    let right = of(authority.server("localhost"));
    let plain = short(&["HTTP/1.1 400 Bad Request\r\n\r\ncanary"]).port();
    let asking = of(authority.asking("localhost", false));
    let site = Site::new(true);
    stands_as(&site, source(port(&other), &authority), port(&other), "TLS: ", "the certificate is for another name");
    stands_as(&site, source(port(&old), &authority), port(&old), "TLS: ", "the server's certificate is to be renewed");
    stands_as(
        &site,
        source(port(&right), &stranger),
        port(&right),
        "TLS: invalid peer certificate",
        "with tls.ca_file",
    );
    stands_as(&site, source(port(&asking), &authority), port(&asking), "TLS: ", "tls.cert_file");
    stands_as(&site, source(plain, &authority), plain, "TLS: ", "write http://");
}

#[test]
fn a_redirect_that_gives_up_tls_is_followed_only_where_that_is_allowed() {
    let (site, pod) = (Site::new(true), Pod::new());
    let plain = serve(|_| Reply::ok(TOOLS.replace("search", "find")));
    let fault = || {
        site.script.turn(vec![Reply::redirect(plain.url("/there?session=canary"))]);
        site.set()
    };
    let case =
        Case::of(&site.place(), 77, "redirects from https to http://127.0.0.1", "allow_http_redirect permits it");
    stands(&pod, &site.set(), fault, &case);
    assert!(plain.asked().is_empty());
    let mut source = site.source();
    source["http"]["allow_http_redirect"] = json!(true);
    succeeds(&pod, &Set::of("tools", source), TOOLS.replace("search", "find").as_bytes());
    // Neither the token nor the header of the first server has come to the second.
    assert!(!plain.one().0.replace("session=canary", "").contains("canary"), "{:?}", plain.one());
}
