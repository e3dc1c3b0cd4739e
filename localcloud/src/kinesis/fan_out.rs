//! Enhanced fan-out: a consumer of its own 2 MB a second, to whom the shard sends what is new for five minutes.
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html>.

use super::consumers::{no_consumer, stream_in};
use super::input::{Input, ITERATOR_TYPES, NAME, NUMBER};
use super::iterator::Asked;
use super::records::{last, write_records};
use super::{in_use, no_shard, shard_name, Cursor, Entry, Kinesis};
use crate::account::ACCOUNT;
use crate::clock::Millis;
use crate::events;
use crate::quotas;
use crate::wire::error::ApiError;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use serde_json::{json, Value};
use std::convert::Infallible;
use std::io::Write;
use tokio::sync::watch;

const SUBSCRIPTION: Millis = quotas::FAN_OUT_SUBSCRIPTION;
/// A consumer that subscribes again must wait as long.
const BETWEEN: Millis = quotas::FAN_OUT_AGAIN;
/// How often an event comes when there is nothing new.
const QUIET: Millis = 5000;
const MAX_RECORDS: usize = 10_000;

struct Subscription {
    consumer: String,
    /// Tells it from the consumer's other subscriptions to the shard.
    number: u64,
    cursor: Cursor,
    bell: watch::Receiver<()>,
    ends: Millis,
}

/// What is sent at a time.
struct Push {
    /// As JSON.
    body: Vec<u8>,
    /// Bytes of its records.
    size: usize,
    is_last: bool,
}

impl Kinesis {
    pub(super) fn subscribe_to_shard(&self, input: &Input) -> Result<Body, ApiError> {
        let consumer = input.need_arn("ConsumerARN")?;
        let shard = input.need("ShardId", input.words("ShardId", &NAME)?)?;
        let start = input.need("StartingPosition", input.inside("StartingPosition")?)?;
        let asked = Asked {
            kind: start.need("Type", start.one_of("Type", &ITERATOR_TYPES)?)?,
            number: start.words("SequenceNumber", &NUMBER)?,
            time: start.time("Timestamp")?,
        };
        let name = stream_in(consumer).unwrap_or_default();
        let subscription = self.with(name, |entry, now| {
            entry.subscribe(now, consumer, shard, &asked)
        })?;
        let (events, body) = Channel::<Bytes, Infallible>::new(1);
        tokio::spawn(self.clone().send(subscription, events));
        Ok(Body::new(body))
    }

    /// Sends events until the five minutes are over, the shard is at its end, or nobody listens.
    async fn send(self, mut subscription: Subscription, mut events: Sender<Bytes>) {
        let clock = &self.0.clock;
        let initial = frame(
            &[
                (":message-type", "event"),
                (":event-type", "initial-response"),
            ],
            b"",
        );
        if events.send_data(initial).await.is_err() {
            return;
        }
        let mut next_sign = 0;
        loop {
            subscription.bell.borrow_and_update();
            let push = self.next_push(&mut subscription);
            // Asked after the read: what is put after the end is the next subscription's.
            let now = clock.now();
            if now >= subscription.ends {
                return;
            }
            let push = match push {
                Ok(push) => push,
                Err(error) => {
                    let _ = events.send_data(exception(&error)).await;
                    return;
                }
            };
            if push.is_last || push.size > 0 || now >= next_sign {
                let headers = [
                    (":message-type", "event"),
                    (":event-type", "SubscribeToShardEvent"),
                    (":content-type", "application/x-amz-json-1.1"),
                ];
                let sent = events.send_data(frame(&headers, &push.body)).await;
                if sent.is_err() || push.is_last {
                    return;
                }
                next_sign = now + QUIET;
            }
            if push.size > 0 {
                let takes = push.size as Millis * 1000 / quotas::FAN_OUT_RATE as Millis;
                clock.idle_until(now + takes).await;
                continue;
            }
            // No wait that an impatient clock should skip: it would end every subscription.
            tokio::select! {
                _ = subscription.bell.changed() => {}
                () = clock.idle_until(next_sign.min(subscription.ends)) => {}
            }
        }
    }

    fn next_push(&self, subscription: &mut Subscription) -> Result<Push, ApiError> {
        let Subscription {
            consumer,
            number,
            cursor,
            ..
        } = subscription;
        let shard = &shard_name(cursor.shard);
        let (batch, children, place) = self.with(&cursor.stream, |entry, now| {
            entry.check_there()?;
            let known = entry.consumer_of(consumer);
            let known = known.filter(|known| known.is_active());
            let known = known.ok_or_else(|| no_consumer(consumer))?;
            if known
                .subscriptions
                .get(&cursor.shard)
                .map(|(_, number)| number)
                != Some(number)
            {
                return Err(another(consumer));
            }
            let consumer = &known.name.clone();
            let batch = entry
                .log
                .read(
                    now,
                    cursor.shard,
                    cursor.position,
                    MAX_RECORDS,
                    quotas::FAN_OUT_RATE,
                )
                .ok_or_else(|| no_shard(shard, &entry.name))?;
            if let Some(last) = last(&batch) {
                self.0.events.emit(|| events::Event::Pushed {
                    stream: &entry.name,
                    shard,
                    consumer,
                    records: batch.records.len(),
                    last: Some(&last),
                });
            }
            let children = entry.children_after(cursor.shard, &batch);
            let place = entry
                .log
                .shard(cursor.shard)
                .map(|shard| shard.number_before(batch.next));
            Ok((batch, children, place))
        })?;
        cursor.position = batch.next;
        let mut body = Vec::with_capacity(256 + batch.records.len() * 256 + batch.size * 4 / 3);
        body.extend_from_slice(b"{\"Records\":");
        write_records(&mut body, &batch.records);
        // Writing to a Vec can't fail.
        let _ = write!(body, ",\"MillisBehindLatest\":{}", batch.millis_behind);
        let is_last = children.is_some();
        let _ = match (children, place) {
            (Some(children), _) => write!(body, ",\"ChildShards\":{}}}", Value::from(children)),
            (None, Some(place)) => write!(body, ",\"ContinuationSequenceNumber\":\"{place}\"}}"),
            (None, None) => write!(body, "}}"),
        };
        let size = batch.size;
        Ok(Push {
            body,
            size,
            is_last,
        })
    }
}

impl Entry {
    /// Takes over from the consumer's older subscription to the shard.
    fn subscribe(
        &mut self,
        now: Millis,
        consumer: &str,
        shard: &str,
        asked: &Asked<'_>,
    ) -> Result<Subscription, ApiError> {
        let known = self.consumer_of(consumer);
        let known = known.ok_or_else(|| no_consumer(consumer))?;
        if !known.is_active() {
            return Err(in_use(format!(
                "Consumer {consumer} under account {ACCOUNT} is not ACTIVE."
            )));
        }
        let cursor = self.cursor(now, shard, asked)?;
        let known = self.consumer_of(consumer);
        let known = known.ok_or_else(|| no_consumer(consumer))?;
        let number = match known.subscriptions.get(&cursor.shard) {
            Some((began, _)) if now - began < BETWEEN => return Err(another(consumer)),
            Some((_, number)) => number + 1,
            None => 0,
        };
        known.subscriptions.insert(cursor.shard, (now, number));
        self.ring(cursor.shard);
        Ok(Subscription {
            consumer: consumer.to_owned(),
            number,
            bell: self.bell(cursor.shard),
            cursor,
            ends: now + SUBSCRIPTION,
        })
    }
}

fn another(consumer: &str) -> ApiError {
    in_use(format!(
        "Another active subscription exists for this consumer: {consumer}"
    ))
}

fn exception(error: &ApiError) -> Bytes {
    let kind = match error.shape.as_str() {
        "ResourceInUseException" => "ResourceInUseException",
        "ResourceNotFoundException" => "ResourceNotFoundException",
        _ => "InternalFailureException",
    };
    let headers = [
        (":message-type", "exception"),
        (":exception-type", kind),
        (":content-type", "application/json"),
    ];
    frame(
        &headers,
        json!({ "message": error.message }).to_string().as_bytes(),
    )
}

/// A message of an event stream: lengths, headers, payload, and a checksum behind each part.
/// See <https://smithy.io/2.0/aws/amazon-eventstream.html>.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    const TEXT: u8 = 7;
    let mut named = Vec::new();
    for (name, value) in headers {
        named.push(name.len() as u8);
        named.extend_from_slice(name.as_bytes());
        named.push(TEXT);
        named.extend_from_slice(&(value.len() as u16).to_be_bytes());
        named.extend_from_slice(value.as_bytes());
    }
    let length = 16 + named.len() + payload.len();
    let mut frame = Vec::with_capacity(length);
    frame.extend_from_slice(&(length as u32).to_be_bytes());
    frame.extend_from_slice(&(named.len() as u32).to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&named);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.into()
}
