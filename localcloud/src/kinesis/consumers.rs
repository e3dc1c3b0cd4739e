//! Consumers of enhanced fan-out as resources: registered, described, listed. What is pushed to them is `fan_out`'s.
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html>.

use super::input::{Input, ANY, NAME};
use super::settings::{self, Resource};
use super::{in_use, invalid, no_stream, not_found, seconds, Entry, Kinesis};
use crate::account::ACCOUNT;
use crate::clock::Millis;
use crate::events::{Event, Events};
use crate::wire::error::ApiError;
use serde_json::{json, Value};
use std::collections::{BTreeMap, HashMap};

/// How long a consumer is being made or deleted.
const CHANGES: Millis = 500;
/// Of one stream.
const MAX_CONSUMERS: usize = crate::quotas::FAN_OUT_CONSUMERS;
const MAX_CREATING: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Creating { until: Millis },
    Active,
    Deleting { until: Millis },
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Creating { .. } => "CREATING",
            Self::Active => "ACTIVE",
            Self::Deleting { .. } => "DELETING",
        }
    }
}

/// One consumer of a stream.
pub(super) struct Consumer {
    pub name: String,
    pub arn: String,
    made_at: Millis,
    state: State,
    tags: BTreeMap<String, String>,
    policy: Option<String>,
    /// Its last subscription to each shard: when it began, and the how-manieth it is.
    pub subscriptions: HashMap<u32, (Millis, u64)>,
}

impl Consumer {
    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }

    pub fn is_registered(&self) -> bool {
        !matches!(self.state, State::Deleting { .. })
    }

    pub fn next_due(&self) -> Option<Millis> {
        match self.state {
            State::Active => None,
            State::Creating { until } | State::Deleting { until } => Some(until),
        }
    }

    pub fn resource(&mut self) -> Resource<'_> {
        Resource {
            tags: &mut self.tags,
            policy: &mut self.policy,
        }
    }

    fn describe(&self) -> Value {
        json!({
            "ConsumerName": self.name,
            "ConsumerARN": self.arn,
            "ConsumerStatus": self.state.name(),
            "ConsumerCreationTimestamp": seconds(self.made_at),
        })
    }
}

impl Entry {
    /// The consumer of this ARN.
    pub(super) fn consumer_of(&mut self, arn: &str) -> Option<&mut Consumer> {
        let consumer = self.consumers.get_mut(consumer_in(arn))?;
        (consumer.arn == arn).then_some(consumer)
    }

    /// Does what is due for the consumers by now.
    pub(super) fn pass_consumers(&mut self, now: Millis, events: &Events) {
        for consumer in self.consumers.values_mut() {
            if matches!(consumer.state, State::Creating { until } if until <= now) {
                consumer.state = State::Active;
                tell(events, &self.name, consumer);
            }
        }
        let is_gone = |state| matches!(state, State::Deleting { until } if until <= now);
        self.consumers
            .retain(|_, consumer| !is_gone(consumer.state));
    }
}

fn tell(events: &Events, stream: &str, consumer: &Consumer) {
    events.emit(|| Event::Consumer {
        stream,
        consumer: &consumer.name,
        state: consumer.state.name().to_owned(),
    });
}

impl Kinesis {
    pub(super) fn register_stream_consumer(&self, input: &Input) -> Result<Value, ApiError> {
        let arn = input.need_arn("StreamARN")?;
        let name = input.need("ConsumerName", input.words("ConsumerName", &NAME)?)?;
        let tags = input.tags("Tags")?.unwrap_or_default();
        settings::check_tags(&tags)?;
        self.with_stream_of(arn, |entry, now| {
            let all = entry.consumers.values();
            let registered = all.filter(|consumer| consumer.is_registered());
            if registered.clone().any(|consumer| consumer.name == name) {
                return Err(in_use(format!(
                    "Consumer {name} under stream {arn} already exists."
                )));
            }
            let creating = |consumer: &&Consumer| matches!(consumer.state, State::Creating { .. });
            if registered.clone().count() >= MAX_CONSUMERS
                || registered.filter(creating).count() >= MAX_CREATING
            {
                return Err(ApiError::sender(
                    "LimitExceededException",
                    format!(
                        "Stream {} under account {ACCOUNT} can have {MAX_CONSUMERS} registered consumers, {MAX_CREATING} of \
                         them being created.",
                        entry.name
                    ),
                ));
            }
            let consumer = Consumer {
                name: name.to_owned(),
                arn: format!("{arn}/consumer/{name}:{}", now / 1000),
                made_at: now,
                state: State::Creating {
                    until: now + CHANGES,
                },
                tags,
                policy: None,
                subscriptions: HashMap::new(),
            };
            tell(&self.0.events, &entry.name, &consumer);
            let described = consumer.describe();
            entry.consumers.insert(name.to_owned(), consumer);
            entry.planned.send_replace(());
            Ok(json!({ "Consumer": described }))
        })
    }

    pub(super) fn deregister_stream_consumer(&self, input: &Input) -> Result<Value, ApiError> {
        self.with_consumer(input, |entry, consumer, now| {
            if let Some(consumer) = entry.consumers.get_mut(consumer) {
                consumer.state = State::Deleting {
                    until: now + CHANGES,
                };
                tell(&self.0.events, &entry.name, consumer);
            }
            entry.ring_all();
            entry.planned.send_replace(());
            Ok(Value::Null)
        })
    }

    pub(super) fn describe_stream_consumer(&self, input: &Input) -> Result<Value, ApiError> {
        self.with_consumer(input, |entry, consumer, _| {
            let mut description = entry.consumers[consumer].describe();
            description["StreamARN"] = json!(entry.arn);
            Ok(json!({ "ConsumerDescription": description }))
        })
    }

    pub(super) fn list_stream_consumers(&self, input: &Input) -> Result<Value, ApiError> {
        let arn = input.need_arn("StreamARN")?;
        let limit = input.number("MaxResults", 1..=10_000)?.unwrap_or(100) as usize;
        let name = stream_in(arn).unwrap_or_default();
        let after = match input.words("NextToken", &ANY)? {
            None => None,
            Some(token) => match self.read_token(token)? {
                (of, last) if of == name => Some(last),
                _ => return Err(invalid("NextToken is of another stream.")),
            },
        };
        self.with_stream_of(arn, |entry, _| {
            let all = entry.consumers.values();
            let mut rest = all.filter(|one| after.as_ref().is_none_or(|after| one.name > *after));
            let page: Vec<_> = rest.by_ref().take(limit).collect();
            let has_more = rest.next().is_some();
            let consumers: Vec<_> = page.iter().map(|consumer| consumer.describe()).collect();
            let mut output = json!({ "Consumers": consumers });
            if let Some(last) = page.last().filter(|_| has_more) {
                output["NextToken"] = self.token(name, &last.name).into();
            }
            Ok(output)
        })
    }

    fn with_stream_of<T>(
        &self,
        arn: &str,
        work: impl FnOnce(&mut Entry, Millis) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let name = stream_in(arn).unwrap_or_default();
        self.with(name, |entry, now| match entry.arn == arn {
            true => work(entry, now),
            false => Err(no_stream(name)),
        })
    }

    /// Works on a consumer, named by its ARN, or by its name and its stream's ARN.
    fn with_consumer<T>(
        &self,
        input: &Input,
        work: impl FnOnce(&mut Entry, &str, Millis) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let arn = input.has("ConsumerARN");
        let (stream, name, arn) = if arn {
            let arn = input.need_arn("ConsumerARN")?;
            let stream = arn
                .split_once("/consumer/")
                .map_or(arn, |(stream, _)| stream);
            (stream, consumer_in(arn), Some(arn))
        } else if input.has("StreamARN") && input.has("ConsumerName") {
            let name = input.words("ConsumerName", &NAME)?.unwrap_or_default();
            (input.need_arn("StreamARN")?, name, None)
        } else {
            return Err(invalid(
                "Must specify either ConsumerARN, or both StreamARN and ConsumerName.",
            ));
        };
        let missing = || match arn {
            Some(arn) => no_consumer(arn),
            None => not_found(format!("Consumer {name}, stream {stream} not found.")),
        };
        let work = |entry: &mut Entry, now: Millis| {
            let known = entry.consumers.get(name);
            match known.filter(|known| arn.is_none_or(|arn| known.arn == arn)) {
                Some(_) => work(entry, name, now),
                None => Err(missing()),
            }
        };
        self.with_stream_of(stream, work)
    }
}

pub(super) fn no_consumer(arn: &str) -> ApiError {
    not_found(format!("Consumer {arn} under account {ACCOUNT} not found."))
}

/// The stream's name in its ARN, or in that of its consumer.
pub(super) fn stream_in(arn: &str) -> Option<&str> {
    let (_, rest) = arn.split_once(":stream/")?;
    rest.split('/').next()
}

/// The consumer's name in its ARN.
pub(super) fn consumer_in(arn: &str) -> &str {
    let (_, rest) = arn.split_once("/consumer/").unwrap_or_default();
    rest.split(':').next().unwrap_or_default()
}
