//! What is printed: plain lines, with a little weight where a terminal shows it.

use std::io::{self, IsTerminal as _, Stdout, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use super::spec::{Role, Spec};

/// How wide the left column is.
const LEFT: usize = 21;

/// How much of a text is shown, in characters.
const EXCERPT: usize = 100;

pub struct Screen {
    out: Stdout,
    is_plain: bool,
}

impl Screen {
    #[must_use]
    pub fn new(is_plain: bool) -> Self {
        let out = io::stdout();
        Self { is_plain: is_plain || !out.is_terminal(), out }
    }

    pub(super) fn title(&mut self, text: &str) -> io::Result<()> {
        let text = self.styled("1", text);
        writeln!(self.out, "\n{text}\n")
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// One thing and what is said of it.
    pub(super) fn row(&mut self, left: &str, right: &str) -> io::Result<()> {
        let left = self.styled("2", &format!("{left:<LEFT$}"));
        writeln!(self.out, "  {left} {right}")
    }

    pub(super) fn started(&mut self, spec: &Spec, after: Duration) -> io::Result<()> {
        let address = spec.ready.map(|probe| probe.address.to_string()).unwrap_or_default();
        let listen = spec
            .env
            .iter()
            .find(|(name, _)| matches!(*name, "AMBASSADOR_LISTEN" | "CONTEXT_LISTEN"))
            .map_or(address, |(_, address)| address.clone());
        let what = if spec.role == Role::Init { "done" } else { "ready" };
        self.row(spec.name, &format!("{listen:<16} {what} after {}; {}", millis(after), spec.remark))
    }

    /// What to type next: a line for the shell, three for Python, and a line for what is looked up.
    pub(super) fn try_next(&mut self, listen: SocketAddr, library: SocketAddr, model: &str) -> io::Result<()> {
        self.text(&format!(
            r#"  curl -i http://{listen}/v1/chat/completions -H 'content-type: application/json' -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'

  from openai import OpenAI
  client = OpenAI(base_url="http://{listen}/v1", api_key="the-ambassador-has-the-keys")
  print(client.chat.completions.create(model="{model}", messages=[{{"role": "user", "content": "Hello"}}]).choices[0].message.content)

  curl http://{library}/v1/context -H 'content-type: application/json' -d '{{"messages": [{{"role": "user", "content": "How does a navigator steer by the stars?"}}]}}'
"#
        ))
    }

    fn styled(&self, style: &str, text: &str) -> String {
        if self.is_plain { text.to_owned() } else { format!("\u{1b}[{style}m{text}\u{1b}[0m") }
    }
}

/// The beginning of a text, on one line.
pub(super) fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(EXCERPT).collect();
    if short.len() < line.len() { format!("{short}...") } else { short }
}

pub(super) fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
