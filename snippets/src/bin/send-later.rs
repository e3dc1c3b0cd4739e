//! A delayed message can't be received before its time. Solves the exercise of the page `book/03-send.md`.
//!
//!     cargo run --bin send-later

// ANCHOR: all
use aws_sdk_sqs::Client;
use snippets::{connect, pass, receive_one, scratch_queue, Result};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result {
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "send-later").await?;
    let sending = sqs.send_message().queue_url(&queue).message_body("Later");
    sending.delay_seconds(10).send().await?;

    let at_once = receive_one(&sqs, &queue, 30).await?;
    pass(Duration::from_secs(10)).await;
    let later = receive_one(&sqs, &queue, 30).await?;
    sqs.delete_queue().queue_url(&queue).send().await?;

    assert!(at_once.is_none(), "too early");
    assert_eq!(
        later.and_then(|message| message.body).as_deref(),
        Some("Later")
    );
    println!("Not there at once, there after 10 seconds");
    Ok(())
}
// ANCHOR_END: all
