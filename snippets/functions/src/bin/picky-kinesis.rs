//! A Lambda function for experiments: it prints each record of a batch and fails at the data `poison`. With the
//! variable `REPORT` it reports the record that failed. Page: `book/27-blocked-shard.md`.

use aws_lambda_events::event::kinesis::KinesisEvent;
use aws_lambda_events::event::streams::KinesisEventResponse;
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use std::env;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

// ANCHOR: handler
async fn handler(event: LambdaEvent<KinesisEvent>) -> Result<KinesisEventResponse, Error> {
    let reports = env::var_os("REPORT").is_some();
    let mut response = KinesisEventResponse::default();
    for record in event.payload.records {
        let data = String::from_utf8_lossy(&record.kinesis.data);
        println!("{data}");
        match &*data {
            "poison" if reports => {
                response.add_failure(record.kinesis.sequence_number);
                break;
            }
            "poison" => return Err("this record is poison".into()),
            _ => {}
        }
    }
    Ok(response)
}
// ANCHOR_END: handler
