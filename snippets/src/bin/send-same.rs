//! Sends `Order 1` to the FIFO queue, the same each time. An experiment of the page `book/11-deduplication.md`.
//!
//!     cargo run --bin send-same

// ANCHOR: all
use aws_sdk_sqs::Client;
use snippets::{connect, options, println, queue_url, Result};

#[derive(clap::Parser)]
struct Options {
    /// The deduplication id; the SHA-256 of the body when left out
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

#[tokio::main]
async fn main() -> Result {
    let Options { id } = options();
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, "FIFOQueue.fifo").await?;
    let sent = sqs
        .send_message()
        .queue_url(queue)
        .message_body("Order 1")
        .message_group_id("Group1")
        .set_message_deduplication_id(id)
        .send()
        .await?;
    println!("MessageId: {}", sent.message_id().unwrap_or_default());
    let number = sent.sequence_number().unwrap_or_default();
    println!("SequenceNumber: {number}");
    Ok(())
}
// ANCHOR_END: all
