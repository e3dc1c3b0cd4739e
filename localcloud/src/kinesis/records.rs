//! Records in and out.
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html> and
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html>.

use super::input::{elsewhere, of_wrong_type, one_name, violation, Words, HASH_KEY, NUMBER};
use super::sequence::{write_decimal, Number};
use super::shard::{Batch, Record, Throttled};
use super::stream::Change;
use super::{invalid, no_shard, no_stream, shard_name, Cursor, Entry, Kinesis, MAX_BYTES};
use crate::account::ACCOUNT;
use crate::clock::Millis;
use crate::events::{caller, Event, MAX_TEXT};
use crate::quotas;
use crate::wire::error::ApiError;
use base64::prelude::{Engine, BASE64_STANDARD};
use bytes::Bytes;
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::{json, Value};
use std::borrow::Cow;
use std::io::Write;
use std::sync::atomic::Ordering;

const MAX_BATCH: usize = quotas::PUT_RECORDS_BYTES;
const MAX_RECORD: usize = quotas::RECORD_SIZE_MAX;
const MAX_PUT: usize = quotas::PUT_RECORDS;
const MAX_GOT: usize = quotas::SHARD_GET_RECORDS;
const MAX_KEY: usize = 256;
const MAX_ITERATOR: Words = Words::up_to(512);

/// A text that is borrowed from the request wherever it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecord<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    partition_key: Option<Text<'a>>,
    #[serde(borrow)]
    explicit_hash_key: Option<Text<'a>>,
    #[serde(borrow)]
    sequence_number_for_ordering: Option<Text<'a>>,
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecords<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    records: Option<Vec<ToPut<'a>>>,
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ToPut<'a> {
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    partition_key: Option<Text<'a>>,
    #[serde(borrow)]
    explicit_hash_key: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRecords<'a> {
    #[serde(borrow)]
    shard_iterator: Option<Text<'a>>,
    limit: Option<f64>,
    dry_run: Option<bool>,
}

/// A record that wants to be put, checked.
struct ToStore<'a> {
    key: &'a str,
    data: Bytes,
    hash: u128,
}

impl<'a> ToPut<'a> {
    fn check(&'a self, place: &str) -> Result<ToStore<'a>, ApiError> {
        let at = |name: &str| format!("{place}{name}");
        let missing = |name: &str| violation(&at(name), None::<&str>, "Member must not be null");
        let key = &*self
            .partition_key
            .as_ref()
            .ok_or_else(|| missing("partitionKey"))?
            .0;
        let data = &*self.data.as_ref().ok_or_else(|| missing("data"))?.0;
        if key.is_empty() {
            let rule = "Member must have length greater than or equal to 1";
            return Err(violation(&at("partitionKey"), Some(key), rule));
        }
        if key.len() > MAX_KEY && key.chars().count() > MAX_KEY {
            let rule = format!("Member must have length less than or equal to {MAX_KEY}");
            return Err(violation(&at("partitionKey"), Some(key), rule));
        }
        let hash = match &self.explicit_hash_key {
            None => u128::from_be_bytes(Md5::digest(key).into()),
            Some(Text(hash)) => {
                HASH_KEY.check(&at("explicitHashKey"), hash)?;
                hash.parse().map_err(|_| {
                    invalid(format!(
                        "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {hash}"
                    ))
                })?
            }
        };
        let data = BASE64_STANDARD.decode(data).map_err(|error| {
            of_wrong_type(format!("Data can not be converted to a Blob: {error}"))
        })?;
        if data.len() > MAX_RECORD {
            let rule = format!("Member must have length less than or equal to {MAX_RECORD}");
            return Err(violation(&at("data"), Some("(the data)"), rule));
        }
        let data = data.into();
        Ok(ToStore { key, data, hash })
    }
}

impl ToStore<'_> {
    fn size(&self) -> usize {
        self.key.len() + self.data.len()
    }
}

/// A record that was put, or the shard that had no room.
type Outcome = Result<Number, u32>;

impl Kinesis {
    pub(super) fn put_record(&self, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        let input: PutRecord = read(body)?;
        refuse_dry_run("PutRecord", input.dry_run)?;
        let name = stream_name(input.stream_name.as_ref(), input.stream_arn.as_ref())?;
        if let Some(Text(before)) = &input.sequence_number_for_ordering {
            NUMBER.check("SequenceNumberForOrdering", before)?;
            // A shard's numbers always rise: there is nothing to do but to refuse what is none.
            Number::parse(before).ok_or_else(|| {
                invalid(format!(
                    "ExclusiveMinimumSequenceNumber {before} used in PutRecord on stream {name} under account {ACCOUNT} is invalid."
                ))
            })?;
        }
        let record = ToPut {
            data: input.data,
            partition_key: input.partition_key,
            explicit_hash_key: input.explicit_hash_key,
        };
        let records = [record.check("")?];
        let (outcomes, is_encrypted) = self.put("PutRecord", name, &records)?;
        let mut out = Vec::with_capacity(128);
        match outcomes[0] {
            Ok(number) => write_put(&mut out, number, is_encrypted),
            Err(shard) => return Err(rate_exceeded(shard, name)),
        }
        Ok(out)
    }

    pub(super) fn put_records(&self, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        let input: PutRecords = read(body)?;
        refuse_dry_run("PutRecords", input.dry_run)?;
        let name = stream_name(input.stream_name.as_ref(), input.stream_arn.as_ref())?;
        let records = input
            .records
            .ok_or_else(|| violation("records", None::<&str>, "Member must not be null"))?;
        if records.is_empty() || records.len() > MAX_PUT {
            let rule = match records.len() {
                0 => "Member must have length greater than or equal to 1".to_owned(),
                _ => format!("Member must have length less than or equal to {MAX_PUT}"),
            };
            let several = format!("({} records)", records.len());
            return Err(violation("records", Some(&several), rule));
        }
        let checked = records.iter().enumerate();
        let checked: Vec<_> = checked
            .map(|(n, record)| record.check(&format!("records.{}.member.", n + 1)))
            .collect::<Result<_, _>>()?;
        let size: usize = checked.iter().map(ToStore::size).sum();
        if size > MAX_BATCH {
            return Err(invalid(format!(
                "Records size exceeds {MAX_BATCH} bytes limit."
            )));
        }
        let (outcomes, is_encrypted) = self.put("PutRecords", name, &checked)?;
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        let mut out = Vec::with_capacity(64 + outcomes.len() * 128);
        // Writing to a Vec can't fail, here and below.
        let _ = write!(out, "{{\"FailedRecordCount\":{failed},\"Records\":");
        write_list(&mut out, &outcomes, |out, outcome| match outcome {
            Ok(number) => write_put(out, *number, is_encrypted),
            Err(shard) => {
                let error = rate_exceeded(*shard, name);
                let _ = write!(
                    out,
                    "{{\"ErrorCode\":\"{}\",\"ErrorMessage\":\"{}\"}}",
                    error.shape, error.message
                );
            }
        });
        out.push(b'}');
        Ok(out)
    }

    /// Puts each record that its shard has room for in this second. Says whether the stream is encrypted.
    fn put(
        &self,
        operation: &str,
        name: &str,
        records: &[ToStore<'_>],
    ) -> Result<(Vec<Outcome>, bool), ApiError> {
        self.make_room(records.iter().map(ToStore::size).sum())?;
        let (outcomes, is_encrypted, growth) = self.with(name, |entry, now| {
            entry.check_there()?;
            let largest = entry.largest_record as usize * 1024;
            if records.iter().any(|record| record.size() > largest) {
                let field = if operation == "PutRecord" {
                    "data"
                } else {
                    "records"
                };
                let rule = format!("Member must have length less than or equal to {largest}");
                return Err(violation(field, Some("(the data)"), rule));
            }
            let mut outcomes = Vec::with_capacity(records.len());
            for record in records {
                outcomes.push(self.put_one(entry, now, operation, record)?);
            }
            let growth = entry.log.growth().filter(|_| entry.is_on_demand);
            Ok((outcomes, entry.key.is_some(), growth))
        })?;
        if let Some(shards) = growth {
            self.grow(name, shards);
        }
        Ok((outcomes, is_encrypted))
    }

    fn put_one(
        &self,
        entry: &mut Entry,
        now: Millis,
        operation: &str,
        record: &ToStore<'_>,
    ) -> Result<Outcome, ApiError> {
        let stored = Record {
            key: record.key.into(),
            data: record.data.clone(),
            arrived_at: now,
            is_encrypted: entry.key.is_some(),
        };
        let outcome = entry.log.put(record.hash, stored);
        let outcome = outcome.ok_or_else(|| no_stream(&entry.name))?;
        match outcome {
            Ok(number) => {
                entry.ring(number.shard);
                self.tell_put(&entry.name, number, record);
            }
            Err(shard) => self.tell_throttled(&entry.name, shard, operation),
        }
        Ok(outcome)
    }

    fn tell_put(&self, stream: &str, number: Number, record: &ToStore<'_>) {
        if self.0.events.is_kept() {
            let (shard, sequence) = (&shard_name(number.shard), &number.to_string());
            self.0.events.emit(|| Event::Put {
                stream,
                shard,
                sequence,
                key: record.key.into(),
                data: readable(&record.data).into(),
            });
        }
    }

    fn tell_throttled(&self, stream: &str, shard: u32, operation: &str) {
        let shard = &shard_name(shard);
        self.0.events.emit(|| Event::Throttled {
            stream,
            shard,
            operation,
        });
    }

    fn tell_got(&self, stream: &str, shard: u32, batch: &Batch) {
        if self.0.events.is_kept() {
            let (shard, last) = (&shard_name(shard), last(batch));
            self.0.events.emit(|| Event::Got {
                stream,
                shard,
                reader: caller().into(),
                records: batch.records.len(),
                last: last.as_deref(),
                behind_ms: batch.millis_behind,
            });
        }
    }

    /// More shards for a stream on demand, if the account has room for them.
    fn grow(&self, name: &str, shards: u32) {
        let mut state = self.lock();
        let now = self.0.clock.now();
        let Some(entry) = state.streams.get(name) else {
            return;
        };
        let more = (shards as usize).saturating_sub(entry.log.open_shards());
        if state.check_room(more).is_ok() {
            if let Some(entry) = state.streams.get_mut(name) {
                // Another change may have begun: then the next record asks again.
                let _ = entry.begin(now, Change::Count(shards));
            }
        }
    }

    /// Whether there is memory for so many bytes more.
    fn make_room(&self, bytes: usize) -> Result<(), ApiError> {
        let is_full = || self.0.kept.load(Ordering::Relaxed) + bytes > MAX_BYTES;
        if !is_full() {
            return Ok(());
        }
        let mut state = self.lock();
        let now = self.0.clock.now();
        for entry in state.streams.values_mut() {
            self.counting(entry, |entry| entry.log.forget(now));
        }
        match is_full() {
            false => Ok(()),
            true => Err(ApiError::sender(
                "LimitExceededException",
                format!("The local cloud keeps {MAX_BYTES} bytes of records. Delete a stream."),
            )),
        }
    }

    pub(super) fn get_records(&self, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        let input: GetRecords = read(body)?;
        refuse_dry_run("GetRecords", input.dry_run)?;
        let missing = || violation("shardIterator", None::<&str>, "Member must not be null");
        let Text(iterator) = input.shard_iterator.ok_or_else(missing)?;
        MAX_ITERATOR.check("ShardIterator", &iterator)?;
        let limit = match input.limit {
            None => MAX_GOT,
            Some(limit) if (1.0..=MAX_GOT as f64).contains(&limit.trunc()) => limit as usize,
            Some(limit) => {
                let rule = format!("Member must have value from 1 to {MAX_GOT}");
                return Err(violation("limit", Some(&limit), rule));
            }
        };
        let cursor = self.read_iterator(&iterator)?;
        let (batch, children) = self.with(&cursor.stream, |entry, now| {
            self.get(entry, now, &cursor, limit)
        })?;
        let mut out = Vec::with_capacity(256 + batch.records.len() * 256 + batch.size * 4 / 3);
        out.extend_from_slice(b"{\"Records\":");
        write_records(&mut out, &batch.records);
        let _ = write!(out, ",\"MillisBehindLatest\":{}", batch.millis_behind);
        match children {
            Some(children) => {
                let _ = write!(out, ",\"ChildShards\":{}}}", Value::from(children));
            }
            None => {
                let position = batch.next;
                let next = Cursor { position, ..cursor }.write(self.0.clock.now());
                let _ = write!(out, ",\"NextShardIterator\":\"{next}\"}}");
            }
        }
        Ok(out)
    }

    /// One read within the limits of its shard; the shards that follow, once a closed shard has given all it has.
    fn get(
        &self,
        entry: &mut Entry,
        now: Millis,
        cursor: &Cursor,
        limit: usize,
    ) -> Result<(Batch, Option<Vec<Value>>), ApiError> {
        entry.check_there()?;
        if entry.incarnation != cursor.incarnation {
            return Err(invalid(
                "Invalid ShardIterator: it is of another stream of this name.",
            ));
        }
        let got = entry.log.get(now, cursor.shard, cursor.position, limit);
        let stream = &*entry.name;
        let batch = match got.ok_or_else(|| no_shard(&shard_name(cursor.shard), stream))? {
            Ok(batch) => batch,
            Err(Throttled) => {
                self.tell_throttled(stream, cursor.shard, "GetRecords");
                return Err(rate_exceeded(cursor.shard, stream));
            }
        };
        self.tell_got(stream, cursor.shard, &batch);
        let children = entry.children_after(cursor.shard, &batch);
        Ok((batch, children))
    }

    /// Reads on from a cursor, as `GetRecords` does, and moves it. Returns the records as `GetRecords` shows them, and
    /// whether the shard is closed and read out.
    ///
    /// # Errors
    ///
    /// As `GetRecords`; but a cursor never expires, and a shard that is forgotten is read out.
    pub async fn follow(
        &self,
        cursor: &mut Cursor,
        limit: usize,
    ) -> Result<(Vec<Value>, bool), ApiError> {
        let (batch, children) = self.with(&cursor.stream.clone(), |entry, now| {
            if entry.incarnation == cursor.incarnation && entry.log.had(cursor.shard) {
                return Ok((Batch::default(), Some(Vec::new())));
            }
            self.get(entry, now, cursor, limit)
        })?;
        cursor.position = batch.next;
        let record = |(number, record): &(Number, Record)| {
            json!({
                "Data": BASE64_STANDARD.encode(&record.data),
                "PartitionKey": &*record.key,
                "SequenceNumber": number.to_string(),
                "ApproximateArrivalTimestamp": super::seconds(record.arrived_at),
            })
        };
        Ok((
            batch.records.iter().map(record).collect(),
            children.is_some(),
        ))
    }
}

impl Entry {
    /// The shards that follow a closed one, when this batch was its end.
    pub(super) fn children_after(&self, shard: u32, batch: &Batch) -> Option<Vec<Value>> {
        let shard = self.log.shard(shard)?;
        let is_end = batch.records.is_empty() && shard.is_read_out(batch.next);
        let children = shard.children.iter().filter_map(|id| self.log.shard(*id));
        is_end.then(|| {
            let child = |child: &super::Shard| {
                let parents: Vec<_> = child.parents.iter().map(|id| shard_name(*id)).collect();
                json!({
                    "ShardId": shard_name(child.id),
                    "ParentShards": parents,
                    "HashKeyRange": super::list::range(child),
                })
            };
            children.map(child).collect()
        })
    }
}

/// The sequence number of the last record.
pub(super) fn last(batch: &Batch) -> Option<String> {
    batch.records.last().map(|(number, _)| number.to_string())
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| of_wrong_type(error.to_string()))
}

fn refuse_dry_run(operation: &str, asked: Option<bool>) -> Result<(), ApiError> {
    match asked {
        Some(true) => Err(elsewhere(operation, "DryRun")),
        _ => Ok(()),
    }
}

fn stream_name<'a>(
    name: Option<&'a Text<'_>>,
    arn: Option<&'a Text<'_>>,
) -> Result<&'a str, ApiError> {
    let named = one_name(name.map(|Text(name)| &**name), arn.map(|Text(arn)| &**arn))?;
    named.ok_or_else(|| violation("StreamName", None::<&str>, "Member must not be null"))
}

/// `{"ShardId":…,"SequenceNumber":…}`
fn write_put(out: &mut Vec<u8>, number: Number, is_encrypted: bool) {
    let shard = number.shard;
    let _ = write!(
        out,
        "{{\"ShardId\":\"shardId-{shard:012}\",\"SequenceNumber\":\"{number}\""
    );
    if is_encrypted {
        out.extend_from_slice(b",\"EncryptionType\":\"KMS\"");
    }
    out.push(b'}');
}

/// The list of records as `GetRecords` and `SubscribeToShard` answer it.
pub(super) fn write_records(out: &mut Vec<u8>, records: &[(Number, Record)]) {
    write_list(out, records, |out, (number, record)| {
        out.extend_from_slice(b"{\"SequenceNumber\":\"");
        out.extend_from_slice(&number.digits());
        out.extend_from_slice(b"\",\"ApproximateArrivalTimestamp\":");
        write_time(out, record.arrived_at);
        out.extend_from_slice(b",\"Data\":\"");
        let begin = out.len();
        out.resize(begin + record.data.len().div_ceil(3) * 4, 0);
        let _ = BASE64_STANDARD.encode_slice(&record.data, &mut out[begin..]);
        out.extend_from_slice(b"\",\"PartitionKey\":");
        let _ = serde_json::to_writer(&mut *out, &*record.key);
        if record.is_encrypted {
            out.extend_from_slice(b",\"EncryptionType\":\"KMS\"");
        }
        out.push(b'}');
    });
}

/// In seconds with a fraction.
fn write_time(out: &mut Vec<u8>, time: Millis) {
    let mut digits = *b"0000000000.000";
    let (seconds, millis) = digits.split_at_mut(10);
    write_decimal(seconds, time / 1000);
    write_decimal(&mut millis[1..], time % 1000);
    out.extend_from_slice(&digits);
}

fn write_list<T>(out: &mut Vec<u8>, list: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (n, item) in list.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// What a person may read of a record's data, as far as the feed shows it.
pub(super) fn readable(data: &[u8]) -> String {
    // Four bytes a character at the most.
    let begin = &data[..data.len().min(MAX_TEXT * 4)];
    String::from_utf8_lossy(begin).into_owned()
}

fn rate_exceeded(shard: u32, stream: &str) -> ApiError {
    ApiError::sender(
        "ProvisionedThroughputExceededException",
        format!(
            "Rate exceeded for shard {} in stream {stream} under account {ACCOUNT}.",
            shard_name(shard)
        ),
    )
}
