// ANCHOR: all
//! Eleven messages are too many for a batch, and take two. Solves the exercise of the page `book/07-batch.md`.
//!
//!     cargo run --bin batch-eleven

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use aws_sdk_sqs::Client;
use snippets::{connect, no_options, println, queue_url, Error, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, "StandardQueue").await?;
    let mut orders = Vec::new();
    for n in 1..=11 {
        let order = SendMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .message_body(format!("Order {n}"))
            .build()?;
        orders.push(order);
    }

    let all =
        sqs.send_message_batch().queue_url(&queue).set_entries(Some(orders.clone())).send().await;
    println!("{}", Error::from(all.err().ok_or("eleven were sent")?));
    for batch in orders.chunks(10) {
        let outcome = sqs
            .send_message_batch()
            .queue_url(&queue)
            .set_entries(Some(batch.to_vec()))
            .send()
            .await?;
        println!("Sent {}", outcome.successful().len());
        assert!(outcome.failed().is_empty(), "each of them is sent");
    }
    Ok(())
}
// ANCHOR_END: all
