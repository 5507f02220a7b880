//! Any bytes as a request, and any as the provider's answer to it: what is sent is JSON for the right model, what is
//! translated is JSON, what passes through is untouched, and nothing panics.

use ambassador_core::{
    catalog,
    dialect::openai::{Ask, Problem, error_body},
    exchange::{self, CannotPrepare},
    provider::{ALL, Api, NoAnswer, Operation, Provider, Refusal},
    route::{Router, Rules, Upstream},
    timeouts::Timeouts,
    wire::envelope::{Envelope, json_string},
};
use bytes::Bytes;
use serde_json::Value;

/// What stands between the request and the answer. Neither JSON nor an event stream has it.
const BETWEEN: u8 = 0;

/// `data` is a request, a NUL and an answer.
pub fn provider_roundtrip(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == BETWEEN);
    let request = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    let answer = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    for operation in [Operation::Chat, Operation::Embeddings] {
        if let Ok(ask) = Ask::parse(operation, &request) {
            asked(&ask, &request);
        }
    }
    for provider in ALL {
        answered(provider, &answer);
    }
}

/// The way of a request to each provider.
fn asked(ask: &Ask<'_>, request: &Bytes) {
    let upstream = |provider: &&'static dyn Provider| Upstream {
        name: provider.kind().to_owned(),
        provider: *provider,
        model: None,
    };
    let router = Router::new(ALL.iter().map(upstream).collect(), Rules::Families, Timeouts::default());
    let Ok(plan) = router.plan(ask.operation, &ask.model, 7) else { return };
    assert!(!plan.candidates.is_empty());
    for candidate in &plan.candidates {
        let provider = router.upstreams().get(candidate.upstream).expect("a candidate is an upstream").provider;
        match exchange::prepare(provider, ask, &candidate.model, true) {
            Ok(prepared) => sent(provider, &prepared.body, &candidate.model),
            Err(CannotPrepare::Invalid(invalid)) => assert!(!invalid.message.is_empty()),
            Err(CannotPrepare::Inexpressible(inexpressible)) => assert!(!inexpressible.param.is_empty()),
        }
        if let Api::Same(_) = provider.api() {
            let same = exchange::prepare(provider, ask, &ask.model, false).expect("what passes through can be said");
            let fields = |body: &Bytes| Envelope::parse(body).expect("it is an object").iter().count();
            assert_eq!(fields(request), fields(&same.body), "{} lost a field", provider.kind());
        }
    }
}

fn sent(provider: &dyn Provider, body: &Bytes, model: &str) {
    let fields = Envelope::parse(body).expect("what is sent is an object");
    assert_eq!(fields.get("model"), Some(json_string(model).as_str()), "{}", provider.kind());
    if let Api::Own(_) = provider.api() {
        let limit = fields.get("max_tokens").and_then(|limit| limit.parse::<u64>().ok());
        assert!(limit.is_some(), "a request without a limit");
        let turns: Vec<&serde_json::value::RawValue> =
            serde_json::from_str(fields.get("messages").expect("messages are sent")).expect("they are a list");
        assert!(!turns.is_empty(), "a request without a turn");
    }
}

/// The way of an answer to the caller: whole, by stream, and as a refusal.
fn answered(provider: &dyn Provider, body: &Bytes) {
    for operation in [Operation::Chat, Operation::Embeddings] {
        match exchange::answer(provider, operation, body.clone(), 1_700_000_000) {
            Ok(answer) => {
                match provider.api() {
                    // Whatever it has in fields that are not looked at is between the provider and the caller.
                    Api::Same(_) => assert_eq!(answer.body, *body),
                    Api::Own(_) => {
                        assert!(serde_json::from_slice::<Value>(&answer.body).is_ok_and(|it| it.is_object()))
                    }
                }
                let price = answer.model.as_deref().and_then(catalog::price_of);
                let cost = answer.usage.zip(price).map(|(usage, price)| price.dollars(&usage));
                assert!(cost.is_none_or(|dollars| dollars.is_finite() && dollars >= 0.0), "it costs {cost:?}");
            }
            Err(NoAnswer::Refused(refusal)) => told(200, refusal),
            Err(NoAnswer::Malformed(malformed)) => assert!(!malformed.0.is_empty()),
        }
    }
    for status in [400, 404, 429, 529] {
        told(status, provider.refusal(status, body));
    }
}

fn told(status: u16, refusal: Refusal) {
    let error: Value =
        serde_json::from_slice(&error_body(&Problem::from_refusal(status, refusal))).expect("it is JSON");
    assert!(error.pointer("/error/message").is_some_and(|message| message != ""), "an error without a message");
}
