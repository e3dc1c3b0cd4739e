//! The door: accepts connections, turns strangers away, finds the service, answers in its wire form.

use crate::events::MOST_LISTENERS;
use crate::faults::Kind;
use crate::kinesis::{self, cbor};
use crate::wire::error::ApiError;
use crate::wire::query::Form;
use crate::wire::{json, query};
use crate::{control, events, feed, ids, lambda, sts, Cloud};
use axum::body::Body;
use axum::Router;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{
    HeaderMap, HeaderValue, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HOST, ORIGIN, USER_AGENT,
    VARY,
};
use hyper::http::uri::Authority;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rand::rngs::SmallRng;
use serde_json::json;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// A full batch of records, 10 MiB before base64, fits in; and one of messages, 1 MiB, whose every character is escaped
/// as `\u0000` in the JSON.
const LARGEST_BODY: usize = 16 * 1024 * 1024;
/// A client that takes longer for its headers, or for its body, is let go.
const SLOWEST_REQUEST: Duration = Duration::from_secs(30);
const MOST_CONNECTIONS: usize = 1024;
/// Functions are programs of this machine, so not even a page of this machine may upload one.
const NOT_FOR_PAGES: &str =
    "The local cloud's AWS operations are for programs: the Origin header says that a web page asks.\n";

const CLOUDFORMATION: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";
const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const SQS: &str = "com.amazonaws.sqs";
const JSON_1_1: &str = "application/x-amz-json-1.1";

/// The answer is to be lost: the connection closes instead. See [`Kind::LostResponse`].
#[derive(Debug)]
struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was lost on request")
    }
}

impl std::error::Error for Lost {}

struct Door {
    cloud: Arc<Cloud>,
    pages: Option<Router>,
    request_ids: Mutex<SmallRng>,
}

/// Accepts connections until its task is dropped.
pub async fn serve(listener: TcpListener, cloud: Arc<Cloud>, pages: Option<Router>) {
    let door = Arc::new(Door {
        request_ids: Mutex::new(ids::source(cloud.seed, "request ids")),
        cloud,
        pages,
    });
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(SLOWEST_REQUEST);
    let builder = Arc::new(builder);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of sockets: those that are open will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (door, builder) = (door.clone(), builder.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let door = door.clone();
                async move { door.answer(request).await }
            });
            // An error here is the client's: it went away or spoke no HTTP.
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}

impl Door {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Lost> {
        if let Err(reason) = check_sender(request.headers(), request.uri()) {
            return Ok(text(StatusCode::FORBIDDEN, reason));
        }
        if request.uri().path().starts_with("/lab/") {
            return Ok(self.lab(request).await);
        }
        let for_lambda = lambda::Call::find(request.method(), request.uri()).is_some();
        if !for_lambda && request.method() != Method::POST {
            return Ok(self.page(request).await);
        }
        if request.headers().contains_key(ORIGIN) {
            return Ok(text(StatusCode::FORBIDDEN, NOT_FOR_PAGES));
        }
        let (parts, body) = request.into_parts();
        let largest = if for_lambda {
            lambda::LARGEST_REQUEST
        } else {
            LARGEST_BODY
        };
        let body = match read(body, largest).await {
            Ok(body) => body,
            Err(refusal) => return Ok(refusal),
        };
        let caller = user_agent(&parts.headers);
        events::in_the_name_of(caller, async {
            if let Some(call) = lambda::Call::find(&parts.method, &parts.uri) {
                return self.call_lambda(&call, &parts.headers, &body).await;
            }
            let base = base_url(&parts.headers, &parts.uri);
            self.call(&parts.headers, &base, &body).await
        })
        .await
    }

    /// A request to `/lab/…`, from the desk or from a page, which may be served from another port of this machine.
    async fn lab(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let is_feed = parts.uri.path() == "/lab/events" && parts.method == Method::GET;
        let mut response = if parts.method == Method::OPTIONS {
            preflight()
        } else if is_feed {
            self.feed(&parts.headers, &parts.uri)
        } else {
            match read(body, LARGEST_BODY).await {
                Ok(body) => {
                    let path = parts.uri.path();
                    let answer = control::answer(&self.cloud, &parts.method, path, &body);
                    let (status, answer) = answer.await;
                    json_response(status, &answer)
                }
                Err(refusal) => refusal,
            }
        };
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = parts.headers.get(ORIGIN) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        response
    }

    fn feed(&self, headers: &HeaderMap, uri: &Uri) -> Response<Body> {
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let after = query.into_iter().find(|(name, _)| name == "after");
        let header = headers.get("last-event-id");
        let header = header.and_then(|id| id.to_str().ok().map(Cow::Borrowed));
        let last = header.or(after.map(|(_, id)| id));
        feed::listen(&self.cloud, last.as_deref()).unwrap_or_else(|| {
            let error = format!("{MOST_LISTENERS} listen already: close some pages of the book");
            json_response(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": error }))
        })
    }

    /// One call of an AWS operation.
    async fn call(
        &self,
        headers: &HeaderMap,
        base: &str,
        body: &Bytes,
    ) -> Result<Response<Body>, Lost> {
        self.cloud.clock.note_request();
        let request_id = self.request_id();
        if let Some(target) = headers.get("x-amz-target") {
            let target = target.to_str().unwrap_or_default();
            let (service, operation) = target.split_once('.').unwrap_or((target, ""));
            let outcome = match service {
                "AmazonSQS" => match self.throttled(operation, "RequestThrottled") {
                    Some(error) => Err(self.cloud.sqs.refused(operation, body, error)),
                    None => self.cloud.sqs.call(operation, body, base).await,
                },
                "Kinesis_20131202" => {
                    return self
                        .call_kinesis(headers, operation, body, &request_id)
                        .await
                }
                "Logs_20140328" => return self.call_logs(operation, body, &request_id),
                _ => Err(ApiError::not_in_this_lab(service, operation)),
            };
            self.deliver(operation)?;
            return Ok(json_answer(outcome, &request_id));
        }
        let form = Form::parse(body);
        let Some(action) = form.get("Action") else {
            let error = ApiError::sender(
                "MissingAction",
                "The request has neither an x-amz-target header nor an Action parameter: it is not a call to AWS.",
            );
            return Ok(xml_answer(
                StatusCode::BAD_REQUEST,
                query::error(STS, &error, &request_id),
                &request_id,
            ));
        };
        let (namespace, outcome) = match form.get("Version") {
            Some("2010-05-15") => (
                CLOUDFORMATION,
                match self.throttled(action, "Throttling") {
                    Some(error) => Err(error),
                    None => self.cloud.cloudformation.call(action, &form, base).await,
                },
            ),
            Some("2010-05-08") => (
                IAM,
                match self.throttled(action, "Throttling") {
                    Some(error) => Err(error),
                    None => self.cloud.iam.call(action, &form),
                },
            ),
            Some("2011-06-15") => (STS, sts::call(action)),
            version => (
                STS,
                Err(ApiError::not_in_this_lab(
                    version.unwrap_or("(no version)"),
                    action,
                )),
            ),
        };
        self.deliver(action)?;
        Ok(match outcome {
            Ok(result) => xml_answer(
                StatusCode::OK,
                query::answer(namespace, action, &result, &request_id),
                &request_id,
            ),
            Err(error) => xml_answer(
                StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST),
                query::error(namespace, &error, &request_id),
                &request_id,
            ),
        })
    }

    async fn call_kinesis(
        &self,
        headers: &HeaderMap,
        operation: &str,
        body: &[u8],
        request_id: &str,
    ) -> Result<Response<Body>, Lost> {
        let code = match operation {
            "GetRecords" | "GetShardIterator" | "PutRecord" | "PutRecords" => {
                "ProvisionedThroughputExceededException"
            }
            _ => "LimitExceededException",
        };
        let is_cbor = headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind == cbor::CONTENT_TYPE);
        let outcome = match self.throttled(operation, code) {
            Some(error) => Err(error),
            None if is_cbor => match cbor::to_json(body) {
                Ok(body) => self.cloud.kinesis.call(operation, &body).await,
                Err(error) => Err(error),
            },
            None => self.cloud.kinesis.call(operation, body).await,
        };
        self.deliver(operation)?;
        let mut response = match outcome {
            Ok(kinesis::Answer::Json(body)) if is_cbor => respond(
                StatusCode::OK,
                cbor::CONTENT_TYPE,
                cbor::from_json(&body).into(),
            ),
            Ok(kinesis::Answer::Json(body)) => respond(StatusCode::OK, JSON_1_1, Bytes::from(body)),
            Ok(kinesis::Answer::Events(body)) => {
                let mut response = Response::new(body);
                let content = HeaderValue::from_static("application/vnd.amazon.eventstream");
                response.headers_mut().insert(CONTENT_TYPE, content);
                response
            }
            Err(error) if is_cbor => respond(
                StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST),
                cbor::CONTENT_TYPE,
                cbor::from_json(json::plain_error(&error).as_bytes()).into(),
            ),
            Err(error) => json_1_1_error(&error),
        };
        set(&mut response, "x-amzn-requestid", request_id);
        Ok(response)
    }

    fn call_logs(
        &self,
        operation: &str,
        body: &[u8],
        request_id: &str,
    ) -> Result<Response<Body>, Lost> {
        let outcome = match self.throttled(operation, "ThrottlingException") {
            Some(error) => Err(error),
            None => self.cloud.logs.call(operation, body),
        };
        self.deliver(operation)?;
        let mut response = match outcome {
            Ok(serde_json::Value::Null) => respond(StatusCode::OK, JSON_1_1, Bytes::new()),
            Ok(output) => respond(StatusCode::OK, JSON_1_1, output.to_string().into()),
            Err(error) => json_1_1_error(&error),
        };
        set(&mut response, "x-amzn-requestid", request_id);
        Ok(response)
    }

    async fn call_lambda(
        &self,
        call: &lambda::Call<'_>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response<Body>, Lost> {
        self.cloud.clock.note_request();
        let outcome = match self.throttled(&call.operation, "TooManyRequestsException") {
            Some(error) => Err(error.with_status(429)),
            None if call.is_for_mappings() => self.cloud.mappings.call(call, body).await,
            None => self.cloud.lambda.call(call, headers, body).await,
        };
        self.deliver(&call.operation)?;
        let (status, headers, body) = match outcome {
            Ok(answer) => (answer.status, answer.headers, answer.body),
            Err(error) => (
                error.status,
                vec![("x-amzn-errortype", error.shape.clone())],
                Bytes::from(json::rest_error(&error)),
            ),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = respond(status, "application/json", body);
        set(&mut response, "x-amzn-requestid", &self.request_id());
        for (name, value) in headers {
            set(&mut response, name, &value);
        }
        Ok(response)
    }

    fn throttled(&self, operation: &str, code: &str) -> Option<ApiError> {
        self.cloud
            .faults
            .strikes(Kind::Throttle, operation)
            .then(|| ApiError::sender(code, "Rate exceeded: throttled on request of the lab."))
    }

    /// The last moment before the answer leaves.
    fn deliver(&self, operation: &str) -> Result<(), Lost> {
        match self.cloud.faults.strikes(Kind::LostResponse, operation) {
            true => Err(Lost),
            false => Ok(()),
        }
    }

    async fn page(&self, request: Request<Incoming>) -> Response<Body> {
        let Some(pages) = &self.pages else {
            return text(
                StatusCode::NOT_FOUND,
                "This is the local cloud of Queues & Streams: set AWS_ENDPOINT_URL to it. It serves no book here.\n",
            );
        };
        match pages.clone().oneshot(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    fn request_id(&self) -> String {
        let mut random = self
            .request_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ids::uuid(&mut random)
    }
}

/// Lets in only who speaks to this machine by a loopback name, and no page of another site: the local cloud
/// runs without passwords, so a web page must not be able to reach it through the reader's browser.
pub(crate) fn check_sender(headers: &HeaderMap, uri: &Uri) -> Result<(), &'static str> {
    // HTTP/2 names the host in `:authority`, which hyper gives as the URI's; a request may have both.
    let authority = uri.authority().map(|authority| Some(authority.as_str()));
    let header = headers.get(HOST).map(|value| value.to_str().ok());
    let mut hosts = authority.into_iter().chain(header).peekable();
    if hosts.peek().is_none() || !hosts.all(|host| host.is_some_and(is_loopback)) {
        return Err("The local cloud answers to 127.0.0.1 and localhost only: the Host header names neither.\n");
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().ok().and_then(|origin| {
        origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
    });
    match origin {
        Some(host) if is_loopback(host) => Ok(()),
        _ => Err(
            "The local cloud does not answer pages of other sites: the Origin header names one.\n",
        ),
    }
}

/// Whether `host`, with or without a port, is a name of this machine's own.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "[::1]") || name.eq_ignore_ascii_case("localhost")
}

async fn read(body: Incoming, largest: usize) -> Result<Bytes, Response<Body>> {
    let whole = Limited::new(body, largest).collect();
    match tokio::time::timeout(SLOWEST_REQUEST, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(text(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than any such request to AWS that this lab knows.\n",
        )),
        Ok(Err(_)) => Err(text(
            StatusCode::BAD_REQUEST,
            "The body ended early or is malformed.\n",
        )),
        Err(_) => Err(text(
            StatusCode::REQUEST_TIMEOUT,
            "The body took longer than 30 seconds.\n",
        )),
    }
}

/// `http://host` as the caller wrote it, so that queue URLs work from where they were asked for.
fn base_url(headers: &HeaderMap, uri: &Uri) -> String {
    let header = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = uri.authority().map(Authority::as_str);
    let host = header.or(authority).unwrap_or_default();
    format!("http://{host}")
}

fn json_answer(outcome: Result<Vec<u8>, ApiError>, request_id: &str) -> Response<Body> {
    let (status, body, error) = match outcome {
        Ok(body) => (StatusCode::OK, Bytes::from(body), None),
        Err(error) => (
            StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST),
            Bytes::from(json::error(SQS, &error)),
            Some(json::query_error(&error)),
        ),
    };
    let mut response = respond(status, "application/x-amz-json-1.0", body);
    set(&mut response, "x-amzn-requestid", request_id);
    if let Some(code) = error {
        set(&mut response, "x-amzn-query-error", &code);
    }
    response
}

fn json_1_1_error(error: &ApiError) -> Response<Body> {
    respond(
        StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST),
        JSON_1_1,
        Bytes::from(json::plain_error(error)),
    )
}

fn xml_answer(status: StatusCode, body: String, request_id: &str) -> Response<Body> {
    let mut response = respond(status, "text/xml", body.into());
    set(&mut response, "x-amzn-requestid", request_id);
    response
}

/// What a browser asks before it lets a page of another port write.
fn preflight() -> Response<Body> {
    let mut response = respond(StatusCode::NO_CONTENT, "text/plain", Bytes::new());
    set(
        &mut response,
        "access-control-allow-methods",
        "GET, POST, DELETE",
    );
    set(
        &mut response,
        "access-control-allow-headers",
        "content-type, last-event-id",
    );
    response
}

/// Who calls, as the SDKs say it: in a header of their own, since a browser would not let them write the usual one.
fn user_agent(headers: &HeaderMap) -> HeaderValue {
    let agent = headers.get("x-amz-user-agent").or(headers.get(USER_AGENT));
    agent.cloned().unwrap_or(HeaderValue::from_static(""))
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    respond(status, "application/json", body.to_string().into())
}

fn text(status: StatusCode, message: &'static str) -> Response<Body> {
    respond(status, "text/plain; charset=utf-8", message.into())
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
