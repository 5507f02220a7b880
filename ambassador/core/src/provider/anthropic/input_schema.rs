//! A tool's parameters as this API takes them: one object, without a union at the top.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

const UNIONS: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// References to references are followed this far.
const LONGEST_CHAIN: usize = 16;

/// So many variants are looked at for one tool. Definitions that refer to each other can stand for more variants than
/// there is time, and for endlessly many where they go in a circle.
const MOST_VARIANTS: usize = 256;

/// The input schema for `parameters`, and whether it says less than they did; `None` where arguments are no object.
pub(super) fn input_schema(parameters: &Map<String, Value>) -> Option<(Cow<'_, Map<String, Value>>, bool)> {
    let Some(target) = resolve(parameters, parameters) else {
        // A reference that leads nowhere says nothing, and the API may well refuse it.
        return Some((Cow::Owned(Map::from_iter([("type".to_owned(), json!("object"))])), true));
    };
    let referred = !std::ptr::eq(target, parameters);
    let has_union = UNIONS.iter().any(|keyword| target.contains_key(*keyword));
    match target.get("type") {
        Some(kind) if kind == "object" && !has_union && !referred => return Some((Cow::Borrowed(parameters), false)),
        Some(kind) if !may_be_object(kind) => return None,
        _ => {}
    }
    let mut schema = target.clone();
    if referred {
        let definitions = ["$defs", "definitions"].into_iter().filter_map(|place| parameters.get_key_value(place));
        schema.extend(definitions.map(|(place, definitions)| (place.clone(), definitions.clone())));
    }
    if schema.is_empty() {
        schema.insert("properties".to_owned(), json!({}));
    }
    schema.insert("type".to_owned(), json!("object"));
    if has_union {
        for keyword in UNIONS {
            schema.remove(keyword);
        }
        // Where there are too many variants, only the outline stands.
        let shape = Overlay { root: parameters, left: MOST_VARIANTS }.shape(target).unwrap_or_default();
        schema.insert("properties".to_owned(), shape.properties.into());
        schema.insert("required".to_owned(), shape.required.into_iter().map(Value::from).collect());
    }
    Some((Cow::Owned(schema), has_union))
}

fn may_be_object(kind: &Value) -> bool {
    kind == "object" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"))
}

/// What the fields of an object may be.
#[derive(Debug, Default)]
struct Shape {
    properties: Map<String, Value>,
    required: Vec<String>,
}

struct Overlay<'s> {
    root: &'s Map<String, Value>,
    /// How many more variants are looked at.
    left: usize,
}

impl<'s> Overlay<'s> {
    /// The shape that `schema` has with its variants laid over one another: every field that some variant knows,
    /// required only where all variants agree. It admits all that the union did and more, so a call that was right
    /// stays right.
    fn shape(&mut self, schema: &'s Map<String, Value>) -> Option<Shape> {
        let mut shape = Shape::default();
        if let Some(Value::Object(properties)) = schema.get("properties") {
            shape.properties = properties.clone();
        }
        if let Some(Value::Array(required)) = schema.get("required") {
            shape.required = required.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        let own: Vec<String> = shape.properties.keys().cloned().collect();
        for keyword in UNIONS {
            let Some(Value::Array(variants)) = schema.get(keyword) else { continue };
            let variants = self.variants(variants)?;
            let all = keyword == "allOf";
            for name in variants.iter().flat_map(|variant| &variant.required) {
                let agreed = all || variants.iter().all(|variant| variant.required.contains(name));
                if agreed && !shape.required.contains(name) {
                    shape.required.push(name.clone());
                }
            }
            // What stands beside the union holds for all variants, so it is not widened by them.
            for (name, property) in variants.into_iter().flat_map(|variant| variant.properties) {
                if !own.contains(&name) {
                    overlay(&mut shape.properties, name, property, if all { "allOf" } else { "anyOf" });
                }
            }
        }
        Some(shape)
    }

    /// The shapes of those variants that arguments can have: objects.
    fn variants(&mut self, variants: &'s [Value]) -> Option<Vec<Shape>> {
        let mut shapes = Vec::new();
        for variant in variants {
            self.left = self.left.checked_sub(1)?;
            let Some(variant) = variant.as_object().and_then(|variant| resolve(variant, self.root)) else { continue };
            if variant.get("type").is_none_or(may_be_object) {
                shapes.push(self.shape(variant)?);
            }
        }
        Some(shapes)
    }
}

/// Adds one more way in which a field may look.
fn overlay(properties: &mut Map<String, Value>, name: String, property: Value, keyword: &str) {
    let Some(known) = properties.get_mut(&name) else {
        properties.insert(name, property);
        return;
    };
    if *known == property {
        return;
    }
    match known.get_mut(keyword).and_then(Value::as_array_mut) {
        Some(ways) if ways.contains(&property) => {}
        Some(ways) => ways.push(property),
        None => *known = json!({ keyword: [known.take(), property] }),
    }
}

/// The schema itself, or what it refers to within `root`.
fn resolve<'a>(mut schema: &'a Map<String, Value>, root: &'a Map<String, Value>) -> Option<&'a Map<String, Value>> {
    for _ in 0..LONGEST_CHAIN {
        let Some(reference) = schema.get("$ref") else { return Some(schema) };
        let (place, name) = reference.as_str()?.strip_prefix("#/")?.split_once('/')?;
        schema = root.get(place)?.get(name)?.as_object()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(parameters: &Value) -> Option<(Value, bool)> {
        input_schema(parameters.as_object().unwrap()).map(|(schema, less)| (schema.into_owned().into(), less))
    }

    #[test]
    fn an_object_schema_passes_as_it_is() {
        let schema = json!({"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}]}}, "x": 1});
        assert!(matches!(input_schema(schema.as_object().unwrap()), Some((Cow::Borrowed(_), false))));
    }

    #[test]
    fn what_is_missing_is_added() {
        assert_eq!(converted(&json!({})), Some((json!({"type": "object", "properties": {}}), false)));
        let bare = json!({"properties": {"a": {}}});
        assert_eq!(converted(&bare), Some((json!({"type": "object", "properties": {"a": {}}}), false)));
        assert_eq!(converted(&json!({"type": ["object", "null"]})), Some((json!({"type": "object"}), false)));
        assert_eq!(converted(&json!({"type": "string"})), None);
        assert_eq!(converted(&json!({"type": 5})), None);
    }

    #[test]
    fn a_reference_at_the_top_is_followed() {
        let definitions =
            json!({"A": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}}, "B": {"type": "null"}});
        let (got, less) = converted(&json!({"$ref": "#/$defs/A", "$defs": definitions})).unwrap();
        assert_eq!(got, json!({"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}, "$defs": definitions}));
        assert!(!less);
        assert_eq!(converted(&json!({"$ref": "#/$defs/B", "$defs": definitions})), None);
        assert_eq!(converted(&json!({"$ref": "elsewhere.json"})), Some((json!({"type": "object"}), true)));
    }

    #[test]
    fn variants_are_laid_over_one_another() {
        let schema = json!({
            "$defs": {"B": {"type": "object", "properties": {"kind": {"const": "b"}, "b": {"type": "null"}}, "required": ["kind", "b"]}},
            "properties": {"id": {"type": "string"}}, "required": ["id"],
            "oneOf": [
                {"type": "object", "properties": {"kind": {"const": "a"}, "id": {"const": "x"}}, "required": ["kind"]},
                {"$ref": "#/$defs/B"},
                {"anyOf": [{"properties": {"kind": {"const": "c"}}, "required": ["kind"]}]},
                {"type": "null"},
            ],
        });
        let (got, less) = converted(&schema).unwrap();
        assert!(less);
        assert_eq!(got["type"], "object");
        assert_eq!(got["required"], json!(["id", "kind"]));
        assert_eq!(
            got["properties"],
            json!({
                "id": {"type": "string"}, "b": {"type": "null"},
                "kind": {"anyOf": [{"const": "a"}, {"const": "b"}, {"const": "c"}]},
            })
        );
        assert!(UNIONS.iter().all(|keyword| got.get(*keyword).is_none()));
    }

    #[test]
    fn what_all_of_asks_for_is_asked_for_together() {
        let schema =
            json!({"allOf": [{"properties": {"a": {"type": "null"}}, "required": ["a"]}, {"required": ["b"]}]});
        let (got, _) = converted(&schema).unwrap();
        assert_eq!(got, json!({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a", "b"]}));
    }

    #[test]
    fn a_reference_in_a_circle_ends() {
        let schema = json!({"anyOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}]}}});
        assert_eq!(converted(&schema).unwrap().0["properties"], json!({}));
        let schema = json!({"anyOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"$ref": "#/$defs/A"}}});
        assert_eq!(converted(&schema).unwrap().0["properties"], json!({}));
    }
}
