//! After a crash, a checkpoint after the work repeats some records, and one before the work loses some. An experiment
//! of the page `book/20-checkpoints.md`.
//!
//!     cargo run --bin before-or-after

use aws_sdk_kinesis::Client;
use snippets::{
    connect, delete_stream, from_the_start, no_options, pass, println, put, scratch_stream, Result,
};
use std::collections::BTreeSet;
use std::time::Duration;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let kinesis = Client::new(&connect().await);
    let stream = scratch_stream(&kinesis, "before-or-after", 1).await?;
    let mut shard = String::new();
    for n in 1..=24 {
        shard = put(&kinesis, &stream, "orders", &n.to_string()).await?;
    }
    let start = from_the_start(&kinesis, &stream, &shard).await?;

    let (lost, again) = crash(&kinesis, &start, Checkpoint::AfterTheWork).await?;
    assert_eq!((lost, again), (0, 4), "nothing lost, some repeated");
    pass(Duration::from_secs(1)).await;
    let (lost, again) = crash(&kinesis, &start, Checkpoint::BeforeTheWork).await?;
    assert_eq!((lost, again), (6, 0), "nothing repeated, some lost");
    delete_stream(&kinesis, &stream).await
}
// ANCHOR_END: main

#[derive(Debug, PartialEq)]
enum Checkpoint {
    AfterTheWork,
    BeforeTheWork,
}

// ANCHOR: crash
/// A consumer that crashes after 14 of 24 records, and a second one that goes on from its place. Returns how many records
/// were lost, and how many were handled again.
async fn crash(
    kinesis: &Client,
    start: &Option<String>,
    when: Checkpoint,
) -> Result<(usize, usize)> {
    println!("Checkpoint {when:?}");
    let mut place = start.clone();
    let mut handled = consume(kinesis, &mut place, &when, 14).await?;
    println!("  before the crash: {}", handled.join(" "));
    let rest = consume(kinesis, &mut place, &when, 24).await?;
    println!("  after the crash:  {}", rest.join(" "));
    handled.extend(rest);
    let different = BTreeSet::from_iter(&handled).len();
    Ok((24 - different, handled.len() - different))
}

/// Handles records in batches of ten, until there are no more, or `crash_after` of them are handled.
async fn consume(
    kinesis: &Client,
    place: &mut Option<String>,
    when: &Checkpoint,
    crash_after: usize,
) -> Result<Vec<String>> {
    let mut handled = Vec::new();
    loop {
        let batch =
            kinesis.get_records().set_shard_iterator(place.clone()).limit(10).send().await?;
        if *when == Checkpoint::BeforeTheWork {
            *place = batch.next_shard_iterator.clone();
        }
        for record in &batch.records {
            if handled.len() == crash_after {
                return Ok(handled);
            }
            handled.push(String::from_utf8_lossy(record.data.as_ref()).into_owned());
        }
        if *when == Checkpoint::AfterTheWork {
            *place = batch.next_shard_iterator;
        }
        if batch.millis_behind_latest == Some(0) {
            return Ok(handled);
        }
    }
}
// ANCHOR_END: crash
