//! Two orders with the same text are taken for one, unless each has an id of its own. An experiment of the page
//! `book/11-deduplication.md`.
//!
//!     cargo run --bin two-orders

use aws_sdk_sqs::Client;
use snippets::{connect, delete, no_options, println, receive_one, scratch_fifo_queue, Result};

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_fifo_queue(&sqs, "two-orders").await?;

    order(&sqs, &queue, None).await?;
    order(&sqs, &queue, None).await?;
    let made = make(&sqs, &queue).await?;
    println!("Two customers, no ids: coffees made: {made}");
    assert_eq!(made, 1, "the second order is taken for the first");

    order(&sqs, &queue, Some("order-1")).await?;
    order(&sqs, &queue, Some("order-2")).await?;
    order(&sqs, &queue, Some("order-2")).await?;
    let made = make(&sqs, &queue).await?;
    println!("Two customers, two ids, one sent twice: coffees made: {made}");
    assert_eq!(made, 2, "each order once");

    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: order
/// Orders a coffee. Without an id, SQS takes the hash of the body.
async fn order(sqs: &Client, queue: &str, id: Option<&str>) -> Result {
    sqs.send_message()
        .queue_url(queue)
        .message_body("Coffee")
        .message_group_id("table-1")
        .set_message_deduplication_id(id.map(str::to_owned))
        .send()
        .await?;
    Ok(())
}
// ANCHOR_END: order

/// Receives and deletes until nothing comes. Returns how many there were.
async fn make(sqs: &Client, queue: &str) -> Result<usize> {
    for made in 0..10 {
        match receive_one(sqs, queue, 30).await? {
            Some(message) => delete(sqs, queue, message).await?,
            None => return Ok(made),
        }
    }
    Err("more coffees than anybody ordered".into())
}
