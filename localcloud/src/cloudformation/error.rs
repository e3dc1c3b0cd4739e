//! The error that nearly everything wrong with a template or a request gets.

use crate::wire::error::{violation, ApiError};

/// AWS's `ValidationError` with this message.
pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::sender("ValidationError", message)
}

/// A member that breaks a rule of its shape.
pub fn constraint(value: &str, member: &str, rule: &str) -> ApiError {
    ApiError::validation("ValidationError", &[violation(Some(value), member, rule)])
}
