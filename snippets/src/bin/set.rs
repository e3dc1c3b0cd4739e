//! Sets attributes of a queue. Solves the exercises of the pages `book/04-receive.md` and `book/05-visibility.md`.
//!
//!     cargo run --bin set -- VisibilityTimeout=60

// ANCHOR: all
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_sqs::Client;
use snippets::{connect, options, println, queue_url, QueueArgs, Result};

#[derive(clap::Parser)]
struct Options {
    /// What to set, such as VisibilityTimeout=60
    #[arg(required = true, value_name = "ATTRIBUTE=VALUE")]
    settings: Vec<String>,

    #[command(flatten)]
    args: QueueArgs,
}

#[tokio::main]
async fn main() -> Result {
    let Options { settings, args } = options();
    let sqs = Client::new(&connect().await);
    let queue = queue_url(&sqs, &args.queue).await?;
    let mut change = sqs.set_queue_attributes().queue_url(queue);
    for setting in &settings {
        let (name, value) = setting.split_once('=').ok_or("no `=` in a setting")?;
        change = change.attributes(QueueAttributeName::from(name), value);
    }
    change.send().await?;
    println!("{} has {}", args.queue, settings.join(", "));
    Ok(())
}
// ANCHOR_END: all
