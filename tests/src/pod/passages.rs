//! What the context-sidecar finds for an agent's messages, held against the documents themselves, and whether it reached
//! the providers.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::library::Library;
use super::plan::{Plan, Provider};
use super::screen::{Screen, excerpt, millis};
use super::set::text;
use crate::agent::Agent;
use crate::http;

/// How many tokens of them the agent has room for.
const ROOM: u64 = 350;

pub(super) struct Passages {
    /// The agent's messages, and the context among them.
    pub messages: Value,
    context: Value,
    mode: String,
    cited: Vec<Cited>,
    took: Duration,
}

/// A passage, as a reader of the document finds it.
struct Cited {
    n: u64,
    document: String,
    start: usize,
    end: usize,
    /// What is there in the file.
    text: String,
}

impl Passages {
    /// Asks for what belongs to `messages`.
    ///
    /// # Errors
    /// Also where the answer is not what it says: another text than the document's, messages that are no longer the
    /// agent's, or documents that were put in and are not there.
    pub(super) async fn for_messages(library: &Library, messages: &Value) -> Result<Self> {
        let there = http::get(library.port.at, "/v1/documents").await?.json();
        let listed = there["documents"].as_array().into_iter().flatten().filter_map(|listed| listed["id"].as_str());
        ensure!(listed.eq(Library::names()), "other documents are there than were put in: {there}");

        let since = Instant::now();
        let question = json!({"messages": messages, "max_tokens": ROOM});
        let answer = Agent::at(library.port.at).post("/v1/context", question.to_string()).await?;
        let took = since.elapsed();
        ensure!(answer.status == 200, "the context-sidecar answered {}: {}", answer.status, answer.text());
        let answer = answer.json();
        let cited = answer["context"]["citations"].as_array().into_iter().flatten();
        let cited: Vec<Cited> = cited.map(|citation| Cited::read(library, citation)).collect::<Result<_>>()?;
        let passages = Self {
            messages: answer["messages"].clone(),
            context: answer["context"].clone(),
            mode: answer["mode"].as_str().unwrap_or_default().to_owned(),
            cited,
            took,
        };
        passages.check(messages)?;
        Ok(passages)
    }

    fn check(&self, asked: &Value) -> Result<()> {
        let (context, tokens) = (self.text(), self.tokens());
        ensure!(tokens <= ROOM, "{tokens} tokens were found for {ROOM}");
        ensure!(!self.cited.is_empty(), "nothing was found: {}", self.context);
        for Cited { n, document, start, end, text } in &self.cited {
            // Behind its mark, and up to the next one: no more and no less than the file has there.
            let shown = context.split_once(&format!("[{n}]>")).and_then(|(_, rest)| rest.split_once('\n'));
            let is_it = shown.is_some_and(|(_, rest)| !text.is_empty() && rest.starts_with(&format!("{text}\n<")));
            ensure!(is_it, "[{n}] is not what stands in {document} from {start} to {end}: {context}");
        }
        let mut rest = self.messages.as_array().cloned().unwrap_or_default();
        ensure!(rest.len() > 1, "there is no message with what was found: {}", self.messages);
        let block = rest.remove(rest.len() - 2);
        ensure!(
            block == json!({"role": "user", "content": context}),
            "what was found is not before the question: {block}"
        );
        ensure!(Value::from(rest) == *asked, "the agent's own messages came back changed: {}", self.messages);
        Ok(())
    }

    /// The document that the best passage is of.
    pub(super) fn best(&self) -> &str {
        self.cited.first().map_or("", |cited| &cited.document)
    }

    pub(super) fn print(&self, screen: &mut Screen) -> io::Result<()> {
        for Cited { n, document, start, end, text } in &self.cited {
            screen.row(&format!("[{n}] {document}"), &format!("characters {start} to {end}: {}", excerpt(text)))?;
        }
        let count = self.cited.len();
        screen.row("held against them", &format!("each of the {count} is in its file, character by character"))?;
        screen.row("searched", &format!("{} ({}), {}", self.how(), self.mode, millis(self.took)))?;
        let tokens = self.tokens();
        screen.row("for the prompt", &format!("one message before the question, {tokens} tokens of {ROOM} at most"))
    }

    fn how(&self) -> &'static str {
        if self.mode == "lexical" { "by words" } else { "by words and meaning" }
    }

    fn tokens(&self) -> u64 {
        self.context["tokens"].as_u64().unwrap_or_default()
    }

    fn text(&self) -> &str {
        self.context["text"].as_str().unwrap_or_default()
    }

    /// Looks into what the simulated providers received last: a sentence for each that was asked.
    ///
    /// # Errors
    /// When that was without what was found.
    pub(super) async fn arrived(&self, plan: &Plan) -> Result<Vec<String>> {
        let mut told = Vec::new();
        for provider in [&plan.primary, &plan.fallback] {
            told.extend(self.arrived_at(provider).await?);
        }
        Ok(told)
    }

    async fn arrived_at(&self, provider: &Provider) -> Result<Option<String>> {
        let (name, Some(address)) = (provider.name, provider.simulated) else { return Ok(None) };
        let journal = http::get(address, "/_requests").await?.json();
        let Some(last) = journal.as_array().and_then(|requests| requests.last()) else { return Ok(None) };
        let body: Value = serde_json::from_str(last["body"].as_str().unwrap_or_default()).unwrap_or_default();
        let messages = body["messages"].as_array().into_iter().flatten();
        let arrived = messages.into_iter().position(|message| text(&message["content"]).contains(self.text()));
        let place =
            arrived.with_context(|| format!("what was found did not arrive at the simulated {name}: {body}"))?;
        Ok(Some(format!("the simulated {name} received it, with {}, in messages[{place}]", self.best())))
    }
}

impl Cited {
    fn read(library: &Library, citation: &Value) -> Result<Self> {
        let number = |pointer: &str| citation.pointer(pointer).and_then(Value::as_u64);
        let place = |pointer: &str| number(pointer).and_then(|number| usize::try_from(number).ok());
        let (Some(n), Some(start), Some(end), Some(document)) =
            (number("/n"), place("/span/start"), place("/span/end"), citation["document_id"].as_str())
        else {
            anyhow::bail!("that is no citation: {citation}");
        };
        let text = library.quote(document, start, end)?;
        Ok(Self { n, document: document.to_owned(), start, end, text })
    }
}
