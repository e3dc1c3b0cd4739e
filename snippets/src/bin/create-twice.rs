//! Creating a queue that exists: the same queue again, or an error. An experiment of the page `book/02-create.md`.
//!
//!     cargo run --bin create-twice

// ANCHOR: all
use aws_sdk_sqs::operation::create_queue::CreateQueueError;
use aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
use aws_sdk_sqs::Client;
use snippets::{connect, no_options, println, scratch_name, Error, Result};

#[tokio::main]
async fn main() -> Result {
    no_options();
    let sqs = Client::new(&connect().await);
    let name = scratch_name("create-twice");
    let create = |visibility_timeout: &str| {
        sqs.create_queue()
            .queue_name(&name)
            .attributes(VisibilityTimeout, visibility_timeout)
            .send()
    };

    let first = create("30").await?.queue_url.ok_or("the answer has no QueueUrl")?;
    let same = create("30").await?.queue_url.ok_or("the answer has no QueueUrl")?;
    let other = create("60").await.expect_err("the attributes differ");
    sqs.delete_queue().queue_url(&first).send().await?;

    assert_eq!(first, same);
    println!("Created twice, alike: the same queue");

    let refused = other.as_service_error();
    assert!(refused.is_some_and(CreateQueueError::is_queue_name_exists));
    let error = Error::from(other);
    println!("Created again with another timeout:\n{error}");
    Ok(())
}
// ANCHOR_END: all
