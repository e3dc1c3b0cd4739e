//! The operations on messages: send, receive, delete, change the visibility; each alone and in batches.

use super::deduplication;
use super::message::{self, Attributes, Message};
use super::messages::{Delivery, OverLimit, Poll, Receive, Received, Refusal};
use super::queue::MOST_IN_FLIGHT;
use super::{
    arn_of, in_range, invalid_parameter, is_label, missing, name_in, sqs_error, Entry, First, Sqs,
};
use crate::clock::Millis;
use crate::events::{self, Event};
use crate::faults::Kind;
use crate::wire::error::{ApiError, Fault};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{json, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The one user of the local cloud, as senders are named.
const SENDER: &str = "AIDALOCALCLOUDREADER";
const MOST_ENTRIES: usize = 10;

/// `SendMessage`, or an entry of `SendMessageBatch`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct Send {
    queue_url: String,
    id: String,
    message_body: String,
    delay_seconds: Option<i64>,
    message_attributes: Attributes,
    message_system_attributes: Attributes,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

/// What a send answers. The MD5s are those the SDKs compare with their own.
#[derive(Serialize)]
pub struct Sent {
    #[serde(rename = "Id", skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(rename = "MessageId")]
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_body: String,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_attributes: Option<String>,
    #[serde(
        rename = "MD5OfMessageSystemAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_system_attributes: Option<String>,
    #[serde(rename = "SequenceNumber", skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default, bound = "E: Deserialize<'de>")]
pub struct Batch<E> {
    queue_url: String,
    entries: Vec<E>,
}

impl<E> Default for Batch<E> {
    fn default() -> Self {
        Self {
            queue_url: String::new(),
            entries: Vec::new(),
        }
    }
}

/// What a batch answers: it succeeds although entries fail.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outcome<T> {
    successful: Vec<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Failed>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Failed {
    id: String,
    sender_fault: bool,
    code: String,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Succeeded {
    id: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct ReceiveMessage {
    queue_url: String,
    attribute_names: Vec<String>,
    message_system_attribute_names: Vec<String>,
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    receive_request_attempt_id: Option<String>,
}

/// What a receive answers.
pub struct Messages {
    input: ReceiveMessage,
    deliveries: Vec<Delivery>,
}

impl Serialize for Messages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Output<'a> {
            #[serde(skip_serializing_if = "Vec::is_empty")]
            messages: Vec<Shown<'a>>,
        }
        let show = |delivery| self.input.show(delivery);
        let messages = self.deliveries.iter().map(show).collect();
        Output { messages }.serialize(serializer)
    }
}

/// A message as a receive shows it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(rename = "MessageId")]
    message_id: &'a str,
    #[serde(rename = "ReceiptHandle")]
    receipt_handle: &'a str,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: &'a str,
    #[serde(rename = "Body")]
    body: &'a str,
    #[serde(rename = "Attributes", skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_attributes: Option<String>,
    #[serde(
        rename = "MessageAttributes",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    message_attributes: BTreeMap<&'a String, &'a message::Value>,
}

/// `DeleteMessage` and `ChangeMessageVisibility`, or an entry of their batches.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct Handle {
    queue_url: String,
    id: String,
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

impl Sqs {
    pub(super) fn send_message(&self, mut input: Send) -> Result<Sent, ApiError> {
        let url = std::mem::take(&mut input.queue_url);
        let name = name_in(&url)?;
        let size = input.size();
        let now = self.0.clock.now();
        let mut state = self.lock();
        self.check_quota(state.entry(name, now)?, now, "SendMessage", 1)?;
        state.make_room(size)?;
        state.entry(name, now)?.take_in(now, input, size)
    }

    pub(super) fn send_message_batch(&self, input: Batch<Send>) -> Result<Outcome<Sent>, ApiError> {
        let name = name_in(&input.queue_url)?;
        let sizes: Vec<usize> = input.entries.iter().map(Send::size).collect();
        let total: usize = sizes.iter().sum();
        let now = self.0.clock.now();
        let mut state = self.lock();
        let messages = input.entries.len();
        self.check_quota(state.entry(name, now)?, now, "SendMessage", messages)?;
        check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
        if total > message::LARGEST {
            return Err(sqs_error(
                "BatchRequestTooLong",
                format!(
                    "Batch requests cannot be longer than {} bytes. You have sent {total} bytes.",
                    message::LARGEST
                ),
            ));
        }
        state.make_room(total + MOST_ENTRIES * super::OVERHEAD)?;
        let queue = state.entry(name, now)?;
        queue.check_entries(&input.entries)?;
        let results = input.entries.into_iter().zip(sizes).map(|(entry, size)| {
            let id = entry.id.clone();
            let sent = queue.take_in(now, entry, size);
            (id, sent)
        });
        Ok(outcome(results, |id, sent| Sent { id, ..sent }))
    }

    /// Receives, waiting for messages up to `WaitTimeSeconds`.
    pub(super) async fn receive_message(
        &self,
        input: ReceiveMessage,
    ) -> Result<Messages, ApiError> {
        let name = name_in(&input.queue_url)?;
        let started = self.0.clock.now();
        let (receive, wait, arrivals) = self.with_queue(&input.queue_url, |entry, _| {
            let (receive, wait) = input.checked(entry)?;
            self.check_quota(entry, started, "ReceiveMessage", receive.most)?;
            Ok((receive, wait, entry.arrivals.clone()))
        })?;
        let deadline = started + wait;
        loop {
            let mut arrival = std::pin::pin!(arrivals.notified());
            arrival.as_mut().enable();
            let is_last = self.0.clock.now() >= deadline;
            let (deliveries, next_due) = self.receive_now(name, &receive, &input, is_last)?;
            if !deliveries.is_empty() || is_last {
                return Ok(Messages { input, deliveries });
            }
            let wake = next_due.unwrap_or(deadline).min(deadline);
            tokio::select! {
                () = arrival => {}
                () = self.0.clock.sleep_until(wake) => {}
            }
        }
    }

    /// What a poller of the cloud's own receives: up to `most` messages from all hosts, at once, with all they have.
    ///
    /// # Errors
    ///
    /// As `ReceiveMessage`.
    pub fn poll(&self, queue_url: &str, most: usize) -> Result<Vec<Value>, ApiError> {
        let all = vec!["All".to_owned()];
        let input = ReceiveMessage {
            queue_url: queue_url.to_owned(),
            message_system_attribute_names: all.clone(),
            message_attribute_names: all,
            max_number_of_messages: Some(most as i64),
            ..ReceiveMessage::default()
        };
        let receive = self.with_queue(queue_url, |entry, now| {
            let (receive, _) = input.checked(entry)?;
            self.check_quota(entry, now, "ReceiveMessage", receive.most)?;
            let poll = Poll::Long;
            Ok(Receive { poll, ..receive })
        })?;
        let (deliveries, _) = self.receive_now(name_in(queue_url)?, &receive, &input, true)?;
        let messages = deliveries
            .iter()
            .map(|delivery| json!(input.show(delivery)));
        Ok(messages.collect())
    }

    /// Waits until a poller may find something to receive, `until` that time at the latest. Nobody waits for this to
    /// end, unless a message is to come back and can do so only a few times: until it goes to a dead-letter queue.
    ///
    /// # Errors
    ///
    /// There is no such queue.
    pub async fn stir(&self, queue_url: &str, until: Millis) -> Result<(), ApiError> {
        let (arrivals, due, is_bounded) = self.with_queue(queue_url, |entry, _| {
            let is_bounded = entry.settings.redrive.is_some();
            Ok((entry.arrivals.clone(), entry.queue.next_due(), is_bounded))
        })?;
        let due = due.unwrap_or(Millis::MAX);
        tokio::select! {
            () = arrivals.notified() => {}
            () = self.0.clock.idle_until(until.min(due)) => {}
            () = self.0.clock.sleep_until(due), if is_bounded && due < Millis::MAX => {}
        }
        Ok(())
    }

    /// One look at the queue, the last of its receive or not, and when it is worth another. What was received too often
    /// goes to the dead-letter queue.
    fn receive_now(
        &self,
        name: &str,
        receive: &Receive,
        input: &ReceiveMessage,
        is_last: bool,
    ) -> Result<(Vec<Delivery>, Option<Millis>), ApiError> {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let redrive = state.entry(name, now)?.settings.redrive.clone();
        let target = redrive.filter(|redrive| state.by_arn(&redrive.target_arn, now).is_some());
        let receive = Receive {
            max_receive_count: target.as_ref().map(|redrive| redrive.max_receive_count),
            ..*receive
        };
        let entry = state.entry(name, now)?;
        let until = now + receive.visibility_timeout;
        if let Some(again) = entry.repeat(now, input, receive.visibility_timeout) {
            entry.hand_out(&again, until);
            return Ok((again, None));
        }
        let mut repeated = || self.0.faults.take(Kind::DuplicateDelivery, name);
        let received = entry.queue.receive(now, &receive, &mut repeated);
        let Received {
            deliveries,
            dead,
            copies,
        } = match (received, receive.poll) {
            (Ok(received), _) => received,
            // "With long polling, Amazon SQS returns no error messages", as the page of the quotas has it.
            (Err(OverLimit), Poll::Long) => Received::default(),
            (Err(OverLimit), Poll::Short) => {
                let error = ApiError::sender(
                    "OverLimit",
                    format!("Too many messages are in flight: {MOST_IN_FLIGHT} is the limit. Delete those you are done with."),
                );
                return Err(entry.refused("ReceiveMessage", error));
            }
        };
        entry.remember(now, input, &deliveries);
        entry.hand_out(&deliveries, until);
        for copy in &copies {
            entry.announce(copy, None, None);
        }
        if deliveries.is_empty() && is_last {
            entry.tell(|queue| Event::Empty {
                queue,
                reader: events::caller().into(),
            });
        }
        let next_due = entry.queue.next_due();
        if let Some(target) = target.and_then(|redrive| state.by_arn(&redrive.target_arn, now)) {
            for message in dead {
                target.events.emit(|| Event::Dead {
                    queue: name,
                    message: message.name(),
                    to: &target.name,
                });
                target.bury(now, &message, name);
            }
        }
        Ok((deliveries, next_due))
    }

    pub(super) fn delete_message(&self, input: Handle) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |entry, now| {
            self.check_quota(entry, now, "DeleteMessage", 1)?;
            entry.delete(&input)
        })
    }

    pub(super) fn delete_message_batch(
        &self,
        input: Batch<Handle>,
    ) -> Result<Outcome<Succeeded>, ApiError> {
        self.with_queue(&input.queue_url, |queue, now| {
            self.check_quota(queue, now, "DeleteMessage", input.entries.len())?;
            check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
            let results = input.entries.into_iter().map(|entry| {
                let deleted = queue.delete(&entry);
                (entry.id, deleted)
            });
            Ok(outcome(results, |id, ()| Succeeded { id }))
        })
    }

    pub(super) fn change_message_visibility(&self, input: Handle) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |entry, now| {
            entry.change_visibility(now, &input)
        })
    }

    pub(super) fn change_message_visibility_batch(
        &self,
        input: Batch<Handle>,
    ) -> Result<Outcome<Succeeded>, ApiError> {
        self.with_queue(&input.queue_url, |queue, now| {
            check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
            let results = input.entries.into_iter().map(|entry| {
                let changed = queue.change_visibility(now, &entry);
                (entry.id, changed)
            });
            Ok(outcome(results, |id, ()| Succeeded { id }))
        })
    }
}

impl Entry {
    fn take_in(&mut self, now: Millis, send: Send, size: usize) -> Result<Sent, ApiError> {
        message::check_body(&send.message_body)?;
        message::check_attributes(&send.message_attributes)?;
        message::check_system_attributes(&send.message_system_attributes)?;
        // Differs from AWS: fair-queues: the group is kept and shown, and changes no order of delivery.
        if let Some(group) = &send.message_group_id {
            check_token("MessageGroupId", group)?;
        }
        let largest = self.settings.maximum_message_size as usize;
        if size > largest {
            // A batch says it in other words than a single send.
            let are = match send.id.is_empty() {
                true => "are invalid",
                false => "cannot be validated",
            };
            return Err(invalid_parameter(format!(
                "One or more parameters {are}. Reason: Message must be shorter than {largest} bytes."
            )));
        }
        // A FIFO queue takes no delay of a message's own: 0 is as good as none, as AWS showed in July 2025.
        let delay = send.delay_seconds.filter(|_| self.fifo.is_none());
        let delay = in_range(
            "DelaySeconds",
            delay,
            self.settings.delay,
            (0, 900),
            "DelaySeconds must be >= 0 and <= 900.",
        )?;
        let deduplication_id = self.deduplication_id(&send)?;
        let mut sent = Sent {
            id: String::new(),
            message_id: String::new(),
            md5_of_body: message::md5_of_body(&send.message_body),
            md5_of_attributes: message::md5_of_attributes(send.message_attributes.iter()),
            md5_of_system_attributes: message::md5_of_attributes(
                send.message_system_attributes.iter(),
            ),
            sequence_number: None,
        };
        let key = deduplication_id.clone().map(|id| {
            let fifo = self.settings.fifo.as_ref();
            let by_group = fifo.is_some_and(|fifo| fifo.deduplication_by_group);
            (send.message_group_id.clone().filter(|_| by_group), id)
        });
        if let (Some(memories), Some(key)) = (&mut self.fifo, &key) {
            if let Some(first) = memories.sends.recall(now, key) {
                sent.message_id.clone_from(&first.message_id);
                sent.sequence_number.clone_from(&first.sequence_number);
                self.tell(|queue| Event::Deduplicated {
                    queue,
                    message: Cow::Borrowed(&sent.message_id),
                    group: send.message_group_id.as_deref(),
                });
                return Ok(sent);
            }
        }
        sent.message_id = self.queue.new_message_id();
        let message = Message {
            id: sent.message_id.clone(),
            md5_of_body: sent.md5_of_body.clone(),
            body: send.message_body,
            attributes: send.message_attributes,
            system_attributes: send.message_system_attributes,
            group_id: send.message_group_id,
            deduplication_id,
            sequence_number: None,
            size,
            sent_at: now,
            receives: 0,
            first_received_at: None,
            dead_letter_source: None,
            copy: None,
        };
        sent.sequence_number = self.put(now, Arc::new(message), Millis::from(delay) * 1000, None);
        if let (Some(memories), Some(key)) = (&mut self.fifo, key) {
            let first = First {
                message_id: sent.message_id.clone(),
                sequence_number: sent.sequence_number.clone(),
            };
            memories.sends.remember(now, key, first);
        }
        Ok(sent)
    }

    /// What a FIFO queue knows this send by; a standard queue takes no such thing.
    fn deduplication_id(&self, send: &Send) -> Result<Option<String>, ApiError> {
        let wrong_type = |parameter: &str, value: &str| {
            invalid_parameter(format!(
                "Value {value} for parameter {parameter} is invalid. Reason: The request include parameter that is \
                 not valid for this queue type."
            ))
        };
        let given = send.message_deduplication_id.as_ref();
        let Some(fifo) = &self.settings.fifo else {
            return given.map_or(Ok(None), |id| Err(wrong_type("MessageDeduplicationId", id)));
        };
        if send.message_group_id.is_none() {
            return Err(missing("MessageGroupId"));
        }
        if let Some(delay) = send.delay_seconds.filter(|delay| *delay != 0) {
            return Err(wrong_type("DelaySeconds", &delay.to_string()));
        }
        match given {
            Some(id) => {
                check_token("MessageDeduplicationId", id)?;
                Ok(Some(id.clone()))
            }
            None if fifo.content_based_deduplication => {
                Ok(Some(deduplication::of_content(&send.message_body)))
            }
            None => Err(no_deduplication_id()),
        }
    }

    /// What makes a FIFO queue refuse a batch as a whole, though a single entry has the fault.
    fn check_entries(&self, entries: &[Send]) -> Result<(), ApiError> {
        let Some(fifo) = &self.settings.fifo else {
            return Ok(());
        };
        if entries.iter().any(|entry| entry.message_group_id.is_none()) {
            return Err(invalid_parameter(missing("MessageGroupId").message));
        }
        let has_id = |entry: &Send| entry.message_deduplication_id.is_some();
        if !fifo.content_based_deduplication && !entries.iter().all(has_id) {
            return Err(no_deduplication_id());
        }
        Ok(())
    }

    /// Takes in what a source queue gave up. On a FIFO queue its deduplication id is its message id from here on, see
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html>.
    fn bury(&mut self, now: Millis, message: &Message, source: &str) {
        let message = Message {
            dead_letter_source: Some(arn_of(source)),
            sent_at: match self.fifo {
                Some(_) => now,
                None => message.sent_at,
            },
            deduplication_id: self.fifo.as_ref().map(|_| message.id.clone()),
            ..message.clone()
        };
        self.put(now, Arc::new(message), 0, Some(source));
    }

    /// Tells what a receiver gets, and remembers who it is.
    fn hand_out(&mut self, deliveries: &[Delivery], until: Millis) {
        if !self.events.is_kept() {
            return;
        }
        let reader = events::caller();
        for Delivery { message, .. } in deliveries {
            self.readers
                .insert(message.name().into_owned(), reader.clone());
            self.tell(|queue| Event::Received {
                queue,
                message: message.name(),
                until,
                receives: message.receives,
                reader: Cow::Borrowed(&reader),
                group: message.group_id.as_deref(),
            });
        }
    }

    /// The deliveries of an earlier receive with the same attempt id, if nothing has happened to them.
    fn repeat(
        &mut self,
        now: Millis,
        input: &ReceiveMessage,
        timeout: Millis,
    ) -> Option<Vec<Delivery>> {
        let attempt = input.receive_request_attempt_id.as_ref()?;
        let handles = self.fifo.as_mut()?.receives.recall(now, attempt)?;
        self.queue.repeat(now, handles, timeout)
    }

    fn remember(&mut self, now: Millis, input: &ReceiveMessage, deliveries: &[Delivery]) {
        let attempt = input.receive_request_attempt_id.as_ref();
        if let (Some(memories), Some(attempt), false) =
            (&mut self.fifo, attempt, deliveries.is_empty())
        {
            if memories.receives.recall(now, attempt).is_none() {
                let handles = deliveries
                    .iter()
                    .map(|delivery| delivery.receipt_handle.clone());
                memories
                    .receives
                    .remember(now, attempt.clone(), handles.collect());
            }
        }
    }

    fn delete(&mut self, input: &Handle) -> Result<(), ApiError> {
        if input.receipt_handle.is_empty() {
            return Err(missing("ReceiptHandle"));
        }
        let handle = &input.receipt_handle;
        let deleted = self.queue.delete(handle).map_err(|refusal| match refusal {
            Refusal::NotInFlight if !input.id.is_empty() => {
                ApiError::sender("ReceiptHandleIsInvalid", "The receipt handle has expired")
            }
            Refusal::NotInFlight => invalid_parameter(format!(
                "Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
            )),
            _ => invalid_handle(handle),
        })?;
        if let Some(message) = deleted {
            self.readers.remove(&*message.name());
            self.tell(|queue| Event::Deleted {
                queue,
                message: message.name(),
            });
        }
        if self.fifo.is_some() {
            // The rest of its group can be received now.
            self.arrivals.notify_one();
        }
        Ok(())
    }

    fn change_visibility(&mut self, now: Millis, input: &Handle) -> Result<(), ApiError> {
        let handle = &input.receipt_handle;
        if handle.is_empty() {
            return Err(missing("ReceiptHandle"));
        }
        if input.visibility_timeout.is_none() {
            return Err(missing("VisibilityTimeout"));
        }
        let timeout = visibility_timeout(input.visibility_timeout, 0)?;
        let changed = self.queue.change_visibility(now, handle, timeout);
        if let Ok(message) = &changed {
            if timeout == 0 {
                self.readers.remove(&*message.name());
                self.arrivals.notify_one();
            }
            self.tell(|queue| Event::Hidden {
                queue,
                message: message.name(),
                until: now + timeout,
            });
        }
        changed.map(drop).map_err(|refusal| match refusal {
            Refusal::InvalidHandle => invalid_handle(handle),
            Refusal::Gone => invalid_parameter(format!(
                "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not \
                 available for visibility timeout change."
            )),
            Refusal::NotInFlight => sqs_error(
                "MessageNotInflight",
                "The specified message isn't in flight.".to_owned(),
            ),
            Refusal::TooLong => invalid_parameter(
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]".to_owned(),
            ),
        })
    }
}

impl Send {
    fn size(&self) -> usize {
        self.message_body.len() + message::size_of(&self.message_attributes)
    }
}

impl ReceiveMessage {
    /// The request within its limits, and how many milliseconds it waits.
    fn checked(&self, entry: &Entry) -> Result<(Receive, Millis), ApiError> {
        let most = in_range(
            "MaxNumberOfMessages",
            self.max_number_of_messages,
            1,
            (1, 10),
            "Must be between 1 and 10, if provided.",
        )?;
        let wait = in_range(
            "WaitTimeSeconds",
            self.wait_time_seconds,
            entry.settings.wait,
            (0, 20),
            "Must be >= 0 and <= 20, if provided.",
        )?;
        if let Some(id) = &self.receive_request_attempt_id {
            check_token("ReceiveRequestAttemptId", id)?;
        }
        let unknown = |name: &&String| !SYSTEM_ATTRIBUTES.contains(&name.as_str());
        if let Some(name) = self.system_names().find(unknown) {
            return Err(ApiError::sender(
                "InvalidAttributeName",
                format!("Unknown Attribute {name}."),
            ));
        }
        let receive = Receive {
            poll: if wait == 0 { Poll::Short } else { Poll::Long },
            most: most as usize,
            visibility_timeout: visibility_timeout(
                self.visibility_timeout,
                entry.settings.visibility_timeout,
            )?,
            max_receive_count: None,
        };
        Ok((receive, Millis::from(wait) * 1000))
    }

    fn system_names(&self) -> impl Iterator<Item = &String> {
        self.attribute_names
            .iter()
            .chain(&self.message_system_attribute_names)
    }

    fn show<'a>(&self, delivery: &'a Delivery) -> Shown<'a> {
        let message = &delivery.message;
        let asked = |name: &str| {
            self.message_attribute_names.iter().any(|pattern| {
                pattern == "All"
                    || pattern == "*"
                    || pattern == name
                    || pattern
                        .strip_suffix(".*")
                        .is_some_and(|prefix| name.starts_with(prefix))
            })
        };
        let message_attributes: BTreeMap<_, _> = message
            .attributes
            .iter()
            .filter(|(name, _)| asked(name))
            .collect();
        Shown {
            message_id: &message.id,
            receipt_handle: &delivery.receipt_handle,
            md5_of_body: &message.md5_of_body,
            body: &message.body,
            attributes: self.system_attributes(message),
            md5_of_attributes: message::md5_of_attributes(
                message_attributes
                    .iter()
                    .map(|(name, value)| (*name, *value)),
            ),
            message_attributes,
        }
    }

    fn system_attributes(&self, message: &Message) -> BTreeMap<&'static str, String> {
        let mut attributes = BTreeMap::new();
        for name in self.system_names() {
            let all = name == "All";
            for known in &SYSTEM_ATTRIBUTES[1..] {
                if all || name == known {
                    attributes.extend(message.system_attribute(known).map(|value| (*known, value)));
                }
            }
        }
        attributes
    }
}

/// What a receive may ask for: `All`, then each by its name.
const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

impl Message {
    fn system_attribute(&self, name: &str) -> Option<String> {
        match name {
            "SenderId" => Some(SENDER.to_owned()),
            "SentTimestamp" => Some(self.sent_at.to_string()),
            "ApproximateReceiveCount" => Some(self.receives.to_string()),
            "ApproximateFirstReceiveTimestamp" => self.first_received_at.map(|at| at.to_string()),
            "MessageGroupId" => self.group_id.clone(),
            "MessageDeduplicationId" => self.deduplication_id.clone(),
            "SequenceNumber" => self.sequence_number.clone(),
            "AWSTraceHeader" => self.system_attributes.get(name)?.string_value.clone(),
            "DeadLetterQueueSourceArn" => self.dead_letter_source.clone(),
            _ => None,
        }
    }
}

fn visibility_timeout(seconds: Option<i64>, default: u32) -> Result<Millis, ApiError> {
    let seconds = in_range(
        "VisibilityTimeout",
        seconds,
        default,
        (0, 43_200),
        "Must be between 0 and 43200, if provided.",
    )?;
    Ok(Millis::from(seconds) * 1000)
}

fn no_deduplication_id() -> ApiError {
    invalid_parameter(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
            .to_owned(),
    )
}

fn invalid_handle(handle: &str) -> ApiError {
    ApiError::sender(
        "ReceiptHandleIsInvalid",
        format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
    )
}

/// A group id and a deduplication id have 1 to 128 alphanumeric or punctuation characters.
fn check_token(parameter: &str, token: &str) -> Result<(), ApiError> {
    let characters = token.bytes().all(|b| b.is_ascii_graphic());
    if token.is_empty() || token.len() > 128 || !characters {
        return Err(invalid_parameter(format!(
            "Value {token} for parameter {parameter} is invalid. Reason: {parameter} can only include alphanumeric \
             and punctuation characters. 1 to 128 in length."
        )));
    }
    Ok(())
}

/// Checks a batch as a whole: how many entries, and that their ids tell them apart.
fn check_ids<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), ApiError> {
    if ids.len() == 0 {
        return Err(sqs_error(
            "EmptyBatchRequest",
            "There should be at least one entry in the request.".to_owned(),
        ));
    }
    if ids.len() > MOST_ENTRIES {
        return Err(sqs_error(
            "TooManyEntriesInBatchRequest",
            format!(
                "Maximum number of entries per request are {MOST_ENTRIES}. You have sent {}.",
                ids.len()
            ),
        ));
    }
    let mut seen = Vec::with_capacity(ids.len());
    for id in ids {
        if !is_label(id) {
            return Err(sqs_error(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.".to_owned(),
            ));
        }
        if seen.contains(&id) {
            return Err(sqs_error(
                "BatchEntryIdsNotDistinct",
                format!("Id {id} repeated."),
            ));
        }
        seen.push(id);
    }
    Ok(())
}

/// Sorts the results of a batch's entries into what succeeded and what failed.
fn outcome<R, T>(
    results: impl Iterator<Item = (String, Result<R, ApiError>)>,
    success: impl Fn(String, R) -> T,
) -> Outcome<T> {
    let mut outcome = Outcome {
        successful: Vec::new(),
        failed: Vec::new(),
    };
    for (id, result) in results {
        match result {
            Ok(result) => outcome.successful.push(success(id, result)),
            Err(error) => outcome.failed.push(Failed {
                id,
                sender_fault: error.fault == Fault::Sender,
                code: error.code,
                message: error.message,
            }),
        }
    }
    outcome
}
