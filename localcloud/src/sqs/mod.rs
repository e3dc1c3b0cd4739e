//! SQS over AWS JSON 1.0.

use crate::clock::Clock;
use crate::faults::Faults;
use crate::wire::error::ApiError;
use serde_json::{json, Value};

/// The queues of the account. Clones share them.
#[derive(Clone)]
pub struct Sqs {}

impl Sqs {
    pub fn new(_clock: Clock, _faults: Faults, _seed: u64) -> Self {
        Self {}
    }

    /// Answers `operation` with the JSON of its output. `base` is the URL the caller reached us by; queue URLs start with it.
    pub async fn call(
        &self,
        operation: &str,
        _input: &[u8],
        _base: &str,
    ) -> Result<Vec<u8>, ApiError> {
        Err(ApiError::not_in_this_lab("sqs", operation))
    }

    /// The queues with their counts, for the desk.
    pub fn status(&self) -> Value {
        json!([])
    }
}
