//! Receives messages and deletes each when it is done with it, until ^C. Page: `book/04-receive.md`.
//!
//!     cargo run --bin receive

// ANCHOR: all
use aws_sdk_sqs::{types::Message, Client};
use snippets::{connect, options, println, queue_url, until_ctrl_c, Args, Result};

#[tokio::main]
async fn main() -> Result {
    let args: Args = options();
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, &args.queue).await?;
    until_ctrl_c(receive(&sqs, &queue, args.count)).await
}

// ANCHOR: receive
async fn receive(sqs: &Client, queue: &str, count: u64) -> Result {
    let mut received = 0;
    while received < count {
        let response = sqs
            .receive_message()
            .queue_url(queue)
            .max_number_of_messages(10)
            .wait_time_seconds(5)
            .send()
            .await?;
        if response.messages().is_empty() {
            println!("No messages in queue");
        }
        for message in response.messages() {
            println!("{}", message.body().unwrap_or_default());
            delete(sqs, queue, message).await?;
            received += 1;
        }
    }
    Ok(())
}
// ANCHOR_END: receive

// ANCHOR: delete
async fn delete(sqs: &Client, queue: &str, message: &Message) -> Result {
    let receipt = message.receipt_handle().ok_or("a message without receipt handle")?;
    sqs.delete_message().queue_url(queue).receipt_handle(receipt).send().await?;
    Ok(())
}
// ANCHOR_END: delete
// ANCHOR_END: all
