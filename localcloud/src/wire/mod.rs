//! How requests and answers are written: `json` is AWS JSON 1.0 and 1.1, `query` takes a form and answers in XML, `rest`
//! is JSON under paths of its own, `cbor` is AWS JSON in CBOR. Each protocol writes answers and errors alike, so that a
//! service returns an `Output` or an [`error::ApiError`] and knows nothing of HTTP.

pub mod cbor;
pub mod error;
pub(crate) mod json;
pub mod query;
pub(crate) mod rest;

use axum::body::Body;
use bytes::Bytes;
use error::ApiError;
use hyper::header::{HeaderValue, CONTENT_TYPE};
use hyper::{Response, StatusCode};

/// The answer of an operation, for its protocol to write.
pub(crate) struct Output {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub content: Content,
}

pub(crate) enum Content {
    /// The operation returns nothing.
    None,
    /// A JSON document; of a service that speaks the query protocol only, the XML inside its result.
    Document(Bytes),
    /// Events that come one by one, `application/vnd.amazon.eventstream`.
    Events(Body),
}

impl Output {
    pub fn none() -> Self {
        Self::of(Content::None)
    }

    pub fn document(document: impl Into<Bytes>) -> Self {
        Self::of(Content::Document(document.into()))
    }

    pub fn events(events: Body) -> Self {
        Self::of(Content::Events(events))
    }

    fn of(content: Content) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            content,
        }
    }
}

/// One of the protocols, as a service speaks it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Protocol {
    Json(json::Json),
    Cbor,
    Query(query::Query),
    Rest(rest::Rest),
}

impl Protocol {
    /// The whole answer to a call of `operation`.
    pub fn answer(
        &self,
        operation: &str,
        outcome: Result<Output, ApiError>,
        request_id: &str,
    ) -> Response<Body> {
        let mut response = match self {
            Self::Json(json) => json.answer(outcome),
            Self::Cbor => cbor::answer(outcome),
            Self::Query(query) => query.answer(operation, outcome, request_id),
            Self::Rest(rest) => rest.answer(outcome, request_id),
        };
        set(&mut response, "x-amzn-requestid", request_id);
        response
    }
}

pub(crate) fn respond(
    status: u16,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Sets a header; one that can't be written in HTTP is left out.
pub fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn write(output: Output, content_type: &'static str) -> Response<Body> {
    let (content_type, body) = match output.content {
        Content::None => (content_type, Body::empty()),
        Content::Document(document) => (content_type, document.into()),
        Content::Events(events) => ("application/vnd.amazon.eventstream", events),
    };
    let mut response = respond(output.status, content_type, body);
    for (name, value) in output.headers {
        set(&mut response, name, &value);
    }
    response
}
