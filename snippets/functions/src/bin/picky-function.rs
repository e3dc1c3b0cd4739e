//! A Lambda function for experiments: it prints each message of a batch and fails at the body `poison`. With the
//! variable `REPORT` it reports which messages failed. Page: `book/23-half-a-batch.md`.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use std::env;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

// ANCHOR: handler
async fn handler(event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let mut response = SqsBatchResponse::default();
    for message in event.payload.records {
        let body = message.body.unwrap_or_default();
        println!("{body}");
        if body == "poison" {
            response.add_failure(message.message_id.unwrap_or_default());
        }
    }
    if env::var_os("REPORT").is_some() || response.batch_item_failures.is_empty() {
        return Ok(response);
    }
    Err("a message of this batch is poison".into())
}
// ANCHOR_END: handler
