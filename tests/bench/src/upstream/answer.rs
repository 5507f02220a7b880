//! The words of the upstream, in either dialect.

use bytes::Bytes;

use crate::stamp::Stamp;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Dialect {
    OpenAi,
    Anthropic,
}

/// The whole answers, made once.
pub(super) struct Whole {
    openai: Bytes,
    anthropic: Bytes,
}

impl Whole {
    pub(super) fn new() -> Self {
        Self { openai: one_kilobyte(openai_whole), anthropic: one_kilobyte(anthropic_whole) }
    }

    pub(super) fn in_dialect(&self, dialect: Dialect) -> Bytes {
        match dialect {
            Dialect::OpenAi => self.openai.clone(),
            Dialect::Anthropic => self.anthropic.clone(),
        }
    }
}

fn one_kilobyte(shape: impl Fn(&str) -> String) -> Bytes {
    let words = "Outriggers keep a narrow hull upright in a rough sea. ".repeat(20);
    let room = 1_024 - shape("").len();
    shape(&words[..room]).into()
}

fn openai_whole(text: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1750000000,"model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":40,"completion_tokens":150,"total_tokens":190}},"system_fingerprint":"fp_bench"}}"#
    )
}

fn anthropic_whole(text: &str) -> String {
    format!(
        r#"{{"id":"msg_bench","type":"message","role":"assistant","model":"bench","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":40,"output_tokens":150}}}}"#
    )
}

impl Dialect {
    /// What a stream says before its first word.
    pub(super) fn opening(self) -> String {
        match self {
            Self::OpenAi => openai_chunk(r#"{"role":"assistant","content":""}"#, "null"),
            Self::Anthropic => [
                event("message_start", r#"{"type":"message_start","message":{"id":"msg_bench","type":"message","role":"assistant","model":"bench","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":40,"output_tokens":1}}}"#),
                event("content_block_start", r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#),
            ]
            .concat(),
        }
    }

    /// One chunk, made at `now`.
    pub(super) fn chunk(self, now: u64) -> String {
        let stamp = Stamp(now);
        match self {
            Self::OpenAi => openai_chunk(&format!(r#"{{"content":"word {stamp} "}}"#), "null"),
            Self::Anthropic => event(
                "content_block_delta",
                &format!(
                    r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"word {stamp} "}}}}"#
                ),
            ),
        }
    }

    /// What a stream says behind its last word.
    pub(super) fn closing(self, chunks: u32, with_usage: bool) -> String {
        match self {
            Self::OpenAi => {
                let usage = format!(
                    "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":\"bench\",\"choices\":[],\"usage\":{{\"prompt_tokens\":40,\"completion_tokens\":{chunks},\"total_tokens\":{}}}}}\n\n",
                    40 + chunks
                );
                let usage = if with_usage { usage.as_str() } else { "" };
                [&openai_chunk("{}", r#""stop""#), usage, "data: [DONE]\n\n"].concat()
            }
            Self::Anthropic => [
                event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
                event(
                    "message_delta",
                    &format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn","stop_sequence":null}},"usage":{{"output_tokens":{chunks}}}}}"#),
                ),
                event("message_stop", r#"{"type":"message_stop"}"#),
            ]
            .concat(),
        }
    }
}

fn openai_chunk(delta: &str, finish_reason: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":\"bench\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish_reason}}}]}}\n\n"
    )
}

fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn whole_answers_are_json_of_one_kilobyte() {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let whole = Whole::new().in_dialect(dialect);
            assert_eq!(whole.len(), 1_024);
            serde_json::from_slice::<Value>(&whole).unwrap();
        }
    }

    #[test]
    fn every_event_of_a_stream_is_json() {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let stream = [dialect.opening(), dialect.chunk(7), dialect.closing(1, true)].concat();
            let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
            let events: Vec<Value> =
                data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect();
            assert!(events.len() >= 4, "{stream}");
        }
    }
}
