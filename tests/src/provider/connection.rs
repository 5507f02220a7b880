//! One connection, request after request.

use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::World;
use super::anthropic::Anthropic;
use super::delivery::{self, Answer, Connection, Delivery};
use super::openai::{OpenAi, embeddings, models};
use super::prompt::Dialect;
use super::reply::Reply;
use super::request::{Reader, Request};
use super::script::Script;

/// Serves until the other side goes away or a failure that was asked for ends the connection.
pub(super) async fn serve(stream: TcpStream, number: usize, world: Arc<World>) {
    // Pieces of a stream are small, and waiting to fill a segment would be a delay that nobody asked for.
    let _ = stream.set_nodelay(true);
    let (read, mut write) = stream.into_split();
    let mut reader = Reader::new(read);
    while let Ok(Some(request)) = reader.next().await {
        let after = match request.path.as_str() {
            "/_control" | "/_requests" => control(&world, &request, &mut write).await,
            _ => answer(&world, &request, number, &mut reader, &mut write).await,
        };
        match after {
            Connection::Keep => {}
            Connection::Close => return,
            Connection::Reset => {
                let _ = write.as_ref().set_zero_linger();
                return;
            }
        }
    }
}

async fn answer<R>(
    world: &World,
    request: &Request,
    number: usize,
    reader: &mut Reader<R>,
    out: &mut OwnedWriteHalf,
) -> Connection
where
    R: tokio::io::AsyncRead + Unpin,
{
    let entry = world.journal.open(number, request);
    let dialect: &dyn Dialect = if request.path.starts_with("/v1/messages") { &Anthropic } else { &OpenAi };
    let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let step = world.next_step(request.key(), body["model"].as_str().unwrap_or_default());
    let delivery = Delivery { out, dialect, step: &step, entry: &entry };
    tokio::select! {
        biased;
        delivered = delivery.deliver(say(request, &body, dialect)) => match delivered {
            Ok(connection) => {
                entry.finished();
                connection
            }
            Err(_) => {
                entry.gone();
                Connection::Close
            }
        },
        () = reader.gone() => {
            entry.gone();
            Connection::Close
        }
    }
}

/// What the provider says to a request when nothing goes wrong.
fn say(request: &Request, body: &Value, dialect: &dyn Dialect) -> Answer {
    let refuse = |status, message: &str| Answer::Whole { status, body: dialect.refusal(status, message) };
    let accept = |body| Answer::Whole { status: 200, body };
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/v1/models") => accept(models()),
        ("POST", "/v1/embeddings") => embeddings(body).map_or_else(|problem| refuse(400, &problem), accept),
        ("POST", "/v1/chat/completions" | "/v1/messages") => match dialect.read(body) {
            Err(problem) => refuse(400, &problem),
            Ok(prompt) if prompt.stream => Answer::Stream(dialect.stream(&Reply::to(&prompt))),
            Ok(prompt) => accept(dialect.whole(&Reply::to(&prompt))),
        },
        (method, path) => refuse(404, &format!("Unknown request: {method} {path}")),
    }
}

/// The provider's own controls: what is to go wrong, and what was received. Not in the journal, never scripted.
async fn control(world: &World, request: &Request, out: &mut OwnedWriteHalf) -> Connection {
    let (status, body) = match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/_requests") => (200, json!(world.journal.seen())),
        ("POST", "/_control") => match serde_json::from_slice::<Script>(&request.body) {
            Ok(script) => {
                *world.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
                (200, json!({"ok": true}))
            }
            Err(problem) => (400, OpenAi.refusal(400, &problem.to_string())),
        },
        _ => (405, OpenAi.refusal(405, "GET /_requests or POST /_control")),
    };
    delivery::whole(out, status, &body).await.unwrap_or(Connection::Close)
}
