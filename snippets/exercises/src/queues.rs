//! The pages about queues. What a standard queue holds is judged by its attributes: receiving a message would count as one
//! more receive, after which it may be a dead letter. What is looked at in a FIFO queue stays visible.

use super::{count, done, missing, mistake, Clients, Verdict};
use aws_sdk_sqs::types::Message;
use aws_sdk_sqs::types::MessageSystemAttributeName::{
    self, MessageDeduplicationId, MessageGroupId,
};
use aws_sdk_sqs::types::QueueAttributeName::{
    self, All, ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed,
    ApproximateNumberOfMessagesNotVisible, MessageRetentionPeriod, ReceiveMessageWaitTimeSeconds,
    RedrivePolicy, VisibilityTimeout,
};
use aws_sdk_sqs::Client;
use serde_json::Value;
use snippets::{named, queue_url, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A queue as its attributes describe it.
pub struct Queue {
    pub name: String,
    url: String,
    attributes: HashMap<QueueAttributeName, String>,
}

impl Queue {
    /// The queue that the lab calls by this name.
    pub async fn find(sqs: &Client, name: &str) -> Result<Self> {
        Self::at(sqs, queue_url(sqs, name).await?).await
    }

    pub async fn at(sqs: &Client, url: String) -> Result<Self> {
        let answer = sqs.get_queue_attributes().queue_url(&url).attribute_names(All).send().await?;
        Ok(Self {
            name: url.rsplit('/').next().unwrap_or_default().to_owned(),
            url,
            attributes: answer.attributes.unwrap_or_default(),
        })
    }

    /// An attribute that is a number; 0 when the queue doesn't have it.
    fn number(&self, attribute: QueueAttributeName) -> u64 {
        let value = self.attributes.get(&attribute);
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    pub fn visible(&self) -> u64 {
        self.number(ApproximateNumberOfMessages)
    }

    pub fn in_flight(&self) -> u64 {
        self.number(ApproximateNumberOfMessagesNotVisible)
    }

    fn delayed(&self) -> u64 {
        self.number(ApproximateNumberOfMessagesDelayed)
    }

    /// The name of its dead-letter queue, and after how many receives a message goes there.
    pub fn redrive_policy(&self) -> Result<Option<(String, u64)>> {
        let Some(policy) = self.attributes.get(&RedrivePolicy) else {
            return Ok(None);
        };
        let policy: Value = serde_json::from_str(policy)?;
        let target = policy["deadLetterTargetArn"].as_str().unwrap_or_default();
        let name = target.rsplit(':').next().unwrap_or_default();
        let receives = policy["maxReceiveCount"].as_u64();
        Ok(Some((name.to_owned(), receives.unwrap_or_default())))
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

/// A received message stays hidden for a minute, and not for much longer.
pub async fn visibility(clients: &Clients) -> Result<Verdict> {
    let queue = Queue::find(&clients.sqs, "StandardQueue").await?;
    let seconds = queue.number(VisibilityTimeout);
    let hides = format!("{} hides a received message for {seconds} s", queue.name);
    match seconds {
        0..60 => {
            mistake(hides, "shorter than the work: the message comes back while it is worked on")
        }
        60..=300 => done(hides),
        _ => mistake(hides, "far longer than the work: so long nobody notices a crash"),
    }
}

/// A message that is received too often goes to a queue of its own, which keeps it for longer.
pub async fn dead_letters(clients: &Clients) -> Result<Verdict> {
    let queue = Queue::find(&clients.sqs, "StandardQueue").await?;
    let name = &queue.name;
    let Some((target, receives)) = queue.redrive_policy()? else {
        return missing(format!("{name} has no RedrivePolicy"));
    };
    if target != named("DeadLetterQueue") {
        return missing(format!("the dead letters of {name} go to {target}"));
    }
    let dead = Queue::find(&clients.sqs, "DeadLetterQueue").await?;
    let days = |queue: &Queue| queue.number(MessageRetentionPeriod) / (24 * 60 * 60);
    let (kept, kept_dead) = (days(&queue), days(&dead));
    match receives {
        1 => mistake(
            format!("{name} gives a message up after one receive"),
            "a maxReceiveCount of 1: each crash of a receiver puts a good message aside",
        ),
        _ if kept_dead <= kept => mistake(
            format!("{name} keeps a message for {kept} days, {} for {kept_dead}", dead.name),
            "the retention of the dead-letter queue was not raised. A dead letter is as old as its first sending",
        ),
        _ => done(format!(
            "{name} puts a message aside after {receives} receives, in {target} for {kept_dead} days"
        )),
    }
}

/// Eleven orders are in the queue, each once.
pub async fn batch(clients: &Clients) -> Result<Verdict> {
    let queue = Queue::find(&clients.sqs, "StandardQueue").await?;
    let visible = queue.visible();
    let holds = format!("{} holds {}", queue.name, count(visible, "message"));
    match visible {
        0 => mistake(holds, "a batch of eleven is refused as a whole"),
        1..11 => mistake(
            holds,
            "what did not fit into the first batch, or failed in it, was not sent again",
        ),
        11 => done(holds),
        _ => mistake(
            holds,
            "the queue was not empty before, or what was sent already was sent again",
        ),
    }
}

/// A message that was sent once is in the queue twice.
pub async fn once(clients: &Clients) -> Result<Verdict> {
    let queue = Queue::find(&clients.sqs, "StandardQueue").await?;
    let visible = queue.visible();
    let holds = format!("{} holds {}", queue.name, count(visible, "message"));
    match visible {
        0 => missing(holds),
        1 => mistake(
            holds,
            "the answer was not lost: the fault must wait before the message is sent",
        ),
        2 => done(holds),
        _ => mistake(holds, "the queue was not empty before"),
    }
}

/// Up to ten messages that wait in the FIFO queue, in their order.
struct Waiting {
    queue: Queue,
    messages: Vec<Message>,
}

impl Waiting {
    async fn look(sqs: &Client) -> Result<Self> {
        let queue = Queue::find(sqs, "FIFOQueue.fifo").await?;
        let messages = sqs
            .receive_message()
            .queue_url(&queue.url)
            .visibility_timeout(0)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .wait_time_seconds(1)
            .send()
            .await?
            .messages;
        Ok(Self { queue, messages: messages.unwrap_or_default() })
    }

    fn groups(&self) -> BTreeSet<&str> {
        self.messages.iter().map(|message| attribute(message, MessageGroupId)).collect()
    }

    /// For each body the deduplication ids of its messages.
    fn ids(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut ids: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for message in &self.messages {
            let id = attribute(message, MessageDeduplicationId);
            ids.entry(message.body().unwrap_or_default()).or_default().push(id);
        }
        ids
    }
}

fn attribute(message: &Message, name: MessageSystemAttributeName) -> &str {
    let value = message.attributes().and_then(|all| all.get(&name));
    value.map_or("", String::as_str)
}

/// Three messages wait.
pub async fn fifo(clients: &Clients) -> Result<Verdict> {
    let waiting = Waiting::look(&clients.sqs).await?;
    let name = &waiting.queue.name;
    match waiting.messages.len() {
        0 => mistake(
            format!("no message waits in {name}"),
            "a message without a group is refused, and only the sender hears of it",
        ),
        messages @ 1..3 => missing(format!("{} in {name}", count(messages as u64, "message"))),
        messages => done(format!("{messages} messages wait in {name}")),
    }
}

/// Two receivers would have something to do.
pub async fn groups(clients: &Clients) -> Result<Verdict> {
    let waiting = Waiting::look(&clients.sqs).await?;
    let (name, in_flight) = (&waiting.queue.name, waiting.queue.in_flight());
    let groups = Vec::from_iter(waiting.groups());
    match (groups.len(), in_flight) {
        (2.., _) => done(format!("messages of {} wait in {name}", groups.join(" and "))),
        (_, 1..) => mistake(
            format!("{name} has {} in flight", count(in_flight, "message")),
            "received, and not deleted: until the message is back, its group is blocked",
        ),
        (0, 0) => missing(format!("no message waits in {name}")),
        (1, 0) => mistake(
            format!("all that wait in {name} are of {}", groups[0]),
            "one group is one line: a second receiver has nothing to do",
        ),
    }
}

/// Two orders that read the same wait, because each has a deduplication id of its own.
pub async fn deduplication(clients: &Clients) -> Result<Verdict> {
    let waiting = Waiting::look(&clients.sqs).await?;
    let ids = waiting.ids();
    let twice = |ids: &Vec<&str>| different(ids) > 1;
    match ids.iter().find(|(_, ids)| twice(ids)) {
        Some((body, _)) => done(format!("`{body}` waits twice, each with an id of its own")),
        None if ids.is_empty() => missing(format!("no message waits in {}", waiting.queue.name)),
        None => mistake(
            "each message waits once",
            "two sends with one deduplication id, and the second was taken for a repetition",
        ),
    }
}

/// One order waits twice: when it was sent again, its deduplication id was forgotten.
pub async fn not_once(clients: &Clients) -> Result<Verdict> {
    let waiting = Waiting::look(&clients.sqs).await?;
    let ids = waiting.ids();
    let again = |ids: &Vec<&str>| ids.len() > different(ids);
    match ids.iter().find(|(_, ids)| again(ids)) {
        Some((body, _)) => done(format!("`{body}` waits twice, with one id")),
        None if ids.is_empty() => missing(format!("no message waits in {}", waiting.queue.name)),
        None if ids.values().any(|ids| ids.len() > 1) => mistake(
            "two messages read the same, and their ids differ",
            "an order that is sent again keeps its id: with another one it is another order",
        ),
        None => mistake(
            "each message waits once",
            "sent again too soon: the deduplication id was still known, and nothing was stored",
        ),
    }
}

fn different(ids: &[&str]) -> usize {
    BTreeSet::from_iter(ids).len()
}
