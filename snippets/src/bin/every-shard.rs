//! One record for each shard, by an explicit hash key. Solves the exercise of the page `book/14-put.md`.
//!
//!     cargo run --bin every-shard

// ANCHOR: all
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::Client;
use snippets::{connect, delete_stream, no_options, println, scratch_stream, shards, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "every-shard", 4).await?;
    for shard in shards(&kinesis, &stream).await? {
        let range = shard.hash_key_range.ok_or("a shard without range")?;
        let answered = kinesis
            .put_record()
            .stream_name(&stream)
            .partition_key("the same")
            .explicit_hash_key(range.starting_hash_key)
            .data(Blob::new("wake up"))
            .send()
            .await?
            .shard_id;
        println!("Put one into {answered}");
        assert_eq!(answered, shard.shard_id);
    }
    delete_stream(&kinesis, &stream).await
}
// ANCHOR_END: all
