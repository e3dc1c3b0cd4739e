//! Deletes what the pages made, and proves that nothing is left. Page: `book/13-cleanup.md`.
//!
//!     cargo run --bin cleanup -- --dry-run
//!     cargo run --bin cleanup

use aws_sdk_cloudformation as cloudformation;
use aws_sdk_sqs as sqs;
use cloudformation::error::ProvideErrorMetadata;
use snippets::{connect, flag, is_scratch, named, pass, Error, Result, TEMPLATES};
use std::time::Duration;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let dry_run = flag("dry-run", "List what would be deleted, and delete nothing");
    let config = connect().await;
    let cfn = cloudformation::Client::new(&config);
    let sqs = sqs::Client::new(&config);

    let would = if dry_run { "Would delete" } else { "Deleting" };
    for stack in stacks(&cfn).await? {
        println!("{would} the stack {stack}");
        if !dry_run {
            delete_stack(&cfn, &stack).await?;
        }
    }
    for queue in queues(&sqs).await? {
        println!("{would} the queue {queue}");
        if !dry_run {
            delete_queue(&sqs, &queue).await?;
        }
    }
    if dry_run {
        println!("Nothing was deleted: this was a dry run");
        return Ok(());
    }
    nothing_left(&cfn, &sqs).await
}
// ANCHOR_END: main

/// The stacks of the lab's templates that exist.
async fn stacks(cfn: &cloudformation::Client) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for stack in TEMPLATES.map(|template| named(template.stack)) {
        if stack_exists(cfn, &stack).await? {
            found.push(stack);
        }
    }
    Ok(found)
}

// ANCHOR: queues
/// The URLs of the lab's queues: those of its pages, and what an interrupted experiment left behind.
async fn queues(sqs: &sqs::Client) -> Result<Vec<String>> {
    let of_pages = ["StandardQueue", "FIFOQueue.fifo"].map(named);
    let mut found = Vec::new();
    for prefix in of_pages.iter().chain([&named("experiment-")]) {
        let listing = sqs.list_queues().queue_name_prefix(prefix);
        let mut urls = listing.max_results(1000).into_paginator().items().send();
        while let Some(url) = urls.next().await {
            let url = url?;
            let name = url.rsplit('/').next().unwrap_or_default();
            if of_pages.iter().any(|page| page == name) || is_scratch(name) {
                found.push(url);
            }
        }
    }
    Ok(found)
}
// ANCHOR_END: queues

// ANCHOR: nothing_left
/// Lists everything again until nothing is there. AWS may list a deleted queue for another minute.
async fn nothing_left(cfn: &cloudformation::Client, sqs: &sqs::Client) -> Result {
    for _ in 0..30 {
        if stacks(cfn).await?.is_empty() && queues(sqs).await?.is_empty() {
            println!("Nothing of the lab is left");
            return Ok(());
        }
        pass(Duration::from_secs(3)).await;
    }
    Err("some of it is still there: run the same command again in a minute".into())
}
// ANCHOR_END: nothing_left

// ANCHOR: delete_stack
/// Deletes a stack with all its resources, and waits until it is gone.
async fn delete_stack(cfn: &cloudformation::Client, name: &str) -> Result {
    cfn.delete_stack().stack_name(name).send().await?;
    for _ in 0..100 {
        if !stack_exists(cfn, name).await? {
            return Ok(());
        }
        pass(Duration::from_secs(3)).await;
    }
    Err(format!("{name} is still there after 5 minutes: its events say why").into())
}

async fn stack_exists(cfn: &cloudformation::Client, name: &str) -> Result<bool> {
    match cfn.describe_stacks().stack_name(name).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.message().unwrap_or("").ends_with("does not exist") => Ok(false),
        Err(error) => Err(error.into()),
    }
}
// ANCHOR_END: delete_stack

/// Deletes a queue. It is no error if it is gone already.
async fn delete_queue(sqs: &sqs::Client, url: &str) -> Result {
    match sqs.delete_queue().queue_url(url).send().await {
        Err(error) if error.code().unwrap_or("").ends_with("NonExistentQueue") => Ok(()),
        deletion => deletion.map(drop).map_err(Error::from),
    }
}
