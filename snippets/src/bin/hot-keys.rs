//! One hot partition key throttles its shard while the others have nothing to do. Page: `book/18-hot-keys.md`.
//!
//!     cargo run --bin hot-keys

use aws_config::SdkConfig;
use aws_sdk_kinesis::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_kinesis::config::{
    retry::RetryConfig, Config, ConfigBag, Intercept, RuntimeComponents,
};
use aws_sdk_kinesis::error::{BoxError, ProvideErrorMetadata};
use aws_sdk_kinesis::operation::put_record::builders::PutRecordFluentBuilder;
use aws_sdk_kinesis::operation::put_records::builders::PutRecordsFluentBuilder as Sales;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, no_options, pass, println, scratch_stream, shards, without_retries,
    Result,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Duration;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let config = connect().await;
    let kinesis = Client::new(&config);
    let stream = scratch_stream(&kinesis, "hot-keys", 4).await?;

    println!("500 sales, the key is the shop:");
    let refused = put_sales(&kinesis, &stream, |_| "berlin".to_owned()).await?;
    assert!(refused > 0, "one shard can't take them all");
    one_more(&config, &stream).await?;

    pass(Duration::from_secs(1)).await;
    println!("500 sales, the key is the receipt:");
    let refused = put_sales(&kinesis, &stream, |n| format!("receipt-{n}")).await?;
    assert_eq!(refused, 0, "four shards have room for all");
    delete_stream(&kinesis, &stream).await
}
// ANCHOR_END: main

// ANCHOR: put_sales
/// Puts 500 sales of 4,000 bytes. Prints how many each shard took, and returns how many were refused.
async fn put_sales(kinesis: &Client, stream: &str, key: impl Fn(u32) -> String) -> Result<i32> {
    let answer = sales(kinesis, stream, key)?.send().await?;
    let shards = shards(kinesis, stream).await?.into_iter();
    let mut taken: BTreeMap<_, _> = shards.map(|shard| (shard.shard_id, 0)).collect();
    for shard in answer.records.iter().filter_map(|record| record.shard_id()) {
        *taken.entry(shard.to_owned()).or_default() += 1;
    }
    for (shard, records) in taken {
        println!("  {shard} took {records}");
    }
    let refused = answer.failed_record_count.unwrap_or_default();
    println!("  refused: {refused}");
    Ok(refused)
}
// ANCHOR_END: put_sales

/// One call with 500 sales.
fn sales(kinesis: &Client, stream: &str, key: impl Fn(u32) -> String) -> Result<Sales> {
    let mut putting = kinesis.put_records().stream_name(stream);
    for n in 1..=500 {
        let sale = PutRecordsRequestEntry::builder()
            .partition_key(key(n))
            .data(Blob::new([b'x'; 4000]))
            .build()?;
        putting = putting.records(sale);
    }
    Ok(putting)
}

// ANCHOR: one_more
/// Fills the shard, and puts one more sale in the same second: first with the SDK's retries off, then with them. Where
/// everything is slow, the second may be over too soon: then it begins again.
async fn one_more(config: &SdkConfig, stream: &str) -> Result {
    let kinesis = Client::new(config);
    let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(100));
    let patience = Config::builder().retry_config(retries.with_max_attempts(10));
    for _ in 0..10 {
        let fill = sales(&kinesis, stream, |_| "berlin".to_owned())?;
        fill.send().await?;
        let refused = sale(&without_retries(config), stream).send().await.err();

        let attempts = Attempts::default();
        let patient = sale(&kinesis, stream).customize();
        let patient = patient.config_override(patience.clone());
        patient.interceptor(attempts.clone()).send().await?;
        let attempts = attempts.0.load(Relaxed);
        if let (Some(error), 2..) = (refused, attempts) {
            println!("One more, retries off: {}", error.code().unwrap_or("?"));
            println!("One more, retries on: Ok, after {attempts} attempts");
            return Ok(());
        }
    }
    Err("the shard always had room for one more".into())
}
// ANCHOR_END: one_more

fn sale(kinesis: &Client, stream: &str) -> PutRecordFluentBuilder {
    kinesis.put_record().stream_name(stream).partition_key("berlin").data(Blob::new([b'x'; 4000]))
}

// ANCHOR: attempts
/// Counts how often the SDK sends a request.
#[derive(Debug, Clone, Default)]
struct Attempts(Arc<AtomicU32>);

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "attempts"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        self.0.fetch_add(1, Relaxed);
        Ok(())
    }
}
// ANCHOR_END: attempts
