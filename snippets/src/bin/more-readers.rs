//! The readers of a shard share its five reads a second. An experiment of the page `book/18-hot-keys.md`.
//!
//!     cargo run --bin more-readers

use aws_sdk_kinesis::error::SdkError;
use aws_sdk_kinesis::operation::get_records::GetRecordsError;
use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, from_the_start, no_options, pass, println, put, scratch_stream,
};
use snippets::{without_retries, Result};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let config = connect().await;
    let kinesis = Client::new(&config);
    let stream = scratch_stream(&kinesis, "more-readers", 1).await?;
    let shard = put(&kinesis, &stream, "berlin", "a sale").await?;
    let start = from_the_start(&kinesis, &stream, &shard).await?;

    let mut throttled = Vec::new();
    for readers in 1..=5 {
        pass(Duration::from_secs(1)).await;
        throttled.push(read(&without_retries(&config), &start, readers).await?);
    }
    delete_stream(&kinesis, &stream).await?;
    assert_eq!(throttled[0], 0, "one reader has enough");
    assert!(throttled[4] > 0, "five have not");
    assert!(throttled.is_sorted(), "more readers, more throttles");
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: read
/// So many readers read the shard at the same time, twice each. Returns how many of the calls were throttled. A round
/// that takes more than its second says nothing, and is repeated.
async fn read(kinesis: &Client, start: &Option<String>, readers: u32) -> Result<u32> {
    for _ in 0..20 {
        let began = Instant::now();
        let mut calls = JoinSet::new();
        for _ in 0..readers * 2 {
            calls.spawn(kinesis.get_records().set_shard_iterator(start.clone()).send());
        }
        let mut throttled = 0;
        while let Some(Ok(answer)) = calls.join_next().await {
            match answer {
                Err(error) if is_throttle(&error) => throttled += 1,
                answer => drop(answer?),
            }
        }
        if began.elapsed() < Duration::from_secs(1) {
            let calls = readers * 2;
            println!("Readers: {readers}. Calls: {calls}. Throttled: {throttled}");
            return Ok(throttled);
        }
        sleep(Duration::from_secs(1)).await;
    }
    Err("everything is too slow here to be throttled".into())
}

fn is_throttle(error: &SdkError<GetRecordsError>) -> bool {
    let error = error.as_service_error();
    error.is_some_and(GetRecordsError::is_provisioned_throughput_exceeded_exception)
}
// ANCHOR_END: read
