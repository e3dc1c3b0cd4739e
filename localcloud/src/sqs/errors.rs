//! The errors of SQS that several of its operations answer, by their codes in both protocols.
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>.

use crate::wire::error::ApiError;

pub fn no_such_queue() -> ApiError {
    ApiError::sender(
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist.",
    )
    .with_shape("QueueDoesNotExist")
    .with_query_message("The specified queue does not exist for this wsdl version.")
}

pub fn missing(parameter: &str) -> ApiError {
    ApiError::sender(
        "MissingParameter",
        format!("The request must contain the parameter {parameter}."),
    )
    .with_shape("MissingRequiredParameterException")
}

pub fn invalid_parameter(message: String) -> ApiError {
    ApiError::sender("InvalidParameterValue", message).with_shape("InvalidParameterValueException")
}

pub fn invalid_attribute_value(message: String) -> ApiError {
    ApiError::sender("InvalidAttributeValue", message)
}

/// An error whose code in the query protocol carries the service's name.
pub fn sqs_error(shape: &str, message: String) -> ApiError {
    ApiError::sender(&format!("AWS.SimpleQueueService.{shape}"), message).with_shape(shape)
}

/// Whether this may name an entry of a batch, or a permission.
pub fn is_label(text: &str) -> bool {
    (1..=80).contains(&text.len()) && text.bytes().all(is_name_byte)
}

/// Whether a name may have this character: a queue's, an entry's, a permission's.
pub fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Checks a number against the limits AWS names in its message; `default` stands in for none.
pub fn in_range(
    parameter: &str,
    value: Option<i64>,
    default: u32,
    (least, most): (u32, u32),
    reason: &str,
) -> Result<u32, ApiError> {
    let Some(value) = value else {
        return Ok(default);
    };
    u32::try_from(value)
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| {
            invalid_parameter(format!(
                "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
            ))
        })
}
