//! Has Lambda poll the lab's queue or stream for a function. Page: `book/22-sqs-function.md`.
//!
//!     cargo run --bin trigger -- sqs-function
//!     cargo run --bin trigger -- kinesis-function --from start

use aws_config::SdkConfig;
use aws_sdk_cloudformation as cloudformation;
use aws_sdk_kinesis as kinesis;
use aws_sdk_lambda as lambda;
use aws_sdk_lambda::types::EventSourcePosition;
use aws_sdk_sqs as sqs;
use clap::Parser;
use deployment::{parameter, queue_arn, stream_arn, trigger, Function};
use snippets::{connect, options, println, queue_url, Result};

#[derive(Parser)]
struct Options {
    function: Function,

    /// Where to begin in a stream
    #[arg(long, value_parser = ["latest", "start"], default_value = "latest")]
    from: String,
}

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let Options { function, from } = options();
    let config = connect().await;
    let lambda = lambda::Client::new(&config);
    let mapping =
        lambda.create_event_source_mapping().function_name(function.name()).batch_size(10);
    let mapping = match function {
        Function::SqsFunction => {
            let sqs = sqs::Client::new(&config);
            let queue = queue_url(&sqs, function.source_name()).await?;
            mapping.event_source_arn(queue_arn(&sqs, &queue).await?)
        }
        Function::KinesisFunction => {
            let kinesis = kinesis::Client::new(&config);
            let arn = stream_arn(&kinesis, &function.source()).await?;
            let position = match from.as_str() {
                "start" => EventSourcePosition::TrimHorizon,
                _ => EventSourcePosition::Latest,
            };
            mapping.event_source_arn(arn).starting_position(position)
        }
    };
    let allowed = is_allowed(&config, function).await?;
    trigger(&lambda, mapping, allowed).await?;
    println!("Lambda polls {} for {}", function.source(), function.name());
    Ok(())
}
// ANCHOR_END: main

/// Whether the role has the permission: then a denial only says that Lambda does not know it yet.
async fn is_allowed(config: &SdkConfig, function: Function) -> Result<bool> {
    let cfn = cloudformation::Client::new(config);
    let may_read = parameter(&cfn, &function.stack(), "MayRead").await?;
    Ok(may_read != "nothing")
}
