//! Files from an HTTP server, asked for once.
//!
//! Redirects are followed here and not by the client, since each step decides anew what may be sent and where to: see
//! `redirect`. A client speaks to one server: whoever is redirected to another gets one that knows no secret.

mod address;
mod auth;
mod body;
mod proxy;
mod redirect;
mod settings;
mod tls;
mod verdict;

pub use address::Names;
pub use settings::{Fault, HttpSettings};
pub use tls::Trust;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chassis::{clock, config::Environment, units::Size};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode, Url,
    header::{self, HeaderMap, HeaderName},
    redirect::Policy,
    retry,
};

use super::{Content, Fetched, Limits, Source};
use crate::{
    failure::{Failure, Retry},
    file::Tls,
};
use address::{Guard, Rules, System};
use auth::Credentials;
use body::{Collector, Encoding, Spoilt};
use proxy::Proxies;
use redirect::{Step, Trail, location};
use verdict::Login;

/// A server that sends nothing for so long is taken for dead.
const STALL: Duration = Duration::from_secs(15);

/// What is sent to another server than the configured one. Of the rest, nobody knows what it is worth.
const HARMLESS: [HeaderName; 3] = [header::ACCEPT, header::ACCEPT_LANGUAGE, header::USER_AGENT];

/// A file on an HTTP server.
pub struct Http {
    url: Url,
    headers: HeaderMap,
    credentials: Credentials,
    tls: Tls,
    trust: Trust,
    proxies: Proxies,
    allow_http_redirect: bool,
    rules: Rules,
    names: Arc<dyn Names>,
    stall: Duration,
}

impl Http {
    /// A source that reads the system's authorities for itself.
    ///
    /// # Errors
    /// Everything in the settings and the environment that makes no sense.
    pub fn new(settings: &HttpSettings, environment: &Environment) -> Result<Self, Vec<Fault>> {
        Self::sharing(settings, environment, Trust::of(environment))
    }

    /// A source that shares the system's authorities with others, so that they are read once.
    ///
    /// # Errors
    /// Everything in the settings and the environment that makes no sense.
    pub fn sharing(settings: &HttpSettings, environment: &Environment, trust: Trust) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let url = settings::url(&settings.url);
        let in_url = url.as_ref().ok().and_then(|(_, credentials)| credentials.clone());
        let url = url.map_err(|fault| faults.push(fault));
        let headers = settings::headers(&settings.headers).map_err(|more| faults.extend(more));
        let credentials = settings::credentials(settings, in_url).map_err(|fault| faults.push(fault));
        let certificates = settings::certificates(&settings.tls).map_err(|fault| faults.push(fault));
        let proxies = Proxies::choose(settings.proxy.as_deref(), environment).map_err(|more| faults.extend(more));
        let allowed = settings::networks(&settings.allow_addresses).map_err(|more| faults.extend(more));
        let (Ok((url, _)), Ok(headers), Ok(credentials), Ok(()), Ok(proxies), Ok(allowed)) =
            (url, headers, credentials, certificates, proxies, allowed)
        else {
            return Err(faults);
        };
        Ok(Self {
            url,
            headers,
            credentials,
            tls: settings.tls.clone(),
            trust,
            proxies,
            allow_http_redirect: settings.allow_http_redirect,
            rules: Rules::allowing(allowed),
            names: Arc::new(System),
            stall: STALL,
        })
    }

    /// The same, with another way to resolve names. Where they lead is looked at all the same.
    #[must_use]
    pub fn with_names(self, names: Arc<dyn Names>) -> Self {
        Self { names, ..self }
    }

    /// The same, with another time without a byte after which the server is taken for dead. Default: 15 s.
    #[must_use]
    pub fn with_stall(self, stall: Duration) -> Self {
        Self { stall, ..self }
    }

    async fn get(&self, known: Option<&str>, limits: Limits) -> Result<Option<Fetched>, Failure> {
        for proxy in self.proxies.urls() {
            let place = format!("{}: the proxy", self.location());
            self.rules.look_at(proxy).map_err(|forbidden| verdict::refused_address(&place, &forbidden))?;
        }
        let mut trail = Trail::starting(self.url.clone());
        let mut own = true;
        let mut client = self.client(&self.url, own)?;
        loop {
            let place = trail.place();
            self.rules.look_at(trail.here()).map_err(|forbidden| verdict::refused_address(&place, &forbidden))?;
            // A version is one of what the URL itself gave; what it leads to now may have another one of the same name.
            let known = known.filter(|_| trail.resolved().is_none());
            let request = self.dress(client.get(trail.here().clone()), own, known)?;
            let answer = request.send().await.map_err(|error| verdict::unanswered(&place, &error, self.stall))?;
            match (answer.status(), target(&answer)) {
                (StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION | StatusCode::NO_CONTENT, _) => {
                    let fetched = self.take(answer, &place, limits).await?;
                    return Ok(Some(Fetched { resolved: trail.resolved(), ..fetched }));
                }
                (StatusCode::NOT_MODIFIED, _) if known.is_some() => return Ok(None),
                (_, Some(target)) => {
                    if trail.follow(&target, self.allow_http_redirect)? == Step::Crossed {
                        own = false;
                        client = self.client(trail.here(), own)?;
                    }
                }
                (status, None) => {
                    let login = self.login(own);
                    return Err(verdict::refused(&place, status, answer.headers(), &login, clock::unix()));
                }
            }
        }
    }

    /// A client for the server of `url`; our `own` one is told who we are.
    fn client(&self, url: &Url, own: bool) -> Result<Client, Failure> {
        let needed = url.scheme() == "https" || !self.proxies.is_empty();
        let guard = Guard { names: Arc::clone(&self.names), rules: self.rules.clone() };
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config(&self.trust, &self.tls, needed, own)?)
            .user_agent(concat!("config-loader/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .retry(retry::never())
            .dns_resolver(guard)
            .connect_timeout(self.stall)
            .read_timeout(self.stall);
        self.proxies.apply(client).build().map_err(|error| {
            // Nothing in it depends on the world.
            Failure::new(chassis::exit::Code::Software, format!("{}: no HTTP client: {error}", location(url)))
        })
    }

    fn dress(&self, request: RequestBuilder, own: bool, known: Option<&str>) -> Result<RequestBuilder, Failure> {
        let harmless = |name: &HeaderName| own || HARMLESS.contains(name);
        let headers = self.headers.iter().filter(|(name, _)| harmless(name));
        let mut headers: HeaderMap = headers.map(|(name, value)| (name.clone(), value.clone())).collect();
        headers.insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("gzip"));
        // A date says less: what was replaced by something older has not been modified since.
        if let Some(value) =
            known.filter(|known| httpdate::parse_http_date(known).is_err()).and_then(|known| known.parse().ok())
        {
            headers.insert(header::IF_NONE_MATCH, value);
        }
        let request = request.headers(headers);
        if own { self.credentials.apply(request) } else { Ok(request) }
    }

    fn login(&self, own: bool) -> Login {
        let headers = self.headers.keys().find(|name| !HARMLESS.contains(name));
        let name = self.credentials.name().or_else(|| headers.map(|name| format!("the header {name}")));
        match name {
            None => Login::Nothing,
            Some(name) if own => Login::Sent(name),
            Some(_) => Login::HeldBack,
        }
    }

    async fn take(&self, mut answer: Response, place: &str, limits: Limits) -> Result<Fetched, Failure> {
        let text = |name: HeaderName| Some(answer.headers().get(name)?.to_str().ok()?.trim().to_owned());
        let version = text(header::ETAG).or_else(|| text(header::LAST_MODIFIED)).filter(|text| !text.is_empty());
        let media_type = text(header::CONTENT_TYPE)
            .and_then(|kind| Some(kind.split(';').next()?.trim().to_ascii_lowercase()))
            .filter(|kind| !kind.is_empty());
        let encoding = text(header::CONTENT_ENCODING).unwrap_or_default();
        let Some(encoding) = Encoding::named(&encoding) else {
            return Err(Failure::data(format!("{place}: is compressed in a way that was not asked for"))
                .with_hint("let the server send it as it is, or with gzip"));
        };
        let announced = answer.content_length();
        if let Some(bytes) = announced.filter(|bytes| *bytes > limits.file) {
            return Err(too_large(place, Some(bytes), &limits));
        }
        let mut charge = limits.budget.charge();
        // What is announced is reserved at once, so that nothing comes in vain.
        let mut held = usize::try_from(announced.unwrap_or_default()).unwrap_or(usize::MAX);
        charge.take(held).map_err(|failure| at(place, failure))?;
        let mut collector = Collector::new(encoding, limits.file, announced);
        let spoilt = |spoilt| match spoilt {
            Spoilt::TooLarge => too_large(place, None, &limits),
            Spoilt::NotGzip => Failure::data(format!("{place}: is announced as gzip, and is not, or not to its end"))
                .with_retry(Retry::Soon)
                .with_hint("let the server send it as it is, or compress it again"),
        };
        loop {
            let piece = answer.chunk().await;
            match piece.map_err(|error| verdict::broken_off(place, &error, collector.came(), self.stall))? {
                Some(piece) => {
                    collector.push(&piece).map_err(spoilt)?;
                    let more = collector.held().saturating_sub(held);
                    charge.take(more).map_err(|failure| at(place, failure))?;
                    held = held.saturating_add(more);
                }
                None => break,
            }
        }
        let bytes: Bytes = collector.finish().map_err(spoilt)?;
        charge.keep();
        Ok(Fetched { content: Content::File(bytes), version, resolved: None, media_type })
    }
}

/// Where an answer redirects to, if it does.
fn target(answer: &Response) -> Option<String> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let value = answer.headers().get(header::LOCATION)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The same, with its place.
fn at(place: &str, failure: Failure) -> Failure {
    Failure { message: format!("{place}: {}", failure.message), ..failure }
}

fn too_large(place: &str, announced: Option<u64>, limits: &Limits) -> Failure {
    let limit = Size::bytes(limits.file);
    let how = announced.map_or_else(String::new, |bytes| format!(" ({bytes} bytes)"));
    Failure::data(format!("{place}: is larger than {limit}{how}"))
        .with_hint("if it is meant to be, raise its checks.max_size or limits.file")
}

#[async_trait]
impl Source for Http {
    fn location(&self) -> String {
        location(&self.url)
    }

    async fn fetch(&self, limits: Limits) -> Result<Fetched, Failure> {
        let fetched = self.get(None, limits).await?;
        fetched.ok_or_else(|| Failure::unavailable(format!("{}: answers 304 Not Modified", self.location())))
    }

    async fn fetch_unless(&self, known: &str, limits: Limits) -> Result<Option<Fetched>, Failure> {
        self.get(Some(known), limits).await
    }
}

impl fmt::Debug for Http {
    /// Shows where it is; headers and proxies may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("location", &self.location()).finish_non_exhaustive()
    }
}
