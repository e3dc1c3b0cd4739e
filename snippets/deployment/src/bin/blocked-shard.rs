//! A record that a function can't handle blocks its shard, until the trigger may give it up. Page:
//! `book/27-blocked-shard.md`.
//!
//!     cargo run --bin blocked-shard
//!     cargo run --bin blocked-shard -- --report

use aws_config::SdkConfig;
use aws_sdk_kinesis as kinesis;
use aws_sdk_lambda as lambda;
use aws_sdk_lambda::types::FunctionResponseType::ReportBatchItemFailures;
use aws_sdk_lambda::types::{DestinationConfig, EventSourcePosition, OnFailure};
use aws_sdk_sqs as sqs;
use deployment::{delete_trigger, queue_arn, stream_arn, trigger, until, Runs, Scratch, TEN};
use kinesis::primitives::Blob;
use kinesis::types::PutRecordsRequestEntry;
use kinesis::types::ShardIteratorType::AtSequenceNumber;
use serde_json::Value;
use snippets::{
    connect, delete_stream, flag, from_the_start, pass, println, put, read, receive_one,
};
use snippets::{scratch_stream, Result};
use std::time::Duration;

const SHARD: &str = "shardId-000000000000";
/// In the order of their putting.
const ALL: [&str; 12] = ["1", "2", "3", "4", "poison", "6", "7", "8", "9", "10", "after", "late"];

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let report = flag("report", "Have the function report the record that failed");
    let config = connect().await;
    let sqs = sqs::Client::new(&config);
    let shard = Shard::with_ten_records(&config, report).await?;

    let blocked = shard.is_blocked().await?;
    let created = sqs.create_queue().queue_name(&shard.function.name).send().await?;
    let dead = created.queue_url.ok_or("the answer has no QueueUrl")?;
    shard.limit(&queue_arn(&sqs, &dead).await?).await?;
    shard.goes_on(&blocked).await?;
    shard.look_up(&sqs, &dead).await?;

    sqs.delete_queue().queue_url(dead).send().await?;
    shard.delete().await
}
// ANCHOR_END: main

/// A stream with one shard, and a function that reads it and fails at poison.
struct Shard {
    kinesis: kinesis::Client,
    lambda: lambda::Client,
    stream: String,
    function: Scratch,
    trigger: String,
}

impl Shard {
    // ANCHOR: create
    async fn with_ten_records(config: &SdkConfig, report: bool) -> Result<Self> {
        let kinesis = kinesis::Client::new(config);
        let lambda = lambda::Client::new(config);
        let stream = scratch_stream(&kinesis, "blocked-shard", 1).await?;
        let mut records = Vec::new();
        for data in TEN {
            let record = PutRecordsRequestEntry::builder()
                .partition_key("key")
                .data(Blob::new(data))
                .build()?;
            records.push(record);
        }
        kinesis.put_records().stream_name(&stream).set_records(Some(records)).send().await?;

        let variables: &[_] = if report { &[("REPORT", "yes")] } else { &[] };
        let (template, program) = ("kinesis-function", "picky-kinesis");
        let function =
            Scratch::create(config, "blocked-shard", template, program, variables).await?;
        let mapping = lambda
            .create_event_source_mapping()
            .function_name(&function.name)
            .event_source_arn(stream_arn(&kinesis, &stream).await?)
            .starting_position(EventSourcePosition::TrimHorizon)
            .batch_size(10)
            .set_function_response_types(report.then(|| vec![ReportBatchItemFailures]));
        let trigger = trigger(&lambda, mapping, true).await?;
        Ok(Self { kinesis, lambda, stream, function, trigger })
    }
    // ANCHOR_END: create

    // ANCHOR: is_blocked
    /// While the poison fails again and again, nothing behind it is run.
    async fn is_blocked(&self) -> Result<Runs> {
        let mut runs = Runs::until(&self.function, &ALL, "poison", 1).await?;
        let mut age = self.age("poison").await?;
        put(&self.kinesis, &self.stream, "key", "after").await?;
        for _ in 0..2 {
            pass(Duration::from_secs(60)).await;
            let once_more = runs.of("poison") + 1;
            runs = Runs::until(&self.function, &ALL, "poison", once_more).await?;
            let older = self.age("poison").await?;
            println!("The poison fails again, {older} ms after its arrival");
            assert!(older > age, "the iterator's age rises");
            age = older;
        }
        self.stop().await?;
        let runs = Runs::count(&self.function, &ALL).await?;
        let batch = runs.of("poison");
        let repeated = runs.ran(|times| times == batch);
        println!("Run in {batch} attempts each: {}", repeated.join(", "));
        assert_eq!(repeated, runs.ran(|times| times > 1), "as often as the batch");
        println!("Never run: {}", runs.ran(|times| times == 0).join(", "));
        assert_eq!(runs.ran(|times| times == 0), ALL[5..], "all that is behind");
        Ok(runs)
    }
    // ANCHOR_END: is_blocked

    async fn stop(&self) -> Result {
        self.lambda.update_event_source_mapping().uuid(&self.trigger).enabled(false).send().await?;
        until(&self.lambda, &self.trigger, "Disabled").await
    }

    // ANCHOR: limit
    /// Lets the trigger split a batch that fails, try a record three times in all, and tell a queue that it gave up.
    async fn limit(&self, queue: &str) -> Result {
        let on_failure = OnFailure::builder().destination(queue).build();
        let destination = DestinationConfig::builder().on_failure(on_failure).build();
        self.lambda
            .update_event_source_mapping()
            .uuid(&self.trigger)
            .bisect_batch_on_function_error(true)
            .maximum_retry_attempts(2)
            .destination_config(destination)
            .enabled(true)
            .send()
            .await?;
        until(&self.lambda, &self.trigger, "Enabled").await
    }
    // ANCHOR_END: limit

    // ANCHOR: goes_on
    /// The records behind the poison are run, and new ones as soon as they come.
    async fn goes_on(&self, before: &Runs) -> Result {
        Runs::until(&self.function, &ALL, "after", 1).await?;
        put(&self.kinesis, &self.stream, "key", "late").await?;
        let runs = Runs::until(&self.function, &ALL, "late", 1).await?;
        let runs = runs.since(before);
        println!("With limits, from here on:\n{runs}");
        let ran = runs.ran(|times| times > 0);
        assert!(ran.ends_with(&ALL[5..]), "all that is behind has run");
        assert!((3..=8).contains(&runs.of("poison")), "split, then 3 tries");
        let age = self.age("late").await?;
        println!("The late record runs {age} ms after its arrival");
        assert!(age < 60_000, "the iterator's age has fallen");
        Ok(())
    }
    // ANCHOR_END: goes_on

    // ANCHOR: look_up
    /// The queue was told where the record is. The record itself is still in the stream.
    async fn look_up(&self, sqs: &sqs::Client, queue: &str) -> Result {
        let mut letter = None;
        for _ in 0..30 {
            letter = receive_one(sqs, queue, 30).await?;
            if letter.is_some() {
                break;
            }
        }
        let letter = letter.and_then(|letter| letter.body).ok_or("no letter")?;
        let letter: Value = serde_json::from_str(&letter)?;
        let text = |part: &str, name: &str| letter[part][name].as_str().unwrap_or("?").to_owned();
        let number = text("KinesisBatchInfo", "startSequenceNumber");
        println!("Given up: {}", text("requestContext", "condition"));
        println!("Record: {number}");
        let iterator = self
            .kinesis
            .get_shard_iterator()
            .shard_id(SHARD)
            .stream_name(&self.stream)
            .shard_iterator_type(AtSequenceNumber)
            .starting_sequence_number(number)
            .send()
            .await?
            .shard_iterator;
        let record = read(&self.kinesis, iterator, 1).await?;
        let data = record.first().map(|record| record.data.as_ref());
        assert_eq!(data, Some(&b"poison"[..]), "it is still in the stream");
        println!("Its data, from the stream: poison");
        Ok(())
    }
    // ANCHOR_END: look_up

    // ANCHOR: age
    /// How many milliseconds after its arrival in the stream the record was last run.
    async fn age(&self, data: &str) -> Result<i64> {
        let mut lines = self.function.lines().await?.into_iter();
        let ran = lines.rfind(|line| line.text == data).ok_or("not run")?.time;
        let place = ALL.iter().position(|known| *known == data);
        let start = from_the_start(&self.kinesis, &self.stream, SHARD).await?;
        let records = read(&self.kinesis, start, place.unwrap_or_default() + 1).await?;
        let mut records = records.into_iter();
        let record = records.find(|record| record.data.as_ref() == data.as_bytes());
        let arrival = record.and_then(|record| record.approximate_arrival_timestamp);
        let arrived = arrival.ok_or("not in the stream")?.to_millis();
        Ok(ran - arrived.map_err(|error| error.to_string())?)
    }
    // ANCHOR_END: age

    async fn delete(self) -> Result {
        delete_trigger(&self.lambda, &self.trigger).await?;
        self.function.delete().await?;
        delete_stream(&self.kinesis, &self.stream).await
    }
}
