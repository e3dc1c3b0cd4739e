//! REST: the operation is a method and a path, its input and output are JSON, and headers name the error.
//! See <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>.

use super::error::ApiError;
use super::{respond, set, write, Output};
use axum::body::Body;
use hyper::Response;
use quick_xml::escape::escape;
use serde_json::json;

/// The protocol as one service speaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Json,
    /// As S3 speaks it. No service of the lab does: only its errors are written.
    Xml,
}

impl Rest {
    pub(super) fn answer(
        self,
        outcome: Result<Output, ApiError>,
        request_id: &str,
    ) -> Response<Body> {
        match (outcome, self) {
            (Ok(output), _) => write(output, "application/json"),
            (Err(error), Self::Json) => json_error(&error),
            (Err(error), Self::Xml) => xml_error(&error, request_id),
        }
    }
}

fn json_error(error: &ApiError) -> Response<Body> {
    let kind = match error.status {
        500.. => "Service",
        _ => "User",
    };
    let body = json!({ "Type": kind, "Message": error.message, "message": error.message });
    let mut response = respond(error.status, "application/json", body.to_string());
    set(&mut response, "x-amzn-errortype", &error.shape);
    response
}

/// See <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
fn xml_error(error: &ApiError, request_id: &str) -> Response<Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>\
         <RequestId>{request_id}</RequestId></Error>",
        escape(&error.code),
        escape(&error.message),
    );
    respond(error.status, "application/xml", body)
}
