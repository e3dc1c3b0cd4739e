//! Counts a queue's messages without receiving them. Solves the exercise of the page `book/04-receive.md`.
//!
//!     cargo run --bin count

// ANCHOR: all
use aws_sdk_sqs::types::QueueAttributeName::{
    ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesNotVisible as InFlight,
};
use aws_sdk_sqs::Client;
use snippets::{connect, options, println, queue_url, QueueArgs, Result};

#[tokio::main]
async fn main() -> Result {
    let args: QueueArgs = options();
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, &args.queue).await?;
    let answer = sqs
        .get_queue_attributes()
        .queue_url(queue)
        .attribute_names(Visible)
        .attribute_names(InFlight)
        .send()
        .await?;

    let counts = answer.attributes.unwrap_or_default();
    let count = |name| counts.get(name).map_or("unknown", String::as_str);
    println!("To be received: about {}", count(&Visible));
    println!("In flight: about {}", count(&InFlight));
    Ok(())
}
// ANCHOR_END: all
