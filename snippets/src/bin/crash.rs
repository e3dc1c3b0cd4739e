//! Receives a message and ends without deleting it, as in a crash. For the exercise of the page `book/04-receive.md`.
//!
//!     cargo run --bin crash

// ANCHOR: all
use aws_sdk_sqs::Client;
use snippets::{connect, options, println, queue_url, QueueArgs, Result};

#[tokio::main]
async fn main() -> Result {
    let args: QueueArgs = options();
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, &args.queue).await?;
    let received = sqs.receive_message().queue_url(queue).wait_time_seconds(5).send().await?;
    let message = received.messages().first().ok_or("no messages in queue")?;
    println!("Received, not deleted: {}", message.body().unwrap_or("?"));
    Ok(())
}
// ANCHOR_END: all
