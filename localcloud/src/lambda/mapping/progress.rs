//! How far the shards of a stream are processed.

use super::settings::{Settings, Source, Start};
use crate::kinesis::{Cursor, Kinesis};
use crate::lambda::error::invalid;
use crate::lock::lock;
use crate::wire::error::ApiError;
use serde_json::{json, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// How far each shard is processed. It outlives the poller: a mapping that is enabled again goes on where it was.
#[derive(Clone, Default)]
pub struct Progress(Arc<Mutex<BTreeMap<String, Position>>>);

enum Position {
    /// The shard is closed and all its records are dealt with, or it isn't to be read.
    Done,
    At {
        /// Where to read on.
        cursor: Cursor,
        /// The sequence numbers of what is read and not yet dealt with.
        pending: BTreeSet<String>,
    },
}

impl Progress {
    /// The shards that there are, at the mapping's starting position.
    pub async fn begin(kinesis: &Kinesis, settings: &Settings) -> Result<Self, ApiError> {
        let Source::Stream { name, .. } = &settings.source else {
            return Ok(Self::default());
        };
        let mut positions = BTreeMap::new();
        for shard in shards(kinesis, name).await? {
            let is_closed = shard["SequenceNumberRange"]["EndingSequenceNumber"].is_string();
            let id = text(&shard, "ShardId");
            let position = match settings.start {
                Start::Latest if is_closed => Position::Done,
                start => {
                    Position::new(cursor(kinesis, name, &id, start).await.map_err(|error| {
                        invalid(format!(
                            "Received Exception while reading from provided stream. {}",
                            error.message
                        ))
                    })?)
                }
            };
            positions.insert(id, position);
        }
        Ok(Self(Arc::new(Mutex::new(positions))))
    }

    pub fn is_done(&self, shard: &str) -> bool {
        matches!(self.lock().get(shard), Some(Position::Done))
    }

    pub fn is_known(&self, shard: &str) -> bool {
        self.lock().contains_key(shard)
    }

    pub fn add(&self, shard: &str, cursor: Cursor) {
        self.lock().insert(shard.to_owned(), Position::new(cursor));
    }

    /// Where to read a shard from: what is pending comes once more.
    pub fn resume(&self, shard: &str) -> Option<Cursor> {
        match self.lock().get_mut(shard) {
            Some(Position::At { cursor, pending }) => {
                if let Some(first) = pending.first() {
                    cursor.rewind(first);
                }
                pending.clear();
                Some(cursor.clone())
            }
            _ => None,
        }
    }

    pub fn read<'a>(&self, shard: &str, now_at: &Cursor, numbers: impl Iterator<Item = &'a str>) {
        if let Some(Position::At { cursor, pending }) = self.lock().get_mut(shard) {
            cursor.clone_from(now_at);
            pending.extend(numbers.map(str::to_owned));
        }
    }

    pub fn deal_with<'a>(&self, shard: &str, numbers: impl Iterator<Item = &'a str>) {
        if let Some(Position::At { pending, .. }) = self.lock().get_mut(shard) {
            for number in numbers {
                pending.remove(number);
            }
        }
    }

    /// The shard is read out: it is done when nothing is pending.
    pub fn finish(&self, shard: &str) {
        if let Some(position) = self.lock().get_mut(shard) {
            if matches!(position, Position::At { pending, .. } if pending.is_empty()) {
                *position = Position::Done;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Position>> {
        lock(&self.0)
    }
}

impl Position {
    fn new(cursor: Cursor) -> Self {
        let pending = BTreeSet::new();
        Self::At { cursor, pending }
    }
}

/// All shards of a stream.
pub async fn shards(kinesis: &Kinesis, name: &str) -> Result<Vec<Value>, ApiError> {
    let mut input = json!({ "StreamName": name });
    let mut shards = Vec::new();
    loop {
        let page = kinesis.ask("ListShards", input).await?;
        shards.extend(page["Shards"].as_array().into_iter().flatten().cloned());
        match page.get("NextToken") {
            Some(token) => input = json!({ "NextToken": token }),
            None => return Ok(shards),
        }
    }
}

pub async fn cursor(
    kinesis: &Kinesis,
    name: &str,
    shard: &str,
    start: Start,
) -> Result<Cursor, ApiError> {
    let (kind, time) = match start {
        Start::TrimHorizon => ("TRIM_HORIZON", None),
        Start::Latest => ("LATEST", None),
        Start::AtTimestamp(time) => ("AT_TIMESTAMP", Some(time)),
    };
    let mut input = json!({ "StreamName": name, "ShardId": shard, "ShardIteratorType": kind });
    if let Some(time) = time {
        input["Timestamp"] = json!(time);
    }
    kinesis.cursor(input).await
}

pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
