//! The services whose operations make, change and delete resources. CloudFormation is a caller like any other: it sees
//! only what these operations answer.

use crate::iam::Iam;
use crate::kinesis::Kinesis;
use crate::lambda::mapping::Mappings;
use crate::logs::Logs;
use crate::sqs::Sqs;
use crate::wire::error::ApiError;
use serde_json::Value;

/// The services, as one caller of CloudFormation reaches them.
#[derive(Clone)]
pub struct Services {
    pub sqs: Sqs,
    pub kinesis: Kinesis,
    pub iam: Iam,
    pub logs: Logs,
    pub mappings: Mappings,
    /// The URL by which the stack's creator reached the local cloud: queue URLs begin with it.
    pub base: String,
}

impl Services {
    pub async fn sqs(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        let input = input.to_string();
        let output = self
            .sqs
            .call(operation, input.as_bytes(), &self.base)
            .await?;
        Ok(serde_json::from_slice(&output).unwrap_or_default())
    }

    pub async fn kinesis(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        self.kinesis.ask(operation, input).await
    }

    pub fn logs(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        self.logs.call(operation, input.to_string().as_bytes())
    }

    /// Answers the XML of the result.
    pub fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String, ApiError> {
        self.iam.call(action, &parameters.iter().copied().collect())
    }
}
