//! Groups and streams: made, listed, deleted, and for how long a group keeps its events.

use super::{
    constraint, invalid, limit, Group, Logs, State, Stream, DAY, MOST_GROUPS, MOST_STREAMS,
};
use crate::account;
use crate::clock::Millis;
use crate::wire::error::ApiError;
use base64::prelude::{Engine, BASE64_STANDARD};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

const PAGE: usize = 50;
const RETENTION_DAYS: [u64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateGroup {
    log_group_name: String,
    kms_key_id: Option<Value>,
    tags: Option<Value>,
    log_group_class: Option<String>,
    #[serde(default)]
    deletion_protection_enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedGroup {
    log_group_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    log_group_name: String,
    retention_in_days: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeGroups {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
    log_group_class: Option<String>,
    log_group_identifiers: Option<Value>,
    account_identifiers: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedStream {
    log_group_name: String,
    log_stream_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeStreams {
    #[serde(flatten)]
    group: GroupReference,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    #[serde(default)]
    descending: bool,
    next_token: Option<String>,
    limit: Option<i64>,
}

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
            (Some(_), Some(_)) => Err(invalid(
                "Exactly one of logGroupName and logGroupIdentifier must be specified.",
            )),
            (None, None) => Err(invalid(
                "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null",
            )),
        }
    }
}

pub fn group_arn(name: &str) -> String {
    account::arn("logs", format!("log-group:{name}"))
}

impl State {
    pub fn group(&mut self, name: &str) -> Result<&mut Group, ApiError> {
        let group = self.groups.get_mut(name);
        group.ok_or_else(|| no_such("The specified log group does not exist."))
    }

    pub fn stream(&mut self, group: &str, name: &str) -> Result<&mut Stream, ApiError> {
        let stream = self.group(group)?.streams.get_mut(name);
        stream.ok_or_else(|| no_such("The specified log stream does not exist."))
    }

    /// Makes a group unless there is one.
    pub fn make_group(&mut self, name: &str, now: Millis) -> Result<(), ApiError> {
        if self.groups.contains_key(name) {
            return Ok(());
        }
        if self.groups.len() == MOST_GROUPS {
            return Err(full(&format!("{MOST_GROUPS} log groups")));
        }
        let group = Group {
            created_at: now,
            retention_days: None,
            streams: Default::default(),
        };
        self.groups.insert(name.to_owned(), group);
        Ok(())
    }

    /// Makes a stream of a group that exists, unless there is one.
    pub fn make_stream(&mut self, group: &str, name: &str, now: Millis) -> Result<(), ApiError> {
        let streams: usize = self.groups.values().map(|group| group.streams.len()).sum();
        let group = self.group(group)?;
        if group.streams.contains_key(name) {
            return Ok(());
        }
        if streams >= MOST_STREAMS {
            return Err(full(&format!("{MOST_STREAMS} log streams")));
        }
        let stream = Stream {
            created_at: now,
            ..Stream::default()
        };
        group.streams.insert(name.to_owned(), stream);
        Ok(())
    }

    /// Forgets the events that are past their group's retention.
    pub fn expire(&mut self, now: Millis) {
        for group in self.groups.values_mut() {
            let Some(days) = group.retention_days else {
                continue;
            };
            let kept_from = now.saturating_sub(days * DAY);
            for stream in group.streams.values_mut() {
                self.bytes -= stream.forget(|event| event.key.0 < kept_from);
            }
        }
    }
}

impl Logs {
    pub(super) fn create_log_group(&self, input: CreateGroup) -> Result<Value, ApiError> {
        let name = &input.log_group_name;
        check_group_name(name, "logGroupName")?;
        // Differs from AWS: log-options: log groups have no tags, keys, classes or deletion protection.
        let left_out = [
            ("kmsKeyId", input.kms_key_id.is_some()),
            ("tags", input.tags.is_some_and(|tags| tags != json!({}))),
            (
                "logGroupClass",
                input
                    .log_group_class
                    .is_some_and(|class| class != "STANDARD"),
            ),
            (
                "deletionProtectionEnabled",
                input.deletion_protection_enabled,
            ),
        ];
        refuse(&left_out)?;
        let (mut state, now) = self.present();
        if state.groups.contains_key(name) {
            return Err(exists("The specified log group already exists"));
        }
        state.make_group(name, now)?;
        Ok(Value::Null)
    }

    pub(super) fn delete_log_group(&self, input: NamedGroup) -> Result<Value, ApiError> {
        let (mut state, _) = self.present();
        state.group(&input.log_group_name)?;
        let group = state.groups.remove(&input.log_group_name);
        let streams = group.iter().flat_map(|group| group.streams.values());
        state.bytes -= streams.map(|stream| stream.bytes).sum::<usize>();
        Ok(Value::Null)
    }

    pub(super) fn describe_log_groups(&self, input: DescribeGroups) -> Result<Value, ApiError> {
        let most = limit(input.limit, PAGE)?;
        let present =
            |value: &Option<Value>| value.as_ref().is_some_and(|value| *value != json!([]));
        refuse(&[
            (
                "logGroupClass",
                input
                    .log_group_class
                    .is_some_and(|class| class != "STANDARD"),
            ),
            ("logGroupIdentifiers", present(&input.log_group_identifiers)),
            ("accountIdentifiers", present(&input.account_identifiers)),
        ])?;
        if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        let prefix = input.log_group_name_prefix.unwrap_or_default();
        let part = input.log_group_name_pattern.unwrap_or_default();
        let after: Option<String> = open(input.next_token)?;
        let (state, _) = self.present();
        let groups = state.groups.iter().filter(|(name, _)| {
            name.starts_with(&prefix)
                && name.contains(&part)
                && after.as_ref().is_none_or(|after| *name > after)
        });
        let (shown, token) = page(groups, most, |(name, _)| *name);
        let shown: Vec<_> = shown
            .into_iter()
            .map(|(name, group)| show_group(name, group))
            .collect();
        Ok(with_token(json!({ "logGroups": shown }), token))
    }

    pub(super) fn put_retention_policy(&self, input: Retention) -> Result<Value, ApiError> {
        let days = input.retention_in_days;
        if !RETENTION_DAYS.contains(&days) {
            let allowed = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
            let rule = format!("satisfy enum value set: [{allowed}]");
            return Err(constraint(&days.to_string(), "retentionInDays", &rule));
        }
        let (mut state, now) = self.present();
        state.group(&input.log_group_name)?.retention_days = Some(days);
        state.expire(now);
        Ok(Value::Null)
    }

    pub(super) fn delete_retention_policy(&self, input: NamedGroup) -> Result<Value, ApiError> {
        let (mut state, _) = self.present();
        state.group(&input.log_group_name)?.retention_days = None;
        Ok(Value::Null)
    }

    pub(super) fn create_log_stream(&self, input: NamedStream) -> Result<Value, ApiError> {
        let (group, name) = (&input.log_group_name, &input.log_stream_name);
        if name.is_empty() || name.chars().count() > 512 || name.contains([':', '*']) {
            let rule = "satisfy regular expression pattern: [^:*]*, and have 1 to 512 characters";
            return Err(constraint(name, "logStreamName", rule));
        }
        let (mut state, now) = self.present();
        if state.group(group)?.streams.contains_key(name) {
            return Err(exists("The specified log stream already exists"));
        }
        state.make_stream(group, name, now)?;
        Ok(Value::Null)
    }

    pub(super) fn delete_log_stream(&self, input: NamedStream) -> Result<Value, ApiError> {
        let (group, name) = (&input.log_group_name, &input.log_stream_name);
        let (mut state, _) = self.present();
        let bytes = state.stream(group, name)?.bytes;
        state.bytes -= bytes;
        state.group(group)?.streams.remove(name);
        Ok(Value::Null)
    }

    pub(super) fn describe_log_streams(&self, input: DescribeStreams) -> Result<Value, ApiError> {
        let group = input.group.name()?;
        let most = limit(input.limit, PAGE)?;
        let by_time = match input.order_by.as_deref() {
            None | Some("LogStreamName") => false,
            Some("LastEventTime") => true,
            Some(other) => {
                let rule = "satisfy enum value set: [LogStreamName, LastEventTime]";
                return Err(constraint(other, "orderBy", rule));
            }
        };
        if by_time && input.log_stream_name_prefix.is_some() {
            return Err(invalid(
                "Cannot order by LastEventTime with a logStreamNamePrefix.",
            ));
        }
        let prefix = input.log_stream_name_prefix.unwrap_or_default();
        let after: Option<(Millis, String)> = open(input.next_token)?;
        let (mut state, _) = self.present();
        let streams = state.group(group)?.streams.iter();
        let place = |name: &String, stream: &Stream| {
            let last = stream.events.back().filter(|_| by_time);
            (last.map_or(0, |event| event.key.0), name.clone())
        };
        let mut streams: Vec<_> = streams
            .filter(|(name, _)| name.starts_with(&prefix))
            .map(|(name, stream)| (place(name, stream), stream))
            .collect();
        streams.sort_by(|(one, _), (other, _)| match input.descending {
            true => other.cmp(one),
            false => one.cmp(other),
        });
        let streams = streams.iter().filter(|(place, _)| match &after {
            Some(after) if input.descending => place < after,
            Some(after) => place > after,
            None => true,
        });
        let (shown, token) = page(streams, most, |(place, _)| place);
        let shown: Vec<_> = shown
            .into_iter()
            .map(|((_, name), stream)| show_stream(group, name, stream))
            .collect();
        Ok(with_token(json!({ "logStreams": shown }), token))
    }
}

fn show_group(name: &str, group: &Group) -> Value {
    let arn = group_arn(name);
    let streams = group.streams.values();
    let mut shown = json!({
        "logGroupName": name,
        "creationTime": group.created_at,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "logGroupClass": "STANDARD",
        "storedBytes": streams.map(|stream| stream.bytes).sum::<usize>(),
    });
    if let Some(days) = group.retention_days {
        shown["retentionInDays"] = days.into();
    }
    shown
}

fn show_stream(group: &str, name: &str, stream: &Stream) -> Value {
    let mut shown = json!({
        "logStreamName": name,
        "creationTime": stream.created_at,
        "arn": format!("{}:log-stream:{name}", group_arn(group)),
        "storedBytes": 0,
    });
    if let (Some(first), Some(last)) = (stream.events.front(), stream.events.back()) {
        shown["firstEventTimestamp"] = first.key.0.into();
        shown["lastEventTimestamp"] = last.key.0.into();
    }
    if let Some(at) = stream.written_at {
        shown["lastIngestionTime"] = at.into();
    }
    shown
}

fn check_group_name(name: &str, member: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
    if name.is_empty() || name.len() > 512 {
        return Err(constraint(name, member, "have length from 1 to 512"));
    }
    match name.chars().all(allowed) {
        true => Ok(()),
        false => {
            let rule = "satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+";
            Err(constraint(name, member, rule))
        }
    }
}

fn refuse(left_out: &[(&str, bool)]) -> Result<(), ApiError> {
    match left_out.iter().find(|(_, given)| *given) {
        Some((member, _)) => Err(invalid(format!("{member} is not in this lab."))),
        None => Ok(()),
    }
}

/// The first items and, when there are more, a token that says where they begin.
fn page<'a, T, K: Serialize + 'a>(
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

fn no_such(message: &str) -> ApiError {
    ApiError::sender("ResourceNotFoundException", message)
}

fn exists(message: &str) -> ApiError {
    ApiError::sender("ResourceAlreadyExistsException", message)
}

fn full(what: &str) -> ApiError {
    ApiError::sender(
        "LimitExceededException",
        format!("Resource limit exceeded: this lab keeps {what}."),
    )
}
