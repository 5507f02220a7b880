//! What it means that S3 cannot be had or says no.

use std::error::Error;
use std::{io, iter};

use chassis::causes::causes;
use chassis::exit::Code;
use http::StatusCode;
use object_store::client::{HttpError, HttpErrorKind};

use super::address::Address;
use super::transport::Refusal;
use crate::failure::{Failure, Retry};

/// What to do when it is the server's fault.
const LOGS: &str = "look at the server's own logs, or the status page of the cloud";

/// What it is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) address: &'a Address,
    /// A certain version was asked for.
    pub(super) versioned: bool,
}

/// The object was asked for, and did not come.
pub(super) fn refused(place: Place<'_>, error: &object_store::Error) -> Failure {
    found::<Refusal>(error).map_or_else(|| unreached(place, error), |refusal| told(place, refusal))
}

/// The object came, and not all of it.
pub(super) fn cut(place: Place<'_>, error: &object_store::Error) -> Failure {
    let why = last(error);
    Failure::unavailable(format!("{}: was cut off ({why})", place.address)).with_hint(LOGS)
}

/// It is larger than allowed.
pub(super) fn too_large(place: Place<'_>, size: u64, limit: u64) -> Failure {
    Failure::data(format!("{}: has {size} bytes, more than the {limit} that are allowed", place.address))
        .with_hint("make it smaller, or raise max_size or limits.file")
}

/// Nobody says who we are: with this error, or not in time.
pub(super) fn unidentified(place: Place<'_>, instance: bool, error: Option<&object_store::Error>) -> Failure {
    let address = place.address;
    if instance {
        let hint = "give the service account a role (IRSA or Pod Identity), or set AWS_ACCESS_KEY_ID and \
                    AWS_SECRET_ACCESS_KEY";
        return Failure::denied(format!(
            "{address}: the environment has no credentials for it, and the machine has no role"
        ))
        .with_hint(hint);
    }
    let refusal = error.and_then(|error| found::<Refusal>(error));
    let why = match (error, refusal) {
        (None, _) => "no answer in time".to_owned(),
        (Some(_), Some(Refusal { status, code: Some(code), .. })) => format!("status {}, {code}", status.as_u16()),
        (Some(_), Some(refusal)) => refusal.to_string(),
        (Some(error), None) => last(error),
    };
    let message = format!("{address}: there are no credentials for it ({why})");
    let again =
        refusal.is_none_or(|refusal| busy(refusal.status)) && error.is_none_or(|it| found::<HttpError>(it).is_some());
    let failure = if again { Failure::unavailable(message) } else { Failure::denied(message) };
    failure.with_hint("check the role that AWS_ROLE_ARN names, its trust policy, and the token's file")
}

fn told(place: Place<'_>, refusal: &Refusal) -> Failure {
    let address = place.address;
    let (status, code) = (refusal.status, refusal.code.as_deref().unwrap_or_default());
    let shown = if code.is_empty() { status.as_u16().to_string() } else { format!("{}, {code}", status.as_u16()) };
    let never = |message: String| Failure::unavailable(message).with_retry(Retry::Never);
    if let ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) | (_, StatusCode::UNAUTHORIZED) =
        (code, status)
    {
        return Failure::denied(format!("{address}: the credentials are refused ({shown})"))
            .with_hint("renew the credentials of the environment");
    }
    if status.is_redirection() || matches!(code, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
    {
        let hint = match &refusal.region {
            Some(region) => format!("set the region to {region}"),
            None => "correct region or endpoint".to_owned(),
        };
        return Failure::new(Code::Config, format!("{address}: its bucket is in another region ({shown})"))
            .with_hint(hint);
    }
    match status {
        StatusCode::FORBIDDEN => Failure::denied(format!("{address}: access is denied ({shown})")).with_hint(
            "allow s3:GetObject on it; a key that does not exist looks the same where s3:ListBucket is not allowed",
        ),
        StatusCode::NOT_FOUND if code == "NoSuchBucket" => never(format!("{address}: there is no such bucket"))
            .with_hint("correct the bucket, the endpoint or the region"),
        StatusCode::NOT_FOUND if place.versioned => {
            never(format!("{address}: there is no such version of it ({shown})")).with_hint("correct key or version")
        }
        StatusCode::NOT_FOUND => {
            never(format!("{address}: there is no such object ({shown})")).with_hint("upload it, or correct the key")
        }
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED if place.versioned => {
            never(format!("{address}: this version of it cannot be had ({shown})"))
                .with_hint("name a version that is an object's, and not the mark of its deletion")
        }
        status if busy(status) => {
            let failure = Failure::unavailable(format!("{address}: S3 is busy or broken ({shown})"));
            failure.with_retry(refusal.retry_after.map_or(Retry::Soon, Retry::After)).with_hint(LOGS)
        }
        _ => never(format!("{address}: S3 refuses the request ({shown})")).with_hint("check the endpoint"),
    }
}

fn unreached(place: Place<'_>, error: &object_store::Error) -> Failure {
    let address = place.address;
    if let Some(rustls::Error::InvalidCertificate(why)) = found::<rustls::Error>(error) {
        return Failure::unavailable(format!("{address}: the server's certificate is not to be trusted ({why})"))
            .with_retry(Retry::Never)
            .with_hint("name its authority with SSL_CERT_FILE, or the host as its certificate does");
    }
    match found::<HttpError>(error).map(HttpError::kind) {
        Some(HttpErrorKind::Connect) => {
            Failure::unavailable(format!("{address}: the server cannot be connected to ({})", last(error)))
                .with_hint("check endpoint, region and NetworkPolicy")
        }
        Some(HttpErrorKind::Interrupted) => cut(place, error),
        _ => Failure::unavailable(format!("{address}: what answers is not S3 ({})", causes(error)))
            .with_retry(Retry::Never)
            .with_hint("check the endpoint"),
    }
}

fn busy(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// The first error of this type among the causes.
fn found<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// What it came from. The errors above it name the URL, and much else.
fn last(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The error and its causes. An IO error passes over what is in it, which for TLS is all that there is to know.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    })
}
