//! Dead-letter queues: which queue gives its messages up to which, and the tasks that move them back.
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>.

use super::errors::invalid_parameter;
use crate::clock::Millis;
use crate::wire::error::ApiError;
use serde_json::{json, Value};
use std::fmt;

/// `RedrivePolicy`: after how many receives a message moves, and where to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RedrivePolicy {
    pub target_arn: String,
    pub max_receive_count: u32,
}

impl RedrivePolicy {
    pub fn parse(json: &str) -> Result<Self, ApiError> {
        let wrong = |reason: &str| {
            invalid_parameter(format!(
                "Value {json} for parameter RedrivePolicy is invalid. Reason: {reason}"
            ))
        };
        let policy: Value = serde_json::from_str(json)
            .map_err(|_| wrong("Redrive policy is not a valid JSON map."))?;
        let target_arn = policy["deadLetterTargetArn"].as_str().ok_or_else(|| {
            wrong("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
        })?;
        let count = match &policy["maxReceiveCount"] {
            Value::Null => {
                return Err(wrong(
                    "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
                ))
            }
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        };
        let max_receive_count = count.filter(|n| (1..=1000).contains(n)).ok_or_else(|| {
            wrong("Invalid value for maxReceiveCount: valid values are from 1 to 1000 both inclusive.")
        })?;
        Ok(Self {
            target_arn: target_arn.to_owned(),
            max_receive_count: max_receive_count as u32,
        })
    }
}

impl fmt::Display for RedrivePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = json!({
            "deadLetterTargetArn": self.target_arn,
            "maxReceiveCount": self.max_receive_count,
        });
        write!(f, "{json}")
    }
}

/// `RedriveAllowPolicy`: which queues may give their messages up to this one.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RedriveAllowPolicy {
    #[default]
    AllowAll,
    DenyAll,
    ByQueue(Vec<String>),
}

impl RedriveAllowPolicy {
    pub fn parse(json: &str) -> Result<Self, ApiError> {
        let wrong = |reason: &str| {
            invalid_parameter(format!(
                "Value {json} for parameter RedriveAllowPolicy is invalid. Reason: {reason}"
            ))
        };
        let policy: Value =
            serde_json::from_str(json).map_err(|_| wrong("Amazon SQS can't parse the JSON."))?;
        let sources: Option<Vec<String>> = policy["sourceQueueArns"].as_array().map(|arns| {
            arns.iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        });
        match (policy["redrivePermission"].as_str(), sources) {
            (Some("allowAll"), None) => Ok(Self::AllowAll),
            (Some("denyAll"), None) => Ok(Self::DenyAll),
            (Some("byQueue"), Some(arns)) if (1..=10).contains(&arns.len()) => {
                Ok(Self::ByQueue(arns))
            }
            (Some("byQueue"), _) => Err(wrong("With byQueue, sourceQueueArns takes 1 to 10 ARNs.")),
            (Some("allowAll" | "denyAll"), Some(_)) => {
                Err(wrong("sourceQueueArns goes with byQueue only."))
            }
            _ => Err(wrong(
                "redrivePermission is one of allowAll, denyAll and byQueue.",
            )),
        }
    }

    pub fn allows(&self, source_arn: &str) -> bool {
        match self {
            Self::AllowAll => true,
            Self::DenyAll => false,
            Self::ByQueue(arns) => arns.iter().any(|arn| arn == source_arn),
        }
    }
}

impl fmt::Display for RedriveAllowPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = match self {
            Self::AllowAll => json!({"redrivePermission": "allowAll"}),
            Self::DenyAll => json!({"redrivePermission": "denyAll"}),
            Self::ByQueue(arns) => json!({"redrivePermission": "byQueue", "sourceQueueArns": arns}),
        };
        write!(f, "{json}")
    }
}

/// The state of a message move task, as `ListMessageMoveTasks` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Running,
    Completed,
    Cancelled,
    Failed,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }
}

/// A task that moves what is in a dead-letter queue: back to where it came from, or to a queue you name.
#[derive(Clone, Debug)]
pub struct MoveTask {
    pub handle: String,
    pub source_arn: String,
    pub destination_arn: Option<String>,
    /// Messages per second; none is as fast as it goes.
    pub rate: Option<u32>,
    pub status: Status,
    pub moved: u64,
    pub to_move: u64,
    pub started_at: Millis,
    pub failure: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_is_read_and_shown() {
        for count in ["3", "\"3\""] {
            let json = format!("{{\"maxReceiveCount\":{count},\"deadLetterTargetArn\":\"arn:x\"}}");
            let policy = RedrivePolicy::parse(&json).expect("valid");
            assert_eq!(
                policy.to_string(),
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":3}"#
            );
        }
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"deadLetterTargetArn":"arn:x"}"#,
            r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":0}"#,
            r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":1001}"#,
            r#"{"maxReceiveCount":3}"#,
        ] {
            assert!(RedrivePolicy::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_allow_policy_decides_by_source() {
        let by_queue = RedriveAllowPolicy::parse(
            r#"{"redrivePermission":"byQueue","sourceQueueArns":["arn:a"]}"#,
        )
        .expect("valid");
        assert!(by_queue.allows("arn:a"));
        assert!(!by_queue.allows("arn:b"));
        assert!(RedriveAllowPolicy::parse(r#"{"redrivePermission":"byQueue"}"#).is_err());
        assert!(!RedriveAllowPolicy::DenyAll.allows("arn:a"));
    }
}
