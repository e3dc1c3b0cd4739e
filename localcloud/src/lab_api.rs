//! The API of the desk and the pages, under `/lab`: health, clock, faults, status, progress, reset. No part of AWS.

use crate::clock::Millis;
use crate::cloud::{Cloud, Clouds};
use crate::events::MAX_LISTENERS;
use crate::faults::{Fault, MAX_FAULTS};
use crate::guard::{self, MAX_BODY};
use crate::sse;
use crate::wire::{respond, set};
use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{json, Value};
use std::borrow::Cow;
use std::fs;
use std::time::Duration;

/// How far one call may move the clock: a message is kept for 14 days at the most.
const MAX_ADVANCE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// So long a move waits for functions that Lambda runs: few of them expect that time jumps while they work.
const MAX_WAIT_FOR_FUNCTIONS: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Advance {
    advance_ms: Millis,
}

/// Answers one request to `/lab/…`, from the desk or from a page, which may be served from another port of this machine.
pub async fn answer(clouds: &Clouds, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let mut response = match (head.method.as_str(), path) {
        ("OPTIONS", _) => preflight(),
        ("GET", "/lab/events") => feed(clouds, &head),
        _ => match guard::read(body, MAX_BODY).await {
            Ok(body) => json_response(work(clouds, &head.method, path, &body).await),
            Err(refusal) => refusal.answer(),
        },
    };
    set(&mut response, "vary", "origin");
    if let Some(origin) = head.headers.get(ORIGIN) {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}

/// Answers a browser that asks before it lets a page of another port write.
fn preflight() -> Response<Body> {
    let mut response = respond(204, "text/plain", Body::empty());
    for (name, value) in [
        ("access-control-allow-methods", "GET, POST, DELETE"),
        (
            "access-control-allow-headers",
            "content-type, last-event-id",
        ),
    ] {
        set(&mut response, name, value);
    }
    response
}

fn feed(clouds: &Clouds, head: &Parts) -> Response<Body> {
    let query = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    let after = query.into_iter().find(|(name, _)| name == "after");
    let header = head.headers.get("last-event-id");
    let header = header.and_then(|id| id.to_str().ok().map(Cow::Borrowed));
    let last = header.or(after.map(|(_, id)| id));
    sse::listen(clouds, last.as_deref()).unwrap_or_else(|| {
        let error = format!("{MAX_LISTENERS} listen already: close some pages of the book");
        json_response((StatusCode::SERVICE_UNAVAILABLE, json!({ "error": error })))
    })
}

fn json_response((status, body): (StatusCode, Value)) -> Response<Body> {
    respond(status.as_u16(), "application/json", body.to_string())
}

async fn work(clouds: &Clouds, method: &Method, path: &str, body: &[u8]) -> (StatusCode, Value) {
    let cloud = &*clouds.now();
    match (method.as_str(), path) {
        ("GET" | "HEAD", "/lab/health") => {
            (StatusCode::OK, json!({"status": "ok", "seed": cloud.seed}))
        }
        ("GET", "/lab/clock") => (StatusCode::OK, clock(cloud)),
        ("POST", "/lab/clock") => match serde_json::from_slice::<Advance>(body) {
            Ok(Advance { advance_ms }) if advance_ms <= MAX_ADVANCE.as_millis() as Millis => {
                cloud.clock.until_idle(MAX_WAIT_FOR_FUNCTIONS).await;
                cloud.clock.advance(Duration::from_millis(advance_ms));
                (StatusCode::OK, clock(cloud))
            }
            Ok(_) => bad("the clock moves by 366 days at the most"),
            Err(_) => bad("the body is {\"advance_ms\": N}"),
        },
        ("GET", "/lab/faults") => (StatusCode::OK, json!(cloud.faults.waiting())),
        ("DELETE", "/lab/faults") => {
            cloud.faults.clear();
            (StatusCode::OK, json!([]))
        }
        ("POST", "/lab/faults") => match serde_json::from_slice::<Fault>(body) {
            Ok(fault) => match cloud.faults.add(fault) {
                true => (StatusCode::OK, json!(cloud.faults.waiting())),
                false => bad(&format!(
                    "{MAX_FAULTS} faults are waiting already: clear them first"
                )),
            },
            Err(error) => bad(&format!(
                "the body is {{\"kind\": \"duplicate-delivery\" | \"lost-response\" | \"throttle\" | \"fifo-quota\" | \
                 \"stream-quota\" | \"policy-delay\", \"target\": \"…\", \"count\": N}}: {error}"
            )),
        },
        ("GET", "/lab/status") => (
            StatusCode::OK,
            json!({
                "seed": cloud.seed,
                "clock": clock(cloud),
                "faults": cloud.faults.waiting(),
                "queues": cloud.sqs.status(),
                "streams": cloud.kinesis.status(),
                "functions": cloud.lambda.status(),
                "mappings": cloud.mappings.status(),
                "roles": cloud.iam.status(),
                "log_groups": cloud.logs.status(),
            }),
        ),
        ("POST", "/lab/reset") => {
            clouds.reset();
            (StatusCode::OK, json!({"status": "empty"}))
        }
        ("GET", "/lab/progress") => (StatusCode::OK, json!({"done": progress(cloud)})),
        (
            _,
            "/lab/health" | "/lab/clock" | "/lab/faults" | "/lab/status" | "/lab/progress"
            | "/lab/reset" | "/lab/events",
        ) => (
            StatusCode::METHOD_NOT_ALLOWED,
            json!({"error": format!("{path} does not take {method}")}),
        ),
        _ => (
            StatusCode::NOT_FOUND,
            json!({"error": format!("no {path} here: ask for /lab/health, /lab/clock, /lab/faults, /lab/status, /lab/progress, /lab/reset or /lab/events")}),
        ),
    }
}

/// The pages that the reader has done.
pub fn progress(cloud: &Cloud) -> Vec<String> {
    let text = cloud.progress.as_ref().map(fs::read_to_string);
    let text = text.and_then(Result::ok).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn clock(cloud: &Cloud) -> Value {
    json!({
        "now_ms": cloud.clock.now(),
        "moved_ms": cloud.clock.moved().as_millis() as Millis,
    })
}

fn bad(message: &str) -> (StatusCode, Value) {
    (StatusCode::BAD_REQUEST, json!({ "error": message }))
}
