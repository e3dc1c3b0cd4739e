//! Sends a message to the standard queue every 100 ms, until ^C. Page: `book/03-send.md`.
//!
//!     cargo run --bin send

use aws_sdk_sqs::Client;
use serde_json::json;
use snippets::{
    connect, eprintln, letters, options, println, queue_url, until_ctrl_c, Args, Error, Result,
};
use std::time::Duration;
use tokio::time::interval;

#[tokio::main]
async fn main() -> Result {
    let args: Args = options();
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, &args.queue).await?;
    until_ctrl_c(send(&sqs, &queue, args.count)).await
}

// ANCHOR: send
async fn send(sqs: &Client, queue: &str, count: u64) -> Result {
    let mut every = interval(Duration::from_millis(100));
    for n in 1..=count {
        every.tick().await;
        println!("Sending message {n}");
        let body = json!({ "Message": n, "Field01": letters(16) });
        let sent = sqs.send_message().queue_url(queue).message_body(body.to_string()).send().await;
        if let Err(error) = sent {
            eprintln!("Message {n} was not sent: {}", Error::from(error));
        }
    }
    Ok(())
}
// ANCHOR_END: send
