//! AWS JSON 1.0: the operation in `x-amz-target`, its input and output as JSON.
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

/// The value of `x-amzn-query-error`, by which SDKs type the errors of a service that once spoke the query protocol.
pub fn query_error(error: &ApiError) -> String {
    let fault = match error.fault {
        Fault::Sender => "Sender",
        Fault::Receiver => "Receiver",
    };
    format!("{};{fault}", error.code)
}
