//! Changes the trigger of a function. Solves the exercises of the pages `book/23-half-a-batch.md` and later ones.
//!
//!     cargo run --bin adjust -- sqs-function --report

// ANCHOR: all
use aws_sdk_lambda::types::FunctionResponseType::ReportBatchItemFailures;
use aws_sdk_lambda::Client;
use clap::{Args, Parser};
use deployment::{delete_trigger, trigger_of, until, Function};
use snippets::{connect, options, println, Result};

#[derive(Parser)]
struct Options {
    function: Function,

    #[command(flatten)]
    change: Change,
}

#[derive(Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// Have it ask the function which items of a batch have failed
    #[arg(long)]
    report: bool,

    /// Split a batch that fails
    #[arg(long)]
    split: bool,

    /// Give a record up when so many more tries have failed
    #[arg(long, value_name = "N")]
    retries: Option<i32>,

    /// Disable it
    #[arg(long)]
    pause: bool,

    /// Enable it
    #[arg(long, conflicts_with = "pause")]
    resume: bool,

    /// Delete it, whatever else is said
    #[arg(long)]
    delete: bool,
}

#[tokio::main]
async fn main() -> Result {
    let Options { function, change } = options();
    let name = function.name();
    let lambda = Client::new(&connect().await);
    let found = trigger_of(&lambda, function).await?;
    let found = found.ok_or_else(|| format!("{name} has no trigger"))?;
    let uuid = found.uuid().ok_or("a trigger without UUID")?;
    if change.delete {
        delete_trigger(&lambda, uuid).await?;
        println!("The trigger of {name} is deleted");
        return Ok(());
    }
    let enabled = change.resume || (!change.pause && found.state() == Some("Enabled"));
    let update = lambda
        .update_event_source_mapping()
        .uuid(uuid)
        .enabled(enabled)
        .set_function_response_types(change.report.then(|| vec![ReportBatchItemFailures]))
        .set_bisect_batch_on_function_error(change.split.then_some(true))
        .set_maximum_retry_attempts(change.retries);
    update.send().await?;
    let state = if enabled { "Enabled" } else { "Disabled" };
    until(&lambda, uuid, state).await?;
    println!("The trigger of {name} is changed, and {state}");
    Ok(())
}
// ANCHOR_END: all
