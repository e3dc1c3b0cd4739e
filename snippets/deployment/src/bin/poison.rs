//! The poison of a batch ends in the dead-letter queue, and is run once more when the function is mended. Page:
//! `book/24-poison.md`.
//!
//!     cargo run --bin poison
//!     cargo run --bin poison -- --no-report
//!     cargo run --bin poison -- --keep

use aws_sdk_lambda as lambda;
use aws_sdk_sqs::types::QueueAttributeName::{ApproximateNumberOfMessages, RedrivePolicy};
use aws_sdk_sqs::Client;
use clap::Parser;
use deployment::{delete_trigger, picky, queue_arn, three_runs, Runs, Scratch, TEN};
use serde_json::json;
use snippets::{connect, options, pass, println, scratch_name, scratch_queue, Result};
use std::time::Duration;
use tokio::time::sleep;

#[derive(Parser)]
struct Options {
    /// Have the function fail without a report
    #[arg(long)]
    no_report: bool,

    /// End with the dead letters in their queue
    #[arg(long)]
    keep: bool,
}

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let Options { no_report, keep } = options();
    let report = !no_report;
    let config = connect().await;
    let sqs = Client::new(&config);
    let dead = scratch_queue(&sqs, "dead-letters").await?;
    let queue = create(&sqs, &dead).await?;

    let (function, uuid) = picky(&config, &queue, report).await?;
    let runs = three_runs(&function).await?;
    pass(Duration::from_secs(30)).await;
    until_dead(&sqs, &dead, if report { 1 } else { 10 }).await?;
    if keep {
        return Ok(());
    }
    if report {
        assert_eq!(runs.ran(|times| times == 1).len(), 9, "the others run once");
        mend(&sqs, &dead, &function).await?;
    }

    delete_trigger(&lambda::Client::new(&config), &uuid).await?;
    function.delete().await?;
    for queue in [queue, dead] {
        sqs.delete_queue().queue_url(queue).send().await?;
    }
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: create
/// A queue whose messages move to the queue `dead` when three receives were not enough.
async fn create(sqs: &Client, dead: &str) -> Result<String> {
    let dead = queue_arn(sqs, dead).await?;
    let policy = json!({ "deadLetterTargetArn": dead, "maxReceiveCount": 3 });

    let created = sqs
        .create_queue()
        .queue_name(scratch_name("poison"))
        .attributes(RedrivePolicy, policy.to_string())
        .send()
        .await?;
    Ok(created.queue_url.ok_or("the answer has no QueueUrl")?)
}
// ANCHOR_END: create

// ANCHOR: until_dead
/// Waits until there are so many dead letters, for a minute at most.
async fn until_dead(sqs: &Client, dead: &str, expected: usize) -> Result {
    let asked =
        sqs.get_queue_attributes().queue_url(dead).attribute_names(ApproximateNumberOfMessages);
    for _ in 0..120 {
        let attributes = asked.clone().send().await?.attributes.unwrap_or_default();
        let found = attributes.get(&ApproximateNumberOfMessages);
        if found == Some(&expected.to_string()) {
            println!("In the dead-letter queue: {expected}");
            return Ok(());
        }
        sleep(Duration::from_millis(500)).await;
    }
    Err(format!("not {expected} in the dead-letter queue after a minute").into())
}
// ANCHOR_END: until_dead

// ANCHOR: mend
/// Gives the function a program that takes every message, and moves the dead letter back.
async fn mend(sqs: &Client, dead: &str, function: &Scratch) -> Result {
    function.redeploy("sqs-function").await?;
    sqs.start_message_move_task().source_arn(queue_arn(sqs, dead).await?).send().await?;
    println!("The function is mended, and the dead letter moves back:");
    let runs = Runs::until(function, &TEN, "poison", 4).await?;
    println!("{runs}");
    assert_eq!(runs.ran(|times| times == 1).len(), 9, "the others stay done");
    until_dead(sqs, dead, 0).await
}
// ANCHOR_END: mend
