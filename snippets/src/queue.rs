//! The two small things that every queue program needs.

use crate::{named, Result};
use aws_sdk_sqs::Client;
use rand::RngExt;

// ANCHOR: queue_url
/// The URL of the queue with this name.
pub async fn queue_url(sqs: &Client, name: &str) -> Result<String> {
    let found = sqs.get_queue_url().queue_name(named(name)).send().await?;
    Ok(found.queue_url.unwrap_or_default())
}
// ANCHOR_END: queue_url

/// Some random capital letters, as the lab's messages carry them.
pub fn letters(how_many: usize) -> String {
    let mut random = rand::rng();
    (0..how_many)
        .map(|_| random.random_range('A'..='Z'))
        .collect()
}
