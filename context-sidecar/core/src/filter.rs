//! Which documents: conditions over metadata, in the shape that OpenAI's vector stores have.
//!
//! ```json
//! {"type": "and", "filters": [
//!   {"type": "eq", "key": "lang", "value": "en"},
//!   {"type": "or", "filters": [{"type": "gte", "key": "year", "value": 2020}, {"type": "in", "key": "kind", "value": ["a", "b"]}]}]}
//! ```
//!
//! A key names metadata; a value that is a list fits where one of its members does. What a document does not have, fits
//! no condition but `ne` and `nin`.

use serde_json::Value;

use crate::document::Metadata;

/// How many conditions a filter may have.
pub const MOST_CONDITIONS: usize = 256;

/// How deep it may be.
pub const DEEPEST: usize = 8;

/// How many values a condition may have.
pub const MOST_VALUES: usize = 1_000;

/// The longest key or text, in bytes.
pub const LONGEST: usize = 1_024;

const TYPES: &str = "must be one of eq, ne, gt, gte, lt, lte, in, nin, and, or";

/// A condition over metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them hold; there is at least one.
    And(Vec<Self>),
    /// One of them holds; there is at least one.
    Or(Vec<Self>),
    /// Metadata of this key is one of these; there is at least one.
    Any {
        /// Which metadata.
        key: String,
        /// One of these.
        values: Vec<Scalar>,
    },
    /// Metadata of this key is none of these, or is not there; there is at least one.
    None {
        /// Which metadata.
        key: String,
        /// None of these.
        values: Vec<Scalar>,
    },
    /// Metadata of this key is a number within.
    Range {
        /// Which metadata.
        key: String,
        /// How it compares.
        bound: Bound,
        /// With what.
        value: f64,
    },
}

/// How a number compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Greater.
    Gt,
    /// Greater or the same.
    Gte,
    /// Less.
    Lt,
    /// Less or the same.
    Lte,
}

/// A value that metadata is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Text, equal byte by byte.
    Text(String),
    /// A number.
    Number(f64),
    /// True or false.
    Bool(bool),
}

/// Why a filter is none, with the place: `filters[1].value: ...`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct BadFilter {
    /// Where in it; empty for all of it.
    pub place: String,
    /// What is wrong, and what is due.
    pub message: String,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(value: &Value) -> Result<Self, BadFilter> {
        let mut conditions = 0;
        read(value, "filter", 1, &mut conditions)
    }

    /// Whether it holds for a document with this metadata.
    #[must_use]
    pub fn holds(&self, metadata: &Metadata) -> bool {
        match self {
            Self::And(all) => all.iter().all(|filter| filter.holds(metadata)),
            Self::Or(any) => any.iter().any(|filter| filter.holds(metadata)),
            Self::Any { key, values } => is_any(metadata.get(key), values),
            Self::None { key, values } => !is_any(metadata.get(key), values),
            Self::Range { key, bound, value } => {
                members(metadata.get(key)).iter().filter_map(Value::as_f64).any(|found| match bound {
                    Bound::Gt => found > *value,
                    Bound::Gte => found >= *value,
                    Bound::Lt => found < *value,
                    Bound::Lte => found <= *value,
                })
            }
        }
    }

    /// The keys that it names, sorted, each once.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        let mut keys = Vec::new();
        self.collect(&mut keys);
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn collect<'f>(&'f self, keys: &mut Vec<&'f str>) {
        match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().for_each(|filter| filter.collect(keys)),
            Self::Any { key, .. } | Self::None { key, .. } | Self::Range { key, .. } => keys.push(key),
        }
    }
}

impl Scalar {
    fn is(&self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Number(number) => value.as_f64() == Some(*number),
            Self::Bool(bool) => value.as_bool() == Some(*bool),
        }
    }
}

fn members(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(members)) => members,
        Some(other) => std::slice::from_ref(other),
        None => &[],
    }
}

fn is_any(value: Option<&Value>, wanted: &[Scalar]) -> bool {
    members(value).iter().any(|value| wanted.iter().any(|wanted| wanted.is(value)))
}

fn bad<T>(place: &str, message: impl Into<String>) -> Result<T, BadFilter> {
    Err(BadFilter { place: place.to_owned(), message: message.into() })
}

fn read(value: &Value, place: &str, depth: usize, conditions: &mut usize) -> Result<Filter, BadFilter> {
    *conditions += 1;
    if *conditions > MOST_CONDITIONS {
        return bad("filter", format!("more than {MOST_CONDITIONS} conditions"));
    }
    if depth > DEEPEST {
        return bad(place, format!("more than {DEEPEST} levels deep"));
    }
    let Value::Object(fields) = value else {
        return bad(place, "must be an object such as {\"type\": \"eq\", \"key\": \"lang\", \"value\": \"en\"}");
    };
    let Some(kind) = fields.get("type").and_then(Value::as_str) else {
        return bad(&format!("{place}.type"), TYPES);
    };
    let allowed: &[&str] = if matches!(kind, "and" | "or") { &["type", "filters"] } else { &["type", "key", "value"] };
    if let Some(unknown) = fields.keys().find(|key| !allowed.contains(&key.as_str())) {
        return bad(&format!("{place}.{unknown}"), format!("unknown; `{kind}` has {}", allowed.join(", ")));
    }
    if matches!(kind, "and" | "or") {
        let inner = format!("{place}.filters");
        let Some(Value::Array(filters)) = fields.get("filters") else {
            return bad(&inner, "must be a list of filters");
        };
        if filters.is_empty() {
            return bad(&inner, "is empty; leave the filter out to have everything");
        }
        let filters = filters
            .iter()
            .enumerate()
            .map(|(index, filter)| read(filter, &format!("{inner}[{index}]"), depth + 1, conditions))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(if kind == "and" { Filter::And(filters) } else { Filter::Or(filters) });
    }
    let key = match fields.get("key").and_then(Value::as_str) {
        Some(key) if !key.is_empty() && key.len() <= LONGEST => key.to_owned(),
        _ => return bad(&format!("{place}.key"), "must be the name of a metadata field"),
    };
    let at = format!("{place}.value");
    let Some(value) = fields.get("value") else { return bad(&at, "missing") };
    let bound = match kind {
        "eq" => return Ok(Filter::Any { key, values: vec![scalar(value, &at)?] }),
        "ne" => return Ok(Filter::None { key, values: vec![scalar(value, &at)?] }),
        "in" => return Ok(Filter::Any { key, values: scalars(value, &at)? }),
        "nin" => return Ok(Filter::None { key, values: scalars(value, &at)? }),
        "gt" => Bound::Gt,
        "gte" => Bound::Gte,
        "lt" => Bound::Lt,
        "lte" => Bound::Lte,
        _ => return bad(&format!("{place}.type"), TYPES),
    };
    match value.as_f64() {
        Some(value) => Ok(Filter::Range { key, bound, value }),
        None => bad(&at, "must be a number, since it is compared by size"),
    }
}

fn scalar(value: &Value, place: &str) -> Result<Scalar, BadFilter> {
    match value {
        Value::String(text) if text.len() <= LONGEST => Ok(Scalar::Text(text.clone())),
        Value::String(_) => bad(place, format!("is longer than {LONGEST} bytes")),
        Value::Number(number) => match number.as_f64() {
            Some(number) => Ok(Scalar::Number(number)),
            None => bad(place, "is a number that is too large"),
        },
        Value::Bool(bool) => Ok(Scalar::Bool(*bool)),
        Value::Null | Value::Array(_) | Value::Object(_) => bad(place, "must be a string, a number or a boolean"),
    }
}

fn scalars(value: &Value, place: &str) -> Result<Vec<Scalar>, BadFilter> {
    let Value::Array(values) = value else { return bad(place, "must be a list") };
    if values.is_empty() || values.len() > MOST_VALUES {
        return bad(place, format!("must have 1 to {MOST_VALUES} members"));
    }
    values.iter().enumerate().map(|(index, value)| scalar(value, &format!("{place}[{index}]"))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn holds(filter: Value, metadata: Value) -> bool {
        let Value::Object(metadata) = metadata else { unreachable!() };
        Filter::parse(&filter).unwrap().holds(&metadata)
    }

    #[test]
    fn conditions_hold_where_they_should() {
        let about = json!({"lang": "en", "year": 2021, "tags": ["a", "b"], "draft": false});
        let condition = |kind: &str, key: &str, value: Value| json!({"type": kind, "key": key, "value": value});
        for (kind, key, value, expected) in [
            ("eq", "lang", json!("en"), true),
            ("eq", "lang", json!("EN"), false),
            ("eq", "tags", json!("b"), true),
            ("eq", "year", json!(2021.0), true),
            ("eq", "draft", json!(false), true),
            ("eq", "gone", json!("x"), false),
            ("ne", "gone", json!("x"), true),
            ("ne", "lang", json!("en"), false),
            ("in", "lang", json!(["de", "en"]), true),
            ("nin", "tags", json!(["b"]), false),
            ("gt", "year", json!(2021), false),
            ("gte", "year", json!(2021), true),
            ("lt", "lang", json!(3), false),
            ("lte", "year", json!(2021.5), true),
        ] {
            assert_eq!(holds(condition(kind, key, value.clone()), about.clone()), expected, "{key} {kind} {value}");
        }
        let both = |kind: &str| json!({"type": kind, "filters": [condition("eq", "lang", json!("en")), condition("eq", "year", json!(1))]});
        assert!(!holds(both("and"), about.clone()) && holds(both("or"), about));
    }

    #[test]
    fn what_is_no_filter_says_where() {
        let deep = (0..DEEPEST)
            .fold(json!({"type": "eq", "key": "a", "value": 1}), |inner, _| json!({"type": "and", "filters": [inner]}));
        let wide = json!({"type": "or", "filters": vec![json!({"type": "eq", "key": "a", "value": 1}); 10_000]});
        for (filter, says) in [
            (json!(7), "filter: must be an object"),
            (json!({}), "filter.type: must be one of"),
            (json!({"type": "like", "key": "a", "value": 1}), "filter.type: must be one of"),
            (json!({"type": "eq", "key": "", "value": 1}), "filter.key: must be the name"),
            (json!({"type": "eq", "key": "a"}), "filter.value: missing"),
            (json!({"type": "eq", "key": "a", "value": null}), "filter.value: must be a string"),
            (json!({"type": "gt", "key": "a", "value": "b"}), "filter.value: must be a number"),
            (json!({"type": "in", "key": "a", "value": [1, {}]}), "filter.value[1]: must be"),
            (json!({"type": "eq", "key": "a", "value": 1, "tenant": "b"}), "filter.tenant: unknown"),
            (json!({"type": "and", "filters": []}), "filter.filters: is empty"),
            (json!({"type": "and", "filters": [{"type": "or"}]}), "filter.filters[0].filters: must be a list"),
            (deep, "levels deep"),
            (wide, "more than 256 conditions"),
        ] {
            let told = Filter::parse(&filter).unwrap_err().to_string();
            assert!(told.contains(says), "`{told}` does not say `{says}`");
        }
    }

    proptest! {
        #[test]
        fn ne_is_not_eq(value in "[ab]?", other in "[ab]?") {
            let about = json!({"k": value});
            let with = |kind: &str| json!({"type": kind, "key": "k", "value": other});
            prop_assert_ne!(holds(with("eq"), about.clone()), holds(with("ne"), about));
        }
    }
}
