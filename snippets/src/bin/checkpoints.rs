//! A consumer that stores how far it is, and goes on from there when it is started again. Page:
//! `book/20-checkpoints.md`.
//!
//!     cargo run --bin checkpoints

use aws_config::retry::RetryConfig;
use aws_sdk_kinesis::types::Record;
use aws_sdk_kinesis::types::ShardIteratorType::{AfterSequenceNumber, TrimHorizon};
use aws_sdk_kinesis::Client;
use snippets::{
    active, connect, named, options, println, shards, until_ctrl_c, Result, StreamArgs,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};
use tokio::time::sleep;

#[derive(clap::Parser)]
struct Options {
    #[command(flatten)]
    args: StreamArgs,

    /// The file that keeps the checkpoints
    #[arg(long, value_name = "FILE", default_value = "checkpoints.json")]
    file: PathBuf,
}

#[tokio::main]
async fn main() -> Result {
    let Options { args, file } = options();
    let patience = RetryConfig::standard().with_max_attempts(10);
    let config = connect().await.into_builder().retry_config(patience);
    let kinesis = Client::new(&config.build());
    let stream = named(&args.stream);
    active(&kinesis, &stream).await?;
    let checkpoints = Checkpoints::load(file)?;
    until_ctrl_c(consume(&kinesis, &stream, checkpoints, args.count)).await
}

// ANCHOR: consume
async fn consume(
    kinesis: &Client,
    stream: &str,
    mut checkpoints: Checkpoints,
    count: u64,
) -> Result {
    let mut iterators = BTreeMap::new();
    for shard in shards(kinesis, stream).await? {
        let checkpoint = checkpoints.numbers.get(&shard.shard_id);
        let iterator = go_on(kinesis, stream, &shard.shard_id, checkpoint).await?;
        iterators.insert(shard.shard_id, iterator);
    }
    let mut handled = 0;
    while !iterators.is_empty() {
        let before = handled;
        for (shard, iterator) in &mut iterators {
            let batch =
                kinesis.get_records().set_shard_iterator(iterator.take()).limit(10).send().await?;
            for record in &batch.records {
                handle(record).await;
                handled += 1;
                if handled == count {
                    return Ok(()); // as a crash would: without a checkpoint
                }
            }
            if let Some(last) = batch.records.last() {
                checkpoints.store(shard, &last.sequence_number)?;
                println!("Checkpoint of {shard}: {}", last.sequence_number);
            }
            *iterator = batch.next_shard_iterator;
            if iterator.is_none() {
                println!("{shard} is at its end: start again to read the shards that follow it");
            }
        }
        iterators.retain(|_, iterator| iterator.is_some());
        if handled == before {
            sleep(Duration::from_secs(1)).await;
        }
    }
    Ok(())
}
// ANCHOR_END: consume

// ANCHOR: go_on
/// An iterator that begins after the checkpoint, or at the start of the shard when there is none.
async fn go_on(
    kinesis: &Client,
    stream: &str,
    shard: &str,
    checkpoint: Option<&String>,
) -> Result<Option<String>> {
    let asked = kinesis.get_shard_iterator().stream_name(stream).shard_id(shard);
    let asked = match checkpoint {
        Some(number) => {
            asked.shard_iterator_type(AfterSequenceNumber).starting_sequence_number(number)
        }
        None => asked.shard_iterator_type(TrimHorizon),
    };
    Ok(asked.send().await?.shard_iterator)
}
// ANCHOR_END: go_on

/// The work, which takes a moment.
async fn handle(record: &Record) {
    sleep(Duration::from_millis(2)).await;
    println!("{}", String::from_utf8_lossy(record.data.as_ref()));
}

// ANCHOR: store
/// For each shard the number of the last record whose batch was handled.
struct Checkpoints {
    file: PathBuf,
    numbers: BTreeMap<String, String>,
}

impl Checkpoints {
    fn load(file: PathBuf) -> Result<Self> {
        let numbers = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                let file = file.display();
                format!("{file} holds no checkpoints ({error}): delete it to begin at the start")
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(Self { file, numbers })
    }

    /// Writes a new file and then puts it in the old one's place: whenever this is killed, one of the two is whole.
    fn store(&mut self, shard: &str, number: &str) -> Result {
        self.numbers.insert(shard.to_owned(), number.to_owned());
        let new = self.file.with_extension("new");
        fs::write(&new, serde_json::to_vec(&self.numbers)?)?;
        fs::rename(&new, &self.file)?;
        Ok(())
    }
}
// ANCHOR_END: store
