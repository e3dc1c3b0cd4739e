//! PutRecords says Ok and stores a part; the rest is sent again. Page: `book/17-put-many.md`.
//!
//!     cargo run --bin put-many

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry as Entry;
use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, from_the_start, no_options, println, read, scratch_stream, shards,
    Result,
};
use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "put-many", 1).await?;
    let calls = put_all(&kinesis, &stream, entries()?).await?;
    assert!(calls > 1, "one call is not enough for 2.5 MB");
    read_back(&kinesis, &stream).await?;
    delete_stream(&kinesis, &stream).await
}

/// 500 records of 5,000 bytes: a number, and spaces.
fn entries() -> Result<Vec<Entry>> {
    let entry = |n: u32| {
        Ok(Entry::builder()
            .partition_key(format!("customer-{n}"))
            .data(Blob::new(format!("{n:<5000}")))
            .build()?)
    };
    (1..=500).map(entry).collect()
}
// ANCHOR_END: main

// ANCHOR: put_all
/// Puts the entries, and those that failed again, until all are stored. Returns the number of calls.
async fn put_all(kinesis: &Client, stream: &str, mut entries: Vec<Entry>) -> Result<u32> {
    let mut wait = Duration::from_secs(1);
    for call in 1..=6 {
        let sent = entries.len();
        let answer = kinesis
            .put_records()
            .stream_name(stream)
            .set_records(Some(entries.clone()))
            .send()
            .await?;
        let failed = answer.failed_record_count().unwrap_or_default();
        println!("Call {call}: Ok, and {failed} of {sent} failed");
        if failed == 0 {
            return Ok(call);
        }

        // The results are in the order of the entries.
        assert_eq!(answer.records.len(), sent, "one result for each entry");
        let answered = entries.into_iter().zip(answer.records);
        let refused = answered.filter(|(_, result)| result.error_code.is_some());
        entries = refused.map(|(entry, _)| entry).collect();
        sleep(wait).await;
        wait *= 2;
    }
    Err(format!("{} records are still not stored", entries.len()).into())
}
// ANCHOR_END: put_all

// ANCHOR: read_back
/// Every number must be there, once.
async fn read_back(kinesis: &Client, stream: &str) -> Result {
    let shard = &shards(kinesis, stream).await?[0].shard_id;
    let iterator = from_the_start(kinesis, stream, shard).await?;
    let records = read(kinesis, iterator, 500).await?;
    println!("Read back: {} records", records.len());
    let number = |data: &Blob| String::from_utf8_lossy(data.as_ref()).trim().parse().ok();
    let mut numbers: Vec<u32> = records.iter().filter_map(|record| number(&record.data)).collect();
    numbers.sort();
    assert_eq!(numbers, Vec::from_iter(1..=500), "each of them, once");
    Ok(())
}
// ANCHOR_END: read_back
