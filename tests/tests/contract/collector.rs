//! A collector: OTLP over HTTP, as much as it takes to hear every span and every gauge.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use opentelemetry_proto::tonic::trace::v1::{self as otlp, span::SpanKind, status::StatusCode};
use prost::Message;
use tokio::net::TcpListener;

/// A collector that listens as long as its test runs.
pub(crate) struct Collector {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Span>>>,
    gauges: Arc<Mutex<Vec<Gauge>>>,
}

/// One value of a gauge: its name, its attributes in their order, and how much of it there is.
pub(crate) type Gauge = (String, Vec<(String, String)>, f64);

/// One span.
#[derive(Debug, Clone)]
pub(crate) struct Span(otlp::Span);

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<Span>>>::default();
        let gauges = Arc::<Mutex<Vec<Gauge>>>::default();
        let (spans, values) = (Arc::clone(&heard), Arc::clone(&gauges));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (spans, values) = (Arc::clone(&spans), Arc::clone(&values));
                let service = service_fn(move |request| take(request, Arc::clone(&spans), Arc::clone(&values)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, heard, gauges }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` has to be.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was told of gauges, in the order of their names.
    pub(crate) fn gauges(&self) -> Vec<Gauge> {
        let mut gauges = self.gauges.lock().unwrap().clone();
        gauges.sort_by(|one, other| one.0.cmp(&other.0));
        gauges
    }

    /// All spans, in the order in which they came.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.heard.lock().unwrap().clone()
    }

    /// The requests' spans, in the order in which they began.
    pub(crate) fn requests(&self) -> Vec<Span> {
        self.of_kind(SpanKind::Server)
    }

    /// The spans of the attempts at providers within a request, in the order in which they began.
    pub(crate) fn attempts(&self, request: &Span) -> Vec<Span> {
        let mut attempts = self.of_kind(SpanKind::Client);
        attempts.retain(|span| span.0.parent_span_id == request.0.span_id && span.trace() == request.trace());
        attempts
    }

    /// Everything that was told.
    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.heard.lock().unwrap())
    }

    fn of_kind(&self, kind: SpanKind) -> Vec<Span> {
        let mut spans = self.heard.lock().unwrap().clone();
        spans.retain(|span| span.0.kind() == kind);
        spans.sort_by_key(|span| span.0.start_time_unix_nano);
        spans
    }
}

async fn take(
    request: Request<Incoming>,
    spans: Arc<Mutex<Vec<Span>>>,
    gauges: Arc<Mutex<Vec<Gauge>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_metrics = request.uri().path() == "/v1/metrics";
    let body = request.into_body().collect().await.unwrap().to_bytes();
    if is_metrics {
        gauges.lock().unwrap().extend(values(&ExportMetricsServiceRequest::decode(body).unwrap()));
        return Ok(Response::default());
    }
    let export = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = export.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    spans.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans).map(Span));
    Ok(Response::default())
}

fn values(export: &ExportMetricsServiceRequest) -> Vec<Gauge> {
    let scopes = export.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let mut values = Vec::new();
    for metric in scopes.flat_map(|scope| &scope.metrics) {
        let Some(Data::Gauge(gauge)) = &metric.data else { panic!("{metric:?} is no gauge") };
        for point in &gauge.data_points {
            let Some(number_data_point::Value::AsDouble(value)) = point.value else { panic!("{point:?}") };
            let text = |value: &Value| {
                let Value::StringValue(text) = value else { panic!("{value:?} is no text") };
                text.clone()
            };
            let mut attributes: Vec<(String, String)> = point
                .attributes
                .iter()
                .map(|it| (it.key.clone(), text(it.value.as_ref().unwrap().value.as_ref().unwrap())))
                .collect();
            attributes.sort();
            values.push((metric.name.clone(), attributes, value));
        }
    }
    values
}

impl Span {
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn trace(&self) -> String {
        hex(&self.0.trace_id)
    }

    pub(crate) fn id(&self) -> String {
        hex(&self.0.span_id)
    }

    pub(crate) fn parent(&self) -> String {
        hex(&self.0.parent_span_id)
    }

    pub(crate) fn lasted(&self) -> Duration {
        Duration::from_nanos(self.0.end_time_unix_nano - self.0.start_time_unix_nano)
    }

    pub(crate) fn is_error(&self) -> bool {
        self.0.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
    }

    /// An attribute that is a text; empty where there is none.
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> String {
        let Some(value) = self.attribute(name) else { return String::new() };
        let Value::StringValue(text) = value else { panic!("{name} is {value:?}") };
        text
    }

    /// An attribute that is a number.
    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        let value = self.attribute(name)?;
        let Value::IntValue(number) = value else { panic!("{name} is {value:?}") };
        Some(number)
    }

    /// An attribute; told twice it is a fault.
    #[track_caller]
    fn attribute(&self, name: &str) -> Option<Value> {
        let mut values = self.0.attributes.iter().filter(|attribute| attribute.key == name);
        let value = values.next().and_then(|attribute| attribute.value.as_ref()?.value.clone());
        assert!(values.next().is_none(), "{name} twice in {self:?}");
        value
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
