//! The list of models: what this ambassador routes. No provider is asked.

use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::render::{self, json};
use crate::{body::Body, failure::Failure, gateway::Gateway};

#[derive(Serialize)]
struct List {
    object: &'static str,
    data: Vec<Model>,
}

#[derive(Serialize)]
struct Model {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: String,
}

/// `GET /v1/models` and `GET /v1/models/{model}`.
pub(super) fn models(gateway: &Gateway, path: &str) -> Response<Body> {
    // Names hold slashes, and SDKs encode them.
    let path = percent_decode_str(path).decode_utf8_lossy();
    let wanted = path.strip_prefix("/v1/models").unwrap_or_default().strip_prefix('/').unwrap_or_default();
    let listed = gateway.router.models().into_iter();
    let mut data: Vec<Model> =
        listed.map(|(id, owned_by)| Model { id, object: "model", created: 0, owned_by }).collect();
    let body = if wanted.is_empty() {
        serde_json::to_vec(&List { object: "list", data })
    } else {
        data.retain(|model| model.id == wanted);
        let Some(model) = data.first() else {
            let message = format!("The model '{wanted}' is not listed.");
            let failure = Failure::new(StatusCode::NOT_FOUND, "invalid_request_error", message);
            return render::failure(&failure.with_code("model_not_found"));
        };
        serde_json::to_vec(model)
    };
    // Strings and numbers always serialise.
    json(body.unwrap_or_default())
}
