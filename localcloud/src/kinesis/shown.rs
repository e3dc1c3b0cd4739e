//! Streams as the feed and `/lab/status` show them.

use super::records::readable;
use super::{shard_name, Entry, Kinesis, Shard};
use crate::events::{self, MAX_SHOWN};
use serde_json::{json, Value};

impl Kinesis {
    /// Each stream's name, number of open shards, and status, for `/lab/status`.
    pub fn status(&self) -> Vec<Value> {
        let mut state = self.lock();
        self.pass_all(&mut state);
        let status = |entry: &Entry| {
            json!({
                "name": &*entry.name,
                "shards": entry.log.open_shards(),
                "status": entry.log.status().name(),
            })
        };
        state.streams.values().map(status).collect()
    }

    /// Does something while nothing happens to the streams, which it gets as the feed shows them.
    pub fn with_snapshot<T>(&self, work: impl FnOnce(Vec<events::Stream>) -> T) -> T {
        let mut state = self.lock();
        self.pass_all(&mut state);
        let now = self.0.clock.now();
        let mut all = Vec::new();
        for entry in state
            .streams
            .values_mut()
            .filter(|entry| entry.log.is_there())
        {
            self.counting(entry, |entry| entry.log.forget(now));
            let records = entry.last_records();
            all.push(events::Stream {
                records,
                ..entry.shown()
            });
        }
        work(all)
    }
}

impl Entry {
    /// The stream without its records.
    pub(super) fn shown(&self) -> events::Stream {
        let shard = |shard: &Shard| events::Shard {
            shard: shard_name(shard.id),
            from: shard.range.0.to_string(),
            to: shard.range.1.to_string(),
            open: shard.is_open(),
            parents: shard.parents.iter().map(|id| shard_name(*id)).collect(),
        };
        let consumers = self.consumers.values();
        let consumers = consumers.filter(|consumer| consumer.is_registered());
        events::Stream {
            stream: self.name.to_string(),
            shards: self.log.shards().map(shard).collect(),
            consumers: consumers.map(|consumer| consumer.name.clone()).collect(),
            records: Vec::new(),
        }
    }

    /// The last records of all shards, the oldest first.
    fn last_records(&self) -> Vec<events::Record> {
        let of_shard = |shard: &Shard| {
            let id = shard_name(shard.id);
            let record = |(number, record): (super::sequence::Number, super::shard::Record)| {
                events::Record {
                    shard: id.clone(),
                    sequence: number.to_string(),
                    key: record.key.to_string().into(),
                    data: readable(&record.data).into(),
                    at: record.arrived_at,
                }
            };
            let newest = shard.newest(MAX_SHOWN).into_iter();
            newest.map(record).collect::<Vec<_>>()
        };
        let mut records: Vec<_> = self.log.shards().flat_map(of_shard).collect();
        records.sort_by(|a, b| (a.at, &a.sequence).cmp(&(b.at, &b.sequence)));
        records.split_off(records.len().saturating_sub(MAX_SHOWN))
    }
}
