//! What the binary is told to load: a file called `tested` from the source that is tested, and perhaps one more.

use serde_json::{Value, json};

/// What no log, no summary and no manifest may have in it. Every secret and every content here has it in itself.
pub(crate) const CANARY: &str = "canary";

/// Longer than anything takes that ends by itself.
const LONG: &str = "40s";

/// A source that has what it is told to have.
pub(crate) trait Source: Sync {
    /// What the file says about a source that has these bytes from now on.
    fn having(&self, name: &str, bytes: &[u8]) -> Value;

    /// How messages call it.
    fn place(&self, name: &str) -> String;

    /// What the file says about a signature, where it does not lie beside what it signs.
    fn signature(&self, name: &str, bytes: &[u8]) -> Value {
        self.having(&format!("{name}.minisig"), bytes);
        Value::Null
    }

    /// Variables that it needs.
    fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// A set.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    pub(crate) kind: &'static str,
    pub(crate) source: Value,
    pub(crate) checks: Value,
    pub(crate) target: &'static str,
    /// The largest file.
    pub(crate) limit: &'static str,
    /// The largest set.
    pub(crate) whole: &'static str,
    pub(crate) deadline: &'static str,
    /// Another source, of another file.
    pub(crate) beside: Option<Value>,
    pub(crate) environment: Vec<(String, String)>,
}

impl Set {
    pub(crate) fn of(kind: &'static str, source: Value) -> Self {
        Self {
            kind,
            source,
            checks: json!({}),
            target: "tested",
            limit: "16MiB",
            whole: "64MiB",
            deadline: LONG,
            beside: None,
            environment: Vec::new(),
        }
    }

    /// The same, from a source that needs these variables.
    pub(crate) fn with(self, environment: Vec<(String, String)>) -> Self {
        Self { environment, ..self }
    }

    pub(crate) fn within(self, deadline: &'static str) -> Self {
        Self { deadline, ..self }
    }

    pub(crate) fn at_most(self, limit: &'static str) -> Self {
        Self { limit, ..self }
    }

    /// The file that describes it. What is JSON is YAML.
    pub(crate) fn described(&self) -> String {
        let Self { kind, source, checks, target, limit, whole, beside, .. } = self;
        let mut files =
            vec![json!({"name": "tested", "target": target, "type": kind, "source": source, "checks": checks})];
        files.extend(
            beside
                .iter()
                .map(|source| json!({"name": "beside", "target": "beside", "type": "binary", "source": source})),
        );
        json!({"limits": {"file": limit, "set": whole}, "files": files}).to_string()
    }
}
