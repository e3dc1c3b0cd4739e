//! The pages about queues. What a queue holds is judged by its attributes, which change nothing.

use super::{count, done, missing, mistake, Clients, Verdict};
use crate::{named, queue_url, Result};
use aws_sdk_sqs::types::QueueAttributeName::{
    self, All, ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed,
    ApproximateNumberOfMessagesNotVisible, ReceiveMessageWaitTimeSeconds, VisibilityTimeout,
};
use aws_sdk_sqs::Client;
use std::collections::HashMap;

/// A queue as its attributes describe it.
struct Queue {
    name: String,
    attributes: HashMap<QueueAttributeName, String>,
}

impl Queue {
    async fn find(sqs: &Client, name: &str) -> Result<Self> {
        let url = queue_url(sqs, name).await?;
        let asked = sqs.get_queue_attributes().queue_url(url);
        let answer = asked.attribute_names(All).send().await?;
        Ok(Self {
            name: named(name),
            attributes: answer.attributes.unwrap_or_default(),
        })
    }

    /// An attribute that is a number; 0 when the queue doesn't have it.
    fn number(&self, attribute: QueueAttributeName) -> u64 {
        let value = self.attributes.get(&attribute);
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    fn visible(&self) -> u64 {
        self.number(ApproximateNumberOfMessages)
    }

    fn in_flight(&self) -> u64 {
        self.number(ApproximateNumberOfMessagesNotVisible)
    }

    fn delayed(&self) -> u64 {
        self.number(ApproximateNumberOfMessagesDelayed)
    }
}

/// A message is in the queue that can't be received yet.
pub async fn send(clients: &Clients) -> Result<Verdict> {
    let queue = Queue::find(&clients.sqs, "StandardQueue").await?;
    let (name, visible) = (&queue.name, queue.visible());
    match queue.delayed() {
        0 if visible > 0 => mistake(
            format!("{} of {name} can be received", count(visible, "message")),
            "sent without a delay, or the delay is over",
        ),
        0 => missing(format!("{name} holds no message that is delayed")),
        delayed => done(format!("{name} holds {} back", count(delayed, "message"))),
    }
}

/// Nothing is left in the queue, and whoever receives from it waits.
pub async fn receive(clients: &Clients) -> Result<Verdict> {
    let queue = Queue::find(&clients.sqs, "StandardQueue").await?;
    let (name, visible, in_flight) = (&queue.name, queue.visible(), queue.in_flight());
    match queue.number(ReceiveMessageWaitTimeSeconds) {
        _ if in_flight > 0 => mistake(
            format!("{name} has {} in flight", count(in_flight, "message")),
            "received, and not deleted. What is not deleted comes back when its visibility timeout is over",
        ),
        _ if visible > 0 => missing(format!("{name} holds {}", count(visible, "message"))),
        0 => mistake(
            format!("{name} is empty, and a receive from it doesn't wait unless it says so"),
            "the default is a short poll: ReceiveMessageWaitTimeSeconds is 0",
        ),
        seconds => done(format!("{name} is empty, and a receive from it waits up to {seconds} s")),
    }
}

/// What is received stays hidden for a minute, and not for much longer.
pub async fn visibility(clients: &Clients) -> Result<Verdict> {
    let queue = Queue::find(&clients.sqs, "StandardQueue").await?;
    let seconds = queue.number(VisibilityTimeout);
    let hides = format!("{} hides a received message for {seconds} s", queue.name);
    match seconds {
        0..60 => mistake(
            hides,
            "shorter than the work: the message comes back while it is worked on",
        ),
        60..=300 => done(hides),
        _ => mistake(
            hides,
            "far longer than the work: so long nobody notices a crash",
        ),
    }
}
