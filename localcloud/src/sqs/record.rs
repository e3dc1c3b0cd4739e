//! One queue: its messages, its settings, and who is told when something happens to it.

use super::attributes::Settings;
use super::deduplication::Memory;
use super::message::Message;
use super::names::{arn_of, name_of};
use super::quota::Quota;
use super::store::Store;
use crate::clock::Millis;
use crate::events::{self, Event, Events, MessageState, MAX_SHOWN};
use crate::wire::error::ApiError;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::Notify;

/// The size of a message beside its own bytes.
pub const OVERHEAD: usize = 512;

/// A queue and what is known of it.
pub struct QueueRecord {
    pub name: String,
    pub events: Events,
    /// Who has the messages in flight, by their names in the feed.
    pub readers: HashMap<String, String>,
    pub settings: Settings,
    pub store: Box<dyn Store>,
    /// A FIFO queue's memory of five minutes; none for a standard queue.
    pub fifo: Option<Memories>,
    pub tags: BTreeMap<String, String>,
    pub created_at: Millis,
    pub modified_at: Millis,
    pub purged_at: Option<Millis>,
    /// Wakes the long polls: once for each message that becomes visible.
    pub arrivals: Arc<Notify>,
}

#[derive(Default)]
pub struct Memories {
    /// The answer to the first send with a deduplication id, by the id and, if that is its scope, the group.
    pub sends: Memory<(Option<String>, String), FirstSend>,
    /// The receipt handles of a receive, by its `ReceiveRequestAttemptId`.
    pub receives: Memory<String, Vec<String>>,
    pub quotas: BTreeMap<&'static str, Quota>,
}

impl Memories {
    /// Forgets the messages, as a purge does. What was used of the quotas stays used.
    pub fn forget(&mut self) {
        self.sends = Memory::default();
        self.receives = Memory::default();
    }
}

pub struct FirstSend {
    pub message_id: String,
    pub sequence_number: Option<String>,
}

impl QueueRecord {
    pub fn arn(&self) -> String {
        arn_of(&self.name)
    }

    pub fn bytes(&self) -> usize {
        let counts = self.store.counts();
        let messages = counts.visible + counts.in_flight + counts.delayed;
        self.store.bytes() + messages * OVERHEAD
    }

    pub fn pass(&mut self, now: Millis) {
        let retention = Millis::from(self.settings.retention) * 1000;
        let passed = self.store.pass(now, retention);
        // Behind a message in flight that grew too old, the rest of its group can be received now.
        let freed = passed.expired.iter().filter(|_| self.fifo.is_some());
        for _ in passed.shown.iter().chain(freed).take(1000) {
            self.arrivals.notify_one();
        }
        for message in &passed.shown {
            self.readers.remove(&*message.name());
            self.tell(|queue| match message.receives {
                0 => Event::Arrived {
                    queue,
                    message: message.name(),
                },
                _ => Event::Returned {
                    queue,
                    message: message.name(),
                },
            });
        }
        for message in &passed.expired {
            self.readers.remove(&*message.name());
            self.tell(|queue| Event::Expired {
                queue,
                message: message.name(),
            });
        }
    }

    /// Takes a message in, that was sent here or comes `from` another queue.
    pub fn put(
        &mut self,
        now: Millis,
        message: Arc<Message>,
        delay: Millis,
        from: Option<&str>,
    ) -> Option<String> {
        self.announce(&message, (delay > 0).then_some(now + delay), from);
        let sequence_number = self.store.put(now, message, delay);
        self.arrivals.notify_one();
        sequence_number
    }

    /// Tells that a message is here now, delayed `until` some time.
    pub fn announce(&self, message: &Message, until: Option<Millis>, from: Option<&str>) {
        self.tell(|queue| Event::Sent {
            queue,
            message: message.name(),
            body: message.body.as_str().into(),
            group: message.group_id.as_deref(),
            until,
            receives: message.receives,
            from,
        });
    }

    /// Tells an event of this queue.
    pub fn tell<'a>(&'a self, event: impl FnOnce(&'a str) -> Event<'a>) {
        self.events.emit(|| event(&self.name));
    }

    /// Tells that a call was refused.
    pub fn refused(&self, operation: &str, error: ApiError) -> ApiError {
        self.events.emit(|| Event::Refused {
            queue: &self.name,
            operation,
            code: &error.code,
        });
        error
    }

    /// The queue as the feed shows it, without its messages.
    pub fn shown(&self) -> events::Queue {
        let counts = self.store.counts();
        let redrive = self.settings.redrive.as_ref();
        events::Queue {
            queue: self.name.clone(),
            fifo: self.fifo.is_some(),
            visibility_ms: Millis::from(self.settings.visibility_timeout) * 1000,
            dead_letter_queue: redrive.map(|redrive| name_of(&redrive.target_arn).to_owned()),
            max_receives: redrive.map(|redrive| redrive.max_receive_count),
            visible: counts.visible,
            in_flight: counts.in_flight,
            delayed: counts.delayed,
            messages: Vec::new(),
        }
    }

    pub fn shown_messages(&self) -> Vec<events::Message> {
        let show = |(message, until): (Arc<Message>, Option<Millis>)| {
            let name = message.name();
            let state = match until {
                None => MessageState::Visible,
                Some(until) if message.receives == 0 => MessageState::Delayed { until },
                Some(until) => MessageState::InFlight {
                    until,
                    reader: self.readers.get(&*name).cloned(),
                },
            };
            events::Message {
                message: name.into_owned(),
                body: message.body.clone().into(),
                group: message.group_id.clone(),
                receives: message.receives,
                state,
            }
        };
        self.store.list(MAX_SHOWN).into_iter().map(show).collect()
    }
}
