//! The two wire forms of the services: AWS JSON 1.0 (SQS) and the query protocol, form in and XML out
//! (CloudFormation, STS).

pub mod error;
pub mod json;
pub mod query;
