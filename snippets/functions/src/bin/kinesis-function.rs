//! A Lambda function that prints the records of a stream. Page: `book/26-kinesis-function.md`.
//!
//!     cargo build --bin kinesis-function

use aws_lambda_events::event::kinesis::KinesisEvent;
use lambda_runtime::{run, service_fn, Error, LambdaEvent};

// ANCHOR: main
#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
// ANCHOR_END: main

// ANCHOR: handler
/// Prints the data of each record. They come as base64, and the event's type has decoded them.
async fn handler(event: LambdaEvent<KinesisEvent>) -> Result<(), Error> {
    for record in event.payload.records {
        println!("{}", String::from_utf8_lossy(&record.kinesis.data));
    }
    Ok(())
}
// ANCHOR_END: handler

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use lambda_runtime::Context;
    use serde_json::json;

    #[tokio::test]
    async fn it_takes_an_event_as_lambda_sends_it() {
        let event = json!({"Records": [{
            "awsRegion": "us-east-1",
            "eventID": "shardId-000000000000:1",
            "eventName": "aws:kinesis:record",
            "eventSource": "aws:kinesis",
            "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/KinesisStream",
            "eventVersion": "1.0",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/KinesisFunction",
            "kinesis": {
                "approximateArrivalTimestamp": 1763856000.5,
                "data": "aGVsbG8=",
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "a",
                "sequenceNumber": "1",
            },
        }]});
        let event = serde_json::from_value(event).expect("an event of Kinesis");
        let outcome = handler(LambdaEvent::new(event, Context::default())).await;
        assert!(outcome.is_ok());
    }
}
// ANCHOR_END: tests
