//! Lambda deletes a message when the function has returned without an error, and only then. Page:
//! `book/22-sqs-function.md`.
//!
//!     cargo run --bin who-deletes

use aws_sdk_lambda as lambda;
use aws_sdk_sqs as sqs;
use deployment::{delete_trigger, queue_arn, trigger, Scratch};
use snippets::{connect, no_options, pass, println, scratch_queue, Result};
use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let config = connect().await;
    let sqs = sqs::Client::new(&config);
    let lambda = lambda::Client::new(&config);
    let queue = scratch_queue(&sqs, "who-deletes").await?;
    let function =
        Scratch::create(&config, "who-deletes", "sqs-function", "picky-function", &[]).await?;
    let mapping = lambda
        .create_event_source_mapping()
        .function_name(&function.name)
        .event_source_arn(queue_arn(&sqs, &queue).await?)
        .batch_size(1);
    let uuid = trigger(&lambda, mapping, true).await?;
    for body in ["hello", "poison"] {
        sqs.send_message().queue_url(&queue).message_body(body).send().await?;
    }

    ran(&function, "hello", 1).await?;
    ran(&function, "poison", 1).await?;
    for times in 2..=3 {
        pass(Duration::from_secs(31)).await;
        ran(&function, "poison", times).await?;
    }
    let hello = count(&function, "hello").await?;
    println!("hello ran {hello} time, poison 3 times");

    delete_trigger(&lambda, &uuid).await?;
    function.delete().await?;
    sqs.delete_queue().queue_url(&queue).send().await?;
    assert_eq!(hello, 1, "Lambda has deleted it");
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: ran
/// Waits until the function has run a message so many times, and lets Lambda do what it does after that.
async fn ran(function: &Scratch, body: &str, times: usize) -> Result {
    for _ in 0..120 {
        if count(function, body).await? >= times {
            sleep(Duration::from_secs(1)).await;
            return Ok(());
        }
        sleep(Duration::from_millis(500)).await;
    }
    Err(format!("{body} has not run {times} times after a minute").into())
}

async fn count(function: &Scratch, body: &str) -> Result<usize> {
    let written = function.written().await?;
    Ok(written.iter().filter(|line| *line == body).count())
}
// ANCHOR_END: ran
