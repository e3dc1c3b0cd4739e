//! Says whether the exercise of a page about Lambda is done. The program `check` starts it. Page: `book/01-whoami.md`.
//!
//!     cargo run --bin check-functions -- 22

use aws_config::SdkConfig;
use aws_sdk_cloudformation as cloudformation;
use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_lambda as lambda;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::types::FunctionResponseType::ReportBatchItemFailures;
use aws_sdk_lambda::types::{EventSourceMappingConfiguration as Trigger, EventSourcePosition};
use aws_sdk_sqs as sqs;
use deployment::{is_lambdas, lines, parameter, trigger_of, Function};
use exercises::queues::Queue;
use exercises::{count, done, missing, mistake, Verdict};
use snippets::{connect, is_scratch, named, options, Result};
use std::env;
use std::process::{Command, ExitCode};
use Function::{KinesisFunction, SqsFunction};

#[derive(clap::Parser)]
struct Options {
    /// The page: 22, sqs-function or 22-sqs-function
    page: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Options { page } = options();
    let page = exercises::find(&page)?;
    let clients = Clients::new(&connect().await);
    Ok(exercises::conclude(page, &look(page, &clients).await?))
}

async fn look(page: &str, clients: &Clients) -> Result<Verdict> {
    match page {
        "22-sqs-function" => sqs_function(clients).await,
        "23-half-a-batch" => half_a_batch(clients).await,
        "24-poison" => poison(clients).await,
        "25-scaling" => scaling(clients).await,
        "26-kinesis-function" => kinesis_function(clients).await,
        "27-blocked-shard" => blocked_shard(clients).await,
        "28-least-privilege" => least_privilege(clients).await,
        "29-cleanup" => cleanup(),
        _ => Err(format!("{page} is checked by `check`").into()),
    }
}

/// A client for each service that these pages use.
struct Clients {
    cloudformation: cloudformation::Client,
    lambda: lambda::Client,
    logs: logs::Client,
    sqs: sqs::Client,
}

impl Clients {
    fn new(config: &SdkConfig) -> Self {
        Self {
            cloudformation: cloudformation::Client::new(config),
            lambda: lambda::Client::new(config),
            logs: logs::Client::new(config),
            sqs: sqs::Client::new(config),
        }
    }
}

async fn trigger(clients: &Clients, function: Function) -> Result<Option<Trigger>> {
    trigger_of(&clients.lambda, function).await
}

fn no_trigger(function: Function) -> String {
    format!("{} has no trigger", function.name())
}

/// Lambda runs the function with what it has received.
async fn sqs_function(clients: &Clients) -> Result<Verdict> {
    let name = SqsFunction.name();
    match clients.lambda.get_function().function_name(&name).send().await {
        Err(error) if error.code() == Some("ResourceNotFoundException") => {
            return missing(format!("there is no function {name}"));
        }
        function => drop(function?),
    }
    let Some(trigger) = trigger(clients, SqsFunction).await? else {
        let may_read = parameter(&clients.cloudformation, &SqsFunction.stack(), "MayRead").await?;
        return match may_read.as_str() {
            "nothing" => mistake(
                no_trigger(SqsFunction),
                "the policy is not attached: its role may receive from no queue, and `trigger` is denied",
            ),
            _ => missing(no_trigger(SqsFunction)),
        };
    };
    let mut written = lines(&clients.logs, &name, 0).await?;
    written.retain(|line| !is_lambdas(&line.text) && line.text != BY_HAND);
    match (state(&trigger), written.len() as u64) {
        ("Enabled", 0) => missing(format!("{name} has printed no message of the queue")),
        ("Enabled", lines) => done(format!("{name} has printed {}", count(lines, "message"))),
        (other, _) => missing(format!("the trigger of {name} is {other}")),
    }
}

/// The function prints this for `invoke`.
const BY_HAND: &str = "by hand";

fn state(trigger: &Trigger) -> &str {
    trigger.state().unwrap_or_default()
}

/// The trigger asks which messages of a batch have failed.
async fn half_a_batch(clients: &Clients) -> Result<Verdict> {
    let name = SqsFunction.name();
    match trigger(clients, SqsFunction).await? {
        None => missing(no_trigger(SqsFunction)),
        Some(trigger) if trigger.function_response_types().contains(&ReportBatchItemFailures) => {
            done(format!("the trigger of {name} asks for a report"))
        }
        Some(_) => mistake(
            format!("the trigger of {name} doesn't ask for a report"),
            "ReportBatchItemFailures is not among its FunctionResponseTypes: whatever a function reports, all is deleted",
        ),
    }
}

/// A dead-letter queue of the experiment holds the poison and nothing else.
async fn poison(clients: &Clients) -> Result<Verdict> {
    let mut urls = clients
        .sqs
        .list_queues()
        .queue_name_prefix(named("experiment-poison-"))
        .max_results(1000)
        .into_paginator()
        .items()
        .send();
    let mut dead_letters = Vec::new();
    while let Some(url) = urls.next().await {
        let queue = Queue::at(&clients.sqs, url?).await?;
        if let Some((dead, _)) = queue.redrive_policy()?.filter(|_| is_scratch(&queue.name)) {
            let url = clients.sqs.get_queue_url().queue_name(dead).send().await?;
            let dead =
                Queue::at(&clients.sqs, url.queue_url.ok_or("the answer has no QueueUrl")?).await?;
            dead_letters.push(dead.visible());
        }
    }
    match dead_letters.iter().max() {
        None => missing("no queue of the experiment is left"),
        _ if dead_letters.contains(&1) => done("one message is dead, and the others were done"),
        Some(0) => missing("no message is dead"),
        Some(dead) => mistake(
            format!("{dead} messages are dead"),
            "the function failed without a report, so good messages died with the poison",
        ),
    }
}

/// Messages wait, because the trigger rests.
async fn scaling(clients: &Clients) -> Result<Verdict> {
    let queue = Queue::find(&clients.sqs, SqsFunction.source_name()).await?;
    let holds = format!("{} holds {}", queue.name, count(queue.visible(), "message"));
    let Some(trigger) = trigger(clients, SqsFunction).await? else {
        return mistake(
            no_trigger(SqsFunction),
            "a trigger that is deleted has to be made again; one that is disabled rests",
        );
    };
    let is = format!("the trigger of {} is {}, and {holds}", SqsFunction.name(), state(&trigger));
    match (state(&trigger), queue.visible()) {
        ("Disabled", 1..) => done(is),
        _ => missing(is),
    }
}

/// The function is run with the records from before its trigger, too.
async fn kinesis_function(clients: &Clients) -> Result<Verdict> {
    let Some(trigger) = trigger(clients, KinesisFunction).await? else {
        return missing(no_trigger(KinesisFunction));
    };
    let begins = trigger.starting_position().map_or("", |position| position.as_str());
    let begins = format!("the trigger of {} begins at {begins}", KinesisFunction.name());
    match trigger.starting_position() {
        Some(EventSourcePosition::Latest) => mistake(
            begins,
            "what was put before the trigger is never run, and a trigger's beginning can't be changed",
        ),
        _ if state(&trigger) != "Enabled" => missing(format!("{begins}, and is {}", state(&trigger))),
        _ => done(begins),
    }
}

/// The trigger gives a record up after some tries, and only that one.
async fn blocked_shard(clients: &Clients) -> Result<Verdict> {
    let name = KinesisFunction.name();
    let Some(trigger) = trigger(clients, KinesisFunction).await? else {
        return missing(no_trigger(KinesisFunction));
    };
    let retries = trigger.maximum_retry_attempts().filter(|retries| *retries >= 0);
    match (retries, trigger.bisect_batch_on_function_error()) {
        (None, _) => mistake(
            format!("the trigger of {name} retries without end"),
            "the default was left: a bad record blocks its shard until its retention is over",
        ),
        (Some(retries), Some(true)) => done(format!(
            "the trigger of {name} splits a batch that fails, and gives up after {retries} more tries"
        )),
        (Some(retries), _) => mistake(
            format!("the trigger of {name} gives a whole batch up after {retries} more tries"),
            "it doesn't split a batch that fails, so good records are given up with the bad one",
        ),
    }
}

/// The function's role may receive from the lab's queue, and from no other.
async fn least_privilege(clients: &Clients) -> Result<Verdict> {
    let (cloudformation, stack) = (&clients.cloudformation, SqsFunction.stack());
    let may_read = parameter(cloudformation, &stack, "MayRead").await?;
    let only = parameter(cloudformation, &stack, "SourceName").await?;
    let role = format!("the role of {}", SqsFunction.name());
    match may_read.as_str() {
        "everything" => mistake(
            format!("{role} may receive from every queue"),
            "the managed policy has a wildcard, `*`, for its resource",
        ),
        "one" if only == SqsFunction.source() => {
            done(format!("{role} may receive from {only} only"))
        }
        "one" => missing(format!("{role} may receive from {only} only")),
        _ => missing(format!("{role} may receive from no queue")),
    }
}

/// Nothing is left of yours, or of the second learner.
fn cleanup() -> Result<Verdict> {
    let you = env::var("LAB_NAME").unwrap_or_default();
    for learner in [you.clone(), exercises::start::learner()] {
        let left = inventory(&learner)?;
        let Some(first) = left.first() else { continue };
        let left = format!("still there: {first}, {} in all", count(left.len() as u64, "thing"));
        return if learner == you {
            missing(left)
        } else {
            mistake(
                left,
                format!("made with LAB_NAME={learner}, and only with it `cleanup` finds it"),
            )
        };
    }
    done("nothing of the lab is left")
}

/// The things that the program `cleanup` would delete for this learner.
fn inventory(learner: &str) -> Result<Vec<String>> {
    let cleanup = format!("cleanup{}", env::consts::EXE_SUFFIX);
    let mut look = Command::new(env::current_exe()?.with_file_name(cleanup));
    let looked = look.arg("--dry-run").env("LAB_NAME", learner).output()?;
    if !looked.status.success() {
        return Err(String::from_utf8_lossy(&looked.stderr).into_owned().into());
    }
    let printed = String::from_utf8_lossy(&looked.stdout);
    let found = printed.lines().filter_map(|line| line.strip_prefix("Found "));
    Ok(found.map(str::to_owned).collect())
}
