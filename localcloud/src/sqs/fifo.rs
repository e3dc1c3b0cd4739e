//! A FIFO queue, as a state machine: groups that keep their order, the time passed in.
//!
//! Each message belongs to a message group, and a group is a line of its own: it hands out its messages in the
//! order in which they came, and a message waits exactly while an earlier one of its group is in flight. What stands
//! before the one in flight, because it came back, is handed out again; other groups go on. That is all there is to
//! order; what is sent twice is the business of `deduplication`.
//!
//! The developer guide says that a message in flight holds up its whole group. AWS's answers, as recorded in November
//! 2025, show that it holds up what is behind it: `localcloud/tests/suite/fifo.rs` has the table.
//!
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html>.

use super::message::Message;
use super::queue::MAX_TIME_IN_FLIGHT;
use super::receipt::{Receipt, Receipts};
use super::store::{Counts, Delivery, OverLimit, Passed, Receive, Received, Refusal, Store};
use crate::clock::Millis;
use crate::ids::{self, Random};
use crate::quotas::IN_FLIGHT_FIFO;
use rand::{Rng, RngExt};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A message's place in the queue.
type Sequence = u64;

/// Which of two groups is asked first: the one whose first message became available first. A message that comes back
/// keeps its place in its group, but its group waits behind those that were available before.
type Turn = u64;

/// The first sequence number that AWS would show; it rises from here.
const FIRST_SEQUENCE_NUMBER: u128 = 18_849_496_460_467_696_128;

/// The messages of one FIFO queue.
pub struct Fifo {
    /// Every message of the queue, whatever its state.
    messages: HashMap<Sequence, Stored>,
    // ANCHOR: state
    groups: HashMap<Arc<str>, Group>,
    /// The groups that can hand out a message, by the turn of their first one.
    ready: BTreeSet<(Turn, Arc<str>)>,
    // ANCHOR_END: state
    /// The messages that are delayed or in flight, by the time at which that ends.
    hidden: BTreeSet<(Millis, Sequence)>,
    by_age: BTreeSet<(Millis, Sequence)>,
    in_flight: usize,
    bytes: usize,
    last_place: u64,
    last_sequence_number: u128,
    receipts: Receipts,
    random: Random,
}

// ANCHOR: group
/// One line of messages.
#[derive(Default)]
struct Group {
    waiting: BTreeSet<Sequence>,
    in_flight: BTreeSet<Sequence>,
}

impl Group {
    /// Before this place messages may be handed out: that of the first in flight.
    fn end(&self) -> Sequence {
        self.in_flight.first().copied().unwrap_or(Sequence::MAX)
    }

    /// The first that may be handed out.
    fn first_free(&self) -> Option<Sequence> {
        let first = self.waiting.first().copied();
        first.filter(|first| *first < self.end())
    }
}
// ANCHOR_END: group

struct Stored {
    message: Arc<Message>,
    group: Arc<str>,
    turn: Turn,
    state: State,
    delivery: u64,
    received_at: Millis,
    /// Whether its visibility timeout was changed since it was received.
    changed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Delayed { until: Millis },
    InFlight { until: Millis },
}

impl Fifo {
    /// An empty queue. `seed` decides all its random choices.
    pub fn new(seed: u64) -> Self {
        let mut random = ids::source(seed, "fifo queue");
        Self {
            messages: HashMap::new(),
            groups: HashMap::new(),
            ready: BTreeSet::new(),
            hidden: BTreeSet::new(),
            by_age: BTreeSet::new(),
            in_flight: 0,
            bytes: 0,
            last_place: 0,
            last_sequence_number: FIRST_SEQUENCE_NUMBER,
            receipts: Receipts::new(random.next_u64()),
            random,
        }
    }

    /// Works on a group, and afterwards lists it among the ready ones if it is.
    fn with_group(&mut self, name: &Arc<str>, work: impl FnOnce(&mut Group)) {
        let group = self.groups.entry(name.clone()).or_default();
        if let Some(first) = group.first_free() {
            self.ready
                .remove(&(self.messages[&first].turn, name.clone()));
        }
        work(group);
        let first = group.first_free().map(|first| &self.messages[&first]);
        let is_empty = group.waiting.is_empty() && group.in_flight.is_empty();
        if let Some(first) = first.filter(|first| !first.state.is_delayed()) {
            self.ready.insert((first.turn, name.clone()));
        }
        if is_empty {
            self.groups.remove(name);
        }
    }

    // ANCHOR: hand_out
    /// Hands out of one group, in order, until there are enough or the group has no more.
    fn hand_out(
        &mut self,
        now: Millis,
        group: &Arc<str>,
        receive: &Receive,
        received: &mut Received,
    ) {
        // Where it was before this receive, whose own messages don't hold each other up.
        let end = self.groups[group].end();
        let mut next = self.groups[group].first_free();
        while let Some(sequence) = next {
            let stored = &self.messages[&sequence];
            let is_full =
                received.deliveries.len() == receive.most || self.in_flight == IN_FLIGHT_FIFO;
            if stored.state.is_delayed() || is_full {
                break;
            }
            let receives = stored.message.receives;
            if receive.max_receive_count.is_some_and(|max| receives >= max) {
                received.dead.extend(self.remove(sequence));
            } else {
                let delivery = self.deliver(now, sequence, receive.visibility_timeout);
                received.deliveries.push(delivery);
            }
            let line = self.groups.get(group).map(|group| &group.waiting);
            next = line.and_then(|line| line.range(sequence + 1..end).next().copied());
        }
    }
    // ANCHOR_END: hand_out

    fn deliver(&mut self, now: Millis, sequence: Sequence, timeout: Millis) -> Delivery {
        let delivery = self.random.next_u64();
        let stored = self.stored(sequence);
        let message = Arc::make_mut(&mut stored.message);
        message.receives += 1;
        message.first_received_at.get_or_insert(now);
        stored.delivery = delivery;
        stored.received_at = now;
        stored.changed = false;
        let until = now + timeout;
        self.set_state(sequence, State::InFlight { until });
        Delivery {
            message: self.messages[&sequence].message.clone(),
            receipt_handle: self.receipts.write(Receipt { sequence, delivery }),
        }
    }

    /// The message in flight whose handle this is.
    fn in_flight(&self, receipt_handle: &str) -> Result<Sequence, Refusal> {
        let receipt = self
            .receipts
            .read(receipt_handle)
            .ok_or(Refusal::InvalidHandle)?;
        match self.messages.get(&receipt.sequence) {
            Some(stored) if stored.delivery == receipt.delivery => match stored.state {
                State::InFlight { .. } => Ok(receipt.sequence),
                _ => Err(Refusal::NotInFlight),
            },
            Some(_) => Err(Refusal::NotInFlight),
            None => Err(Refusal::Gone),
        }
    }

    fn set_state(&mut self, sequence: Sequence, state: State) {
        let stored = self.stored(sequence);
        let group = stored.group.clone();
        let before = std::mem::replace(&mut stored.state, state);
        if let State::Delayed { until } | State::InFlight { until } = before {
            self.hidden.remove(&(until, sequence));
        }
        if let State::Delayed { until } | State::InFlight { until } = state {
            self.hidden.insert((until, sequence));
        }
        let (was, is) = (before.is_in_flight(), state.is_in_flight());
        self.in_flight = self.in_flight + usize::from(is) - usize::from(was);
        if was && !is {
            let turn = self.next_place();
            self.stored(sequence).turn = turn;
        }
        self.with_group(&group, |group| {
            let (from, to) = match is {
                true => (&mut group.waiting, &mut group.in_flight),
                false => (&mut group.in_flight, &mut group.waiting),
            };
            from.remove(&sequence);
            to.insert(sequence);
        });
    }

    /// The next free place; each is used once, as a message's sequence or as its turn.
    fn next_place(&mut self) -> u64 {
        self.last_place += 1;
        self.last_place
    }

    fn stored(&mut self, sequence: Sequence) -> &mut Stored {
        self.messages
            .get_mut(&sequence)
            .expect("a sequence in an index is a message of the queue")
    }

    fn remove(&mut self, sequence: Sequence) -> Option<Arc<Message>> {
        let state = self.messages.get(&sequence)?.state;
        let group = self.messages[&sequence].group.clone();
        if let State::Delayed { until } | State::InFlight { until } = state {
            self.hidden.remove(&(until, sequence));
        }
        self.in_flight -= usize::from(state.is_in_flight());
        self.with_group(&group, |group| {
            group.waiting.remove(&sequence);
            group.in_flight.remove(&sequence);
        });
        let stored = self.messages.remove(&sequence)?;
        self.by_age.remove(&(stored.message.sent_at, sequence));
        self.bytes -= stored.message.size;
        Some(stored.message)
    }
}

impl State {
    fn is_in_flight(self) -> bool {
        matches!(self, State::InFlight { .. })
    }

    fn is_delayed(self) -> bool {
        matches!(self, State::Delayed { .. })
    }
}

impl Store for Fifo {
    fn new_message_id(&mut self) -> String {
        ids::uuid(&mut self.random)
    }

    fn put(&mut self, now: Millis, mut message: Arc<Message>, delay: Millis) -> Option<String> {
        let sequence = self.next_place();
        self.last_sequence_number += u128::from(self.random.random_range(1..=512u32));
        let number = self.last_sequence_number.to_string();
        Arc::make_mut(&mut message).sequence_number = Some(number.clone());
        self.bytes += message.size;
        self.by_age.insert((message.sent_at, sequence));
        let group: Arc<str> = message.group_id.clone().unwrap_or_default().into();
        self.messages.insert(
            sequence,
            Stored {
                message,
                group,
                turn: sequence,
                state: State::Waiting,
                delivery: 0,
                received_at: 0,
                changed: false,
            },
        );
        let state = match delay {
            0 => State::Waiting,
            _ => State::Delayed { until: now + delay },
        };
        self.set_state(sequence, state);
        Some(number)
    }

    // Differs from AWS: fifo-backlog: free groups are found behind any number of blocked messages.
    // ANCHOR: receive
    fn receive(
        &mut self,
        now: Millis,
        receive: &Receive,
        _repeated: &mut dyn FnMut() -> bool,
    ) -> Result<Received, OverLimit> {
        let mut received = Received::default();
        while received.deliveries.len() < receive.most && self.in_flight < IN_FLIGHT_FIFO {
            let Some((_, group)) = self.ready.first().cloned() else {
                break;
            };
            self.hand_out(now, &group, receive, &mut received);
        }
        Ok(received)
    }
    // ANCHOR_END: receive

    fn repeat(
        &mut self,
        now: Millis,
        handles: &[String],
        timeout: Millis,
    ) -> Option<Vec<Delivery>> {
        let untouched = |handle: &String| {
            let sequence = self.in_flight(handle).ok()?;
            (!self.messages[&sequence].changed).then_some((sequence, handle.clone()))
        };
        let sequences: Option<Vec<_>> = handles.iter().map(untouched).collect();
        let again = |(sequence, receipt_handle)| {
            let until = now + timeout;
            self.set_state(sequence, State::InFlight { until });
            Delivery {
                message: self.messages[&sequence].message.clone(),
                receipt_handle,
            }
        };
        Some(sequences?.into_iter().map(again).collect())
    }

    fn delete(&mut self, receipt_handle: &str) -> Result<Option<Arc<Message>>, Refusal> {
        match self.in_flight(receipt_handle) {
            Ok(sequence) => Ok(self.remove(sequence)),
            Err(Refusal::Gone) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    fn change_visibility(
        &mut self,
        now: Millis,
        receipt_handle: &str,
        timeout: Millis,
    ) -> Result<Arc<Message>, Refusal> {
        let sequence = self.in_flight(receipt_handle)?;
        let stored = self.stored(sequence);
        if now + timeout > stored.received_at + MAX_TIME_IN_FLIGHT {
            return Err(Refusal::TooLong);
        }
        stored.changed = true;
        let message = stored.message.clone();
        let state = match timeout {
            0 => State::Waiting,
            _ => State::InFlight {
                until: now + timeout,
            },
        };
        self.set_state(sequence, state);
        Ok(message)
    }

    fn pass(&mut self, now: Millis, retention: Millis) -> Passed {
        let mut passed = Passed::default();
        while let Some(&(until, sequence)) = self.hidden.first() {
            if until > now {
                break;
            }
            self.set_state(sequence, State::Waiting);
            passed.shown.push(self.messages[&sequence].message.clone());
        }
        while let Some(&(sent_at, sequence)) = self.by_age.first() {
            if sent_at + retention > now {
                break;
            }
            passed.expired.extend(self.remove(sequence));
        }
        passed
    }

    fn delay_anew(&mut self, now: Millis, delay: Millis) {
        let never_received = |(_, stored): &(&Sequence, &Stored)| stored.message.receives == 0;
        let all = self.messages.iter().filter(never_received);
        let due: Vec<_> = all
            .map(|(sequence, stored)| (*sequence, stored.message.sent_at + delay))
            .collect();
        for (sequence, until) in due {
            let state = if until > now {
                State::Delayed { until }
            } else {
                State::Waiting
            };
            self.set_state(sequence, state);
        }
    }

    fn next_due(&self) -> Option<Millis> {
        self.hidden.first().map(|(until, _)| *until)
    }

    fn purge(&mut self) {
        self.messages.clear();
        self.groups.clear();
        self.ready.clear();
        self.hidden.clear();
        self.by_age.clear();
        self.in_flight = 0;
        self.bytes = 0;
    }

    /// Group by group, so that a move keeps their order. What waits for a message in flight stays.
    fn take(&mut self, most: usize) -> Vec<Arc<Message>> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some((_, group)) = self.ready.first() else {
                break;
            };
            let first = self.groups[group].first_free();
            taken.extend(first.and_then(|first| self.remove(first)));
        }
        taken
    }

    fn list(&self, most: usize) -> Vec<(Arc<Message>, Option<Millis>)> {
        let oldest = self.by_age.iter().take(most);
        let mut oldest: Vec<_> = oldest.map(|(_, sequence)| sequence).collect();
        oldest.sort();
        let show = |sequence| {
            let stored: &Stored = &self.messages[sequence];
            let until = match stored.state {
                State::Waiting => None,
                State::Delayed { until } | State::InFlight { until } => Some(until),
            };
            (stored.message.clone(), until)
        };
        oldest.into_iter().map(show).collect()
    }

    fn counts(&self) -> Counts {
        Counts {
            visible: self.messages.len() - self.hidden.len(),
            in_flight: self.in_flight,
            delayed: self.hidden.len() - self.in_flight,
        }
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}
