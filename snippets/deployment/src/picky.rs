//! The common part of the experiments with a bad message.

use crate::{queue_arn, trigger, Runs, Scratch, TEN};
use aws_config::SdkConfig;
use aws_sdk_lambda as lambda;
use aws_sdk_lambda::types::FunctionResponseType::ReportBatchItemFailures;
use aws_sdk_sqs as sqs;
use snippets::{pass, println, Result};
use sqs::types::SendMessageBatchRequestEntry;
use std::time::Duration;

// ANCHOR: picky
/// Has a function that fails at poison run ten messages of a queue as one batch. Returns it and the UUID of its
/// trigger. It either reports what failed, or just fails.
pub async fn picky(config: &SdkConfig, queue: &str, report: bool) -> Result<(Scratch, String)> {
    let sqs = sqs::Client::new(config);
    let lambda = lambda::Client::new(config);
    send(&sqs, queue).await?;
    let program = "picky-function";
    let variables: &[_] = if report { &[("REPORT", "yes")] } else { &[] };
    let function = Scratch::create(config, "picky", "sqs-function", program, variables).await?;
    let mapping = lambda
        .create_event_source_mapping()
        .function_name(&function.name)
        .event_source_arn(queue_arn(&sqs, queue).await?)
        .set_function_response_types(report.then(|| vec![ReportBatchItemFailures]))
        .batch_size(10)
        .maximum_batching_window_in_seconds(1);
    let uuid = trigger(&lambda, mapping, true).await?;
    Ok((function, uuid))
}
// ANCHOR_END: picky

async fn send(sqs: &sqs::Client, queue: &str) -> Result {
    let mut batch = Vec::new();
    for (n, body) in TEN.iter().enumerate() {
        let entry = SendMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .message_body(*body)
            .build()?;
        batch.push(entry);
    }
    sqs.send_message_batch().queue_url(queue).set_entries(Some(batch)).send().await?;
    Ok(())
}

// ANCHOR: three_runs
/// Counts when the poison has run three times.
pub async fn three_runs(function: &Scratch) -> Result<Runs> {
    let mut runs = Runs::until(function, &TEN, "poison", 1).await?;
    for times in 2..=3 {
        // A message that was not deleted comes back when its visibility timeout is over.
        pass(Duration::from_secs(30)).await;
        runs = Runs::until(function, &TEN, "poison", times).await?;
    }
    println!("{runs}");
    Ok(runs)
}
// ANCHOR_END: three_runs
