//! A role that may read one queue can't be used to read another. Page: `book/28-least-privilege.md`.
//!
//!     cargo run --bin least-privilege

use aws_sdk_lambda as lambda;
use aws_sdk_sqs as sqs;
use deployment::{delete_trigger, queue_arn, trigger, Scratch};
use snippets::{connect, no_options, println, scratch_queue, Error, Result};

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    no_options();
    let config = connect().await;
    let sqs = sqs::Client::new(&config);
    let lambda = lambda::Client::new(&config);
    let orders = scratch_queue(&sqs, "orders").await?;
    let salaries = scratch_queue(&sqs, "salaries").await?;
    let program = "sqs-function";
    let function = Scratch::powerless(&config, "least-privilege", program, program, &[]).await?;
    let (orders_arn, salaries_arn) =
        (queue_arn(&sqs, &orders).await?, queue_arn(&sqs, &salaries).await?);
    let poll = |arn: &str| {
        lambda.create_event_source_mapping().function_name(&function.name).event_source_arn(arn)
    };

    let one = orders_arn.rsplit(':').next().unwrap_or_default();
    function.allow("one", one).await?;
    let uuid = trigger(&lambda, poll(&orders_arn), true).await?;
    println!("Allowed one queue: Lambda polls it");
    let refused = poll(&salaries_arn).send().await.err().map(Error::from);
    match &refused {
        Some(error) => println!("The other: {error}"),
        None => println!("Lambda polls the other, too"),
    }

    delete_trigger(&lambda, &uuid).await?;
    function.delete().await?;
    for queue in [orders, salaries] {
        sqs.delete_queue().queue_url(queue).send().await?;
    }
    let refused = refused.ok_or("the other queue is not refused")?.to_string();
    assert!(refused.contains("does not have permissions"), "the role's policy");
    Ok(())
}
// ANCHOR_END: main
