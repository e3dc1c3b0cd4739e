//! The five places where a reader can begin. An experiment of the page `book/15-get.md`.
//!
//!     cargo run --bin from-where

use aws_sdk_kinesis::types::Record;
use aws_sdk_kinesis::types::ShardIteratorType::{
    AfterSequenceNumber, AtSequenceNumber, AtTimestamp, Latest, TrimHorizon,
};
use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, no_options, println, put, read, scratch_stream, shards, Result,
};
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "from-where", 1).await?;
    from_where(&kinesis, &stream).await?;
    delete_stream(&kinesis, &stream).await
}

// ANCHOR: from_where
async fn from_where(kinesis: &Client, stream: &str) -> Result {
    let shard = &shards(kinesis, stream).await?[0].shard_id;
    let ask = |kind| {
        kinesis.get_shard_iterator().stream_name(stream).shard_id(shard).shard_iterator_type(kind)
    };
    put_numbers(kinesis, stream, 1..=3).await?;
    let latest = ask(Latest).send().await?.shard_iterator;
    println!("1, 2 and 3 are in the stream when LATEST is asked for. Then come 4 and 5");
    put_numbers(kinesis, stream, 4..=5).await?;

    show("LATEST", &read(kinesis, latest, 2).await?, "4 5");
    let start = ask(TrimHorizon).send().await?.shard_iterator;
    let all = read(kinesis, start, 5).await?;
    show("TRIM_HORIZON", &all, "1 2 3 4 5");

    let third = &all[2];
    let time = third.approximate_arrival_timestamp;
    let number = &third.sequence_number;
    let at_time = ask(AtTimestamp).set_timestamp(time);
    let at = ask(AtSequenceNumber).starting_sequence_number(number);
    let after = ask(AfterSequenceNumber).starting_sequence_number(number);
    for (place, asked, expected) in [
        ("AT_TIMESTAMP of 3", at_time, "3 4 5"),
        ("AT_SEQUENCE_NUMBER of 3", at, "3 4 5"),
        ("AFTER_SEQUENCE_NUMBER of 3", after, "4 5"),
    ] {
        let iterator = asked.send().await?.shard_iterator;
        let how_many = expected.split(' ').count();
        show(place, &read(kinesis, iterator, how_many).await?, expected);
    }
    Ok(())
}
// ANCHOR_END: from_where

/// Puts the numbers one after the other, each with an arrival time of its own.
async fn put_numbers(kinesis: &Client, stream: &str, numbers: RangeInclusive<u32>) -> Result {
    for n in numbers {
        sleep(Duration::from_millis(10)).await;
        put(kinesis, stream, "the same key", &n.to_string()).await?;
    }
    Ok(())
}

fn show(place: &str, records: &[Record], expected: &str) {
    let data = records.iter().map(|record| record.data.as_ref());
    let data: Vec<_> = data.map(String::from_utf8_lossy).collect();
    println!("{place:26} {}", data.join(" "));
    assert_eq!(data.join(" "), expected, "from {place}");
}
