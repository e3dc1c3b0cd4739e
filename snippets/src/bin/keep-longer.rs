//! Has the lab's stream keep its records for two days. Solves the exercise of the page `book/15-get.md`.
//!
//!     cargo run --bin keep-longer
//!     cargo run --bin keep-longer -- --back

// ANCHOR: all
use aws_sdk_kinesis::Client;
use snippets::{connect, flag, named, println, Result};

#[tokio::main]
async fn main() -> Result {
    let back = flag("back", "Go back to one day");
    let kinesis = Client::new(&connect().await);
    let stream = named("KinesisStream");
    let hours = if back {
        kinesis
            .decrease_stream_retention_period()
            .stream_name(stream)
            .retention_period_hours(24)
            .send()
            .await?;
        24
    } else {
        kinesis
            .increase_stream_retention_period()
            .stream_name(stream)
            .retention_period_hours(48)
            .send()
            .await?;
        48
    };
    println!("Records are now kept for {hours} hours");
    Ok(())
}
// ANCHOR_END: all
