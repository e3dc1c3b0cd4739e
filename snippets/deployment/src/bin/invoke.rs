//! Runs a function once with an event that you choose, and prints its answer and the end of its log. Page:
//! `book/22-sqs-function.md`.
//!
//!     cargo run --bin invoke -- sqs-function

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use aws_sdk_lambda::Client;
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use deployment::Function;
use serde_json::{json, Value};
use snippets::{connect, println, Result};

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let function = Function::from_command_line();
    let lambda = Client::new(&connect().await);
    let invocation = lambda
        .invoke()
        .function_name(function.name())
        .payload(Blob::new(event(function).to_string()))
        .log_type(LogType::Tail)
        .send()
        .await?;
    if let Some(error) = invocation.function_error {
        println!("Function error: {error}");
    }
    let answer = invocation.payload.unwrap_or_else(|| Blob::new([]));
    println!("Answer: {}", String::from_utf8_lossy(answer.as_ref()));
    println!("{}", log_tail(&invocation.log_result.unwrap_or_default())?);
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: event
/// An event as Lambda sends it, as far as the function looks at it.
fn event(function: Function) -> Value {
    match function {
        Function::SqsFunction => json!({"Records": [{"messageId": "1", "body": "by hand"}]}),
        Function::KinesisFunction => json!({"Records": [{
            "kinesis": {
                "approximateArrivalTimestamp": 1763856000.5,
                "data": "YnkgaGFuZA==",
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "a",
                "sequenceNumber": "1",
            },
        }]}),
    }
}
// ANCHOR_END: event

fn log_tail(base64: &str) -> Result<String> {
    let bytes = STANDARD.decode(base64).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}
