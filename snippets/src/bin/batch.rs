//! Ten messages in one call, and what to do when some of them are refused. Page: `book/07-batch.md`.
//!
//!     cargo run --bin batch

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry};
use aws_sdk_sqs::Client;
use snippets::{connect, no_options, println, scratch_queue, Result};
use std::collections::BTreeSet;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "batch").await?;

    let mut entries = Vec::new();
    for n in 1..=10 {
        let delay = if n == 4 { 901 } else { 0 };
        entries.push(entry(n, delay)?);
    }
    let failed = send(&sqs, &queue, entries).await?;
    assert_eq!(failed, ["4"], "one entry is refused, the others are sent");

    let failed = send(&sqs, &queue, vec![entry(4, 0)?]).await?;
    assert!(failed.is_empty(), "the mended entry is sent");

    let received = receive_all(&sqs, &queue, 10).await?;
    assert_eq!(received.len(), 10, "all ten orders are in the queue");
    sqs.delete_queue().queue_url(&queue).send().await?;
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: entry
/// Order `n`, to be delivered after `delay` seconds.
fn entry(n: u32, delay: i32) -> Result<SendMessageBatchRequestEntry> {
    Ok(SendMessageBatchRequestEntry::builder()
        .id(n.to_string())
        .message_body(format!("Order {n}"))
        .delay_seconds(delay)
        .build()?)
}
// ANCHOR_END: entry

// ANCHOR: send
/// Sends up to ten messages in one call. Gives back the ids of those that are not in the queue now.
async fn send(
    sqs: &Client,
    queue: &str,
    entries: Vec<SendMessageBatchRequestEntry>,
) -> Result<Vec<String>> {
    let outcome =
        sqs.send_message_batch().queue_url(queue).set_entries(Some(entries)).send().await?;
    let (sent, failed) = (outcome.successful(), outcome.failed());
    println!("Ok: {} sent, {} failed", sent.len(), failed.len());
    let mut ids = Vec::new();
    for entry in failed {
        println!("Entry {}: {}", entry.id(), entry.code());
        println!("  {}", entry.message().unwrap_or_default());
        println!("  the sender's fault: {}", entry.sender_fault());
        ids.push(entry.id().to_owned());
    }
    Ok(ids)
}
// ANCHOR_END: send

// ANCHOR: receive_all
/// Receives and deletes, ten at a time, until `how_many` different bodies came or nothing is left.
async fn receive_all(sqs: &Client, queue: &str, how_many: usize) -> Result<BTreeSet<String>> {
    let mut bodies = BTreeSet::new();
    while bodies.len() < how_many {
        let response = sqs
            .receive_message()
            .queue_url(queue)
            .max_number_of_messages(10)
            .wait_time_seconds(5)
            .send()
            .await?;
        let messages = response.messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        let mut done = Vec::new();
        for (n, message) in messages.into_iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(n.to_string())
                .set_receipt_handle(message.receipt_handle)
                .build()?;
            done.push(entry);
            bodies.extend(message.body);
        }
        let outcome =
            sqs.delete_message_batch().queue_url(queue).set_entries(Some(done)).send().await?;
        assert!(outcome.failed().is_empty(), "each of them is deleted");
    }
    println!("Received and deleted {} orders", bodies.len());
    Ok(bodies)
}
// ANCHOR_END: receive_all
