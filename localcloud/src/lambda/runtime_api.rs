//! The Runtime API, by which a process gets its events and gives its answers. Each process has a port of its own.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use crate::guard::check_sender;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// What a function answers at the most, in bytes.
pub const LARGEST_RESPONSE: usize = 6_291_556;

/// One call of the process.
pub enum Call {
    /// It is ready for an event, and waits.
    Next(oneshot::Sender<Event>),
    /// It is done with an event. The reply says whether it was the one at hand.
    Done {
        request_id: String,
        outcome: Done,
        reply: oneshot::Sender<bool>,
    },
    InitError(Bytes),
}

pub enum Done {
    Answer(Bytes),
    Error(Bytes),
    TooLarge,
}

/// What the process is to work on.
#[derive(Clone)]
pub struct Event {
    pub request_id: String,
    pub deadline_ms: u64,
    pub function_arn: String,
    pub trace_id: String,
    pub payload: Bytes,
}

/// The Runtime API for one process. It ends with this value.
pub struct RuntimeApi {
    address: SocketAddr,
    calls: mpsc::Receiver<Call>,
    server: JoinHandle<()>,
}

impl RuntimeApi {
    pub async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (sender, calls) = mpsc::channel(16);
        Ok(Self {
            address,
            calls,
            server: tokio::spawn(serve(listener, sender)),
        })
    }

    /// What goes into `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next call. None when the API has been closed and all calls are taken. May be dropped.
    pub async fn call(&mut self) -> Option<Call> {
        self.calls.recv().await
    }

    /// Takes no more connections. What was written to those there are can still be read.
    pub fn close(&self) {
        self.server.abort();
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.close();
    }
}

async fn serve(listener: TcpListener, calls: mpsc::Sender<Call>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let calls = calls.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let calls = calls.clone();
                async move { Ok::<_, Infallible>(answer(request, &calls).await) }
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, calls: &mpsc::Sender<Call>) -> Response<Body> {
    if check_sender(request.headers(), request.uri()).is_err() {
        return error(StatusCode::FORBIDDEN, "InvalidHost", "Not for strangers");
    }
    let path = request.uri().path().to_owned();
    let Some(path) = path.strip_prefix("/2018-06-01/runtime/") else {
        return unknown();
    };
    let steps: Vec<&str> = path.split('/').collect();
    match (request.method(), &steps[..]) {
        (&Method::GET, ["invocation", "next"]) => next(calls).await,
        (&Method::POST, ["invocation", request_id, kind @ ("response" | "error")]) => {
            let outcome = match (read(request).await, *kind) {
                (Ok(body), "response") => Done::Answer(body),
                (Ok(body), _) => Done::Error(body),
                (Err(error), _) if error.is::<LengthLimitError>() => Done::TooLarge,
                (Err(_), _) => return unknown(),
            };
            done(calls, request_id, outcome).await
        }
        (&Method::POST, ["init", "error"]) => {
            let body = read(request).await.unwrap_or_default();
            match calls.send(Call::InitError(body)).await {
                Ok(()) => accepted(),
                Err(_) => over(),
            }
        }
        _ => unknown(),
    }
}

async fn next(calls: &mpsc::Sender<Call>) -> Response<Body> {
    let (give, event) = oneshot::channel();
    if calls.send(Call::Next(give)).await.is_err() {
        return over();
    }
    let Ok(event) = event.await else {
        return over();
    };
    let mut response = Response::new(Body::from(event.payload));
    for (name, value) in [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", &event.request_id),
        ("lambda-runtime-deadline-ms", &event.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", &event.function_arn),
        ("lambda-runtime-trace-id", &event.trace_id),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn done(calls: &mpsc::Sender<Call>, request_id: &str, outcome: Done) -> Response<Body> {
    let too_large = matches!(outcome, Done::TooLarge);
    let (reply, was_at_hand) = oneshot::channel();
    let call = Call::Done {
        request_id: request_id.to_owned(),
        outcome,
        reply,
    };
    if calls.send(call).await.is_err() {
        return over();
    }
    match was_at_hand.await {
        Ok(true) if too_large => error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Function.ResponseSizeTooLarge",
            "Exceeded maximum allowed payload size",
        ),
        Ok(true) => accepted(),
        Ok(false) => error(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID",
        ),
        Err(_) => over(),
    }
}

async fn read(request: Request<Incoming>) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let body = Limited::new(request.into_body(), LARGEST_RESPONSE);
    Ok(body.collect().await?.to_bytes())
}

fn accepted() -> Response<Body> {
    respond(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}

fn unknown() -> Response<Body> {
    error(
        StatusCode::NOT_FOUND,
        "NotFound",
        "This path of the Runtime API is not in this lab",
    )
}

fn over() -> Response<Body> {
    error(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Shutdown",
        "This environment is at its end",
    )
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response<Body> {
    respond(status, &json!({"errorType": kind, "errorMessage": message}))
}

fn respond(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
