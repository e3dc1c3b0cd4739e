//! The operations on messages: send, receive, delete, change the visibility; each alone and in batches.

use super::deduplication;
use super::entry::{check_ids, outcome, BatchRequest, BatchResult, BatchResultEntry, MAX_ENTRIES};
use super::errors::{in_range, invalid_parameter, missing, sqs_error};
use super::message::{self, check_token, Attributes, Message};
use super::names::{arn_of, name_in};
use super::queue::MAX_IN_FLIGHT;
use super::received::{visibility_timeout, ReceiveMessageRequest, ReceiveMessageResult};
use super::record::{FirstSend, QueueRecord, OVERHEAD};
use super::state::Shared;
use super::store::{Delivery, OverLimit, Poll, Receive, Received, Refusal};
use crate::clock::Millis;
use crate::events::{self, Event};
use crate::faults::Kind;
use crate::quotas;
use crate::wire::error::ApiError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// `SendMessage`, or an entry of `SendMessageBatch`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct SendMessageRequest {
    queue_url: String,
    id: String,
    message_body: String,
    delay_seconds: Option<i64>,
    message_attributes: Attributes,
    message_system_attributes: Attributes,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

/// The answer to a send. The SDKs compare the MD5s with their own.
#[derive(Serialize)]
pub struct SendMessageResult {
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

/// `DeleteMessage` and `ChangeMessageVisibility`, or an entry of their batches.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct HandleRequest {
    queue_url: String,
    id: String,
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

impl Shared {
    pub fn send_message(
        &self,
        mut input: SendMessageRequest,
    ) -> Result<SendMessageResult, ApiError> {
        let url = std::mem::take(&mut input.queue_url);
        let name = name_in(&url)?;
        let size = input.size();
        let now = self.clock.now();
        let mut state = self.lock();
        self.check_quota(state.queue(name, now)?, now, "SendMessage", 1)?;
        state.make_room(size)?;
        state.queue(name, now)?.send(now, input, size)
    }

    pub fn send_message_batch(
        &self,
        input: BatchRequest<SendMessageRequest>,
    ) -> Result<BatchResult<SendMessageResult>, ApiError> {
        let name = name_in(&input.queue_url)?;
        let sizes: Vec<usize> = input.entries.iter().map(SendMessageRequest::size).collect();
        let total: usize = sizes.iter().sum();
        let now = self.clock.now();
        let mut state = self.lock();
        let messages = input.entries.len();
        self.check_quota(state.queue(name, now)?, now, "SendMessage", messages)?;
        check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
        if total > quotas::BATCH_SIZE {
            return Err(sqs_error(
                "BatchRequestTooLong",
                format!(
                    "Batch requests cannot be longer than {} bytes. You have sent {total} bytes.",
                    quotas::BATCH_SIZE
                ),
            ));
        }
        state.make_room(total + MAX_ENTRIES * OVERHEAD)?;
        let queue = state.queue(name, now)?;
        queue.check_entries(&input.entries)?;
        let results = input.entries.into_iter().zip(sizes).map(|(entry, size)| {
            let id = entry.id.clone();
            let sent = queue.send(now, entry, size);
            (id, sent)
        });
        Ok(outcome(results, |id, sent| SendMessageResult {
            id,
            ..sent
        }))
    }

    /// Receives, waiting for messages up to `WaitTimeSeconds`.
    pub async fn receive_message(
        &self,
        input: ReceiveMessageRequest,
    ) -> Result<ReceiveMessageResult, ApiError> {
        let name = name_in(&input.queue_url)?;
        let started = self.clock.now();
        let (receive, wait, arrivals) = self.with_queue(&input.queue_url, |queue, _| {
            let (receive, wait) = input.checked(&queue.settings)?;
            self.check_quota(queue, started, "ReceiveMessage", receive.most)?;
            Ok((receive, wait, queue.arrivals.clone()))
        })?;
        let deadline = started + wait;
        loop {
            let mut arrival = std::pin::pin!(arrivals.notified());
            arrival.as_mut().enable();
            let is_last = self.clock.now() >= deadline;
            let (deliveries, next_due) = self.receive_now(name, &receive, &input, is_last)?;
            if !deliveries.is_empty() || is_last {
                return Ok(ReceiveMessageResult {
                    request: input,
                    deliveries,
                });
            }
            let wake = next_due.unwrap_or(deadline).min(deadline);
            tokio::select! {
                () = arrival => {}
                () = self.clock.sleep_until(wake) => {}
            }
        }
    }

    /// Receives up to `most` messages from all hosts, at once, with all their attributes.
    pub fn poll(&self, queue_url: &str, most: usize) -> Result<ReceiveMessageResult, ApiError> {
        let all = vec!["All".to_owned()];
        let request = ReceiveMessageRequest {
            queue_url: queue_url.to_owned(),
            message_system_attribute_names: all.clone(),
            message_attribute_names: all,
            max_number_of_messages: Some(most as i64),
            ..ReceiveMessageRequest::default()
        };
        let receive = self.with_queue(queue_url, |queue, now| {
            let (receive, _) = request.checked(&queue.settings)?;
            self.check_quota(queue, now, "ReceiveMessage", receive.most)?;
            let poll = Poll::Long;
            Ok(Receive { poll, ..receive })
        })?;
        let (deliveries, _) = self.receive_now(name_in(queue_url)?, &receive, &request, true)?;
        Ok(ReceiveMessageResult {
            request,
            deliveries,
        })
    }

    /// Deletes messages by their receipt handles, those that can be.
    pub fn delete_received(&self, queue_url: &str, handles: &[&str]) -> Result<(), ApiError> {
        self.with_queue(queue_url, |queue, now| {
            for ten in handles.chunks(MAX_ENTRIES) {
                self.check_quota(queue, now, "DeleteMessage", ten.len())?;
                for handle in ten {
                    // The caller is told of no failure: the message comes again.
                    let _ = queue.delete(handle, true);
                }
            }
            Ok(())
        })
    }

    /// Waits until there may be something to receive, `until` that time at the latest.
    pub async fn wait_for_messages(&self, queue_url: &str, until: Millis) -> Result<(), ApiError> {
        let (arrivals, due, is_bounded) = self.with_queue(queue_url, |queue, _| {
            let is_bounded = queue.settings.redrive.is_some();
            Ok((queue.arrivals.clone(), queue.store.next_due(), is_bounded))
        })?;
        let due = due.unwrap_or(Millis::MAX);
        tokio::select! {
            () = arrivals.notified() => {}
            () = self.clock.idle_until(until.min(due)) => {}
            () = self.clock.sleep_until(due), if is_bounded && due < Millis::MAX => {}
        }
        Ok(())
    }

    /// One look at the queue, the last of its receive or not, and when it is worth another. What was received too often
    /// goes to the dead-letter queue.
    fn receive_now(
        &self,
        name: &str,
        receive: &Receive,
        input: &ReceiveMessageRequest,
        is_last: bool,
    ) -> Result<(Vec<Delivery>, Option<Millis>), ApiError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let redrive = state.queue(name, now)?.settings.redrive.clone();
        let target = redrive.filter(|redrive| state.by_arn(&redrive.target_arn, now).is_some());
        let receive = Receive {
            max_receive_count: target.as_ref().map(|redrive| redrive.max_receive_count),
            ..*receive
        };
        let queue = state.queue(name, now)?;
        let until = now + receive.visibility_timeout;
        if let Some(again) = queue.repeat(now, input, receive.visibility_timeout) {
            queue.hand_out(&again, until);
            return Ok((again, None));
        }
        let mut repeated = || self.faults.take(Kind::DuplicateDelivery, name);
        let received = queue.store.receive(now, &receive, &mut repeated);
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
                    format!("Too many messages are in flight: {MAX_IN_FLIGHT} is the limit. Delete those you are done with."),
                );
                return Err(queue.refused("ReceiveMessage", error));
            }
        };
        queue.remember(now, input, &deliveries);
        queue.hand_out(&deliveries, until);
        for copy in &copies {
            queue.announce(copy, None, None);
        }
        if deliveries.is_empty() && is_last {
            queue.tell(|queue| Event::Empty {
                queue,
                reader: events::caller().into(),
            });
        }
        let next_due = queue.store.next_due();
        if let Some(target) = target.and_then(|redrive| state.by_arn(&redrive.target_arn, now)) {
            for message in dead {
                target.events.emit(|| Event::Dead {
                    queue: name,
                    message: message.name(),
                    to: &target.name,
                });
                target.take_dead_letter(now, &message, name);
            }
        }
        Ok((deliveries, next_due))
    }

    pub fn delete_message(&self, input: HandleRequest) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |queue, now| {
            self.check_quota(queue, now, "DeleteMessage", 1)?;
            queue.delete(&input.receipt_handle, false)
        })
    }

    pub fn delete_message_batch(
        &self,
        input: BatchRequest<HandleRequest>,
    ) -> Result<BatchResult<BatchResultEntry>, ApiError> {
        self.with_queue(&input.queue_url, |queue, now| {
            self.check_quota(queue, now, "DeleteMessage", input.entries.len())?;
            check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
            let results = input.entries.into_iter().map(|entry| {
                let deleted = queue.delete(&entry.receipt_handle, true);
                (entry.id, deleted)
            });
            Ok(outcome(results, |id, ()| BatchResultEntry { id }))
        })
    }

    pub fn change_message_visibility(&self, input: HandleRequest) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |queue, now| {
            queue.change_visibility(now, &input)
        })
    }

    pub fn change_message_visibility_batch(
        &self,
        input: BatchRequest<HandleRequest>,
    ) -> Result<BatchResult<BatchResultEntry>, ApiError> {
        self.with_queue(&input.queue_url, |queue, now| {
            check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
            let results = input.entries.into_iter().map(|entry| {
                let changed = queue.change_visibility(now, &entry);
                (entry.id, changed)
            });
            Ok(outcome(results, |id, ()| BatchResultEntry { id }))
        })
    }
}

impl QueueRecord {
    fn send(
        &mut self,
        now: Millis,
        send: SendMessageRequest,
        size: usize,
    ) -> Result<SendMessageResult, ApiError> {
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
            (0, quotas::DELAY_MAX),
            "DelaySeconds must be >= 0 and <= 900.",
        )?;
        let deduplication_id = self.deduplication_id(&send)?;
        let mut sent = SendMessageResult {
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
        sent.message_id = self.store.new_message_id();
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
            let first = FirstSend {
                message_id: sent.message_id.clone(),
                sequence_number: sent.sequence_number.clone(),
            };
            memories.sends.remember(now, key, first);
        }
        Ok(sent)
    }

    /// The id by which a FIFO queue knows this send again; a standard queue takes none.
    fn deduplication_id(&self, send: &SendMessageRequest) -> Result<Option<String>, ApiError> {
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

    /// Refuses a whole batch for the faults of a single entry for which AWS does so, in a FIFO queue.
    fn check_entries(&self, entries: &[SendMessageRequest]) -> Result<(), ApiError> {
        let Some(fifo) = &self.settings.fifo else {
            return Ok(());
        };
        if entries.iter().any(|entry| entry.message_group_id.is_none()) {
            return Err(invalid_parameter(missing("MessageGroupId").message));
        }
        let has_id = |entry: &SendMessageRequest| entry.message_deduplication_id.is_some();
        if !fifo.content_based_deduplication && !entries.iter().all(has_id) {
            return Err(no_deduplication_id());
        }
        Ok(())
    }

    /// Takes in what a source queue gave up. On a FIFO queue its deduplication id is its message id from here on, see
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html>.
    fn take_dead_letter(&mut self, now: Millis, message: &Message, source: &str) {
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
        input: &ReceiveMessageRequest,
        timeout: Millis,
    ) -> Option<Vec<Delivery>> {
        let attempt = input.receive_request_attempt_id.as_ref()?;
        let handles = self.fifo.as_mut()?.receives.recall(now, attempt)?;
        self.store.repeat(now, handles, timeout)
    }

    fn remember(&mut self, now: Millis, input: &ReceiveMessageRequest, deliveries: &[Delivery]) {
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

    /// Deletes a message, alone or as an entry of a batch, which has an error of its own for an expired handle.
    fn delete(&mut self, handle: &str, is_entry: bool) -> Result<(), ApiError> {
        if handle.is_empty() {
            return Err(missing("ReceiptHandle"));
        }
        let deleted = self.store.delete(handle).map_err(|refusal| match refusal {
            Refusal::NotInFlight if is_entry => {
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

    fn change_visibility(&mut self, now: Millis, input: &HandleRequest) -> Result<(), ApiError> {
        let handle = &input.receipt_handle;
        if handle.is_empty() {
            return Err(missing("ReceiptHandle"));
        }
        if input.visibility_timeout.is_none() {
            return Err(missing("VisibilityTimeout"));
        }
        let timeout = visibility_timeout(input.visibility_timeout, 0)?;
        let changed = self.store.change_visibility(now, handle, timeout);
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

impl SendMessageRequest {
    fn size(&self) -> usize {
        self.message_body.len() + message::size_of(&self.message_attributes)
    }
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
