//! Equal texts that are asked for at once are embedded once, whatever becomes of whoever asked first.

use std::{sync::Arc, time::Duration};

use chassis::{clock, task};
use context_sidecar::{
    embed::{Dialect, Embedder as _, Purpose, Remote},
    http::Call,
};

use crate::{
    call, embedder,
    server::{Reply, Server, embeddings, unit},
    settings,
};

const SLOW: Duration = Duration::from_millis(300);

async fn asked(server: &Server, count: usize) {
    let deadline = clock::now() + crate::PATIENCE;
    while server.asked().len() < count {
        assert!(clock::now() < deadline, "it was never asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn at(server: &Server) -> Arc<Remote> {
    Arc::new(embedder(&server.base(), settings(Dialect::OpenAi)))
}

#[tokio::test]
async fn many_at_once_are_one_request() {
    let server = Server::start(|_, request| embeddings(request).after(SLOW)).await;
    let embedder = at(&server);
    let all = (0..20).map(|_| {
        let embedder = Arc::clone(&embedder);
        task::spawn(async move { embedder.embed(&["same"], Purpose::Query, &call()).await })
    });
    for answer in all.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap().unwrap(), [unit("same")]);
    }
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn two_lists_that_overlap_each_ask_for_what_is_theirs() {
    let server = Server::start(|_, request| embeddings(request).after(SLOW)).await;
    let embedder = at(&server);
    let (one, other) = (call(), call());
    let (one, other) = tokio::join!(
        embedder.embed(&["a", "bb"], Purpose::Query, &one),
        embedder.embed(&["ccc", "bb"], Purpose::Query, &other)
    );
    assert_eq!(one.unwrap(), [unit("a"), unit("bb")]);
    assert_eq!(other.unwrap(), [unit("ccc"), unit("bb")]);
    let sent: usize = server.asked().iter().map(|request| request.texts().len()).sum();
    assert_eq!(sent, 3);
}

#[tokio::test]
async fn whoever_waits_takes_over_when_the_first_goes_away_or_has_less_time() {
    for hang_up in [true, false] {
        let server = Server::start(|before, request| if before == 0 { Reply::Hang } else { embeddings(request) });
        let server = server.await;
        let embedder = at(&server);
        let time = if hang_up { crate::PATIENCE } else { SLOW };
        let first = task::spawn({
            let (embedder, call) = (Arc::clone(&embedder), Call::until(clock::now() + time));
            async move { embedder.embed(&["same"], Purpose::Query, &call).await }
        });
        asked(&server, 1).await;
        let second = task::spawn({
            let embedder = Arc::clone(&embedder);
            async move { embedder.embed(&["same"], Purpose::Query, &call()).await }
        });
        tokio::time::sleep(SLOW / 3).await;
        if hang_up {
            first.abort();
        } else {
            assert_eq!(first.await.unwrap().unwrap_err().kind(), "late");
        }
        assert_eq!(second.await.unwrap().unwrap(), [unit("same")]);
        assert_eq!(server.asked().len(), 2);
    }
}

#[tokio::test]
async fn a_query_does_not_wait_for_an_ingest_which_has_only_so_many_requests_at_a_time() {
    let server = Server::start(|_, request| match request.texts()[0].as_str() {
        "query" => embeddings(request),
        _ => Reply::Hang,
    });
    let server = server.await;
    let narrow = context_sidecar::embed::Settings { items: 1, at_once: 2, ..settings(Dialect::OpenAi) };
    let embedder = Arc::new(embedder(&server.base(), narrow));
    let ingest = task::spawn({
        let embedder = Arc::clone(&embedder);
        async move { embedder.embed(&["a", "b", "c", "d"], Purpose::Document, &call()).await }
    });
    asked(&server, 2).await;
    // Over before the ingest is, which would make room.
    let call = Call::until(clock::now() + crate::PATIENCE / 4);
    assert_eq!(embedder.embed(&["query"], Purpose::Query, &call).await.unwrap(), [unit("query")]);
    assert_eq!(server.asked().len(), 3);
    ingest.abort();
}
