//! Gets the records of all shards of the stream, until ^C. Page: `book/15-get.md`.
//!
//!     cargo run --bin get
//!     cargo run --bin get -- --from start

use aws_sdk_kinesis::primitives::{DateTime, DateTimeFormat};
use aws_sdk_kinesis::types::ShardIteratorType::{self, AtTimestamp, Latest, TrimHorizon};
use aws_sdk_kinesis::Client;
use snippets::{
    active, connect, named, options, println, shards, until_ctrl_c, Result, StreamArgs,
};
use std::mem::take;
use std::time::Duration;
use tokio::time::interval;

#[derive(clap::Parser)]
struct Options {
    #[command(flatten)]
    args: StreamArgs,

    /// Where to begin: latest, start, or a time
    #[arg(long, value_name = "latest|start|2026-11-23T10:00:00Z", default_value = "latest")]
    from: String,
}

#[tokio::main]
async fn main() -> Result {
    let Options { args, from } = options();
    let kinesis = Client::new(&connect().await);
    let stream = named(&args.stream);
    active(&kinesis, &stream).await?;
    let iterators = iterators(&kinesis, &stream, &from).await?;
    println!("Reading {} shard(s) from {from}", iterators.len());
    until_ctrl_c(get(&kinesis, iterators, args.count)).await
}

// ANCHOR: iterators
/// An iterator for each shard, all of which begin at the same place.
async fn iterators(kinesis: &Client, stream: &str, from: &str) -> Result<Vec<String>> {
    let (kind, time) = place(from)?;
    let mut iterators = Vec::new();
    for shard in shards(kinesis, stream).await? {
        let answer = kinesis
            .get_shard_iterator()
            .stream_name(stream)
            .shard_id(shard.shard_id)
            .shard_iterator_type(kind.clone())
            .set_timestamp(time)
            .send()
            .await?;
        iterators.extend(answer.shard_iterator);
    }
    Ok(iterators)
}

fn place(from: &str) -> Result<(ShardIteratorType, Option<DateTime>)> {
    match from {
        "latest" => Ok((Latest, None)),
        "start" => Ok((TrimHorizon, None)),
        time => match DateTime::from_str(time, DateTimeFormat::DateTime) {
            Ok(time) => Ok((AtTimestamp, Some(time))),
            Err(_) => {
                let places = "say latest, start, or a time such as 2026-11-23T10:00:00Z";
                Err(format!("--from {time}: {places}").into())
            }
        },
    }
}
// ANCHOR_END: iterators

// ANCHOR: get
async fn get(kinesis: &Client, mut iterators: Vec<String>, count: u64) -> Result {
    let mut every = interval(Duration::from_secs(1));
    let mut records = 0;
    while records < count && !iterators.is_empty() {
        every.tick().await;
        let before = records;
        for iterator in take(&mut iterators) {
            let got = kinesis.get_records().shard_iterator(iterator).limit(40).send().await?;
            for record in &got.records {
                if records == count {
                    return Ok(());
                }
                println!("{}", String::from_utf8_lossy(record.data.as_ref()));
                records += 1;
            }
            match got.next_shard_iterator {
                Some(next) => iterators.push(next),
                None => {
                    println!("A shard is at its end: `--from start` reads those that follow it")
                }
            }
        }
        if records == before {
            println!("No new records");
        }
    }
    Ok(())
}
// ANCHOR_END: get
