//! A fresh iterator each time, but after the last record. Solves the exercise of the page `book/16-lost-records.md`.
//!
//!     cargo run --bin mended
//!     cargo run --bin mended -- --old

// ANCHOR: all
use aws_sdk_kinesis as kinesis;
use aws_sdk_kinesis::types::ShardIteratorType::{AfterSequenceNumber, Latest};
use aws_sdk_sqs as sqs;
use snippets::{
    connect, flag, from_the_start, iterator, named, println, put, queue_url, read, Result,
};

#[tokio::main]
async fn main() -> Result {
    let old = flag("old", "Ask for LATEST after each batch, as the old loop did");
    let config = connect().await;
    let sqs = sqs::Client::new(&config);
    let queue = queue_url(&sqs, "StandardQueue").await?;
    let kinesis = kinesis::Client::new(&config);
    let stream = named("KinesisStream");
    let producer = |data| put(&kinesis, &stream, "key", data);

    let shard = producer("first").await?;
    let mut place = from_the_start(&kinesis, &stream, &shard).await?;
    for batch in 1..=5 {
        let records = read(&kinesis, place, 1).await?;
        for record in &records {
            let data = String::from_utf8_lossy(record.data.as_ref());
            println!("Copying {data}");
            sqs.send_message().queue_url(&queue).message_body(data).send().await?;
        }
        if batch == 5 {
            break;
        }
        producer("during the work").await?;
        place = if old {
            iterator(&kinesis, &stream, &shard, Latest).await?
        } else {
            let last = records.last().ok_or("nothing came")?;
            kinesis
                .get_shard_iterator()
                .stream_name(&stream)
                .shard_id(&shard)
                .shard_iterator_type(AfterSequenceNumber)
                .starting_sequence_number(&last.sequence_number)
                .send()
                .await?
                .shard_iterator
        };
        producer("after the work").await?;
    }
    Ok(())
}
// ANCHOR_END: all
