//! The pages about streams. Reading takes nothing away from other readers but some of a shard's second.

use super::queues::Queue;
use super::{count, done, missing, mistake, Clients, Verdict};
use aws_sdk_kinesis::types::ShardIteratorType::AfterSequenceNumber;
use aws_sdk_kinesis::types::{ConsumerStatus, Record, Shard, StreamDescriptionSummary};
use aws_sdk_kinesis::Client;
use snippets::{from_the_start, is_open, named, shards, Result};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;
use tokio::time::sleep;

/// The name of the lab's stream.
fn stream() -> String {
    named("KinesisStream")
}

async fn summary(kinesis: &Client) -> Result<StreamDescriptionSummary> {
    let summary = kinesis
        .describe_stream_summary()
        .stream_name(stream())
        .send()
        .await?
        .stream_description_summary;
    Ok(summary.ok_or("a stream without a description")?)
}

/// All records of the lab's stream, shard by shard.
async fn records(kinesis: &Client) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for shard in shards(kinesis, &stream()).await? {
        let start = from_the_start(kinesis, &stream(), &shard.shard_id).await?;
        records.extend(read_on(kinesis, start).await?);
    }
    Ok(records)
}

/// The records from here to the newest one.
async fn read_on(kinesis: &Client, mut iterator: Option<String>) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    while let Some(here) = iterator {
        let got = kinesis.get_records().shard_iterator(here).send().await?;
        records.extend(got.records);
        let more = got.millis_behind_latest != Some(0);
        iterator = got.next_shard_iterator.filter(|_| more);
        if iterator.is_some() {
            sleep(Duration::from_millis(250)).await;
        }
    }
    Ok(records)
}

/// For each partition key, in their order, the data of its records.
fn by_key(records: &[Record]) -> BTreeMap<&str, Vec<String>> {
    let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in records {
        let data = String::from_utf8_lossy(record.data.as_ref()).into_owned();
        by_key.entry(record.partition_key().unwrap_or_default()).or_default().push(data);
    }
    by_key
}

/// Messages that were read are gone from the queue; the records are still in the stream.
pub async fn both(clients: &Clients) -> Result<Verdict> {
    let queue = Queue::find(&clients.sqs, "StandardQueue").await?;
    let records = records(&clients.kinesis).await?.len() as u64;
    let (name, stream, has) = (&queue.name, stream(), count(records, "record"));
    match (queue.visible(), queue.in_flight()) {
        _ if records < 10 => missing(format!("{stream} has {has}")),
        (0, 0) => done(format!("{name} is empty, and {stream} has {has}")),
        (_, in_flight @ 1..) => mistake(
            format!("{name} has {} in flight", count(in_flight, "message")),
            "received, and not deleted: only what is deleted is gone",
        ),
        (visible, 0) => missing(format!("{name} holds {}", count(visible, "message"))),
    }
}

/// Two records have one key, so that they stay in order.
pub async fn put(clients: &Clients) -> Result<Verdict> {
    let records = records(&clients.kinesis).await?;
    let by_key = by_key(&records);
    match by_key.iter().find(|(_, records)| records.len() > 1) {
        Some((key, records)) => done(format!("{} records have the key {key}", records.len())),
        None if records.is_empty() => missing(format!("{} has no records", stream())),
        None => mistake(
            "each record has a key of its own",
            "random keys: what belongs together may go to different shards",
        ),
    }
}

/// Records are kept for two days.
pub async fn get(clients: &Clients) -> Result<Verdict> {
    let hours = summary(&clients.kinesis).await?.retention_period_hours;
    let keeps = format!("{} keeps its records for {hours} hours", stream());
    match hours {
        48.. => done(keeps),
        _ => mistake(keeps, "`retention` raises that of a stream of its own, and deletes it"),
    }
}

/// Each record of the stream was copied into the queue.
pub async fn lost_records(clients: &Clients) -> Result<Verdict> {
    let records = records(&clients.kinesis).await?.len() as u64;
    let queue = Queue::find(&clients.sqs, "StandardQueue").await?;
    let (stream, name, copies) = (stream(), &queue.name, queue.visible());
    let has = format!("{stream} has {}, {name} holds {copies}", count(records, "record"));
    match copies {
        _ if records == 0 => missing(has),
        0 => missing(has),
        _ if copies < records => {
            mistake(has, "LATEST after each batch: it begins after what was put during the work")
        }
        _ if copies > records => mistake(has, "the queue was not empty before"),
        _ => done(has),
    }
}

/// The newest records of an account are in their order.
pub async fn put_many(clients: &Clients) -> Result<Verdict> {
    let records = records(&clients.kinesis).await?;
    let by_key = by_key(&records);
    let Some(account) = by_key.get("account-7") else {
        return missing(format!("{} has no records of account-7", stream()));
    };
    let order = account.join(" ");
    let is = format!("the records of account-7 are {order}");
    match account {
        _ if order.ends_with("A B C") => done(is),
        _ if !["A", "B", "C"].iter().all(|letter| account.iter().any(|data| data == letter)) => {
            mistake(is, "PutRecords said Ok, and one was not stored: look at each result")
        }
        _ => mistake(is, "what had failed was sent again, behind what had followed it"),
    }
}

/// The sales of each till have a key, and no key has all of them.
pub async fn hot_keys(clients: &Clients) -> Result<Verdict> {
    let records = records(&clients.kinesis).await?;
    let mut keys = by_key(&records);
    keys.retain(|key, _| key.starts_with("berlin"));
    let several = keys.values().filter(|sales| sales.len() > 1).count();
    let sales =
        keys.iter().map(|(key, sales)| format!("{} of {key}", count(sales.len() as u64, "sale")));
    let sales = sales.collect::<Vec<_>>().join(", ");
    match (several, keys.len()) {
        (2.., _) => done(sales),
        (_, 0) => missing(format!("{} has no record whose key begins with berlin", stream())),
        (0, _) => {
            mistake(sales, "each sale has a key of its own, so nothing keeps the order of a till")
        }
        (_, 1) => mistake(sales, "a hot key: all of them go to one shard, however many there are"),
        _ => missing(sales),
    }
}

/// A shard was split.
pub async fn reshard(clients: &Clients) -> Result<Verdict> {
    let shards = shards(&clients.kinesis, &stream()).await?;
    let open = shards.iter().filter(|shard| is_open(shard)).count();
    let halves = shards.iter().filter(|shard| is_open(shard) && is_half(shard)).count();
    let has = format!(
        "{} has {}, {halves} of them from a split",
        stream(),
        count(open as u64, "open shard")
    );
    match halves {
        0 | 1 => missing(has),
        _ => done(has),
    }
}

/// A shard with two parents comes from a merge.
fn is_half(shard: &Shard) -> bool {
    shard.parent_shard_id.is_some() && shard.adjacent_parent_shard_id.is_none()
}

/// Nothing is left to handle behind the checkpoints.
pub async fn checkpoints(clients: &Clients) -> Result<Verdict> {
    let Ok(file) = fs::read("checkpoints.json") else {
        return missing("there is no checkpoints.json in this folder");
    };
    let checkpoints: BTreeMap<String, String> = serde_json::from_slice(&file)?;
    let (kinesis, stream) = (&clients.kinesis, stream());
    let mut left = 0;
    for shard in shards(kinesis, &stream).await? {
        let place = match checkpoints.get(&shard.shard_id) {
            Some(number) => {
                kinesis
                    .get_shard_iterator()
                    .stream_name(&stream)
                    .shard_iterator_type(AfterSequenceNumber)
                    .starting_sequence_number(number)
                    .shard_id(&shard.shard_id)
                    .send()
                    .await?
                    .shard_iterator
            }
            None => from_the_start(kinesis, &stream, &shard.shard_id).await?,
        };
        left += read_on(kinesis, place).await?.len();
    }
    match left {
        0 => done(format!("no record of {stream} is behind the checkpoints")),
        left => mistake(
            format!("{} behind the checkpoints", count(left as u64, "record")),
            "`--count` ends the consumer as a crash does, before the checkpoint of its last batch",
        ),
    }
}

/// A consumer of the lab's own stream is registered.
pub async fn fan_out(clients: &Clients) -> Result<Verdict> {
    let summary = summary(&clients.kinesis).await?;
    let answer =
        clients.kinesis.list_stream_consumers().stream_arn(summary.stream_arn).send().await?;
    match answer.consumers().first() {
        None => mistake(
            format!("no consumer of {} is registered", stream()),
            "`fan-out` registers its consumers with a stream of its own, and deletes it",
        ),
        Some(consumer) if consumer.consumer_status == ConsumerStatus::Active => {
            done(format!("{} is registered with {}", consumer.consumer_name, stream()))
        }
        Some(consumer) => {
            missing(format!("{} is {}", consumer.consumer_name, consumer.consumer_status))
        }
    }
}
