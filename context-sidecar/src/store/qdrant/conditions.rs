//! Which points: a scope and a filter as Qdrant's conditions.
//!
//! There is no way to a condition here but through a scope, so that none is asked for without its tenant.

use context_core::{
    filter::{Bound, Filter, Scalar},
    point::PointId,
    scope::Tenant,
};
use serde_json::{Map, Value, json};

/// The points of a tenant, those that have expired, too.
pub(super) fn of(tenant: &Tenant) -> Value {
    json!({ "must": [owned(tenant)] })
}

/// The points of a tenant for which `filter` holds.
pub(super) fn fitting(tenant: &Tenant, filter: Option<&Filter>) -> Value {
    let conditions: Vec<Value> = [owned(tenant)].into_iter().chain(filter.map(condition)).collect();
    json!({ "must": conditions })
}

/// The same, as far as they have not expired.
pub(super) fn living(of: Value, now: u64) -> Value {
    let mut of = of;
    if let Some(conditions) = of.as_object_mut() {
        conditions.insert("must_not".to_owned(), json!([has_expired(now)]));
    }
    of
}

/// The points of a tenant that have metadata of this key.
pub(super) fn having(tenant: &Tenant, key: &str) -> Value {
    let has = json!({ "must_not": [{ "is_empty": { "key": path(key) } }] });
    json!({ "must": [owned(tenant), has] })
}

/// Those of these points that are the tenant's.
pub(super) fn points(tenant: &Tenant, ids: &[PointId]) -> Value {
    json!({ "must": [owned(tenant), { "has_id": ids }] })
}

/// The points of these documents of a tenant.
pub(super) fn documents(tenant: &Tenant, documents: &[String]) -> Value {
    json!({ "must": [owned(tenant), { "key": "document_id", "match": { "any": documents } }] })
}

/// What is to be gone by `now`, whosever it is.
pub(super) fn expired(now: u64) -> Value {
    json!({ "must": [has_expired(now)] })
}

fn has_expired(now: u64) -> Value {
    json!({ "key": "expires", "range": { "lte": now } })
}

fn owned(tenant: &Tenant) -> Value {
    json!({ "key": "tenant", "match": { "value": tenant.as_str() } })
}

fn condition(filter: &Filter) -> Value {
    match filter {
        Filter::And(filters) => json!({ "must": filters.iter().map(condition).collect::<Vec<_>>() }),
        Filter::Or(filters) => json!({ "should": filters.iter().map(condition).collect::<Vec<_>>() }),
        Filter::Any { key, values } => json!({ "should": any(key, values) }),
        Filter::None { key, values } => json!({ "must_not": any(key, values) }),
        Filter::Range { key, bound, value } => {
            let bound = match bound {
                Bound::Gt => "gt",
                Bound::Gte => "gte",
                Bound::Lt => "lt",
                Bound::Lte => "lte",
            };
            json!({ "key": path(key), "range": { bound: value } })
        }
    }
}

/// One condition for all texts; one for each number, since Qdrant compares numbers for equality only where they are
/// whole, and 7 is to be 7.0.
fn any(key: &str, values: &[Scalar]) -> Vec<Value> {
    let key = path(key);
    let texts: Vec<&str> = values
        .iter()
        .filter_map(|value| if let Scalar::Text(text) = value { Some(text.as_str()) } else { None })
        .collect();
    let others = values.iter().filter_map(|value| match value {
        Scalar::Text(_) => None,
        Scalar::Number(number) => Some(json!({ "key": key, "range": { "gte": number, "lte": number } })),
        Scalar::Bool(bool) => Some(json!({ "key": key, "match": { "value": bool } })),
    });
    let texts = if texts.is_empty() { None } else { Some(json!({ "key": key, "match": { "any": texts } })) };
    texts.into_iter().chain(others).collect()
}

/// Where metadata of this key is: always quoted, so that a dot or a bracket in it is no step of the path.
pub(super) fn path(key: &str) -> String {
    format!("metadata.\"{}\"", escaped(key))
}

/// A path has no way to say a quotation mark, so that keys are kept without.
fn escaped(key: &str) -> String {
    key.replace('%', "%25").replace('"', "%22").replace('\\', "%5C")
}

/// Metadata as it is kept.
pub(super) fn kept(metadata: &Map<String, Value>) -> Map<String, Value> {
    metadata.iter().map(|(key, value)| (escaped(key), value.clone())).collect()
}

/// Metadata as it was.
pub(super) fn given(metadata: Map<String, Value>) -> Map<String, Value> {
    let given = |key: String| key.replace("%5C", "\\").replace("%22", "\"").replace("%25", "%");
    metadata.into_iter().map(|(key, value)| (given(key), value)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn conditions_read_like_this() {
        let filter = json!({"type": "and", "filters": [
            {"type": "in", "key": "lang", "value": ["en", 7, true, "de"]},
            {"type": "ne", "key": "a.b[0]\"", "value": "x"},
            {"type": "or", "filters": [{"type": "gt", "key": "year", "value": 2020}, {"type": "lte", "key": "year", "value": 1.5}]},
        ]});
        let filter = Filter::parse(&filter).unwrap();
        let expected = json!({"must": [{"key": "tenant", "match": {"value": "acme"}}, {"must": [
            {"should": [
                {"key": "metadata.\"lang\"", "match": {"any": ["en", "de"]}},
                {"key": "metadata.\"lang\"", "range": {"gte": 7.0, "lte": 7.0}},
                {"key": "metadata.\"lang\"", "match": {"value": true}}]},
            {"must_not": [{"key": "metadata.\"a.b[0]%22\"", "match": {"any": ["x"]}}]},
            {"should": [
                {"key": "metadata.\"year\"", "range": {"gt": 2020.0}},
                {"key": "metadata.\"year\"", "range": {"lte": 1.5}}]},
        ]}]});
        assert_eq!(fitting(&"acme".parse().unwrap(), Some(&filter)), expected);
    }

    proptest! {
        #[test]
        fn keys_come_back_as_they_went(key in "[%\"\\\\25C.a]{0,12}") {
            let metadata: Map<String, Value> = [(key, Value::from(1))].into_iter().collect();
            let there = kept(&metadata);
            prop_assert!(there.keys().all(|key| !key.contains(['"', '\\'])));
            prop_assert_eq!(given(there), metadata);
        }
    }
}
