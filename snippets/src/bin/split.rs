//! Splits one shard by hand, at the middle of its hash keys. Solves the exercise of the page `book/19-reshard.md`.
//!
//!     cargo run --bin split
//!     cargo run --bin split -- --back

// ANCHOR: all
use aws_sdk_kinesis::types::Shard;
use aws_sdk_kinesis::Client;
use snippets::{active, connect, flag, is_open, named, println, put, shards, Result};

#[tokio::main]
async fn main() -> Result {
    let back = flag("back", "Merge the first two shards instead");
    let kinesis = Client::new(&connect().await);
    let stream = named("KinesisStream");
    let mut open = shards(&kinesis, &stream).await?;
    open.retain(is_open);
    if back {
        let [one, other, ..] = &open[..] else {
            return Err("there is only one shard".into());
        };
        kinesis
            .merge_shards()
            .stream_name(&stream)
            .shard_to_merge(&one.shard_id)
            .adjacent_shard_to_merge(&other.shard_id)
            .send()
            .await?;
    } else {
        let busy = put(&kinesis, &stream, "berlin", "a sale").await?;
        for shard in open.iter().filter(|shard| shard.shard_id == busy) {
            kinesis
                .split_shard()
                .stream_name(&stream)
                .shard_to_split(&busy)
                .new_starting_hash_key(middle(shard)?)
                .send()
                .await?;
        }
    }
    active(&kinesis, &stream).await?;
    for shard in shards(&kinesis, &stream).await? {
        let state = if is_open(&shard) { "open" } else { "closed" };
        let (start, _) = bounds(&shard)?;
        println!("{} {state}, from {start:#034x}", shard.shard_id);
    }
    Ok(())
}

fn middle(shard: &Shard) -> Result<String> {
    let (start, end) = bounds(shard)?;
    Ok((start + (end - start) / 2 + 1).to_string())
}

fn bounds(shard: &Shard) -> Result<(u128, u128)> {
    let keys = shard.hash_key_range.as_ref().ok_or("no hash keys")?;
    let number = |text: &str| text.parse().map_err(|_| "not a number");
    Ok((number(&keys.starting_hash_key)?, number(&keys.ending_hash_key)?))
}
// ANCHOR_END: all
