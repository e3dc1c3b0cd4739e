//! Lambda runs several batches of a queue at once, and not more than its trigger says. Page: `book/25-scaling.md`.
//!
//!     cargo run --bin scaling

use aws_config::SdkConfig;
use aws_sdk_lambda as lambda;
use aws_sdk_lambda::types::ScalingConfig;
use aws_sdk_sqs as sqs;
use deployment::{delete_trigger, queue_arn, trigger, Scratch};
use snippets::{connect, no_options, println, scratch_queue, Result};
use std::time::Duration;
use tokio::time::sleep;

const BATCHES: usize = 10;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let config = connect().await;
    println!("{BATCHES} batches, each takes a second");
    println!("Without a maximum:");
    let without = most_at_once(&config, None).await?;
    println!("With a maximum of 2:");
    let with = most_at_once(&config, Some(2)).await?;
    assert!(without > 2, "Lambda begins with five batches at once");
    assert_eq!(with, 2, "it keeps to the maximum");
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: most_at_once
/// Sends messages to a queue, and only then lets Lambda poll it for the slow function, with one message in each batch.
async fn most_at_once(config: &SdkConfig, maximum: Option<i32>) -> Result<usize> {
    let sqs = sqs::Client::new(config);
    let lambda = lambda::Client::new(config);
    let queue = scratch_queue(&sqs, "scaling").await?;
    for n in 1..=BATCHES {
        sqs.send_message().queue_url(&queue).message_body(n.to_string()).send().await?;
    }
    let function = Scratch::create(config, "scaling", "sqs-function", "slow-function", &[]).await?;
    let limit = |maximum| ScalingConfig::builder().maximum_concurrency(maximum).build();
    let mapping = lambda
        .create_event_source_mapping()
        .function_name(&function.name)
        .event_source_arn(queue_arn(&sqs, &queue).await?)
        .batch_size(1)
        .set_scaling_config(maximum.map(limit));
    let uuid = trigger(&lambda, mapping, true).await?;

    let runs = all_runs(&function).await?;
    delete_trigger(&lambda, &uuid).await?;
    function.delete().await?;
    sqs.delete_queue().queue_url(&queue).send().await?;

    let running_at = |time| {
        let begun = runs.iter().filter(|(begin, _)| *begin <= time);
        begun.filter(|(_, end)| time < *end).count()
    };
    let most = runs.iter().map(|(begin, _)| running_at(*begin)).max();
    let most = most.unwrap_or_default();
    let first = runs.iter().map(|(begin, _)| *begin).min();
    let last = runs.iter().map(|(_, end)| *end).max();
    let took = Duration::from_millis(last.unwrap_or_default() - first.unwrap_or_default());
    let seconds = took.as_secs_f64();
    println!("  at most {most} at once, all done in {seconds:.1} s");
    Ok(most)
}
// ANCHOR_END: most_at_once

// ANCHOR: all_runs
/// When the function began and ended each batch, in milliseconds since 1970.
type Run = (u64, u64);

/// Waits until all batches are in the function's log.
async fn all_runs(function: &Scratch) -> Result<Vec<Run>> {
    for _ in 0..120 {
        let written = function.written().await?;
        let runs: Vec<_> = written.iter().filter_map(|line| run(line)).collect();
        if runs.len() >= BATCHES {
            return Ok(runs);
        }
        sleep(Duration::from_millis(500)).await;
    }
    Err("the function has not run all batches after a minute".into())
}

fn run(line: &str) -> Option<Run> {
    let (begin, end) = line.strip_prefix("ran from ")?.split_once(" to ")?;
    Some((begin.parse().ok()?, end.parse().ok()?))
}
// ANCHOR_END: all_runs
