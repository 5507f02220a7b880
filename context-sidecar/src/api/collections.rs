//! `/v1/collections`: where a tenant has documents.

use std::sync::Arc;

use http::{Method, Response};
use serde::Serialize;

use super::{App, Asked, Route, render, shapes};
use crate::{body::Body, failure::Failure, ingest::OfTenant};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/v1/collections",
    name: "list_collections",
    about: "The collections in which this tenant has documents, with how many chunks.",
    open: false,
    writes: false,
    query: &[],
    takes: None,
    gives: Some(|generator| generator.subschema_for::<shapes::Collections>()),
    answer: |app, asked| Box::pin(list(app, asked)),
}];

#[derive(Serialize)]
struct Listed {
    collections: Vec<OfTenant>,
}

async fn list(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let call = asked.call(app.settings.limits.timeout);
    render::json(&Listed { collections: app.pipeline.collections(&asked.tenant, &call).await? })
}
