//! A FIFO queue delivers a message again when its receiver is too slow. Page: `book/12-not-once.md`.
//!
//!     cargo run --bin not-once

use aws_sdk_sqs::types::Message;
use aws_sdk_sqs::Client;
use snippets::{
    connect, delete, no_options, pass, println, receive_one, scratch_fifo_queue, Result,
};
use std::collections::HashSet;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_fifo_queue(&sqs, "not-once").await?;
    too_slow(&sqs, &queue).await?;
    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(())
}

// ANCHOR: too_slow
async fn too_slow(sqs: &Client, queue: &str) -> Result {
    let mut charged = HashSet::new();
    sqs.send_message()
        .queue_url(queue)
        .message_body("Order 1")
        .message_group_id("customer-1")
        .send()
        .await?;

    let first = receive_one(sqs, queue, 5).await?.ok_or("nothing came")?;
    charge(1, &first, &mut charged);
    pass(Duration::from_secs(6)).await;
    let again = receive_one(sqs, queue, 5).await?.ok_or("it is lost")?;
    charge(2, &again, &mut charged);
    assert_eq!(again.message_id, first.message_id, "delivered twice");
    assert_eq!(charged.len(), 1, "charged once");

    let late = delete(sqs, queue, first).await;
    let error = late.err().ok_or("deleted too late, without an error")?;
    let error = error.to_string();
    let (_, reason) = error.split_once("Reason: ").unwrap_or(("", &error));
    println!("Receiver 1 can't delete it: {reason}");
    delete(sqs, queue, again).await?;
    println!("Receiver 2 deletes it");
    Ok(())
}
// ANCHOR_END: too_slow

// ANCHOR: charge
/// Charges an order, unless it is charged already.
fn charge(receiver: u32, message: &Message, charged: &mut HashSet<String>) {
    let order = message.body().unwrap_or_default();
    if charged.insert(order.to_owned()) {
        println!("Receiver {receiver} gets {order}: charged");
    } else {
        println!("Receiver {receiver} gets {order}: done already");
    }
}
// ANCHOR_END: charge
