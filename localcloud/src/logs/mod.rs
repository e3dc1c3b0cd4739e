//! CloudWatch Logs over AWS JSON 1.1: groups of streams of events. `state` is what there is; `groups` are the operations on
//! groups and streams, `events` those that write and read, `request` what they share, `pattern` what a filter matches.
//!
//! See <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_Operations.html>.

mod events;
mod groups;
mod pattern;
mod request;
mod state;

use crate::wire::error::ApiError;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use request::group_arn;
pub use state::Logs;

/// The operations there are.
pub const OPERATIONS: [&str; 11] = [
    "CreateLogGroup",
    "CreateLogStream",
    "DeleteLogGroup",
    "DeleteLogStream",
    "DeleteRetentionPolicy",
    "DescribeLogGroups",
    "DescribeLogStreams",
    "FilterLogEvents",
    "GetLogEvents",
    "PutLogEvents",
    "PutRetentionPolicy",
];

impl Logs {
    /// One operation, JSON in and JSON out; null when AWS answers with nothing.
    ///
    /// # Errors
    ///
    /// AWS's own error, or that the operation is not in this lab.
    pub fn call(&self, operation: &str, input: &[u8]) -> Result<Value, ApiError> {
        let input = if input.is_empty() { b"{}" } else { input };
        match operation {
            "CreateLogGroup" => self.create_log_group(parse(input)?),
            "DeleteLogGroup" => self.delete_log_group(parse(input)?),
            "DescribeLogGroups" => self.describe_log_groups(parse(input)?),
            "PutRetentionPolicy" => self.put_retention_policy(parse(input)?),
            "DeleteRetentionPolicy" => self.delete_retention_policy(parse(input)?),
            "CreateLogStream" => self.create_log_stream(parse(input)?),
            "DeleteLogStream" => self.delete_log_stream(parse(input)?),
            "DescribeLogStreams" => self.describe_log_streams(parse(input)?),
            "PutLogEvents" => self.put_log_events(parse(input)?),
            "GetLogEvents" => self.get_log_events(parse(input)?),
            "FilterLogEvents" => self.filter_log_events(parse(input)?),
            _ => Err(ApiError::not_in_this_lab("logs", operation)),
        }
    }
}

fn parse<T: DeserializeOwned>(input: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(input).map_err(|error| {
        ApiError::sender(
            "SerializationException",
            format!("The request body is not what this operation takes: {error}"),
        )
    })
}
