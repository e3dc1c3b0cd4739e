//! A Lambda function for experiments: it takes a second for each batch, and prints from when to when. Page:
//! `book/25-scaling.md`.

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

// ANCHOR: handler
async fn handler(_batch: LambdaEvent<SqsEvent>) -> Result<(), Error> {
    let begin = now()?;
    sleep(Duration::from_secs(1)).await;
    println!("ran from {begin} to {}", now()?);
    Ok(())
}

/// Milliseconds since 1970.
fn now() -> Result<u128, Error> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())
}
// ANCHOR_END: handler
