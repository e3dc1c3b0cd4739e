//! A disabled trigger leaves the messages in their queue. Solves the exercise of the page `book/25-scaling.md`.
//!
//!     cargo run --bin pause

use aws_sdk_lambda as lambda;
use aws_sdk_sqs as sqs;
use deployment::{delete_trigger, queue_arn, trigger, until, Scratch};
use snippets::{connect, no_options, println, receive_count, receive_one, scratch_queue, Result};
use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let config = connect().await;
    let sqs = sqs::Client::new(&config);
    let lambda = lambda::Client::new(&config);
    let queue = scratch_queue(&sqs, "pause").await?;
    let function = Scratch::create(&config, "pause", "sqs-function", "sqs-function", &[]).await?;
    let mapping = lambda
        .create_event_source_mapping()
        .function_name(&function.name)
        .event_source_arn(queue_arn(&sqs, &queue).await?);
    let uuid = trigger(&lambda, mapping, true).await?;

    enable(&lambda, &uuid, false).await?;
    sqs.send_message().queue_url(&queue).message_body("hello").send().await?;
    sleep(Duration::from_secs(2)).await;
    let meanwhile = function.written().await?;
    println!("Disabled: the function has written {meanwhile:?}");
    let message = receive_one(&sqs, &queue, 0).await?.ok_or("it is lost")?;
    println!("Disabled: this program's receive is number {}", receive_count(&message));
    enable(&lambda, &uuid, true).await?;
    let afterwards = written(&function).await?;
    println!("Enabled:  the function has written {afterwards:?}");

    delete_trigger(&lambda, &uuid).await?;
    function.delete().await?;
    sqs.delete_queue().queue_url(&queue).send().await?;
    assert!(meanwhile.is_empty(), "nobody polls");
    assert_eq!(receive_count(&message), "1", "nobody has received it");
    assert_eq!(afterwards, ["hello"], "the message has waited");
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: enable
async fn enable(lambda: &lambda::Client, uuid: &str, enabled: bool) -> Result {
    lambda.update_event_source_mapping().uuid(uuid).enabled(enabled).send().await?;
    let state = if enabled { "Enabled" } else { "Disabled" };
    until(lambda, uuid, state).await
}
// ANCHOR_END: enable

/// The lines that the function has written, when it has written something.
async fn written(function: &Scratch) -> Result<Vec<String>> {
    for _ in 0..120 {
        let written = function.written().await?;
        if !written.is_empty() {
            return Ok(written);
        }
        sleep(Duration::from_millis(500)).await;
    }
    Err("the function has written nothing".into())
}
