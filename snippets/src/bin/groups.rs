//! A message in flight holds up what is behind it in its group, and nothing else. Page: `book/10-groups.md`.
//!
//!     cargo run --bin groups

use aws_sdk_sqs::types::Message;
use aws_sdk_sqs::Client;
use snippets::{connect, delete, no_options, println, scratch_fifo_queue, Result};

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
    let held = receive(sqs, queue, 1).await?;
    assert_eq!(bodies(&held), "A1", "the first of the group");
    send(sqs, queue, "A", "A2").await?;
    let held_too = receive(sqs, queue, 2).await?;
    assert_eq!(bodies(&held_too), "nothing", "A2 waits for A1");

    send(sqs, queue, "B", "B1").await?;
    let held_too = receive(sqs, queue, 2).await?;
    assert_eq!(bodies(&held_too), "B1", "another group goes on");

    hand_back(sqs, queue, 1, &held[0]).await?;
    let held = receive(sqs, queue, 2).await?;
    assert_eq!(bodies(&held), "A1 A2", "A1 is still before A2");

    hand_back(sqs, queue, 2, &held[1]).await?;
    let held_too = receive(sqs, queue, 1).await?;
    assert_eq!(bodies(&held_too), "nothing", "A2 waits for A1 again");

    hand_back(sqs, queue, 2, &held[0]).await?;
    let held = receive(sqs, queue, 1).await?;
    assert_eq!(bodies(&held), "A1 A2", "in order, though A2 was back first");

    hand_back(sqs, queue, 1, &held[0]).await?;
    let held_too = receive(sqs, queue, 2).await?;
    assert_eq!(bodies(&held_too), "A1", "A2 is in flight behind it and holds up nothing");

    println!("Receiver 1 deletes A2, before A1 is done");
    delete(sqs, queue, held[1].clone()).await?;
    Ok(())
}
// ANCHOR_END: blocked

async fn send(sqs: &Client, queue: &str, group: &str, body: &str) -> Result {
    sqs.send_message().queue_url(queue).message_body(body).message_group_id(group).send().await?;
    println!("Sent {body} to group {group}");
    Ok(())
}

/// Receives all it can get, hidden from the other receiver for 30 seconds.
async fn receive(sqs: &Client, queue: &str, receiver: u32) -> Result<Vec<Message>> {
    let response = sqs
        .receive_message()
        .queue_url(queue)
        .visibility_timeout(30)
        .max_number_of_messages(10)
        .wait_time_seconds(1)
        .send()
        .await?;
    let messages = response.messages.unwrap_or_default();
    println!("Receiver {receiver} gets {}", bodies(&messages));
    Ok(messages)
}

fn bodies(messages: &[Message]) -> String {
    let bodies: Vec<_> = messages.iter().filter_map(Message::body).collect();
    if bodies.is_empty() {
        "nothing".to_owned()
    } else {
        bodies.join(" ")
    }
}

async fn hand_back(sqs: &Client, queue: &str, receiver: u32, message: &Message) -> Result {
    let handle = message.receipt_handle().ok_or("a message without receipt handle")?;
    sqs.change_message_visibility()
        .queue_url(queue)
        .receipt_handle(handle)
        .visibility_timeout(0)
        .send()
        .await?;
    let body = message.body().unwrap_or_default();
    println!("Receiver {receiver} hands {body} back");
    Ok(())
}
