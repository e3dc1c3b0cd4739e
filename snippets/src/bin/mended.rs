//! A fresh iterator each time, but after the last record. Solves the exercise of the page `book/16-lost-records.md`.
//!
//!     cargo run --bin mended

// ANCHOR: all
use aws_sdk_kinesis::types::Record;
use aws_sdk_kinesis::types::ShardIteratorType::AfterSequenceNumber;
use aws_sdk_kinesis::Client;
use snippets::{connect, delete_stream, from_the_start, put, read, scratch_stream, shards, Result};

#[tokio::main]
async fn main() -> Result {
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "mended", 1).await?;
    let shard = &shards(&kinesis, &stream).await?[0].shard_id;
    let mut iterator = from_the_start(&kinesis, &stream, shard).await?;
    let mut seen = Vec::new();
    for batch in 1..=5 {
        put(&kinesis, &stream, "key", &format!("{batch}a")).await?;
        put(&kinesis, &stream, "key", &format!("{batch}b")).await?;
        let records = read(&kinesis, iterator, 2).await?;
        let last = records.last().ok_or("nothing came")?;
        put(
            &kinesis,
            &stream,
            "key",
            &format!("{batch}, during the work"),
        )
        .await?;

        let asked = kinesis.get_shard_iterator().stream_name(&stream);
        let asked = asked
            .shard_id(shard)
            .shard_iterator_type(AfterSequenceNumber);
        let after = asked.starting_sequence_number(&last.sequence_number);
        iterator = after.send().await?.shard_iterator;
        seen.extend(records);
    }
    seen.extend(read(&kinesis, iterator, 15 - seen.len()).await?);
    delete_stream(&kinesis, &stream).await?;
    println!("Put 15 records, saw {}", seen.len());
    assert_eq!(seen.len(), 15);
    // As numbers: of two of one length, the later in the alphabet is the greater.
    let number = |record: &Record| (record.sequence_number.len(), record.sequence_number.clone());
    assert!(seen.is_sorted_by_key(number));
    Ok(())
}
// ANCHOR_END: all
