//! Registers the consumer *bills* of the lab's stream. Solves the exercise of the page `book/21-fan-out.md`.
//!
//!     cargo run --bin register

// ANCHOR: all
use aws_sdk_kinesis::Client;
use snippets::{connect, named, register, Result};

#[tokio::main]
async fn main() -> Result {
    let kinesis = Client::new(&connect().await);
    let arn = register(&kinesis, &named("KinesisStream"), "bills").await?;
    println!("Active: {arn}");
    Ok(())
}
// ANCHOR_END: all
