//! The input of an operation: its fields, each of its type and in its bounds, and what AWS says of those that aren't.

use super::consumers::stream_in;
use super::invalid;
use crate::clock::Millis;
use crate::wire::error::ApiError;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// What a text may look like.
pub struct Words {
    longest: usize,
    pattern: &'static str,
    matches: fn(&str) -> bool,
}

/// The name of a stream, a shard or a consumer.
pub const NAME: Words = Words {
    longest: 128,
    pattern: "[a-zA-Z0-9_.-]+",
    matches: |text| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    },
};
pub const HASH_KEY: Words = Words {
    longest: usize::MAX,
    pattern: "0|([1-9]\\d{0,38})",
    matches: |text| is_decimal(text, 39),
};
pub const NUMBER: Words = Words {
    longest: usize::MAX,
    pattern: "0|([1-9]\\d{0,128})",
    matches: |text| is_decimal(text, 129),
};
/// The ARN of a stream or of a consumer.
pub const ARN: Words = Words {
    longest: 2048,
    pattern: "arn:aws.*:kinesis:.*:\\d{12}:.*stream/\\S+",
    matches: |text| {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        matches!(parts[..], ["arn", aws, "kinesis", _, account, rest]
            if aws.starts_with("aws") && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
                && rest.starts_with("stream/") && rest.len() > 7 && !rest.contains(char::is_whitespace))
    },
};
pub const ANY: Words = Words::up_to(1_048_576);

pub const ITERATOR_TYPES: [&str; 5] = [
    "AFTER_SEQUENCE_NUMBER",
    "LATEST",
    "AT_TIMESTAMP",
    "AT_SEQUENCE_NUMBER",
    "TRIM_HORIZON",
];
pub const MODES: [&str; 2] = ["PROVISIONED", "ON_DEMAND"];

/// In one request.
const MAX_TAGS: usize = 200;

// Differs from AWS: kinesis-options: what else AWS can be asked for is refused.
const OPTIONS_ELSEWHERE: [&str; 4] = [
    "DryRun",
    "RecordDistributionStrategy",
    "StreamCreationTimestamp",
    "WarmThroughputMiBps",
];

fn is_decimal(text: &str, digits: usize) -> bool {
    let is_short = (1..=digits).contains(&text.len());
    is_short && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

impl Words {
    /// Any text of so many characters.
    pub const fn up_to(longest: usize) -> Self {
        Self {
            longest,
            pattern: "",
            matches: |_| true,
        }
    }

    /// Checks the field `name`.
    pub fn check(&self, name: &str, text: &str) -> Result<(), ApiError> {
        let (length, longest) = (text.chars().count(), self.longest);
        if !(self.matches)(text) {
            let rule = format!(
                "Member must satisfy regular expression pattern: {}",
                self.pattern
            );
            return Err(violation(name, Some(&text), rule));
        }
        if length == 0 {
            let rule = "Member must have length greater than or equal to 1";
            return Err(violation(name, Some(&text), rule));
        }
        if length > longest {
            let rule = format!("Member must have length less than or equal to {longest}");
            return Err(violation(name, Some(&text), rule));
        }
        Ok(())
    }
}

/// The input of one operation.
pub struct Input(Map<String, Value>);

impl Input {
    pub fn read(operation: &str, body: &[u8]) -> Result<Self, ApiError> {
        Self::new(operation, serde_json::from_slice(body).unwrap_or_default())
    }

    pub fn new(operation: &str, input: Value) -> Result<Self, ApiError> {
        let Value::Object(input) = input else {
            return Err(of_wrong_type("The request is no JSON object."));
        };
        for option in OPTIONS_ELSEWHERE {
            let asked = input.get(option);
            if asked.is_some_and(|asked| !asked.is_null() && *asked != false) {
                return Err(elsewhere(operation, option));
            }
        }
        Ok(Self(input))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// What there is, or what AWS says when there is nothing.
    pub fn need<T>(&self, name: &str, value: Option<T>) -> Result<T, ApiError> {
        value.ok_or_else(|| violation(name, None::<&str>, "Member must not be null"))
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(of_wrong_type(format!("{name} is no String."))),
        }
    }

    pub fn words(&self, name: &str, words: &Words) -> Result<Option<&str>, ApiError> {
        let text = self.text(name)?;
        if let Some(text) = text {
            words.check(name, text)?;
        }
        Ok(text)
    }

    pub fn one_of(
        &self,
        name: &str,
        values: &[&'static str],
    ) -> Result<Option<&'static str>, ApiError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match values.iter().find(|value| **value == text) {
            Some(value) => Ok(Some(value)),
            None => {
                let rule = format!(
                    "Member must satisfy enum value set: [{}]",
                    values.join(", ")
                );
                Err(violation(name, Some(&text), rule))
            }
        }
    }

    pub fn number(&self, name: &str, bounds: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_f64().unwrap_or_default().trunc(),
            Some(_) => return Err(of_wrong_type(format!("{name} is no Integer."))),
        };
        let (least, most) = (*bounds.start(), *bounds.end());
        let rule = match number {
            number if number < f64::from(least) => {
                format!("Member must have value greater than or equal to {least}")
            }
            number if number > f64::from(most) => {
                format!("Member must have value less than or equal to {most}")
            }
            number => return Ok(Some(number as u32)),
        };
        Err(violation(name, Some(&number), rule))
    }

    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(of_wrong_type(format!("{name} is no Boolean."))),
        }
    }

    /// A client may have read a time as a float that is a little off: it counts to the millisecond.
    pub fn time(&self, name: &str) -> Result<Option<Millis>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(seconds)) => {
                let seconds = seconds.as_f64().unwrap_or_default();
                Ok(Some((seconds * 1000.0).round() as Millis))
            }
            Some(_) => Err(of_wrong_type(format!("{name} is no Timestamp."))),
        }
    }

    pub fn inside(&self, name: &str) -> Result<Option<Self>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self(fields.clone()))),
            Some(_) => Err(of_wrong_type(format!("{name} is no structure."))),
        }
    }

    pub fn texts(&self, name: &str, most: usize) -> Result<Option<Vec<&str>>, ApiError> {
        let list = match self.get(name) {
            None => return Ok(None),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(of_wrong_type(format!("{name} is no list."))),
        };
        check_length(name, list.len(), most)?;
        let texts = list.iter().map(Value::as_str).collect::<Option<_>>();
        let texts = texts.ok_or_else(|| of_wrong_type(format!("{name} has what is no String.")));
        texts.map(Some)
    }

    pub fn tags(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        let map = match self.get(name) {
            None => return Ok(None),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(of_wrong_type(format!("{name} is no map."))),
        };
        check_length(name, map.len(), MAX_TAGS)?;
        let mut tags = BTreeMap::new();
        for (key, value) in map {
            let Value::String(value) = value else {
                return Err(of_wrong_type(format!("{name} has what is no String.")));
            };
            if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 {
                let rule = "Map keys must have length from 1 to 128, map values from 0 to 256";
                return Err(violation(name, Some(key), rule));
            }
            check_tag(key)?;
            check_tag(value)?;
            tags.insert(key.clone(), value.clone());
        }
        Ok(Some(tags))
    }

    /// The name of the stream, by itself or in its ARN.
    pub fn stream(&self) -> Result<Option<&str>, ApiError> {
        one_name(self.text("StreamName")?, self.text("StreamARN")?)
    }

    pub fn need_stream(&self) -> Result<&str, ApiError> {
        self.need("StreamName", self.stream()?)
    }

    pub fn need_arn(&self, name: &str) -> Result<&str, ApiError> {
        self.need(name, self.words(name, &ARN)?)
    }
}

fn check_length(name: &str, length: usize, most: usize) -> Result<(), ApiError> {
    let rule = match length {
        0 => "Member must have length greater than or equal to 1".to_owned(),
        length if length > most => format!("Member must have length less than or equal to {most}"),
        _ => return Ok(()),
    };
    Err(violation(name, Some(&format!("({length} members)")), rule))
}

fn check_tag(text: &str) -> Result<(), ApiError> {
    let is_fine = |c: char| {
        c.is_alphabetic() || c.is_numeric() || c.is_whitespace() || "_./=+-@:%".contains(c)
    };
    if text.chars().all(is_fine) {
        return Ok(());
    }
    Err(invalid(
        "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @.",
    ))
}

/// The stream that is named by its name, by its ARN or by both.
pub fn one_name<'a>(
    name: Option<&'a str>,
    arn: Option<&'a str>,
) -> Result<Option<&'a str>, ApiError> {
    if let Some(name) = name {
        NAME.check("StreamName", name)?;
    }
    let Some(arn) = arn else {
        return Ok(name);
    };
    let named =
        stream_in(arn).ok_or_else(|| invalid(format!("{arn} is not the ARN of a stream.")))?;
    NAME.check("StreamName", named)?;
    match name {
        Some(name) if name != named => Err(invalid("StreamARN and StreamName name two streams.")),
        _ => Ok(Some(named)),
    }
}

/// A field that is not as it must be.
pub fn violation(
    name: &str,
    value: Option<&(impl Display + ?Sized)>,
    rule: impl Display,
) -> ApiError {
    let value = value.map_or("null".to_owned(), |value| format!("'{value}'"));
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    let name: String = first.into_iter().chain(letters).collect();
    ApiError::sender(
        "ValidationException",
        format!("1 validation error detected: Value {value} at '{name}' failed to satisfy constraint: {rule}"),
    )
}

pub fn of_wrong_type(message: impl Into<String>) -> ApiError {
    ApiError::sender("SerializationException", message)
}

pub fn elsewhere(operation: &str, option: &str) -> ApiError {
    ApiError::not_in_this_lab("kinesis", &format!("{operation} with {option}"))
}
