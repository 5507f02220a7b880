//! The file's own shape. Unknown fields are errors, units are in the values, defaults stand beside the fields.
//!
//! What the schema requires is optional for the reader: a key that is missing must not hide what else is wrong with the
//! provider, the route, the target or the price that it is missing from. It is missed when the settings are made.

use std::collections::BTreeMap;

use chassis::units::{Size, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// The ambassador's configuration file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The providers, by name. A model written `name/model` goes to that provider first.
    #[serde(default)]
    #[schemars(!default, required)]
    pub providers: BTreeMap<String, Provider>,
    /// Which models go where. A model that no route names is unknown (404).
    #[serde(default)]
    #[schemars(!default, required)]
    pub routes: Vec<Route>,
    /// Time-outs for every route and target that says nothing else.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// What one request may take.
    #[serde(default)]
    pub limits: Limits,
    /// Prices by model name, in dollars for a million tokens. They override the built-in table.
    #[serde(default)]
    pub prices: BTreeMap<String, Price>,
}

/// A provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Which API it speaks.
    #[serde(default)]
    #[schemars(!default, required)]
    pub kind: Option<Kind>,
    /// Where it is. With `/v1` for the openai kinds and without for anthropic, as in their SDKs. Default: the vendor's
    /// own; required for openai-compatible.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The keys, used in turn. Optional for openai-compatible.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// Whether streams are asked to tell their usage (`stream_options.include_usage`), without which their tokens
    /// cannot be counted. Switch it off for an engine that refuses the field. Default: true.
    #[serde(default)]
    pub stream_usage: Option<bool>,
}

/// The API that a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// OpenAI.
    Openai,
    /// Anthropic.
    Anthropic,
    /// vLLM, SGLang, TGI, llama.cpp, Ollama, Groq, and whatever else serves OpenAI's API.
    OpenaiCompatible,
}

impl Kind {
    /// The name as written in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::OpenaiCompatible => "openai-compatible",
        }
    }
}

/// Where a key is found; exactly one of the two.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// A file with a key a line, or a directory of such files, as a mounted Secret gives it.
    #[serde(default)]
    pub file: Option<String>,
    /// The name of an environment variable with one key, or several separated by commas.
    #[serde(default)]
    pub env: Option<String>,
}

/// Where a model's requests go. Exactly one of `targets` and `tiers`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// A model's name, or a prefix that ends in `*`. The exact name wins, then the longest prefix.
    #[serde(default)]
    #[schemars(!default, required)]
    pub model: Option<String>,
    /// Targets in the order in which they are tried: each is a tier of its own.
    #[serde(default)]
    pub targets: Option<Vec<Target>>,
    /// Tiers in the order in which they are tried. The targets of one tier share its load by weight.
    #[serde(default)]
    pub tiers: Option<Vec<Vec<Target>>>,
    /// Time-outs of this route; `total` bounds the request.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// One place to go to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A provider's name.
    #[serde(default)]
    #[schemars(!default, required)]
    pub provider: Option<String>,
    /// The model to ask it for. Default: the request's.
    #[serde(default)]
    pub model: Option<String>,
    /// Its share of its tier's load. Default: 1.
    #[serde(default)]
    pub weight: Option<f64>,
    /// Time-outs of this target; `total` bounds one attempt.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// The five time-outs, as `500ms`, `5s`, `2m`.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS. Default: 5s.
    #[serde(default)]
    pub connect: Option<Span>,
    /// From the request sent to the response's headers. Default: 60s for streams, none for whole answers.
    #[serde(default)]
    pub headers: Option<Span>,
    /// From the request sent to the first content of a stream. Default: 2m.
    #[serde(default)]
    pub first_content: Option<Span>,
    /// Between two pieces of a stream's content. Default: 60s.
    #[serde(default)]
    pub idle: Option<Span>,
    /// The whole: of one attempt on a target, of the request elsewhere. Default: 10m for the request.
    #[serde(default)]
    pub total: Option<Span>,
}

/// What one request may take.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest request body. Default: 32MiB.
    #[serde(default)]
    pub max_body: Option<Size>,
    /// Largest whole answer. Default: 64MiB.
    #[serde(default)]
    pub max_answer: Option<Size>,
    /// Requests served at once; more wait for a slot. Default: 4096.
    #[serde(default)]
    pub max_in_flight: Option<usize>,
    /// How long a request waits for a slot before it is refused with 503; `0s` refuses it at once. Default: 30s.
    #[serde(default)]
    pub queue_timeout: Option<Span>,
    /// Attempts that one request may cost, over all keys and providers. Default: 4.
    #[serde(default)]
    pub attempts: Option<u32>,
    /// How long a client may take to send a request's headers, and may keep a connection idle. Default: 2m.
    #[serde(default)]
    pub header_timeout: Option<Span>,
}

/// Dollars for a million tokens.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Input that was not read from a cache.
    #[serde(default)]
    #[schemars(!default, required)]
    pub input: Option<f64>,
    /// Input read from the provider's cache. Default: as `input`.
    #[serde(default)]
    pub cached: Option<f64>,
    /// Output, reasoning included.
    #[serde(default)]
    #[schemars(!default, required)]
    pub output: Option<f64>,
}
