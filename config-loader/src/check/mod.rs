//! Whether what was fetched is what it should be. Pure: bytes in, bytes to publish or a [`Failure`] out.
//!
//! The order is that of trust: how much it is, whose it is, whether it is text, and only then what it says.

pub mod ambassador;
pub mod digest;
pub mod guardrails;
pub mod json;
mod problems;
pub mod signature;
pub mod target;
pub mod template;
pub mod text;
pub mod tokens;
pub mod tools;
pub mod yaml;

use bytes::Bytes;
use chassis::exit::Code;
use chassis::units::Size;

use self::digest::Digest;
use self::guardrails::Guardrails;
use self::tools::Tools;
use crate::failure::Failure;
use crate::file::Kind;

/// What a file must fulfil, beside what its type asks for.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'r> {
    /// The largest file, as it was fetched and as it is published.
    pub max_size: Size,
    /// What it is pinned to.
    pub sha256: Option<Digest>,
    /// The key to trust, and the content of the `.minisig` file.
    pub signature: Option<(&'r signature::Key, &'r [u8])>,
    /// What its template may use; `None` if it is no template.
    pub template: Option<&'r template::Context>,
    /// Whether the tokens of a prompt are counted, which takes some milliseconds and 30 MB.
    pub count_tokens: bool,
    /// How many tokens it may have; they are counted then.
    pub max_tokens: Option<u32>,
}

impl Default for Rules<'_> {
    /// 16 MiB, and nothing else.
    fn default() -> Self {
        Self {
            max_size: Size::bytes(16 << 20),
            sha256: None,
            signature: None,
            template: None,
            count_tokens: false,
            max_tokens: None,
        }
    }
}

/// A file that can be published.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What is published.
    pub bytes: Bytes,
    /// The SHA-256 of what is published.
    pub sha256: Digest,
    /// The SHA-256 of what was fetched, which is another where a template was rendered or line ends were changed.
    pub fetched: Digest,
    /// How many tokens it has, where they were counted.
    pub tokens: Option<u64>,
    /// What somebody should know, although nothing is wrong.
    pub warnings: Vec<String>,
    /// What it says, where other files of the set depend on that.
    pub meaning: Meaning,
}

/// What a file says.
#[derive(Debug, Clone, Default)]
pub enum Meaning {
    /// Nothing that other files depend on.
    #[default]
    Other,
    /// Tools.
    Tools(Tools),
    /// What the agent may do.
    Guardrails(Box<Guardrails>),
}

/// Checks a file that was fetched, and makes of it what is published.
///
/// # Errors
/// Why it must not be published. One about a digest or a signature must not be answered with an older version.
pub fn check(kind: Kind, rules: &Rules<'_>, bytes: Bytes, media_type: Option<&str>) -> Result<Checked, Failure> {
    refuse_large(bytes.len(), rules.max_size, "")?;
    let fetched = Digest::of(&bytes);
    rules.sha256.map_or(Ok(()), |pinned| fetched.check(pinned))?;
    rules.signature.map_or(Ok(()), |(key, signature)| key.check(&bytes, signature))?;
    if kind == Kind::Binary {
        refuse_rules_of_text(rules)?;
        let nothing = (None, Vec::new(), Meaning::Other);
        return Ok(checked(bytes, fetched, fetched, nothing));
    }
    let read = text::read(&bytes)?;
    text::refuse_page(&read, media_type)?;
    let text = match rules.template {
        Some(context) => template::render(&read, context)?.into(),
        None => read,
    };
    refuse_large(text.len(), rules.max_size, " when its template is rendered")?;
    let (warnings, meaning) = meaning(kind, &text)?;
    let counts = rules.max_tokens.is_some() || (rules.count_tokens && kind == Kind::Prompt);
    let tokens = if counts { tokens::count(&text) } else { None };
    rules.max_tokens.map_or(Ok(()), |most| tokens::bound(tokens, most))?;
    let published = if text.as_bytes() == bytes { bytes.clone() } else { Bytes::from(text.into_owned()) };
    let sha256 = if published == bytes { fetched } else { Digest::of(&published) };
    Ok(checked(published, sha256, fetched, (tokens, warnings, meaning)))
}

fn checked(
    bytes: Bytes,
    sha256: Digest,
    fetched: Digest,
    (tokens, warnings, meaning): (Option<u64>, Vec<String>, Meaning),
) -> Checked {
    Checked { bytes, sha256, fetched, tokens, warnings, meaning }
}

/// Refuses what only a text can fulfil.
fn refuse_rules_of_text(rules: &Rules<'_>) -> Result<(), Failure> {
    let text_only = [("template", rules.template.is_some()), ("checks.max_tokens", rules.max_tokens.is_some())];
    match text_only.into_iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Failure::new(Code::Config, format!("{name} is for text, and the type is binary"))
            .with_hint(format!("give it the type text, or remove {name}"))),
        None => Ok(()),
    }
}

/// What a text of this kind says, and what is odd about it.
fn meaning(kind: Kind, text: &str) -> Result<(Vec<String>, Meaning), Failure> {
    let nothing = |warnings| Ok((warnings, Meaning::Other));
    match kind {
        Kind::Prompt => text::refuse_empty(text).and_then(|()| nothing(Vec::new())),
        Kind::Tools => tools::read(text).map(|(tools, warnings)| (warnings, Meaning::Tools(tools))),
        Kind::Guardrails => guardrails::read(text).map(|(it, warnings)| (warnings, Meaning::Guardrails(Box::new(it)))),
        Kind::Ambassador => ambassador::check(text).and_then(nothing),
        Kind::Json => json::read(text).and_then(|_| nothing(Vec::new())),
        Kind::Yaml => yaml::check(text).and_then(|()| nothing(Vec::new())),
        Kind::Text | Kind::Binary => nothing(Vec::new()),
    }
}

fn refuse_large(len: usize, most: Size, when: &str) -> Result<(), Failure> {
    if len > most.as_usize() {
        return Err(Failure::data(format!("has {len} bytes{when}, and {most} are allowed"))
            .with_hint("make it smaller, or raise checks.max_size or limits.file"));
    }
    Ok(())
}

/// What is odd about the files of a set together.
#[must_use]
pub fn across<'c>(set: impl IntoIterator<Item = &'c Checked>) -> Vec<String> {
    let mut tools = Tools::default();
    let mut any_tools = false;
    let mut guardrails = Vec::new();
    for file in set {
        match &file.meaning {
            Meaning::Tools(more) => {
                any_tools = true;
                tools.tools.extend(more.tools.iter().cloned());
                tools.hosted.extend(more.hosted.iter().cloned());
            }
            Meaning::Guardrails(it) => guardrails.push(it),
            Meaning::Other => {}
        }
    }
    if !any_tools {
        return Vec::new();
    }
    guardrails.into_iter().flat_map(|it| it.without_effect(&tools)).collect()
}

#[cfg(test)]
mod tests;
