//! Streams in the feed. The crate changes a stream some time after it was asked to, and tells nobody: what has changed is
//! seen by comparing the stream with what the feed was told of it, at the latest when a record is put.

use super::records::{number_of, range};
use super::{is_open, is_there, readable, seconds, Kinesis};
use crate::clock::Millis;
use crate::events::{self, Event, MAX_SHOWN};
use ferrokinesis::sequence::{parse_sequence, stringify_sequence, SeqObj};
use ferrokinesis::types::{ConsumerStatus, Shard, Stream, StreamStatus};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a stream is looked at while it changes.
const LOOK: Duration = Duration::from_millis(20);

/// What the feed was told of each stream.
#[derive(Default)]
pub(super) struct Told(BTreeMap<String, Known>);

struct Known {
    shards: usize,
    /// Each consumer's state.
    consumers: BTreeMap<String, ConsumerStatus>,
}

impl Told {
    /// Whether this number of shards is what the feed was told.
    pub fn is_up_to_date(&self, stream: &Stream) -> bool {
        let known = self.0.get(&stream.stream_name);
        known.is_some_and(|known| known.shards == stream.shards.len())
    }
}

impl Kinesis {
    /// Tells the feed how a stream changes, until it is at rest.
    pub(super) async fn watch(&self, stream: &str) {
        self.tell_changes(stream).await;
        let (kinesis, stream) = (self.clone(), stream.to_owned());
        tokio::spawn(async move {
            while !kinesis.is_at_rest(&stream).await {
                tokio::time::sleep(LOOK).await;
                kinesis.tell_changes(&stream).await;
            }
        });
    }

    async fn is_at_rest(&self, stream: &str) -> bool {
        let Ok(stream) = self.stream(stream).await else {
            return true;
        };
        let consumers = self.consumers(&stream).await;
        stream.stream_status == StreamStatus::Active
            && consumers
                .values()
                .all(|status| *status == ConsumerStatus::Active)
    }

    async fn tell_changes(&self, stream: &str) {
        if self.0.events.is_kept() {
            self.compare(stream, &mut *self.0.gate.write().await).await;
        }
    }

    /// Tells the feed how a stream differs from what it was told.
    pub(super) async fn compare(&self, name: &str, told: &mut Told) {
        let stream = self.stream(name).await.ok().filter(is_there);
        let events = &self.0.events;
        let Some(stream) = stream else {
            if told.0.remove(name).is_some() {
                events.emit(|| Event::StreamDeleted { stream: name });
            }
            return;
        };
        let now = Known {
            shards: stream.shards.len(),
            consumers: self.consumers(&stream).await,
        };
        match told.0.get(name) {
            None => events.emit(|| Event::StreamCreated(shown(&stream, &now))),
            Some(before) => {
                if before.shards != now.shards {
                    events.emit(|| Event::Resharded(shown(&stream, &now)));
                }
                for (consumer, status) in &now.consumers {
                    if before.consumers.get(consumer) != Some(status) {
                        events.emit(|| Event::Consumer {
                            stream: name,
                            consumer,
                            state: status.to_string(),
                        });
                    }
                }
            }
        }
        told.0.insert(name.to_owned(), now);
    }

    /// Does something while nothing happens to the streams, which it gets as the feed shows them.
    pub async fn hold<T>(&self, work: impl FnOnce(Vec<events::Stream>) -> T) -> T {
        let mut told = self.0.gate.write().await;
        let streams = self.streams().await;
        let mut names: Vec<String> = told.0.keys().cloned().collect();
        names.extend(streams.iter().map(|stream| stream.stream_name.clone()));
        for name in names {
            self.compare(&name, &mut told).await;
        }
        let mut all = Vec::new();
        for stream in &streams {
            if let Some(known) = told.0.get(&stream.stream_name) {
                let records = self.last_records(stream).await;
                let shown = shown(stream, known);
                all.push(events::Stream { records, ..shown });
            }
        }
        work(all)
    }

    async fn consumers(&self, stream: &Stream) -> BTreeMap<String, ConsumerStatus> {
        let consumers = self.store().list_consumers_for_stream(&stream.stream_arn);
        let mut consumers = consumers.await;
        // One that is being deleted may have a successor of its name.
        consumers.sort_by_key(|consumer| consumer.consumer_status != ConsumerStatus::Deleting);
        let state = |consumer: ferrokinesis::types::Consumer| {
            (consumer.consumer_name, consumer.consumer_status)
        };
        consumers.into_iter().map(state).collect()
    }

    /// The last records of all shards that are still kept, the oldest first.
    async fn last_records(&self, stream: &Stream) -> Vec<events::Record> {
        let mut records = Vec::new();
        for (index, shard) in stream.shards.iter().enumerate() {
            records.extend(self.last_of_shard(stream, index as i64, shard).await);
        }
        records.sort_by(|a, b| (a.at, &a.sequence).cmp(&(b.at, &b.sequence)));
        records.split_off(records.len().saturating_sub(MAX_SHOWN))
    }

    async fn last_of_shard(
        &self,
        stream: &Stream,
        index: i64,
        shard: &Shard,
    ) -> Vec<events::Record> {
        let name = &stream.stream_name;
        let first = &shard.sequence_number_range.starting_sequence_number;
        let Ok(first) = parse_sequence(first) else {
            return Vec::new();
        };
        // A shard counts its records.
        let count = self.store().current_shard_seq(name, index).await;
        let from = stringify_sequence(&SeqObj {
            seq_ix: Some(count.saturating_sub(MAX_SHOWN as u64)),
            seq_time: Some(0),
            ..first
        });
        let (from, to) = range(index, &from);
        let found = self
            .store()
            .get_records_range_limited(name, &from, &to, 2 * MAX_SHOWN)
            .await;
        let kept = Millis::from(stream.retention_period_hours) * 60 * 60 * 1000;
        let oldest = seconds(self.0.clock.now().saturating_sub(kept));
        let found = found.into_iter();
        found
            .filter(|(_, record)| record.approximate_arrival_timestamp >= oldest)
            .map(|(key, record)| events::Record {
                shard: shard.shard_id.clone(),
                sequence: number_of(&key).to_owned(),
                data: readable(&record.data).into(),
                key: record.partition_key.into(),
                at: (record.approximate_arrival_timestamp * 1000.0).round() as Millis,
            })
            .collect()
    }
}

/// The stream without its records.
fn shown(stream: &Stream, known: &Known) -> events::Stream {
    let shard = |shard: &Shard| events::Shard {
        shard: shard.shard_id.clone(),
        from: shard.hash_key_range.starting_hash_key.clone(),
        to: shard.hash_key_range.ending_hash_key.clone(),
        open: is_open(shard),
        parents: [&shard.parent_shard_id, &shard.adjacent_parent_shard_id]
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
    };
    let consumers = known.consumers.iter();
    let consumers = consumers.filter(|(_, status)| **status != ConsumerStatus::Deleting);
    events::Stream {
        stream: stream.stream_name.clone(),
        shards: stream.shards.iter().map(shard).collect(),
        consumers: consumers.map(|(name, _)| name.clone()).collect(),
        records: Vec::new(),
    }
}
