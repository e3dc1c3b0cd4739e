//! One deduplication id, two bodies: the first wins. Solves the exercise of the page `book/11-deduplication.md`.
//!
//!     cargo run --bin changed-order

// ANCHOR: all
use aws_sdk_sqs::Client;
use snippets::{connect, delete, no_options, println, receive_one, scratch_fifo_queue, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_fifo_queue(&sqs, "changed").await?;
    for body in ["1 coffee", "2 coffees"] {
        let sent = sqs
            .send_message()
            .queue_url(&queue)
            .message_body(body)
            .message_group_id("table-1")
            .message_deduplication_id("order-7")
            .send()
            .await?;
        println!("Sent {body}: {}", sent.message_id().unwrap_or_default());
    }

    let first = receive_one(&sqs, &queue, 30).await?.ok_or("nothing came")?;
    println!("Received: {}", first.body().unwrap_or_default());
    assert_eq!(first.body(), Some("1 coffee"));
    delete(&sqs, &queue, first).await?;
    let second = receive_one(&sqs, &queue, 30).await?;
    sqs.delete_queue().queue_url(&queue).send().await?;
    assert!(second.is_none(), "the change is lost");
    println!("Nothing more: the change is lost");
    Ok(())
}
// ANCHOR_END: all
