//! Enhanced fan-out: a consumer of its own 2 MB a second, to whom the shard sends what is new for five minutes.
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html>.

use super::consumers::{consumer_in, name_of, no_consumer};
use super::records::{in_answer, READ_BYTES};
use super::{is_there, text, Kinesis};
use crate::clock::Millis;
use crate::events;
use crate::wire::error::ApiError;
use crate::ACCOUNT;
use axum::body::Body;
use bytes::Bytes;
use ferrokinesis::event_stream::{
    encode_exception, encode_initial_response, encode_subscribe_event,
};
use ferrokinesis::types::ConsumerStatus;
use http_body_util::channel::{Channel, Sender};
use serde_json::{json, Value};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const SUBSCRIPTION: Millis = 5 * 60 * 1000;
/// A consumer that subscribes again must wait as long.
const BETWEEN: Millis = 5000;
/// How often an event comes when there is nothing new.
const QUIET: Duration = Duration::from_secs(5);
/// How soon a split or a merge is noticed, and the end of the five minutes.
const LOOK: Duration = Duration::from_millis(200);
const MOST_RECORDS: usize = 10_000;

/// The last subscription of each consumer to each shard: when it began, and the how-manieth it is.
#[derive(Default)]
pub(super) struct Subscriptions(Mutex<HashMap<(String, String), (Millis, u64)>>);

impl Subscriptions {
    /// Takes over from an older subscription; gives the number of the new one.
    fn begin(&self, consumer: &str, shard: &str, now: Millis) -> Result<u64, ApiError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (began, _)| now - *began <= SUBSCRIPTION + BETWEEN);
        let key = (consumer.to_owned(), shard.to_owned());
        let number = match all.get(&key) {
            Some((began, _)) if now - began < BETWEEN => {
                return Err(ApiError::sender(
                    "ResourceInUseException",
                    format!("Another active subscription exists for this consumer: {consumer}"),
                ))
            }
            Some((_, number)) => number + 1,
            None => 0,
        };
        all.insert(key, (now, number));
        Ok(number)
    }

    fn is_current(&self, consumer: &str, shard: &str, number: u64) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (consumer.to_owned(), shard.to_owned());
        all.get(&key).is_none_or(|(_, current)| *current == number)
    }
}

struct Subscription {
    consumer: String,
    number: u64,
    stream: String,
    shard: String,
    position: String,
    ends: Millis,
}

impl Kinesis {
    pub(super) async fn subscribe_to_shard(&self, input: Value) -> Result<Body, ApiError> {
        let consumer = text(&input, "ConsumerARN").to_owned();
        let known = self.store().get_consumer(&consumer).await;
        let Some(known) = known else {
            return Err(no_consumer(&consumer));
        };
        if known.consumer_status != ConsumerStatus::Active {
            return Err(ApiError::sender(
                "ResourceInUseException",
                format!("Consumer {consumer} under account {ACCOUNT} is not ACTIVE."),
            ));
        }
        let name = name_of(&consumer);
        let start = &input["StartingPosition"];
        let (stream, shard, position) = self
            .position(&json!({
                "StreamName": name,
                "ShardId": input["ShardId"],
                "ShardIteratorType": start["Type"],
                "StartingSequenceNumber": start["SequenceNumber"],
                "Timestamp": start["Timestamp"],
            }))
            .await?;
        let now = self.0.clock.now();
        let number = self.0.subscriptions.begin(&consumer, &shard, now)?;
        self.0.changed.send_replace(());
        let subscription = Subscription {
            consumer,
            number,
            stream,
            shard,
            position,
            ends: now + SUBSCRIPTION,
        };
        let (events, body) = Channel::<Bytes, Infallible>::new(1);
        let kinesis = self.clone();
        tokio::spawn(async move { kinesis.send(subscription, events).await });
        Ok(Body::new(body))
    }

    /// Sends events until the five minutes are over, the shard is at its end, or nobody listens.
    async fn send(&self, mut subscription: Subscription, mut events: Sender<Bytes>) {
        let clock = &self.0.clock;
        let mut changed = self.0.changed.subscribe();
        if events
            .send_data(encode_initial_response().into())
            .await
            .is_err()
        {
            return;
        }
        let mut last_event: Option<tokio::time::Instant> = None;
        loop {
            changed.borrow_and_update();
            let event = self.next_event(&mut subscription).await;
            // Asked after the read: what is put after the end is the next subscription's.
            if clock.now() >= subscription.ends {
                return;
            }
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    let _ = events.send_data(exception(&error)).await;
                    return;
                }
            };
            let is_due = last_event.is_none_or(|last| last.elapsed() >= QUIET);
            if event.is_last || event.size > 0 || is_due {
                let payload = event.body.to_string();
                let frame =
                    encode_subscribe_event(payload.as_bytes(), "application/x-amz-json-1.1");
                if events.send_data(frame.into()).await.is_err() || event.is_last {
                    return;
                }
                last_event = Some(tokio::time::Instant::now());
            }
            if event.size > 0 {
                let takes = event.size as u64 * 1000 / READ_BYTES as u64;
                tokio::time::sleep(Duration::from_millis(takes)).await;
                continue;
            }
            // The clock is not waited for: a subscription is no wait that a test's clock should skip.
            let _ = tokio::time::timeout(LOOK, changed.changed()).await;
        }
    }

    async fn next_event(&self, subscription: &mut Subscription) -> Result<Event, ApiError> {
        let Subscription {
            consumer,
            number,
            stream,
            shard,
            ..
        } = subscription;
        if !self.0.subscriptions.is_current(consumer, shard, *number) {
            return Err(ApiError::sender(
                "ResourceInUseException",
                format!("Another active subscription exists for this consumer: {consumer}"),
            ));
        }
        if !is_there(&self.stream(stream).await?) {
            return Err(ApiError::sender(
                "ResourceNotFoundException",
                format!("Stream {stream} under account {ACCOUNT} not found."),
            ));
        }
        if self.store().get_consumer(consumer).await.is_none() {
            return Err(no_consumer(consumer));
        }
        let _gate = self.0.gate.read().await;
        let batch = self
            .read(
                stream,
                shard,
                &subscription.position,
                MOST_RECORDS,
                READ_BYTES,
            )
            .await?;
        if !batch.records.is_empty() {
            self.0.events.emit(|| events::Event::Pushed {
                stream,
                shard,
                consumer: consumer_in(consumer),
                records: batch.records.len(),
                last: batch.last(),
            });
        }
        let mut body = json!({
            "Records": in_answer(&batch.records),
            "MillisBehindLatest": batch.millis_behind,
        });
        let is_last = batch.children.is_some();
        match batch.children {
            Some(children) => body["ChildShards"] = children.into(),
            None => body["ContinuationSequenceNumber"] = batch.next.as_str().into(),
        }
        subscription.position = batch.next;
        Ok(Event {
            body,
            size: batch.size,
            is_last,
        })
    }
}

struct Event {
    body: Value,
    /// Bytes of its records.
    size: usize,
    is_last: bool,
}

fn exception(error: &ApiError) -> Bytes {
    let kind = match error.shape.as_str() {
        "ResourceInUseException" => "ResourceInUseException",
        "ResourceNotFoundException" => "ResourceNotFoundException",
        _ => "InternalFailureException",
    };
    encode_exception(kind, &error.message).into()
}
