//! A message that nobody can handle ends in the dead-letter queue, and comes back once the bug is mended.
//! Page: `book/06-dead-letters.md`.
//!
//!     cargo run --bin dead-letters

use aws_sdk_sqs::types::QueueAttributeName::{QueueArn, RedrivePolicy};
use aws_sdk_sqs::Client;
use serde_json::json;
use snippets::{
    connect, no_options, pass, println, receive_count, receive_one, scratch_name, scratch_queue,
    Result,
};
use std::time::Duration;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let dead = scratch_queue(&sqs, "dead-letters").await?;
    let orders = create(&sqs, &dead).await?;

    sqs.send_message().queue_url(&orders).message_body("12,50").send().await?;
    let handled = work(&sqs, &orders, |price| price.parse().ok()).await?;
    assert!(handled.is_empty(), "the shop can't read this price");

    inspect(&sqs, &dead).await?;
    redrive(&sqs, &dead).await?;
    let mended = |price: &str| price.replace(',', ".").parse().ok();
    let handled = work(&sqs, &orders, mended).await?;
    assert_eq!(handled, [12.5], "the price came back and is read");

    for queue in [orders, dead] {
        sqs.delete_queue().queue_url(queue).send().await?;
    }
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: create
/// A queue whose messages move to the queue `dead` when three receives were not enough.
async fn create(sqs: &Client, dead: &str) -> Result<String> {
    let dead = arn(sqs, dead).await?;
    let policy = json!({ "deadLetterTargetArn": dead, "maxReceiveCount": 3 });
    let created = sqs
        .create_queue()
        .queue_name(scratch_name("orders"))
        .attributes(RedrivePolicy, policy.to_string())
        .send()
        .await?;
    Ok(created.queue_url.ok_or("the answer has no QueueUrl")?)
}
// ANCHOR_END: create

// ANCHOR: work
/// Receives until nothing comes, ten times at most. A message that `read` can't read is handed back.
async fn work(sqs: &Client, queue: &str, read: fn(&str) -> Option<f64>) -> Result<Vec<f64>> {
    let mut prices = Vec::new();
    for _ in 0..10 {
        let Some(message) = receive_one(sqs, queue, 5).await? else {
            break;
        };
        let body = message.body().unwrap_or_default();
        let handle = message.receipt_handle().ok_or("a message without receipt handle")?;
        if let Some(price) = read(body) {
            println!("{body}: a price");
            prices.push(price);
            sqs.delete_message().queue_url(queue).receipt_handle(handle).send().await?;
        } else {
            println!("{body}: not a price");
            sqs.change_message_visibility()
                .queue_url(queue)
                .receipt_handle(handle)
                .visibility_timeout(0)
                .send()
                .await?;
        }
    }
    Ok(prices)
}
// ANCHOR_END: work

// ANCHOR: inspect
/// Looks at the dead letter, and leaves it where it is.
async fn inspect(sqs: &Client, dead: &str) -> Result {
    let letter = receive_one(sqs, dead, 0).await?.ok_or("no dead letter")?;
    println!("In the dead-letter queue: {}", letter.body().unwrap_or("?"));
    println!("ApproximateReceiveCount: {}", receive_count(&letter));
    assert_eq!(letter.body(), Some("12,50"), "the price is put aside");
    Ok(())
}
// ANCHOR_END: inspect

// ANCHOR: redrive
/// Moves the dead letters back to the queue they came from, and waits for it.
async fn redrive(sqs: &Client, dead: &str) -> Result {
    let dead = arn(sqs, dead).await?;
    sqs.start_message_move_task().source_arn(&dead).send().await?;
    for _ in 0..60 {
        let tasks = sqs.list_message_move_tasks().source_arn(&dead).send().await?;
        let task = tasks.results().first().ok_or("no such task")?;
        let moved = task.approximate_number_of_messages_moved();
        match task.status().unwrap_or_default() {
            "COMPLETED" => {
                println!("Moved back: {moved}");
                return Ok(());
            }
            "RUNNING" => pass(Duration::from_secs(1)).await,
            status => return Err(format!("the redrive is {status}").into()),
        }
    }
    Err("the redrive still runs after a minute".into())
}
// ANCHOR_END: redrive

async fn arn(sqs: &Client, queue: &str) -> Result<String> {
    let answer =
        sqs.get_queue_attributes().queue_url(queue).attribute_names(QueueArn).send().await?;
    let arn = answer.attributes().and_then(|all| all.get(&QueueArn));
    Ok(arn.ok_or("a queue without an ARN")?.clone())
}
