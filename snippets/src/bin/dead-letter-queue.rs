//! Gives the standard queue a dead-letter queue. Solves the exercise of the page `book/06-dead-letters.md`.
//!
//!     cargo run --bin dead-letter-queue

// ANCHOR: all
use aws_sdk_sqs::types::QueueAttributeName::{MessageRetentionPeriod, QueueArn, RedrivePolicy};
use aws_sdk_sqs::Client;
use serde_json::json;
use snippets::{connect, named, options, println, queue_url, Result};

const FOURTEEN_DAYS: u32 = 14 * 24 * 60 * 60;

#[derive(clap::Parser)]
struct Options {
    /// How often a message is received before it is put aside
    #[arg(long, value_name = "N", default_value_t = 5)]
    receives: u32,
}

#[tokio::main]
async fn main() -> Result {
    let Options { receives } = options();
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, "StandardQueue").await?;
    let created = sqs.create_queue().queue_name(named("DeadLetterQueue")).send().await?;
    let dead = created.queue_url.ok_or("the answer has no QueueUrl")?;
    sqs.set_queue_attributes()
        .queue_url(&dead)
        .attributes(MessageRetentionPeriod, FOURTEEN_DAYS.to_string())
        .send()
        .await?;

    let answer =
        sqs.get_queue_attributes().queue_url(dead).attribute_names(QueueArn).send().await?;
    let arn = answer.attributes().and_then(|all| all.get(&QueueArn));
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": receives });
    sqs.set_queue_attributes()
        .queue_url(queue)
        .attributes(RedrivePolicy, policy.to_string())
        .send()
        .await?;
    println!("{policy}");
    Ok(())
}
// ANCHOR_END: all
