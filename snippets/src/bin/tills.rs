//! A hot key is divided by what must stay in order. Solves the exercise of the page `book/18-hot-keys.md`.
//!
//!     cargo run --bin tills

// ANCHOR: all
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_sdk_kinesis::Client;
use snippets::{connect, delete_stream, no_options, println, scratch_stream, Result};
use std::collections::{BTreeMap, BTreeSet};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "tills", 4).await?;
    let till = |n: u32| format!("berlin-till-{}", n % 8 + 1);
    let tills: Vec<String> = (1..=500).map(till).collect();

    let mut putting = kinesis.put_records().stream_name(&stream);
    for till in &tills {
        let sale = PutRecordsRequestEntry::builder()
            .partition_key(till)
            .data(Blob::new([b'x'; 4000]))
            .build()?;
        putting = putting.records(sale);
    }
    let answer = putting.send().await?;
    assert_eq!(answer.failed_record_count, Some(0), "there is room for all");

    let mut shards: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (till, record) in tills.iter().zip(&answer.records) {
        shards.entry(till).or_default().extend(record.shard_id());
    }
    for (till, shards) in &shards {
        println!("{till}: {shards:?}");
        assert_eq!(shards.len(), 1, "the sales of a till stay in order");
    }
    delete_stream(&kinesis, &stream).await
}
// ANCHOR_END: all
