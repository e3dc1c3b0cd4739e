//! An order that is delivered twice, and one that is sent twice, are each charged once. Page: `book/08-once.md`.
//!
//!     cargo run --bin once

use aws_sdk_sqs::types::Message;
use aws_sdk_sqs::Client;
use serde_json::{json, Value};
use snippets::{connect, no_options, pass, println, receive_one, scratch_queue, Result};
use std::collections::HashSet;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "once").await?;
    let mut shop = Shop::default();
    delivered_twice(&sqs, &queue, &mut shop).await?;
    sent_twice(&sqs, &queue, &mut shop).await?;
    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(())
}

// ANCHOR: shop
/// Charges each order once, however often it is told to.
#[derive(Default)]
struct Shop {
    done: HashSet<u64>,
    charges: u32,
}

impl Shop {
    fn handle(&mut self, message: &Message) -> Result {
        let order: Value = serde_json::from_str(message.body().ok_or("a message without body")?)?;
        let number = order["order"].as_u64().ok_or("an order without a number")?;
        if self.done.insert(number) {
            self.charges += 1; // the effect
            println!("Order {number}: charged");
        } else {
            println!("Order {number}: done already");
        }
        Ok(())
    }
}
// ANCHOR_END: shop

// ANCHOR: delivered_twice
async fn delivered_twice(sqs: &Client, queue: &str, shop: &mut Shop) -> Result {
    send(sqs, queue, 1).await?;
    let message = receive_one(sqs, queue, 5).await?.ok_or("nothing came")?;
    shop.handle(&message)?;
    println!("(the deletion comes too late)");
    pass(Duration::from_secs(6)).await;
    let again = receive_one(sqs, queue, 5).await?.ok_or("it is lost")?;
    shop.handle(&again)?;
    delete(sqs, queue, again).await?;
    assert_eq!(shop.charges, 1, "delivered twice, charged once");
    Ok(())
}
// ANCHOR_END: delivered_twice

// ANCHOR: sent_twice
async fn sent_twice(sqs: &Client, queue: &str, shop: &mut Shop) -> Result {
    let first = send(sqs, queue, 2).await?;
    println!("(the answer is lost, so the sender sends again)");
    let second = send(sqs, queue, 2).await?;
    assert_ne!(first, second, "the same order, another MessageId");
    while let Some(message) = receive_one(sqs, queue, 5).await? {
        shop.handle(&message)?;
        delete(sqs, queue, message).await?;
    }
    assert_eq!(shop.charges, 2, "sent twice, charged once");
    Ok(())
}
// ANCHOR_END: sent_twice

/// Sends an order and gives back its MessageId.
async fn send(sqs: &Client, queue: &str, number: u64) -> Result<Option<String>> {
    let body = json!({ "order": number, "price": 12.5 });
    let sent = sqs.send_message().queue_url(queue).message_body(body.to_string()).send().await?;
    Ok(sent.message_id)
}

async fn delete(sqs: &Client, queue: &str, message: Message) -> Result {
    sqs.delete_message().queue_url(queue).set_receipt_handle(message.receipt_handle).send().await?;
    Ok(())
}
