//! Counts a queue's messages without receiving them. Solves the exercise of the page `book/04-receive.md`.
//!
//!     cargo run --bin count

// ANCHOR: all
use aws_sdk_sqs::types::QueueAttributeName::{
    ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesNotVisible as InFlight,
};
use aws_sdk_sqs::Client;
use snippets::{connect, receive_one, scratch_queue, Result};

#[tokio::main]
async fn main() -> Result {
    let sqs = Client::new(&connect().await);
    let queue = scratch_queue(&sqs, "count").await?;
    for body in ["1", "2", "3"] {
        let sending = sqs.send_message().queue_url(&queue).message_body(body);
        sending.send().await?;
    }
    receive_one(&sqs, &queue, 30).await?;

    let asking = sqs.get_queue_attributes().queue_url(&queue);
    let answer = asking
        .attribute_names(Visible)
        .attribute_names(InFlight)
        .send()
        .await?;
    sqs.delete_queue().queue_url(&queue).send().await?;

    let counts = answer.attributes.unwrap_or_default();
    let count = |name| counts.get(name).map_or("unknown", String::as_str);
    println!("To be received: about {}", count(&Visible));
    println!("In flight: about {}", count(&InFlight));
    Ok(())
}
// ANCHOR_END: all
