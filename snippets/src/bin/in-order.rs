//! Two receivers share a FIFO queue, and each group keeps its order. An experiment of the page `book/09-fifo.md`.
//!
//!     cargo run --bin in-order

use aws_sdk_sqs::Client;
use snippets::{connect, delete, no_options, println, scratch_fifo_queue, Result};
use std::cell::RefCell;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = scratch_fifo_queue(&sqs, "in-order").await?;
    for n in 1..=20 {
        for group in ["A", "B", "C"] {
            let body = format!("{group} {n}");
            sqs.send_message()
                .queue_url(&queue)
                .message_body(body)
                .message_group_id(group)
                .send()
                .await?;
        }
    }

    let log = RefCell::new(Vec::new());
    let (first, second) =
        tokio::try_join!(receive(&sqs, &queue, &log), receive(&sqs, &queue, &log))?;
    sqs.delete_queue().queue_url(&queue).send().await?;

    println!("The first received {first}, the second {second}");
    let log = log.into_inner();
    for group in ["A", "B", "C"] {
        let numbers = log.iter().filter_map(|body| body.strip_prefix(group));
        let numbers: String = numbers.collect();
        println!("{group}:{numbers}");
        let in_order: String = (1..=20).map(|n| format!(" {n}")).collect();
        assert_eq!(numbers, in_order, "group {group} in its order");
    }
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: receive
/// Receives and deletes until a long poll finds nothing. Writes each body into the log of both receivers before it
/// deletes the message, and returns how many there were.
async fn receive(sqs: &Client, queue: &str, log: &RefCell<Vec<String>>) -> Result<usize> {
    let mut received = 0;
    for _ in 0..100 {
        let response = sqs
            .receive_message()
            .queue_url(queue)
            .max_number_of_messages(3)
            .wait_time_seconds(2)
            .send()
            .await?;
        let messages = response.messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            received += 1;
            log.borrow_mut().extend(message.body.clone());
            delete(sqs, queue, message).await?;
        }
    }
    Ok(received)
}
// ANCHOR_END: receive
