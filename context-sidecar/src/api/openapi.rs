//! `GET /openapi.json`: what is served, made of the table by which it is served.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Method, Response};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    documents, render,
    route::{self, Parameter, Parameters, Route},
};
use crate::body::Body;

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/openapi.json",
    name: "openapi",
    about: "This document.",
    open: true,
    writes: false,
    query: &[],
    takes: None,
    gives: Some(|_| schemars::json_schema!({"type": "object"})),
    answer: |_, _| Box::pin(async { Ok(served()) }),
}];

/// An error.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "it is told, and never made")]
struct Error {
    /// What went wrong.
    error: Told,
}

/// What went wrong.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "it is told, and never made")]
struct Told {
    /// What kind of error it is, for machines: `invalid_request_error`.
    r#type: String,
    /// What, where, and what to do, for people.
    message: String,
    /// Which field it is about.
    #[schemars(required, extend("type" = ["string", "null"]))]
    param: Option<String>,
}

/// The document, as it is served.
pub(super) fn served() -> Response<Body> {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());
    render::whole(DOCUMENT.clone())
}

/// The document.
fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = SchemaGenerator::new(settings);
    let mut paths: Map<String, Value> = Map::new();
    for route in route::all() {
        let operation = operation(route, &mut generator);
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = methods {
            methods.insert(route.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    let _ = generator.subschema_for::<Error>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "context-sidecar",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The right passages for an agent's prompt, within the budget, from the right tenant.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "tenant": {"type": "apiKey", "in": "header", "name": crate::scope::TENANT},
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    if let Some((_, rest)) = route.path.split_once('{') {
        let name = rest.split('}').next().unwrap_or_default();
        parameters.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    }
    parameters.extend(route.query.iter().map(|Parameter { name, about, kind }| {
        let schema = match kind {
            Parameters::Text => json!({"type": "string"}),
            Parameters::UpTo(most) => json!({"type": "integer", "minimum": 1, "maximum": most}),
        };
        json!({"name": name, "in": "query", "description": about, "schema": schema})
    }));
    let content = |schema: Value| json!({"application/json": {"schema": schema}});
    let error = json!({
        "description": "Why there is no answer.",
        "content": content(json!({"$ref": "#/components/schemas/Error"})),
    });
    let mut good = json!({"description": "The answer."});
    if let (Some(gives), Value::Object(good)) = (route.gives, &mut good) {
        good.insert("content".to_owned(), content(gives(generator).to_value()));
    }
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.about,
        "parameters": parameters,
        "responses": {"200": good, "4XX": error, "5XX": error},
        // The tenant is the sidecar's own, or named and proven.
        "security": if route.open { json!([]) } else { json!([{}, {"token": [], "tenant": []}]) },
    });
    // What is in a protocol of its own: not all of its messages have an answer.
    if route.takes.is_some()
        && route.gives.is_none()
        && let Some(Value::Object(responses)) = operation.get_mut("responses")
    {
        responses.insert("202".to_owned(), json!({"description": "It was taken; there is no answer to it."}));
    }
    if let (Some(takes), Value::Object(operation)) = (route.takes, &mut operation) {
        let mut content = content(takes(generator).to_value());
        // Files are taken as they are.
        if let (true, Value::Object(content)) = (route.name == "put_documents", &mut content) {
            content
                .extend(documents::upload::TYPES.map(|kind| (kind.to_owned(), json!({"schema": {"type": "string"}}))));
        }
        let body = json!({"required": true, "content": content});
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}
