//! One bad message of a batch repeats the whole batch, unless the function says which message it was. Page:
//! `book/23-half-a-batch.md`.
//!
//!     cargo run --bin half-a-batch

use aws_config::SdkConfig;
use aws_sdk_lambda as lambda;
use aws_sdk_sqs as sqs;
use deployment::{delete_trigger, picky, three_runs, Runs, TEN};
use snippets::{connect, no_options, println, scratch_queue, Result};

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let config = connect().await;
    println!("Without a report of what failed:");
    let without = runs(&config, false).await?;
    assert_eq!(without.ran(|times| times > 1), TEN, "all are repeated");
    println!("With a report:");
    let with = runs(&config, true).await?;
    assert_eq!(with.ran(|times| times > 1), ["poison"], "only the poison");
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: runs
/// How often each of ten messages has run when the poison among them has run three times.
async fn runs(config: &SdkConfig, report: bool) -> Result<Runs> {
    let sqs = sqs::Client::new(config);
    let queue = scratch_queue(&sqs, "half-a-batch").await?;
    let (function, uuid) = picky(config, &queue, report).await?;
    let runs = three_runs(&function).await?;
    delete_trigger(&lambda::Client::new(config), &uuid).await?;
    function.delete().await?;
    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(runs)
}
// ANCHOR_END: runs
