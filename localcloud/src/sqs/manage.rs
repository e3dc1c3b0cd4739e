//! The operations on queues: create, find, describe, change, delete.

use super::attributes::{check_names, Settings};
use super::fifo::Fifo;
use super::messages::Messages;
use super::queue::Queue;
use super::{
    arn_of, in_range, invalid_parameter, is_label, is_name_byte, missing, name_in, no_such_queue,
    sqs_error, url_of, Entry, Memories, Sqs, State, MOST_QUEUES, OPERATIONS,
};
use crate::account::ACCOUNT;
use crate::clock::Millis;
use crate::events::Event;
use crate::wire::error::ApiError;
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::Notify;

/// A deleted queue's name is free again, and a queue can be purged again, after this long.
const ONE_MINUTE: Millis = 60_000;
const MOST_TAGS: usize = 50;
/// How many actions a permission may name.
const MOST_ACTIONS: usize = 7;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub struct CreateQueue {
    queue_name: String,
    attributes: BTreeMap<String, String>,
    #[serde(rename = "tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueueUrl {
    queue_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct OneQueue {
    queue_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetQueueUrl {
    queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListQueues {
    queue_name_prefix: String,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Queues {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListDeadLetterSourceQueues {
    queue_url: String,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Serialize)]
pub struct SourceQueues {
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(rename = "NextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetQueueAttributes {
    queue_url: String,
    attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueueAttributes {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct SetQueueAttributes {
    queue_url: String,
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tags {
    #[serde(skip_serializing)]
    queue_url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct UntagQueue {
    queue_url: String,
    tag_keys: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct Permission {
    queue_url: String,
    label: String,
    #[serde(rename = "AWSAccountIds")]
    accounts: Vec<String>,
    actions: Vec<String>,
}

impl Sqs {
    pub(super) fn create_queue(
        &self,
        input: CreateQueue,
        base: &str,
    ) -> Result<QueueUrl, ApiError> {
        let name = input.queue_name;
        check_queue_name(&name)?;
        let mut attributes = input.attributes;
        let fifo = is_fifo(&name, attributes.remove("FifoQueue"))?;
        check_tags(&input.tags)?;
        let now = self.0.clock.now();
        let mut state = self.lock();
        let created = QueueUrl {
            queue_url: url_of(base, &name),
        };
        if let Some(entry) = state.queues.get(&name) {
            return match entry.settings.differs_in(&attributes)? {
                None => Ok(created),
                Some(attribute) => Err(ApiError::sender(
                    "QueueAlreadyExists",
                    format!(
                        "A queue already exists with the same name and a different value for attribute {attribute}"
                    ),
                )
                .with_shape("QueueNameExists")),
            };
        }
        state.deleted.retain(|_, at| *at + ONE_MINUTE > now);
        if state.deleted.contains_key(&name) {
            return Err(sqs_error(
                "QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create another with the same name."
                    .to_owned(),
            ));
        }
        if state.queues.len() == MOST_QUEUES {
            return Err(ApiError::sender(
                "OverLimit",
                format!(
                    "The local cloud keeps {MOST_QUEUES} queues at the most: delete some first."
                ),
            ));
        }
        let mut settings = Settings::new(fifo);
        settings.set(&attributes)?;
        state.check_redrive(&settings, &arn_of(&name), now)?;
        // Not of its name: experiments take random ones, and the same seed is to repeat them.
        let seed = state.random.next_u64();
        let queue: Box<dyn Messages> = match fifo {
            true => Box::new(Fifo::new(seed)),
            false => Box::new(Queue::new(seed)),
        };
        let entry = Entry {
            name: name.clone(),
            events: self.0.events.clone(),
            readers: HashMap::new(),
            settings,
            queue,
            fifo: fifo.then(Memories::default),
            tags: input.tags,
            created_at: now,
            modified_at: now,
            purged_at: None,
            arrivals: Arc::new(Notify::new()),
        };
        let events = &self.0.events;
        events.emit(|| Event::QueueCreated(entry.shown()));
        state.queues.insert(name, entry);
        Ok(created)
    }

    pub(super) fn delete_queue(&self, input: OneQueue) -> Result<(), ApiError> {
        let name = name_in(&input.queue_url)?;
        let now = self.0.clock.now();
        let mut state = self.lock();
        let entry = state.queues.remove(name).ok_or_else(no_such_queue)?;
        entry.arrivals.notify_waiters();
        entry.tell(|queue| Event::QueueDeleted { queue });
        state.deleted.insert(name.to_owned(), now);
        Ok(())
    }

    pub(super) fn get_queue_url(
        &self,
        input: GetQueueUrl,
        base: &str,
    ) -> Result<QueueUrl, ApiError> {
        let name = input.queue_name;
        if name.is_empty() {
            return Err(missing("QueueName"));
        }
        let ours = input.owner.is_none_or(|owner| owner == ACCOUNT);
        if !ours || !self.lock().queues.contains_key(&name) {
            return Err(no_such_queue());
        }
        Ok(QueueUrl {
            queue_url: url_of(base, &name),
        })
    }

    pub(super) fn list_queues(&self, input: ListQueues, base: &str) -> Result<Queues, ApiError> {
        let state = self.lock();
        let names = state
            .queues
            .keys()
            .filter(|name| name.starts_with(&input.queue_name_prefix));
        let (names, next_token) = page(names, input.next_token, input.max_results)?;
        Ok(Queues {
            queue_urls: names.iter().map(|name| url_of(base, name)).collect(),
            next_token,
        })
    }

    pub(super) fn list_dead_letter_source_queues(
        &self,
        input: ListDeadLetterSourceQueues,
        base: &str,
    ) -> Result<SourceQueues, ApiError> {
        let name = name_in(&input.queue_url)?;
        let mut state = self.lock();
        let arn = state.entry(name, self.0.clock.now())?.arn();
        let sources = state
            .queues
            .values()
            .filter(|entry| entry.gives_up_to(&arn))
            .map(|entry| &entry.name);
        let (names, next_token) = page(sources, input.next_token, input.max_results)?;
        Ok(SourceQueues {
            queue_urls: names.iter().map(|name| url_of(base, name)).collect(),
            next_token,
        })
    }

    pub(super) fn get_queue_attributes(
        &self,
        input: GetQueueAttributes,
    ) -> Result<QueueAttributes, ApiError> {
        let names = input.attribute_names;
        self.with_queue(&input.queue_url, |entry, _| {
            check_names(&names)?;
            let all = names.iter().any(|name| name == "All");
            let mut attributes = entry.attributes();
            attributes.retain(|name, _| all || names.iter().any(|asked| asked == name));
            Ok(QueueAttributes { attributes })
        })
    }

    pub(super) fn set_queue_attributes(&self, input: SetQueueAttributes) -> Result<(), ApiError> {
        let name = name_in(&input.queue_url)?;
        if input.attributes.is_empty() {
            return Err(missing("Attribute.Name"));
        }
        let now = self.0.clock.now();
        let mut state = self.lock();
        let mut settings = state.entry(name, now)?.settings.clone();
        settings.set(&input.attributes)?;
        if input.attributes.contains_key("RedrivePolicy") {
            state.check_redrive(&settings, &arn_of(name), now)?;
        }
        let entry = state.entry(name, now)?;
        let delay = settings.delay;
        if delay != entry.settings.delay {
            entry.queue.delay_anew(now, Millis::from(delay) * 1000);
            entry.arrivals.notify_waiters();
        }
        entry.settings = settings;
        entry.modified_at = now;
        self.0.events.emit(|| Event::QueueChanged(entry.shown()));
        Ok(())
    }

    // Differs from AWS: purge-at-once: PurgeQueue and DeleteQueue are done when they answer; AWS takes up to 60 seconds.
    pub(super) fn purge_queue(&self, input: OneQueue) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |entry, now| {
            if entry.purged_at.is_some_and(|at| at + ONE_MINUTE > now) {
                return Err(sqs_error(
                    "PurgeQueueInProgress",
                    format!(
                        "Only one PurgeQueue operation on {} is allowed every 60 seconds.",
                        entry.name
                    ),
                )
                .with_status(403));
            }
            entry.purged_at = Some(now);
            entry.queue.purge();
            if let Some(memories) = &mut entry.fifo {
                memories.forget();
            }
            entry.readers.clear();
            entry.tell(|queue| Event::Purged { queue });
            Ok(())
        })
    }

    pub(super) fn tag_queue(&self, input: Tags) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |entry, _| {
            let mut tags = entry.tags.clone();
            tags.extend(input.tags);
            check_tags(&tags)?;
            entry.tags = tags;
            Ok(())
        })
    }

    pub(super) fn untag_queue(&self, input: UntagQueue) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |entry, _| {
            entry.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(())
        })
    }

    pub(super) fn list_queue_tags(&self, input: OneQueue) -> Result<Tags, ApiError> {
        self.with_queue(&input.queue_url, |entry, _| {
            Ok(Tags {
                queue_url: String::new(),
                tags: entry.tags.clone(),
            })
        })
    }

    // Differs from AWS: no-signatures: signatures and queue policies are kept and shown, but every caller may do everything.
    pub(super) fn add_permission(&self, input: Permission) -> Result<(), ApiError> {
        for (name, empty) in [
            ("Label", input.label.is_empty()),
            ("AWSAccountIds", input.accounts.is_empty()),
            ("Actions", input.actions.is_empty()),
        ] {
            if empty {
                return Err(missing(name));
            }
        }
        if !is_label(&input.label) {
            return Err(invalid_parameter(format!(
                "Value {} for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, \
                 or underscores. 1 to 80 in length.",
                input.label
            )));
        }
        let is_account = |id: &&String| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
        if let Some(account) = input.accounts.iter().find(|id| !is_account(id)) {
            return Err(invalid_parameter(format!(
                "Value [{account}] for parameter PrincipalId is invalid. Reason: Unable to verify principal."
            )));
        }
        let is_action = |action: &String| action == "*" || OPERATIONS.contains(&action.as_str());
        if let Some(action) = input.actions.iter().find(|action| !is_action(action)) {
            return Err(invalid_parameter(format!(
                "Value SQS:{action} for parameter ActionName is invalid. Reason: It is no action of SQS."
            )));
        }
        if input.actions.len() > MOST_ACTIONS {
            return Err(ApiError::sender(
                "OverLimit",
                format!(
                    "{} Actions were found, maximum allowed is {MOST_ACTIONS}.",
                    input.actions.len()
                ),
            ));
        }
        self.with_queue(&input.queue_url, |entry, now| {
            let mut policy = entry.policy();
            let statements = statements(&mut policy);
            if statements
                .iter()
                .any(|statement| statement["Sid"] == input.label.as_str())
            {
                return Err(invalid_parameter(format!(
                    "Value {} for parameter Label is invalid. Reason: Already exists.",
                    input.label
                )));
            }
            let principals = input
                .accounts
                .iter()
                .map(|id| format!("arn:aws:iam::{id}:root"));
            let actions = input.actions.iter().map(|action| format!("SQS:{action}"));
            statements.push(json!({
                "Sid": input.label,
                "Effect": "Allow",
                "Principal": { "AWS": one_or_many(principals) },
                "Action": one_or_many(actions),
                "Resource": arn_of(&entry.name),
            }));
            entry.settings.policy = Some(policy.to_string());
            entry.modified_at = now;
            Ok(())
        })
    }

    pub(super) fn remove_permission(&self, input: Permission) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |entry, now| {
            let mut policy = entry.policy();
            let statements = statements(&mut policy);
            let before = statements.len();
            statements.retain(|statement| statement["Sid"] != input.label.as_str());
            if statements.len() == before {
                let place = if before == 0 {
                    ""
                } else {
                    " on existing policy"
                };
                return Err(invalid_parameter(format!(
                    "Value {} for parameter Label is invalid. Reason: can't find label{place}.",
                    input.label
                )));
            }
            let empty = statements.is_empty();
            entry.settings.policy = (!empty).then(|| policy.to_string());
            entry.modified_at = now;
            Ok(())
        })
    }
}

impl State {
    /// Whether the queue `arn` may have this redrive policy.
    fn check_redrive(
        &mut self,
        settings: &Settings,
        arn: &str,
        now: Millis,
    ) -> Result<(), ApiError> {
        let Some(policy) = &settings.redrive else {
            return Ok(());
        };
        let wrong = |reason: &str| {
            invalid_parameter(format!(
                "Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}"
            ))
        };
        let target = self
            .by_arn(&policy.target_arn, now)
            .ok_or_else(|| wrong("Dead letter target does not exist."))?;
        if target.fifo.is_some() != settings.fifo.is_some() {
            return Err(wrong(
                "Dead-letter queue must be same type of queue as the source.",
            ));
        }
        let allow = target.settings.redrive_allow.as_ref();
        if allow.is_some_and(|allow| !allow.allows(arn)) {
            return Err(wrong(
                "The dead letter target's RedriveAllowPolicy does not allow this source queue.",
            ));
        }
        Ok(())
    }
}

impl Entry {
    pub(super) fn gives_up_to(&self, arn: &str) -> bool {
        let redrive = self.settings.redrive.as_ref();
        redrive.is_some_and(|redrive| redrive.target_arn == arn)
    }

    // Differs from AWS: exact-counts: the approximate counts are exact; on AWS they settle within about a minute.
    fn attributes(&self) -> BTreeMap<&'static str, String> {
        let counts = self.queue.counts();
        let mut attributes = self.settings.shown();
        attributes.extend([
            ("QueueArn", self.arn()),
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            (
                "ApproximateNumberOfMessagesNotVisible",
                counts.in_flight.to_string(),
            ),
            (
                "ApproximateNumberOfMessagesDelayed",
                counts.delayed.to_string(),
            ),
            ("CreatedTimestamp", (self.created_at / 1000).to_string()),
            (
                "LastModifiedTimestamp",
                (self.modified_at / 1000).to_string(),
            ),
        ]);
        attributes
    }

    /// The queue's policy, or an empty one.
    fn policy(&self) -> Value {
        let policy = self.settings.policy.as_deref();
        policy
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_else(|| {
                json!({
                    "Version": "2008-10-17",
                    "Id": format!("{}/SQSDefaultPolicy", self.arn()),
                    "Statement": [],
                })
            })
    }
}

/// A single value stands in a policy without a list around it.
fn one_or_many(values: impl Iterator<Item = String>) -> Value {
    let mut values: Vec<_> = values.collect();
    match values.len() {
        1 => Value::String(values.remove(0)),
        _ => json!(values),
    }
}

/// The statements of a policy, as a list whatever form they had.
fn statements(policy: &mut Value) -> &mut Vec<Value> {
    let statements = &mut policy["Statement"];
    if !statements.is_array() {
        let single = statements.take();
        *statements = match single {
            Value::Null => json!([]),
            one => json!([one]),
        };
    }
    statements.as_array_mut().expect("it was just made a list")
}

fn check_queue_name(name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(missing("QueueName"));
    }
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    if stem.is_empty() || name.len() > 80 || !stem.bytes().all(is_name_byte) {
        return Err(invalid_parameter(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Whether the queue is to be a FIFO queue: its name and its attribute must say the same.
fn is_fifo(name: &str, attribute: Option<String>) -> Result<bool, ApiError> {
    let attribute = attribute.map(|value| value.to_ascii_lowercase());
    match (attribute.as_deref(), name.ends_with(".fifo")) {
        (Some("true"), true) => Ok(true),
        (None, false) => Ok(false),
        (Some("true"), false) => Err(invalid_parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end \
             with .fifo suffix and be 1 to 80 in length."
                .to_owned(),
        )),
        (None, true) => Err(invalid_parameter(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length. A name that ends \
             with .fifo goes with the attribute FifoQueue set to true."
                .to_owned(),
        )),
        (Some(_), _) => Err(ApiError::sender("InvalidAttributeName", "Unknown Attribute FifoQueue.")),
    }
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > MOST_TAGS {
        return Err(invalid_parameter(format!(
            "Too many tags added for queue: {MOST_TAGS} is the limit."
        )));
    }
    for (key, value) in tags {
        let lengths = (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
        if !lengths || key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid_parameter(format!(
                "The tag {key} is invalid: a key has 1 to 128 characters and does not start with aws:, a value up to 256."
            )));
        }
    }
    Ok(())
}

/// One page of names in order. The token is the last name of the page before.
fn page<'a>(
    names: impl Iterator<Item = &'a String>,
    token: Option<String>,
    max_results: Option<i64>,
) -> Result<(Vec<&'a String>, Option<String>), ApiError> {
    let most = in_range(
        "MaxResults",
        max_results,
        1000,
        (1, 1000),
        "Must be an integer from 1 to 1000.",
    )?;
    let after = match token {
        None => String::new(),
        Some(token) => STANDARD
            .decode(&token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| {
                invalid_parameter(format!("Value {token} for parameter NextToken is invalid."))
            })?,
    };
    let mut rest = names.filter(|name| **name > after).peekable();
    let page: Vec<_> = rest.by_ref().take(most as usize).collect();
    let more = rest.peek().is_some() && max_results.is_some();
    let next = page
        .last()
        .filter(|_| more)
        .map(|name| STANDARD.encode(name));
    Ok((page, next))
}
