//! Asks who you are to AWS, or to the local cloud. Page: `book/01-whoami.md`.
//!
//!     cargo run --bin whoami

// ANCHOR: all
use aws_sdk_sts::Client;
use snippets::{connect, no_options, println, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sts = Client::new(&connect().await);
    let you = sts.get_caller_identity().send().await?;
    println!("Account: {}", you.account().unwrap_or_default());
    println!("You are: {}", you.arn().unwrap_or_default());
    Ok(())
}
// ANCHOR_END: all
