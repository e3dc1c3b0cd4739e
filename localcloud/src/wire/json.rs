//! AWS JSON 1.0 and 1.1: the operation in `x-amz-target`, its input and output as JSON.
//! See <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>, and for the error header
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>.

use super::error::{ApiError, Fault};
use super::{respond, set, write, Output};
use axum::body::Body;
use hyper::Response;
use serde_json::json;

/// The protocol as one service speaks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Json {
    /// Such as `application/x-amz-json-1.0`.
    pub content_type: &'static str,
    /// The prefix of the names of its errors, such as `com.amazonaws.sqs`. Kinesis names them without.
    pub namespace: Option<&'static str>,
    /// Whether the header `x-amzn-query-error` gives the code of the query protocol, by which SDKs type the errors of a
    /// service that once spoke it.
    pub has_query_errors: bool,
}

pub const JSON_1_0: &str = "application/x-amz-json-1.0";
pub const JSON_1_1: &str = "application/x-amz-json-1.1";

impl Json {
    /// For a service that names its errors without a namespace.
    pub const fn plain(content_type: &'static str) -> Self {
        Self {
            content_type,
            namespace: None,
            has_query_errors: false,
        }
    }

    pub(super) fn answer(&self, outcome: Result<Output, ApiError>) -> Response<Body> {
        match outcome {
            Ok(output) => write(output, self.content_type),
            Err(error) => self.error(&error),
        }
    }

    fn error(&self, error: &ApiError) -> Response<Body> {
        let shape = match self.namespace {
            Some(namespace) => format!("{namespace}#{}", error.shape),
            None => error.shape.clone(),
        };
        let body = json!({ "__type": shape, "message": error.message });
        let mut response = respond(error.status, self.content_type, body.to_string());
        if self.has_query_errors {
            let fault = match error.fault {
                Fault::Sender => "Sender",
                Fault::Receiver => "Receiver",
            };
            let code = format!("{};{fault}", error.code);
            set(&mut response, "x-amzn-query-error", &code);
        }
        response
    }
}
