//! JSON Schema that sampling can be held to: the subset that the API takes for structured output and strict tools.
//!
//! What the subset lacks goes where the vendor's own SDK puts it, into the description, where the model *might* follow
//! it. A schema whose meaning would not survive that (a map with free keys would become an object that is always
//! empty) has no grammar, and the caller of this file finds another way to say it.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// A schema within the subset.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grammar {
    /// The schema.
    pub(super) schema: Map<String, Value>,
    /// Whether a constraint of the original is no more than a description now.
    pub(super) weakened: bool,
    /// Properties that may be absent.
    optional: usize,
    /// Properties of more than one type.
    unions: usize,
}

impl Grammar {
    /// The grammar of `schema`; `None` where the subset cannot hold its meaning.
    pub(super) fn of(schema: &Map<String, Value>) -> Option<Self> {
        let mut walk = Walk { root: schema, weakened: false, optional: 0, unions: 0 };
        if walk.is_recursive() {
            return None;
        }
        let schema = walk.node(schema, 0)?;
        Some(Self { schema, weakened: walk.weakened, optional: walk.optional, unions: walk.unions })
    }
}

/// How much grammar one request may hold, all its schemas together.
#[derive(Debug)]
pub(super) struct Allowance {
    tools: usize,
    optional: usize,
    unions: usize,
}

impl Default for Allowance {
    /// The published limits.
    fn default() -> Self {
        Self { tools: 20, optional: 24, unions: 16 }
    }
}

impl Allowance {
    /// Takes what an answer's format needs, if it is there.
    pub(super) fn take(&mut self, grammar: &Grammar) -> bool {
        let (Some(optional), Some(unions)) =
            (self.optional.checked_sub(grammar.optional), self.unions.checked_sub(grammar.unions))
        else {
            return false;
        };
        (self.optional, self.unions) = (optional, unions);
        true
    }

    /// Takes what one strict tool needs, if it is there.
    pub(super) fn take_tool(&mut self, grammar: &Grammar) -> bool {
        let there = self.tools > 0 && self.take(grammar);
        self.tools -= usize::from(there);
        there
    }
}

/// Deeper than any schema that a person writes, shallower than the stack.
const DEEPEST: usize = 64;

/// Keywords that say nothing about what is valid, and nothing to the model.
const ANNOTATIONS: &[&str] =
    &["$schema", "$id", "$anchor", "$comment", "deprecated", "examples", "readOnly", "writeOnly"];

/// Formats of strings that are enforced.
const FORMATS: &[&str] = &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

struct Walk<'s> {
    root: &'s Map<String, Value>,
    weakened: bool,
    optional: usize,
    unions: usize,
}

impl<'s> Walk<'s> {
    fn value(&mut self, schema: &Value, depth: usize) -> Option<Value> {
        self.node(schema.as_object()?, depth + 1).map(Value::Object)
    }

    fn node(&mut self, schema: &Map<String, Value>, depth: usize) -> Option<Map<String, Value>> {
        if depth > DEEPEST {
            return None;
        }
        let mut rest = schema.clone();
        let mut out = Map::new();
        rest.retain(|keyword, _| !ANNOTATIONS.contains(&keyword.as_str()));
        for keyword in ["$defs", "definitions"] {
            if let Some(definitions) = rest.remove(keyword) {
                out.insert(keyword.to_owned(), self.each(definitions.as_object()?, depth)?.into());
            }
        }
        if let Some(reference) = rest.remove("$ref") {
            self.target(reference.as_str()?)?;
            rest.retain(|keyword, _| keyword != "title" && keyword != "description" && keyword != "default");
            self.weakened |= !rest.is_empty();
            out.insert("$ref".to_owned(), reference);
            return Some(out);
        }
        for keyword in ["title", "description"] {
            out.extend(rest.remove(keyword).map(|text| (keyword.to_owned(), text)));
        }
        if !self.union(&mut rest, &mut out, depth)? && !literals(&mut rest, &mut out)? {
            self.typed(&mut rest, &mut out, depth)?;
        }
        rest.remove("type");
        self.describe(&rest, &mut out);
        Some(out)
    }

    /// One of several schemas, or all of them. Says whether that is what `rest` was.
    fn union(&mut self, rest: &mut Map<String, Value>, out: &mut Map<String, Value>, depth: usize) -> Option<bool> {
        let mut found = false;
        // At most one may match in `oneOf`; the vendor's SDK lets that go as well.
        for (keyword, written) in [("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")] {
            let Some(variants) = rest.remove(keyword) else { continue };
            // Two unions at once, or one beside an object's own properties, have no counterpart.
            if found || rest.contains_key("properties") || rest.contains_key("items") {
                return None;
            }
            let variants = variants.as_array()?.iter().map(|variant| self.value(variant, depth));
            out.insert(written.to_owned(), Value::Array(variants.collect::<Option<_>>()?));
            found = true;
        }
        Some(found)
    }

    fn typed(&mut self, rest: &mut Map<String, Value>, out: &mut Map<String, Value>, depth: usize) -> Option<()> {
        let kind = match rest.remove("type") {
            Some(kind) => kind,
            None if rest.contains_key("properties") => json!("object"),
            None if rest.contains_key("items") => json!("array"),
            None => return None,
        };
        let is =
            |name: &str| kind == name || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == name));
        if is("object") {
            self.object(rest, out, depth)?;
        }
        if is("array") {
            if let Some(items) = rest.remove("items") {
                out.insert("items".to_owned(), self.value(&items, depth)?);
            }
            if rest.contains_key("prefixItems") {
                return None;
            }
            let few = |count: &Value| matches!(count.as_u64(), Some(0 | 1));
            if rest.get("minItems").is_some_and(few) {
                out.extend(rest.remove_entry("minItems"));
            }
        }
        let known = |format: &Value| format.as_str().is_some_and(|format| FORMATS.contains(&format));
        if is("string") && rest.get("format").is_some_and(known) {
            out.extend(rest.remove_entry("format"));
        }
        out.insert("type".to_owned(), kind);
        Some(())
    }

    fn object(&mut self, rest: &mut Map<String, Value>, out: &mut Map<String, Value>, depth: usize) -> Option<()> {
        let properties = match rest.remove("properties") {
            None => Map::new(),
            Some(Value::Object(properties)) => properties,
            Some(_) => return None,
        };
        let others = rest.remove("additionalProperties");
        let closed = others == Some(Value::Bool(false));
        if properties.is_empty() && !closed || rest.contains_key("patternProperties") {
            return None;
        }
        self.weakened |= others.is_some_and(|others| others != false && others != true);
        self.unions += properties.values().filter(|property| is_union(property)).count();
        let mut required = match rest.remove("required") {
            None => Vec::new(),
            Some(required) => required.as_array()?.clone(),
        };
        let asked = required.len();
        required.retain(|name| name.as_str().is_some_and(|name| properties.contains_key(name)));
        self.weakened |= required.len() < asked;
        self.optional += properties.len().saturating_sub(required.len());
        out.insert("properties".to_owned(), self.each(&properties, depth)?.into());
        out.insert("required".to_owned(), required.into());
        out.insert("additionalProperties".to_owned(), Value::Bool(false));
        Some(())
    }

    fn each(&mut self, schemas: &Map<String, Value>, depth: usize) -> Option<Map<String, Value>> {
        schemas.iter().map(|(name, schema)| Some((name.clone(), self.value(schema, depth)?))).collect()
    }

    /// What remains becomes words.
    fn describe(&mut self, rest: &Map<String, Value>, out: &mut Map<String, Value>) {
        let words = rest.iter().fold(String::new(), |mut words, (keyword, value)| {
            self.weakened |= keyword != "default";
            let comma = if words.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(words, "{comma}{keyword}: {value}");
            words
        });
        if !words.is_empty() {
            let text = out.get("description").and_then(Value::as_str);
            let text = text.map_or_else(|| format!("{{{words}}}"), |text| format!("{text}\n\n{{{words}}}"));
            out.insert("description".to_owned(), text.into());
        }
    }

    /// What a reference points at: a definition at the root and nothing else.
    fn target(&self, reference: &str) -> Option<&'s Value> {
        let (place, name) = reference.strip_prefix("#/")?.split_once('/')?;
        matches!(place, "$defs" | "definitions").then(|| self.root.get(place)?.get(name)).flatten()
    }

    /// Whether a definition leads back to itself.
    fn is_recursive(&self) -> bool {
        let definitions = ["$defs", "definitions"].into_iter().filter_map(|place| self.root.get(place)?.as_object());
        let mut settled = Vec::new();
        definitions.flat_map(Map::values).any(|definition| self.leads_back(definition, &mut Vec::new(), &mut settled))
    }

    fn leads_back<'a>(&'a self, schema: &'a Value, path: &mut Vec<&'a str>, settled: &mut Vec<&'a str>) -> bool {
        let mut references = Vec::new();
        collect_references(schema, &mut references);
        references.into_iter().any(|reference| {
            // So long a chain is taken for a circle: nobody writes one, and the stack is not endless.
            if path.contains(&reference) || path.len() > DEEPEST {
                return true;
            }
            if settled.contains(&reference) {
                return false;
            }
            path.push(reference);
            let back = self.target(reference).is_some_and(|target| self.leads_back(target, path, settled));
            path.pop();
            settled.push(reference);
            back
        })
    }
}

/// Takes `enum` and `const` over. They say all that a type would, and a type that contradicts them is refused.
fn literals(rest: &mut Map<String, Value>, out: &mut Map<String, Value>) -> Option<bool> {
    let plain = |value: &Value| !value.is_object() && !value.is_array();
    let mut found = false;
    for keyword in ["enum", "const"] {
        let Some(value) = rest.remove(keyword) else { continue };
        let fits = match (keyword, &value) {
            ("enum", Value::Array(values)) => !values.is_empty() && values.iter().all(plain),
            ("enum", _) => false,
            (_, value) => plain(value),
        };
        if !fits {
            return None;
        }
        out.insert(keyword.to_owned(), value);
        found = true;
    }
    Some(found)
}

fn is_union(schema: &Value) -> bool {
    ["anyOf", "oneOf"].into_iter().any(|keyword| schema.get(keyword).is_some())
        || schema.get("type").and_then(Value::as_array).is_some_and(|kinds| kinds.len() > 1)
}

fn collect_references<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar(schema: &Value) -> Option<(Value, bool)> {
        Grammar::of(schema.as_object().unwrap()).map(|grammar| (grammar.schema.into(), grammar.weakened))
    }

    #[test]
    fn objects_are_closed_all_the_way_down() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "T", "type": "object", "required": ["list"],
            "properties": {
                "list": {"type": "array", "minItems": 1, "items": {"properties": {"at": {"type": "string", "format": "date"}}}},
                "kind": {"type": "string", "enum": ["a", "b"]},
                "or": {"oneOf": [{"type": ["string", "null"]}, {"const": 1}]},
            },
        });
        let want = json!({
            "title": "T", "type": "object", "required": ["list"], "additionalProperties": false,
            "properties": {
                "list": {"type": "array", "minItems": 1, "items": {
                    "type": "object", "required": [], "additionalProperties": false,
                    "properties": {"at": {"type": "string", "format": "date"}},
                }},
                "kind": {"enum": ["a", "b"]},
                "or": {"anyOf": [{"type": ["string", "null"]}, {"const": 1}]},
            },
        });
        assert_eq!(grammar(&schema), Some((want, false)));
    }

    #[test]
    fn what_cannot_be_enforced_becomes_words_and_is_told() {
        let schema = json!({"type": "integer", "minimum": 1, "maximum": 10, "description": "A number"});
        let want = json!({"type": "integer", "description": "A number\n\n{maximum: 10, minimum: 1}"});
        assert_eq!(grammar(&schema), Some((want, true)));
        let schema = json!({"type": "string", "format": "regex", "minLength": 2, "default": "x"});
        let want = json!({"type": "string", "description": "{default: \"x\", format: \"regex\", minLength: 2}"});
        assert_eq!(grammar(&schema), Some((want, true)));
        let schema = json!({"type": "string", "default": "x"});
        assert_eq!(grammar(&schema), Some((json!({"type": "string", "description": "{default: \"x\"}"}), false)));
    }

    #[test]
    fn references_are_followed_to_definitions_and_no_further() {
        let leaf = json!({"$ref": "#/$defs/Leaf", "$defs": {"Leaf": {"type": "object", "properties": {"n": {"type": "null"}}}}});
        let (got, weakened) = grammar(&leaf).unwrap();
        assert!(!weakened && got["$defs"]["Leaf"]["additionalProperties"] == false && got["$ref"] == "#/$defs/Leaf");
        for reference in ["#/$defs/Gone", "#", "other.json", "#/properties/a"] {
            assert_eq!(grammar(&json!({"$ref": reference, "$defs": {}})), None, "{reference}");
        }
        let tree = json!({"$ref": "#/$defs/A", "$defs": {
            "A": {"properties": {"b": {"$ref": "#/$defs/B"}}},
            "B": {"properties": {"a": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}}},
        }});
        assert_eq!(grammar(&tree), None);
        let chain: Map<String, Value> =
            (0..5_000).map(|n| (n.to_string(), json!({"$ref": format!("#/$defs/{}", n + 1)}))).collect();
        assert_eq!(grammar(&json!({"$ref": "#/$defs/0", "$defs": chain})), None);
    }

    #[test]
    fn a_meaning_that_would_be_lost_has_no_grammar() {
        for schema in [
            json!({}),
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": {"type": "number"}}),
            json!({"properties": {"any": {}}}),
            json!({"properties": {"any": true}}),
            json!({"properties": {"a": {"type": "null"}}, "anyOf": [{"required": ["a"]}]}),
            json!({"type": "array", "prefixItems": [{"type": "null"}]}),
            json!({"enum": [{"a": 1}]}),
            json!({"properties": 5}),
        ] {
            assert_eq!(grammar(&schema), None, "{schema}");
        }
        assert!(grammar(&json!({"type": "object", "additionalProperties": false})).is_some());
    }

    #[test]
    fn one_request_holds_so_much_and_no_more() {
        let of = |schema: Value| Grammar::of(schema.as_object().unwrap()).unwrap();
        let closed = of(json!({"type": "object", "additionalProperties": false}));
        let mut allowance = Allowance::default();
        assert_eq!((0..30).filter(|_| allowance.take_tool(&closed)).count(), 20);
        let ten = |kind: &Value| (0..10).map(|n| (n.to_string(), json!({ "type": kind }))).collect::<Map<_, _>>();
        let optional = of(json!({"properties": ten(&json!("null"))}));
        let mut allowance = Allowance::default();
        assert_eq!((0..5).filter(|_| allowance.take(&optional)).count(), 2);
        let names: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        let unions = of(json!({"properties": ten(&json!(["null", "string"])), "required": names}));
        let mut allowance = Allowance::default();
        assert_eq!((0..5).filter(|_| allowance.take_tool(&unions)).count(), 1);
    }
}
