//! Parts of requests, pages and tokens, and errors, that several operations share.

use crate::account;
use crate::wire::error::{violation, ApiError};
use base64::prelude::{Engine, BASE64_STANDARD};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

/// A group by its name or by its ARN.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupReference {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
}

impl GroupReference {
    pub fn name(&self) -> Result<&str, ApiError> {
        match (&self.log_group_name, &self.log_group_identifier) {
            (Some(name), None) => Ok(name),
            (None, Some(identifier)) => {
                let name = identifier.strip_prefix(&group_arn(""));
                Ok(name.map_or(identifier, |name| name.strip_suffix(":*").unwrap_or(name)))
            }
            (Some(_), Some(_)) => Err(ApiError::sender(
                "ValidationException",
                "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
            )),
            (None, None) => {
                let missing = violation(None, "logGroupName", "Member must not be null");
                Err(ApiError::validation(
                    "InvalidParameterException",
                    &[missing],
                ))
            }
        }
    }
}

pub(crate) fn group_arn(name: &str) -> String {
    account::arn("logs", format!("log-group:{name}"))
}

/// The first items and, when there are more, a token that says where they begin.
pub fn page<'a, T, K: Serialize + 'a>(
    items: impl Iterator<Item = T>,
    most: usize,
    place: impl Fn(&T) -> &'a K,
) -> (Vec<T>, Option<String>) {
    let mut items = items.peekable();
    let page: Vec<_> = items.by_ref().take(most).collect();
    let more = items.peek().is_some();
    let token = page.last().filter(|_| more).map(|last| seal(place(last)));
    (page, token)
}

/// A place in a list as a token.
pub fn seal(place: &impl Serialize) -> String {
    BASE64_STANDARD.encode(json!(place).to_string())
}

/// The place that a token names.
pub fn open<T: DeserializeOwned>(token: Option<String>) -> Result<Option<T>, ApiError> {
    let Some(token) = token else {
        return Ok(None);
    };
    let place = BASE64_STANDARD.decode(token).ok();
    let place = place.and_then(|place| serde_json::from_slice(&place).ok());
    place
        .map(Some)
        .ok_or_else(|| invalid("The specified nextToken is invalid."))
}

pub fn with_token(mut output: Value, token: Option<String>) -> Value {
    if let Some(token) = token {
        output["nextToken"] = token.into();
    }
    output
}

pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::sender("InvalidParameterException", message)
}

/// AWS's answer to a member that breaks a rule of its shape.
pub fn constraint(value: &str, member: &str, rule: &str) -> ApiError {
    let violation = violation(Some(value), member, &format!("Member must {rule}"));
    ApiError::validation("InvalidParameterException", &[violation])
}

/// A limit of a list, or the most there is.
pub fn limit(value: Option<i64>, most: usize) -> Result<usize, ApiError> {
    let Some(value) = value else {
        return Ok(most);
    };
    let number = usize::try_from(value)
        .ok()
        .filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| {
        let rule = match value {
            ..1 => "have value greater than or equal to 1".to_owned(),
            _ => format!("have value less than or equal to {most}"),
        };
        constraint(&value.to_string(), "limit", &rule)
    })
}

pub fn no_such(message: &str) -> ApiError {
    ApiError::sender("ResourceNotFoundException", message)
}
