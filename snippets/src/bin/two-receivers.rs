//! Two receivers share a queue's messages. An experiment of the page `book/04-receive.md`.
//!
//!     cargo run --bin two-receivers

use aws_sdk_sqs::Client;
use snippets::{connect, no_options, println, scratch_queue, Result};
use std::collections::BTreeSet;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "two-receivers").await?;
    for n in 1..=100 {
        sqs.send_message().queue_url(&queue).message_body(n.to_string()).send().await?;
    }

    let (first, second) = tokio::try_join!(receive(&sqs, &queue), receive(&sqs, &queue))?;
    sqs.delete_queue().queue_url(&queue).send().await?;

    println!("The first received {}, the second {}", first.len(), second.len());
    let deliveries = first.len() + second.len();
    let different: BTreeSet<String> = first.into_iter().chain(second).collect();
    println!("{deliveries} deliveries of {} different messages", different.len());
    assert_eq!(different, (1..=100).map(|n: u32| n.to_string()).collect());
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: receive
/// Receives and deletes until a long poll finds nothing. Returns the bodies.
async fn receive(sqs: &Client, queue: &str) -> Result<Vec<String>> {
    let mut bodies = Vec::new();
    loop {
        let response = sqs
            .receive_message()
            .queue_url(queue)
            .max_number_of_messages(10)
            .wait_time_seconds(2)
            .send()
            .await?;
        let messages = response.messages.unwrap_or_default();
        if messages.is_empty() {
            return Ok(bodies);
        }
        for message in messages {
            sqs.delete_message()
                .queue_url(queue)
                .set_receipt_handle(message.receipt_handle)
                .send()
                .await?;
            bodies.extend(message.body);
        }
    }
}
// ANCHOR_END: receive
