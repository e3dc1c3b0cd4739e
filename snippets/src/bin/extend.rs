//! A receiver that needs longer keeps its message hidden, or hands it back. Page: `book/05-visibility.md`.
//!
//!     cargo run --bin extend

use aws_sdk_sqs::Client;
use snippets::{connect, no_options, pass, println, receive_one, scratch_queue, Result};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "extend").await?;
    sqs.send_message().queue_url(&queue).message_body("Order 1").send().await?;

    work(&sqs, &queue).await?;

    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(())
}

async fn work(sqs: &Client, queue: &str) -> Result {
    let message = receive_one(sqs, queue, 5).await?.ok_or("nothing came")?;
    let handle = message.receipt_handle().ok_or("a message without receipt handle")?;
    println!("Receiver 1 gets Order 1, hidden for 5 s");

    // ANCHOR: heartbeat
    for part in 1..=3 {
        pass(Duration::from_secs(4)).await; // the work
        hide(sqs, queue, handle, 5).await?;
        println!("Receiver 1 has done part {part} of 3, and hides it for 5 s more");
    }
    // ANCHOR_END: heartbeat
    match receive_one(sqs, queue, 5).await? {
        None => println!("Receiver 2 gets nothing: after 12 s Order 1 is still hidden"),
        Some(_) => println!("Receiver 2 gets a copy: rare, and allowed"),
    }

    // ANCHOR: hand_back
    hide(sqs, queue, handle, 0).await?;
    println!("Receiver 1 gives up, and hands Order 1 back");
    let again = receive_one(sqs, queue, 5).await?.ok_or("it is lost")?;
    println!("Receiver 2 gets Order 1 at once");
    assert_eq!(again.message_id, message.message_id, "it is there at once");
    // ANCHOR_END: hand_back
    Ok(())
}

// ANCHOR: hide
/// Hides a received message for `seconds` from now on; 0 hands it back.
async fn hide(sqs: &Client, queue: &str, handle: &str, seconds: i32) -> Result {
    sqs.change_message_visibility()
        .queue_url(queue)
        .receipt_handle(handle)
        .visibility_timeout(seconds)
        .send()
        .await?;
    Ok(())
}
// ANCHOR_END: hide
