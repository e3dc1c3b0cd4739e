//! The parameters of a receive and their limits, and how it shows the messages it brings.
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>.

use super::attributes::Settings;
use super::errors::in_range;
use super::message::{self, check_token, Message};
use super::store::{Delivery, Poll, Receive};
use crate::clock::Millis;
use crate::quotas;
use crate::wire::error::ApiError;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// The one user of the local cloud, as senders are named.
const SENDER: &str = "AIDALOCALCLOUDREADER";

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct ReceiveMessageRequest {
    pub queue_url: String,
    pub attribute_names: Vec<String>,
    pub message_system_attribute_names: Vec<String>,
    pub message_attribute_names: Vec<String>,
    pub max_number_of_messages: Option<i64>,
    pub visibility_timeout: Option<i64>,
    pub wait_time_seconds: Option<i64>,
    pub receive_request_attempt_id: Option<String>,
}

/// The answer to a receive.
pub struct ReceiveMessageResult {
    pub request: ReceiveMessageRequest,
    pub deliveries: Vec<Delivery>,
}

impl ReceiveMessageResult {
    pub fn messages(&self) -> impl Iterator<Item = ReceivedMessage<'_>> {
        let show = |delivery| self.request.show(delivery);
        self.deliveries.iter().map(show)
    }
}

impl Serialize for ReceiveMessageResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Output<'a> {
            #[serde(skip_serializing_if = "Vec::is_empty")]
            messages: Vec<ReceivedMessage<'a>>,
        }
        let messages = self.messages().collect();
        Output { messages }.serialize(serializer)
    }
}

/// A message as a receive shows it.
#[derive(Serialize)]
pub struct ReceivedMessage<'a> {
    #[serde(rename = "MessageId")]
    message_id: &'a str,
    #[serde(rename = "ReceiptHandle")]
    receipt_handle: &'a str,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: &'a str,
    #[serde(rename = "Body")]
    body: &'a str,
    #[serde(rename = "Attributes", skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_attributes: Option<String>,
    #[serde(
        rename = "MessageAttributes",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    message_attributes: BTreeMap<&'a String, &'a message::Value>,
}

impl ReceiveMessageRequest {
    /// The request within its limits, and how many milliseconds it waits.
    pub fn checked(&self, settings: &Settings) -> Result<(Receive, Millis), ApiError> {
        let most = in_range(
            "MaxNumberOfMessages",
            self.max_number_of_messages,
            1,
            (1, quotas::RECEIVE_MAX),
            "Must be between 1 and 10, if provided.",
        )?;
        let wait = in_range(
            "WaitTimeSeconds",
            self.wait_time_seconds,
            settings.wait,
            (0, quotas::WAIT_MAX),
            "Must be >= 0 and <= 20, if provided.",
        )?;
        if let Some(id) = &self.receive_request_attempt_id {
            check_token("ReceiveRequestAttemptId", id)?;
        }
        let unknown = |name: &&String| !SYSTEM_ATTRIBUTES.contains(&name.as_str());
        if let Some(name) = self.system_names().find(unknown) {
            return Err(ApiError::sender(
                "InvalidAttributeName",
                format!("Unknown Attribute {name}."),
            ));
        }
        let receive = Receive {
            poll: if wait == 0 { Poll::Short } else { Poll::Long },
            most: most as usize,
            visibility_timeout: visibility_timeout(
                self.visibility_timeout,
                settings.visibility_timeout,
            )?,
            max_receive_count: None,
        };
        Ok((receive, Millis::from(wait) * 1000))
    }

    fn system_names(&self) -> impl Iterator<Item = &String> {
        self.attribute_names
            .iter()
            .chain(&self.message_system_attribute_names)
    }

    pub fn show<'a>(&self, delivery: &'a Delivery) -> ReceivedMessage<'a> {
        let message = &delivery.message;
        let asked = |name: &str| {
            self.message_attribute_names.iter().any(|pattern| {
                pattern == "All"
                    || pattern == "*"
                    || pattern == name
                    || pattern
                        .strip_suffix(".*")
                        .is_some_and(|prefix| name.starts_with(prefix))
            })
        };
        let message_attributes: BTreeMap<_, _> = message
            .attributes
            .iter()
            .filter(|(name, _)| asked(name))
            .collect();
        ReceivedMessage {
            message_id: &message.id,
            receipt_handle: &delivery.receipt_handle,
            md5_of_body: &message.md5_of_body,
            body: &message.body,
            attributes: self.system_attributes(message),
            md5_of_attributes: message::md5_of_attributes(
                message_attributes
                    .iter()
                    .map(|(name, value)| (*name, *value)),
            ),
            message_attributes,
        }
    }

    fn system_attributes(&self, message: &Message) -> BTreeMap<&'static str, String> {
        let mut attributes = BTreeMap::new();
        for name in self.system_names() {
            let all = name == "All";
            for known in &SYSTEM_ATTRIBUTES[1..] {
                if all || name == known {
                    attributes.extend(message.system_attribute(known).map(|value| (*known, value)));
                }
            }
        }
        attributes
    }
}

/// The names that a receive may ask for: `All`, then each by its own.
const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

impl Message {
    fn system_attribute(&self, name: &str) -> Option<String> {
        match name {
            "SenderId" => Some(SENDER.to_owned()),
            "SentTimestamp" => Some(self.sent_at.to_string()),
            "ApproximateReceiveCount" => Some(self.receives.to_string()),
            "ApproximateFirstReceiveTimestamp" => self.first_received_at.map(|at| at.to_string()),
            "MessageGroupId" => self.group_id.clone(),
            "MessageDeduplicationId" => self.deduplication_id.clone(),
            "SequenceNumber" => self.sequence_number.clone(),
            "AWSTraceHeader" => self.system_attributes.get(name)?.string_value.clone(),
            "DeadLetterQueueSourceArn" => self.dead_letter_source.clone(),
            _ => None,
        }
    }
}

pub fn visibility_timeout(seconds: Option<i64>, default: u32) -> Result<Millis, ApiError> {
    let seconds = in_range(
        "VisibilityTimeout",
        seconds,
        default,
        (quotas::VISIBILITY_MIN, quotas::VISIBILITY_MAX),
        "Must be between 0 and 43200, if provided.",
    )?;
    Ok(Millis::from(seconds) * 1000)
}
