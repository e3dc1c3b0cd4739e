//! A message that is received and not deleted comes back. Page: `book/05-visibility.md`.
//!
//!     cargo run --bin visibility

use aws_sdk_sqs::Client;
use snippets::{
    connect, no_options, pass, println, receive_count, receive_one, scratch_queue, Result,
};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "visibility").await?;
    come_back(&sqs, &queue).await?;
    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(())
}

// ANCHOR: come_back
async fn come_back(sqs: &Client, queue: &str) -> Result {
    let sent = sqs.send_message().queue_url(queue).message_body("Order 1").send().await?;

    let first = receive_one(sqs, queue, 5).await?.ok_or("nothing came")?;
    println!("Receiver 1 gets Order 1, and crashes");

    match receive_one(sqs, queue, 5).await? {
        None => println!("Receiver 2 gets nothing: the message is hidden for 5 s"),
        Some(_) => println!("Receiver 2 gets a copy: rare, and allowed"),
    }

    pass(Duration::from_secs(6)).await;
    let again = receive_one(sqs, queue, 5).await?.ok_or("it is lost")?;
    println!("Receiver 2 gets Order 1");
    println!("ApproximateReceiveCount: {}", receive_count(&again));
    assert_eq!(again.message_id, sent.message_id, "the message comes back");
    assert_ne!(again.receipt_handle, first.receipt_handle, "new handle");
    Ok(())
}
// ANCHOR_END: come_back
