//! An empty answer to a short poll does not mean an empty queue. An experiment of the page `book/04-receive.md`.
//!
//!     cargo run --bin short-poll

use aws_sdk_sqs::{types::Message, Client};
use snippets::{connect, no_options, println, scratch_queue, Result};
use std::collections::BTreeSet;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "short-poll").await?;
    for body in ["1", "2", "3"] {
        sqs.send_message().queue_url(&queue).message_body(body).send().await?;
    }

    let mut empty = 0;
    for _ in 0..50 {
        if poll(&sqs, &queue, 0, 0).await?.is_empty() {
            empty += 1;
        }
    }
    println!("50 short polls of a queue with 3 messages: {empty} found none");

    let mut found = BTreeSet::new();
    while found.len() < 3 {
        let messages = poll(&sqs, &queue, 5, 30).await?;
        if messages.is_empty() {
            break;
        }
        found.extend(messages.into_iter().filter_map(|message| message.body));
    }
    sqs.delete_queue().queue_url(&queue).send().await?;

    println!("Long polls found: {found:?}");
    assert_eq!(found.len(), 3, "long polls find every message");
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: poll
/// Waits up to `wait` seconds for messages, and hides what it finds from the next poll for `hide` seconds.
async fn poll(sqs: &Client, queue: &str, wait: i32, hide: i32) -> Result<Vec<Message>> {
    let response = sqs
        .receive_message()
        .queue_url(queue)
        .max_number_of_messages(10)
        .wait_time_seconds(wait)
        .visibility_timeout(hide)
        .send()
        .await?;
    Ok(response.messages.unwrap_or_default())
}
// ANCHOR_END: poll
