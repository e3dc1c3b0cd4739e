//! The poller of a queue. What the function is done with is deleted; all else comes back after the queue's visibility
//! timeout, or goes to its dead-letter queue.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>.

use super::answer;
use super::poller::Poller;
use super::settings::Source;
use super::state::queue_url;
use crate::account::REGION;
use crate::lambda::invocation::MAX_PAYLOAD;
use crate::sqs::Sqs;
use serde_json::{json, Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A poll that found nothing is repeated after so long, whatever happens.
const LONG_POLL: u64 = 20_000;
const MAX_IN_A_RECEIVE: usize = 10;

/// A message on its way to the function.
struct Message {
    id: String,
    receipt_handle: String,
    /// As the event has it.
    json: String,
}

/// Polls until it is stopped, and ends when the last batch has.
pub async fn run(poller: &Poller) {
    let Source::Queue { arn, name } = &poller.settings.source else {
        return;
    };
    let queue = Queue {
        poller: poller.clone(),
        url: queue_url(name),
        arn: arn.clone(),
    };
    let mut batches = JoinSet::new();
    queue.poll(&mut batches).await;
    while batches.join_next().await.is_some() {}
}

#[derive(Clone)]
struct Queue {
    poller: Poller,
    url: String,
    arn: String,
}

impl Queue {
    async fn poll(&self, batches: &mut JoinSet<()>) {
        let places = Arc::new(Semaphore::new(self.poller.settings.concurrency));
        loop {
            let place = tokio::select! {
                biased;
                () = self.poller.stopped() => return,
                place = places.clone().acquire_owned() => place,
            };
            let batch = self.next_batch().await;
            self.poller.tell_polled(batch.len());
            let (queue, work) = (self.clone(), self.poller.clock().work());
            batches.spawn(async move {
                queue.process(batch).await;
                drop((place, work));
            });
            while batches.try_join_next().is_some() {}
        }
    }

    /// Receives until the batch is full, its window over or the poller stopped; without a window, whatever there is. What
    /// was received before a stop is a batch too: thrown away, it would count as received for nothing.
    async fn next_batch(&self) -> Vec<Message> {
        let settings = &self.poller.settings;
        let clock = self.poller.clock();
        let (mut batch, mut bytes, mut ends) = (Vec::new(), 0, None);
        loop {
            let is_over = self.poller.is_stopped() || ends.is_some_and(|ends| clock.now() >= ends);
            if is_over || batch.len() == settings.batch_size || bytes >= MAX_PAYLOAD {
                return batch;
            }
            let polled_at = clock.now();
            let room = (settings.batch_size - batch.len()).min(MAX_IN_A_RECEIVE);
            let Some(received) = self.receive(room) else {
                if !batch.is_empty() {
                    return batch;
                }
                self.poller.pause().await;
                continue;
            };
            let is_all = received.len() < room;
            let wanted = self.wanted(received);
            bytes += wanted
                .iter()
                .map(|message| message.json.len())
                .sum::<usize>();
            batch.extend(wanted);
            if !batch.is_empty() {
                ends.get_or_insert(polled_at + settings.window);
            }
            if is_all {
                tokio::select! {
                    () = self.poller.stopped() => {}
                    // An error shows at the next receive.
                    _ = self.sqs().wait_for_messages(&self.url, clock.now() + LONG_POLL) => {}
                    () = clock.sleep_until(ends.unwrap_or_default()), if ends.is_some() => {}
                }
            }
        }
    }

    /// One receive; none when it is not allowed, or the queue is gone.
    fn receive(&self, most: usize) -> Option<Vec<Value>> {
        self.poller.ready()?;
        let received = self.sqs().poll(&self.url, most);
        let received = received.map_err(|error| self.poller.report_problem(&error.message));
        let received = received.ok()?;
        self.poller.report(None);
        Some(received)
    }

    /// The messages that the filter lets pass. The others are deleted.
    fn wanted(&self, received: Vec<Value>) -> Vec<Message> {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for message in received {
            let event = self.event(&message);
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let message = Message {
                id: text("messageId"),
                receipt_handle: text("receiptHandle"),
                json: event.to_string(),
            };
            match self.poller.settings.filter.passes(&text("body")) {
                true => wanted.push(message),
                false => unwanted.push(message),
            }
        }
        self.delete(unwanted.iter());
        wanted
    }

    /// A message as the event has it.
    fn event(&self, message: &Value) -> Value {
        let attributes = message["MessageAttributes"].as_object();
        let attributes: Map<_, _> = attributes
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let mut shown = json!({
                    "dataType": value["DataType"],
                    "stringListValues": [],
                    "binaryListValues": [],
                });
                for (from, to) in [
                    ("StringValue", "stringValue"),
                    ("BinaryValue", "binaryValue"),
                ] {
                    if !value[from].is_null() {
                        shown[to] = value[from].clone();
                    }
                }
                (name.clone(), shown)
            })
            .collect();
        let mut event = json!({
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": attributes,
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.arn,
            "awsRegion": REGION,
        });
        // As recorded: without attributes it is null in a batch that was gathered, and absent in any other.
        if !message["MD5OfMessageAttributes"].is_null() || self.poller.settings.window > 0 {
            event["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"].clone();
        }
        event
    }

    /// Runs the function with the messages, in as many events as they need, and deletes what it is done with.
    async fn process(&self, batch: Vec<Message>) {
        let mut batch = batch.into_iter().peekable();
        while batch.peek().is_some() {
            let (mut event, mut bytes) = (Vec::new(), 0);
            while let Some(message) = batch.next_if(|message| {
                bytes += message.json.len() + 1;
                event.is_empty() || bytes < MAX_PAYLOAD
            }) {
                event.push(message);
            }
            let failures = self.failures(&event).await;
            let done = event.iter().enumerate();
            let done = done.filter(|(place, _)| !failures.contains(place));
            self.delete(done.map(|(_, message)| message));
            if !failures.is_empty() && self.poller.settings.source.is_fifo() {
                // The next event may go on with a group of which this one failed.
                return;
            }
        }
    }

    /// Invokes the function. Which of the messages failed, by their places?
    // Differs from AWS: mapping-backoff: what is throttled is not tried again, and failures don't make it slower.
    async fn failures(&self, event: &[Message]) -> BTreeSet<usize> {
        let records = event.iter().map(|message| message.json.as_str());
        match self.poller.invoke(records).await {
            Ok(invoked) if invoked.error.is_none() => {
                if !self.poller.settings.reports_failures {
                    return BTreeSet::new();
                }
                let ids: Vec<_> = event.iter().map(|message| message.id.as_str()).collect();
                answer::failures(&invoked.payload, &ids)
            }
            _ => (0..event.len()).collect(),
        }
    }

    fn delete<'a>(&self, messages: impl Iterator<Item = &'a Message>) {
        let handles: Vec<_> = messages
            .map(|message| message.receipt_handle.as_str())
            .collect();
        // An error shows at the next receive.
        let _ = self.sqs().delete(&self.url, &handles);
    }

    fn sqs(&self) -> &Sqs {
        &self.poller.mappings.0.sqs
    }
}
