//! Registers the consumer *bills* of the lab's stream. Solves the exercise of the page `book/21-fan-out.md`.
//!
//!     cargo run --bin register

// ANCHOR: all
use aws_sdk_kinesis::Client;
use snippets::{connect, named, no_options, println, register, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = named("KinesisStream");
    register(&kinesis, &stream, "bills").await?;
    println!("bills is a consumer of {stream}, and active");
    Ok(())
}
// ANCHOR_END: all
