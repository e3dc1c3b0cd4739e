//! Who and what is let in: programs and pages of this machine, with bodies that end.
//!
//! The local cloud runs without passwords, so a web page must not be able to reach it through the reader's browser.

use crate::wire::respond;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HOST, ORIGIN};
use hyper::{Response, StatusCode, Uri};
use std::time::Duration;

/// A full batch of records, 10 MiB before base64, fits in; and one of messages, 1 MiB, whose every character is escaped
/// as `\u0000` in the JSON.
pub const MAX_BODY: usize = 16 * 1024 * 1024;
/// A client that takes longer for its headers, or for its body, is let go.
pub const MAX_REQUEST_TIME: Duration = Duration::from_secs(30);

/// Why a request is not let in.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub reason: &'static str,
}

impl Refusal {
    pub fn answer(self) -> Response<Body> {
        let status = self.status.as_u16();
        respond(status, "text/plain; charset=utf-8", self.reason)
    }
}

/// Lets in only who speaks to this machine by a loopback name, and no page of another site.
///
/// # Errors
///
/// 403 with what is wrong.
pub fn check_sender(headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    // HTTP/2 names the host in `:authority`, which hyper gives as the URI's; a request may have both.
    let authority = uri.authority().map(|authority| Some(authority.as_str()));
    let header = headers.get(HOST).map(|value| value.to_str().ok());
    let mut hosts = authority.into_iter().chain(header).peekable();
    if hosts.peek().is_none() || !hosts.all(|host| host.is_some_and(is_loopback)) {
        return Err(forbidden(
            "The local cloud answers to 127.0.0.1 and localhost only: the Host header names neither.\n",
        ));
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().ok().and_then(|origin| {
        let http = origin.strip_prefix("http://");
        http.or_else(|| origin.strip_prefix("https://"))
    });
    match origin {
        Some(host) if is_loopback(host) => Ok(()),
        _ => Err(forbidden(
            "The local cloud does not answer pages of other sites: the Origin header names one.\n",
        )),
    }
}

/// Lets no page call AWS's operations: functions are programs of this machine, so not even a page of this machine may
/// upload one.
///
/// # Errors
///
/// 403 with what is wrong.
pub fn check_program(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.contains_key(ORIGIN) {
        true => Err(forbidden(
            "The local cloud's AWS operations are for programs: the Origin header says that a web page asks.\n",
        )),
        false => Ok(()),
    }
}

/// The whole body, up to `max` bytes.
///
/// # Errors
///
/// 413 for a larger one, 400 for one that ends early, 408 for one that takes too long.
pub async fn read(body: Incoming, max: usize) -> Result<Bytes, Refusal> {
    let whole = Limited::new(body, max).collect();
    let (status, reason) = match tokio::time::timeout(MAX_REQUEST_TIME, whole).await {
        Ok(Ok(body)) => return Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than any such request to AWS that this lab knows.\n",
        ),
        Ok(Err(_)) => (
            StatusCode::BAD_REQUEST,
            "The body ended early or is malformed.\n",
        ),
        Err(_) => (
            StatusCode::REQUEST_TIMEOUT,
            "The body took longer than 30 seconds.\n",
        ),
    };
    Err(Refusal { status, reason })
}

fn forbidden(reason: &'static str) -> Refusal {
    Refusal {
        status: StatusCode::FORBIDDEN,
        reason,
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
