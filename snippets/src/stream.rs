//! The common part of the programs about streams.

use crate::queue::scratch_name;
use crate::Result;
use aws_config::retry::RetryConfig;
use aws_config::SdkConfig;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::ShardIteratorType::{self, TrimHorizon};
use aws_sdk_kinesis::types::{ConsumerStatus, Record, Shard, StreamStatus};
use aws_sdk_kinesis::{config, Client};
use md5::{Digest, Md5};
use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: without_retries
/// A client that tells of a throttled call at once, instead of trying again.
pub fn without_retries(config: &SdkConfig) -> Client {
    let config = config::Builder::from(config).retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}
// ANCHOR_END: without_retries

// ANCHOR: scratch_stream
/// A new stream for one experiment, such as `experiment-hot-keys-KXWQBA`, ready for use. The experiment deletes it at
/// its end with [`delete_stream`].
pub async fn scratch_stream(kinesis: &Client, experiment: &str, shards: i32) -> Result<String> {
    let stream = scratch_name(experiment);
    kinesis.create_stream().stream_name(&stream).shard_count(shards).send().await?;
    active(kinesis, &stream).await?;
    Ok(stream)
}
// ANCHOR_END: scratch_stream

// ANCHOR: active
/// Waits until the stream is there, or until its shards have changed.
pub async fn active(kinesis: &Client, stream: &str) -> Result {
    for _ in 0..600 {
        let described = kinesis.describe_stream_summary().stream_name(stream).send().await?;
        let summary = described.stream_description_summary;
        if summary.is_some_and(|summary| summary.stream_status == StreamStatus::Active) {
            return Ok(());
        }
        sleep(Duration::from_millis(200)).await;
    }
    Err(format!("{stream} is not active after two minutes").into())
}
// ANCHOR_END: active

// ANCHOR: shards
/// All shards of the stream, those that are closed included.
pub async fn shards(kinesis: &Client, stream: &str) -> Result<Vec<Shard>> {
    let listing = kinesis.list_shards().stream_name(stream).send().await?;
    let mut shards = listing.shards.unwrap_or_default();
    let mut more = listing.next_token;
    while let Some(token) = more {
        let listing = kinesis.list_shards().next_token(token).send().await?;
        shards.extend(listing.shards.unwrap_or_default());
        more = listing.next_token;
    }
    Ok(shards)
}
// ANCHOR_END: shards

/// Whether the shard still takes records: it was neither split nor merged.
pub fn is_open(shard: &Shard) -> bool {
    let numbers = shard.sequence_number_range.as_ref();
    numbers.is_some_and(|range| range.ending_sequence_number.is_none())
}

// ANCHOR: put
/// Puts one record and returns the shard that took it.
pub async fn put(kinesis: &Client, stream: &str, key: &str, data: &str) -> Result<String> {
    let answer = kinesis
        .put_record()
        .stream_name(stream)
        .partition_key(key)
        .data(Blob::new(data))
        .send()
        .await?;
    Ok(answer.shard_id)
}
// ANCHOR_END: put

// ANCHOR: iterator
/// An iterator that begins with the oldest record of the shard.
pub async fn from_the_start(kinesis: &Client, stream: &str, shard: &str) -> Result<Option<String>> {
    iterator(kinesis, stream, shard, TrimHorizon).await
}

/// An iterator of a kind that needs nothing more to be said: `TrimHorizon` or `Latest`.
pub async fn iterator(
    kinesis: &Client,
    stream: &str,
    shard: &str,
    kind: ShardIteratorType,
) -> Result<Option<String>> {
    let answer = kinesis
        .get_shard_iterator()
        .stream_name(stream)
        .shard_id(shard)
        .shard_iterator_type(kind)
        .send()
        .await?;
    Ok(answer.shard_iterator)
}
// ANCHOR_END: iterator

// ANCHOR: read
/// Reads on from the iterator until `how_many` records have come, slowly enough for one shard. Gives up after ten
/// seconds.
pub async fn read(
    kinesis: &Client,
    mut iterator: Option<String>,
    how_many: usize,
) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for _ in 0..40 {
        let Some(next) = iterator.filter(|_| records.len() < how_many) else {
            break;
        };
        sleep(Duration::from_millis(250)).await;
        let got = kinesis.get_records().shard_iterator(next).send().await?;
        records.extend(got.records);
        iterator = got.next_shard_iterator;
    }
    Ok(records)
}
// ANCHOR_END: read

// ANCHOR: hash_key
/// The MD5 hash of a partition key, as a number.
pub fn hash_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key).into())
}
// ANCHOR_END: hash_key

/// A random UUID.
pub fn uuid() -> String {
    let random = uuid::Builder::from_random_bytes(rand::random());
    random.into_uuid().to_string()
}

// ANCHOR: register
/// Registers a consumer of the stream, waits until it is active, and returns its ARN.
pub async fn register(kinesis: &Client, stream: &str, consumer: &str) -> Result<String> {
    let described = kinesis.describe_stream_summary().stream_name(stream).send().await?;
    let summary = described.stream_description_summary.ok_or("the answer has no summary")?;
    let registered = kinesis
        .register_stream_consumer()
        .stream_arn(summary.stream_arn)
        .consumer_name(consumer)
        .send()
        .await?;
    let arn = registered.consumer.ok_or("the answer has no consumer")?.consumer_arn;
    for _ in 0..600 {
        let described = kinesis.describe_stream_consumer().consumer_arn(&arn).send().await?;
        let known = described.consumer_description;
        if known.is_some_and(|known| known.consumer_status == ConsumerStatus::Active) {
            return Ok(arn);
        }
        sleep(Duration::from_millis(200)).await;
    }
    Err(format!("{consumer} is not active after two minutes").into())
}
// ANCHOR_END: register

/// Deletes an experiment's stream, whoever is registered to read it.
pub async fn delete_stream(kinesis: &Client, stream: &str) -> Result {
    kinesis.delete_stream().stream_name(stream).enforce_consumer_deletion(true).send().await?;
    Ok(())
}
