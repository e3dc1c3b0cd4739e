//! A message that is sent twice is stored once, even when the first is deleted. Page: `book/11-deduplication.md`.
//!
//!     cargo run --bin deduplication

use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_sdk_sqs::types::MessageSystemAttributeName::MessageDeduplicationId;
use aws_sdk_sqs::Client;
use snippets::{connect, delete, no_options, println, receive_one, scratch_fifo_queue, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_fifo_queue(&sqs, "deduplication").await?;
    send_again(&sqs, &queue).await?;
    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(())
}

// ANCHOR: send_again
async fn send_again(sqs: &Client, queue: &str) -> Result {
    let first = send(sqs, queue, "abc", "the web shop").await?;
    let again = send(sqs, queue, "abc", "the telephone").await?;
    assert_eq!(again.message_id, first.message_id);
    assert_eq!(again.sequence_number, first.sequence_number);

    let message = receive_one(sqs, queue, 30).await?.ok_or("nothing came")?;
    let attributes = message.attributes.clone().unwrap_or_default();
    let id = attributes.get(&MessageDeduplicationId).ok_or("no id")?;
    println!("MessageDeduplicationId: {id}");
    assert_eq!(id, SHA_256_OF_ABC, "a hash of the body alone");

    delete(sqs, queue, message).await?;
    println!("Received and deleted");
    let late = send(sqs, queue, "abc", "the web shop").await?;
    assert_eq!(late.message_id, first.message_id, "it is remembered");
    let nothing = receive_one(sqs, queue, 30).await?;
    assert!(nothing.is_none(), "and not delivered");
    println!("Nothing to receive");
    Ok(())
}

const SHA_256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
// ANCHOR_END: send_again

// ANCHOR: send
/// Sends a body, and in an attribute where it came from.
async fn send(sqs: &Client, queue: &str, body: &str, from: &str) -> Result<SendMessageOutput> {
    let from = MessageAttributeValue::builder().string_value(from).data_type("String").build()?;
    let sent = sqs
        .send_message()
        .queue_url(queue)
        .message_body(body)
        .message_group_id("Group1")
        .message_attributes("From", from)
        .send()
        .await?;

    println!("Sent {body}: {}", sent.message_id().unwrap_or_default());
    Ok(sent)
}
// ANCHOR_END: send
