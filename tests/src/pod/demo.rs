//! The demonstration: an agent asks twice, one provider fails, and the newcomer sees what came of it.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use hyper::HeaderMap;
use serde_json::{Value, json};

use super::account::Account;
use super::attempts;
use super::interrupted;
use super::launch::{Pod, started};
use super::passages::Passages;
use super::plan::{Environment, Plan};
use super::screen::{Screen, millis};
use super::set::Set;
use crate::agent::Agent;
use crate::http;

/// What the agent asks for, whoever answers.
pub(super) const MODEL: &str = "gpt-4o-mini";
const QUESTION: &str = "In one sentence: why does a canoe have an outrigger?";
/// The document that says so.
const ANSWERING: &str = "outrigger.md";
const SECOND_QUESTION: &str = "And now, word by word: who keeps it upright?";

pub async fn demo(environment: &Environment, screen: &mut Screen) -> Result<()> {
    let plan = Plan::of(environment)?;
    screen
        .title("1. The pod: what an agent needs is loaded, then an ambassador starts between it and its providers, and a context-sidecar beside its documents")?;
    for note in &plan.notes {
        screen.text(&format!("  {note}"))?;
    }
    let pod = started(&plan, |_| Arc::new(|_| ()), screen).await?;
    let told = tokio::select! {
        told = tell(&plan, &pod, screen) => told.map_err(|problem| {
            anyhow!("{problem:#}\n\nThe ambassador's last words:\n{}", pod.last_words("ambassador"))
        }),
        _ = interrupted() => Err(anyhow!("interrupted")),
    };
    let stopped = pod.stop().await;
    told?;
    stopped?;
    screen.title("7. Try next: `make up` leaves this pod running; in another terminal, then,")?;
    screen.try_next(plan.port.expected, plan.library.port.expected, MODEL)?;
    for port in [plan.port, plan.library.port].into_iter().filter(|port| port.at != port.expected) {
        screen.text(&format!(
            "  {} was taken just now; where it still is, `make up` takes another port and says which.\n",
            port.expected
        ))?;
    }
    Ok(())
}

async fn tell(plan: &Plan, pod: &Pod, screen: &mut Screen) -> Result<()> {
    let set = Set::read(&plan.config)?;
    screen.title(&format!("2. The set in {}, as the agent finds it", plan.config.display()))?;
    set.print(screen)?;
    let agent = Agent::at(plan.port.at);
    let mut request = set.around(question(QUESTION));
    let passages = looked_up(plan, &request["messages"], screen).await?;
    request["messages"] = passages.messages.clone();
    whole(plan, pod, (&set, &passages), &agent, &request, screen).await?;
    streamed(plan, pod, &set, &agent, screen).await?;
    let account = Account::of(plan).await?;
    screen.title(&format!("6. The ambassador's account, http://{}/metrics", plan.admin))?;
    account.print(screen)?;
    account.check(plan, &set)
}

async fn looked_up(plan: &Plan, messages: &Value, screen: &mut Screen) -> Result<Passages> {
    screen.title(&format!(
        "3. What the documents say, http://{}/v1/context. The agent is going to ask: {QUESTION:?}",
        plan.library.port.at
    ))?;
    let passages = Passages::for_messages(&plan.library, messages).await?;
    passages.print(screen)?;
    ensure!(passages.best() == ANSWERING, "{ANSWERING} answers it, but {} was found first", passages.best());
    Ok(passages)
}

async fn whole(
    plan: &Plan,
    pod: &Pod,
    (set, passages): (&Set, &Passages),
    agent: &Agent,
    request: &Value,
    screen: &mut Screen,
) -> Result<()> {
    screen.title(&format!("4. A whole answer. The agent asks {MODEL}, with these passages: {QUESTION:?}"))?;
    screen.row("system prompt", &format!("from the set: {}", set.excerpt()))?;
    let since = Instant::now();
    let answer = agent.chat(request).await?;
    let took = since.elapsed();
    if answer.status != 200 {
        return Err(unanswered(pod, answer.status, answer.header("x-request-id")).await);
    }
    let text =
        answer.json().pointer("/choices/0/message/content").and_then(Value::as_str).unwrap_or_default().to_owned();
    ensure!(!text.is_empty(), "the answer has no text: {}", answer.text());
    screen.row("answer", &text)?;
    let attempts = answered(pod, screen, &answer.headers).await?;
    screen.row("time", &millis(took))?;
    let arrived = set.arrived(plan).await?;
    for place in &arrived {
        screen.row("the prompt arrived", place)?;
    }
    for place in &passages.arrived(plan).await? {
        screen.row("the passages, too", place)?;
    }
    if arrived.is_empty() {
        screen.row("the prompt was sent", "real providers do not tell what they received")?;
    }

    let provider = answer.header("x-ambassador-provider");
    if plan.primary.fails {
        ensure!(
            provider == plan.fallback.name,
            "{} was made to fail, so {} should have answered, not {provider:?}",
            plan.primary.name,
            plan.fallback.name
        );
        ensure!(
            attempts > 1,
            "the ambassador counts {attempts} attempts, although the first provider was made to fail"
        );
    }
    Ok(())
}

async fn streamed(plan: &Plan, pod: &Pod, set: &Set, agent: &Agent, screen: &mut Screen) -> Result<()> {
    screen.title(&format!("5. A streamed answer. {SECOND_QUESTION:?}"))?;
    let since = Instant::now();
    let stream = agent.chat_streamed(set.around(question(SECOND_QUESTION))).await?;
    if stream.status != 200 {
        return Err(unanswered(pod, stream.status, stream.header("x-request-id")).await);
    }
    let headers = stream.headers.clone();
    let told = stream.read().await;
    let took = since.elapsed();
    screen.row("answer", &told.text)?;
    answered(pod, screen, &headers).await?;
    let first = told.first_content_after.unwrap_or(took);
    screen.row(
        "time",
        &format!("{} to the first of {} pieces, {} to the end", millis(first), told.contents, millis(took)),
    )?;
    if let Some(broke) = told.broke {
        bail!("the stream broke off: {broke}");
    }
    ensure!(told.error.is_none(), "the stream ended in an error: {}", told.error.unwrap_or_default());
    ensure!(!told.text.is_empty() && told.is_done, "the stream had no text, or no end");
    ensure!(!told.finish_reasons.is_empty(), "the stream has no finish reason");
    set.arrived(plan).await?;
    let provider = http::header(&headers, "x-ambassador-provider");
    ensure!(!plan.primary.fails || provider == plan.fallback.name, "{provider:?} answered, not {}", plan.fallback.name);
    Ok(())
}

/// A short answer is enough: the real providers bill by the token.
fn question(text: &str) -> Value {
    json!({"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}]})
}

/// Says who answered, and who was asked before; gives back how many attempts it took.
async fn answered(pod: &Pod, screen: &mut Screen, headers: &HeaderMap) -> Result<u32> {
    let [provider, model, attempts, request] =
        ["x-ambassador-provider", "x-ambassador-model", "x-ambassador-attempts", "x-request-id"]
            .map(|name| http::header(headers, name));
    for (name, value) in [("provider", provider), ("model", model), ("attempts", attempts)] {
        ensure!(!value.is_empty(), "the answer has no header x-ambassador-{name}");
    }
    ensure!(!request.is_empty(), "the answer has no header x-request-id");
    let attempts = attempts.parse().with_context(|| format!("x-ambassador-attempts is {attempts:?}"))?;
    for attempt in attempts::failed(pod, request).await {
        screen.row("failed over", &attempt)?;
    }
    screen.row("answered by", &format!("{provider}, model {model}, attempt {attempts} (request {request})"))?;
    Ok(attempts)
}

/// Nobody answered: whom the ambassador asked, and how each of them failed.
async fn unanswered(pod: &Pod, status: u16, request: &str) -> anyhow::Error {
    let attempts: String =
        attempts::failed(pod, request).await.iter().map(|attempt| format!("\n    {attempt}")).collect();
    anyhow!("the agent got a {status} instead of an answer, since every provider failed:{attempts}")
}
