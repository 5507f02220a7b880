//! The shape of the file that `CONFIG_LOADER_CONFIG` names. Unknown fields are errors, units are in the values.
//!
//! What the schema requires is optional for the reader: a key that is missing must not hide what else is wrong. It is
//! missed when the settings are made.

use std::collections::BTreeMap;

use chassis::units::{Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The config-loader's file: a set of files, and where each comes from.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where the set is published. Default: `CONFIG_DIR`, else `/config`.
    #[serde(default)]
    pub directory: Option<String>,
    /// How long all of it may take. Default: `CONFIG_LOADER_DEADLINE`, else 60s.
    #[serde(default)]
    pub deadline: Option<Span>,
    /// Limits for every file that says nothing else.
    #[serde(default)]
    pub limits: Limits,
    /// Values for templates, beside `env`.
    #[serde(default)]
    pub values: BTreeMap<String, serde_json::Value>,
    /// What else templates may use.
    #[serde(default)]
    pub templates: Templates,
    /// Where the last good set is kept, for when a source is down.
    #[serde(default)]
    pub cache: Option<Cache>,
    /// The files of the set.
    #[serde(default)]
    #[schemars(!default, required)]
    pub files: Vec<Entry>,
}

/// Where the last good set is kept. One or several; they are looked at in this order.
///
/// What is kept is what the sources gave. It is checked again when it is used, so a pin or a signature holds there, too.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// A directory on a volume that outlives the pod. Written after each good run.
    #[serde(default)]
    pub directory: Option<String>,
    /// A Redis, where `key` is how the key begins. Written after each good run.
    #[serde(default)]
    pub redis: Option<RedisKey>,
    /// A directory that is only read, such as a mounted ConfigMap: each file lies there at its target, as its source
    /// would give it. It has no age.
    #[serde(default)]
    pub bundled: Option<String>,
    /// How long ago a set must have been good to be used. Default: 30d.
    #[serde(default)]
    pub max_stale: Option<Span>,
}

/// What templates may use beside `values`. Their text goes to a model, so it is not everything.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Templates {
    /// The variables that `env` has, or beginnings of names with `*` at the end. Default: none.
    #[serde(default)]
    pub env: Vec<String>,
    /// The directories below which `file()` reads. Default: /etc/podinfo.
    #[serde(default)]
    pub files: Option<Vec<String>>,
}

/// How much may come.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The largest file, after decompression. Default: 16MiB.
    #[serde(default)]
    pub file: Option<Size>,
    /// The largest set. Default: 64MiB.
    #[serde(default)]
    pub set: Option<Size>,
}

/// A file of the set.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it is called in messages and in the manifest.
    #[serde(default)]
    #[schemars(!default, required)]
    pub name: Option<String>,
    /// Where it goes, relative to the directory. A directory's files go below it.
    #[serde(default)]
    #[schemars(!default, required)]
    pub target: Option<String>,
    /// What it holds, which decides how it is checked.
    #[serde(default, rename = "type")]
    #[schemars(!default, required)]
    pub kind: Option<Kind>,
    /// Where it comes from.
    #[serde(default)]
    #[schemars(!default, required)]
    pub source: Option<Source>,
    /// Whether the set is published without it when its source has nothing. Default: required.
    #[serde(default)]
    pub optional: bool,
    /// What it must fulfil.
    #[serde(default)]
    pub checks: Checks,
    /// Whether it is a template (minijinja, strict): `{{ env.NAME }}`, `{{ values.name }}`, `{{ file("/etc/podinfo/labels") }}`.
    #[serde(default)]
    pub template: bool,
    /// Permissions, in octal. Default: "0444".
    #[serde(default)]
    pub mode: Option<String>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A system prompt: UTF-8 text, not empty, its tokens counted.
    Prompt,
    /// Tool definitions, in the shape of OpenAI, Anthropic or MCP.
    Tools,
    /// What the agent may do, by the schema of `config-loader schema guardrails`.
    Guardrails,
    /// The ambassador's configuration file.
    Ambassador,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// UTF-8 text.
    Text,
    /// Anything.
    Binary,
}

/// Where a file comes from; exactly one of them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// An HTTP server.
    #[serde(default)]
    pub http: Option<Http>,
    /// A file or a directory, such as a mounted ConfigMap or Secret.
    #[serde(default)]
    pub file: Option<FilePath>,
    /// An object in S3 or what is compatible with it.
    #[serde(default)]
    pub s3: Option<S3>,
    /// A key in Redis.
    #[serde(default)]
    pub redis: Option<RedisKey>,
    /// The content itself.
    #[serde(default)]
    pub inline: Option<String>,
}

/// A URL and how it is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// `http://` or `https://`.
    #[serde(default)]
    #[schemars(!default, required)]
    pub url: Option<String>,
    /// Headers that are sent along. Not for credentials: those come from files.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A file with a bearer token.
    #[serde(default)]
    pub bearer_file: Option<String>,
    /// A user name, and a file with the password.
    #[serde(default)]
    pub basic: Option<Basic>,
    /// Certificates.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// A proxy. Default: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
    #[serde(default)]
    pub proxy: Option<String>,
    /// How long a server may send nothing before it is asked again. Default: half of the deadline.
    #[serde(default)]
    pub timeout: Option<Span>,
    /// Follows redirects from https to http. Default: refused.
    #[serde(default)]
    pub allow_http_redirect: bool,
    /// Addresses that are refused otherwise (link-local ones, where clouds serve credentials), as IPs or CIDRs.
    #[serde(default)]
    pub allow_addresses: Vec<String>,
}

/// HTTP basic authentication.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user.
    pub username: String,
    /// A file with the password.
    pub password_file: String,
}

/// Certificates, all in PEM files.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The CAs to trust instead of the system's.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// Our certificate, for a server that wants one.
    #[serde(default)]
    pub cert_file: Option<String>,
    /// Its key.
    #[serde(default)]
    pub key_file: Option<String>,
}

/// A path in this container.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilePath {
    /// A file, or a directory whose files are all taken.
    #[serde(default)]
    #[schemars(!default, required)]
    pub path: Option<String>,
}

/// An object. Credentials come from the environment, as the AWS SDKs read it (keys, web identity, instance role).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// `s3://bucket/key`.
    #[serde(default)]
    #[schemars(!default, required)]
    pub url: Option<String>,
    /// The server, where it is not AWS.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The region. Default: `AWS_REGION`.
    #[serde(default)]
    pub region: Option<String>,
    /// A version of the object. Default: the newest.
    #[serde(default)]
    pub version: Option<String>,
}

/// A key in Redis.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisKey {
    /// `redis://host:6379/0` or `rediss://`, without a password.
    #[serde(default)]
    #[schemars(!default, required)]
    pub url: Option<String>,
    /// The key.
    #[serde(default)]
    #[schemars(!default, required)]
    pub key: Option<String>,
    /// A user name, where Redis has ACLs.
    #[serde(default)]
    pub username: Option<String>,
    /// A file with the password.
    #[serde(default)]
    pub password_file: Option<String>,
}

/// What a file must fulfil, beside what its type asks for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// The SHA-256 of what is fetched, in hex.
    #[serde(default)]
    pub sha256: Option<String>,
    /// A signature of what is fetched.
    #[serde(default)]
    pub signature: Option<Signature>,
    /// The largest size. Default: `limits.file`.
    #[serde(default)]
    pub max_size: Option<Size>,
    /// How many tokens a prompt may have (counted with o200k_base).
    #[serde(default)]
    pub max_tokens: Option<u32>,
}

/// An ed25519 signature in minisign's format.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// minisign's public key, the line that begins with `RW`.
    #[serde(default)]
    pub public_key: Option<String>,
    /// A file with the public key.
    #[serde(default)]
    pub public_key_file: Option<String>,
    /// Where the signature is. Default: beside the file, with `.minisig` at the end of its name.
    #[serde(default)]
    pub source: Option<Source>,
}

impl Http {
    /// A URL, asked for plainly.
    #[must_use]
    pub fn of(url: String) -> Self {
        Self {
            url: Some(url),
            headers: BTreeMap::new(),
            bearer_file: None,
            basic: None,
            tls: None,
            proxy: None,
            timeout: None,
            allow_http_redirect: false,
            allow_addresses: Vec::new(),
        }
    }
}

impl S3 {
    /// An object of AWS, in the region of the environment.
    #[must_use]
    pub const fn of(url: String) -> Self {
        Self { url: Some(url), endpoint: None, region: None, version: None }
    }
}

impl RedisKey {
    /// A key in a Redis without a password.
    #[must_use]
    pub const fn of(url: String, key: String) -> Self {
        Self { url: Some(url), key: Some(key), username: None, password_file: None }
    }
}
