//! The JSON Schema of the file, as editors are given it, and what it has to say of files that are good and bad.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use serde_json::Value;

#[test]
fn the_schema_is_the_committed_one() {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("schema", ambassador_config::schema());
    });
}

#[test]
fn every_object_is_closed_and_every_field_explained() {
    fn walk(path: &str, schema: &Value, seen: &mut usize) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            assert_eq!(schema["additionalProperties"], false, "{path} takes unknown keys");
            for (name, property) in properties {
                *seen += 1;
                assert!(property["description"].is_string(), "{path}.{name} is not explained");
            }
        }
        let children: Vec<(String, &Value)> = match schema {
            Value::Object(map) => map.iter().map(|(name, child)| (name.clone(), child)).collect(),
            Value::Array(list) => list.iter().enumerate().map(|(i, child)| (i.to_string(), child)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for (name, child) in children {
            walk(&format!("{path}/{name}"), child, seen);
        }
    }
    let mut seen = 0;
    walk("", &serde_json::from_str(&ambassador_config::schema()).unwrap(), &mut seen);
    assert!(seen > 25, "only {seen} fields");
}
