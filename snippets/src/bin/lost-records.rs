//! A consumer that asks for LATEST after each batch loses records. Page: `book/16-lost-records.md`.
//!
//!     cargo run --bin lost-records

use aws_sdk_kinesis::types::ShardIteratorType::Latest;
use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, iterator, no_options, println, put, scratch_stream, shards, Result,
};
use std::mem::take;
use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    for shards in [1, 2] {
        let stream = scratch_stream(&kinesis, "lost-records", shards).await?;
        let (old, right) = compare(&kinesis, &stream).await?;
        delete_stream(&kinesis, &stream).await?;
        println!("Shards: {shards}. Put: {PUT}");
        println!("  the old loop saw {old} and lost {}", PUT - old);
        println!("  the right one saw {right}");
        assert!(old < PUT, "the old loop loses records");
        assert_eq!(right, PUT, "the right one has every record");
    }
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: compare
const ROUNDS: usize = 5;
const PUT: usize = ROUNDS * (8 + 2);

/// Two consumers read at the same pace, while a producer goes on. Returns how many records each of them saw.
async fn compare(kinesis: &Client, stream: &str) -> Result<(usize, usize)> {
    let (mut seen_by_old, mut seen_by_right) = (0, 0);
    let mut numbers = 1..=PUT;
    let all = shards(kinesis, stream).await?;
    let latest = |shard: usize| iterator(kinesis, stream, &all[shard].shard_id, Latest);
    let mut old = latest(0).await?;
    let mut right = Vec::new();
    for shard in 0..all.len() {
        right.extend(latest(shard).await?);
    }
    for _ in 0..ROUNDS {
        put_some(kinesis, stream, numbers.by_ref().take(8)).await?;
        sleep(Duration::from_millis(500)).await;
        seen_by_old += get(kinesis, old).await?.0;
        seen_by_right += get_all(kinesis, &mut right).await?;

        // Both work on what they have got. Meanwhile the producer goes on.
        put_some(kinesis, stream, numbers.by_ref().take(2)).await?;

        old = latest(0).await?;
    }
    sleep(Duration::from_millis(500)).await;
    seen_by_old += get(kinesis, old).await?.0;
    seen_by_right += get_all(kinesis, &mut right).await?;
    Ok((seen_by_old, seen_by_right))
}
// ANCHOR_END: compare

// ANCHOR: get
/// Reads once. Returns how many records came, and the iterator that goes on behind them.
async fn get(kinesis: &Client, iterator: Option<String>) -> Result<(usize, Option<String>)> {
    let got = kinesis.get_records().set_shard_iterator(iterator).limit(40).send().await?;
    Ok((got.records.len(), got.next_shard_iterator))
}

/// Reads each shard once, and puts the next iterators in the place of those it used.
async fn get_all(kinesis: &Client, iterators: &mut Vec<String>) -> Result<usize> {
    let mut seen = 0;
    for iterator in take(iterators) {
        let (records, next) = get(kinesis, Some(iterator)).await?;
        seen += records;
        iterators.extend(next);
    }
    Ok(seen)
}
// ANCHOR_END: get

async fn put_some(kinesis: &Client, stream: &str, numbers: impl Iterator<Item = usize>) -> Result {
    for n in numbers {
        put(kinesis, stream, &format!("customer-{n}"), "an order").await?;
    }
    Ok(())
}
