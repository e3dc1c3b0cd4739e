//! Records in and out: sequence numbers and storage are the crate's, the clock and the limits of a shard are here.
//! See <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>.

use super::{api_error, invalid, is_open, readable, seconds, text, Kinesis};
use crate::clock::Millis;
use crate::events::{caller, Event};
use crate::wire::error::ApiError;
use crate::ACCOUNT;
use ferrokinesis::actions::Operation;
use ferrokinesis::sequence::{
    increment_sequence, parse_sequence, partition_key_to_hash_key, resolve_shard_id,
    shard_ix_to_hex, stringify_sequence, SeqObj,
};
use ferrokinesis::shard_iterator::{create_shard_iterator, decode_shard_iterator};
use ferrokinesis::store::SequenceAllocation;
use ferrokinesis::types::{
    EpochSeconds, ResponseRecord, Shard, StoredRecord, StoredRecordRef, Stream,
};
use ferrokinesis::util::base64_decoded_len;
use serde_json::{json, Value};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

const MEBIBYTE: usize = 1024 * 1024;
const LARGEST_BATCH: usize = 10 * MEBIBYTE;
/// What one shard takes in a second.
const WRITE_BYTES: usize = MEBIBYTE;
/// What one shard gives to all `GetRecords` in a second.
pub(super) const READ_BYTES: usize = 2 * MEBIBYTE;
const READ_CALLS: u32 = 5;
const LARGEST_READ: usize = 10 * MEBIBYTE;
const MOST_RECORDS: usize = 10_000;
const ITERATOR_LIFE: Millis = 5 * 60 * 1000;
const HOUR: Millis = 60 * 60 * 1000;

/// A record that wants to be put.
struct Entry<'a> {
    data: &'a str,
    key: &'a str,
    hash: u128,
}

impl<'a> Entry<'a> {
    fn read(record: &'a Value) -> Result<Self, ApiError> {
        let key = text(record, "PartitionKey");
        let hash = match record["ExplicitHashKey"].as_str() {
            None => partition_key_to_hash_key(key),
            Some(hash) => hash.parse().map_err(|_| {
                invalid(&format!(
                    "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {hash}"
                ))
            })?,
        };
        Ok(Self {
            data: text(record, "Data"),
            key,
            hash,
        })
    }

    /// What counts: the data before base64, and the partition key.
    fn size(&self) -> usize {
        base64_decoded_len(self.data) + self.key.len()
    }
}

/// What was read from a shard.
pub(super) struct Batch {
    /// Each with its sequence number.
    pub records: Vec<(String, StoredRecord)>,
    /// Bytes of data and partition keys.
    pub size: usize,
    /// Where to read on.
    pub next: String,
    pub millis_behind: Millis,
    /// The shards that follow, once a closed shard has given all it has.
    pub children: Option<Vec<Value>>,
}

impl Batch {
    /// The sequence number of the last record.
    pub fn last(&self) -> Option<&str> {
        self.records.last().map(|(number, _)| number.as_str())
    }
}

/// How far a poller of the cloud's own has read a shard.
#[derive(Clone, Debug)]
pub struct Cursor {
    stream: String,
    shard: String,
    /// A sequence number: of the next record, or before it.
    position: String,
}

impl Cursor {
    /// Back to this record.
    pub fn rewind(&mut self, sequence_number: &str) {
        sequence_number.clone_into(&mut self.position);
    }
}

impl Kinesis {
    pub(super) async fn put_record(&self, input: &Value) -> Result<Value, ApiError> {
        let stream = text(input, "StreamName");
        if let Some(before) = input["SequenceNumberForOrdering"].as_str() {
            // A shard's numbers always rise: there is nothing to do but to refuse what is none.
            parse_sequence(before).map_err(|_| {
                invalid(&format!(
                    "ExclusiveMinimumSequenceNumber {before} used in PutRecord on stream {stream} under account {ACCOUNT} is invalid."
                ))
            })?;
        }
        let outcomes = self
            .put("PutRecord", stream, &[Entry::read(input)?], "data")
            .await?;
        outcomes
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(invalid("Nothing to put.")))
    }

    pub(super) async fn put_records(&self, input: &Value) -> Result<Value, ApiError> {
        let records = input["Records"].as_array().map_or(&[][..], Vec::as_slice);
        let entries: Vec<_> = records.iter().map(Entry::read).collect::<Result<_, _>>()?;
        let size: usize = entries.iter().map(Entry::size).sum();
        if size > LARGEST_BATCH {
            return Err(invalid(&format!(
                "Records size exceeds {LARGEST_BATCH} bytes limit."
            )));
        }
        let outcomes = self
            .put("PutRecords", text(input, "StreamName"), &entries, "records")
            .await?;
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        let records: Vec<_> = outcomes
            .into_iter()
            .map(|outcome| {
                outcome.unwrap_or_else(
                    |error| json!({ "ErrorCode": error.shape, "ErrorMessage": error.message }),
                )
            })
            .collect();
        Ok(json!({ "FailedRecordCount": failed, "Records": records }))
    }

    /// Puts each record that its shard has room for in this second.
    async fn put(
        &self,
        operation: &str,
        name: &str,
        entries: &[Entry<'_>],
        field: &str,
    ) -> Result<Vec<Result<Value, ApiError>>, ApiError> {
        let store = self.store();
        let mut gate = self.0.gate.write().await;
        let stream = self.stream(name).await?;
        let events = &self.0.events;
        if events.is_kept() && !gate.is_up_to_date(&stream) {
            self.compare(name, &mut gate).await;
        }
        let largest = stream.max_record_size_kib as usize * 1024;
        if entries.iter().any(|entry| entry.size() > largest) {
            return Err(ApiError::sender(
                "ValidationException",
                format!(
                    "1 validation error detected: Value at '{field}' failed to satisfy constraint: \
                     Member must have length less than or equal to {largest}"
                ),
            ));
        }
        let now = self.0.clock.now();
        let places = self.places(name, entries).await?;
        let mut outcomes = Vec::with_capacity(entries.len());
        for (entry, place) in entries.iter().zip(places) {
            // Differs from AWS: large-record-burst: a record of more than 1 MiB takes the whole second of its shard.
            let size = entry.size().min(WRITE_BYTES) as u64;
            let room = store
                .try_reserve_shard_throughput(name, &place.shard_id, size, now)
                .await;
            let Ok(room) = room else {
                events.emit(|| Event::Throttled {
                    stream: name,
                    shard: &place.shard_id,
                    operation,
                });
                outcomes.push(Err(rate_exceeded(name, &place.shard_id)));
                continue;
            };
            let record = StoredRecordRef {
                partition_key: entry.key,
                data: entry.data,
                approximate_arrival_timestamp: seconds(now),
            };
            if let Err(error) = store.put_record(name, &place.stream_key, &record).await {
                store.refund_shard_throughput(room).await;
                outcomes.push(Err(api_error(error)));
                continue;
            }
            events.emit(|| Event::Put {
                stream: name,
                shard: &place.shard_id,
                sequence: &place.seq_num,
                key: entry.key.into(),
                data: readable(entry.data).into(),
            });
            outcomes.push(Ok(
                json!({ "ShardId": place.shard_id, "SequenceNumber": place.seq_num }),
            ));
        }
        self.0.changed.send_replace(());
        Ok(outcomes)
    }

    /// A shard and a sequence number for each record.
    async fn places(
        &self,
        name: &str,
        entries: &[Entry<'_>],
    ) -> Result<Vec<SequenceAllocation>, ApiError> {
        let hashes: Vec<_> = entries.iter().map(|entry| entry.hash).collect();
        loop {
            let places = self
                .store()
                .allocate_sequences_batch(name, &hashes)
                .await
                .map_err(api_error)?;
            // A shard counts from 1. In the moment between its start and its counter's, all its numbers are 0.
            let is_counted = |place: &SequenceAllocation| {
                parse_sequence(&place.seq_num).is_ok_and(|number| number.seq_ix != Some(0))
            };
            if places.iter().all(is_counted) {
                return Ok(places);
            }
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn get_shard_iterator(&self, input: &Value) -> Result<Value, ApiError> {
        let (stream, shard, position) = self.position(input).await?;
        let iterator = create_shard_iterator(&stream, &shard, &position, self.0.clock.now());
        Ok(json!({ "ShardIterator": iterator }))
    }

    /// The stream, the shard and the sequence number at which an iterator begins.
    pub(super) async fn position(
        &self,
        input: &Value,
    ) -> Result<(String, String, String), ApiError> {
        let kind = text(input, "ShardIteratorType");
        let is_searched =
            matches!(kind, "LATEST" | "AT_TIMESTAMP") && input["StartingSequenceNumber"].is_null();
        let mut of_crate = input.clone();
        if is_searched {
            // The crate checks the stream and the shard, and gives the shard's own number.
            of_crate["ShardIteratorType"] = "TRIM_HORIZON".into();
        }
        let output = self.dispatch(Operation::GetShardIterator, of_crate).await?;
        let (_, name, shard, start) = decode(text(&output, "ShardIterator"))?;
        if !is_searched {
            return Ok((name, shard, start));
        }
        let (_, index) = resolve_shard_id(&shard).map_err(|_| invalid_iterator())?;
        if kind == "AT_TIMESTAMP" {
            let time = input["Timestamp"].as_f64().ok_or_else(|| {
                invalid("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
            })?;
            // A client may have read an arrival time as a float that is a little too large.
            let millis = (time * 1000.0).round() as Millis;
            let now = self.0.clock.now();
            if millis > now {
                return Err(invalid(&format!(
                    "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. \
                     timestampInMillis: {millis}, currentTimestampInMillis: {now}"
                )));
            }
            let (from, to) = range(index, "");
            let found = self
                .store()
                .find_first_record_at_timestamp(&name, &from, &to, seconds(millis))
                .await;
            if let Some((key, _)) = found {
                return Ok((name, shard, number_of(&key).to_owned()));
            }
        }
        let start = parse_sequence(&start).map_err(|_| invalid_iterator())?;
        let next = stringify_sequence(&SeqObj {
            seq_ix: Some(self.store().current_shard_seq(&name, index).await),
            seq_time: Some(0),
            ..start
        });
        Ok((name, shard, next))
    }

    pub(super) async fn get_records(&self, input: &Value) -> Result<Value, ApiError> {
        let (handed_out, name, shard, position) = decode(text(input, "ShardIterator"))?;
        let now = self.0.clock.now();
        if handed_out > now {
            return Err(invalid_iterator());
        }
        if now - handed_out > ITERATOR_LIFE {
            return Err(ApiError::sender(
                "ExpiredIteratorException",
                format!(
                    "Iterator expired. The iterator was created at time {} while right now it is {} which is further \
                     in the future than the tolerated delay of {ITERATOR_LIFE} milliseconds.",
                    date(handed_out),
                    date(now)
                ),
            ));
        }
        let limit = input["Limit"]
            .as_u64()
            .map_or(MOST_RECORDS, |limit| limit as usize);
        let batch = self.get(&name, &shard, &position, limit).await?;
        let mut output = json!({
            "Records": in_answer(&batch.records),
            "MillisBehindLatest": batch.millis_behind,
        });
        match batch.children {
            Some(children) => output["ChildShards"] = children.into(),
            None => {
                output["NextShardIterator"] =
                    create_shard_iterator(&name, &shard, &batch.next, now).into()
            }
        }
        Ok(output)
    }

    /// One read within the limits of its shard.
    async fn get(
        &self,
        name: &str,
        shard: &str,
        position: &str,
        limit: usize,
    ) -> Result<Batch, ApiError> {
        // Is the stream still there? A call for one that isn't costs its shard nothing.
        self.stream(name).await?;
        let events = &self.0.events;
        let _gate = self.0.gate.read().await;
        self.0
            .reads
            .begin(name, shard, self.0.clock.now())
            .inspect_err(|_| {
                events.emit(|| Event::Throttled {
                    stream: name,
                    shard,
                    operation: "GetRecords",
                });
            })?;
        let batch = self
            .read(name, shard, position, limit, LARGEST_READ)
            .await?;
        self.0.reads.end(name, shard, batch.size);
        events.emit(|| Event::Got {
            stream: name,
            shard,
            reader: caller().into(),
            records: batch.records.len(),
            last: batch.last(),
            behind_ms: batch.millis_behind,
        });
        Ok(batch)
    }

    /// Where a poller of the cloud's own begins to read, by the input of `GetShardIterator`.
    ///
    /// # Errors
    ///
    /// As `GetShardIterator`.
    pub async fn cursor(&self, input: Value) -> Result<Cursor, ApiError> {
        let (stream, shard, position) = self.position(&input).await?;
        Ok(Cursor {
            stream,
            shard,
            position,
        })
    }

    /// Reads on from a cursor, as `GetRecords` does, and moves it. Returns the records as `GetRecords` shows them, and
    /// whether the shard is closed and read out.
    ///
    /// # Errors
    ///
    /// As `GetRecords`; but a cursor never expires.
    pub async fn follow(
        &self,
        cursor: &mut Cursor,
        limit: usize,
    ) -> Result<(Vec<Value>, bool), ApiError> {
        let batch = self
            .get(&cursor.stream, &cursor.shard, &cursor.position, limit)
            .await?;
        cursor.position.clone_from(&batch.next);
        let records = in_answer(&batch.records);
        let records = records.iter().map(|record| json!(record)).collect();
        Ok((records, batch.children.is_some()))
    }

    /// Reads on from `position`, `limit` records and about `bytes` bytes at the most. The caller is in the gate.
    pub(super) async fn read(
        &self,
        name: &str,
        shard_id: &str,
        position: &str,
        limit: usize,
        bytes: usize,
    ) -> Result<Batch, ApiError> {
        let (_, index) = resolve_shard_id(shard_id).map_err(|_| invalid_iterator())?;
        let stream = self.stream(name).await?;
        let Some(shard) = stream.shards.get(index as usize) else {
            return Err(ApiError::sender(
                "ResourceNotFoundException",
                format!("Shard {shard_id} in stream {name} under account {ACCOUNT} does not exist"),
            ));
        };
        let now = self.0.clock.now();
        let oldest =
            seconds(now.saturating_sub(Millis::from(stream.retention_period_hours) * HOUR));
        let mut batch = Batch {
            records: Vec::new(),
            size: 0,
            next: position.to_owned(),
            millis_behind: 0,
            children: None,
        };
        let mut expired = Vec::new();
        let mut more = false;
        // A few at first, because each may be large; then more.
        let mut several = 16;
        'all: loop {
            let (from, to) = range(index, &batch.next);
            let found = self
                .store()
                .get_records_range_limited(name, &from, &to, several)
                .await;
            let is_last = found.len() < several;
            for (key, record) in found {
                let size = base64_decoded_len(&record.data) + record.partition_key.len();
                let is_expired = record.approximate_arrival_timestamp < oldest;
                let is_full = batch.records.len() == limit
                    || !batch.records.is_empty() && batch.size + size > bytes;
                if !is_expired && is_full {
                    more = true;
                    break 'all;
                }
                let number = number_of(&key).to_owned();
                let place = parse_sequence(&number).map_err(|_| invalid_iterator())?;
                batch.next = increment_sequence(&place, None);
                if is_expired {
                    expired.push(key);
                    continue;
                }
                batch.size += size;
                batch.records.push((number, record));
            }
            if is_last {
                break;
            }
            several = (several * 2).min(1024);
        }
        self.store().delete_record_keys(name, &expired).await;
        if let Some((_, last)) = batch.records.last().filter(|_| more) {
            let arrived = (last.approximate_arrival_timestamp * 1000.0) as Millis;
            batch.millis_behind = now.saturating_sub(arrived).max(1);
        }
        if batch.records.is_empty() && !is_open(shard) {
            batch.children = Some(children(&stream, shard));
        }
        Ok(batch)
    }
}

/// How much of its second each shard has given away.
#[derive(Default)]
pub(super) struct Reads(Mutex<HashMap<(String, String), Window>>);

struct Window {
    began: Millis,
    calls: u32,
    bytes: usize,
}

impl Window {
    /// A second, or as long as what was read takes at 2 MiB a second: five seconds after 10 MiB.
    fn length(&self) -> Millis {
        (self.bytes as Millis * 1000 / READ_BYTES as Millis).max(1000)
    }
}

impl Reads {
    /// Counts a call, or refuses it.
    fn begin(&self, stream: &str, shard: &str, now: Millis) -> Result<(), ApiError> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (stream.to_owned(), shard.to_owned());
        let window = windows.entry(key).or_insert(Window {
            began: now,
            calls: 0,
            bytes: 0,
        });
        if now >= window.began + window.length() {
            *window = Window {
                began: now,
                calls: 0,
                bytes: 0,
            };
        }
        if window.calls == READ_CALLS || window.bytes >= READ_BYTES {
            return Err(rate_exceeded(stream, shard));
        }
        window.calls += 1;
        Ok(())
    }

    fn end(&self, stream: &str, shard: &str, bytes: usize) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get_mut(&(stream.to_owned(), shard.to_owned())) {
            window.bytes += bytes;
        }
    }

    pub(super) fn forget(&self, stream: &str) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|(name, _), _| name != stream);
    }
}

/// Records as `GetRecords` and `SubscribeToShard` answer them.
pub(super) fn in_answer(records: &[(String, StoredRecord)]) -> Vec<ResponseRecord<'_>> {
    records
        .iter()
        .map(|(number, record)| ResponseRecord {
            data: &record.data,
            partition_key: &record.partition_key,
            sequence_number: number,
            approximate_arrival_timestamp: EpochSeconds(record.approximate_arrival_timestamp),
        })
        .collect()
}

fn children(stream: &Stream, parent: &Shard) -> Vec<Value> {
    let parents = |shard: &Shard| -> Vec<String> {
        [&shard.parent_shard_id, &shard.adjacent_parent_shard_id]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    };
    stream
        .shards
        .iter()
        .map(|shard| (shard, parents(shard)))
        .filter(|(_, parents)| parents.contains(&parent.shard_id))
        .map(|(shard, parents)| {
            json!({ "ShardId": shard.shard_id, "ParentShards": parents, "HashKeyRange": shard.hash_key_range })
        })
        .collect()
}

/// The keys of a shard's records from a sequence number on, as the crate orders them.
pub(super) fn range(shard: i64, from: &str) -> (String, String) {
    (
        format!("{}/{from}", shard_ix_to_hex(shard)),
        shard_ix_to_hex(shard + 1),
    )
}

pub(super) fn number_of(key: &str) -> &str {
    key.split_once('/').map_or("", |(_, number)| number)
}

/// When an iterator was handed out, and its stream, shard and sequence number.
fn decode(iterator: &str) -> Result<(Millis, String, String, String), ApiError> {
    let parts = decode_shard_iterator(iterator).map_err(|_| invalid_iterator())?;
    parse_sequence(&parts.3).map_err(|_| invalid_iterator())?;
    Ok(parts)
}

fn invalid_iterator() -> ApiError {
    invalid("Invalid ShardIterator.")
}

fn rate_exceeded(stream: &str, shard: &str) -> ApiError {
    ApiError::sender(
        "ProvisionedThroughputExceededException",
        format!("Rate exceeded for shard {shard} in stream {stream} under account {ACCOUNT}."),
    )
}

/// `Thu Jan 22 01:22:02 UTC 2015`
fn date(time: Millis) -> String {
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(time));
    match text.split(' ').collect::<Vec<_>>()[..] {
        [weekday, day, month, year, time, _] => {
            format!(
                "{} {month} {day} {time} UTC {year}",
                weekday.trim_end_matches(',')
            )
        }
        _ => text,
    }
}
