//! `POST /v1/retrieve`: the best passages for a question.

use std::sync::Arc;

use http::{Method, Response};

use super::{App, Asked, Options, Route, question, render, shapes};
use crate::{body::Body, failure::Failure, question::Marks};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: "/v1/retrieve",
    name: "retrieve",
    about: "The best passages for a question, and packed into a context where `max_tokens` is given.",
    open: false,
    writes: false,
    query: &[],
    takes: Some(|generator| generator.subschema_for::<Options>()),
    gives: Some(|generator| generator.subschema_for::<shapes::Answer>()),
    answer: |app, asked| Box::pin(retrieve(app, asked)),
}];

async fn retrieve(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let options: Options = asked.json()?;
    let (scope, question) = question(&app, &asked, &options, Marks::Numbers, None)?;
    let call = asked.call(question.timeout);
    let answer = app.pipeline.retrieve(&scope, &question, &call).await?;
    render::json(&*answer)
}
