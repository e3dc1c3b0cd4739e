//! Asks a local cloud that runs elsewhere, or any other server of this machine: for the commands of the desk, and for tests
//! and benchmarks that are processes of their own.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{handshake, SendRequest};
use hyper::header::{HeaderValue, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Larger than whatever the local cloud answers.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// One connection, for one request after the other.
pub struct Connection {
    host: HeaderValue,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    ///
    /// Nobody listens there, or `host` can't be written in HTTP.
    pub async fn open(host: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
        // It ends with the sender; what goes wrong is told to whoever waits for an answer.
        tokio::spawn(async { connection.await.unwrap_or_default() });
        let host = HeaderValue::from_str(host).map_err(failed)?;
        Ok(Self { host, sender })
    }

    /// Sends a request, whose URI is a path, and reads the whole answer.
    ///
    /// # Errors
    ///
    /// The server closed the connection, or its answer is no HTTP, or is larger than 16 MiB.
    pub async fn ask(&mut self, request: Request<Bytes>) -> io::Result<Response<Bytes>> {
        let mut request = request.map(Full::new);
        let headers = request.headers_mut();
        headers.entry(HOST).or_insert(self.host.clone());
        self.sender.ready().await.map_err(failed)?;
        let answer = self.sender.send_request(request).await.map_err(failed)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(Body::new(body), MAX_ANSWER).collect().await;
        let body = body.map_err(io::Error::other)?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

/// Sends one request to `host:port` and waits for its answer, for `patience` at the most.
///
/// # Errors
///
/// As those of [`Connection`], and `TimedOut`.
pub fn ask(host: &str, request: Request<Bytes>, patience: Duration) -> io::Result<Response<Bytes>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = async { Connection::open(host).await?.ask(request).await };
    let answer = runtime.block_on(async { timeout(patience, answer).await });
    answer.unwrap_or_else(|_| {
        let silence = format!("no answer from {host} within {patience:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, silence))
    })
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}
