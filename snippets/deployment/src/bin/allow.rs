//! Lets Lambda read in a function's name: every queue or stream, or only the lab's. Page: `book/22-sqs-function.md`.
//!
//!     cargo run --bin allow -- sqs-function
//!     cargo run --bin allow -- sqs-function --only StandardQueue

use aws_sdk_cloudformation::Client;
use clap::Parser;
use deployment::{allow, Function};
use snippets::{connect, named, options, println, Result};

#[derive(Parser)]
struct Options {
    function: Function,
    /// The one queue or stream that Lambda may read
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let Options { function, only } = options();
    let cfn = Client::new(&connect().await);
    let stack = function.stack();
    match only {
        None => allow(&cfn, &stack, "everything", &function.source()).await?,
        Some(name) => allow(&cfn, &stack, "one", &named(&name)).await?,
    }
    println!("The role of {} has the permission", function.name());
    Ok(())
}
// ANCHOR_END: main
