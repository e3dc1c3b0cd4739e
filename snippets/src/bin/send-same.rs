//! Sends `Order 1` to the FIFO queue, the same each time. An experiment of the page `book/11-deduplication.md`.
//!
//!     cargo run --bin send-same

// ANCHOR: all
use aws_sdk_sqs::Client;
use snippets::{connect, queue_url, Result};

#[tokio::main]
async fn main() -> Result {
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, "FIFOQueue.fifo").await?;
    let sending = sqs.send_message().queue_url(queue).message_body("Order 1");
    let sent = sending.message_group_id("Group1").send().await?;
    println!("MessageId: {}", sent.message_id().unwrap_or_default());
    let number = sent.sequence_number().unwrap_or_default();
    println!("SequenceNumber: {number}");
    Ok(())
}
// ANCHOR_END: all
