//! Deletes what the pages made, and proves that nothing is left. Page: `book/29-cleanup.md`.
//!
//!     cargo run --bin cleanup -- --dry-run
//!     cargo run --bin cleanup

use aws_config::SdkConfig;
use aws_sdk_cloudformation as cloudformation;
use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_kinesis as kinesis;
use aws_sdk_lambda as lambda;
use aws_sdk_sqs as sqs;
use deployment::{stack_gone, Function};
use lambda::error::ProvideErrorMetadata;
use snippets::{connect, flag, is_scratch, named, println, Error, Result, TEMPLATES};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let dry_run = flag("dry-run", "List what would be deleted, and delete nothing");
    let cloud = Cloud::new(&connect().await);
    for item in cloud.inventory().await? {
        println!("Found {item}");
    }
    if dry_run {
        println!("Nothing was deleted: this was a dry run");
        return Ok(());
    }
    until_nothing_is_left(&cloud).await
}
// ANCHOR_END: main

// ANCHOR: kinds
/// Everything that the lab makes, in the order of its deletion: who uses something goes before what it uses.
const KINDS: [&str; 6] = ["trigger", "function", "stack", "queue", "stream", "log group"];
// ANCHOR_END: kinds

// ANCHOR: nothing_left
/// Deletes until an inventory is empty: what was busy gets another try, and AWS lists a deleted queue for a while. Gives
/// up when two rounds fail in the same way.
async fn until_nothing_is_left(cloud: &Cloud) -> Result {
    let mut told = BTreeSet::new();
    let mut failed = Vec::new();
    for _ in 0..100 {
        let failed_before = failed;
        failed = cloud.delete_all(&mut told).await?;
        let left = cloud.inventory().await?;
        if left.is_empty() {
            println!("Nothing of the lab is left");
            return Ok(());
        }
        if !failed.is_empty() && failed == failed_before {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    for item in cloud.inventory().await? {
        println!("Still there: {item}");
    }
    failed.push("mend this, or wait a minute, and run the same command again".to_owned());
    Err(failed.join("\n  ").into())
}
// ANCHOR_END: nothing_left

/// The log group of a function has its name after this.
const FUNCTION_LOGS: &str = "/aws/lambda/";

/// A client for each service that the lab uses.
struct Cloud {
    lambda: lambda::Client,
    cfn: cloudformation::Client,
    sqs: sqs::Client,
    kinesis: kinesis::Client,
    logs: logs::Client,
}

impl Cloud {
    fn new(config: &SdkConfig) -> Self {
        Self {
            lambda: lambda::Client::new(config),
            cfn: cloudformation::Client::new(config),
            sqs: sqs::Client::new(config),
            kinesis: kinesis::Client::new(config),
            logs: logs::Client::new(config),
        }
    }

    /// Everything of the lab that there is, such as `the queue https://…`.
    async fn inventory(&self) -> Result<Vec<String>> {
        let mut inventory = Vec::new();
        for kind in KINDS {
            let items = self.list(kind).await?;
            inventory.extend(items.iter().map(|item| format!("the {kind} {item}")));
        }
        Ok(inventory)
    }

    // ANCHOR: delete_all
    /// One round over all kinds. A deletion that fails does not keep the others from being tried. Returns what failed.
    async fn delete_all(&self, told: &mut BTreeSet<String>) -> Result<Vec<String>> {
        let mut failed = Vec::new();
        for kind in KINDS {
            let items = self.list(kind).await?;
            for item in &items {
                if told.insert(format!("{kind} {item}")) {
                    println!("Deleting the {kind} {item}");
                }
                if let Err(error) = self.delete(kind, item).await {
                    failed.push(format!("the {kind} {item}: {error}"));
                }
            }
            for stack in items.iter().filter(|_| kind == "stack") {
                if let Err(error) = stack_gone(&self.cfn, stack).await {
                    failed.push(format!("the stack {error}"));
                }
            }
        }
        Ok(failed)
    }
    // ANCHOR_END: delete_all

    async fn list(&self, kind: &str) -> Result<Vec<String>> {
        match kind {
            "trigger" => self.triggers().await,
            "function" => self.functions().await,
            "stack" => self.stacks().await,
            "queue" => self.queues().await,
            "stream" => self.streams().await,
            _ => self.log_groups().await,
        }
    }

    /// A trigger outlives its function, so its function need not be there.
    async fn triggers(&self) -> Result<Vec<String>> {
        let mut mappings = self.lambda.list_event_source_mappings().into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(mapping) = mappings.next().await {
            let mapping = mapping?;
            let function = mapping.function_arn.unwrap_or_default();
            if Function::is_named(function.split(':').nth(6).unwrap_or_default()) {
                found.extend(mapping.uuid);
            }
        }
        Ok(found)
    }

    async fn functions(&self) -> Result<Vec<String>> {
        let mut functions = self.lambda.list_functions().into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(function) = functions.next().await {
            found.extend(function?.function_name);
        }
        found.retain(|name| Function::is_named(name));
        Ok(found)
    }

    async fn stacks(&self) -> Result<Vec<String>> {
        let mut stacks = self.cfn.describe_stacks().into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(stack) = stacks.next().await {
            found.extend(stack?.stack_name);
        }
        found.retain(|name| {
            let of_page = TEMPLATES.iter().any(|page| named(page.stack) == *name);
            of_page || is_scratch(name)
        });
        Ok(found)
    }

    // ANCHOR: queues
    /// The URLs of the lab's queues: those of its pages, and what an interrupted experiment left behind.
    async fn queues(&self) -> Result<Vec<String>> {
        let of_pages = ["StandardQueue", "FIFOQueue.fifo", "DeadLetterQueue"].map(named);
        let mut found = Vec::new();
        for prefix in of_pages.iter().chain([&named("experiment-")]) {
            let mut urls = self
                .sqs
                .list_queues()
                .queue_name_prefix(prefix)
                .max_results(1000)
                .into_paginator()
                .items()
                .send();
            while let Some(url) = urls.next().await {
                found.push(url?);
            }
        }
        found.retain(|url| {
            let name = url.rsplit('/').next().unwrap_or_default();
            of_pages.iter().any(|page| page == name) || is_scratch(name)
        });
        Ok(found)
    }
    // ANCHOR_END: queues

    async fn streams(&self) -> Result<Vec<String>> {
        let mut pages = self.kinesis.list_streams().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            found.extend(page?.stream_names);
        }
        found.retain(|stream| *stream == named("KinesisStream") || is_scratch(stream));
        Ok(found)
    }

    /// A function that still runs makes its log group again, even when its stack has deleted it.
    async fn log_groups(&self) -> Result<Vec<String>> {
        let mut groups = self
            .logs
            .describe_log_groups()
            .log_group_name_prefix(FUNCTION_LOGS)
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while let Some(group) = groups.next().await {
            found.extend(group?.log_group_name);
        }
        found.retain(|name| name.strip_prefix(FUNCTION_LOGS).is_some_and(Function::is_named));
        Ok(found)
    }

    // ANCHOR: delete
    /// Has one item deleted. When it is busy or gone already this is no error: the next inventory will tell.
    async fn delete(&self, kind: &str, item: &str) -> Result {
        let lambda = &self.lambda;
        match kind {
            "trigger" => accept(lambda.delete_event_source_mapping().uuid(item).send().await),
            "function" => accept(lambda.delete_function().function_name(item).send().await),
            "stack" => accept(self.cfn.delete_stack().stack_name(item).send().await),
            "queue" => accept(self.sqs.delete_queue().queue_url(item).send().await),
            "stream" => accept(
                self.kinesis
                    .delete_stream()
                    .stream_name(item)
                    .enforce_consumer_deletion(true)
                    .send()
                    .await,
            ),
            _ => accept(self.logs.delete_log_group().log_group_name(item).send().await),
        }
    }
    // ANCHOR_END: delete
}

fn accept<T, E>(deletion: std::result::Result<T, E>) -> Result
where
    E: ProvideErrorMetadata,
    Error: From<E>,
{
    const GONE_OR_BUSY: [&str; 6] = [
        "ResourceNotFoundException",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "ResourceInUseException",
        "ResourceConflictException",
        "OperationAbortedException",
    ];
    match deletion {
        Err(error) if error.code().is_some_and(|code| GONE_OR_BUSY.contains(&code)) => Ok(()),
        deletion => deletion.map(drop).map_err(Error::from),
    }
}
