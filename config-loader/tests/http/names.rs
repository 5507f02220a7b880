//! Names, and the addresses that they stand for.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use chassis::exit::Code::{Denied, Unavailable};
use config_loader::{
    failure::Retry::{Never, Soon},
    source::http::{Http, HttpSettings, Names},
};

use crate::{
    assert_failure, failed, fetch, file, settings, source,
    support::http::{Reply, Server},
};

/// Every name is one more of these addresses each time, and at last none.
struct Turning {
    answers: Vec<Vec<IpAddr>>,
    turn: AtomicUsize,
}

#[async_trait]
impl Names for Turning {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        assert!(name.ends_with(".example"), "{name}");
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        self.answers.get(turn).cloned().ok_or_else(|| io::Error::other("no such name"))
    }
}

fn turning(answers: &[&[&str]]) -> Arc<Turning> {
    let answers = answers.iter().map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect()).collect();
    Arc::new(Turning { answers, turn: AtomicUsize::new(0) })
}

fn resolving(settings: &HttpSettings, answers: &[&[&str]]) -> Http {
    source(settings).with_names(turning(answers))
}

fn named(server: &Server, path: &str) -> HttpSettings {
    settings(format!("http://files.example:{}{path}", server.address.port()))
}

#[tokio::test]
async fn a_name_is_resolved_once_for_what_is_connected_to() {
    let server = Server::answering(Reply::ok("here")).await;
    let names = turning(&[&["127.0.0.1"]]);
    let http = source(&named(&server, "/a")).with_names(Arc::clone(&names) as Arc<dyn Names>);
    assert_eq!(file(&fetch(&http).await.unwrap()), "here");
    assert_eq!(names.turn.load(Ordering::SeqCst), 1);
    assert!(server.one().header("host").unwrap().starts_with("files.example:"));
}

#[tokio::test]
async fn a_name_that_leads_to_credentials_of_the_cloud() {
    let server = Server::answering(Reply::ok("secret")).await;
    for answers in [&["169.254.169.254"][..], &["127.0.0.1", "169.254.1.1"], &["::ffff:169.254.169.254"], &["fe80::1"]]
    {
        let failure = failed(&resolving(&named(&server, "/a"), &[answers])).await;
        let says = format!("/a: files.example, which is {}: a link-local", answers.last().unwrap());
        assert_failure(&failure, Denied, Never, &says);
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_name_that_changes_its_mind_between_two_steps() {
    let server = Server::answering(Reply::redirect("http://other.example/")).await;
    let failure = failed(&resolving(&named(&server, "/a"), &[&["127.0.0.1"], &["169.254.169.254"]])).await;
    assert_failure(&failure, Denied, Never, "other.example, which is 169.254.169.254");
}

#[tokio::test]
async fn a_name_that_leads_to_what_is_allowed() {
    let server = Server::answering(Reply::ok("here")).await;
    // Nobody is there, but it is not refused.
    let allowing = HttpSettings { allow_addresses: vec!["169.254.20.0/24".to_owned()], ..named(&server, "/") };
    let failure = failed(&resolving(&allowing, &[&["127.0.0.1", "169.254.169.254"]])).await;
    assert_failure(&failure, Denied, Never, "169.254.169.254");
    let http = resolving(&allowing, &[&["127.0.0.1", "169.254.20.10"]]);
    assert_eq!(file(&fetch(&http).await.unwrap()), "here");
}

#[tokio::test]
async fn a_name_that_nobody_knows() {
    let http = resolving(&settings("http://files.example/a?secret"), &[]);
    let says = "http://files.example/a: the name of the host cannot be resolved (no such name)";
    assert_failure(&failed(&http).await, Unavailable, Soon, says);
    let http = resolving(&settings("http://files.example/a"), &[&[]]);
    assert_failure(&failed(&http).await, Unavailable, Soon, "cannot be resolved (it has no address)");
}

#[tokio::test]
async fn the_systems_names_are_known() {
    let server = Server::answering(Reply::ok("here")).await;
    let http = source(&settings(format!("http://localhost:{}/", server.address.port())));
    assert_eq!(file(&fetch(&http).await.unwrap()), "here");
}
