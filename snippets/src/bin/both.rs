//! The same hundred messages through a queue and through a stream, with two consumers each. Page: `book/13-both.md`.
//!
//!     cargo run --bin both

use aws_sdk_kinesis as kinesis;
use aws_sdk_sqs as sqs;
use kinesis::primitives::Blob;
use snippets::{connect, delete, delete_stream, from_the_start, no_options, pass, println, put};
use snippets::{scratch_queue, scratch_stream, shards, Result};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result {
    no_options();
    let config = connect().await;
    through_a_queue(&sqs::Client::new(&config)).await?;
    through_a_stream(&kinesis::Client::new(&config)).await
}

// ANCHOR: queue
async fn through_a_queue(sqs: &sqs::Client) -> Result {
    let queue = scratch_queue(sqs, "both").await?;
    for n in 1..=100 {
        sqs.send_message().queue_url(&queue).message_body(format!("Order {n}")).send().await?;
    }
    let (mut first, mut second) = (0, 0);
    for _ in 0..100 {
        first += receive(sqs, &queue).await?;
        second += receive(sqs, &queue).await?;
        if first + second >= 100 {
            break;
        }
    }
    println!("Queue:  consumer 1 had {first} messages, consumer 2 had {second}");
    assert_eq!(first + second, 100, "each message came to one of the two");
    assert!(first > 0 && second > 0, "both had some");

    pass(Duration::from_secs(31)).await; // past the visibility timeout
    let late = receive(sqs, &queue).await?;
    println!("Queue:  a third one, later, has {late}");
    assert_eq!(late, 0, "what is done is gone");
    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(())
}

/// Receives up to ten messages, deletes them, and says how many there were.
async fn receive(sqs: &sqs::Client, queue: &str) -> Result<usize> {
    let response = sqs
        .receive_message()
        .queue_url(queue)
        .max_number_of_messages(10)
        .wait_time_seconds(1)
        .send()
        .await?;
    let messages = response.messages.unwrap_or_default();
    let count = messages.len();
    for message in messages {
        delete(sqs, queue, message).await?;
    }
    Ok(count)
}
// ANCHOR_END: queue

// ANCHOR: stream
async fn through_a_stream(kinesis: &kinesis::Client) -> Result {
    let stream = scratch_stream(kinesis, "both", 2).await?;
    for n in 1..=100 {
        let (customer, order) = (format!("customer-{}", n % 10), format!("Order {n}"));
        put(kinesis, &stream, &customer, &order).await?;
    }
    let first = read(kinesis, &stream).await?;
    let second = read(kinesis, &stream).await?;
    let [one, two] = [first.len(), second.len()];
    println!("Stream: consumer 1 had {one} records, consumer 2 had {two}");
    assert_eq!(one, 100, "every record");
    assert_eq!(first, second, "the same ones, in the same order");

    let late = read(kinesis, &stream).await?;
    println!("Stream: a third one, later, has {}", late.len());
    assert_eq!(late, first, "what is read is still there");
    delete_stream(kinesis, &stream).await
}

/// Reads all shards from the oldest record to the newest.
async fn read(kinesis: &kinesis::Client, stream: &str) -> Result<Vec<Blob>> {
    let mut read = Vec::new();
    for shard in shards(kinesis, stream).await? {
        let mut iterator = from_the_start(kinesis, stream, &shard.shard_id).await?;
        while let Some(position) = iterator {
            let got = kinesis.get_records().shard_iterator(position).send().await?;
            read.extend(got.records.into_iter().map(|record| record.data));
            let more = got.millis_behind_latest != Some(0);
            iterator = got.next_shard_iterator.filter(|_| more);
        }
    }
    Ok(read)
}
// ANCHOR_END: stream
