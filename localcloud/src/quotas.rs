//! AWS's quotas, as the local cloud holds them. The rooms take theirs from here, and the book's tests compare each with
//! the row of `book/quotas.html` that names AWS's page for it.

use crate::clock::Millis;

const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const MEBIBYTE: usize = 1024 * 1024;

/// How long the name of a deleted queue is blocked, in milliseconds.
pub const DELETED_NAME_BLOCKED: Millis = MINUTE;
/// The largest message, in bytes.
pub const MESSAGE_SIZE: usize = MEBIBYTE;
/// Most entries of a batch.
pub const BATCH_ENTRIES: usize = 10;
/// Most bytes of a batch, all its messages together.
pub const BATCH_SIZE: usize = MEBIBYTE;
/// Delay of a new message unless the queue or the call has another, in seconds.
pub const DELAY_DEFAULT: u32 = 0;
/// The longest delay, in seconds.
pub const DELAY_MAX: u32 = 15 * 60;
/// How long a queue keeps a message unless it is told otherwise, in seconds.
pub const RETENTION_DEFAULT: u32 = 4 * 24 * 60 * 60;
/// The shortest retention of a queue, in seconds.
pub const RETENTION_MIN: u32 = 60;
/// The longest retention of a queue, in seconds.
pub const RETENTION_MAX: u32 = 14 * 24 * 60 * 60;
/// Most messages of one receive.
pub const RECEIVE_MAX: u32 = 10;
/// Wait of a receive unless the queue or the call has another, in seconds.
pub const WAIT_DEFAULT: u32 = 0;
/// The longest wait of a receive, in seconds.
pub const WAIT_MAX: u32 = 20;
/// Visibility timeout unless the queue or the call has another, in seconds.
pub const VISIBILITY_DEFAULT: u32 = 30;
/// The shortest visibility timeout, in seconds.
pub const VISIBILITY_MIN: u32 = 0;
/// The longest visibility timeout, and how long a message can be in flight in all, in seconds.
pub const VISIBILITY_MAX: u32 = 12 * 60 * 60;
/// Most messages in flight of a standard queue.
pub const IN_FLIGHT_STANDARD: usize = 120_000;
/// Most messages in flight of a FIFO queue.
pub const IN_FLIGHT_FIFO: usize = 120_000;
/// How long a deduplication id is remembered, in milliseconds.
pub const DEDUPLICATION_INTERVAL: Millis = 5 * MINUTE;
/// Calls to a FIFO queue each second, for each action, without high throughput.
pub const FIFO_CALLS: usize = 300;
/// Messages of a FIFO queue each second, for each action, without high throughput.
pub const FIFO_MESSAGES: usize = 3000;

/// How long a stream keeps a record unless it is told otherwise, in milliseconds.
pub const KINESIS_RETENTION: Millis = 24 * HOUR;
/// The longest retention of a stream, in hours.
pub const KINESIS_RETENTION_MAX: u32 = 365 * 24;
/// `UpdateShardCount`s of a stream in 24 hours.
pub const RESHARD_DAY: usize = 10;
/// `UpdateShardCount` multiplies the shards by this at most, and divides them by it.
pub const RESHARD_FACTOR: usize = 2;
/// Bytes that a shard takes in a second.
pub const SHARD_IN_BYTES: usize = MEBIBYTE;
/// Records that a shard takes in a second.
pub const SHARD_IN_RECORDS: usize = 1000;
/// Bytes that a shard gives in a second to all `GetRecords` together.
pub const SHARD_OUT_BYTES: usize = 2 * MEBIBYTE;
/// `GetRecords` that a shard answers in a second.
pub const SHARD_READS: usize = 5;
/// Shards of a new stream on demand: each takes [`SHARD_IN_BYTES`].
pub const ON_DEMAND_SHARDS: u32 = 4;
/// The largest record, unless its stream allows larger ones, in bytes.
pub const RECORD_SIZE: usize = MEBIBYTE;
/// The largest record of a stream that allows larger ones than its default, in bytes.
pub const RECORD_SIZE_MAX: usize = 10 * MEBIBYTE;
/// Most records of a `PutRecords`.
pub const PUT_RECORDS: usize = 500;
/// Most bytes of a `PutRecords`.
pub const PUT_RECORDS_BYTES: usize = 10 * MEBIBYTE;
/// Most records of a `GetRecords`.
pub const SHARD_GET_RECORDS: usize = 10_000;
/// Most bytes of a `GetRecords`.
pub const SHARD_GET_BYTES: usize = 10 * MEBIBYTE;
/// How long a shard iterator is good for, in milliseconds.
pub const ITERATOR_LIFE: Millis = 5 * MINUTE;
/// Bytes that a shard gives in a second to each registered consumer.
pub const FAN_OUT_RATE: usize = 2 * MEBIBYTE;
/// How long a subscription to a shard lasts, in milliseconds.
pub const FAN_OUT_SUBSCRIPTION: Millis = 5 * MINUTE;
/// How long a consumer must wait before it subscribes to the same shard again, in milliseconds.
pub const FAN_OUT_AGAIN: Millis = 5 * SECOND;
/// Most consumers registered with a stream.
pub const FAN_OUT_CONSUMERS: usize = 20;

/// Most messages of a mapping's batch from a queue, unless it says otherwise.
pub const MAPPING_QUEUE_BATCH: i64 = 10;
/// Most messages or records of a mapping's batch, the highest setting.
pub const MAPPING_BATCH_MAX: i64 = 10_000;
/// The same for a FIFO queue.
pub const MAPPING_FIFO_BATCH_MAX: i64 = 10;
/// The least batching window of a batch of more than [`MAPPING_QUEUE_BATCH`] messages, in seconds.
pub const MAPPING_WINDOW_NEEDED: i64 = 1;
/// Batches of a queue at the same time, at the start.
pub const MAPPING_BATCHES_START: usize = 5;
/// The least `MaximumConcurrency` of a mapping.
pub const MAPPING_CONCURRENCY_MIN: i64 = 2;
/// The highest `MaximumConcurrency` of a mapping.
pub const MAPPING_CONCURRENCY_MAX: i64 = 1000;
/// Most records of a mapping's batch from a stream, unless it says otherwise.
pub const MAPPING_STREAM_BATCH: i64 = 100;
/// Batches of a shard at the same time, unless the mapping says otherwise.
pub const MAPPING_PARALLEL: i64 = 1;
/// The highest `ParallelizationFactor`.
pub const MAPPING_PARALLEL_MAX: i64 = 10;
