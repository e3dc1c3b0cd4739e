//! Puts a record into the stream every 100 ms, until ^C. Page: `book/14-put.md`.
//!
//!     cargo run --bin put

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::Client;
use serde_json::json;
use snippets::{active, connect, eprintln, letters, named, options, println, until_ctrl_c, uuid};
use snippets::{Error, Result, StreamArgs};
use std::time::Duration;
use tokio::time::interval;

#[tokio::main]
async fn main() -> Result {
    let args: StreamArgs = options();
    let kinesis = Client::new(&connect().await);
    let stream = named(&args.stream);
    active(&kinesis, &stream).await?;
    until_ctrl_c(put(&kinesis, &stream, args.count)).await
}

// ANCHOR: put
async fn put(kinesis: &Client, stream: &str, count: u64) -> Result {
    let mut every = interval(Duration::from_millis(100));
    for n in 1..=count {
        every.tick().await;
        println!("Putting record {n}");
        let id = uuid();
        let data = json!({ "Id": id, "Msg": n.to_string(), "Field01": letters(16) });
        let put = kinesis
            .put_record()
            .stream_name(stream)
            .partition_key(id)
            .data(Blob::new(data.to_string()))
            .send()
            .await;
        if let Err(error) = put {
            eprintln!("Record {n} was not put: {}", Error::from(error));
        }
    }
    Ok(())
}
// ANCHOR_END: put
