//! The endpoints: from a request to what answers it, and to an answer whatever becomes of it.

mod asked;
mod collections;
mod context;
mod conversations;
mod documents;
mod json;
mod openapi;
mod question;
pub(crate) mod render;
mod retrieve;
pub(crate) mod route;
mod series;
mod shapes;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chassis::{clock, metrics::Metrics, shutdown::Drain};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH},
    request::Parts,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::{sync::Semaphore, time::timeout};

pub(crate) use self::{
    asked::{Asked, filter, scope},
    json::read as read_json,
    question::{Options, checked, question},
    route::Route,
    series::Series,
};
use crate::{
    body::Body,
    config::Settings,
    doors::mcp,
    failure::{Failure, Kind},
    pipeline::Pipeline,
    scope::Gatekeeper,
    trace,
};

/// How long a request's body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// What every request shares.
#[derive(Debug)]
pub struct App {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) mcp: mcp::Door,
    pub(crate) series: Series,
    drain: Drain,
    gatekeeper: Gatekeeper,
    slots: Semaphore,
}

impl App {
    /// All that is served of a pipeline, by these settings.
    #[must_use]
    pub fn new(
        pipeline: Arc<Pipeline>,
        settings: Arc<Settings>,
        gatekeeper: Gatekeeper,
        metrics: &Metrics,
        drain: Drain,
    ) -> Arc<Self> {
        let slots = Semaphore::new(settings.limits.max_in_flight.min(Semaphore::MAX_PERMITS));
        let series = Series::new(metrics);
        Arc::new_cyclic(|app| Self {
            pipeline,
            mcp: mcp::Door::new(app.clone(), &settings, &drain),
            settings,
            series,
            drain,
            gatekeeper,
            slots,
        })
    }

    /// How long what concerns documents may take: each of their chunks is embedded.
    pub(crate) fn ingest_within(&self) -> Duration {
        self.settings.embeddings.as_ref().map_or(Duration::from_secs(60), |embeddings| embeddings.timeout)
    }
}

/// Answers a request. It never fails: a failure is an answer, too.
pub async fn handle(app: Arc<App>, request: Request<Incoming>) -> Response<Body> {
    let started = clock::now();
    let (drain, series) = (app.drain.clone(), app.series.clone());
    let request_id = chassis::http::id_of(request.headers()).to_owned();
    let routes = route::at(request.uri().path());
    let found = routes.iter().find(|(route, _)| route.method == *request.method()).cloned();
    let name = found.as_ref().map_or("none", |(route, _)| route.name);
    trace::names(name);
    let _busy = series.busy();
    let response = match found {
        None => unknown(&request, &routes),
        Some((route, id)) => {
            let answer = tokio::select! {
                biased;
                // First: nothing is begun after the grace has ended.
                () = drain.hurried() => Err(stopping()),
                // Boxed: its state is some kilobytes, which every future around it would copy on its way into place.
                answer = Box::pin(answer(app, route, id, request, started)) => answer,
            };
            answer.unwrap_or_else(|failure| render::failure(&failure))
        }
    };
    let (status, took) = (response.status(), clock::now().saturating_duration_since(started));
    series.answered(name, status, took);
    let (status, millis) = (status.as_u16(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    if response.status().is_server_error() {
        tracing::warn!(route = name, status, millis, request_id, "not answered");
    } else {
        tracing::debug!(route = name, status, millis, request_id, "answered");
    }
    response
}

/// Whose it is, whether there is room for it, what it says: then the route's own.
async fn answer(
    app: Arc<App>,
    route: &'static Route,
    id: Option<String>,
    request: Request<Incoming>,
    started: Instant,
) -> Result<Response<Body>, Failure> {
    if route.open {
        return Ok(openapi::served());
    }
    crate::scope::refuse_pages(request.headers())?;
    let tenant = app.gatekeeper.tenant(request.headers())?;
    if route.writes && !app.settings.ingest.allow_write {
        let message = "This sidecar takes no documents and removes none (ingest.allow_write is false).";
        return Err(Failure::new(Kind::Forbidden, message));
    }
    let _slot = app.slots.try_acquire().map_err(|_| busy(&app))?;
    let query = asked::query(route, request.uri().query())?;
    let (parts, body) = request.into_parts();
    let body = read(body, &parts, app.settings.limits.max_body).await?;
    let asked = Asked { tenant, parts, body, id, query, started };
    (route.answer)(Arc::clone(&app), asked).await
}

/// All of a body.
async fn read(body: Incoming, parts: &Parts, most: usize) -> Result<Bytes, Failure> {
    let too_large =
        || Failure::new(Kind::TooLarge, format!("The request's body is larger than {most} bytes (limits.max_body)."));
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    if let Some(encoding) = parts.headers.get(CONTENT_ENCODING)
        && encoding.as_bytes() != b"identity"
    {
        return Err(Failure::new(Kind::Invalid, "The body is compressed: send it as it is.").about("content-encoding"));
    }
    match timeout(BODY_WITHIN, Limited::new(body, most).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Failure::new(Kind::Invalid, "The request's body broke off.")),
        Err(_) => {
            let message = format!("The request's body did not arrive within {BODY_WITHIN:?}.");
            Err(Failure::new(Kind::Late, message))
        }
    }
}

fn busy(app: &App) -> Failure {
    let most = app.settings.limits.max_in_flight;
    let message = format!("The sidecar is at its limit of {most} requests at once (limits.max_in_flight).");
    Failure::new(Kind::Busy, message)
}

/// The process ends before there was an answer.
fn stopping() -> Failure {
    let message = "The context-sidecar is being stopped, and there was no answer yet.";
    Failure::new(Kind::Unavailable, message)
}

/// No such path, or not by this method.
fn unknown(request: &Request<Incoming>, routes: &[(&'static Route, Option<String>)]) -> Response<Body> {
    let (method, path) = (request.method(), chassis::http::bounded(request.uri().path()));
    if routes.is_empty() {
        let message = format!("There is nothing at {path}; GET /openapi.json says what there is.");
        return render::failure(&Failure::new(Kind::NotFound, message));
    }
    let allowed: Vec<&str> = routes.iter().map(|(route, _)| route.method.as_str()).collect();
    let allowed = allowed.join(", ");
    let message = format!("{path} is not for {}; use {allowed}.", chassis::http::bounded(method.as_str()));
    let mut response = render::whole(render::body(Kind::Invalid.label(), &message, None));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    if let Ok(allowed) = HeaderValue::try_from(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}
