//! Sends a message to the FIFO queue every 100 ms, all of one group, until ^C. Page: `book/09-fifo.md`.
//!
//!     cargo run --bin fifo

use aws_sdk_sqs::Client;
use serde_json::json;
use snippets::{
    connect, eprintln, letters, options, println, queue_url, until_ctrl_c, Error, Result,
};
use std::time::Duration;
use tokio::time::interval;

#[derive(clap::Parser)]
struct Options {
    /// Stop after N messages instead of at ^C
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    count: u64,

    /// The queue's name
    #[arg(long, value_name = "NAME", default_value = "FIFOQueue.fifo")]
    queue: String,

    /// The message group
    #[arg(long, value_name = "NAME", default_value = "Group1")]
    group: String,
}

#[tokio::main]
async fn main() -> Result {
    let args: Options = options();
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, &args.queue).await?;
    until_ctrl_c(send(&sqs, &queue, &args.group, args.count)).await
}

// ANCHOR: send
async fn send(sqs: &Client, queue: &str, group: &str, count: u64) -> Result {
    let mut every = interval(Duration::from_millis(100));
    for n in 1..=count {
        every.tick().await;
        println!("Sending message {n}");
        let sent = sqs
            .send_message()
            .queue_url(queue)
            .message_body(body(n))
            .message_group_id(group)
            .send()
            .await;
        if let Err(error) = sent {
            eprintln!("Message {n} was not sent: {}", Error::from(error));
        }
    }
    Ok(())
}
// ANCHOR_END: send

/// The message's number and six random fields.
fn body(n: u64) -> String {
    let mut body = json!({ "Message": n });
    for field in 1..=6 {
        body[format!("Field{field:02}")] = letters(16).into();
    }
    body.to_string()
}
