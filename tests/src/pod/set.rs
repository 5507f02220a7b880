//! What the config-loader published, read as an agent reads it, and whether it reached the providers.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::plan::{Plan, Provider};
use super::screen::{self, Screen};
use crate::http;

pub(super) struct Set {
    pub digest: String,
    prompt: String,
    tools: Vec<Value>,
    /// Each file and what is said of it.
    files: Vec<(String, String)>,
}

impl Set {
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = directory.join(name);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let manifest: Value = serde_json::from_str(&read("manifest.json")?).context("manifest.json")?;
        let tools: Value = serde_json::from_str(&read("tools.json")?).context("tools.json")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let files = manifest["files"].as_array().into_iter().flatten();
        let set = Self {
            digest: text(&manifest["digest"]),
            prompt: read("system-prompt.txt")?,
            tools: offered(&tools),
            files: files
                .map(|file| (text(&file["target"]), format!("{} bytes, from {}", file["bytes"], text(&file["source"]))))
                .collect(),
        };
        ensure!(set.digest.starts_with("sha256:"), "manifest.json tells no digest: {manifest}");
        ensure!(set.files.len() >= 3, "manifest.json tells of {} files: {manifest}", set.files.len());
        Ok(set)
    }

    pub(super) fn print(&self, screen: &mut Screen) -> io::Result<()> {
        for (target, what) in &self.files {
            screen.row(target, what)?;
        }
        screen.row("digest", &self.digest)
    }

    /// The beginning of the prompt, on one line.
    pub(super) fn excerpt(&self) -> String {
        screen::excerpt(&self.prompt)
    }

    /// The same request with the prompt before what it says, and with the tools.
    pub(super) fn around(&self, mut request: Value) -> Value {
        if let Some(messages) = request["messages"].as_array_mut() {
            messages.insert(0, json!({"role": "system", "content": self.prompt}));
        }
        if !self.tools.is_empty() {
            request["tools"] = self.tools.clone().into();
            // Nobody would carry them out here.
            request["tool_choice"] = "none".into();
        }
        request
    }

    /// Looks into what the simulated providers received: a sentence for each. That of a real one nobody can look at.
    ///
    /// # Errors
    /// When a request came without the prompt or without the tools.
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
        let mut place = None;
        for request in journal.as_array().into_iter().flatten() {
            let body: Value = serde_json::from_str(request["body"].as_str().unwrap_or_default()).unwrap_or_default();
            let (where_it_is, prompt) = system(&body);
            ensure!(prompt == self.prompt, "the prompt of the set did not arrive at the simulated {name}: {body}");
            let tools = body["tools"].as_array().map_or(0, Vec::len);
            let due = self.tools.len();
            ensure!(tools == due, "of {due} tools of the set {tools} arrived at the simulated {name}: {body}");
            place = Some(where_it_is);
        }
        let tools = self.tools.len();
        let tools = if tools == 1 { "1 tool".to_owned() } else { format!("{tools} tools") };
        Ok(place.map(|place| format!("the simulated {name} received it as {place}, with {tools}")))
    }
}

/// What of the file a request offers: the tools without the extension that says where they run. Those in the shape of
/// another API than the agent's are left out.
fn offered(tools: &Value) -> Vec<Value> {
    let list = tools.as_array().or_else(|| tools["tools"].as_array()).into_iter().flatten();
    let chat = list.filter(|tool| tool["function"].is_object()).filter_map(Value::as_object);
    chat.map(|tool| {
        let mut tool = tool.clone();
        tool.remove("x-endpoint");
        if let Some(function) = tool.get_mut("function").and_then(Value::as_object_mut) {
            function.remove("x-endpoint");
        }
        tool.into()
    })
    .collect()
}

/// The system prompt of a request in Anthropic's or OpenAI's dialect, and where it was.
fn system(body: &Value) -> (&'static str, String) {
    let messages = body["messages"].as_array().into_iter().flatten();
    match messages.into_iter().find(|message| matches!(message["role"].as_str(), Some("system" | "developer"))) {
        Some(message) => ("a message of the role system", text(&message["content"])),
        None => ("`system`", text(&body["system"])),
    }
}

/// A text, or the texts of its parts.
pub(super) fn text(content: &Value) -> String {
    let parts = content.as_array().into_iter().flatten();
    match content.as_str() {
        Some(text) => text.to_owned(),
        None => parts.filter_map(|part| part["text"].as_str()).collect(),
    }
}
