//! What happens in the local cloud, in order: the feed behind the figures of the book and the page `/lab`.
//!
//! Each service tells what happened while it still holds the lock under which it happened, so the order of the feed is
//! the order of the deeds. A listener begins with the state of the cloud, taken under the locks of all services, and
//! from there on misses nothing. While nobody listens, nothing is kept.

use crate::clock::{Clock, Millis};
use bytes::Bytes;
use hyper::header::HeaderValue;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How many events are kept for those who come back.
pub const MAX_EVENTS: usize = 1000;
/// How many may listen at a time.
pub const MAX_LISTENERS: usize = 32;
/// How many of a queue's messages, or a stream's records, the state shows.
pub const MAX_SHOWN: usize = 100;
/// Texts are cut after so many characters.
pub(crate) const MAX_TEXT: usize = 100;

/// One thing that happened. Names are without their ARN; times are by the local cloud's clock.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[serde(rename_all_fields = "snake_case")]
pub enum Event<'a> {
    QueueCreated(Queue),
    /// Its attributes were set.
    QueueChanged(Queue),
    QueueDeleted {
        queue: &'a str,
    },
    Purged {
        queue: &'a str,
    },
    Sent {
        queue: &'a str,
        message: Cow<'a, str>,
        body: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<&'a str>,
        /// When its delay is over.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Millis>,
        /// How often it was received before it came here.
        #[serde(skip_serializing_if = "is_zero")]
        receives: u32,
        /// The queue that gave it up, or that it was moved from.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<&'a str>,
    },
    /// A FIFO queue took a message for one that it knows.
    Deduplicated {
        queue: &'a str,
        /// The first one's id.
        message: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<&'a str>,
    },
    /// A delay is over.
    Arrived {
        queue: &'a str,
        message: Cow<'a, str>,
    },
    Received {
        queue: &'a str,
        message: Cow<'a, str>,
        until: Millis,
        receives: u32,
        reader: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<&'a str>,
    },
    /// A receive brought nothing.
    Empty {
        queue: &'a str,
        reader: Cow<'a, str>,
    },
    /// A visibility timeout was changed. It is over when `until` is not after the event.
    Hidden {
        queue: &'a str,
        message: Cow<'a, str>,
        until: Millis,
    },
    /// A visibility timeout is over.
    Returned {
        queue: &'a str,
        message: Cow<'a, str>,
    },
    Deleted {
        queue: &'a str,
        message: Cow<'a, str>,
    },
    /// A message was received too often: it leaves the queue for its dead-letter queue.
    Dead {
        queue: &'a str,
        message: Cow<'a, str>,
        to: &'a str,
    },
    /// A message was older than the queue keeps it.
    Expired {
        queue: &'a str,
        message: Cow<'a, str>,
    },
    /// A call was refused because of a quota or a throttle.
    Refused {
        queue: &'a str,
        operation: &'a str,
        code: &'a str,
    },
    StreamCreated(Stream),
    StreamDeleted {
        stream: &'a str,
    },
    /// Its shards were split or merged.
    Resharded(Stream),
    Put {
        stream: &'a str,
        shard: &'a str,
        sequence: &'a str,
        key: Text<'a>,
        data: Text<'a>,
    },
    /// A shard had no room for a record, or for a read.
    Throttled {
        stream: &'a str,
        shard: &'a str,
        operation: &'a str,
    },
    Got {
        stream: &'a str,
        shard: &'a str,
        reader: Cow<'a, str>,
        records: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        last: Option<&'a str>,
        /// How old the newest of these records is, when there are more.
        behind_ms: Millis,
    },
    Consumer {
        stream: &'a str,
        consumer: &'a str,
        /// `CREATING`, `ACTIVE` or `DELETING`.
        state: String,
    },
    /// Records were sent to a consumer of enhanced fan-out.
    Pushed {
        stream: &'a str,
        shard: &'a str,
        consumer: &'a str,
        records: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        last: Option<&'a str>,
    },
    FunctionCreated {
        function: &'a str,
    },
    FunctionDeleted {
        function: &'a str,
    },
    /// A mapping was made, or its state has changed. `Deleted` is its last one.
    Mapping(Mapping),
    /// A mapping got records for its function.
    Polled {
        mapping: &'a str,
        records: usize,
    },
    Invoked {
        function: &'a str,
        request: &'a str,
        /// How many there are in its event, if it is one of a queue or a stream.
        #[serde(skip_serializing_if = "Option::is_none")]
        records: Option<usize>,
        #[serde(flatten)]
        processes: Processes,
    },
    Ended {
        function: &'a str,
        request: &'a str,
        ok: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Text<'a>>,
        /// How long it took, the start of the process included.
        ms: Millis,
        #[serde(flatten)]
        processes: Processes,
    },
    /// Processes of a function that waited for work have ended.
    Cooled {
        function: &'a str,
        #[serde(flatten)]
        processes: Processes,
    },
    Log {
        group: &'a str,
        line: Text<'a>,
    },
    /// A fault that was asked for has struck.
    Fault {
        /// Its kind, in JSON.
        fault: Value,
        target: &'a str,
    },
    /// The clock was moved, by so much.
    Clock {
        moved_ms: Millis,
    },
}

/// All there is, for a listener to begin with.
#[derive(Serialize)]
#[serde(tag = "kind", rename = "state")]
pub struct State {
    pub queues: Vec<Queue>,
    pub streams: Vec<Stream>,
    pub functions: Vec<Function>,
    pub mappings: Vec<Mapping>,
}

#[derive(Serialize)]
pub struct Queue {
    pub queue: String,
    pub fifo: bool,
    pub visibility_ms: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_receives: Option<u32>,
    pub visible: usize,
    pub in_flight: usize,
    pub delayed: usize,
    /// The first [`MAX_SHOWN`], in the order in which the queue took them in; only a listener's first state has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
}

#[derive(Serialize)]
pub struct Message {
    pub message: String,
    pub body: Text<'static>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    pub receives: u32,
    #[serde(flatten)]
    pub state: MessageState,
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum MessageState {
    Visible,
    Delayed {
        until: Millis,
    },
    InFlight {
        until: Millis,
        /// None when nobody listened at the time.
        #[serde(skip_serializing_if = "Option::is_none")]
        reader: Option<String>,
    },
}

#[derive(Serialize)]
pub struct Stream {
    pub stream: String,
    pub shards: Vec<Shard>,
    pub consumers: Vec<String>,
    /// The last [`MAX_SHOWN`]; only a listener's first state has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Record>,
}

#[derive(Serialize)]
pub struct Shard {
    pub shard: String,
    /// The first and the last hash key, in decimals.
    pub from: String,
    pub to: String,
    pub open: bool,
    pub parents: Vec<String>,
}

#[derive(Serialize)]
pub struct Record {
    pub shard: String,
    pub sequence: String,
    pub key: Text<'static>,
    pub data: Text<'static>,
    pub at: Millis,
}

#[derive(Serialize)]
pub struct Function {
    pub function: String,
    #[serde(flatten)]
    pub processes: Processes,
}

/// How many processes of a function work, and how many wait for work.
#[derive(Serialize)]
pub struct Processes {
    pub running: usize,
    pub warm: usize,
}

#[derive(Serialize)]
pub struct Mapping {
    /// Its UUID.
    pub mapping: String,
    pub function: String,
    /// The name of a queue or a stream.
    pub source: String,
    pub state: &'static str,
}

/// A text that is shown as far as there is room.
pub struct Text<'a>(Cow<'a, str>);

impl<'a, T: Into<Cow<'a, str>>> From<T> for Text<'a> {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = self.0.char_indices().nth(MAX_TEXT);
        serializer.serialize_str(end.map_or(&self.0, |(end, _)| &self.0[..end]))
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// An event or a state with its time.
#[derive(Serialize)]
struct Timed<'a, T> {
    #[serde(flatten)]
    content: &'a T,
    at: Millis,
}

/// The feed. Clones share it.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    /// Tells this feed from others: of another start, or of another cloud of this one.
    boot: Millis,
    clock: Clock,
    /// Whether somebody listens, or did a moment ago.
    is_kept: AtomicBool,
    feed: Mutex<Feed>,
    /// The number of the newest event.
    newest: watch::Sender<u64>,
    listeners: watch::Sender<usize>,
}

#[derive(Default)]
struct Feed {
    /// The last events, each as it is sent. The number of the last one is that of `newest`.
    events: VecDeque<Bytes>,
    /// How far the clock had been moved at the last event.
    moved: Duration,
}

impl Events {
    pub fn new(clock: Clock) -> Self {
        Self::numbered(clock, 0)
    }

    /// The feed of the cloud with this number: a start has one after the other, see [`crate::cloud::Clouds`].
    pub fn numbered(clock: Clock, number: u64) -> Self {
        Self(Arc::new(Inner {
            boot: clock.started_at() + number,
            clock,
            is_kept: AtomicBool::new(false),
            feed: Mutex::default(),
            newest: watch::Sender::new(0),
            listeners: watch::Sender::new(0),
        }))
    }

    /// Whether it is worth while to tell what happens.
    pub fn is_kept(&self) -> bool {
        self.0.is_kept.load(Ordering::Relaxed)
    }

    /// Tells what happened, if somebody wants to know. To be called under the lock under which it happened.
    pub fn emit<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if self.is_kept() {
            let event = event();
            let mut feed = self.lock();
            self.note_clock(&mut feed);
            self.push(&mut feed, &event);
        }
    }

    /// Tells that the clock was moved, if nothing that happened since has told it.
    pub fn emit_clock(&self) {
        if self.is_kept() {
            self.note_clock(&mut self.lock());
        }
    }

    fn note_clock(&self, feed: &mut Feed) {
        let moved = self.0.clock.moved();
        let by = moved.saturating_sub(feed.moved);
        if !by.is_zero() {
            feed.moved = moved;
            let moved_ms = by.as_millis() as Millis;
            self.push(feed, &Event::Clock { moved_ms });
        }
    }

    fn push(&self, feed: &mut Feed, event: &Event) {
        if feed.events.len() == MAX_EVENTS {
            feed.events.pop_front();
        }
        let number = *self.0.newest.borrow() + 1;
        feed.events.push_back(self.frame(number, event));
        self.0.newest.send_replace(number);
    }

    /// An event as it is sent.
    /// See <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>.
    fn frame(&self, number: u64, content: &impl Serialize) -> Bytes {
        let at = self.0.clock.now();
        let json = serde_json::to_string(&Timed { content, at }).unwrap_or_default();
        format!("id: {}-{number}\ndata: {json}\n\n", self.0.boot).into()
    }

    /// Somebody begins to listen. None when there are too many.
    pub fn listen(&self) -> Option<Listener> {
        let mut feed = self.lock();
        let listeners = *self.0.listeners.borrow();
        if listeners == MAX_LISTENERS {
            return None;
        }
        if !self.0.is_kept.swap(true, Ordering::Relaxed) {
            feed.moved = self.0.clock.moved();
        }
        self.0.listeners.send_replace(listeners + 1);
        Some(Listener {
            events: self.clone(),
            newest: self.0.newest.subscribe(),
        })
    }

    /// Returns when somebody listens.
    pub async fn wanted(&self) {
        let mut listeners = self.0.listeners.subscribe();
        // An error would mean that the feed itself is gone.
        let _ = listeners.wait_for(|listeners| *listeners > 0).await;
    }

    pub fn has_listeners(&self) -> bool {
        *self.0.listeners.borrow() > 0
    }

    /// Forgets all events and keeps no more, unless somebody listens.
    pub fn rest(&self) {
        let mut feed = self.lock();
        if !self.has_listeners() {
            self.0.is_kept.store(false, Ordering::Relaxed);
            feed.events.clear();
            // Whoever comes back after this number has missed something.
            self.0.newest.send_modify(|newest| *newest += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Feed> {
        self.0.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who listens, as long as this lives.
pub struct Listener {
    events: Events,
    newest: watch::Receiver<u64>,
}

impl Listener {
    /// The number of the event that has this id, when what came after it is all there.
    pub fn find(&self, id: &str) -> Option<u64> {
        let (boot, number) = id.split_once('-')?;
        let is_of_this_boot = boot.parse() == Ok(self.events.0.boot);
        let number = number.parse().ok().filter(|_| is_of_this_boot)?;
        self.after(number).map(|_| number)
    }

    /// What there is after an event. None when some of it is gone.
    fn after(&self, number: u64) -> Option<Vec<Bytes>> {
        let feed = self.events.lock();
        let newest = *self.newest.borrow();
        let several = usize::try_from(newest.checked_sub(number)?).ok()?;
        let from = feed.events.len().checked_sub(several)?;
        Some(feed.events.range(from..).cloned().collect())
    }

    /// The first thing a listener gets, and the number of the last event before it. The caller holds the locks of all
    /// services whose state this is.
    pub fn begin(&self, state: &State) -> (u64, Bytes) {
        let mut feed = self.events.lock();
        self.events.note_clock(&mut feed);
        let newest = *self.newest.borrow();
        (newest, self.events.frame(newest, state))
    }

    /// What comes after this event, as soon as there is something. None when some of it is gone.
    pub async fn next(&mut self, number: u64) -> Option<Vec<Bytes>> {
        // An error would mean that the feed itself is gone.
        let _ = self.newest.wait_for(|newest| *newest != number).await;
        self.after(number)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _feed = self.events.lock();
        self.events
            .0
            .listeners
            .send_modify(|listeners| *listeners -= 1);
    }
}

tokio::task_local! {
    /// The user agent of whoever called.
    static CALLER: HeaderValue;
}

/// Does some work in the name of a caller, given as a user agent.
pub async fn in_the_name_of<T>(agent: HeaderValue, work: impl Future<Output = T>) -> T {
    CALLER.scope(agent, work).await
}

/// Who called: the name of the application, or the first word of the user agent.
pub fn caller() -> String {
    let name = CALLER.try_with(|agent| {
        let agent = agent.to_str().unwrap_or_default();
        let mut words = agent.split(' ');
        let app = words.find_map(|word| word.strip_prefix("app/"));
        let name = app.or(agent.split(['/', ' ']).next());
        name.filter(|name| !name.is_empty()).map(str::to_owned)
    });
    name.ok().flatten().unwrap_or_else(|| "?".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(events: &Events) {
        events.emit(|| Event::Purged { queue: "q" });
    }

    #[test]
    fn what_nobody_listens_to_is_not_even_looked_at() {
        let events = Events::new(Clock::new());
        events.emit(|| panic!("somebody listens"));
        drop(events.listen().expect("room for one"));
        events.rest();
        events.emit(|| panic!("somebody listens"));
    }

    #[test]
    fn events_are_kept_for_a_while_when_nobody_listens_any_more() {
        let events = Events::new(Clock::new());
        let listener = events.listen().expect("room for one");
        sent(&events);
        let id = format!("{}-1", events.0.boot);
        drop(listener);
        sent(&events);
        let listener = events.listen().expect("room for one");
        assert_eq!(listener.find(&id), Some(1));
        assert_eq!(listener.after(1).map(|events| events.len()), Some(1));
        events.rest();
        assert_eq!(listener.find(&id), Some(1), "somebody listens");
        drop(listener);
        events.rest();
        let listener = events.listen().expect("room for one");
        assert_eq!(listener.find(&format!("{}-2", events.0.boot)), None);
    }

    #[test]
    fn only_the_last_events_are_kept() {
        let events = Events::new(Clock::new());
        let listener = events.listen().expect("room for one");
        for _ in 0..MAX_EVENTS + 1 {
            sent(&events);
        }
        assert_eq!(
            listener.after(1).map(|events| events.len()),
            Some(MAX_EVENTS)
        );
        assert!(listener.after(0).is_none());
    }

    #[tokio::test]
    async fn a_caller_is_known_by_its_application_or_its_client() {
        for (agent, name) in [
            (
                "aws-sdk-rust/1.3 os/linux app/receive-4711 md/x",
                "receive-4711",
            ),
            ("Boto3/1.40.1 md/Botocore#1.40.1", "Boto3"),
            ("aws-cli/2.31", "aws-cli"),
            ("curl", "curl"),
            ("", "?"),
        ] {
            let agent = HeaderValue::from_static(agent);
            assert_eq!(in_the_name_of(agent, async { caller() }).await, name);
        }
        assert_eq!(caller(), "?");
    }
}
