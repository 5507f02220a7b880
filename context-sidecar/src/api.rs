//! The endpoints: from a request to what answers it, and to an answer whatever becomes of it.

mod asked;
mod chat;
mod collections;
mod context;
mod conversations;
mod documents;
mod intake;
mod json;
mod openapi;
mod question;
pub(crate) mod render;
mod retrieve;
pub(crate) mod route;
mod series;
mod shapes;

use std::{sync::Arc, time::Duration};

use chassis::{clock, metrics::Metrics, shutdown::Drain};
use http::{HeaderValue, Request, Response, StatusCode, header::ALLOW};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

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

/// What every request shares.
#[derive(Debug)]
pub struct App {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) mcp: mcp::Door,
    pub(crate) series: Series,
    drain: Drain,
    gatekeeper: Gatekeeper,
    intake: intake::Intake,
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
        let (series, intake) = (Series::new(metrics), intake::Intake::new(settings.limits));
        crate::metrics::show(metrics, &pipeline);
        Arc::new_cyclic(|app| Self {
            pipeline,
            mcp: mcp::Door::new(app.clone(), &settings),
            settings,
            series,
            drain,
            gatekeeper,
            intake,
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
                answer = Box::pin(answer(app, route, id, request)) => answer,
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

/// Whose it is, what it says, whether there is room to answer it: then the route's own. A slot is taken last, so that none
/// is held for somebody who is still sending.
async fn answer(
    app: Arc<App>,
    route: &'static Route,
    id: Option<String>,
    request: Request<Incoming>,
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
    let query = asked::query(route, request.uri().query())?;
    let (parts, body) = request.into_parts();
    let taken = app.intake.take(body, &parts).await?;
    let _slot = app.slots.try_acquire().map_err(|_| busy(&app))?;
    // How long it took to arrive is nothing that the answer has to make up for.
    let asked = Asked { tenant, parts, body: taken.body.clone(), id, query, started: clock::now() };
    (route.answer)(Arc::clone(&app), asked).await
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
