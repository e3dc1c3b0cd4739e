//! The feed behind the figures of the book and the page `/lab`: all that happens in the local cloud, in order.
//!
//! Each service tells what happened while it still holds the lock under which it happened, so the order of the feed is
//! the order of the deeds. A listener begins with the state of the cloud, taken under the locks of all services, and
//! from there on misses nothing. While nobody listens, nothing is kept.

mod event;

pub(crate) use event::*;

use crate::clock::{Clock, Millis};
use crate::lock::lock;
use bytes::Bytes;
use hyper::header::HeaderValue;
use serde::Serialize;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

/// How many events are kept for those who come back.
pub const MAX_EVENTS: usize = 1000;
/// How many may listen at a time.
pub const MAX_LISTENERS: usize = 32;

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
    /// The first feed of a local cloud: no events yet, and nobody listens.
    pub fn new(clock: Clock) -> Self {
        Self::numbered(clock, 0)
    }

    /// The feed of the cloud with this number: a start has one after the other, see `cloud::Clouds`.
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

    pub(crate) fn has_listeners(&self) -> bool {
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
        lock(&self.0.feed)
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

    /// The events after this one, as far as there are any. None when some of them are no longer kept.
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

    /// Waits for the events after this one. None when some of them are no longer kept.
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
