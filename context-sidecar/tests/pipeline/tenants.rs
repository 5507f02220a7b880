//! Two tenants with the same names for everything, over one pipeline with one store and one set of caches: whatever they
//! do, neither ever sees, changes or removes what is the other's.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use context_core::{filter::Filter, merge::Expand, scope::Scope};
use context_sidecar::{
    answer::Answer,
    conversations::{Message, Role},
    failure::Kind,
    ingest::{Outcome, Target},
    pipeline::{Pipeline, Settings},
    question::{Marks, Question},
};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    call, document,
    doubles::{Embeds, Fails, Shaky, Turns},
    pipeline, question, scope, settings,
};

#[derive(Debug, Clone)]
enum Does {
    Put(u8, u8),
    Delete(u8),
    DeleteWhere(u8),
    DeleteAll,
    Ask { words: u8, variant: u8 },
    AskInOutage { words: u8, embedder: bool },
    Say(u8, u8),
    Recall(u8, bool),
    Forget(u8),
}

fn does() -> impl Strategy<Value = Does> {
    let small = 0..4_u8;
    prop_oneof![
        6 => (small.clone(), small.clone()).prop_map(|(id, version)| Does::Put(id, version)),
        1 => small.clone().prop_map(Does::Delete),
        1 => small.clone().prop_map(Does::DeleteWhere),
        1 => Just(Does::DeleteAll),
        6 => (small.clone(), 0..6_u8).prop_map(|(words, variant)| Does::Ask { words, variant }),
        3 => (small.clone(), any::<bool>()).prop_map(|(words, embedder)| Does::AskInOutage { words, embedder }),
        4 => (0..2_u8, small.clone()).prop_map(|(id, version)| Does::Say(id, version)),
        3 => (0..2_u8, any::<bool>()).prop_map(|(id, long)| Does::Recall(id, long)),
        1 => (0..2_u8).prop_map(Does::Forget),
    ]
}

const TENANTS: [&str; 2] = ["anna", "bert"];

/// Both use the same words, and one that says whose it is.
fn text(tenant: &str, id: &str, version: u8) -> String {
    format!(
        "Foxes and hares of {id}, version {version}. Written by {tenant}only. {}",
        "Words go on. ".repeat(version.into())
    )
}

fn query(words: u8) -> Question {
    question(["foxes hares", "version written", "annaonly bertonly", "words go on"][usize::from(words) % 4])
}

struct World {
    store: Arc<Shaky>,
    embedder: Arc<Embeds>,
    pipeline: Pipeline,
    /// What each of them has: documents, and messages by conversation.
    documents: BTreeMap<&'static str, BTreeMap<String, u8>>,
    messages: BTreeMap<(&'static str, String), Vec<String>>,
}

impl World {
    fn new() -> Self {
        let (store, embedder) = (Shaky::new(), Embeds::new("m"));
        let settings = Settings { stale_for: std::time::Duration::from_secs(600), ..settings() };
        let pipeline = pipeline(store.clone(), Some(embedder.clone()), Some(Arc::new(Turns::default())), settings);
        Self { store, embedder, pipeline, documents: BTreeMap::new(), messages: BTreeMap::new() }
    }

    /// All that an answer has in it is of this tenant.
    fn is_own(&self, tenant: &str, answer: &Answer) {
        let text = serde_json::to_string(answer).unwrap();
        let other = TENANTS.iter().find(|other| **other != tenant).unwrap();
        assert!(!text.contains(&format!("{other}only")), "{tenant} sees {text}");
    }

    async fn step(&mut self, tenant: &'static str, does: Does) {
        let (scope, call) = (scope(tenant, "docs"), call());
        match does {
            Does::Put(id, version) => {
                let mut document = document(&format!("d{id}"), &text(tenant, &format!("d{id}"), version));
                document.metadata.insert("kind".to_owned(), json!(id));
                document.metadata.insert("tenant".to_owned(), json!(TENANTS));
                let outcome =
                    self.pipeline.put(&scope, vec![Ok(document)], None, &call).await.unwrap().remove(0).outcome;
                let before = self.documents.entry(tenant).or_default().insert(format!("d{id}"), version);
                match (before, outcome) {
                    (None, Outcome::Created { .. }) => {}
                    (Some(before), Outcome::Unchanged { .. }) if before == version => {}
                    (Some(before), Outcome::Replaced { .. }) if before != version => {}
                    (before, outcome) => panic!("{tenant}: {outcome:?} where {before:?} was there"),
                }
            }
            Does::Delete(id) => {
                let target = Target::Documents(vec![format!("d{id}")]);
                let _ = self.pipeline.delete(&scope, &target, &call).await;
                self.documents.entry(tenant).or_default().remove(&format!("d{id}"));
            }
            Does::DeleteWhere(id) => {
                let filter = Filter::parse(&json!({"type": "eq", "key": "kind", "value": id})).unwrap();
                let _ = self.pipeline.delete(&scope, &Target::Where(filter), &call).await;
                self.documents.entry(tenant).or_default().remove(&format!("d{id}"));
            }
            Does::DeleteAll => {
                let _ = self.pipeline.delete(&scope, &Target::All, &call).await;
                self.documents.remove(tenant);
            }
            Does::Ask { words, variant } => {
                let asked = match variant {
                    1 => Question { max_tokens: Some(500), marks: Marks::Delimited, ..query(words) },
                    2 => Question { expand: Some(Expand::Parent), ..query(words) },
                    3 => Question { mmr: Some(0.5), ..query(words) },
                    4 => {
                        // Metadata that says it is the other's helps nobody.
                        let filter = json!({"type": "in", "key": "tenant", "value": TENANTS});
                        Question { filter: Some(Filter::parse(&filter).unwrap()), ..query(words) }
                    }
                    _ => query(words),
                };
                match self.pipeline.retrieve(&scope, &asked, &call).await {
                    Ok(answer) => {
                        self.is_own(tenant, &answer);
                        let found = answer.results.iter().map(|found| found.document_id.clone());
                        let found: std::collections::BTreeSet<String> = found.collect();
                        let known = self.documents.get(tenant).into_iter().flatten();
                        let known: std::collections::BTreeSet<String> = known.map(|(id, _)| id.clone()).collect();
                        if variant == 4 {
                            assert!(found.is_empty());
                        } else {
                            assert_eq!(found, known, "{tenant} {asked:?}");
                        }
                    }
                    // No document has a key that is stripped.
                    Err(failure) if variant == 4 => assert!(matches!(failure.kind, Kind::Invalid | Kind::NotFound)),
                    Err(failure) => assert_eq!(failure.kind, Kind::NotFound),
                }
            }
            Does::AskInOutage { words, embedder } => {
                self.embedder.is_down.store(embedder, Ordering::SeqCst);
                self.store.fail(if embedder { Fails::Never } else { Fails::Always });
                if let Ok(answer) = self.pipeline.retrieve(&scope, &query(words), &call).await {
                    self.is_own(tenant, &answer);
                }
                self.embedder.is_down.store(false, Ordering::SeqCst);
                self.store.fail(Fails::Never);
            }
            Does::Say(id, version) => {
                let conversation = format!("c{id}");
                let content = text(tenant, &conversation, version);
                let message =
                    Message { id: None, role: Role::User, content: content.clone(), rest: serde_json::Map::new() };
                self.pipeline.say(&scope.tenant, &conversation, vec![message], &call).await.unwrap();
                self.messages.entry((tenant, conversation)).or_default().push(content.trim_end().to_owned());
            }
            Does::Recall(id, long) => {
                self.recall(&scope, tenant, &format!("c{id}"), if long { 10_000 } else { 120 }).await
            }
            Does::Forget(id) => {
                let there = self.pipeline.forget(&scope.tenant, &format!("c{id}"), &call).await.unwrap();
                assert_eq!(self.messages.remove(&(tenant, format!("c{id}"))).is_some(), there);
            }
        }
    }

    async fn recall(&self, scope: &Scope, tenant: &'static str, conversation: &str, tokens: usize) {
        let recalled = self.pipeline.recall(&scope.tenant, conversation, tokens, None, &call()).await;
        let known = self.messages.get(&(tenant, conversation.to_owned()));
        let Some(known) = known else {
            assert_eq!(recalled.unwrap_err().kind, Kind::NotFound);
            return;
        };
        let recalled = recalled.unwrap();
        let text = serde_json::to_string(&recalled).unwrap();
        let other = TENANTS.iter().find(|other| **other != tenant).unwrap();
        assert!(!text.contains(&format!("{other}only")), "{tenant} sees {text}");
        assert!(recalled.tokens <= tokens);
        let shown: Vec<&str> = recalled.messages.iter().map(|turn| turn.content.trim_end()).collect();
        assert!(known.ends_with(&shown.iter().map(ToString::to_string).collect::<Vec<_>>()), "{shown:?}");
        assert!(tokens < 10_000 || shown.len() == known.len() || recalled.relevant.is_some());
    }

    /// What is kept is what each of them has put in.
    async fn check(&self) {
        for tenant in TENANTS {
            let scope = scope(tenant, "docs");
            let known = self.documents.get(tenant).cloned().unwrap_or_default();
            match self.pipeline.list(&scope, None, None, 100, &call()).await {
                Ok(page) => {
                    let listed: Vec<String> = page.documents.into_iter().map(|listed| listed.id).collect();
                    assert_eq!(listed, known.keys().cloned().collect::<Vec<_>>());
                }
                Err(failure) => assert_eq!((failure.kind, known.len()), (Kind::NotFound, 0)),
            }
            for id in (0..4).map(|id| format!("d{id}")) {
                match self.pipeline.get(&scope, &id, &call()).await {
                    Ok(stored) => {
                        assert_eq!(stored.document.text.trim_end(), text(tenant, &id, known[&id]).trim_end());
                        assert!(!stored.document.metadata.contains_key("tenant"));
                    }
                    Err(failure) => assert!(failure.kind == Kind::NotFound && !known.contains_key(&id)),
                }
            }
            let conversations = self.pipeline.conversations(&scope.tenant, None, 100, &call()).await.unwrap();
            let conversations = conversations.into_iter().map(|known| (known.id, known.messages));
            let own = self.messages.iter().filter(|((of, _), _)| *of == tenant);
            let own = own.map(|((_, id), messages)| (id.clone(), messages.len()));
            assert_eq!(conversations.collect::<Vec<_>>(), own.collect::<Vec<_>>());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_anothers_is_not_there(steps in prop::collection::vec((0..2_usize, does()), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for (tenant, does) in steps {
                world.step(TENANTS[tenant], does).await;
            }
            world.check().await;
        });
    }
}
