//! A consumer has one subscription to a shard: a second one takes it over. Solves the exercise of the page
//! `book/21-fan-out.md`.
//!
//!     cargo run --bin same-consumer

// ANCHOR: all
use aws_sdk_kinesis::operation::subscribe_to_shard::builders::SubscribeToShardFluentBuilder;
use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardError;
use aws_sdk_kinesis::types::error::SubscribeToShardEventStreamError;
use aws_sdk_kinesis::types::{ShardIteratorType::TrimHorizon, StartingPosition};
use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, no_options, pass, println, put, register, scratch_stream, Result,
};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "same-consumer", 1).await?;
    let shard = put(&kinesis, &stream, "berlin", "sale 1").await?;
    let bills = register(&kinesis, &stream, "bills").await?;

    let mut first = subscribe(&kinesis, &bills, &shard)?.send().await?;
    let at_once = subscribe(&kinesis, &bills, &shard)?.send().await.err();
    let in_use = |error: SubscribeToShardError| error.is_resource_in_use_exception();
    assert!(at_once.is_some_and(|error| in_use(error.into_service_error())));
    println!("The second subscription: in use");

    pass(Duration::from_secs(6)).await;
    let mut second = subscribe(&kinesis, &bills, &shard)?.send().await?;
    let event = second.event_stream.recv().await?;
    assert!(event.is_some(), "it has taken over");
    println!("The second subscription, six seconds later: has events");

    let mut ending = first.event_stream.recv().await;
    while let Ok(Some(_)) = ending {
        ending = first.event_stream.recv().await; // what was sent before
    }
    let in_use = |error: SubscribeToShardEventStreamError| error.is_resource_in_use_exception();
    assert!(ending.is_err_and(|error| in_use(error.into_service_error())));
    println!("The first subscription: ends, in use");
    delete_stream(&kinesis, &stream).await
}

fn subscribe(
    kinesis: &Client,
    consumer: &str,
    shard: &str,
) -> Result<SubscribeToShardFluentBuilder> {
    let start = StartingPosition::builder().r#type(TrimHorizon).build()?;
    Ok(kinesis.subscribe_to_shard().consumer_arn(consumer).shard_id(shard).starting_position(start))
}
// ANCHOR_END: all
