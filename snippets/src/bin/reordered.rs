//! Sending again changes the order, also that of one key. Solves the exercise of the page `book/17-put-many.md`.
//!
//!     cargo run --bin reordered

// ANCHOR: all
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry as Entry;
use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, from_the_start, no_options, println, read, scratch_stream, shards,
    Result,
};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "reordered", 1).await?;
    let letters = [("A", 700_000), ("B", 700_000), ("C", 10)];
    let failed = put(&kinesis, &stream, &letters).await?;
    println!("Failed at first: {failed:?}");
    assert!(!failed.is_empty(), "the shard has no room for all at once");
    sleep(Duration::from_secs(1)).await;
    put(&kinesis, &stream, &failed).await?;

    let shard = &shards(&kinesis, &stream).await?[0].shard_id;
    let iterator = from_the_start(&kinesis, &stream, shard).await?;
    let records = read(&kinesis, iterator, 3).await?;
    let data = records.iter().map(|record| record.data.as_ref());
    let order: String = data.map(|data| char::from(data[0])).collect();
    println!("Put A, B, C. In the stream: {order}");
    assert_eq!(order, "ACB", "C has overtaken B");
    delete_stream(&kinesis, &stream).await
}

/// Puts a record for each letter, as long as it says, all with one key. Returns what failed.
async fn put<'a>(
    kinesis: &Client,
    stream: &str,
    letters: &[(&'a str, usize)],
) -> Result<Vec<(&'a str, usize)>> {
    let mut putting = kinesis.put_records().stream_name(stream);
    for (letter, size) in letters {
        let entry = Entry::builder()
            .partition_key("account-7")
            .data(Blob::new(letter.repeat(*size)))
            .build()?;
        putting = putting.records(entry);
    }
    let answer = putting.send().await?;
    let results = letters.iter().zip(&answer.records);
    let failed = results.filter(|(_, result)| result.error_code.is_some());
    Ok(failed.map(|(letter, _)| *letter).collect())
}
// ANCHOR_END: all
