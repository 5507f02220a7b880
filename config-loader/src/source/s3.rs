//! An object in S3, or in what is compatible with it.
//!
//! Who we are is told by the environment, as to every AWS SDK: keys, a web identity's token (IRSA), a container's role
//! (ECS, EKS Pod Identity), or else the role of the machine. The latter is asked for over the network, and where there
//! is none, the question may find nobody: so it is asked apart from the object, and not for long.

mod address;
mod refusal;
mod transport;

use std::future::poll_fn;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chassis::config::Environment;
use chassis::exit::Code;
use chassis::tls::Roots;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key};
use object_store::path::Path;
use object_store::{Attribute, ClientOptions, GetOptions, GetResult, ObjectStore as _, RetryConfig};
use tokio::time;

use self::refusal::Place;
use self::transport::Transport;
use super::{Content, Fetched, Limits, Source};
use crate::failure::Failure;

pub use self::address::Address;

/// A token service answers in a fraction of this; a machine without a role may never answer.
const CREDENTIALS_WITHIN: Duration = Duration::from_secs(10);

/// What the environment may say. `AWS_REGION` comes last of those two, and so counts.
const VARIABLES: [(&str, Key); 15] = [
    ("AWS_ACCESS_KEY_ID", Key::AccessKeyId),
    ("AWS_SECRET_ACCESS_KEY", Key::SecretAccessKey),
    ("AWS_SESSION_TOKEN", Key::Token),
    ("AWS_DEFAULT_REGION", Key::DefaultRegion),
    ("AWS_REGION", Key::Region),
    ("AWS_ENDPOINT_URL", Key::Endpoint),
    ("AWS_ENDPOINT_URL_S3", Key::S3Endpoint),
    ("AWS_ENDPOINT_URL_STS", Key::StsEndpoint),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", Key::WebIdentityTokenFile),
    ("AWS_ROLE_ARN", Key::RoleArn),
    ("AWS_ROLE_SESSION_NAME", Key::RoleSessionName),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Key::ContainerCredentialsRelativeUri),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Key::ContainerCredentialsFullUri),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Key::ContainerAuthorizationTokenFile),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", Key::MetadataEndpoint),
];

/// Which object, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bucket and key.
    pub address: Address,
    /// A version of the object. Default: the newest.
    pub version: Option<String>,
    /// The server (`http://` or `https://`), where it is not AWS. Default: `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, else us-east-1.
    pub region: Option<String>,
}

/// The source of one file: an object.
#[derive(Debug)]
pub struct S3 {
    address: Address,
    version: Option<String>,
    path: Path,
    store: AmazonS3,
    /// Nobody is named by the environment, so that the machine is asked.
    instance: bool,
}

impl S3 {
    /// A source that reads this object. Nothing is connected to so far.
    ///
    /// # Errors
    /// [`Failure`], where the key is none that can be asked for, or the environment has half of the credentials.
    pub fn new(settings: Settings, environment: &Environment, roots: &Roots) -> Result<Self, Failure> {
        let Settings { address, version, endpoint, region } = settings;
        let config = |message: String| Failure::new(Code::Config, format!("{address}: {message}"));
        let Ok(path) = Path::parse(&address.key) else {
            return Err(config("its key has an empty part, `.` or `..`, or a control character in it".to_owned()));
        };
        let mut builder = AmazonS3Builder::new().with_bucket_name(&address.bucket);
        for (variable, key) in VARIABLES {
            if let Some(value) = environment.get(variable) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(region) = region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = endpoint {
            builder = builder.with_config(Key::S3Endpoint, endpoint);
        }
        let of = |key| builder.get_config_value(&key);
        let plain = of(Key::S3Endpoint).or(of(Key::Endpoint)).is_some_and(|endpoint| !endpoint.starts_with("https:"));
        let instance = [
            Key::AccessKeyId,
            Key::SecretAccessKey,
            Key::WebIdentityTokenFile,
            Key::ContainerCredentialsRelativeUri,
            Key::ContainerCredentialsFullUri,
        ];
        let instance = instance.into_iter().all(|key| of(key).is_none());
        // Time-outs and trying again are the caller's.
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let store = builder
            .with_http_connector(Transport::new(roots))
            .with_client_options(ClientOptions::new().with_allow_http(plain))
            .with_retry(retry)
            .build()
            .map_err(|error| {
                config(error.to_string()).with_hint("correct the variables AWS_* or the entry's endpoint and region")
            })?;
        Ok(Self { address, version, path, store, instance })
    }

    fn place(&self) -> Place<'_> {
        Place { address: &self.address, versioned: self.version.is_some() }
    }

    async fn identify(&self) -> Result<(), Failure> {
        let asked = time::timeout(CREDENTIALS_WITHIN, self.store.credentials().get_credential()).await;
        match asked {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refusal::unidentified(self.place(), self.instance, Some(&error))),
            Err(_) => Err(refusal::unidentified(self.place(), self.instance, None)),
        }
    }
}

#[async_trait]
impl Source for S3 {
    fn location(&self) -> String {
        self.address.to_string()
    }

    async fn fetch(&self, limits: Limits) -> Result<Fetched, Failure> {
        self.identify().await?;
        let options = GetOptions { version: self.version.clone(), ..GetOptions::default() };
        let asked = self.store.get_opts(&self.path, options).await;
        let object = asked.map_err(|error| refusal::refused(self.place(), &error))?;
        let version = object.meta.version.clone().filter(|version| version != "null").or(object.meta.e_tag.clone());
        let media_type = object.attributes.get(&Attribute::ContentType);
        let media_type = media_type.and_then(|all| all.split(';').next()).map(|it| it.trim().to_owned());
        let content = Content::File(self.content(object, &limits).await?);
        Ok(Fetched { content, version, resolved: None, media_type })
    }
}

impl S3 {
    async fn content(&self, object: GetResult, limits: &Limits) -> Result<Bytes, Failure> {
        let limit = limits.file;
        let mut charge = limits.budget.charge();
        if object.meta.size > limit {
            return Err(refusal::too_large(self.place(), object.meta.size, limit));
        }
        let at = |failure: Failure| Failure { message: format!("{}: {}", self.address, failure.message), ..failure };
        charge.take(usize::try_from(object.meta.size).unwrap_or(usize::MAX)).map_err(at)?;
        let mut bytes = BytesMut::with_capacity(usize::try_from(object.meta.size).unwrap_or_default());
        let mut stream = object.into_stream();
        while let Some(part) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            let part = part.map_err(|error| refusal::cut(self.place(), &error))?;
            let size = u64::try_from(bytes.len().saturating_add(part.len())).unwrap_or(u64::MAX);
            if size > limit {
                return Err(refusal::too_large(self.place(), size, limit));
            }
            bytes.extend_from_slice(&part);
        }
        charge.keep();
        Ok(bytes.freeze())
    }
}
