//! Kinesis. `shard` and `stream` are the whole idea, as state machines without a clock; around them stand the operations:
//! `records` puts and gets, `iterator` says where a reader begins, `reshard` changes the shards, `list` describes them,
//! `settings` are all else that a stream can be told, `consumers` and `fan_out` are enhanced fan-out. Whoever waits for
//! a record is told by its shard.
//!
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Operations.html>.

mod consumers;
mod fan_out;
mod input;
mod iterator;
mod limits;
mod list;
mod records;
mod reshard;
pub mod sequence;
mod settings;
pub mod shard;
mod shown;
pub mod stream;

use crate::account::ACCOUNT;
use crate::clock::{Clock, Millis};
use crate::events::{Event, Events};
use crate::faults::Faults;
use crate::lock::lock;
use crate::quotas;
use crate::wire::error::ApiError;
use axum::body::Body;
use consumers::Consumer;
use input::{Input, MODES, NAME};
use serde_json::Value;
use shard::Shard;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::future::{pending, Future};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use stream::{Change, Passed, Refusal, Stream};
use tokio::sync::watch;

pub use iterator::Cursor;

/// The operations there are.
pub const OPERATIONS: [&str; 36] = [
    "AddTagsToStream",
    "CreateStream",
    "DecreaseStreamRetentionPeriod",
    "DeleteResourcePolicy",
    "DeleteStream",
    "DeregisterStreamConsumer",
    "DescribeLimits",
    "DescribeStream",
    "DescribeStreamConsumer",
    "DescribeStreamSummary",
    "DisableEnhancedMonitoring",
    "EnableEnhancedMonitoring",
    "GetRecords",
    "GetResourcePolicy",
    "GetShardIterator",
    "IncreaseStreamRetentionPeriod",
    "ListShards",
    "ListStreamConsumers",
    "ListStreams",
    "ListTagsForResource",
    "ListTagsForStream",
    "MergeShards",
    "PutRecord",
    "PutRecords",
    "PutResourcePolicy",
    "RegisterStreamConsumer",
    "RemoveTagsFromStream",
    "SplitShard",
    "StartStreamEncryption",
    "StopStreamEncryption",
    "SubscribeToShard",
    "TagResource",
    "UntagResource",
    "UpdateMaxRecordSize",
    "UpdateShardCount",
    "UpdateStreamMode",
];

// Differs from AWS: kinesis-bounds: 1,000 open shards, and 1 GiB of records, in memory.
const MAX_SHARDS: usize = 1000;
const MAX_BYTES: usize = 1024 * 1024 * 1024;
// Differs from AWS: kinesis-quick: a stream is made, changed and deleted in 300 ms, a consumer in 500 ms.
/// How long the creation, a change or the deletion of a stream takes, by the local cloud's clock.
pub const CHANGES: Millis = 300;
const ON_DEMAND_SHARDS: u32 = quotas::ON_DEMAND_SHARDS;
const HOUR: Millis = 60 * 60 * 1000;
const RETENTION: Millis = quotas::KINESIS_RETENTION;
/// In KiB.
const RECORD_SIZES: std::ops::RangeInclusive<u32> =
    quotas::RECORD_SIZE as u32 / 1024..=quotas::RECORD_SIZE_MAX as u32 / 1024;

/// What an operation answers.
pub enum Answer {
    Json(Vec<u8>),
    /// The events of `SubscribeToShard`, `application/vnd.amazon.eventstream`.
    Events(Body),
}

/// The streams of the account. Clones share them.
#[derive(Clone)]
pub struct Kinesis(Arc<Inner>);

struct Inner {
    clock: Clock,
    events: Events,
    faults: Faults,
    state: Mutex<State>,
    /// Bytes of all records that are kept.
    kept: AtomicUsize,
}

#[derive(Default)]
struct State {
    streams: BTreeMap<Arc<str>, Entry>,
    incarnations: u64,
    calls: limits::Calls,
}

/// A stream and what its owner has set.
struct Entry {
    name: Arc<str>,
    arn: String,
    /// Tells it from other streams of its name.
    incarnation: u64,
    created_at: Millis,
    log: Stream,
    is_on_demand: bool,
    /// In KiB.
    largest_record: u32,
    tags: BTreeMap<String, String>,
    policy: Option<String>,
    metrics: BTreeSet<&'static str>,
    /// The KMS key of an encrypted stream.
    key: Option<String>,
    consumers: BTreeMap<String, Consumer>,
    /// When its number of shards was set.
    counts_set_at: VecDeque<Millis>,
    /// Who waits for what is new in a shard.
    bells: HashMap<u32, watch::Sender<()>>,
    /// Says that the next change may be due at another time than before.
    planned: watch::Sender<()>,
}

impl Kinesis {
    pub fn new(clock: Clock, events: Events, faults: Faults) -> Self {
        Self(Arc::new(Inner {
            clock,
            events,
            faults,
            state: Mutex::default(),
            kept: AtomicUsize::new(0),
        }))
    }

    /// One operation as it comes over the wire: JSON in, JSON or events out.
    ///
    /// # Errors
    ///
    /// What AWS answers in its place, or that the operation is not in this lab.
    pub async fn call(&self, operation: &str, body: &[u8]) -> Result<Answer, ApiError> {
        match operation {
            "PutRecord" => return Ok(Answer::Json(self.put_record(body)?)),
            "PutRecords" => return Ok(Answer::Json(self.put_records(body)?)),
            "GetRecords" => return Ok(Answer::Json(self.get_records(body)?)),
            operation if !OPERATIONS.contains(&operation) => {
                return Err(ApiError::not_in_this_lab("kinesis", operation))
            }
            _ => {}
        }
        let input = Input::read(operation, body)?;
        self.check_rate(operation, &input)?;
        if operation == "SubscribeToShard" {
            return Ok(Answer::Events(self.subscribe_to_shard(&input)?));
        }
        Ok(Answer::Json(match self.work(operation, &input)? {
            Value::Null => Vec::new(),
            output => output.to_string().into_bytes(),
        }))
    }

    /// One operation in process; null when AWS answers with nothing. `SubscribeToShard` is for [`Self::call`] only.
    ///
    /// # Errors
    ///
    /// As [`Self::call`].
    pub async fn ask(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        match self.call(operation, input.to_string().as_bytes()).await? {
            Answer::Json(output) => Ok(serde_json::from_slice(&output).unwrap_or_default()),
            Answer::Events(_) => Ok(Value::Null),
        }
    }

    fn work(&self, operation: &str, input: &Input) -> Result<Value, ApiError> {
        match operation {
            "AddTagsToStream" => self.add_tags_to_stream(input),
            "CreateStream" => self.create_stream(input),
            "DecreaseStreamRetentionPeriod" => self.set_retention(input, false),
            "DeleteResourcePolicy" => self.delete_resource_policy(input),
            "DeleteStream" => self.delete_stream(input),
            "DeregisterStreamConsumer" => self.deregister_stream_consumer(input),
            "DescribeLimits" => Ok(self.describe_limits()),
            "DescribeStream" => self.describe_stream(input),
            "DescribeStreamConsumer" => self.describe_stream_consumer(input),
            "DescribeStreamSummary" => self.describe_stream_summary(input),
            "DisableEnhancedMonitoring" => self.set_metrics(input, false),
            "EnableEnhancedMonitoring" => self.set_metrics(input, true),
            "GetResourcePolicy" => self.get_resource_policy(input),
            "GetShardIterator" => self.get_shard_iterator(input),
            "IncreaseStreamRetentionPeriod" => self.set_retention(input, true),
            "ListShards" => self.list_shards(input),
            "ListStreamConsumers" => self.list_stream_consumers(input),
            "ListStreams" => self.list_streams(input),
            "ListTagsForResource" => self.list_tags_for_resource(input),
            "ListTagsForStream" => self.list_tags_for_stream(input),
            "MergeShards" => self.merge_shards(input),
            "PutResourcePolicy" => self.put_resource_policy(input),
            "RegisterStreamConsumer" => self.register_stream_consumer(input),
            "RemoveTagsFromStream" => self.remove_tags_from_stream(input),
            "SplitShard" => self.split_shard(input),
            "StartStreamEncryption" => self.set_encryption(input, true),
            "StopStreamEncryption" => self.set_encryption(input, false),
            "TagResource" => self.tag_resource(input),
            "UntagResource" => self.untag_resource(input),
            "UpdateMaxRecordSize" => self.update_max_record_size(input),
            "UpdateShardCount" => self.update_shard_count(input),
            "UpdateStreamMode" => self.update_stream_mode(input),
            _ => Err(ApiError::not_in_this_lab("kinesis", operation)),
        }
    }

    fn create_stream(&self, input: &Input) -> Result<Value, ApiError> {
        let name = input.need("StreamName", input.words("StreamName", &NAME)?)?;
        let shards = input.number("ShardCount", 1..=100_000)?;
        let mode = match input.inside("StreamModeDetails")? {
            Some(details) => {
                Some(details.need("StreamMode", details.one_of("StreamMode", &MODES)?)?)
            }
            None => None,
        };
        let size = input.number("MaxRecordSizeInKiB", RECORD_SIZES)?;
        let tags = input.tags("Tags")?.unwrap_or_default();
        settings::check_tags(&tags)?;
        let is_on_demand = match mode {
            Some(mode) => mode == "ON_DEMAND",
            // AWS makes a stream on demand when nobody says otherwise.
            None => shards.is_none(),
        };
        let shards = match is_on_demand {
            true => ON_DEMAND_SHARDS,
            false => input.need("ShardCount", shards)?,
        };
        let mut state = self.lock();
        let now = self.0.clock.now();
        self.pass(&mut state, name, now);
        if state.streams.contains_key(name) {
            return Err(in_use(format!(
                "Stream {name} under account {ACCOUNT} already exists."
            )));
        }
        state.check_room(shards as usize)?;
        state.incarnations += 1;
        let entry = Entry {
            name: name.into(),
            arn: settings::arn(name),
            incarnation: state.incarnations,
            created_at: now,
            log: Stream::create(shards, RETENTION, now + CHANGES),
            is_on_demand,
            largest_record: size.unwrap_or(*RECORD_SIZES.start()),
            tags,
            policy: None,
            metrics: BTreeSet::new(),
            key: None,
            consumers: BTreeMap::new(),
            counts_set_at: VecDeque::new(),
            bells: HashMap::new(),
            planned: watch::Sender::new(()),
        };
        let keeper = keep(
            Arc::downgrade(&self.0),
            entry.name.clone(),
            entry.incarnation,
            entry.planned.subscribe(),
        );
        state.streams.insert(entry.name.clone(), entry);
        tokio::spawn(keeper);
        Ok(Value::Null)
    }

    fn delete_stream(&self, input: &Input) -> Result<Value, ApiError> {
        let name = input.need_stream()?;
        let is_forced = input.flag("EnforceConsumerDeletion")?;
        self.with(name, |entry, now| {
            if !is_forced && entry.consumers.values().any(Consumer::is_registered) {
                return Err(in_use(format!(
                    "Stream {name} under account {ACCOUNT} has registered consumers: deregister them, or set EnforceConsumerDeletion."
                )));
            }
            let was_there = entry.log.is_there();
            entry.begin(now, Change::Delete)?;
            entry.consumers.clear();
            entry.ring_all();
            if was_there {
                self.0.events.emit(|| Event::StreamDeleted { stream: name });
            }
            Ok(Value::Null)
        })
    }

    /// Says whenever there may be something new to read in a shard.
    pub fn changes(&self, cursor: &Cursor) -> watch::Receiver<()> {
        let mut state = self.lock();
        match state.streams.get_mut(&cursor.stream) {
            Some(entry) => entry.bell(cursor.shard),
            // Without a sender, there is something new at once: that the stream is gone.
            None => watch::Sender::new(()).subscribe(),
        }
    }

    /// Works on a stream as it is now.
    fn with<T>(
        &self,
        name: &str,
        work: impl FnOnce(&mut Entry, Millis) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut state = self.lock();
        let now = self.0.clock.now();
        self.pass(&mut state, name, now);
        let entry = state.streams.get_mut(name).ok_or_else(|| no_stream(name))?;
        self.counting(entry, |entry| work(entry, now))
    }

    /// Works on a stream and counts the bytes that come or go.
    fn counting<T>(&self, entry: &mut Entry, work: impl FnOnce(&mut Entry) -> T) -> T {
        let before = entry.log.bytes();
        let outcome = work(entry);
        let after = entry.log.bytes();
        self.0.kept.fetch_add(after, Ordering::Relaxed);
        self.0.kept.fetch_sub(before, Ordering::Relaxed);
        outcome
    }

    /// Does what is due for a stream by now, and tells the feed.
    fn pass(&self, state: &mut State, name: &str, now: Millis) {
        let Some(entry) = state.streams.get_mut(name) else {
            return;
        };
        let passed = self.counting(entry, |entry| entry.log.pass(now));
        for passed in &passed {
            match passed {
                Passed::Created => self.0.events.emit(|| Event::StreamCreated(entry.shown())),
                Passed::Resharded => {
                    entry.ring_all();
                    self.0.events.emit(|| Event::Resharded(entry.shown()));
                }
                Passed::Updated | Passed::Deleted => {}
            }
        }
        if passed.contains(&Passed::Deleted) {
            let gone = state.streams.remove(name);
            let bytes = gone.map_or(0, |entry| entry.log.bytes());
            self.0.kept.fetch_sub(bytes, Ordering::Relaxed);
            return;
        }
        entry.pass_consumers(now, &self.0.events);
    }

    fn pass_all(&self, state: &mut State) {
        let now = self.0.clock.now();
        let names: Vec<_> = state.streams.keys().cloned().collect();
        for name in names {
            self.pass(state, &name, now);
        }
    }

    /// Does what is due for a stream by now. When that is to be done again: for a change, and for a shard that will be
    /// forgotten. None when the stream is gone.
    fn look_after(&self, name: &str, incarnation: u64) -> Option<(Option<Millis>, Option<Millis>)> {
        let mut state = self.lock();
        self.pass(&mut state, name, self.0.clock.now());
        let entry = state.streams.get(name);
        let entry = entry.filter(|entry| entry.incarnation == incarnation)?;
        Some((entry.next_due(), entry.log.next_forgotten()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

/// Does what is due for a stream when it is due, as long as there are the stream and its cloud.
async fn keep(
    kinesis: Weak<Inner>,
    name: Arc<str>,
    incarnation: u64,
    mut planned: watch::Receiver<()>,
) {
    loop {
        planned.borrow_and_update();
        let Some(inner) = kinesis.upgrade() else {
            return;
        };
        let clock = inner.clock.clone();
        let Some((change, forgotten)) = Kinesis(inner).look_after(&name, incarnation) else {
            return;
        };
        tokio::select! {
            () = due(change, |time| clock.sleep_until(time)) => {}
            // No impatient clock goes there: it would pass over days.
            () = due(forgotten, |time| clock.idle_until(time)) => {}
            _ = planned.changed() => {}
        }
    }
}

/// Waits for a time, or for ever.
async fn due<F: Future<Output = ()>>(time: Option<Millis>, wait: impl FnOnce(Millis) -> F) {
    match time {
        Some(time) => wait(time).await,
        None => pending().await,
    }
}

impl State {
    /// Whether the account has room for so many more shards.
    fn check_room(&self, more: usize) -> Result<(), ApiError> {
        let planned = self
            .streams
            .values()
            .map(|entry| entry.log.planned_shards());
        let planned: usize = planned.sum();
        if planned + more <= MAX_SHARDS {
            return Ok(());
        }
        Err(ApiError::sender(
            "LimitExceededException",
            format!(
                "This request would exceed the shard limit for the account {ACCOUNT}. Current shard count for the account: \
                 {planned}. Limit: {MAX_SHARDS}. Number of additional shards that would have resulted from this request: \
                 {more}."
            ),
        ))
    }
}

impl Entry {
    /// Begins a change of the stream.
    fn begin(&mut self, now: Millis, change: Change) -> Result<(), ApiError> {
        let name = &self.name;
        self.log.begin(now + CHANGES, change).map_err(|refusal| match refusal {
            Refusal::Busy(status) => in_use(format!(
                "Stream {name} under account {ACCOUNT} not ACTIVE, instead in state {}",
                status.name()
            )),
            Refusal::NoShard(shard) => could_not_find(&shard_name(shard), name),
            Refusal::Closed(shard) => invalid(format!(
                "Shard {} in stream {name} under account {ACCOUNT} has already been merged or split, and thus is not \
                 eligible for merging or splitting.",
                shard_name(shard)
            )),
            Refusal::NotAdjacent => invalid(format!(
                "The shards in stream {name} under account {ACCOUNT} are not an adjacent pair of shards eligible for merging"
            )),
            Refusal::Nowhere((start, end)) => invalid(format!(
                "NewStartingHashKey used in SplitShard() in stream {name} under account {ACCOUNT} is not both greater than \
                 one plus the shard's StartingHashKey {start} and less than the shard's EndingHashKey {end}."
            )),
        })?;
        self.planned.send_replace(());
        Ok(())
    }

    /// When something happens to the stream by itself.
    fn next_due(&self) -> Option<Millis> {
        let consumers = self.consumers.values().filter_map(Consumer::next_due);
        consumers.chain(self.log.next_due()).min()
    }

    fn bell(&mut self, shard: u32) -> watch::Receiver<()> {
        // Bells that nobody listens to go.
        self.bells.retain(|_, bell| bell.receiver_count() > 0);
        let bell = self
            .bells
            .entry(shard)
            .or_insert_with(|| watch::Sender::new(()));
        bell.subscribe()
    }

    fn ring(&self, shard: u32) {
        if let Some(bell) = self.bells.get(&shard) {
            bell.send_replace(());
        }
    }

    fn ring_all(&self) {
        for bell in self.bells.values() {
            bell.send_replace(());
        }
    }

    /// What AWS says when a stream is not there to be read or written.
    fn check_there(&self) -> Result<(), ApiError> {
        match self.log.is_there() {
            true => Ok(()),
            false => Err(no_stream(&self.name)),
        }
    }

    fn mode(&self) -> &'static str {
        MODES[usize::from(self.is_on_demand)]
    }
}

/// `shardId-000000000007`
fn shard_name(id: u32) -> String {
    format!("shardId-{id:012}")
}

/// The number in a shard's id, which may stand alone.
fn id_of(shard: &str) -> Option<u32> {
    let digits = shard.split_once('-').map_or(shard, |(_, digits)| digits);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// Milliseconds as AWS writes a time in JSON: seconds with a fraction.
fn seconds(millis: Millis) -> f64 {
    millis as f64 / 1000.0
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::sender("InvalidArgumentException", message)
}

fn in_use(message: impl Into<String>) -> ApiError {
    ApiError::sender("ResourceInUseException", message)
}

fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::sender("ResourceNotFoundException", message)
}

fn no_stream(name: &str) -> ApiError {
    not_found(format!("Stream {name} under account {ACCOUNT} not found."))
}

fn no_shard(shard: &str, stream: &str) -> ApiError {
    not_found(format!(
        "Shard {shard} in stream {stream} under account {ACCOUNT} does not exist"
    ))
}

fn could_not_find(shard: &str, stream: &str) -> ApiError {
    not_found(format!(
        "Could not find shard {shard} in stream {stream} under account {ACCOUNT}."
    ))
}
