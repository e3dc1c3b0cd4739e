//! Triggers: Lambda polls a queue or a stream for a function.

use crate::Function;
use aws_sdk_kinesis as kinesis;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::operation::create_event_source_mapping::builders::CreateEventSourceMappingFluentBuilder;
use aws_sdk_lambda::types::EventSourceMappingConfiguration;
use aws_sdk_lambda::Client;
use aws_sdk_sqs as sqs;
use snippets::{println, Result};
use sqs::types::QueueAttributeName::QueueArn;
use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: trigger
/// Sets a trigger up, and returns its UUID when Lambda polls. A denial is repeated for a minute when `allowed`: a new
/// permission takes some seconds to reach Lambda.
pub async fn trigger(
    lambda: &Client,
    mapping: CreateEventSourceMappingFluentBuilder,
    allowed: bool,
) -> Result<String> {
    for asked in 1..=30 {
        match mapping.clone().send().await {
            Ok(created) => {
                let uuid = created.uuid.ok_or("the answer has no UUID")?;
                return until(lambda, &uuid, "Enabled").await.map(|()| uuid);
            }
            Err(error) if allowed && is_denied(error.message().unwrap_or("")) => {
                if asked == 1 {
                    println!("Denied: Lambda does not know of the permission yet. Asking again");
                }
                sleep(Duration::from_secs(2)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err("Lambda is still denied after a minute".into())
}

fn is_denied(message: &str) -> bool {
    message.contains("does not have permissions") || message.contains("Cannot access stream")
}
// ANCHOR_END: trigger

/// The trigger by which Lambda polls the lab's queue or stream for the function.
pub async fn trigger_of(
    lambda: &Client,
    function: Function,
) -> Result<Option<EventSourceMappingConfiguration>> {
    let mut triggers = lambda
        .list_event_source_mappings()
        .function_name(function.name())
        .into_paginator()
        .items()
        .send();
    while let Some(trigger) = triggers.next().await {
        let trigger = trigger?;
        let source = trigger.event_source_arn().unwrap_or_default();
        if source.ends_with(&format!(":{}", function.source()))
            || source.ends_with(&format!("/{}", function.source()))
        {
            return Ok(Some(trigger));
        }
    }
    Ok(None)
}

/// Waits until a trigger is in this state.
pub async fn until(lambda: &Client, uuid: &str, state: &str) -> Result {
    for _ in 0..1500 {
        let found = lambda.get_event_source_mapping().uuid(uuid).send().await?;
        if found.state() == Some(state) {
            return Ok(());
        }
        sleep(Duration::from_millis(200)).await;
    }
    Err(format!("the trigger {uuid} is not {state} after five minutes").into())
}

/// Deletes a trigger and waits until it is gone.
pub async fn delete_trigger(lambda: &Client, uuid: &str) -> Result {
    lambda.delete_event_source_mapping().uuid(uuid).send().await?;
    for _ in 0..1500 {
        match lambda.get_event_source_mapping().uuid(uuid).send().await {
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(()),
            Err(error) => return Err(error.into()),
            Ok(_) => sleep(Duration::from_millis(200)).await,
        }
    }
    Err(format!("the trigger {uuid} is still there after five minutes").into())
}

/// The ARN by which triggers and policies name the queue.
pub async fn queue_arn(sqs: &sqs::Client, queue: &str) -> Result<String> {
    let answer =
        sqs.get_queue_attributes().queue_url(queue).attribute_names(QueueArn).send().await?;
    let arn = answer.attributes.and_then(|mut all| all.remove(&QueueArn));
    arn.ok_or_else(|| format!("{queue} has no ARN").into())
}

/// The ARN by which triggers and policies name the stream.
pub async fn stream_arn(kinesis: &kinesis::Client, stream: &str) -> Result<String> {
    let answer = kinesis.describe_stream_summary().stream_name(stream).send().await?;
    let arn = answer.stream_description_summary.map(|summary| summary.stream_arn);
    arn.ok_or_else(|| format!("{stream} has no ARN").into())
}
