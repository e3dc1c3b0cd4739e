//! The error that nearly everything wrong with a template or a request gets.

use crate::wire::error::ApiError;

/// AWS's `ValidationError` with this message.
pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::sender("ValidationError", message)
}
