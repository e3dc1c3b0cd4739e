//! Uploads a function's code to Lambda. Page: `book/22-sqs-function.md`.
//!
//!     cargo run --bin deploy -- sqs-function

use aws_sdk_cloudformation as cloudformation;
use aws_sdk_lambda as lambda;
use deployment::{deploy, output, Function};
use snippets::{connect, println, Result};

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let function = Function::from_command_line();
    let config = connect().await;
    let cfn = cloudformation::Client::new(&config);
    let lambda = lambda::Client::new(&config);

    let role = output(&cfn, &function.stack(), "RoleARN").await?;
    deploy(&lambda, &function.name(), function.program(), &role).await?;
    println!("{} runs the program {}", function.name(), function.program());
    Ok(())
}
// ANCHOR_END: main
