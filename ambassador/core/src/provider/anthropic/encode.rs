//! Requests: from the canonical model to the body of `POST /v1/messages`.

use serde_json::{Map, Value};

use super::{
    Dropped,
    conversation::Conversation,
    extra,
    grammar::{Allowance, Grammar},
    inexpressible, is_blank, tools,
};
use crate::{
    catalog::{self, AnthropicModel},
    chat::{Effort, Format, Request, ToolChoice},
    provider::{Encoded, Inexpressible},
    wire::anthropic::{self as wire, Block, OutputFormat, Thinking},
};

/// The least that the API takes for a budget of thinking.
const LEAST_BUDGET: u64 = 1024;

/// The longest id of a user that the API takes.
const LONGEST_USER: usize = 256;

pub(super) fn encode(request: &Request, model: &str) -> Result<Encoded, Inexpressible> {
    if request.n > 1 {
        return Err(inexpressible("n", "This provider gives one answer to a request: ask for n = 1, or ask again."));
    }
    let mut dropped = Dropped::default();
    let takes = catalog::anthropic(model);
    let max_tokens = request.max_tokens.unwrap_or(takes.max_output);

    let mut conversation = Conversation::translate(&request.messages)?;
    if conversation.changed {
        dropped.add("messages");
    }
    let mut output = wire::OutputConfig::default();
    let mut allowance = Allowance::default();
    let instruction = match &request.format {
        Format::Text => None,
        Format::JsonObject => Some("Answer with one JSON object and nothing else: no prose, no code fence.".to_owned()),
        Format::JsonSchema { schema, .. } => match Grammar::of(schema).filter(|grammar| allowance.take(grammar)) {
            Some(grammar) => {
                if grammar.weakened {
                    dropped.add("response_format");
                }
                output.format = Some(OutputFormat::JsonSchema { schema: grammar.schema });
                None
            }
            None => Some(instruction(schema)),
        },
    };
    if let Some(text) = instruction {
        dropped.add("response_format");
        conversation.system.push(Block::Text { text: text.into() });
    }

    let mut tools = tools::tools(&request.tools, &mut allowance, &mut dropped)?;
    let tool_choice = if !tools.is_empty() {
        tools::choice(request)?
    } else if !conversation.called.is_empty() {
        tools = tools::stand_ins(std::mem::take(&mut conversation.called));
        Some(tools::no_choice())
    } else {
        None
    };
    if request.tools.is_empty() && matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_))) {
        dropped.add("tool_choice");
    }

    let forced = tool_choice.as_ref().is_some_and(|choice| matches!(choice.kind, "any" | "tool"));
    let thinking = thinking(request, takes, max_tokens, forced, &conversation, &mut output, &mut dropped);
    let thinks = matches!(thinking, Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. }));
    let sampling = Sampling::of(request, takes, thinks, &mut dropped);
    let metadata = user(request, &mut dropped).map(|user_id| wire::Metadata { user_id });
    let stop_sequences: Vec<&str> = request.stop.iter().map(String::as_str).filter(|text| !is_blank(text)).collect();
    if stop_sequences.len() < request.stop.len() {
        dropped.add("stop");
    }
    extra::report(&request.extra, &mut dropped);

    let body = serde_json::to_vec(&wire::Request {
        model,
        max_tokens,
        system: conversation.system,
        messages: conversation.turns,
        tools,
        tool_choice,
        thinking,
        output_config: (output.effort.is_some() || output.format.is_some()).then_some(output),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences,
        metadata,
        stream: request.stream,
    })
    .map_err(|_| inexpressible("messages", "The request cannot be written as JSON."))?;
    Ok(Encoded { body: body.into(), dropped: dropped.0 })
}

/// A schema that sampling cannot be held to is asked for in words.
fn instruction(schema: &Map<String, Value>) -> String {
    let schema = Value::from(schema.clone());
    format!(
        "Answer with JSON that is valid by the JSON Schema below and with nothing else: no prose, no code fence.\n\n{schema}"
    )
}

/// Whether and how the model thinks before it answers.
///
/// Callers of other dialects never send back what the model thought, with its signature. Where thinking has a budget
/// the API insists on that within a round of calls, so such a request goes without; models that think as they see fit
/// do not insist. No model thinks when it is told which tool to call, or goes on from words put into its mouth.
fn thinking(
    request: &Request,
    takes: AnthropicModel,
    max_tokens: u64,
    forced: bool,
    conversation: &Conversation<'_>,
    output: &mut wire::OutputConfig,
    dropped: &mut Dropped,
) -> Option<Thinking> {
    let (effort, budget) = match request.effort? {
        Effort::None | Effort::Minimal => return takes.thinks_unasked.then_some(Thinking::Disabled {}),
        Effort::Low => ("low", 1024),
        Effort::Medium => ("medium", 4096),
        Effort::High => ("high", 16_384),
        Effort::XHigh => ("xhigh", 32_768),
    };
    let impossible = forced || conversation.ends_with_assistant();
    if takes.adaptive_thinking {
        // Effort is more than thinking: it stands without it.
        output.effort = Some(effort);
        if impossible {
            dropped.add("reasoning_effort");
            return None;
        }
        // Unless asked for, the summary of the thinking comes back empty.
        return Some(Thinking::Adaptive { display: "summarized" });
    }
    if impossible || conversation.last_turn_called() || max_tokens <= LEAST_BUDGET {
        dropped.add("reasoning_effort");
        return None;
    }
    // The limit is for thinking and answer together, so half of it is kept for the answer.
    Some(Thinking::Enabled { budget_tokens: budget.min(max_tokens / 2).max(LEAST_BUDGET) })
}

/// How tokens are chosen.
#[derive(Debug, Default)]
struct Sampling {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
}

impl Sampling {
    fn of(request: &Request, takes: AnthropicModel, thinks: bool, dropped: &mut Dropped) -> Self {
        let top_k = request.extra.get("top_k").filter(|top_k| !top_k.is_null());
        if !takes.sampling || thinks {
            // 1 is the default of both, and goes without saying.
            for (field, value) in [("temperature", request.temperature), ("top_p", request.top_p)] {
                if value.is_some_and(|value| value != 1.0) {
                    dropped.add(field);
                }
            }
            if top_k.is_some() {
                dropped.add("top_k");
            }
            return Self::default();
        }
        let mut within = |field, value: Option<f64>| {
            let value = value?;
            if !(0.0..=1.0).contains(&value) {
                dropped.add(field);
            }
            (!value.is_nan()).then(|| value.clamp(0.0, 1.0))
        };
        let mut temperature = within("temperature", request.temperature);
        let mut top_p = within("top_p", request.top_p);
        if !takes.sampling_pair && temperature.is_some() && top_p.is_some() {
            if temperature == Some(1.0) {
                temperature = None;
            } else {
                if top_p != Some(1.0) {
                    dropped.add("top_p");
                }
                top_p = None;
            }
        }
        let sent_k = top_k.and_then(Value::as_u64);
        if top_k.is_some() && sent_k.is_none() {
            dropped.add("top_k");
        }
        Self { temperature, top_p, top_k: sent_k }
    }
}

/// Who asks, by the field for it or by the one that OpenAI has put in its place. The API takes opaque ids only, and
/// refuses what looks like an e-mail address or a telephone number.
fn user<'a>(request: &'a Request, dropped: &mut Dropped) -> Option<&'a str> {
    let (field, user) = match (&request.user, request.extra.get("safety_identifier")) {
        (Some(user), _) => ("user", user.as_str()),
        (None, Some(Value::String(id))) => ("safety_identifier", id.as_str()),
        (None, _) => return None,
    };
    let digits = user.chars().filter(char::is_ascii_digit).count();
    let is_number = digits >= 7 && user.chars().all(|char| char.is_ascii_digit() || " +-()".contains(char));
    if user.is_empty() || user.contains('@') || is_number || user.chars().count() > LONGEST_USER {
        dropped.add(field);
        return None;
    }
    Some(user)
}
