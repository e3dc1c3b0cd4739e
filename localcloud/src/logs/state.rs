//! The groups, streams and events there are.

use super::request::no_such;
use crate::clock::{Clock, Millis};
use crate::events::{self as feed, Events};
use crate::lock::lock;
use crate::wire::error::ApiError;
use serde_json::{json, Value};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

// Differs from AWS: log-bounds: at most 1,000 groups and 10,000 streams; beyond 256 MiB the fullest stream loses its oldest events.
const MAX_GROUPS: usize = 1000;
const MAX_STREAMS: usize = 10_000;
const MAX_BYTES: usize = 256 * 1024 * 1024;
pub const DAY: Millis = 24 * 60 * 60 * 1000;

/// The log groups of the account. Clones share them.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

pub struct Inner {
    pub clock: Clock,
    state: Mutex<State>,
}

pub struct State {
    pub feed: Events,
    pub groups: BTreeMap<String, Group>,
    /// How many events there have been, so that each has a number of its own.
    pub events: u64,
    /// The size of all events.
    pub bytes: usize,
}

pub struct Group {
    pub created_at: Millis,
    pub retention_days: Option<u64>,
    pub streams: BTreeMap<String, Stream>,
}

#[derive(Default)]
pub struct Stream {
    pub created_at: Millis,
    pub written_at: Option<Millis>,
    /// In the order of their times.
    pub events: VecDeque<Event>,
    pub bytes: usize,
}

/// The time of an event and its number: where it stands among all events.
pub type Key = (Millis, u64);

pub struct Event {
    pub key: Key,
    pub written_at: Millis,
    pub message: String,
}

impl Event {
    pub fn bytes(&self) -> usize {
        self.message.len() + OVERHEAD
    }
}

/// The size of an event beside its message, in bytes.
pub const OVERHEAD: usize = 26;

impl Logs {
    /// No log groups yet. Each line is told to `feed`.
    pub fn new(clock: Clock, feed: Events) -> Self {
        Self(Arc::new(Inner {
            clock,
            state: Mutex::new(State {
                feed,
                groups: BTreeMap::new(),
                events: 0,
                bytes: 0,
            }),
        }))
    }

    /// Writes events, each with its time in milliseconds, as a service of the cloud does: group and stream are made
    /// when they are missing. When there is no room for another stream, the events are lost.
    pub fn write(
        &self,
        group: &str,
        stream: &str,
        events: impl IntoIterator<Item = (Millis, String)>,
    ) {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let made = state.make_group(group, now);
        if made
            .and_then(|()| state.make_stream(group, stream, now))
            .is_ok()
        {
            state.add(group, stream, now, events);
        }
    }

    pub(crate) fn has_group(&self, name: &str) -> bool {
        self.lock().groups.contains_key(name)
    }

    /// The log groups with what they hold, for the desk.
    pub fn status(&self) -> Value {
        let now = self.0.clock.now();
        let mut state = self.lock();
        state.expire(now);
        let group = |(name, group): (&String, &Group)| {
            let streams = group.streams.values();
            let events: usize = streams.map(|stream| stream.events.len()).sum();
            json!({ "name": name, "streams": group.streams.len(), "events": events })
        };
        state.groups.iter().map(group).collect()
    }

    /// The state at the present time: what is past its retention is gone.
    pub fn present(&self) -> (MutexGuard<'_, State>, Millis) {
        let now = self.0.clock.now();
        let mut state = self.lock();
        state.expire(now);
        (state, now)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

impl State {
    pub fn group(&mut self, name: &str) -> Result<&mut Group, ApiError> {
        let group = self.groups.get_mut(name);
        group.ok_or_else(|| no_such("The specified log group does not exist."))
    }

    pub fn stream(&mut self, group: &str, name: &str) -> Result<&mut Stream, ApiError> {
        let stream = self.group(group)?.streams.get_mut(name);
        stream.ok_or_else(|| no_such("The specified log stream does not exist."))
    }

    /// Makes a group unless there is one.
    pub fn make_group(&mut self, name: &str, now: Millis) -> Result<(), ApiError> {
        if self.groups.contains_key(name) {
            return Ok(());
        }
        if self.groups.len() == MAX_GROUPS {
            return Err(full(&format!("{MAX_GROUPS} log groups")));
        }
        let group = Group {
            created_at: now,
            retention_days: None,
            streams: Default::default(),
        };
        self.groups.insert(name.to_owned(), group);
        Ok(())
    }

    /// Makes a stream of a group that exists, unless there is one.
    pub fn make_stream(&mut self, group: &str, name: &str, now: Millis) -> Result<(), ApiError> {
        let streams: usize = self.groups.values().map(|group| group.streams.len()).sum();
        let group = self.group(group)?;
        if group.streams.contains_key(name) {
            return Ok(());
        }
        if streams >= MAX_STREAMS {
            return Err(full(&format!("{MAX_STREAMS} log streams")));
        }
        let stream = Stream {
            created_at: now,
            ..Stream::default()
        };
        group.streams.insert(name.to_owned(), stream);
        Ok(())
    }

    /// Forgets the events that are past their group's retention.
    pub fn expire(&mut self, now: Millis) {
        for group in self.groups.values_mut() {
            let Some(days) = group.retention_days else {
                continue;
            };
            let kept_from = now.saturating_sub(days * DAY);
            for stream in group.streams.values_mut() {
                self.bytes -= stream.forget(|event| event.key.0 < kept_from);
            }
        }
    }
}

impl Stream {
    /// Forgets the first events for as long as `is_gone` says so, and returns how many bytes they took.
    pub fn forget(&mut self, is_gone: impl Fn(&Event) -> bool) -> usize {
        let mut freed = 0;
        while let Some(event) = self.events.pop_front_if(|event| is_gone(event)) {
            freed += event.bytes();
        }
        self.bytes -= freed;
        freed
    }
}

impl State {
    /// Adds events to a stream, if it exists.
    pub fn add(
        &mut self,
        group: &str,
        stream: &str,
        now: Millis,
        events: impl IntoIterator<Item = (Millis, String)>,
    ) {
        let streams = self.groups.get_mut(group).map(|group| &mut group.streams);
        let Some(stream) = streams.and_then(|streams| streams.get_mut(stream)) else {
            return;
        };
        for (time, message) in events {
            self.feed.emit(|| feed::Event::Log {
                group,
                line: message.as_str().into(),
            });
            self.events += 1;
            let event = Event {
                key: (time, self.events),
                written_at: now,
                message,
            };
            stream.bytes += event.bytes();
            self.bytes += event.bytes();
            stream.written_at = Some(now);
            let at = stream.events.partition_point(|other| other.key < event.key);
            stream.events.insert(at, event);
        }
        while self.bytes > MAX_BYTES {
            self.make_room();
        }
    }

    /// Takes the older half of the fullest stream.
    fn make_room(&mut self) {
        let streams = self
            .groups
            .values_mut()
            .flat_map(|group| group.streams.values_mut());
        let Some(fullest) = streams.max_by_key(|stream| stream.bytes) else {
            return;
        };
        let half = fullest.events.len().div_ceil(2);
        let freed: usize = fullest
            .events
            .drain(..half)
            .map(|event| event.bytes())
            .sum();
        fullest.bytes -= freed;
        self.bytes -= freed;
    }
}

fn full(what: &str) -> ApiError {
    ApiError::sender(
        "LimitExceededException",
        format!("Resource limit exceeded: this lab keeps {what}."),
    )
}
