//! Records go when their time is over, read or not. Solves the exercise of the page `book/15-get.md`.
//!
//!     cargo run --bin retention

// ANCHOR: all
use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, from_the_start, no_options, pass, println, put, scratch_stream, shards,
    Result,
};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "retention", 1).await?;
    put(&kinesis, &stream, "key", "an order").await?;

    kinesis
        .increase_stream_retention_period()
        .stream_name(&stream)
        .retention_period_hours(48)
        .send()
        .await?;
    println!("Records are now kept for 48 hours");

    pass(25 * HOUR).await;
    assert_eq!(count(&kinesis, &stream).await?, 1, "a day later");
    pass(24 * HOUR).await;
    assert_eq!(count(&kinesis, &stream).await?, 0, "two days later");
    delete_stream(&kinesis, &stream).await
}

/// How many records the stream's only shard still has.
async fn count(kinesis: &Client, stream: &str) -> Result<usize> {
    let shard = &shards(kinesis, stream).await?[0].shard_id;
    let iterator = from_the_start(kinesis, stream, shard).await?;
    let count = kinesis.get_records().set_shard_iterator(iterator).send().await?.records.len();
    println!("Records in the stream: {count}");
    Ok(count)
}
// ANCHOR_END: all
