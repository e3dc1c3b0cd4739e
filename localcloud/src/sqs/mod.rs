//! SQS over AWS JSON 1.0. `queue` and `fifo` are what happens to messages; here and in `manage`, `deliver` and
//! `moves` are the operations around them.
//!
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html>.

mod attributes;
mod deduplication;
mod deliver;
pub mod fifo;
mod manage;
pub mod message;
pub mod messages;
mod moves;
pub mod queue;
mod quota;
mod receipt;
mod redrive;
pub mod shapes;

use crate::account::{self, ACCOUNT};
use crate::clock::{Clock, Millis};
use crate::events::{self, Event, Events, MessageState, MAX_SHOWN};
use crate::faults::{Faults, Kind};
use crate::ids;
use crate::wire::error::ApiError;
use attributes::Settings;
use deduplication::Memory;
use message::Message;
use messages::Messages;
use quota::Quota;
use rand::rngs::SmallRng;
use redrive::MoveTask;
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::{json, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The operations there are.
pub const OPERATIONS: [&str; 23] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "CreateQueue",
    "DeleteMessage",
    "DeleteMessageBatch",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "RemovePermission",
    "SendMessage",
    "SendMessageBatch",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

// Differs from AWS: bounds: the local cloud keeps at most 1,000 queues and 1 GiB of messages, in memory.
const MOST_QUEUES: usize = 1000;
const MOST_BYTES: usize = 1024 * 1024 * 1024;
/// What a message takes beside its own bytes.
const OVERHEAD: usize = 512;

/// The queues of the account. Clones share them.
#[derive(Clone)]
pub struct Sqs(Arc<Inner>);

struct Inner {
    clock: Clock,
    events: Events,
    faults: Faults,
    state: Mutex<State>,
}

struct State {
    queues: BTreeMap<String, Entry>,
    /// When a name was given up: it can't be used again for a minute.
    deleted: BTreeMap<String, Millis>,
    tasks: Vec<MoveTask>,
    /// How many more bytes can be taken in before the queues are counted again.
    room: usize,
    random: SmallRng,
}

/// A queue and what is known of it.
struct Entry {
    name: String,
    events: Events,
    /// Who has the messages in flight, by their names in the feed.
    readers: HashMap<String, String>,
    settings: Settings,
    queue: Box<dyn Messages>,
    /// What a FIFO queue remembers for five minutes; none for a standard queue.
    fifo: Option<Memories>,
    tags: BTreeMap<String, String>,
    created_at: Millis,
    modified_at: Millis,
    purged_at: Option<Millis>,
    /// Wakes the long polls: once for each message that becomes visible.
    arrivals: Arc<Notify>,
}

#[derive(Default)]
struct Memories {
    /// What the first send with a deduplication id was answered, by the id and, if that is its scope, the group.
    sends: Memory<(Option<String>, String), First>,
    /// The receipt handles of a receive, by its `ReceiveRequestAttemptId`.
    receives: Memory<String, Vec<String>>,
    quotas: BTreeMap<&'static str, Quota>,
}

impl Memories {
    /// Forgets the messages, as a purge does. What was used of the quotas stays used.
    fn forget(&mut self) {
        self.sends = Memory::default();
        self.receives = Memory::default();
    }
}

struct First {
    message_id: String,
    sequence_number: Option<String>,
}

impl Sqs {
    pub fn new(clock: Clock, events: Events, faults: Faults, seed: u64) -> Self {
        Self(Arc::new(Inner {
            clock,
            events,
            faults,
            state: Mutex::new(State {
                queues: BTreeMap::new(),
                deleted: BTreeMap::new(),
                tasks: Vec::new(),
                room: 0,
                random: ids::source(seed, "sqs"),
            }),
        }))
    }

    /// Answers `operation` with the JSON of its output. `base` is the URL by which the caller reached the local
    /// cloud; queue URLs begin with it.
    pub async fn call(
        &self,
        operation: &str,
        input: &[u8],
        base: &str,
    ) -> Result<Vec<u8>, ApiError> {
        let input = if input.is_empty() { b"{}" } else { input };
        match operation {
            "ReceiveMessage" => output(&self.receive_message(parse(input)?).await?),
            "SendMessage" => output(&self.send_message(parse(input)?)?),
            "SendMessageBatch" => output(&self.send_message_batch(parse(input)?)?),
            "DeleteMessage" => done(self.delete_message(parse(input)?)),
            "DeleteMessageBatch" => output(&self.delete_message_batch(parse(input)?)?),
            "ChangeMessageVisibility" => done(self.change_message_visibility(parse(input)?)),
            "ChangeMessageVisibilityBatch" => {
                output(&self.change_message_visibility_batch(parse(input)?)?)
            }
            "CreateQueue" => output(&self.create_queue(parse(input)?, base)?),
            "DeleteQueue" => done(self.delete_queue(parse(input)?)),
            "GetQueueUrl" => output(&self.get_queue_url(parse(input)?, base)?),
            "ListQueues" => output(&self.list_queues(parse(input)?, base)?),
            "GetQueueAttributes" => output(&self.get_queue_attributes(parse(input)?)?),
            "SetQueueAttributes" => done(self.set_queue_attributes(parse(input)?)),
            "PurgeQueue" => done(self.purge_queue(parse(input)?)),
            "TagQueue" => done(self.tag_queue(parse(input)?)),
            "UntagQueue" => done(self.untag_queue(parse(input)?)),
            "ListQueueTags" => output(&self.list_queue_tags(parse(input)?)?),
            "AddPermission" => done(self.add_permission(parse(input)?)),
            "RemovePermission" => done(self.remove_permission(parse(input)?)),
            "ListDeadLetterSourceQueues" => {
                output(&self.list_dead_letter_source_queues(parse(input)?, base)?)
            }
            "StartMessageMoveTask" => output(&self.start_message_move_task(parse(input)?)?),
            "CancelMessageMoveTask" => output(&self.cancel_message_move_task(parse(input)?)?),
            "ListMessageMoveTasks" => output(&self.list_message_move_tasks(parse(input)?)?),
            _ => Err(ApiError::not_in_this_lab("sqs", operation)),
        }
    }

    /// Tells that a call was refused before it came here.
    pub fn refused(&self, operation: &str, input: &[u8], error: ApiError) -> ApiError {
        let input: Value = serde_json::from_slice(input).unwrap_or_default();
        if let Ok(queue) = name_in(input["QueueUrl"].as_str().unwrap_or_default()) {
            self.0.events.emit(|| Event::Refused {
                queue,
                operation,
                code: &error.code,
            });
        }
        error
    }

    /// The queues with their counts, for the desk.
    pub fn status(&self) -> Value {
        let now = self.0.clock.now();
        let mut state = self.lock();
        state
            .queues
            .values_mut()
            .map(|entry| {
                entry.pass(now);
                let counts = entry.queue.counts();
                json!({
                    "name": entry.name,
                    "visible": counts.visible,
                    "in_flight": counts.in_flight,
                    "delayed": counts.delayed,
                })
            })
            .collect()
    }

    /// Lets time do its work in all queues, so that the feed tells it at once.
    pub fn pass(&self) {
        let now = self.0.clock.now();
        for entry in self.lock().queues.values_mut() {
            entry.pass(now);
        }
    }

    /// Does something while nothing happens to the queues, which it gets as the feed shows them.
    pub fn hold<T>(&self, work: impl FnOnce(Vec<events::Queue>) -> T) -> T {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let shown = state.queues.values_mut().map(|entry| {
            entry.pass(now);
            let messages = entry.shown_messages();
            events::Queue {
                messages,
                ..entry.shown()
            }
        });
        work(shown.collect())
    }

    /// Works on one queue at the present time.
    fn with_queue<T>(
        &self,
        url: &str,
        work: impl FnOnce(&mut Entry, Millis) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let now = self.0.clock.now();
        work(self.lock().entry(name_in(url)?, now)?, now)
    }

    // Differs from AWS: fifo-quota: a FIFO queue keeps to its quota only while that fault is asked for.
    fn check_quota(
        &self,
        entry: &mut Entry,
        now: Millis,
        action: &'static str,
        messages: usize,
    ) -> Result<(), ApiError> {
        let faults = &self.0.faults;
        let Some(memories) = entry.fifo.as_mut() else {
            return Ok(());
        };
        let is_high = |fifo: &attributes::FifoSettings| fifo.throughput_by_group;
        if faults.is_waiting(Kind::FifoQuota, &entry.name)
            && !entry.settings.fifo.as_ref().is_some_and(is_high)
            && !memories
                .quotas
                .entry(action)
                .or_default()
                .allows(now, messages)
            && faults.take(Kind::FifoQuota, &entry.name)
        {
            // The developer guide speaks of a ThrottlingException here; the API reference has this error for it:
            // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html#API_SendMessage_Errors
            let error = ApiError::sender("RequestThrottled", "Rate exceeded.");
            return Err(entry.refused(action, error));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The queue, with all that was due until now behind it.
    fn entry(&mut self, name: &str, now: Millis) -> Result<&mut Entry, ApiError> {
        let entry = self.queues.get_mut(name).ok_or_else(no_such_queue)?;
        entry.pass(now);
        Ok(entry)
    }

    fn by_arn(&mut self, arn: &str, now: Millis) -> Option<&mut Entry> {
        let name = arn.strip_prefix(&arn_of(""))?;
        self.entry(name, now).ok()
    }

    /// Keeps `bytes` more within [`MOST_BYTES`].
    fn make_room(&mut self, bytes: usize) -> Result<(), ApiError> {
        let bytes = bytes + OVERHEAD;
        if self.room < bytes {
            let kept: usize = self.queues.values().map(|entry| entry.bytes()).sum();
            self.room = MOST_BYTES.saturating_sub(kept);
        }
        self.room = self.room.checked_sub(bytes).ok_or_else(|| {
            ApiError::sender(
                "OverLimit",
                "The local cloud is full: it keeps 1 GiB of messages. Receive and delete some, or purge a queue.",
            )
        })?;
        Ok(())
    }
}

impl Entry {
    fn arn(&self) -> String {
        arn_of(&self.name)
    }

    fn bytes(&self) -> usize {
        let counts = self.queue.counts();
        let messages = counts.visible + counts.in_flight + counts.delayed;
        self.queue.bytes() + messages * OVERHEAD
    }

    fn pass(&mut self, now: Millis) {
        let retention = Millis::from(self.settings.retention) * 1000;
        let passed = self.queue.pass(now, retention);
        for _ in passed.shown.iter().take(1000) {
            self.arrivals.notify_one();
        }
        for message in &passed.shown {
            self.readers.remove(&*message.name());
            self.tell(|queue| match message.receives {
                0 => Event::Arrived {
                    queue,
                    message: message.name(),
                },
                _ => Event::Returned {
                    queue,
                    message: message.name(),
                },
            });
        }
        for message in &passed.expired {
            self.readers.remove(&*message.name());
            self.tell(|queue| Event::Expired {
                queue,
                message: message.name(),
            });
        }
    }

    /// Takes a message in, that was sent here or comes `from` another queue.
    fn put(
        &mut self,
        now: Millis,
        message: Arc<Message>,
        delay: Millis,
        from: Option<&str>,
    ) -> Option<String> {
        self.announce(&message, (delay > 0).then_some(now + delay), from);
        let sequence_number = self.queue.put(now, message, delay);
        self.arrivals.notify_one();
        sequence_number
    }

    /// Tells that a message is here now, delayed `until` some time.
    fn announce(&self, message: &Message, until: Option<Millis>, from: Option<&str>) {
        self.tell(|queue| Event::Sent {
            queue,
            message: message.name(),
            body: message.body.as_str().into(),
            group: message.group_id.as_deref(),
            until,
            receives: message.receives,
            from,
        });
    }

    /// Tells an event of this queue.
    fn tell<'a>(&'a self, event: impl FnOnce(&'a str) -> Event<'a>) {
        self.events.emit(|| event(&self.name));
    }

    /// Tells that a call was refused.
    fn refused(&self, operation: &str, error: ApiError) -> ApiError {
        self.events.emit(|| Event::Refused {
            queue: &self.name,
            operation,
            code: &error.code,
        });
        error
    }

    /// The queue as the feed shows it, without its messages.
    fn shown(&self) -> events::Queue {
        let counts = self.queue.counts();
        let redrive = self.settings.redrive.as_ref();
        events::Queue {
            queue: self.name.clone(),
            fifo: self.fifo.is_some(),
            visibility_ms: Millis::from(self.settings.visibility_timeout) * 1000,
            dead_letter_queue: redrive.map(|redrive| name_of(&redrive.target_arn).to_owned()),
            max_receives: redrive.map(|redrive| redrive.max_receive_count),
            visible: counts.visible,
            in_flight: counts.in_flight,
            delayed: counts.delayed,
            messages: Vec::new(),
        }
    }

    fn shown_messages(&self) -> Vec<events::Message> {
        let show = |(message, until): (Arc<Message>, Option<Millis>)| {
            let name = message.name();
            let state = match until {
                None => MessageState::Visible,
                Some(until) if message.receives == 0 => MessageState::Delayed { until },
                Some(until) => MessageState::InFlight {
                    until,
                    reader: self.readers.get(&*name).cloned(),
                },
            };
            events::Message {
                message: name.into_owned(),
                body: message.body.clone().into(),
                group: message.group_id.clone(),
                receives: message.receives,
                state,
            }
        };
        self.queue.list(MAX_SHOWN).into_iter().map(show).collect()
    }
}

/// The queue's name in its ARN.
fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

fn arn_of(name: &str) -> String {
    account::arn("sqs", name)
}

fn url_of(base: &str, name: &str) -> String {
    format!("{base}/{ACCOUNT}/{name}")
}

/// The queue's name in its URL, whatever host the URL names. A bare name will do, too.
fn name_in(url: &str) -> Result<&str, ApiError> {
    if url.is_empty() {
        return Err(missing("QueueUrl"));
    }
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    if url
        .strip_suffix(".fifo")
        .unwrap_or(url)
        .bytes()
        .all(is_name_byte)
    {
        return Ok(url);
    }
    match path.trim_end_matches('/').rsplit('/').collect::<Vec<_>>()[..] {
        [name, ACCOUNT, ..] => Ok(name),
        [_, account, ..] if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) => {
            Err(no_such_queue())
        }
        _ => Err(ApiError::sender(
            "InvalidAddress",
            format!("The address {url} is not valid for this endpoint."),
        )),
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

fn output<T: Serialize>(value: &T) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(|error| ApiError {
        status: 500,
        fault: crate::wire::error::Fault::Receiver,
        ..ApiError::sender("InternalFailure", error.to_string())
    })
}

/// The output of an operation that returns nothing.
fn done(result: Result<(), ApiError>) -> Result<Vec<u8>, ApiError> {
    result.map(|()| b"{}".to_vec())
}

fn no_such_queue() -> ApiError {
    ApiError::sender(
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist.",
    )
    .with_shape("QueueDoesNotExist")
}

fn missing(parameter: &str) -> ApiError {
    ApiError::sender(
        "MissingParameter",
        format!("The request must contain the parameter {parameter}."),
    )
    .with_shape("MissingRequiredParameterException")
}

fn invalid_parameter(message: String) -> ApiError {
    ApiError::sender("InvalidParameterValue", message).with_shape("InvalidParameterValueException")
}

fn invalid_attribute_value(message: String) -> ApiError {
    ApiError::sender("InvalidAttributeValue", message)
}

/// An error whose code in the query protocol carries the service's name.
fn sqs_error(shape: &str, message: String) -> ApiError {
    ApiError::sender(&format!("AWS.SimpleQueueService.{shape}"), message).with_shape(shape)
}

/// Whether this may name an entry of a batch, or a permission.
fn is_label(text: &str) -> bool {
    (1..=80).contains(&text.len()) && text.bytes().all(is_name_byte)
}

/// Whether a name may have this character: a queue's, an entry's, a permission's.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Checks a number against the limits AWS names in its message; `default` stands in for none.
fn in_range(
    parameter: &str,
    value: Option<i64>,
    default: u32,
    (least, most): (u32, u32),
    reason: &str,
) -> Result<u32, ApiError> {
    let Some(value) = value else {
        return Ok(default);
    };
    u32::try_from(value)
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| {
            invalid_parameter(format!(
                "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
            ))
        })
}
