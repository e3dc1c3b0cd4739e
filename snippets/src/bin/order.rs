//! A standard queue keeps every message but not their order. An experiment of the page `book/03-send.md`.
//!
//!     cargo run --bin order

use aws_sdk_sqs::Client;
use snippets::{connect, no_options, println, scratch_queue, Result};
use std::collections::BTreeSet;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "order").await?;

    let sent: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    for body in &sent {
        sqs.send_message().queue_url(&queue).message_body(body).send().await?;
    }
    let received = receive_all(&sqs, &queue, sent.len()).await?;
    sqs.delete_queue().queue_url(&queue).send().await?;

    println!("Sent:     {}", sent.join(" "));
    println!("Received: {}", received.join(" "));
    assert_eq!(BTreeSet::from_iter(sent), BTreeSet::from_iter(received));
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: receive_all
/// The bodies in the order they came, until `how_many` different ones came or nothing is left.
async fn receive_all(sqs: &Client, queue: &str, how_many: usize) -> Result<Vec<String>> {
    let mut bodies = Vec::new();
    while BTreeSet::from_iter(&bodies).len() < how_many {
        let response = sqs
            .receive_message()
            .queue_url(queue)
            .max_number_of_messages(10)
            .wait_time_seconds(5)
            .send()
            .await?;
        if response.messages().is_empty() {
            break;
        }
        for message in response.messages() {
            bodies.push(message.body().unwrap_or_default().to_owned());
        }
    }
    Ok(bodies)
}
// ANCHOR_END: receive_all
