//! A Qdrant that answers as it is told, and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Value,
    pub(crate) bytes: usize,
}

impl Asked {
    /// Whether it is a request for this path.
    pub(crate) fn is(&self, path: &str) -> bool {
        self.line.split(' ').nth(1).is_some_and(|target| target.split('?').next() == Some(path))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|line| line.split_once(": ").filter(|(found, _)| *found == name).map(|(_, value)| value))
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Json(u16, Value),
    Text(u16, &'static str),
    /// Half of an answer, and then nothing more.
    Cut,
    /// Nothing, until the other side goes.
    Silence,
    /// The connection is gone before anything is answered.
    Gone,
}

type Handler = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    pub(crate) fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let (shared, handler) = (server.clone(), Arc::new(handler) as Handler);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, handler) = (shared.clone(), Arc::clone(&handler));
                thread::spawn(move || {
                    stream.set_nodelay(true).unwrap();
                    shared.serve(&stream, &stream, &handler)
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Answers a connection's requests one after another. `None` where it has ended.
    pub(crate) fn serve(&self, read: impl Read, mut write: impl Write, handler: &Handler) -> Option<()> {
        let mut read = BufReader::new(read);
        loop {
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                read.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
                match line.trim_end() {
                    "" => break,
                    line => lines.push(line.to_owned()),
                }
            }
            let (line, headers) = (lines.first()?.clone(), lines[1..].to_vec());
            let mut asked = Asked { line, headers, body: Value::Null, bytes: 0 };
            let mut body = vec![0; asked.header("content-length").map_or(0, |length| length.parse().unwrap())];
            read.read_exact(&mut body).ok()?;
            asked.bytes = body.len();
            asked.body = serde_json::from_slice(&body).unwrap_or_default();
            self.asked.lock().unwrap().push(asked.clone());
            let (status, kind, text) = match handler(&asked) {
                Reply::Json(status, value) => (status, "application/json", value.to_string()),
                Reply::Text(status, text) => (status, "text/html", text.to_owned()),
                Reply::Cut => {
                    write.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"result\": [").ok()?;
                    return None;
                }
                Reply::Gone => return None,
                Reply::Silence => {
                    let _ = read.read(&mut [0]);
                    return None;
                }
            };
            let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", text.len());
            write.write_all((head + &text).as_bytes()).ok()?;
            write.flush().ok()?;
        }
    }
}

/// The same over TLS, for one connection.
pub(crate) fn over_tls(
    config: rustls::ServerConfig,
    handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Scripted { address, asked: Arc::default() };
    let (config, handler) = (Arc::new(config), Arc::new(handler) as Handler);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let stream = Mutex::new(rustls::StreamOwned::new(connection, stream));
            let _ = shared.serve(Half(&stream), Half(&stream), &handler);
        }
    });
    address
}

/// One side of a stream that reads and writes.
struct Half<'s>(&'s Mutex<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>);

impl Read for Half<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().read(buffer)
    }
}

impl Write for Half<'_> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.lock().unwrap().flush()
    }
}

pub(crate) fn result(value: Value) -> Reply {
    Reply::Json(200, json!({"result": value, "status": "ok", "time": 0.0}))
}

pub(crate) fn refusal(status: u16, error: &str) -> Reply {
    Reply::Json(status, json!({"status": {"error": error}, "time": 0.0}))
}

/// What a Qdrant with the collection `docs` of `crate::data::kind()` says about it, and to everything else nothing found.
pub(crate) fn as_usual(asked: &Asked, version: &str) -> Reply {
    let dimension = crate::data::DIMENSION;
    if asked.is("/") {
        return Reply::Json(200, json!({"title": "qdrant", "version": version}));
    }
    if asked.is("/collections/docs") && asked.line.starts_with("GET") {
        return result(json!({"status": "green", "config": {"params": {
            "vectors": {"dense": {"size": dimension, "distance": "Cosine"}}, "sparse_vectors": {"bm25": {"modifier": "idf"}}}}}));
    }
    if asked.is("/collections/docs/points") && asked.line.starts_with("POST") {
        return result(
            json!([{"id": asked.body["ids"][0], "payload": {"model": "test-model", "dimension": dimension}}]),
        );
    }
    if asked.is("/collections/docs/points/query/batch") {
        return result(asked.body["searches"].as_array().unwrap().iter().map(|_| json!({"points": []})).collect());
    }
    if asked.is("/collections/docs/points/scroll") {
        return result(json!({"points": [], "next_page_offset": null}));
    }
    if asked.is("/collections/docs/points/count") {
        return result(json!({"count": 0}));
    }
    if asked.is("/collections/docs/facet") {
        return result(json!({"hits": []}));
    }
    result(json!({"operation_id": 1, "status": "completed"}))
}
