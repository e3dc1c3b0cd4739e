//! Registered consumers are sent each record, and none takes anything from another. Page: `book/21-fan-out.md`.
//!
//!     cargo run --bin fan-out

use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput;
use aws_sdk_kinesis::types::ShardIteratorType::{AfterSequenceNumber, TrimHorizon};
use aws_sdk_kinesis::types::StartingPosition;
use aws_sdk_kinesis::Client;
use snippets::{connect, delete_stream, from_the_start, no_options, pass, println, put, register};
use snippets::{scratch_stream, without_retries, Result};
use std::time::Duration;
use tokio::task::JoinSet;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let config = connect().await;
    let kinesis = Client::new(&config);
    let stream = scratch_stream(&kinesis, "fan-out", 1).await?;
    let shard = put(&kinesis, &stream, "berlin", "sale 1").await?;
    let mut bills = Consumer::new(&kinesis, &stream, &shard, "bills").await?;
    let mut stock = Consumer::new(&kinesis, &stream, &shard, "stock").await?;
    bills.receives("sale 1").await?;
    stock.receives("sale 1").await?;

    crowd(&without_retries(&config), &stream, &shard).await?;
    put(&kinesis, &stream, "berlin", "sale 2").await?;
    bills.receives("sale 2").await?;
    stock.receives("sale 2").await?;

    pass(Duration::from_secs(5 * 60)).await;
    put(&kinesis, &stream, "berlin", "sale 3").await?;
    bills.receives("sale 3").await?;
    stock.receives("sale 3").await?;

    let deletion = kinesis.delete_stream().stream_name(&stream).send().await;
    let refused = deletion.err().ok_or("deleted with its consumers")?;
    println!("Deleting the stream: {}", refused.code().unwrap_or("?"));
    delete_stream(&kinesis, &stream).await
}
// ANCHOR_END: main

/// A consumer with a name of its own, subscribed to one shard.
struct Consumer {
    kinesis: Client,
    name: String,
    arn: String,
    shard: String,
    subscription: SubscribeToShardOutput,
    /// Where to go on.
    place: String,
}

impl Consumer {
    /// Registers the consumer and subscribes from the start of the shard.
    async fn new(kinesis: &Client, stream: &str, shard: &str, name: &str) -> Result<Self> {
        let arn = register(kinesis, stream, name).await?;
        let start = StartingPosition::builder().r#type(TrimHorizon).build()?;
        Ok(Self {
            subscription: subscribe(kinesis, &arn, shard, start).await?,
            kinesis: kinesis.clone(),
            name: name.to_owned(),
            arn,
            shard: shard.to_owned(),
            place: String::new(),
        })
    }

    // ANCHOR: receives
    /// Waits for the next records. When the subscription is over, it subscribes again and goes on where it was.
    async fn receives(&mut self, expected: &str) -> Result {
        loop {
            let Some(event) = self.subscription.event_stream.recv().await? else {
                println!("{}: the subscription is over, the next one begins", self.name);
                let place = StartingPosition::builder()
                    .r#type(AfterSequenceNumber)
                    .sequence_number(&self.place)
                    .build()?;
                self.subscription = subscribe(&self.kinesis, &self.arn, &self.shard, place).await?;
                continue;
            };
            let Ok(event) = event.as_subscribe_to_shard_event() else {
                continue;
            };
            self.place.clone_from(&event.continuation_sequence_number);
            let records = event.records.iter();
            let sales: Vec<_> =
                records.map(|record| String::from_utf8_lossy(record.data.as_ref())).collect();
            if !sales.is_empty() {
                println!("{}: {}", self.name, sales.join(", "));
                assert_eq!(sales, [expected], "each record once");
                return Ok(());
            }
        }
    }
    // ANCHOR_END: receives
}

// ANCHOR: subscribe
async fn subscribe(
    kinesis: &Client,
    consumer: &str,
    shard: &str,
    from: StartingPosition,
) -> Result<SubscribeToShardOutput> {
    let subscription = kinesis
        .subscribe_to_shard()
        .consumer_arn(consumer)
        .shard_id(shard)
        .starting_position(from)
        .send()
        .await?;
    Ok(subscription)
}
// ANCHOR_END: subscribe

/// Polls the shard, ten times at once, until it refuses.
async fn crowd(kinesis: &Client, stream: &str, shard: &str) -> Result {
    let start = from_the_start(kinesis, stream, shard).await?;
    for _ in 0..20 {
        let mut calls = JoinSet::new();
        for _ in 0..10 {
            calls.spawn(kinesis.get_records().set_shard_iterator(start.clone()).send());
        }
        if calls.join_all().await.iter().any(|answer| answer.is_err()) {
            println!("Ten polls at once: the shard refuses some");
            return Ok(());
        }
    }
    Err("everybody can poll as often as they like".into())
}
