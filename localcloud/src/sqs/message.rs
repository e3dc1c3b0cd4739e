//! A message: its body and attributes, what of them is valid, and their MD5s, which the SDKs verify.
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.

use super::errors::invalid_parameter;
use crate::clock::Millis;
use crate::wire::error::ApiError;
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A message, or all messages of a batch: 1 MiB.
pub const MAX_SIZE: usize = crate::quotas::MESSAGE_SIZE;
const MAX_ATTRIBUTES: usize = 10;
/// How long an attribute's name, and its type, may be.
const MAX_NAME: usize = 256;

/// A message as it was sent, and how often it was received since.
#[derive(Clone, Debug)]
pub struct Message {
    /// The UUID that a send answers.
    pub id: String,
    /// As it was sent.
    pub body: String,
    /// In hexadecimal digits, for the SDKs to compare with their own.
    pub md5_of_body: String,
    /// Those that the sender gave it.
    pub attributes: Attributes,
    /// `AWSTraceHeader` is the only one there is.
    pub system_attributes: Attributes,
    /// On a FIFO queue, the line it stands in. On a standard queue it names a tenant (fair queues) and orders nothing.
    pub group_id: Option<String>,
    /// Of a FIFO queue's message: the sender's, or made of the body.
    pub deduplication_id: Option<String>,
    /// A FIFO queue numbers its messages as they come, ever higher.
    pub sequence_number: Option<String>,
    /// Bytes of the body and the attributes' names, types and values.
    pub size: usize,
    /// By the local cloud's clock.
    pub sent_at: Millis,
    /// How often it was received.
    pub receives: u32,
    /// None until it is received.
    pub first_received_at: Option<Millis>,
    /// The ARN of the queue that gave this message up.
    pub dead_letter_source: Option<String>,
    /// Tells a copy that another host still had from the message itself, whose id it has.
    pub copy: Option<u64>,
}

impl Message {
    /// The name of this message, or of this copy of it, in the feed.
    pub fn name(&self) -> Cow<'_, str> {
        match self.copy {
            None => Cow::Borrowed(&self.id),
            Some(copy) => Cow::Owned(format!("{}#{copy}", self.id)),
        }
    }
}

/// Message attributes by name.
pub type Attributes = BTreeMap<String, Value>;

/// A message attribute's value. `DataType` is `String`, `Number` or `Binary`, with an optional label of your own:
/// `Number.celsius`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Value {
    #[serde(default)]
    /// `String`, `Number` or `Binary`, and what the sender puts behind a dot.
    pub data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// Of a `String` or a `Number`.
    pub string_value: Option<String>,
    /// Base64, as it travels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

/// Checks a body's characters: those of XML 1.0.
pub fn check_body(body: &str) -> Result<(), ApiError> {
    if body.is_empty() {
        return Err(ApiError::sender(
            "MissingParameter",
            "The request must contain the parameter MessageBody.",
        ));
    }
    check_characters(body, "message body")
}

fn check_characters(text: &str, place: &str) -> Result<(), ApiError> {
    let valid = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    match text.chars().find(|c| !valid(*c)) {
        None => Ok(()),
        Some(c) => Err(ApiError::sender(
            "InvalidMessageContents",
            format!(
                "Invalid binary character '#x{:X}' was found in the {place}, the set of allowed characters is \
                 #x9 | #xA | #xD | [#x20 to #xD7FF] | [#xE000 to #xFFFD] | [#x10000 to #x10FFFF]",
                c as u32
            ),
        )),
    }
}

/// Checks the names, types and values of message attributes.
pub fn check_attributes(attributes: &Attributes) -> Result<(), ApiError> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(invalid_parameter(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
            attributes.len()
        )));
    }
    for (name, value) in attributes {
        check_name(name)?;
        value.check(name)?;
    }
    Ok(())
}

/// Checks message system attributes.
pub fn check_system_attributes(attributes: &Attributes) -> Result<(), ApiError> {
    for (name, value) in attributes {
        if name != "AWSTraceHeader" {
            return Err(invalid_parameter(format!(
                "Message system attribute name '{name}' is invalid."
            )));
        }
        value.check(name)?;
        if value.data_type != "String" {
            return Err(invalid_parameter(format!(
                "The type of message system attribute '{name}' is invalid. You must use only the String type."
            )));
        }
    }
    Ok(())
}

/// A group id and a deduplication id have 1 to 128 alphanumeric or punctuation characters.
pub fn check_token(parameter: &str, token: &str) -> Result<(), ApiError> {
    let characters = token.bytes().all(|b| b.is_ascii_graphic());
    if token.is_empty() || token.len() > 128 || !characters {
        return Err(invalid_parameter(format!(
            "Value {token} for parameter {parameter} is invalid. Reason: {parameter} can only include alphanumeric \
             and punctuation characters. 1 to 128 in length."
        )));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let characters = name
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let lower = name.to_ascii_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    if name.is_empty() || name.chars().count() > MAX_NAME || !characters || dots || reserved {
        return Err(invalid_parameter(format!(
            "The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), \
             hyphen (-), and period (.) characters; it must not start with AWS. or Amazon., start or end with a period, \
             or be longer than 256 characters."
        )));
    }
    Ok(())
}

impl Value {
    fn check(&self, name: &str) -> Result<(), ApiError> {
        if self.data_type.len() > MAX_NAME {
            return Err(invalid_parameter(format!(
                "The type of message (user) attribute '{name}' is longer than {MAX_NAME} bytes."
            )));
        }
        let kind = self.data_type.split('.').next().unwrap_or_default();
        match kind {
            "String" | "Number" => match &self.string_value {
                Some(value) if !value.is_empty() => {
                    check_characters(value, &format!("message attribute '{name}'"))
                        .map_err(|error| invalid_parameter(error.message))?;
                    if kind == "Number" && value.parse::<f64>().is_err() {
                        return Err(invalid_parameter(format!(
                            "Can't cast the value of message (user) attribute '{name}' to a number."
                        )));
                    }
                    Ok(())
                }
                _ => Err(self.missing(name, kind)),
            },
            "Binary" => match &self.binary_value {
                Some(value) if STANDARD.decode(value).is_ok_and(|bytes| !bytes.is_empty()) => Ok(()),
                _ => Err(self.missing(name, kind)),
            },
            "" => Err(invalid_parameter(format!(
                "The message (user) attribute '{name}' must contain a non-empty message attribute type."
            ))),
            _ => Err(invalid_parameter(format!(
                "The message (user) attribute '{name}' has an invalid message attribute type, the set of supported type \
                 prefixes is Binary, Number, and String."
            ))),
        }
    }

    fn missing(&self, name: &str, kind: &str) -> ApiError {
        invalid_parameter(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        ))
    }

    /// The value's bytes, and the tag by which the MD5 tells text (1) from binary (2).
    fn bytes(&self) -> (u8, Vec<u8>) {
        match (&self.binary_value, &self.string_value) {
            (Some(base64), _) => (2, STANDARD.decode(base64).unwrap_or_default()),
            (None, text) => (1, text.clone().unwrap_or_default().into_bytes()),
        }
    }
}

/// The bytes that attributes count for in a message's size.
pub fn size_of(attributes: &Attributes) -> usize {
    attributes
        .iter()
        .map(|(name, value)| name.len() + value.data_type.len() + value.bytes().1.len())
        .sum()
}

/// In hexadecimal digits.
pub fn md5_of_body(body: &str) -> String {
    hex(Md5::digest(body.as_bytes()).as_slice())
}

/// The MD5 over attributes sorted by name, as the SDKs compute it; none when there are no attributes.
/// See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation>.
pub fn md5_of_attributes<'a>(
    attributes: impl Iterator<Item = (&'a String, &'a Value)>,
) -> Option<String> {
    let mut digest = Md5::new();
    let mut any = false;
    let part = |digest: &mut Md5, bytes: &[u8]| {
        digest.update((bytes.len() as u32).to_be_bytes());
        digest.update(bytes);
    };
    for (name, value) in attributes {
        any = true;
        part(&mut digest, name.as_bytes());
        part(&mut digest, value.data_type.as_bytes());
        let (tag, bytes) = value.bytes();
        digest.update([tag]);
        part(&mut digest, &bytes);
    }
    any.then(|| hex(digest.finalize().as_slice()))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for digit in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        text.extend(char::from_digit(digit.into(), 16));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_may_hold_what_xml_may() {
        assert!(check_body("\t\r\n ~\u{e000}\u{1f600}").is_ok());
        for bad in ["\u{0}", "a\u{b}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
            let error = check_body(bad).expect_err("refused");
            assert_eq!(error.code, "InvalidMessageContents");
        }
        assert_eq!(
            check_body("").expect_err("refused").code,
            "MissingParameter"
        );
    }

    #[test]
    fn attributes_need_a_good_name_type_and_value() {
        let text = |data_type: &str, value: &str| Value {
            data_type: data_type.into(),
            string_value: Some(value.into()),
            binary_value: None,
        };
        let check = |name: &str, value: Value| {
            check_attributes(&Attributes::from([(name.to_owned(), value)]))
        };
        assert!(check("a-b_c.1", text("String.label", "x")).is_ok());
        assert!(check("n", text("Number", "-1.5e3")).is_ok());
        assert!(check("größe", text("String", "letters of any language")).is_ok());
        for (name, value) in [
            ("a", text(&format!("String.{}", "x".repeat(250)), "x")),
            ("", text("String", "x")),
            (".a", text("String", "x")),
            ("a..b", text("String", "x")),
            ("AWS.a", text("String", "x")),
            ("a b", text("String", "x")),
            ("a", text("String", "")),
            ("a", text("Number", "five")),
            ("a", text("Text", "x")),
            ("a", text("", "x")),
            ("a", text("Binary", "x")),
        ] {
            assert!(check(name, value.clone()).is_err(), "{name} {value:?}");
        }
    }
}
