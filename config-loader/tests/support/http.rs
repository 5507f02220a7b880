//! A server that does as it is told, down to the byte.

use std::{
    io::Write,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chassis::task;
use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::AbortHandle,
};

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request(pub(crate) String);

impl Request {
    /// The first line.
    pub(crate) fn line(&self) -> &str {
        self.0.lines().next().unwrap()
    }

    pub(crate) fn path(&self) -> &str {
        self.line().split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// What is answered, and what happens then.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) then: Then,
}

#[derive(Debug, Clone)]
pub(crate) enum Then {
    Close,
    Hang,
    /// Goes away without a word: the peer gets a reset.
    Reset,
    /// This, again and again.
    Repeat(Vec<u8>),
    /// This, byte by byte, with a pause before each.
    Drip(Vec<u8>, Duration),
}

impl Reply {
    pub(crate) fn raw(text: impl Into<Vec<u8>>) -> Self {
        Self { bytes: text.into(), then: Then::Close }
    }

    pub(crate) fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    /// `status` is what stands in the first line, `headers` are whole lines.
    pub(crate) fn new(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
        Self::raw([head.as_bytes(), body].concat())
    }

    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new("200 OK", &[], body)
    }

    pub(crate) fn redirect(target: impl AsRef<str>) -> Self {
        Self::new("302 Found", &[&format!("location: {}", target.as_ref())], "moved")
    }
}

/// What was compressed.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// How a server answers.
pub(crate) type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// A server, and what it was asked so far.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
    sent: Arc<AtomicU64>,
    /// Accepts connections.
    accepting: Arc<Mutex<Option<AbortHandle>>>,
}

impl Server {
    pub(crate) async fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self::at(listener.local_addr().unwrap());
        let (shared, handler) = (server.clone(), Arc::new(handler) as Handler);
        let accepting = task::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A reset instead of a farewell, where the stream is dropped with something unread or by `Then::Reset`.
                let (shared, handler) = (shared.clone(), Arc::clone(&handler));
                task::spawn(async move {
                    let mut stream = stream;
                    if let Some(Then::Reset) = shared.serve(&mut stream, &handler).await {
                        stream.set_zero_linger().unwrap();
                    }
                });
            }
        });
        server.accepts_by(accepting.abort_handle());
        server
    }

    /// It answers always the same.
    pub(crate) async fn answering(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    /// The records of a server that is yet to be started there.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, asked: Arc::default(), sent: Arc::default(), accepting: Arc::default() }
    }

    /// It is this that accepts connections for it.
    pub(crate) fn accepts_by(&self, accepting: AbortHandle) {
        *self.accepting.lock().unwrap() = Some(accepting);
    }

    /// Accepts no connection any more.
    pub(crate) fn stop(&self) {
        self.accepting.lock().unwrap().iter().for_each(AbortHandle::abort);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// The one request that came.
    pub(crate) fn one(&self) -> Request {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked[0].clone()
    }

    /// How many bytes were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Answers one request on a connection.
    pub(crate) async fn serve<S>(&self, stream: &mut S, handler: &Handler) -> Option<Then>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let request = head(stream).await?;
        self.asked.lock().unwrap().push(request.clone());
        let reply = handler(&request);
        self.send(stream, &reply.bytes).await?;
        match &reply.then {
            Then::Close => stream.shutdown().await.ok()?,
            Then::Reset => {}
            // Until the other side goes.
            Then::Hang => _ = stream.read(&mut [0]).await,
            Then::Repeat(piece) => while self.send(stream, piece).await.is_some() {},
            Then::Drip(bytes, pause) => {
                for byte in bytes {
                    tokio::time::sleep(*pause).await;
                    self.send(stream, &[*byte]).await?;
                }
            }
        }
        Some(reply.then)
    }

    async fn send<S: AsyncWrite + Unpin>(&self, stream: &mut S, bytes: &[u8]) -> Option<()> {
        stream.write_all(bytes).await.ok()?;
        stream.flush().await.ok()?;
        self.sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Some(())
    }
}

/// Everything until the empty line.
pub(crate) async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(Request(String::from_utf8(head).ok()?))
}
