//! Qdrant down, slow, wrong, strict, full: what is said then, and what it was asked.

use std::fs;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use chassis::config::Environment;
use chassis::tls::Roots;
use context_core::{filter::Filter, point::PointId, scope::Scope};
use context_sidecar::store::{
    Fault, Legs, Store, Which,
    qdrant::{Consistency, Qdrant, Settings},
};
use e2e::harness::free_port;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::data::{Random, kind, points};
use crate::scripted::{Asked, Reply, Scripted, as_usual, over_tls, refusal, result};
use crate::server::{self, PATIENCE, Server};

fn scope() -> Scope {
    Scope { tenant: "acme".parse().unwrap(), collection: "docs".parse().unwrap() }
}

fn store(url: String) -> Qdrant {
    Qdrant::new(Settings { url, ..Settings::default() }, &Roots::default()).unwrap()
}

fn legs() -> Legs {
    let mut random = Random::new(60);
    Legs { dense: Some((random.vector(), 5)), lexical: Some((random.words(6), 5)) }
}

/// What a search says where its own request is answered like this.
async fn searched(reply: Reply) -> Fault {
    let server = Scripted::start(move |asked| {
        if asked.is("/collections/docs/points/query/batch") { reply.clone() } else { as_usual(asked, "1.18.2") }
    });
    let found = timeout(PATIENCE, store(server.url()).search(&scope(), &legs(), None, 0)).await.unwrap();
    found.unwrap_err()
}

#[tokio::test]
async fn whatever_it_answers_is_told_apart() {
    for (reply, kind, says) in [
        (refusal(401, "Must provide an API key"), "Refused", "set QDRANT_API_KEY_FILE"),
        (refusal(403, "Forbidden: access denied"), "Refused", "QDRANT_API_KEY_FILE"),
        (refusal(404, "Not found: Collection `docs` doesn't exist!"), "NoCollection", "`docs`"),
        (refusal(500, "Service internal error: task panicked"), "Unavailable", "500"),
        (refusal(503, "no leader"), "Unavailable", "503"),
        (refusal(400, "Wrong input: Vector dimension error: expected dim: 4, got 37"), "Mismatch", "new collection"),
        (refusal(400, "Bad request: Index required but not found for \"metadata.a\""), "Refused", "index the metadata"),
        (refusal(500, "Service internal error: No space left on device"), "Full", "volume"),
        (Reply::Text(200, "<!doctype html><title>Sign in</title>"), "Unavailable", "a web page"),
        (Reply::Text(200, "{}"), "Unavailable", "something else"),
        (Reply::Text(502, "<html>Bad gateway</html>"), "Unavailable", "502"),
        (Reply::Text(301, ""), "Refused", "301"),
        (Reply::Cut, "Unavailable", "has broken off"),
        (result(json!([{"points": []}])), "Unavailable", "1 of 2 searches"),
        (result(json!([{"points": [{"id": 7, "score": 1.0}]}])), "Unavailable", "is QDRANT_URL right"),
    ] {
        let about = format!("{reply:?}");
        let fault = searched(reply).await;
        assert!(format!("{fault:?}").starts_with(kind), "{fault:?} is not {kind}, for {about}");
        assert!(fault.to_string().contains(says), "`{fault}` does not say `{says}`");
    }
}

#[tokio::test]
async fn whoever_is_not_there_is_named() {
    let address = free_port();
    for url in [format!("http://{address}"), "http://qdrant.invalid:6333".to_owned()] {
        let fault = timeout(PATIENCE, store(url.clone()).ping()).await.unwrap().unwrap_err();
        let Fault::Unavailable(told) = &fault else { panic!("{fault:?}") };
        assert!(told.starts_with(&format!("qdrant {url} cannot be reached (")), "{told}");
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_lets_go_of_its_connection() {
    let server = Scripted::start(|_| Reply::Silence);
    let store = store(server.url());
    let given_up = timeout(Duration::from_millis(200), store.ping()).await;
    assert!(given_up.is_err(), "it was answered");
    // The connection is closed and not used again, or this would wait on it.
    let again = timeout(Duration::from_millis(200), store.ping()).await;
    assert!(again.is_err());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_connection_that_is_gone_is_replaced_once() {
    let left = Arc::new(AtomicUsize::new(0));
    let shared = Arc::clone(&left);
    let server = Scripted::start(move |asked| {
        let gone = shared.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if gone { Reply::Gone } else { as_usual(asked, "1.18.2") }
    });
    let store = store(server.url());
    store.ping().await.unwrap();
    left.store(1, Ordering::SeqCst);
    store.ping().await.unwrap();
    left.store(2, Ordering::SeqCst);
    let fault = store.ping().await.unwrap_err();
    assert!(matches!(&fault, Fault::Unavailable(told) if told.contains("has broken off")), "{fault:?}");
}

/// A server behind a proxy is restarted: whoever asks does not notice. What cannot be done twice is not.
#[tokio::test]
async fn what_fails_for_a_moment_is_tried_once_more() {
    for reply in [refusal(503, "no leader"), Reply::Text(502, "<html>Bad gateway</html>"), Reply::Gone, Reply::Cut] {
        let left = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&left);
        let server = Scripted::start(move |asked| {
            let fails = !asked.is("/") && !asked.is("/collections/docs");
            let fails = fails && shared.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
            if fails { reply.clone() } else { as_usual(asked, "1.18.2") }
        });
        let store = store(server.url());
        store.search(&scope(), &legs(), None, 0).await.unwrap();
        for failures in [1, 2] {
            left.store(failures, Ordering::SeqCst);
            assert_eq!(store.search(&scope(), &legs(), None, 0).await.is_ok(), failures == 1);
            left.store(failures, Ordering::SeqCst);
            let mut random = Random::new(7);
            assert_eq!(store.put(&scope(), &points(&scope(), 2, &mut random)).await.is_ok(), failures == 1);
        }
        left.store(0, Ordering::SeqCst);
        let deletes = || server.asked().iter().filter(|asked| asked.is("/collections/docs/points/delete")).count();
        store.delete(&scope(), &Which::All).await.unwrap();
        assert_eq!(deletes(), 1);
    }
}

#[tokio::test]
async fn every_request_says_whose_points_it_is_about() {
    let server = Scripted::start(|asked| as_usual(asked, "1.19.0"));
    let store = store(server.url());
    let filter = Filter::parse(&json!({"type": "or", "filters": [
        {"type": "eq", "key": "tenant", "value": "umbrella"}, {"type": "ne", "key": "gone", "value": 1}]}));
    let filter = filter.unwrap();
    let (scope, ids) = (scope(), [PointId::of(&scope(), "a", 0, "")]);
    let documents = ["a".to_owned()];
    store.search(&scope, &legs(), Some(&filter), 0).await.unwrap();
    store.get(&scope, &ids, true, 0).await.unwrap();
    store.chunks(&scope, &documents, 0).await.unwrap();
    store.documents(&scope, Some(&filter), None, 5, 0).await.unwrap();
    for which in [Which::Points(ids.to_vec()), Which::Documents(documents.to_vec()), Which::Where(filter), Which::All] {
        store.delete(&scope, &which).await.unwrap();
    }
    store.put(&scope, &points(&scope, 3, &mut Random::new(61))).await.unwrap();
    let mine = json!({"key": "tenant", "match": {"value": "acme"}});
    let joined = |filter: &Value| filter["must"].as_array().is_some_and(|must| must.contains(&mine));
    let mut checked = 0;
    for asked in server.asked() {
        if asked.is("/") || asked.is("/collections/docs") || asked.body.get("ids").is_some() {
            continue;
        }
        checked += 1;
        if let Some(searches) = asked.body["searches"].as_array() {
            assert!(searches.iter().all(|search| joined(&search["filter"])), "{asked:?}");
            assert_eq!(searches[1]["params"]["idf"]["corpus"], json!({"must": [mine]}), "{asked:?}");
        } else if let Some(points) = asked.body["points"].as_array() {
            assert!(points.iter().all(|point| point["payload"]["tenant"] == "acme"), "{asked:?}");
        } else {
            assert!(joined(&asked.body["filter"]), "{asked:?}");
        }
    }
    assert_eq!(checked, 13);
}

#[tokio::test]
async fn a_point_of_another_tenant_in_an_answer_is_left_out() {
    let point = |tenant: &str| {
        json!({"id": PointId::of(&scope(), tenant, 0, ""), "payload": {"tenant": tenant, "document_id": "a", "chunk": 0,
            "text": "t", "start": 0, "end": 1, "hash": "h", "written": 1}})
    };
    let page = json!({"points": [point("acme"), point("umbrella")], "next_page_offset": null});
    let server = Scripted::start(move |asked| {
        if asked.is("/collections/docs/points/scroll") { result(page.clone()) } else { as_usual(asked, "1.18.2") }
    });
    let found = store(server.url()).chunks(&scope(), &["a".to_owned()], 0).await.unwrap();
    assert_eq!(found.iter().map(|point| point.id).collect::<Vec<_>>(), [PointId::of(&scope(), "acme", 0, "")]);
}

#[tokio::test]
async fn what_is_written_comes_in_pieces_that_qdrant_takes() {
    let server = Scripted::start(|asked| as_usual(asked, "1.18.2"));
    let mut all = points(&scope(), 230, &mut Random::new(62));
    // Two of the first five are more than is written at once.
    for point in all.iter_mut().take(5) {
        point.chunk.text = "x".repeat(3 << 20);
    }
    store(server.url()).put(&scope(), &all).await.unwrap();
    let written = server.asked().into_iter().filter(|asked| asked.line.starts_with("PUT")).collect::<Vec<Asked>>();
    let many = |asked: &Asked| asked.body["points"].as_array().unwrap().len();
    assert_eq!(written.iter().map(many).sum::<usize>(), 230);
    assert!(
        written.iter().all(|asked| many(asked) <= 100 && asked.bytes <= 4 << 20 && asked.line.contains("wait=true"))
    );
    assert_eq!(written.len(), 7);
}

#[tokio::test]
async fn a_chunk_that_is_too_large_for_a_request_is_told() {
    let Some(server) = Server::stand_in(free_port(), &[]) else { e2e::skip!("{}", server::ABSENT) };
    let store = server.store();
    store.create(&scope().collection, &kind()).await.unwrap();
    let mut all = points(&scope(), 1, &mut Random::new(63));
    all[0].chunk.text = "x".repeat(33 << 20);
    let fault = timeout(PATIENCE, store.put(&scope(), &all)).await.unwrap().unwrap_err();
    let Fault::Refused(told) = &fault else { panic!("{fault:?}") };
    assert!(told.contains("max_request_size_mb"), "{told}");
}

#[tokio::test]
async fn what_is_read_is_agreed_on_where_that_is_wanted() {
    let server = Scripted::start(|asked| as_usual(asked, "1.18.2"));
    let settings = Settings { url: server.url(), consistency: Some(Consistency::Quorum), ..Settings::default() };
    let store = Qdrant::new(settings, &Roots::default()).unwrap();
    store.search(&scope(), &legs(), None, 0).await.unwrap();
    let asked = server.asked();
    let search = asked.iter().find(|asked| asked.is("/collections/docs/points/query/batch")).unwrap();
    assert!(search.line.contains("?consistency=quorum"), "{}", search.line);
    // An old server counts words as it does.
    assert_eq!(search.body["searches"][1].get("params"), None);
}

#[tokio::test]
async fn a_collection_of_another_shape_is_told() {
    let params =
        |dense: Value, sparse: Value| json!({"config": {"params": {"vectors": dense, "sparse_vectors": sparse}}});
    let good = json!({"dense": {"size": 37, "distance": "Cosine"}});
    let idf = json!({"bm25": {"modifier": "idf"}});
    for (params, says) in [
        (params(json!({"size": 37, "distance": "Cosine"}), idf.clone()), "no vectors named `dense`"),
        (
            params(json!({"dense": {"size": 4, "distance": "Cosine"}}), idf.clone()),
            "vectors of 4 numbers instead of 37",
        ),
        (params(json!({"dense": {"size": 37, "distance": "Dot"}}), idf), "distance Dot instead of Cosine"),
        (params(good.clone(), json!({})), "no sparse vectors named `bm25`"),
        (params(good, json!({"bm25": {}})), "without the modifier `idf`"),
    ] {
        let server = Scripted::start(move |asked| match asked.line.as_str() {
            line if line.starts_with("GET /collections/docs ") => result(params.clone()),
            line if line.starts_with("PUT /collections/docs ") => refusal(409, "Collection `docs` already exists!"),
            line if line.starts_with("POST /collections/docs/points") => result(json!([])),
            _ => result(json!(true)),
        });
        let fault = store(server.url()).create(&scope().collection, &kind()).await.unwrap_err();
        let Fault::Mismatch(told) = &fault else { panic!("{fault:?}") };
        assert!(told.contains("`docs`") && told.contains(says), "`{told}` does not say `{says}`");
    }
}

#[tokio::test]
async fn the_key_that_is_in_the_file_now_is_sent() {
    let Some(server) = Server::stand_in(free_port(), &["--api-key", "second-key"]) else {
        e2e::skip!("{}", server::ABSENT)
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "first-key\n").unwrap();
    let settings = Settings { url: server.url(), api_key_file: Some(path.clone()), ..Settings::default() };
    let store = Qdrant::new(settings, &Roots::default()).unwrap();
    let name = scope().collection;
    let fault = store.create(&name, &kind()).await.unwrap_err();
    let Fault::Refused(told) = &fault else { panic!("{fault:?}") };
    assert!(told.contains(path.to_str().unwrap()) && !told.contains("first-key"), "{told}");
    assert!(!format!("{store:?}").contains("first-key"));
    fs::write(&path, "second-key\n").unwrap();
    store.create(&name, &kind()).await.unwrap();
    assert_eq!(store.collection(&name).await.unwrap(), Some(kind()));
}

#[tokio::test]
async fn over_tls_whom_the_environment_trusts_is_trusted_and_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("authority.pem");
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(&path, certificate.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let address = over_tls(config, |asked| as_usual(asked, "1.18.2"));
    let url = format!("https://localhost:{}", address.port());
    let trusting = Roots::of(&Environment::from_pairs([("SSL_CERT_FILE", path.to_str().unwrap())]));
    let settings = Settings { url: url.clone(), ..Settings::default() };
    Qdrant::new(settings.clone(), &trusting).unwrap().ping().await.unwrap();
    let fault = Qdrant::new(settings, &Roots::default()).unwrap().ping().await.unwrap_err();
    assert!(fault.to_string().contains("certificate"), "{fault}");
}
