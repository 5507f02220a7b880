//! Two tenants over one sidecar, with the same names for everything, on every route and through every door, in any order:
//! no answer of one has in it what is the other's, and nothing that one does changes what the other has.

use std::collections::BTreeMap;

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{
    Sidecar,
    scopes::{headers, requests, with_token},
};

const TENANTS: [&str; 2] = ["anna", "bert"];
const IDS: usize = 3;

/// What only one of them ever writes.
fn canary(tenant: usize) -> &'static str {
    ["annacanary", "bertcanary"][tenant]
}

/// What a tenant is to have.
#[derive(Default)]
struct Own {
    documents: BTreeMap<String, String>,
    messages: usize,
}

struct World {
    sidecar: Sidecar,
    own: [Own; 2],
    /// Routes that were asked, so that none is left out in the end.
    asked: Vec<String>,
}

impl World {
    async fn ask(&mut self, tenant: usize, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let given = [("x-tenant-id", TENANTS[tenant]), ("authorization", "Bearer right")];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.sidecar.send(method, path, &headers(&given), text).await;
        let other = canary(1 - tenant);
        assert!(!answer.text().contains(other), "{} sees {method} {path}: {}", TENANTS[tenant], answer.text());
        assert!(answer.status < 500, "{method} {path}: {}", answer.text());
        self.asked.push(format!("{method} {path}"));
        (answer.status, serde_json::from_str(&answer.text()).unwrap_or_default())
    }

    /// One of the requests that there are, by a number; the same for both tenants.
    async fn step(&mut self, tenant: usize, which: usize, number: usize) {
        let id = format!("d{}", number % IDS);
        let (method, path, mut body) = requests().swap_remove(which % requests().len());
        match (method, path) {
            ("PUT", "/v1/documents") => {
                let text = format!("Cats of {id}, version {number}, of {}.", canary(tenant));
                body = json!({"documents": [{"id": id, "title": canary(tenant), "text": text, "url": canary(tenant),
                    "metadata": {"kind": canary(tenant), canary(tenant): 1}}]});
                self.own[tenant].documents.insert(id, text);
            }
            ("DELETE", "/v1/documents") => {
                body = match number % 3 {
                    0 => json!({"all": true}),
                    1 => json!({"ids": [id]}),
                    // By what is the other's, it is nothing of one's own.
                    _ => json!({"filter": {"type": "eq", "key": "kind", "value": "none"}}),
                };
                match number % 3 {
                    0 => self.own[tenant].documents.clear(),
                    1 => _ = self.own[tenant].documents.remove(&id),
                    _ => {}
                }
            }
            ("DELETE", "/v1/documents/cats") => {
                self.own[tenant].documents.remove(&id);
                self.ask(tenant, method, &format!("/v1/documents/{id}"), &body).await;
                return;
            }
            ("GET", "/v1/documents/cats") => {
                let (status, kept) = self.ask(tenant, method, &format!("/v1/documents/{id}"), &body).await;
                match self.own[tenant].documents.get(&id) {
                    Some(text) => assert_eq!((status, kept["text"].as_str()), (200, Some(text.as_str()))),
                    None => assert_eq!(status, 404),
                }
                return;
            }
            ("POST", "/v1/conversations/talk/messages") => {
                let said = format!("Do cats of {} sleep? {number}", canary(tenant));
                body = json!({"messages": [{"role": "user", "content": said}]});
                self.own[tenant].messages += 1;
            }
            ("DELETE", "/v1/conversations/talk") => self.own[tenant].messages = 0,
            _ => {}
        }
        let (status, answer) = self.ask(tenant, method, path, &body).await;
        let (has, messages) = (!self.own[tenant].documents.is_empty(), self.own[tenant].messages);
        match path {
            "/v1/retrieve" if status == 200 => {
                let mut found: Vec<&str> = answer["results"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| one["document_id"].as_str().unwrap())
                    .collect();
                found.sort_unstable();
                assert_eq!(found, self.own[tenant].documents.keys().map(String::as_str).collect::<Vec<_>>());
            }
            "/v1/collections" => {
                assert_eq!(answer["collections"].as_array().unwrap().len(), usize::from(has), "{answer}");
            }
            "/v1/conversations/talk/context" if messages > 0 => assert_eq!(answer["of"], messages, "{answer}"),
            "/v1/conversations/talk/context" => assert_eq!(status, 404),
            _ => {}
        }
    }
}

#[test]
fn whatever_two_tenants_do_neither_sees_or_changes_what_is_the_others() {
    let routes = requests().len();
    let step = (0..2_usize, 0..routes * 2, 0..12_usize).prop_map(move |(tenant, which, number)| {
        // What is put in is put in more often than what is removed.
        let put = requests().iter().position(|(method, ..)| *method == "PUT").unwrap();
        (tenant, if which >= routes { put } else { which }, number)
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config =
        ProptestConfig { cases: 12, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() };
    let all = std::cell::RefCell::new(Vec::new());
    TestRunner::new(config)
        .run(&prop::collection::vec(step, 1..80), |steps| {
            let asked = runtime.block_on(async {
                let mut world = World { sidecar: with_token(), own: Default::default(), asked: Vec::new() };
                for (tenant, which, number) in steps {
                    world.step(tenant, which, number).await;
                }
                // In the end each has what it put in, by every route, twice: from the store and from what is remembered.
                for tenant in [0, 1, 0, 1] {
                    for (which, (method, ..)) in requests().into_iter().enumerate() {
                        if method == "GET" || method == "POST" {
                            world.step(tenant, which, 0).await;
                        }
                    }
                }
                world.asked
            });
            all.borrow_mut().extend(asked);
            Ok(())
        })
        .unwrap();
    for (method, path, _) in requests() {
        let path = if path.starts_with("/v1/documents/") { "/v1/documents/d" } else { path };
        let asked = |line: &String| line.starts_with(&format!("{method} {path}"));
        assert!(all.borrow().iter().any(asked), "{method} {path} was never asked");
    }
}
