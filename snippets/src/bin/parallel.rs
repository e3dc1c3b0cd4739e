//! One group gives work to one receiver at a time, many groups to many. An experiment of the page `book/10-groups.md`.
//!
//!     cargo run --bin parallel

use aws_sdk_sqs::Client;
use snippets::{connect, delete, no_options, println, receive_one, scratch_fifo_queue, Result};

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let one = rounds(&sqs, 1).await?;
    let six = rounds(&sqs, 6).await?;
    assert!(!one.contains(&2), "one group: never both at work");
    assert!(six.contains(&2), "six groups: both at work");
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: rounds
/// Sends six messages in so many groups. In each round, two receivers ask for a message, and what they got is deleted
/// only after both have asked. Returns how many of the two had work, round by round.
async fn rounds(sqs: &Client, groups: u32) -> Result<Vec<usize>> {
    let queue = scratch_fifo_queue(sqs, "parallel").await?;
    for n in 1..=6 {
        sqs.send_message()
            .queue_url(&queue)
            .message_body(format!("Order {n}"))
            .message_group_id(format!("group-{}", n % groups))
            .send()
            .await?;
    }
    let mut at_work = Vec::new();
    while at_work.iter().sum::<usize>() < 6 && at_work.len() < 10 {
        let first = receive_one(sqs, &queue, 30).await?;
        let second = receive_one(sqs, &queue, 30).await?;
        let held: Vec<_> = first.into_iter().chain(second).collect();
        at_work.push(held.len());
        for message in held {
            delete(sqs, &queue, message).await?;
        }
    }
    sqs.delete_queue().queue_url(&queue).send().await?;
    println!("Groups: {groups}. Receivers at work, round by round: {at_work:?}");
    assert_eq!(at_work.iter().sum::<usize>(), 6, "every message came");
    Ok(at_work)
}
// ANCHOR_END: rounds
