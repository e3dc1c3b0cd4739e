//! Shards are split and merged while records come, and the order of each key holds. Page: `book/19-reshard.md`.
//!
//!     cargo run --bin reshard

use aws_sdk_kinesis::types::{Record, ScalingType};
use aws_sdk_kinesis::Client;
use snippets::{
    active, connect, delete_stream, from_the_start, no_options, pass, println, put, scratch_stream,
    shards, Result,
};
use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::time::Duration;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "reshard", 1).await?;
    deposit(&kinesis, &stream, 1..=10).await?;
    reshard(&kinesis, &stream, 2, 11..=20).await?;
    reshard(&kinesis, &stream, 4, 21..=30).await?;
    reshard(&kinesis, &stream, 2, 31..=40).await?;
    deposit(&kinesis, &stream, 41..=50).await?;
    print_shards(&kinesis, &stream).await?;

    let broken = out_of_order(&read(&kinesis, &stream, true).await?)?;
    println!("Parents first: accounts out of order: {broken} of 10");
    assert_eq!(broken, 0, "the order holds");
    pass(Duration::from_secs(1)).await;
    let broken = out_of_order(&read(&kinesis, &stream, false).await?)?;
    println!("All at once: accounts out of order: {broken} of 10");
    assert!(broken > 0, "children overtake their parents");
    delete_stream(&kinesis, &stream).await
}
// ANCHOR_END: main

// ANCHOR: reshard
/// Splits or merges until there are `target` shards, and deposits while this goes on.
async fn reshard(kinesis: &Client, stream: &str, target: i32, deposits: Numbers) -> Result {
    kinesis
        .update_shard_count()
        .stream_name(stream)
        .scaling_type(ScalingType::UniformScaling)
        .target_shard_count(target)
        .send()
        .await?;
    deposit(kinesis, stream, deposits).await?;
    active(kinesis, stream).await
}
// ANCHOR_END: reshard

type Numbers = std::ops::RangeInclusive<u32>;

// ANCHOR: deposit
/// Puts these deposits to each of ten accounts, in order.
async fn deposit(kinesis: &Client, stream: &str, deposits: Numbers) -> Result {
    for n in deposits {
        for account in 0..10 {
            let account = format!("account-{account}");
            put(kinesis, stream, &account, &n.to_string()).await?;
        }
    }
    Ok(())
}
// ANCHOR_END: deposit

async fn print_shards(kinesis: &Client, stream: &str) -> Result {
    for shard in shards(kinesis, stream).await? {
        let id = shard.shard_id;
        match (shard.parent_shard_id, shard.adjacent_parent_shard_id) {
            (Some(one), Some(other)) => println!("{id} merged from {one} and {other}"),
            (Some(parent), None) => println!("{id} split from {parent}"),
            _ => println!("{id}"),
        }
    }
    Ok(())
}

// ANCHOR: read
/// Reads all shards in turn, sixty records at a time. A shard with parents begins when they are read to their end, or
/// at once.
async fn read(kinesis: &Client, stream: &str, parents_first: bool) -> Result<Vec<Record>> {
    let mut log = Vec::new();
    let mut ended = BTreeSet::new();
    let mut reading = Vec::new();
    for shard in shards(kinesis, stream).await? {
        if shard.parent_shard_id.is_none() || !parents_first {
            let iterator = from_the_start(kinesis, stream, &shard.shard_id).await?;
            reading.push((shard.shard_id, iterator));
        }
    }
    for _ in 0..100 {
        for (shard, iterator) in take(&mut reading) {
            let answer =
                kinesis.get_records().set_shard_iterator(iterator).limit(60).send().await?;
            let is_empty = answer.records.is_empty();
            log.extend(answer.records);
            if answer.next_shard_iterator.is_none() {
                ended.insert(shard);
                for child in answer.child_shards.unwrap_or_default() {
                    let ready = child.parent_shards.iter().all(|p| ended.contains(p));
                    if parents_first && ready {
                        let iterator = from_the_start(kinesis, stream, &child.shard_id).await?;
                        reading.push((child.shard_id, iterator));
                    }
                }
            } else if !is_empty || answer.millis_behind_latest != Some(0) {
                reading.push((shard, answer.next_shard_iterator));
            }
        }
    }
    Ok(log)
}
// ANCHOR_END: read

// ANCHOR: out_of_order
/// How many accounts don't have their fifty deposits in order.
fn out_of_order(log: &[Record]) -> Result<usize> {
    assert_eq!(log.len(), 500, "nothing is lost, nothing comes twice");
    let mut accounts: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for record in log {
        let deposits = accounts.entry(&record.partition_key).or_default();
        let number = String::from_utf8_lossy(record.data.as_ref()).parse();
        deposits.push(number.map_err(|_| "not a number")?);
    }
    Ok(accounts.values().filter(|all| !all.is_sorted()).count())
}
// ANCHOR_END: out_of_order
