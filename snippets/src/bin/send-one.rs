//! Sends one message and shows what SQS answers. An experiment of the page `book/03-send.md`.
//!
//!     cargo run --bin send-one

// ANCHOR: all
use aws_sdk_sqs::Client;
use snippets::{connect, no_options, println, scratch_queue, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "send-one").await?;

    let answer = sqs.send_message().queue_url(&queue).message_body("Hello").send().await?;
    sqs.delete_queue().queue_url(&queue).send().await?;

    println!("MessageId: {}", answer.message_id().unwrap_or_default());
    println!("MD5 of the body: {}", answer.md5_of_message_body().unwrap_or_default());
    assert!(answer.message_id().is_some());
    assert_eq!(answer.md5_of_message_body(), Some("8b1a9953c4611296a827abf8c47804d7"));
    Ok(())
}
// ANCHOR_END: all
