//! Deleting with an old receipt handle succeeds, and may delete nothing. Page: `book/05-visibility.md`.
//!
//!     cargo run --bin old-handle

use aws_sdk_sqs::Client;
use snippets::{connect, no_options, pass, println, receive_one, scratch_queue, Result};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "old-handle").await?;
    sqs.send_message().queue_url(&queue).message_body("Order 1").send().await?;

    delete_too_late(&sqs, &queue).await?;

    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(())
}

// ANCHOR: delete_too_late
async fn delete_too_late(sqs: &Client, queue: &str) -> Result {
    let first = receive_one(sqs, queue, 5).await?.ok_or("nothing came")?;
    println!("Receiver 1 gets Order 1, hidden for 5 s, and takes longer");
    pass(Duration::from_secs(6)).await;
    let second = receive_one(sqs, queue, 5).await?.ok_or("it is lost")?;
    println!("Receiver 2 gets Order 1");
    assert_eq!(first.message_id, second.message_id, "the same message");
    assert_ne!(first.receipt_handle, second.receipt_handle, "new handle");

    delete(sqs, queue, first.receipt_handle).await?;
    println!("Receiver 1 is done and deletes Order 1: no error");
    pass(Duration::from_secs(6)).await;
    let Some(latest) = receive_one(sqs, queue, 5).await? else {
        println!("It is gone all the same: AWS says only that it might stay");
        return Ok(());
    };
    println!("Receiver 2 gets Order 1 again: the handle was an old one");

    delete(sqs, queue, latest.receipt_handle).await?;
    println!("The latest handle deletes it");
    Ok(())
}
// ANCHOR_END: delete_too_late

async fn delete(sqs: &Client, queue: &str, handle: Option<String>) -> Result {
    sqs.delete_message().queue_url(queue).set_receipt_handle(handle).send().await?;
    Ok(())
}
