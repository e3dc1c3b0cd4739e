// ANCHOR: all
//! Eleven messages are too many for a batch. The exercise of the page `book/07-batch.md`.
//!
//!     cargo run --bin batch-eleven

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use aws_sdk_sqs::Client;
use snippets::{connect, receive_one, scratch_queue, Error, Result};

#[tokio::main]
async fn main() -> Result {
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "batch").await?;

    let mut batch = sqs.send_message_batch().queue_url(&queue);
    for n in 1..=11 {
        let entry = SendMessageBatchRequestEntry::builder().id(n.to_string());
        batch = batch.entries(entry.message_body(format!("Order {n}")).build()?);
    }
    let error = batch.send().await.err().ok_or("eleven were sent")?;
    println!("{}", Error::from(error));

    let received = receive_one(&sqs, &queue, 5).await?;
    sqs.delete_queue().queue_url(&queue).send().await?;
    assert!(received.is_none(), "none of the eleven is in the queue");
    Ok(())
}
// ANCHOR_END: all
