//! CloudFormation: the stacks of the lab's templates.

use crate::clock::Clock;
use crate::sqs::Sqs;
use crate::wire::error::ApiError;
use crate::wire::query::Form;

/// The stacks of the account.
pub struct CloudFormation {}

impl CloudFormation {
    pub fn new(_clock: Clock, _sqs: Sqs, _seed: u64) -> Self {
        Self {}
    }

    /// Answers `action` with the XML of its result.
    pub async fn call(&self, action: &str, _form: &Form) -> Result<String, ApiError> {
        Err(ApiError::not_in_this_lab("cloudformation", action))
    }
}
