//! Sends a message that can't be received during the next five minutes. Solves the exercise of the page
//! `book/03-send.md`.
//!
//!     cargo run --bin send-later

// ANCHOR: all
use aws_sdk_sqs::Client;
use snippets::{connect, no_options, println, queue_url, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, "StandardQueue").await?;
    sqs.send_message().queue_url(queue).message_body("Later").delay_seconds(300).send().await?;
    println!("Sent. It can be received in five minutes");
    Ok(())
}
// ANCHOR_END: all
