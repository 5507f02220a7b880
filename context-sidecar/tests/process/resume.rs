//! An ingest that was broken off goes on where it was: what is in is not embedded again.

use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use e2e::process::Process;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    Running, command,
    server::{Reply, Server, embeddings},
};

/// More than one request of the command's, and two of the embedder's.
const DOCUMENTS: usize = 300;

/// As many as the command puts in at once.
const FIRST: usize = 128;

#[tokio::test]
async fn what_is_in_costs_nothing_again() {
    for (signal, ends) in [(Signal::INT, Some(130)), (Signal::KILL, None)] {
        let folder = tempfile::tempdir().unwrap();
        let docs = folder.path().join("docs");
        fs::create_dir(&docs).unwrap();
        for number in 0..DOCUMENTS {
            fs::write(docs.join(format!("{number:04}.txt")), format!("the text of number {number:04}")).unwrap();
        }
        // It embeds the first request of the command, and then nothing until it is let.
        let (counts, is_open) =
            (Arc::new(Mutex::new(HashMap::<String, usize>::new())), Arc::new(AtomicBool::new(false)));
        let server = {
            let (counts, is_open) = (Arc::clone(&counts), Arc::clone(&is_open));
            Server::start(move |_, request| {
                let texts = request.texts();
                let is_first = texts.iter().all(|text| {
                    let number = text.rsplit(' ').next().and_then(|word| word.parse::<usize>().ok());
                    number.is_none_or(|number| number < FIRST)
                });
                if !is_first && !is_open.load(Ordering::SeqCst) {
                    return Reply::Hang;
                }
                let mut counts = counts.lock().unwrap();
                texts
                    .into_iter()
                    .filter(|text| text.contains("number"))
                    .for_each(|text| *counts.entry(text).or_default() += 1);
                embeddings(request)
            })
            .await
        };
        let variables = [("EMBEDDINGS_MODEL", "m"), ("EMBEDDINGS_URL", &*server.base())];
        let running = Running::start(folder.path(), &variables).await;
        let url = running.url();
        let ingest = || {
            let mut command = command(&[("CONTEXT_SERVICE_URL", &url)]);
            command.arg("ingest").arg(&docs);
            command
        };
        let mut process = Process::start(&mut ingest()).unwrap();
        let begun = async {
            let is_second = |text: &String| text.contains(&format!("number {:04}", FIRST));
            while !server.asked().iter().any(|request| request.texts().iter().any(is_second)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(crate::PATIENCE, begun).await.unwrap();
        kill_process(Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap(), signal).unwrap();
        let status = process.wait(crate::PATIENCE).await.unwrap();
        assert_eq!(status.code(), ends, "{}", process.stderr.text());
        if ends.is_some() {
            let said = process.stderr.text();
            assert!(said.contains("128 documents are in and stay in: run it again"), "{said}");
        }
        is_open.store(true, Ordering::SeqCst);
        let mut again = Process::start(&mut ingest()).unwrap();
        let status = again.wait(crate::PATIENCE).await.unwrap();
        assert_eq!(status.code(), Some(0), "{}", again.stderr.text());
        let said = again.stdout.text();
        assert!(said.contains("172 documents created, 0 replaced, 128 unchanged"), "{said}");
        let counts = counts.lock().unwrap();
        assert_eq!(counts.len(), DOCUMENTS);
        let again: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(again.is_empty(), "{again:?}");
    }
}
