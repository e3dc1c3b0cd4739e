//! AWS JSON 1.0 and 1.1: the operation in `x-amz-target`, its input and output as JSON.
//! See <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>, and for the error header
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>.

use super::error::{ApiError, Fault};

/// The body of an error answer.
pub fn error(namespace: &str, error: &ApiError) -> String {
    serde_json::json!({
        "__type": format!("{namespace}#{}", error.shape),
        "message": error.message,
    })
    .to_string()
}

/// The body of an error answer of a service that names its errors without a namespace, as Kinesis does.
pub fn plain_error(error: &ApiError) -> String {
    serde_json::json!({ "__type": error.shape, "message": error.message }).to_string()
}

/// The body of an error answer of a REST API, whose headers name the error.
pub fn rest_error(error: &ApiError) -> String {
    let kind = match error.status {
        500.. => "Service",
        _ => "User",
    };
    serde_json::json!({ "Type": kind, "Message": error.message, "message": error.message })
        .to_string()
}

/// The value of `x-amzn-query-error`, by which SDKs type the errors of a service that once spoke the query protocol.
pub fn query_error(error: &ApiError) -> String {
    let fault = match error.fault {
        Fault::Sender => "Sender",
        Fault::Receiver => "Receiver",
    };
    format!("{};{fault}", error.code)
}
