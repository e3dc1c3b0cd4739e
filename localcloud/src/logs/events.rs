//! Events: written to a stream, read from one stream or from many.

use super::pattern::Pattern;
use super::request::{constraint, invalid, limit, open, seal, with_token, GroupReference};
use super::state::{Event, Key, Logs, DAY, OVERHEAD};
use crate::clock::Millis;
use crate::wire::error::ApiError;
use serde::Deserialize;
use serde_json::{json, Value};

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
const MAX_BATCH: usize = 1_048_576;
const MAX_EVENTS: usize = 10_000;
const MAX_AGE: Millis = 14 * DAY;
const MAX_AHEAD: Millis = 2 * 60 * 60 * 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Put {
    log_group_name: String,
    log_stream_name: String,
    log_events: Vec<InputEvent>,
}

#[derive(Deserialize)]
struct InputEvent {
    timestamp: Millis,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Get {
    #[serde(flatten)]
    group: GroupReference,
    log_stream_name: String,
    start_time: Option<Millis>,
    end_time: Option<Millis>,
    next_token: Option<String>,
    limit: Option<i64>,
    #[serde(default)]
    start_from_head: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    #[serde(flatten)]
    group: GroupReference,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<Millis>,
    end_time: Option<Millis>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

impl Logs {
    pub(super) fn put_log_events(&self, input: Put) -> Result<Value, ApiError> {
        let events = &input.log_events;
        if events.is_empty() || events.len() > MAX_EVENTS {
            let rule = format!("have length from 1 to {MAX_EVENTS}");
            return Err(constraint("[…]", "logEvents", &rule));
        }
        if events.iter().any(|event| event.message.is_empty()) {
            return Err(constraint(
                "",
                "logEvents.member.message",
                "have length greater than or equal to 1",
            ));
        }
        let bytes: usize = events
            .iter()
            .map(|event| event.message.len() + OVERHEAD)
            .sum();
        if bytes > MAX_BATCH {
            return Err(invalid(format!(
                "Upload too large: {bytes} bytes exceeds limit of {MAX_BATCH}"
            )));
        }
        if !events.is_sorted_by_key(|event| event.timestamp) {
            return Err(invalid(
                "Log events in a single PutLogEvents request must be in chronological order.",
            ));
        }
        let (first, last) = (&events[0], &events[events.len() - 1]);
        if last.timestamp - first.timestamp > DAY {
            return Err(invalid(
                "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
            ));
        }
        let (mut state, now) = self.present();
        let (group, stream) = (&input.log_group_name, &input.log_stream_name);
        state.stream(group, stream)?;
        let retention = state.group(group)?.retention_days.map(|days| days * DAY);
        let before = |time: Millis| events.partition_point(|event| event.timestamp < time);
        let too_old = before(now.saturating_sub(MAX_AGE));
        let expired = retention.map_or(0, |kept| before(now.saturating_sub(kept)));
        let too_new = before(now + MAX_AHEAD + 1);
        let mut rejected = json!({});
        if too_old > 0 {
            rejected["tooOldLogEventEndIndex"] = too_old.into();
        }
        if expired > 0 {
            rejected["expiredLogEventEndIndex"] = expired.into();
        }
        if too_new < events.len() {
            rejected["tooNewLogEventStartIndex"] = too_new.into();
        }
        let taken = input.log_events.into_iter().take(too_new);
        let taken = taken.skip(too_old.max(expired));
        let taken = taken.map(|event| (event.timestamp, event.message));
        state.add(group, stream, now, taken);
        let mut output = json!({ "nextSequenceToken": format!("{:056}", state.events) });
        if rejected != json!({}) {
            output["rejectedLogEventsInfo"] = rejected;
        }
        Ok(output)
    }

    pub(super) fn get_log_events(&self, input: Get) -> Result<Value, ApiError> {
        let group = input.group.name()?;
        let most = limit(input.limit, MAX_EVENTS)?;
        let token = input.next_token.as_deref().map(Token::parse).transpose()?;
        let from = input.start_time.unwrap_or(0);
        let until = input.end_time.unwrap_or(Millis::MAX);
        let (mut state, _) = self.present();
        let events = &state.stream(group, &input.log_stream_name)?.events;
        let first = events.partition_point(|event| event.key.0 < from);
        let end = events
            .partition_point(|event| event.key.0 < until)
            .max(first);
        let place = |key: Key| events.partition_point(|event| event.key < key);
        let fits = |from_head: bool, (first, end): (usize, usize)| {
            let inside = events.range(first..end);
            let count = match from_head {
                true => fitting(inside, most),
                false => fitting(inside.rev(), most),
            };
            match from_head {
                true => (first, first + count),
                false => (end - count, end),
            }
        };
        let (first, end) = match token {
            Some(Token::Forward(key)) => fits(true, (place(key).clamp(first, end), end)),
            Some(Token::Backward(key)) => fits(false, (first, place(key).clamp(first, end))),
            None => fits(input.start_from_head, (first, end)),
        };
        // A key stands for the place before its event. The place after an event is before the next number.
        let (backward, forward) = match (events.range(first..end).next(), token) {
            (Some(event), _) => (
                event.key,
                (events[end - 1].key.0, events[end - 1].key.1 + 1),
            ),
            (None, Some(Token::Forward(key) | Token::Backward(key))) => (key, key),
            (None, None) => ((from, 0), (from, 0)),
        };
        let shown = events.range(first..end).map(|event| {
            json!({
                "timestamp": event.key.0,
                "message": event.message,
                "ingestionTime": event.written_at,
            })
        });
        Ok(json!({
            "events": shown.collect::<Vec<_>>(),
            "nextForwardToken": Token::Forward(forward).to_string(),
            "nextBackwardToken": Token::Backward(backward).to_string(),
        }))
    }

    pub(super) fn filter_log_events(&self, input: Filter) -> Result<Value, ApiError> {
        let group = input.group.name()?;
        let most = limit(input.limit, MAX_EVENTS)?;
        let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
        let names = input.log_stream_names.unwrap_or_default();
        if !names.is_empty() && input.log_stream_name_prefix.is_some() {
            return Err(invalid(
                "logStreamNamePrefix and logStreamNames are mutually exclusive parameters.",
            ));
        }
        if names.len() > 100 {
            return Err(constraint(
                "[…]",
                "logStreamNames",
                "have length less than or equal to 100",
            ));
        }
        let prefix = input.log_stream_name_prefix.unwrap_or_default();
        let after: Option<Key> = open(input.next_token)?;
        let from = after
            .unwrap_or_default()
            .max((input.start_time.unwrap_or(0), 0));
        let until = input.end_time.unwrap_or(Millis::MAX);
        let (mut state, _) = self.present();
        for name in &names {
            state.stream(group, name)?;
        }
        let streams = state.group(group)?.streams.iter().filter(|(name, _)| {
            name.starts_with(&prefix) && (names.is_empty() || names.contains(name))
        });
        let mut found: Vec<(&String, &Event)> = Vec::new();
        for (name, stream) in streams {
            let first = stream.events.partition_point(|event| event.key < from);
            let end = stream.events.partition_point(|event| event.key.0 <= until);
            let inside = stream.events.range(first..end.max(first));
            let matching = inside.filter(|event| pattern.matches(&event.message));
            // No page needs more than its own length of any stream.
            found.extend(matching.take(most + 1).map(|event| (name, event)));
        }
        found.sort_by_key(|(_, event)| event.key);
        let count = fitting(found.iter().map(|(_, event)| *event), most);
        let token = found.get(count).map(|(_, event)| seal(&event.key));
        let shown = found[..count].iter().map(|(name, event)| {
            json!({
                "logStreamName": name,
                "timestamp": event.key.0,
                "message": event.message,
                "ingestionTime": event.written_at,
                "eventId": id(event.key),
            })
        });
        let output = json!({ "events": shown.collect::<Vec<_>>(), "searchedLogStreams": [] });
        Ok(with_token(output, token))
    }
}

/// How many of these events fit into one answer: at least one, if there are any.
fn fitting<'a>(events: impl Iterator<Item = &'a Event>, most: usize) -> usize {
    let mut left = MAX_BATCH;
    let fits = |event: &&Event| {
        let bytes = event.bytes();
        let fits = bytes <= left || left == MAX_BATCH;
        left = left.saturating_sub(bytes);
        fits
    };
    events.take(most).take_while(fits).count()
}

/// Where `GetLogEvents` goes on: with the events from here on, or with those before.
#[derive(Clone, Copy)]
enum Token {
    Forward(Key),
    Backward(Key),
}

const ID_DIGITS: usize = 56;
const NUMBER_DIGITS: usize = 20;

impl Token {
    fn parse(token: &str) -> Result<Self, ApiError> {
        let key = |digits: &str| {
            let digits = digits
                .strip_suffix("/s")
                .filter(|digits| digits.len() == ID_DIGITS)?;
            let (time, number) = digits.split_at_checked(ID_DIGITS - NUMBER_DIGITS)?;
            Some((time.parse().ok()?, number.parse().ok()?))
        };
        let token = match token.split_at_checked(2) {
            Some(("f/", digits)) => key(digits).map(Self::Forward),
            Some(("b/", digits)) => key(digits).map(Self::Backward),
            _ => None,
        };
        token.ok_or_else(|| invalid("The specified nextToken is invalid."))
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Forward(key) => write!(f, "f/{}/s", id(*key)),
            Self::Backward(key) => write!(f, "b/{}/s", id(*key)),
        }
    }
}

/// The id of an event: 56 digits that rise with its place.
fn id((time, number): Key) -> String {
    const TIME_DIGITS: usize = ID_DIGITS - NUMBER_DIGITS;
    format!("{time:0TIME_DIGITS$}{number:0NUMBER_DIGITS$}")
}
