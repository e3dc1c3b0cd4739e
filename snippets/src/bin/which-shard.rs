//! The MD5 hash of the partition key decides on the shard. An experiment of the page `book/14-put.md`.
//!
//!     cargo run --bin which-shard

use aws_sdk_kinesis::types::Shard;
use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, hash_key, no_options, println, put, scratch_stream, shards, Result,
};

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "which-shard", 4).await?;
    let shards = shards(&kinesis, &stream).await?;
    for shard in &shards {
        let (from, to) = range(shard)?;
        println!("{}: {from:032x} to {to:032x}", shard.shard_id);
    }
    for n in 1..=20 {
        let key = format!("customer-{n}");
        let computed = shard_of(&shards, &key)?;
        let answered = put(&kinesis, &stream, &key, "an order").await?;
        println!("{key:11} {:032x} {answered}", hash_key(&key));
        assert_eq!(computed, answered, "the shard of {key}");
    }
    delete_stream(&kinesis, &stream).await
}
// ANCHOR_END: main

// ANCHOR: shard_of
/// The hash keys that the shard takes, both ends included.
fn range(shard: &Shard) -> Result<(u128, u128)> {
    let range = shard.hash_key_range.as_ref().ok_or("a shard without range")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is no hash key"));
    let (from, to) = (&range.starting_hash_key, &range.ending_hash_key);
    Ok((number(from)?, number(to)?))
}

/// The shard whose range the key's hash is in.
fn shard_of<'a>(shards: &'a [Shard], key: &str) -> Result<&'a str> {
    for shard in shards {
        let (from, to) = range(shard)?;
        if (from..=to).contains(&hash_key(key)) {
            return Ok(&shard.shard_id);
        }
    }
    Err(format!("no shard takes {key}").into())
}
// ANCHOR_END: shard_of
