//! The two wire forms of the services: AWS JSON 1.0 (SQS) and 1.1 (Kinesis, CloudWatch Logs), and the query protocol, form
//! in and XML out
//! (CloudFormation, IAM, STS).

pub mod error;
pub mod json;
pub mod query;
