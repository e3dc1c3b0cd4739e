//! The Runtime API, by which a process gets its events and gives its answers. Each process has a port of its own.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use super::invocation::MAX_PAYLOAD;
use crate::guard::check_sender;
use axum::body::{to_bytes, Body};
use axum::extract::{Path, Request, State};
use axum::middleware::{from_fn, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::Router;
use bytes::Bytes;
use http_body_util::LengthLimitError;
use hyper::header::{HeaderValue, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::StatusCode;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

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

/// An event, for the process to work on.
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
            server: tokio::spawn(serve(listener, router(sender))),
        })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
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

type Calls = mpsc::Sender<Call>;

fn router(calls: Calls) -> Router {
    let runtime = Router::new()
        .route("/invocation/next", get(next))
        .route("/invocation/{id}/response", post(response))
        .route("/invocation/{id}/error", post(error))
        .route("/init/error", post(init_error));
    Router::new()
        .nest("/2018-06-01/runtime", runtime)
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(from_fn(let_in))
        .with_state(calls)
}

/// `axum::serve` would keep what its connections have until the last of them ends; here closing the door is enough.
async fn serve(listener: TcpListener, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn let_in(request: Request, next: Next) -> Response {
    match check_sender(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(_) => failure(StatusCode::FORBIDDEN, "InvalidHost", "Not for strangers"),
    }
}

async fn next(State(calls): State<Calls>) -> Response {
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

async fn response(State(calls): State<Calls>, Path(id): Path<String>, body: Body) -> Response {
    done(&calls, id, body, Done::Answer).await
}

async fn error(State(calls): State<Calls>, Path(id): Path<String>, body: Body) -> Response {
    done(&calls, id, body, Done::Error).await
}

async fn done(
    calls: &Calls,
    request_id: String,
    body: Body,
    outcome: impl Fn(Bytes) -> Done,
) -> Response {
    let outcome = match to_bytes(body, MAX_PAYLOAD).await {
        Ok(body) => outcome(body),
        Err(error) if is_too_large(&error) => Done::TooLarge,
        Err(_) => return unknown().await,
    };
    let too_large = matches!(outcome, Done::TooLarge);
    let (reply, was_at_hand) = oneshot::channel();
    let call = Call::Done {
        request_id,
        outcome,
        reply,
    };
    if calls.send(call).await.is_err() {
        return over();
    }
    match was_at_hand.await {
        Ok(true) if too_large => failure(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Function.ResponseSizeTooLarge",
            "Exceeded maximum allowed payload size",
        ),
        Ok(true) => accepted(),
        Ok(false) => failure(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID",
        ),
        Err(_) => over(),
    }
}

async fn init_error(State(calls): State<Calls>, body: Body) -> Response {
    let body = to_bytes(body, MAX_PAYLOAD).await.unwrap_or_default();
    match calls.send(Call::InitError(body)).await {
        Ok(()) => accepted(),
        Err(_) => over(),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    error
        .source()
        .is_some_and(|source| source.is::<LengthLimitError>())
}

fn accepted() -> Response {
    respond(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}

async fn unknown() -> Response {
    failure(
        StatusCode::NOT_FOUND,
        "NotFound",
        "This path of the Runtime API is not in this lab",
    )
}

fn over() -> Response {
    failure(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Shutdown",
        "This environment is at its end",
    )
}

fn failure(status: StatusCode, kind: &str, message: &str) -> Response {
    respond(status, &json!({"errorType": kind, "errorMessage": message}))
}

fn respond(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
