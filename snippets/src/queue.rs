//! The common part of the programs about queues.

use crate::{named, Error, Result};
use aws_sdk_sqs::types::Message;
use aws_sdk_sqs::types::MessageSystemAttributeName::{All, ApproximateReceiveCount};
use aws_sdk_sqs::types::QueueAttributeName::{ContentBasedDeduplication, FifoQueue};
use aws_sdk_sqs::Client;
use rand::RngExt;

// ANCHOR: queue_url
/// The URL of the queue with this name.
pub async fn queue_url(sqs: &Client, name: &str) -> Result<String> {
    let name = named(name);
    let found = sqs.get_queue_url().queue_name(&name).send().await;
    let found = found.map_err(|error| Error::of_queue(error, &name))?;
    Ok(found.queue_url.ok_or("the answer has no QueueUrl")?)
}
// ANCHOR_END: queue_url

// ANCHOR: scratch_queue
/// A new queue for one experiment, such as `experiment-order-KXWQBA`, and its URL. The experiment deletes it at its
/// end. The random letters give each run a name of its own: AWS blocks a deleted queue's name for a minute.
pub async fn scratch_queue(sqs: &Client, experiment: &str) -> Result<String> {
    let name = scratch_name(experiment);
    let created = sqs.create_queue().queue_name(name).send().await?;
    Ok(created.queue_url.ok_or("the answer has no QueueUrl")?)
}

/// A name that only this run of the experiment has.
pub fn scratch_name(experiment: &str) -> String {
    named(&format!("experiment-{experiment}-{}", letters(6)))
}
// ANCHOR_END: scratch_queue

// ANCHOR: scratch_fifo_queue
/// A new FIFO queue for one experiment, such as `experiment-groups-KXWQBA.fifo`, and its URL. Its deduplication is
/// based on the content.
pub async fn scratch_fifo_queue(sqs: &Client, experiment: &str) -> Result<String> {
    let name = format!("{}.fifo", scratch_name(experiment));
    let created = sqs
        .create_queue()
        .queue_name(name)
        .attributes(FifoQueue, "true")
        .attributes(ContentBasedDeduplication, "true")
        .send()
        .await?;
    Ok(created.queue_url.ok_or("the answer has no QueueUrl")?)
}
// ANCHOR_END: scratch_fifo_queue

/// Some random capital letters, as the lab's messages carry them.
pub fn letters(how_many: usize) -> String {
    let mut random = rand::rng();
    (0..how_many).map(|_| random.random_range('A'..='Z')).collect()
}

/// Whether [`scratch_name`] gives such names, and [`scratch_fifo_queue`].
pub fn is_scratch(name: &str) -> bool {
    let name = name.strip_suffix(".fifo").unwrap_or(name);
    let rest = name.strip_prefix(&named("experiment-"));
    let ending = rest.and_then(|rest| rest.rsplit_once('-'));
    ending.is_some_and(|(_, end)| end.len() == 6 && end.bytes().all(|b| b.is_ascii_uppercase()))
}

// ANCHOR: receive_one
/// Receives one message, hidden from every other receiver for `seconds`. None if none comes within a second.
pub async fn receive_one(sqs: &Client, queue: &str, seconds: i32) -> Result<Option<Message>> {
    let received = sqs
        .receive_message()
        .queue_url(queue)
        .visibility_timeout(seconds)
        .wait_time_seconds(1)
        .message_system_attribute_names(All)
        .send()
        .await?;
    Ok(received.messages.unwrap_or_default().pop())
}
// ANCHOR_END: receive_one

// ANCHOR: delete
/// Deletes a received message.
pub async fn delete(sqs: &Client, queue: &str, message: Message) -> Result {
    sqs.delete_message().queue_url(queue).set_receipt_handle(message.receipt_handle).send().await?;
    Ok(())
}
// ANCHOR_END: delete

/// How often SQS has delivered this message, by its own count.
pub fn receive_count(message: &Message) -> &str {
    let attributes = message.attributes();
    let count = attributes.and_then(|all| all.get(&ApproximateReceiveCount));
    count.map_or("?", String::as_str)
}
