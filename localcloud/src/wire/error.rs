//! An error as AWS answers it. Each service makes its own; `http` writes them in the service's wire form.

use std::fmt;

/// Who is at fault, as the query protocol names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller: the request is wrong, and will be when it is sent again.
    Sender,
    /// AWS, or here the local cloud.
    Receiver,
}

/// One error answer of an AWS service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status, such as 400.
    pub status: u16,
    /// The code of the query protocol, such as `AWS.SimpleQueueService.NonExistentQueue`. SDKs read it from
    /// the XML, or from the header `x-amzn-query-error`.
    pub code: String,
    /// The shape's name in the JSON protocol, such as `QueueDoesNotExist`. Often the same as the code.
    pub shape: String,
    /// In AWS's words, as far as they are known.
    pub message: String,
    /// The message in the query protocol, where AWS's protocols differ.
    pub query_message: Option<&'static str>,
    /// Only the query protocol tells it.
    pub fault: Fault,
}

impl ApiError {
    /// An error of the caller's, status 400, whose code is also its shape.
    pub fn sender(code: &str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: code.to_owned(),
            shape: code.to_owned(),
            message: message.into(),
            query_message: None,
            fault: Fault::Sender,
        }
    }

    /// The same error under a shape name that differs from the query code.
    pub fn with_shape(mut self, shape: &str) -> Self {
        self.shape = shape.to_owned();
        self
    }

    /// The same error, told in other words by the query protocol.
    pub fn with_query_message(mut self, message: &'static str) -> Self {
        self.query_message = Some(message);
        self
    }

    /// The same error with a status other than 400.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// AWS's answer to members that break rules of their shapes, each said by [`violation`]. The code is the
    /// service's own, such as `ValidationException`.
    pub fn validation(code: &str, violations: &[String]) -> Self {
        let errors = match violations.len() {
            1 => "error",
            _ => "errors",
        };
        let message = format!(
            "{} validation {errors} detected: {}",
            violations.len(),
            violations.join("; ")
        );
        Self::sender(code, message)
    }

    /// Every service's answer to an operation that the lab leaves out.
    pub fn not_in_this_lab(service: &str, operation: &str) -> Self {
        Self::sender(
            "UnknownOperationException",
            format!(
                "{service} {operation} is not in this lab. The appendix \"Where the local cloud differs\" \
                 lists what is; run the program against AWS for the rest."
            ),
        )
    }
}

/// A member that breaks a rule, such as `Member must have length less than or equal to 64`: `Value 'a…' at
/// 'functionName' failed to satisfy constraint: …`. No value: null.
pub fn violation(value: Option<&str>, member: &str, rule: &str) -> String {
    let value = value.map_or("null".to_owned(), |value| format!("'{value}'"));
    format!("Value {value} at '{member}' failed to satisfy constraint: {rule}")
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}
