//! A message in flight blocks its group, and no other. Page: `book/10-groups.md`.
//!
//!     cargo run --bin groups

use aws_sdk_sqs::types::Message;
use aws_sdk_sqs::Client;
use snippets::{connect, delete, no_options, println, receive_one, scratch_fifo_queue, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_fifo_queue(&sqs, "groups").await?;
    blocked(&sqs, &queue).await?;
    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(())
}

// ANCHOR: blocked
async fn blocked(sqs: &Client, queue: &str) -> Result {
    send(sqs, queue, "A", "A1").await?;
    send(sqs, queue, "A", "A2").await?;
    let a1 = receive(sqs, queue, 1).await?;
    assert_eq!(body(&a1), "A1", "the first of the group");
    let nothing = receive(sqs, queue, 2).await?;
    assert_eq!(body(&nothing), "nothing", "A2 waits for A1");

    send(sqs, queue, "B", "B1").await?;
    let b1 = receive(sqs, queue, 2).await?;
    assert_eq!(body(&b1), "B1", "another group goes on");

    hand_back(sqs, queue, &a1).await?;
    println!("Receiver 1 hands A1 back");
    let a1 = receive(sqs, queue, 2).await?;
    assert_eq!(body(&a1), "A1", "A1 is still before A2");

    delete(sqs, queue, a1.ok_or("no A1")?).await?;
    println!("Receiver 2 deletes A1");
    let a2 = receive(sqs, queue, 1).await?;
    assert_eq!(body(&a2), "A2", "now it is A2's turn");
    Ok(())
}
// ANCHOR_END: blocked

async fn send(sqs: &Client, queue: &str, group: &str, body: &str) -> Result {
    sqs.send_message().queue_url(queue).message_body(body).message_group_id(group).send().await?;
    println!("Sent {body} to group {group}");
    Ok(())
}

async fn receive(sqs: &Client, queue: &str, receiver: u32) -> Result<Option<Message>> {
    let message = receive_one(sqs, queue, 30).await?;
    println!("Receiver {receiver} gets {}", body(&message));
    Ok(message)
}

fn body(message: &Option<Message>) -> &str {
    let body = message.as_ref().and_then(|message| message.body());
    body.unwrap_or("nothing")
}

async fn hand_back(sqs: &Client, queue: &str, message: &Option<Message>) -> Result {
    let handle = message.as_ref().and_then(|message| message.receipt_handle());
    let handle = handle.ok_or("no message to hand back")?;
    sqs.change_message_visibility()
        .queue_url(queue)
        .receipt_handle(handle)
        .visibility_timeout(0)
        .send()
        .await?;
    Ok(())
}
