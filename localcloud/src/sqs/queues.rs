//! The operations on queues: create, find, describe, change, delete.

use super::attributes::{check_names, Settings};
use super::errors::{in_range, invalid_parameter, is_name_byte, missing, no_such_queue, sqs_error};
use super::fifo::Fifo;
use super::names::{arn_of, name_in, url_of};
use super::queue::Queue;
use super::record::{Memories, QueueRecord};
use super::state::{Shared, MAX_QUEUES};
use super::store::Store;
use crate::account::ACCOUNT;
use crate::clock::Millis;
use crate::events::Event;
use crate::wire::error::ApiError;
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::Notify;

/// A deleted queue's name is free again, and a queue can be purged again, after this long.
const ONE_MINUTE: Millis = crate::quotas::DELETED_NAME_BLOCKED;
const MAX_TAGS: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub struct CreateQueueRequest {
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
pub struct QueueRequest {
    queue_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetQueueUrlRequest {
    queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListQueuesRequest {
    queue_name_prefix: String,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListQueuesResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListDeadLetterSourceQueuesRequest {
    queue_url: String,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Serialize)]
pub struct ListDeadLetterSourceQueuesResult {
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(rename = "NextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetQueueAttributesRequest {
    queue_url: String,
    attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetQueueAttributesResult {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct SetQueueAttributesRequest {
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
pub struct UntagQueueRequest {
    queue_url: String,
    tag_keys: Vec<String>,
}

impl Shared {
    pub fn create_queue(
        &self,
        input: CreateQueueRequest,
        base: &str,
    ) -> Result<QueueUrl, ApiError> {
        let name = input.queue_name;
        check_queue_name(&name)?;
        let mut attributes = input.attributes;
        let fifo = is_fifo(&name, attributes.remove("FifoQueue"))?;
        check_tags(&input.tags)?;
        let now = self.clock.now();
        let mut state = self.lock();
        let created = QueueUrl {
            queue_url: url_of(base, &name),
        };
        if let Some(queue) = state.queues.get(&name) {
            return match queue.settings.differs_in(&attributes)? {
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
        if state.queues.len() == MAX_QUEUES {
            return Err(ApiError::sender(
                "OverLimit",
                format!(
                    "The local cloud keeps {MAX_QUEUES} queues at the most: delete some first."
                ),
            ));
        }
        let mut settings = Settings::new(fifo);
        settings.set(&attributes)?;
        state.check_redrive(&settings, &arn_of(&name), now)?;
        // Not of its name: experiments take random ones, and the same seed is to repeat them.
        let seed = state.random.next_u64();
        let store: Box<dyn Store> = match fifo {
            true => Box::new(Fifo::new(seed)),
            false => Box::new(Queue::new(seed)),
        };
        let queue = QueueRecord {
            name: name.clone(),
            events: self.events.clone(),
            readers: HashMap::new(),
            settings,
            store,
            fifo: fifo.then(Memories::default),
            tags: input.tags,
            created_at: now,
            modified_at: now,
            purged_at: None,
            arrivals: Arc::new(Notify::new()),
        };
        let events = &self.events;
        events.emit(|| Event::QueueCreated(queue.shown()));
        state.queues.insert(name, queue);
        Ok(created)
    }

    pub fn delete_queue(&self, input: QueueRequest) -> Result<(), ApiError> {
        let name = name_in(&input.queue_url)?;
        let now = self.clock.now();
        let mut state = self.lock();
        let queue = state.queues.remove(name).ok_or_else(no_such_queue)?;
        queue.arrivals.notify_waiters();
        queue.tell(|queue| Event::QueueDeleted { queue });
        state.deleted.insert(name.to_owned(), now);
        Ok(())
    }

    pub fn get_queue_url(
        &self,
        input: GetQueueUrlRequest,
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

    pub fn list_queues(
        &self,
        input: ListQueuesRequest,
        base: &str,
    ) -> Result<ListQueuesResult, ApiError> {
        let state = self.lock();
        let names = state
            .queues
            .keys()
            .filter(|name| name.starts_with(&input.queue_name_prefix));
        let (names, next_token) = page(names, input.next_token, input.max_results)?;
        Ok(ListQueuesResult {
            queue_urls: names.iter().map(|name| url_of(base, name)).collect(),
            next_token,
        })
    }

    pub fn list_dead_letter_source_queues(
        &self,
        input: ListDeadLetterSourceQueuesRequest,
        base: &str,
    ) -> Result<ListDeadLetterSourceQueuesResult, ApiError> {
        let name = name_in(&input.queue_url)?;
        let mut state = self.lock();
        let arn = state.queue(name, self.clock.now())?.arn();
        let sources = state
            .queues
            .values()
            .filter(|queue| queue.gives_up_to(&arn))
            .map(|queue| &queue.name);
        let (names, next_token) = page(sources, input.next_token, input.max_results)?;
        Ok(ListDeadLetterSourceQueuesResult {
            queue_urls: names.iter().map(|name| url_of(base, name)).collect(),
            next_token,
        })
    }

    pub fn get_queue_attributes(
        &self,
        input: GetQueueAttributesRequest,
    ) -> Result<GetQueueAttributesResult, ApiError> {
        let names = input.attribute_names;
        self.with_queue(&input.queue_url, |queue, _| {
            check_names(&names)?;
            let all = names.iter().any(|name| name == "All");
            let mut attributes = queue.attributes();
            attributes.retain(|name, _| all || names.iter().any(|asked| asked == name));
            Ok(GetQueueAttributesResult { attributes })
        })
    }

    pub fn set_queue_attributes(&self, input: SetQueueAttributesRequest) -> Result<(), ApiError> {
        let name = name_in(&input.queue_url)?;
        if input.attributes.is_empty() {
            return Err(missing("Attribute.Name"));
        }
        let now = self.clock.now();
        let mut state = self.lock();
        let mut settings = state.queue(name, now)?.settings.clone();
        settings.set(&input.attributes)?;
        if input.attributes.contains_key("RedrivePolicy") {
            state.check_redrive(&settings, &arn_of(name), now)?;
        }
        let queue = state.queue(name, now)?;
        let delay = settings.delay;
        if delay != queue.settings.delay {
            queue.store.delay_anew(now, Millis::from(delay) * 1000);
            queue.arrivals.notify_waiters();
        }
        queue.settings = settings;
        queue.modified_at = now;
        self.events.emit(|| Event::QueueChanged(queue.shown()));
        Ok(())
    }

    // Differs from AWS: purge-at-once: PurgeQueue and DeleteQueue are done when they answer; AWS takes up to 60 seconds.
    pub fn purge_queue(&self, input: QueueRequest) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |queue, now| {
            if queue.purged_at.is_some_and(|at| at + ONE_MINUTE > now) {
                return Err(sqs_error(
                    "PurgeQueueInProgress",
                    format!(
                        "Only one PurgeQueue operation on {} is allowed every 60 seconds.",
                        queue.name
                    ),
                )
                .with_status(403));
            }
            queue.purged_at = Some(now);
            queue.store.purge();
            if let Some(memories) = &mut queue.fifo {
                memories.forget();
            }
            queue.readers.clear();
            queue.tell(|queue| Event::Purged { queue });
            Ok(())
        })
    }

    pub fn tag_queue(&self, input: Tags) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |queue, _| {
            let mut tags = queue.tags.clone();
            tags.extend(input.tags);
            check_tags(&tags)?;
            queue.tags = tags;
            Ok(())
        })
    }

    pub fn untag_queue(&self, input: UntagQueueRequest) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |queue, _| {
            queue.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(())
        })
    }

    pub fn list_queue_tags(&self, input: QueueRequest) -> Result<Tags, ApiError> {
        self.with_queue(&input.queue_url, |queue, _| {
            Ok(Tags {
                queue_url: String::new(),
                tags: queue.tags.clone(),
            })
        })
    }
}

impl QueueRecord {
    pub fn gives_up_to(&self, arn: &str) -> bool {
        let redrive = self.settings.redrive.as_ref();
        redrive.is_some_and(|redrive| redrive.target_arn == arn)
    }

    // Differs from AWS: exact-counts: the approximate counts are exact; on AWS they settle within about a minute.
    fn attributes(&self) -> BTreeMap<&'static str, String> {
        let counts = self.store.counts();
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
    if tags.len() > MAX_TAGS {
        return Err(invalid_parameter(format!(
            "Too many tags added for queue: {MAX_TAGS} is the limit."
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
