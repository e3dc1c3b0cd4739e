//! SQS: its operations by name, JSON in and JSON out. Read from the bottom: `queue` and `fifo` are what happens to
//! messages, `record` is what else is known of a queue, `state` all queues of the account, and `messages`, `queues`,
//! `permissions` and `move_tasks` the operations on them.
//!
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html>.

mod attributes;
mod deduplication;
mod entry;
mod errors;
pub mod fifo;
pub mod message;
mod messages;
mod move_tasks;
mod names;
mod permissions;
pub mod queue;
mod queues;
mod quota;
mod receipt;
mod received;
mod record;
mod redrive;
pub(crate) mod shapes;
mod state;
pub mod store;

use crate::clock::{Clock, Millis};
use crate::events::{self, Event, Events};
use crate::faults::Faults;
use crate::wire::error::{ApiError, Fault};
use names::name_in;
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::{json, Value};
use state::Shared;
use std::sync::Arc;

/// The names of the operations there are, in the order of the alphabet.
pub const OPERATIONS: [&str; shapes::OPERATIONS.len()] = {
    let mut names = [""; shapes::OPERATIONS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = shapes::OPERATIONS[at].name;
        at += 1;
    }
    names
};

/// The queues of the account. Clones share them.
#[derive(Clone)]
pub struct Sqs(Arc<Shared>);

impl Sqs {
    /// No queues yet. The seed decides on which host a message is kept, and which ones a short poll asks.
    pub fn new(clock: Clock, events: Events, faults: Faults, seed: u64) -> Self {
        Self(Arc::new(Shared::new(clock, events, faults, seed)))
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
        let sqs = &self.0;
        match operation {
            "ReceiveMessage" => output(&sqs.receive_message(parse(input)?).await?),
            "SendMessage" => output(&sqs.send_message(parse(input)?)?),
            "SendMessageBatch" => output(&sqs.send_message_batch(parse(input)?)?),
            "DeleteMessage" => done(sqs.delete_message(parse(input)?)),
            "DeleteMessageBatch" => output(&sqs.delete_message_batch(parse(input)?)?),
            "ChangeMessageVisibility" => done(sqs.change_message_visibility(parse(input)?)),
            "ChangeMessageVisibilityBatch" => {
                output(&sqs.change_message_visibility_batch(parse(input)?)?)
            }
            "CreateQueue" => output(&sqs.create_queue(parse(input)?, base)?),
            "DeleteQueue" => done(sqs.delete_queue(parse(input)?)),
            "GetQueueUrl" => output(&sqs.get_queue_url(parse(input)?, base)?),
            "ListQueues" => output(&sqs.list_queues(parse(input)?, base)?),
            "GetQueueAttributes" => output(&sqs.get_queue_attributes(parse(input)?)?),
            "SetQueueAttributes" => done(sqs.set_queue_attributes(parse(input)?)),
            "PurgeQueue" => done(sqs.purge_queue(parse(input)?)),
            "TagQueue" => done(sqs.tag_queue(parse(input)?)),
            "UntagQueue" => done(sqs.untag_queue(parse(input)?)),
            "ListQueueTags" => output(&sqs.list_queue_tags(parse(input)?)?),
            "AddPermission" => done(sqs.add_permission(parse(input)?)),
            "RemovePermission" => done(sqs.remove_permission(parse(input)?)),
            "ListDeadLetterSourceQueues" => {
                output(&sqs.list_dead_letter_source_queues(parse(input)?, base)?)
            }
            "StartMessageMoveTask" => output(&sqs.start_message_move_task(parse(input)?)?),
            "CancelMessageMoveTask" => output(&sqs.cancel_message_move_task(parse(input)?)?),
            "ListMessageMoveTasks" => output(&sqs.list_message_move_tasks(parse(input)?)?),
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
        let mut state = self.0.lock();
        state
            .queues
            .values_mut()
            .map(|queue| {
                queue.pass(now);
                let counts = queue.store.counts();
                json!({
                    "name": queue.name,
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
        for queue in self.0.lock().queues.values_mut() {
            queue.pass(now);
        }
    }

    /// Receives for a poller of the cloud's own: up to `most` messages from all hosts, at once, with all they have, as
    /// `ReceiveMessage` shows them.
    ///
    /// # Errors
    ///
    /// As `ReceiveMessage`.
    pub fn poll(&self, queue_url: &str, most: usize) -> Result<Vec<Value>, ApiError> {
        let received = self.0.poll(queue_url, most)?;
        Ok(received.messages().map(|message| json!(message)).collect())
    }

    /// Deletes messages that a poller of the cloud's own has received. What can't be deleted, as its visibility timeout
    /// is over, comes once more.
    ///
    /// # Errors
    ///
    /// There is no such queue.
    pub fn delete(&self, queue_url: &str, receipt_handles: &[&str]) -> Result<(), ApiError> {
        self.0.delete_received(queue_url, receipt_handles)
    }

    /// Waits until a poller may find something to receive, `until` that time at the latest. Nobody waits for this to
    /// end, unless a message is to come back and can do so only a few times: until it goes to a dead-letter queue.
    ///
    /// # Errors
    ///
    /// There is no such queue.
    pub async fn wait_for_messages(&self, queue_url: &str, until: Millis) -> Result<(), ApiError> {
        self.0.wait_for_messages(queue_url, until).await
    }

    /// Does something while nothing happens to the queues, which it gets as the feed shows them.
    pub fn with_snapshot<T>(&self, work: impl FnOnce(Vec<events::Queue>) -> T) -> T {
        let now = self.0.clock.now();
        let mut state = self.0.lock();
        let shown = state.queues.values_mut().map(|queue| {
            queue.pass(now);
            let messages = queue.shown_messages();
            events::Queue {
                messages,
                ..queue.shown()
            }
        });
        work(shown.collect())
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
        fault: Fault::Receiver,
        ..ApiError::sender("InternalFailure", error.to_string())
    })
}

/// The output of an operation that returns nothing.
fn done(result: Result<(), ApiError>) -> Result<Vec<u8>, ApiError> {
    result.map(|()| b"{}".to_vec())
}
