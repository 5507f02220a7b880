//! HTTP for the S3 client: hyper with the TLS and the roots of everything else here, where the client would bring its
//! own. An answer that is none of success becomes a [`Refusal`] here, where its head can still be seen.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chassis::tls::Roots;
use http::header::RETRY_AFTER;
use http::uri::Scheme;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use object_store::client::{
    HttpClient, HttpConnector as Connector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};

/// An error of S3 is a few lines of XML; more than this is not read.
const MAX_REFUSAL: usize = 64 << 10;

/// Makes clients.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    client: legacy::Client<HttpsConnector<HttpConnector>, HttpRequestBody>,
}

impl Transport {
    pub(super) fn new(roots: &Roots) -> Self {
        let https = HttpsConnectorBuilder::new().with_tls_config(roots.client(true)).https_or_http();
        let client = legacy::Client::builder(TokioExecutor::new()).build(https.enable_http1().build());
        Self { client }
    }
}

impl Connector for Transport {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|allowed| allowed == "true");
        Ok(HttpClient::new(Service { transport: self.clone(), plain }))
    }
}

#[derive(Debug)]
struct Service {
    transport: Transport,
    /// Whether credentials may go over HTTP without TLS.
    plain: bool,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !self.plain && request.uri().scheme() != Some(&Scheme::HTTPS) {
            return Err(HttpError::new(HttpErrorKind::Unknown, NoTls));
        }
        let answer = self.transport.client.request(request).await;
        let answer = answer.map_err(|error| {
            let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Interrupted };
            HttpError::new(kind, error)
        })?;
        if !answer.status().is_success() {
            return Err(HttpError::new(HttpErrorKind::Unknown, Refusal::read(answer).await));
        }
        let interrupted = |error| HttpError::new(HttpErrorKind::Interrupted, error);
        Ok(answer.map(|body| HttpResponseBody::new(body.map_err(interrupted))))
    }
}

/// A token would have gone over the network for everybody to read.
#[derive(Debug, thiserror::Error)]
#[error("its address is not https://")]
struct NoTls;

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("status {status}")]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// What S3 calls it, such as `NoSuchKey`.
    pub(super) code: Option<String>,
    /// Where the bucket is.
    pub(super) region: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    async fn read(answer: Response<Incoming>) -> Self {
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_REFUSAL).collect().await.map(http_body_util::Collected::to_bytes);
        Self::of(head.status, &head.headers, &body.unwrap_or_default())
    }

    fn of(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Self {
        let text = String::from_utf8_lossy(body);
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let region = header("x-amz-bucket-region").and_then(word).or_else(|| element(&text, "Region"));
        let retry_after = header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
        Self { status, code: element(&text, "Code"), region, retry_after: retry_after.map(Duration::from_secs) }
    }
}

/// What is in the first element of this name.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    word(text)
}

/// It will be shown: anything else than a word is not what S3 sends.
fn word(text: &str) -> Option<String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (plain && !text.is_empty() && text.len() <= 64).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(headers: &[(&'static str, &'static str)], body: &'static str) -> Refusal {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Refusal::of(StatusCode::BAD_REQUEST, &headers, &Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn a_refusal_is_what_head_and_body_say() {
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        let told = refusal(&[("retry-after", "7")], body);
        assert_eq!(told.code.as_deref(), Some("AuthorizationHeaderMalformed"));
        assert_eq!(told.region.as_deref(), Some("eu-west-1"));
        assert_eq!(told.retry_after, Some(Duration::from_secs(7)));
        let head = refusal(&[("x-amz-bucket-region", "us-east-2"), ("retry-after", "tomorrow")], "");
        assert_eq!((head.region.as_deref(), head.code, head.retry_after), (Some("us-east-2"), None, None));
    }

    #[test]
    fn what_is_no_word_is_not_repeated() {
        for body in ["<Code>two words</Code>", "<Code></Code>", "<Code>open", "<html>", "<Code>\u{1b}[31m</Code>"] {
            assert_eq!(refusal(&[], body).code, None, "{body}");
        }
    }
}
