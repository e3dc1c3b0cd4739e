//! Groups and streams: made, listed, deleted, and for how long a group keeps its events.

use super::request::{
    constraint, group_arn, invalid, limit, open, page, with_token, GroupReference,
};
use super::state::{Group, Logs, Stream};
use crate::clock::Millis;
use crate::wire::error::ApiError;
use serde::Deserialize;
use serde_json::{json, Value};

const MAX_NAME: usize = 512;
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
        // As recorded: a search by a pattern answers with less.
        let by_pattern = !part.is_empty();
        let shown: Vec<_> = shown
            .into_iter()
            .map(|(name, group)| show_group(name, group, by_pattern))
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
        if name.chars().count() > MAX_NAME {
            return Err(too_long());
        }
        if name.is_empty() {
            let rule = "have length greater than or equal to 1";
            return Err(constraint(name, "logStreamName", rule));
        }
        if name.contains([':', '*']) {
            let rule = "satisfy regular expression pattern: [^:*]*";
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

fn show_group(name: &str, group: &Group, by_pattern: bool) -> Value {
    let arn = group_arn(name);
    let streams = group.streams.values();
    let mut shown = json!({
        "logGroupName": name,
        "creationTime": group.created_at,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "logGroupClass": "STANDARD",
    });
    if !by_pattern {
        shown["storedBytes"] = json!(streams.map(|stream| stream.bytes).sum::<usize>());
        shown["deletionProtectionEnabled"] = json!(false);
    }
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

fn too_long() -> ApiError {
    invalid(format!(
        "Invalid LogGroup or LogStream, both must have length less than or equal to {MAX_NAME}."
    ))
}

fn check_group_name(name: &str, member: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
    if name.len() > MAX_NAME {
        return Err(too_long());
    }
    if name.is_empty() {
        return Err(constraint(
            name,
            member,
            "have length greater than or equal to 1",
        ));
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

fn exists(message: &str) -> ApiError {
    ApiError::sender("ResourceAlreadyExistsException", message)
}
