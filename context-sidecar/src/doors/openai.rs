//! OpenAI's search of a vector store, `POST /v1/vector_stores/{id}/search`: the id is the collection's name.
//!
//! A `score_threshold` is a minimum of the reranker's score where there is one, and of the cosine similarity where not: what
//! ranks is fused, and has no scale. The `score` of a result is from 0 to 1 and never rises (see `answer/worth.rs`). The
//! rankers that can be named are OpenAI's; ours is the one that is set up. What could not be done is told in headers.

use std::sync::Arc;

use http::{Method, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    answer::Found,
    api::{App, Asked, Route, checked, filter, render, scope},
    body::Body,
    failure::{Failure, Kind},
    object::object,
    wishes::{Fusion, MinScore, Weights, Wishes},
};

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: "/v1/vector_stores/{id}/search",
    name: "search_vector_store",
    about: "OpenAI's search of a vector store; the id is the name of a collection.",
    open: false,
    writes: false,
    query: &[],
    takes: Some(|generator| generator.subschema_for::<Search>()),
    gives: Some(|generator| generator.subschema_for::<Page>()),
    answer: |app, asked| Box::pin(search(app, asked)),
}];

/// What is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// What is looked for; several texts are looked for together.
    query: Texts,
    /// Which documents.
    #[serde(default)]
    filters: Option<Value>,
    /// How many results, from 1 to 50. Default: 10.
    #[serde(default)]
    max_num_results: Option<usize>,
    /// The least that is good enough.
    #[serde(default, deserialize_with = "object")]
    #[schemars(with = "Option<Ranking>")]
    ranking_options: Option<Ranking>,
    /// Taken, and not heeded: the query is looked for as it is.
    #[serde(default)]
    #[allow(dead_code, reason = "it is taken, and not heeded")]
    rewrite_query: Option<bool>,
}

/// One text, or several.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a text, or a list of texts")]
enum Texts {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// The least that is good enough.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ranking {
    /// `none` switches the reranker off.
    #[serde(default)]
    ranker: Option<String>,
    /// From 0 to 1.
    #[serde(default)]
    score_threshold: Option<f32>,
    /// What each leg of the search counts.
    #[serde(default, deserialize_with = "object")]
    #[schemars(with = "Option<Hybrid>")]
    hybrid_search: Option<Hybrid>,
}

/// What each leg of the search counts; one of them must be above 0.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Hybrid {
    /// By meaning.
    embedding_weight: f32,
    /// By words.
    text_weight: f32,
}

/// What was found.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Page {
    /// `vector_store.search_results.page`
    object: &'static str,
    /// What was looked for.
    search_query: Vec<String>,
    /// Best first.
    data: Vec<Item>,
    /// There is one page.
    has_more: bool,
    /// There is one page.
    #[schemars(required, extend("type" = ["string", "null"]))]
    next_page: Option<String>,
}

/// A passage.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Item {
    /// The document's id.
    file_id: String,
    /// The document's title, or else its address, or else its id.
    filename: String,
    /// What it is worth, from 0 to 1; never more than the one before it.
    score: f32,
    /// What is known of the document; a list is one text.
    attributes: Map<String, Value>,
    /// The passage.
    content: Vec<Content>,
}

/// A piece of text.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Content {
    /// `text`
    r#type: &'static str,
    /// It.
    text: String,
}

fn invalid(param: &str, message: &str) -> Failure {
    Failure::new(Kind::Invalid, message).about(param)
}

async fn search(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let search: Search = asked.json()?;
    let scope = scope(&app, asked.tenant.clone(), asked.id.as_deref(), "vector_store_id")?;
    let queries = match search.query {
        Texts::One(query) => vec![query],
        Texts::Several(queries) => queries,
    };
    let query = queries.join("\n");
    checked(&app, &query)?;
    let top_k = search.max_num_results.unwrap_or(10);
    if !(1..=50).contains(&top_k) {
        return Err(invalid("max_num_results", "It must be from 1 to 50."));
    }
    let ranking = search.ranking_options;
    let threshold = ranking.as_ref().and_then(|ranking| ranking.score_threshold);
    if threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
        return Err(invalid("ranking_options.score_threshold", "It must be a number from 0 to 1."));
    }
    let own_fusion =
        ranking.as_ref().and_then(|ranking| ranking.hybrid_search).map(|Hybrid { embedding_weight, text_weight }| {
            let weights = Weights { dense: Some(embedding_weight), lexical: Some(text_weight) };
            Fusion { weights: Some(weights), ..app.settings.retrieval.fusion.unwrap_or_default() }
        });
    let unranked = ranking.and_then(|ranking| ranking.ranker).is_some_and(|ranker| ranker == "none");
    let reranked = app.settings.rerank.is_some() && !unranked && app.settings.retrieval.rerank != Some(false);
    let min_score = threshold.filter(|threshold| *threshold > 0.0).map(|threshold| {
        let least = MinScore::default();
        if reranked {
            MinScore { rerank: Some(threshold), ..least }
        } else {
            MinScore { dense: Some(threshold), ..least }
        }
    });
    let rerank = unranked.then_some(false);
    let own = Wishes { top_k: Some(top_k), min_score, rerank, fusion: own_fusion, ..Wishes::default() };
    if let Some((field, message)) = own.faults().into_iter().next() {
        let field = match field {
            "fusion.weights.dense" => "ranking_options.hybrid_search.embedding_weight",
            "fusion.weights.lexical" => "ranking_options.hybrid_search.text_weight",
            "fusion.weights" => "ranking_options.hybrid_search",
            field => field,
        };
        return Err(invalid(field, &format!("It {message}.")));
    }
    let wishes = own.over(&app.settings.retrieval);
    let timeout = app.settings.limits.timeout;
    let mut question = wishes.question(query, timeout);
    question.filter = filter(&app, &scope.collection, search.filters.as_ref(), "filters")?;
    let answer = app.pipeline.retrieve(&scope, &question, &asked.call(timeout)).await?;
    let page = render::json(&Page {
        object: "vector_store.search_results.page",
        search_query: queries,
        data: answer.results.iter().zip(answer.worths()).map(item).collect(),
        has_more: false,
        next_page: None,
    })?;
    Ok(render::with(page, render::about(&answer)))
}

fn item((found, score): (&Found, f32)) -> Item {
    let filename = found.title.as_ref().or(found.url.as_ref()).unwrap_or(&found.document_id);
    Item {
        file_id: found.document_id.clone(),
        filename: filename.clone(),
        score,
        attributes: found.metadata.iter().filter_map(|(key, value)| Some((key.clone(), attribute(value)?))).collect(),
        content: vec![Content { r#type: "text", text: found.text.clone() }],
    }
}

/// A value as OpenAI's attributes have it.
fn attribute(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Some(value.clone()),
        Value::Array(members) => {
            let texts = members.iter().map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
            Some(Value::String(texts.collect::<Vec<_>>().join(", ")))
        }
        Value::Null | Value::Object(_) => None,
    }
}
