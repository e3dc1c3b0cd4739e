//! The attributes of a queue: their names, limits and defaults.
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>.

use super::redrive::{RedriveAllowPolicy, RedrivePolicy};
use super::{errors::invalid_attribute_value, message};
use crate::quotas;
use crate::wire::error::ApiError;
use std::collections::BTreeMap;

/// The attributes that `CreateQueue` and `SetQueueAttributes` take. Times are in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub delay: u32,
    pub maximum_message_size: u32,
    pub retention: u32,
    pub wait: u32,
    pub visibility_timeout: u32,
    pub policy: Option<String>,
    pub redrive: Option<RedrivePolicy>,
    pub redrive_allow: Option<RedriveAllowPolicy>,
    // Differs from AWS: encryption: these are kept and shown; nothing is encrypted.
    kms_key: Option<String>,
    kms_reuse: u32,
    managed_encryption: bool,
    /// None on a standard queue.
    pub fifo: Option<FifoSettings>,
}

/// Attributes that only a FIFO queue has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FifoSettings {
    pub content_based_deduplication: bool,
    /// A deduplication id is of its group, not of the queue.
    pub deduplication_by_group: bool,
    pub throughput_by_group: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            delay: quotas::DELAY_DEFAULT,
            maximum_message_size: message::MAX_SIZE as u32,
            retention: quotas::RETENTION_DEFAULT,
            wait: quotas::WAIT_DEFAULT,
            visibility_timeout: quotas::VISIBILITY_DEFAULT,
            policy: None,
            redrive: None,
            redrive_allow: None,
            kms_key: None,
            kms_reuse: 300,
            managed_encryption: true,
            fifo: None,
        }
    }
}

/// Attributes that are read, never set.
const READ_ONLY: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

const FIFO_ONLY: [&str; 3] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
];

impl Settings {
    /// A new queue's.
    pub fn new(fifo: bool) -> Self {
        Self {
            fifo: fifo.then(FifoSettings::default),
            ..Self::default()
        }
    }

    /// Sets the attributes given, all of them or, on an error, none.
    pub fn set(&mut self, attributes: &BTreeMap<String, String>) -> Result<(), ApiError> {
        let mut changed = self.clone();
        for (name, value) in attributes {
            changed.set_one(name, value)?;
        }
        if changed.managed_encryption && changed.kms_key.is_some() {
            return Err(ApiError::sender(
                "InvalidAttributeName",
                "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
            ));
        }
        let fifo = changed.fifo.as_ref();
        if fifo.is_some_and(|fifo| fifo.throughput_by_group && !fifo.deduplication_by_group) {
            return Err(invalid_attribute_value(
                "The value perMessageGroupId for FifoThroughputLimit is allowed only when the value for \
                 DeduplicationScope is messageGroup."
                    .to_owned(),
            ));
        }
        *self = changed;
        Ok(())
    }

    fn set_one(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        let number = |least: u32, most: u32| {
            value
                .parse()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| {
                    invalid_attribute_value(format!("Invalid value for the parameter {name}."))
                })
        };
        match name {
            "DelaySeconds" => self.delay = number(0, quotas::DELAY_MAX)?,
            "MaximumMessageSize" => {
                self.maximum_message_size = number(1024, message::MAX_SIZE as u32)?;
            }
            "MessageRetentionPeriod" => {
                self.retention = number(quotas::RETENTION_MIN, quotas::RETENTION_MAX)?
            }
            "ReceiveMessageWaitTimeSeconds" => self.wait = number(0, quotas::WAIT_MAX)?,
            "VisibilityTimeout" => {
                self.visibility_timeout = number(quotas::VISIBILITY_MIN, quotas::VISIBILITY_MAX)?
            }
            "KmsDataKeyReusePeriodSeconds" => self.kms_reuse = number(60, 86_400)?,
            "SqsManagedSseEnabled" => self.managed_encryption = boolean(name, value)?,
            "KmsMasterKeyId" => {
                self.kms_key = non_empty(value);
                // It does not come back when the key goes.
                self.managed_encryption &= self.kms_key.is_none();
            }
            "FifoQueue" if self.fifo.is_some() => {
                if !boolean(name, value)? {
                    return Err(invalid_attribute_value(
                        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
                            .to_owned(),
                    ));
                }
            }
            "Policy" => {
                if !value.is_empty()
                    && serde_json::from_str::<BTreeMap<String, serde_json::Value>>(value).is_err()
                {
                    return Err(invalid_attribute_value(
                        "Invalid value for the parameter Policy.".to_owned(),
                    ));
                }
                self.policy = non_empty(value);
            }
            "RedrivePolicy" => {
                self.redrive = non_empty(value)
                    .map(|json| RedrivePolicy::parse(&json))
                    .transpose()?;
            }
            "RedriveAllowPolicy" => {
                self.redrive_allow = non_empty(value)
                    .map(|json| RedriveAllowPolicy::parse(&json))
                    .transpose()?;
            }
            _ if READ_ONLY.contains(&name) || name == "FifoQueue" => return Err(unknown(name)),
            _ if FIFO_ONLY.contains(&name) => return self.set_fifo(name, value),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    fn set_fifo(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        let Some(fifo) = &mut self.fifo else {
            return Err(match name {
                "ContentBasedDeduplication" => unknown(name),
                _ => ApiError::sender(
                    "InvalidAttributeName",
                    format!("You can specify the {name} only when FifoQueue is set to true."),
                ),
            });
        };
        match (name, value) {
            ("ContentBasedDeduplication", _) => {
                fifo.content_based_deduplication = boolean(name, value)?;
            }
            ("DeduplicationScope", "messageGroup") => fifo.deduplication_by_group = true,
            ("DeduplicationScope", "queue") => fifo.deduplication_by_group = false,
            ("FifoThroughputLimit", "perMessageGroupId") => fifo.throughput_by_group = true,
            ("FifoThroughputLimit", "perQueue") => fifo.throughput_by_group = false,
            _ => {
                return Err(invalid_attribute_value(format!(
                    "Invalid value for the parameter {name}."
                )))
            }
        }
        Ok(())
    }

    /// The settings as `GetQueueAttributes` shows them.
    pub fn shown(&self) -> BTreeMap<&'static str, String> {
        let mut shown = BTreeMap::from([
            ("DelaySeconds", self.delay.to_string()),
            ("MaximumMessageSize", self.maximum_message_size.to_string()),
            ("MessageRetentionPeriod", self.retention.to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.wait.to_string()),
            ("VisibilityTimeout", self.visibility_timeout.to_string()),
            ("SqsManagedSseEnabled", self.managed_encryption.to_string()),
        ]);
        if let Some(key) = &self.kms_key {
            shown.insert("KmsMasterKeyId", key.clone());
            shown.insert("KmsDataKeyReusePeriodSeconds", self.kms_reuse.to_string());
        }
        if let Some(fifo) = &self.fifo {
            let choice = |by_group, yes: &str, no: &str| if by_group { yes } else { no }.to_owned();
            shown.extend([
                ("FifoQueue", "true".to_owned()),
                (
                    "ContentBasedDeduplication",
                    fifo.content_based_deduplication.to_string(),
                ),
                (
                    "DeduplicationScope",
                    choice(fifo.deduplication_by_group, "messageGroup", "queue"),
                ),
                (
                    "FifoThroughputLimit",
                    choice(fifo.throughput_by_group, "perMessageGroupId", "perQueue"),
                ),
            ]);
        }
        if let Some(policy) = &self.policy {
            shown.insert("Policy", policy.clone());
        }
        if let Some(redrive) = &self.redrive {
            shown.insert("RedrivePolicy", redrive.to_string());
        }
        if let Some(allow) = &self.redrive_allow {
            shown.insert("RedriveAllowPolicy", allow.to_string());
        }
        shown
    }

    /// The first of `attributes` that this queue has otherwise: it can't be created again with them.
    pub fn differs_in<'a>(
        &self,
        attributes: &'a BTreeMap<String, String>,
    ) -> Result<Option<&'a str>, ApiError> {
        for name in attributes.keys() {
            let mut other = self.clone();
            other.set_one(name, &attributes[name])?;
            if other != *self {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// Checks the names a caller asks for; `All` is one.
pub fn check_names(names: &[String]) -> Result<(), ApiError> {
    let settable = Settings {
        policy: Some(String::new()),
        redrive: Some(RedrivePolicy::default()),
        redrive_allow: Some(RedriveAllowPolicy::default()),
        kms_key: Some(String::new()),
        ..Settings::default()
    };
    let known = settable.shown();
    let unknown_name = names.iter().find(|name| {
        let name = name.as_str();
        !(name == "All"
            || name == "FifoQueue"
            || READ_ONLY.contains(&name)
            || FIFO_ONLY.contains(&name)
            || known.contains_key(name))
    });
    unknown_name.map_or(Ok(()), |name| Err(unknown(name)))
}

fn unknown(name: &str) -> ApiError {
    ApiError::sender("InvalidAttributeName", format!("Unknown Attribute {name}."))
}

/// `true` or `false`, in capitals or not.
fn boolean(name: &str, value: &str) -> Result<bool, ApiError> {
    let value = value.to_ascii_lowercase().parse();
    value.map_err(|_| invalid_attribute_value(format!("Invalid value for the parameter {name}.")))
}

fn non_empty(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Settings, ApiError> {
        let mut settings = Settings::default();
        settings.set(&BTreeMap::from([(name.to_owned(), value.to_owned())]))?;
        Ok(settings)
    }

    #[test]
    fn every_number_has_its_limits() {
        for (name, least, most) in [
            ("DelaySeconds", 0, 900),
            ("MaximumMessageSize", 1024, 1_048_576),
            ("MessageRetentionPeriod", 60, 1_209_600),
            ("ReceiveMessageWaitTimeSeconds", 0, 20),
            ("VisibilityTimeout", 0, 43_200),
        ] {
            assert!(set(name, &least.to_string()).is_ok(), "{name}");
            assert!(set(name, &most.to_string()).is_ok(), "{name}");
            for bad in [least - 1, most + 1] {
                let error = set(name, &bad.to_string()).expect_err("out of range");
                assert_eq!(error.code, "InvalidAttributeValue");
            }
        }
    }

    #[test]
    fn a_wrong_attribute_changes_nothing() {
        let mut settings = Settings::default();
        let attributes = BTreeMap::from([
            ("DelaySeconds".to_owned(), "5".to_owned()),
            ("VisibilityTimeout".to_owned(), "no".to_owned()),
        ]);
        assert!(settings.set(&attributes).is_err());
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn what_is_read_only_or_of_a_fifo_queue_is_refused() {
        for name in ["QueueArn", "FifoQueue", "FifoThroughputLimit", "Colour"] {
            let error = set(name, "true").expect_err("refused");
            assert_eq!(error.code, "InvalidAttributeName", "{name}");
        }
    }
}
