//! Ways in which a provider fails a request before its answer has any content.

use super::{FINISH, Peer, ROLE, completion};

/// A failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Closed after the request, without a byte.
    Closed,
    /// The same by an RST.
    Reset,
    /// Nothing, for ever.
    Silent,
    /// Cut within the response's headers.
    CutHead,
    /// Something that is not HTTP.
    NotHttp,
    /// A 503 with an error in it.
    Unavailable,
    /// A proxy's page with a 200.
    Html,
    /// An error in JSON with a 200.
    ErrorWithA200,
    /// More announced than comes.
    TooShort,
    /// A whole answer that ends within its JSON, and says that this is all.
    Truncated,
    /// A whole answer that is cut by the end of the connection.
    CutBody,
    /// The same by an RST.
    ResetBody,
    /// A stream that falls silent before its first content.
    SilentStream,
    /// A stream that is cut by the end of the connection.
    CutStream,
    /// The same by an RST.
    ResetStream,
    /// A stream that is cut within an event.
    HalfAnEvent,
    /// A stream that ends as HTTP has it and says no more than that it begins.
    CleanEnd,
    /// An error as the first event.
    ErrorEvent,
    /// An event that is not JSON.
    NoJson,
    /// A chunk without a length.
    BadChunk,
}

impl Fault {
    /// Those of an answer in one piece.
    pub(crate) const WHOLE: [Self; 12] = [
        Self::Closed,
        Self::Reset,
        Self::Silent,
        Self::CutHead,
        Self::NotHttp,
        Self::Unavailable,
        Self::Html,
        Self::ErrorWithA200,
        Self::TooShort,
        Self::Truncated,
        Self::CutBody,
        Self::ResetBody,
    ];

    /// Those of a stream.
    pub(crate) const STREAM: [Self; 16] = [
        Self::Closed,
        Self::Reset,
        Self::Silent,
        Self::CutHead,
        Self::NotHttp,
        Self::Unavailable,
        Self::Html,
        Self::ErrorWithA200,
        Self::SilentStream,
        Self::CutStream,
        Self::ResetStream,
        Self::HalfAnEvent,
        Self::CleanEnd,
        Self::ErrorEvent,
        Self::NoJson,
        Self::BadChunk,
    ];

    /// The status and code that the caller is told when there is no one else to ask.
    pub(crate) fn told(self) -> (u16, Option<&'static str>) {
        match self {
            Self::Closed | Self::Reset | Self::CutHead | Self::NotHttp | Self::TooShort | Self::CutBody => {
                (502, Some("upstream_broken"))
            }
            Self::ResetBody | Self::CutStream | Self::ResetStream | Self::HalfAnEvent | Self::CleanEnd => {
                (502, Some("upstream_broken"))
            }
            Self::BadChunk => (502, Some("upstream_broken")),
            Self::Silent | Self::SilentStream => (504, Some("upstream_timeout")),
            Self::Unavailable => (503, Some("busy")),
            Self::Html | Self::Truncated | Self::NoJson => (502, Some("upstream_malformed")),
            Self::ErrorWithA200 | Self::ErrorEvent => (502, Some("broken_inside")),
        }
    }

    /// Takes a request and fails it.
    pub(crate) async fn play(self, mut peer: Peer) {
        if peer.request().await.is_none() {
            return;
        }
        let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
        let answer = completion("half");
        let (half, _) = answer.split_at(answer.len() / 2);
        let error = r#"{"error":{"message":"Broken inside.","type":"server_error","code":"broken_inside"}}"#;
        match self {
            Self::Closed => return,
            Self::Reset => return peer.reset(),
            Self::Silent => {}
            Self::CutHead => return peer.send("HTTP/1.1 200 OK\r\ncontent-ty").await,
            Self::NotHttp => return peer.send("220 mail.example ESMTP\r\n\r\n").await,
            Self::Unavailable => {
                let body = r#"{"error":{"message":"Busy.","type":"server_error","param":null,"code":"busy"}}"#;
                peer.respond("503 Service Unavailable", "application/json", body).await;
            }
            Self::Html => peer.respond("200 OK", "text/html", "<html>Welcome!</html>").await,
            Self::ErrorWithA200 => peer.respond("200 OK", "application/json", error).await,
            Self::TooShort => return peer.send(&format!("{json}content-length: 5000\r\n\r\n{answer}")).await,
            Self::Truncated => peer.respond("200 OK", "application/json", half).await,
            Self::CutBody | Self::ResetBody => {
                peer.send(&format!("{json}transfer-encoding: chunked\r\n\r\n")).await;
                peer.chunk(half).await;
                return if self == Self::ResetBody { peer.reset() } else { drop(peer) };
            }
            Self::SilentStream => peer.begin_with(ROLE).await,
            Self::CutStream => return peer.begin_with(ROLE).await,
            Self::ResetStream => {
                peer.begin_with(ROLE).await;
                return peer.reset();
            }
            Self::HalfAnEvent => {
                let (half, _) = FINISH.split_at(FINISH.len() / 2);
                peer.begin_with(&format!("{ROLE}{half}")).await;
                peer.end().await;
            }
            Self::CleanEnd => {
                peer.begin_with(ROLE).await;
                peer.end().await;
            }
            Self::ErrorEvent | Self::NoJson => {
                peer.begin_with(ROLE).await;
                let data = if self == Self::NoJson { "upstream connect error" } else { error };
                peer.chunk(&format!("data: {data}\n\n")).await;
            }
            Self::BadChunk => {
                peer.begin().await;
                peer.send("zz\r\noh\r\n").await;
            }
        }
        peer.gone().await;
    }
}
