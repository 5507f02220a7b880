//! Templates: minijinja, in which whatever is undefined is an error and whatever takes too long is one, too.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chassis::excerpt::excerpt;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, context};

use crate::failure::Failure;

/// A step each, or 64 bytes: enough for any prompt, and a bound on time and memory (64 MB).
const FUEL: u64 = 1_000_000;

/// Reads a file for `file(path)`, or says in words why not.
pub type ReadFile = dyn Fn(&str) -> Result<String, String> + Send + Sync;

/// What a template may use.
#[derive(Clone)]
pub struct Context {
    /// `env`: the environment.
    pub env: BTreeMap<String, String>,
    /// `values`: those of the configuration file.
    pub values: BTreeMap<String, serde_json::Value>,
    /// `file(path)`: which files may be read is for this function to decide.
    pub file: Arc<ReadFile>,
}

impl fmt::Debug for Context {
    /// Shows names only: values are where credentials live.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("env", &self.env.keys())
            .field("values", &self.values.keys())
            .finish_non_exhaustive()
    }
}

/// Renders a template. Nothing is escaped, and the line end at its end stays.
///
/// # Errors
/// [`Failure::data`] with the line.
pub fn render(source: &str, context: &Context) -> Result<String, Failure> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    // For the range of what failed; the rest of what is gathered is never shown.
    environment.set_debug(true);
    // This syntax is the usual one, which cannot be refused.
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    // It would print all values.
    environment.remove_global("debug");
    let read = Arc::clone(&context.file);
    environment.add_function("file", move |path: String| {
        read(&path).map_err(|why| Error::new(ErrorKind::InvalidOperation, format!("file(\"{path}\") {why}")))
    });
    let rendered = environment.template_from_str(source).and_then(|template| {
        template.render(context! {
            env => Value::from(Serde(&context.env)),
            values => Value::from(Serde(&context.values)),
        })
    });
    rendered.map_err(|error| told(&error, source))
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the rest is told alike, whatever it is, and more may come")]
fn told(error: &Error, source: &str) -> Failure {
    let what = expression(error, source);
    let detail = error.detail().unwrap_or_default();
    let (message, hint) = match error.kind() {
        ErrorKind::UndefinedError if what.starts_with("env.") => {
            (format!("`{what}` is not defined"), "name it in templates.env, and set it")
        }
        ErrorKind::UndefinedError => (
            format!("`{what}` is not defined"),
            "set it, or write a default: {{ values.name | default(\"\") }}; a literal brace goes into {% raw %}",
        ),
        ErrorKind::SyntaxError => {
            (format!("syntax error: {detail}"), "put what is no template between {% raw %} and {% endraw %}")
        }
        ErrorKind::OutOfFuel => {
            ("takes more than a million steps, or more than 64 MB".to_owned(), "look for a loop without a small end")
        }
        ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownTest | ErrorKind::UnknownMethod => {
            (format!("{}: {detail}", error.kind()), "what templates can use is in minijinja's documentation")
        }
        ErrorKind::InvalidOperation if detail.starts_with("file(") => {
            (detail.to_owned(), "mount it, or correct the path")
        }
        // Other details may quote values.
        kind => (format!("{kind} in `{what}`"), "what templates can do is in minijinja's documentation"),
    };
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    Failure::data(format!("is no template that can be rendered: {line}{message}")).with_hint(hint)
}

/// What failed, as it is written in the template; of `values.a.b` the range has `.a.b` only.
fn expression(error: &Error, source: &str) -> String {
    let of_a_path = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
    let Some((before, text)) = error.range().and_then(|it| Some((source.get(..it.start)?, source.get(it)?))) else {
        return String::new();
    };
    let head = if text.starts_with(['.', '[']) { before.trim_end_matches(of_a_path).len() } else { before.len() };
    excerpt(&format!("{}{}", before.get(head..).unwrap_or_default(), text.trim()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn context() -> Context {
        let values = serde_json::json!({ "team": "billing <b>", "tools": ["a", "b"], "secret": "hunter2", "n": 3 });
        Context {
            env: BTreeMap::from([("NAME".to_owned(), "Ada".to_owned())]),
            values: serde_json::from_value(values).unwrap(),
            file: Arc::new(|path| match path {
                "/etc/podinfo/labels" => Ok("app=\"agent\"".to_owned()),
                _ => Err("is not there".to_owned()),
            }),
        }
    }

    fn told(source: &str) -> String {
        match render(source, &context()) {
            Ok(text) => text,
            Err(failure) => failure.message.replace("is no template that can be rendered: ", ""),
        }
    }

    #[test]
    fn values_are_put_in_as_they_are() {
        let table = [
            ("Hello {{ env.NAME }}.\n", "Hello Ada.\n"),
            ("{{ values.team }}", "billing <b>"),
            ("{% for tool in values.tools %}{{ tool }};{% endfor %}", "a;b;"),
            ("{{ file('/etc/podinfo/labels') }}", "app=\"agent\""),
            ("{% raw %}{{ literal }} {% x %}{% endraw %}", "{{ literal }} {% x %}"),
            ("{{ values.gone | default('none') }}", "none"),
            ("{{ '{{' }}", "{{"),
        ];
        for (source, expected) in table {
            assert_eq!(told(source), expected, "{source}");
        }
    }

    #[test]
    fn what_is_wrong_has_a_line_and_no_value() {
        let table = [
            ("a\nb {{ env.NAM }}", "line 2: `env.NAM` is not defined"),
            ("{{ nothing }}", "line 1: `nothing` is not defined"),
            ("{% if values.gone %}x{% endif %}", "line 1: `values.gone` is not defined"),
            ("\n\n{{ values.a.b }}", "line 3: `values.a.b` is not defined"),
            ("{{ file('/etc/x') }}", "line 1: file(\"/etc/x\") is not there"),
            ("{{ values.secret + 1 }}", "line 1: invalid operation in `values.secret + 1`"),
            ("{{ values.secret | nofilter }}", "line 1: unknown filter: filter nofilter is unknown"),
            (
                "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
                "line 1: takes more than a million steps, or more than 64 MB",
            ),
            ("{{ 'x' * 1000000000 }}", "line 1: takes more than a million steps, or more than 64 MB"),
        ];
        for (source, expected) in table {
            assert_eq!(told(source), expected, "{source}");
        }
        for source in ["{{", "{% if %}", "{% include 'x' %}", "{{ debug() }}", "{% for x in values.tools %}", "{# open"]
        {
            let told = told(source);
            assert!(told.starts_with("line 1: ") && !told.contains("hunter2"), "{source}: {told}");
        }
        assert!(!format!("{:?}", context()).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn without_braces_a_template_is_itself(source in "[^{]*") {
            prop_assert_eq!(render(&source, &context()), Ok(source));
        }

        #[test]
        fn any_source_is_rendered_or_a_failure(source in "([a-z .|()'0-9*]|\\{\\{|\\}\\}|\\{%|%\\}|for|in|range|\\PC){0,20}") {
            let _ = render(&source, &context());
        }
    }
}
