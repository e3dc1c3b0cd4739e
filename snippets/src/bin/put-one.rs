//! Puts one record, with the partition key that you choose. For the exercises of the page `book/14-put.md` and later
//! ones.
//!
//!     cargo run --bin put-one -- customer-7 "an order"

// ANCHOR: all
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::Client;
use snippets::{connect, named, options, println, Result};

#[derive(clap::Parser)]
struct Options {
    /// The partition key
    key: String,

    /// The data
    data: String,
}

#[tokio::main]
async fn main() -> Result {
    let Options { key, data } = options();
    let kinesis = Client::new(&connect().await);
    let answer = kinesis
        .put_record()
        .stream_name(named("KinesisStream"))
        .partition_key(key)
        .data(Blob::new(data))
        .send()
        .await?;
    println!("Shard: {}", answer.shard_id);
    println!("SequenceNumber: {}", answer.sequence_number);
    Ok(())
}
// ANCHOR_END: all
