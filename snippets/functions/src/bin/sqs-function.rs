//! A Lambda function that prints the messages of a queue. Page: `book/22-sqs-function.md`.
//!
//!     cargo build --bin sqs-function

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{run, service_fn, Error, LambdaEvent};

// ANCHOR: main
#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}
// ANCHOR_END: main

// ANCHOR: handler
/// Prints the body of each message. Lambda has received them, and deletes them when this returns without an error.
async fn handler(event: LambdaEvent<SqsEvent>) -> Result<(), Error> {
    for message in event.payload.records {
        println!("{}", message.body.unwrap_or_default());
    }
    Ok(())
}
// ANCHOR_END: handler

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use lambda_runtime::Context;

    #[tokio::test]
    async fn it_takes_an_event_as_lambda_sends_it() {
        let event = serde_json::json!({"Records": [{"messageId": "1", "body": "hello"}]});
        let event = serde_json::from_value(event).expect("an event of SQS");
        let outcome = handler(LambdaEvent::new(event, Context::default())).await;
        assert!(outcome.is_ok());
    }
}
// ANCHOR_END: tests
