//! An iterator ends after five minutes, and how to go on. An experiment of the page `book/15-get.md`.
//!
//!     cargo run --bin old-iterator

use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::operation::get_records::GetRecordsError;
use aws_sdk_kinesis::types::ShardIteratorType::AfterSequenceNumber;
use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, from_the_start, no_options, pass, println, put, read, scratch_stream,
    shards,
};
use snippets::{Error, Result};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "old-iterator", 1).await?;
    old_iterator(&kinesis, &stream).await?;
    delete_stream(&kinesis, &stream).await
}

// ANCHOR: old_iterator
async fn old_iterator(kinesis: &Client, stream: &str) -> Result {
    let shard = &shards(kinesis, stream).await?[0].shard_id;
    put(kinesis, stream, "key", "1").await?;
    let first = from_the_start(kinesis, stream, shard).await?;
    let records = read(kinesis, first.clone(), 1).await?;
    let last = records.last().ok_or("nothing came")?;
    println!("Read record 1, number {}", last.sequence_number);
    put(kinesis, stream, "key", "2").await?;

    pass(Duration::from_secs(301)).await;
    let error = kinesis
        .get_records()
        .set_shard_iterator(first)
        .send()
        .await
        .err()
        .ok_or("the iterator still works")?;
    println!("The old iterator: {}", error.code().unwrap_or_default());
    let is_expired = |error: &GetRecordsError| error.is_expired_iterator_exception();
    if !error.as_service_error().is_some_and(is_expired) {
        return Err(Error::from(error));
    }

    let fresh = kinesis
        .get_shard_iterator()
        .stream_name(stream)
        .shard_id(shard)
        .shard_iterator_type(AfterSequenceNumber)
        .starting_sequence_number(&last.sequence_number)
        .send()
        .await?
        .shard_iterator;
    let records = read(kinesis, fresh, 1).await?;
    let next = records.first().ok_or("record 2 is lost")?;
    assert_eq!(next.data.as_ref(), b"2", "where the reader had stopped");
    println!("A fresh one, after that number: record 2");
    Ok(())
}
// ANCHOR_END: old_iterator
