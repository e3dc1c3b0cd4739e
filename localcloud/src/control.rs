//! What the desk and the pages ask under `/lab`: health, clock, faults, status, progress. No part of AWS.

use crate::clock::Millis;
use crate::faults::{Fault, MOST_FAULTS};
use crate::Cloud;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{json, Value};
use std::fs;
use std::time::Duration;

/// How far one call may move the clock: a message is kept for 14 days at the most.
const LONGEST_MOVE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// So long a move waits for functions that Lambda runs: few of them expect that time jumps while they work.
const LONGEST_INVOCATION: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Advance {
    advance_ms: Millis,
}

/// Answers one request to `/lab/…`.
pub async fn answer(
    cloud: &Cloud,
    method: &Method,
    path: &str,
    body: &[u8],
) -> (StatusCode, Value) {
    match (method.as_str(), path) {
        ("GET" | "HEAD", "/lab/health") => {
            (StatusCode::OK, json!({"status": "ok", "seed": cloud.seed}))
        }
        ("GET", "/lab/clock") => (StatusCode::OK, clock(cloud)),
        ("POST", "/lab/clock") => match serde_json::from_slice::<Advance>(body) {
            Ok(Advance { advance_ms }) if advance_ms <= LONGEST_MOVE.as_millis() as Millis => {
                cloud.clock.until_idle(LONGEST_INVOCATION).await;
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
                    "{MOST_FAULTS} faults are waiting already: clear them first"
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
        ("GET", "/lab/progress") => (StatusCode::OK, json!({"done": progress(cloud)})),
        (
            _,
            "/lab/health" | "/lab/clock" | "/lab/faults" | "/lab/status" | "/lab/progress"
            | "/lab/events",
        ) => (
            StatusCode::METHOD_NOT_ALLOWED,
            json!({"error": format!("{path} does not take {method}")}),
        ),
        _ => (
            StatusCode::NOT_FOUND,
            json!({"error": format!("no {path} here: ask for /lab/health, /lab/clock, /lab/faults, /lab/status, /lab/progress or /lab/events")}),
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
