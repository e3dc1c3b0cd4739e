//! The errors of Lambda's operations.

use crate::wire::error::{violation, ApiError};

pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::sender("InvalidParameterValueException", message)
}

pub fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::sender("ResourceConflictException", message).with_status(409)
}

pub fn not_found(arn: &str) -> ApiError {
    ApiError::sender(
        "ResourceNotFoundException",
        format!("Function not found: {arn}"),
    )
    .with_status(404)
}

pub fn throttled() -> ApiError {
    ApiError::sender("TooManyRequestsException", "Rate Exceeded.").with_status(429)
}

pub fn service(message: &str) -> ApiError {
    ApiError::sender("ServiceException", message).with_status(500)
}

/// A member that breaks a rule of its shape.
pub fn constraint(value: &str, member: &str, rule: &str) -> ApiError {
    constraints(&[violation(Some(value), member, rule)])
}

/// A member that must be there and isn't.
pub fn missing(member: &str) -> ApiError {
    constraints(&[violation(None, member, "Member must not be null")])
}

/// Several at once, each said by [`violation`].
pub fn constraints(violations: &[String]) -> ApiError {
    ApiError::validation("ValidationException", violations)
}
