//! CloudWatch Logs over AWS JSON 1.1: groups of streams of events. `groups` are the operations on groups and streams,
//! `events` those that write and read, `pattern` what a filter matches.
//!
//! See <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_Operations.html>.

mod events;
mod groups;
mod pattern;

use crate::clock::{Clock, Millis};
use crate::events::Events;
use crate::wire::error::ApiError;
use events::Event;
pub use groups::group_arn;
use serde::de::DeserializeOwned;
use serde_json::{json, Value};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

// Differs from AWS: log-bounds: at most 1,000 groups and 10,000 streams; beyond 256 MiB the fullest stream loses its oldest events.
const MOST_GROUPS: usize = 1000;
const MOST_STREAMS: usize = 10_000;
const MOST_BYTES: usize = 256 * 1024 * 1024;
const DAY: Millis = 24 * 60 * 60 * 1000;

/// The log groups of the account. Clones share them.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

struct Inner {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    feed: Events,
    groups: BTreeMap<String, Group>,
    /// How many events there have been, so that each has a number of its own.
    events: u64,
    /// What all events take.
    bytes: usize,
}

struct Group {
    created_at: Millis,
    retention_days: Option<u64>,
    streams: BTreeMap<String, Stream>,
}

#[derive(Default)]
struct Stream {
    created_at: Millis,
    written_at: Option<Millis>,
    /// In the order of their times.
    events: VecDeque<Event>,
    bytes: usize,
}

impl Logs {
    pub fn new(clock: Clock, feed: Events) -> Self {
        Self(Arc::new(Inner {
            clock,
            state: Mutex::new(State {
                feed,
                groups: BTreeMap::new(),
                events: 0,
                bytes: 0,
            }),
        }))
    }

    /// One operation, JSON in and JSON out; null when AWS answers with nothing.
    ///
    /// # Errors
    ///
    /// What AWS answers in its place, or that the operation is not in this lab.
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

    /// Writes events, each with its time in milliseconds, as a service of the cloud does: group and stream are made
    /// when they are missing. When there is no room for another stream, the events are lost.
    pub fn write(
        &self,
        group: &str,
        stream: &str,
        events: impl IntoIterator<Item = (Millis, String)>,
    ) {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let made = state.make_group(group, now);
        if made
            .and_then(|()| state.make_stream(group, stream, now))
            .is_ok()
        {
            state.add(group, stream, now, events);
        }
    }

    pub fn has_group(&self, name: &str) -> bool {
        self.lock().groups.contains_key(name)
    }

    /// The log groups with what they hold, for the desk.
    pub fn status(&self) -> Value {
        let now = self.0.clock.now();
        let mut state = self.lock();
        state.expire(now);
        let group = |(name, group): (&String, &Group)| {
            let streams = group.streams.values();
            let events: usize = streams.map(|stream| stream.events.len()).sum();
            json!({ "name": name, "streams": group.streams.len(), "events": events })
        };
        state.groups.iter().map(group).collect()
    }

    /// The state at the present time: what is past its retention is gone.
    fn present(&self) -> (MutexGuard<'_, State>, Millis) {
        let now = self.0.clock.now();
        let mut state = self.lock();
        state.expire(now);
        (state, now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
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

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::sender("InvalidParameterException", message)
}

/// AWS's answer to a member that breaks a rule of its shape.
fn constraint(value: &str, member: &str, rule: &str) -> ApiError {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}"
    ))
}

/// A limit of a list, or the most there is.
fn limit(value: Option<i64>, most: usize) -> Result<usize, ApiError> {
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
