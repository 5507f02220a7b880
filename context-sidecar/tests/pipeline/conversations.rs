//! What of a conversation comes back.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chassis::{clock, metrics::Metrics};
use context_core::scope::{Scope, Tenant};
use context_sidecar::{
    conversations::{Message, Role, Summarize},
    failure::Kind,
    http::{Call, Trouble},
    ingest::Outcome,
    metrics::Series,
    pipeline::{Conversations, Parts, Pipeline, Settings},
    store::Store as _,
};

use crate::{
    call,
    doubles::{Embeds, Fails, Shaky, down},
    settings,
};

#[derive(Debug, Default)]
struct Short {
    is_down: AtomicBool,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Summarize for Short {
    async fn summarize(&self, transcript: &str, _: usize, _: &Call) -> Result<String, Trouble> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(down("summarizer"));
        }
        self.asked.lock().unwrap().push(transcript.to_owned());
        Ok("They talked about birds.".to_owned())
    }
}

struct Rig {
    store: Arc<Shaky>,
    embedder: Arc<Embeds>,
    short: Arc<Short>,
    pipeline: Pipeline,
    tenant: Tenant,
}

fn rig(with_summaries: bool) -> Rig {
    let (store, embedder, short) = (Shaky::new(), Embeds::new("m"), Arc::new(Short::default()));
    let summarizer = with_summaries.then(|| short.clone() as Arc<dyn Summarize>);
    let conversations = Conversations { messages: 60, ..Conversations::default() };
    let pipeline = Pipeline::new(Parts {
        store: store.clone(),
        embedder: Some(embedder.clone()),
        reranker: None,
        summarizer,
        series: Series::new(&Metrics::new()),
        settings: Settings { conversations, ..settings() },
    });
    Rig { store, embedder, short, pipeline, tenant: "a".parse().unwrap() }
}

fn message(role: Role, content: &str) -> Message {
    Message { id: None, role, content: content.to_owned(), rest: serde_json::Map::new() }
}

impl Rig {
    async fn say(&self, conversation: &str, messages: Vec<Message>) -> Vec<Outcome> {
        let outcomes = self.pipeline.say(&self.tenant, conversation, messages, &call()).await.unwrap();
        outcomes.into_iter().map(|item| item.outcome).collect()
    }

    async fn talk(&self, conversation: &str) {
        let mut messages = vec![message(Role::User, "My parrot is called Gustav and he is green.")];
        for n in 0..20 {
            messages
                .push(message(Role::Assistant, &format!("Answer {n} is about engines and pistons, at some length.")));
            messages.push(message(Role::User, &format!("Question {n} is about engines and pistons as well.")));
        }
        let outcomes = self.say(conversation, messages).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Created { .. })), "{outcomes:?}");
    }
}

#[tokio::test]
async fn what_fits_comes_back_whole_and_in_order() {
    let rig = rig(true);
    rig.talk("c").await;
    rig.say("other", vec![message(Role::User, "Gustav?")]).await;
    let recalled = rig.pipeline.recall(&rig.tenant, "c", 10_000, None, &call()).await.unwrap();
    assert_eq!((recalled.messages.len(), recalled.of), (41, 41));
    assert_eq!(recalled.messages[0].content, "My parrot is called Gustav and he is green.");
    assert_eq!(recalled.messages[40].content, "Question 19 is about engines and pistons as well.");
    assert_eq!((recalled.messages[1].role, recalled.messages[2].role), (Role::Assistant, Role::User));
    assert!(recalled.relevant.is_none() && recalled.summary.is_none());
    assert!(rig.short.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn of_what_does_not_fit_the_last_is_whole_and_the_rest_by_what_is_asked() {
    let rig = rig(true);
    rig.talk("c").await;
    rig.say("other", vec![message(Role::User, "The parrot of somebody else is called Otto.")]).await;
    let query = Some("What is my parrot called?");
    let recalled = rig.pipeline.recall(&rig.tenant, "c", 400, query, &call()).await.unwrap();
    assert!(recalled.tokens <= 400 && recalled.messages.len() > 5);
    assert_eq!(recalled.messages.last().unwrap().content, "Question 19 is about engines and pistons as well.");
    let relevant = &recalled.relevant.as_ref().unwrap().text;
    assert!(
        relevant.contains("Gustav") && !relevant.contains("Otto") && !relevant.contains("Question 19"),
        "{relevant}"
    );
    assert_eq!(recalled.summary.as_deref(), Some("They talked about birds."));
    let asked = rig.short.asked.lock().unwrap().clone();
    assert!(asked.len() == 1 && asked[0].contains("user: My parrot is called Gustav"), "{asked:?}");
    let pistons = Some("Question 19 is about engines and pistons as well.");
    let recalled = rig.pipeline.recall(&rig.tenant, "c", 400, pistons, &call()).await.unwrap();
    let relevant = recalled.relevant.unwrap().text;
    assert!(relevant.contains("pistons"));
    assert!(recalled.messages.iter().all(|turn| !relevant.contains(&turn.content)), "nothing is there twice");
    // It is remembered, while not many messages have come.
    rig.say("c", vec![message(Role::User, "And who was that?")]).await;
    rig.pipeline.recall(&rig.tenant, "c", 400, None, &call()).await.unwrap();
    assert_eq!(rig.short.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_waits_for_a_summary_or_a_vector() {
    let rig = rig(true);
    rig.talk("c").await;
    rig.short.is_down.store(true, Ordering::SeqCst);
    rig.embedder.is_down.store(true, Ordering::SeqCst);
    let said = rig.say("c", vec![message(Role::User, "Where does the parrot Gustav live?")]).await;
    assert_eq!(said, [Outcome::Created { chunks: 1 }]);
    let recalled = rig.pipeline.recall(&rig.tenant, "c", 400, None, &call()).await.unwrap();
    assert_eq!(recalled.degraded, ["summary", "dense"]);
    assert!(recalled.relevant.unwrap().text.contains("he is green"));
    rig.store.fail(Fails::Always);
    assert_eq!(rig.pipeline.recall(&rig.tenant, "c", 400, None, &call()).await.unwrap_err().kind, Kind::Unavailable);
    rig.store.fail(Fails::Before(1));
    let failure = rig.pipeline.say(&rig.tenant, "c", vec![message(Role::User, "Hm?")], &call()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable);
}

#[tokio::test]
async fn what_was_said_once_is_kept_once() {
    let rig = rig(false);
    let named = |id: &str| Message { id: Some(id.to_owned()), ..message(Role::User, "Hello.") };
    let created = Outcome::Created { chunks: 1 };
    let unchanged = Outcome::Unchanged { chunks: 1 };
    assert_eq!(rig.say("c", vec![named("1"), named("1")]).await, [created.clone(), unchanged.clone()]);
    assert_eq!(rig.say("c", vec![named("1"), named("2")]).await, [unchanged, created.clone()]);
    let nameless = message(Role::User, "Hello.");
    assert_eq!(rig.say("c", vec![nameless.clone(), nameless]).await, [created.clone(), created]);
    assert_eq!(rig.pipeline.recall(&rig.tenant, "c", 1_000, None, &call()).await.unwrap().of, 4);
}

#[tokio::test]
async fn it_is_bounded_forgotten_and_gone_in_time() {
    let rig = rig(false);
    rig.talk("c").await;
    rig.say("d", vec![message(Role::User, "Hello.")]).await;
    for (name, messages, kind) in [
        ("c", (0..20).map(|n| message(Role::User, &n.to_string())).collect(), Kind::TooLarge),
        ("c", vec![], Kind::Invalid),
        ("c", vec![message(Role::User, " ")], Kind::Invalid),
        ("c", vec![message(Role::User, &"x".repeat(300_000))], Kind::TooLarge),
        ("c/d", vec![message(Role::User, "Hello.")], Kind::Invalid),
        ("e", vec![message(Role::User, "Hello."), message(Role::User, "\0")], Kind::Invalid),
    ] {
        let failure = rig.pipeline.say(&rig.tenant, name, messages, &call()).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
    }
    let known = rig.pipeline.conversations(&rig.tenant, None, 10, &call()).await.unwrap();
    assert_eq!(
        known.iter().map(|known| (known.id.as_str(), known.messages)).collect::<Vec<_>>(),
        [("c", 41), ("d", 1)]
    );
    let known = rig.pipeline.conversations(&rig.tenant, Some("c"), 10, &call()).await.unwrap();
    assert_eq!(known.len(), 1);
    assert!(rig.pipeline.forget(&rig.tenant, "c", &call()).await.unwrap());
    assert!(!rig.pipeline.forget(&rig.tenant, "c", &call()).await.unwrap());
    assert_eq!(rig.pipeline.recall(&rig.tenant, "c", 100, None, &call()).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(rig.pipeline.recall(&rig.tenant, "d", 100, None, &call()).await.unwrap().of, 1);
    let year = Duration::from_secs(365 * 86_400);
    rig.pipeline.sweep((clock::unix() + year).as_secs(), &call()).await;
    assert_eq!(rig.pipeline.recall(&rig.tenant, "d", 100, None, &call()).await.unwrap_err().kind, Kind::NotFound);
}

/// The first message of a conversation is not gone while the last one is still to come.
#[tokio::test]
async fn a_conversation_lives_as_long_as_it_is_used() {
    let rig = rig(false);
    let scope = Scope { tenant: rig.tenant.clone(), collection: "context-sidecar.conversations".parse().unwrap() };
    let now = clock::unix().as_secs();
    let with = |ttl: u64| {
        let conversations = Conversations { ttl: Some(Duration::from_secs(ttl)), ..Conversations::default() };
        crate::pipeline(rig.store.clone(), None, None, Settings { conversations, ..settings() })
    };
    let say = async |pipeline: &Pipeline, talk: &str, what: &str| {
        pipeline.say(&rig.tenant, talk, vec![message(Role::User, what)], &call()).await.unwrap();
    };
    say(&with(100), "used", "My parrot is called Gustav.").await;
    say(&with(100), "left", "I have no parrot.").await;
    let late = with(1_000);
    say(&late, "used", "What is he called?").await;
    // Two of the one that is used, none of the other.
    assert_eq!(rig.store.count(&scope, now + 900).await.unwrap(), 2);
    // What is put in soon after does not write all of it again.
    rig.store.calls();
    say(&late, "used", "And how old is he?").await;
    assert!(!rig.store.calls().contains(&"prolong"));
    assert_eq!(rig.store.count(&scope, now + 999).await.unwrap(), 3);
    assert_eq!(rig.store.count(&scope, now + 1_200).await.unwrap(), 0);
}
