//! Splits one shard by hand, at the middle of its hash keys. Solves the exercise of the page `book/19-reshard.md`.
//!
//!     cargo run --bin split

// ANCHOR: all
use aws_sdk_kinesis::types::Shard;
use aws_sdk_kinesis::Client;
use snippets::{active, connect, delete_stream, put, scratch_stream, shards, Result};

#[tokio::main]
async fn main() -> Result {
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "split", 2).await?;
    let hot = put(&kinesis, &stream, "berlin", "a sale").await?;
    for shard in shards(&kinesis, &stream).await? {
        if shard.shard_id == hot {
            let split = kinesis.split_shard().stream_name(&stream);
            let split = split.shard_to_split(&hot);
            split.new_starting_hash_key(middle(&shard)?).send().await?;
        }
    }
    active(&kinesis, &stream).await?;

    let mut open = 0;
    for shard in shards(&kinesis, &stream).await? {
        let numbers = shard.sequence_number_range.as_ref();
        let is_open = numbers.is_some_and(|range| range.ending_sequence_number.is_none());
        open += u32::from(is_open);
        let state = if is_open { "open" } else { "closed" };
        println!(
            "{} {state}, from {:#034x}",
            shard.shard_id,
            bounds(&shard)?.0
        );
    }
    assert_eq!(open, 3, "the cold shard is as it was, the hot one is two");
    delete_stream(&kinesis, &stream).await
}

fn middle(shard: &Shard) -> Result<String> {
    let (start, end) = bounds(shard)?;
    Ok((start + (end - start) / 2 + 1).to_string())
}

fn bounds(shard: &Shard) -> Result<(u128, u128)> {
    let keys = shard.hash_key_range.as_ref().ok_or("no hash keys")?;
    let number = |text: &str| text.parse().map_err(|_| "not a number");
    Ok((
        number(&keys.starting_hash_key)?,
        number(&keys.ending_hash_key)?,
    ))
}
// ANCHOR_END: all
