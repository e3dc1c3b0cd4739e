//! Prints what a function writes, as it comes. Page: `book/22-sqs-function.md`.
//!
//!     cargo run --bin logs -- sqs-function

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_lambda as lambda;
use clap::Parser;
use deployment::{lines, Function};
use snippets::{connect, options, println, until_ctrl_c, Result};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::interval;

#[derive(Parser)]
struct Options {
    function: Function,
    /// Stop after N lines instead of at ^C
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    count: usize,
}

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let Options { function, count } = options();
    let config = connect().await;
    let name = function.name();
    // A function that isn't there never writes anything: better to fail than to wait.
    lambda::Client::new(&config).get_function().function_name(&name).send().await?;
    until_ctrl_c(follow(&Client::new(&config), &name, count)).await
}
// ANCHOR_END: main

// ANCHOR: follow
/// Asks again every second, from the newest line on: the log may get more lines of the same millisecond.
async fn follow(logs: &Client, function: &str, count: usize) -> Result {
    let mut every = interval(Duration::from_secs(1));
    let mut printed = HashSet::new();
    let mut newest = 0;
    loop {
        every.tick().await;
        for line in lines(logs, function, newest).await? {
            newest = line.time;
            if printed.insert(line.id) {
                println!("{}", line.text);
            }
            if printed.len() == count {
                return Ok(());
            }
        }
    }
}
// ANCHOR_END: follow
