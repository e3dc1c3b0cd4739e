//! A standard queue, as a state machine: messages in, deliveries out, the time passed in.
//!
//! The three states of a message are the whole idea. It is *visible*, waiting on one of the queue's hosts; or
//! *delayed*, not to be seen yet; or *in flight*, handed to a receiver and hidden until its visibility timeout
//! ends. Only a delete, the retention period or the dead-letter queue takes it out. Receiving does not.
//!
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html>.

use super::message::Message;
use super::receipt::{Receipt, Receipts};
use super::store::{Counts, Delivery, OverLimit, Passed, Poll, Receive, Received, Refusal, Store};
use crate::clock::Millis;
use crate::ids;
use crate::ids::Random;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

// Differs from AWS: hosts: AWS says neither how many servers there are nor how many a short poll asks.
/// On how many hosts a queue keeps its messages, each message on one.
pub const HOSTS: usize = 8;
/// How many of them a short poll asks.
pub const HOSTS_OF_A_SHORT_POLL: usize = 5;
/// How many messages of a queue may be in flight.
pub const MAX_IN_FLIGHT: usize = crate::quotas::IN_FLIGHT_STANDARD;
/// How long a message may stay in flight after a receive, however often that is extended.
pub const MAX_TIME_IN_FLIGHT: Millis = crate::quotas::VISIBILITY_MAX as Millis * 1000;

/// A message's place in the order in which the queue took them in.
type Sequence = u64;

/// The messages of one standard queue.
pub struct Queue {
    // ANCHOR: state
    /// Every message of the queue, whatever its state.
    messages: HashMap<Sequence, Stored>,
    /// The visible messages, host by host.
    hosts: [BTreeSet<Sequence>; HOSTS],
    /// The messages that are delayed or in flight, by the time at which they become visible.
    hidden: BTreeSet<(Millis, Sequence)>,
    // ANCHOR_END: state
    /// All messages, by the time they were sent: the retention period removes from the front.
    by_age: BTreeSet<(Millis, Sequence)>,
    in_flight: usize,
    bytes: usize,
    next: Sequence,
    receipts: Receipts,
    random: Random,
}

struct Stored {
    message: Arc<Message>,
    host: usize,
    state: State,
    /// Which delivery's receipt handle is good: the latest one's.
    delivery: u64,
    received_at: Millis,
}

// ANCHOR: states
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Visible,
    Delayed { until: Millis },
    InFlight { until: Millis },
}
// ANCHOR_END: states

impl Queue {
    /// An empty queue. `seed` decides all its random choices.
    pub fn new(seed: u64) -> Self {
        let mut random = ids::source(seed, "queue");
        Self {
            messages: HashMap::new(),
            hosts: Default::default(),
            hidden: BTreeSet::new(),
            by_age: BTreeSet::new(),
            in_flight: 0,
            bytes: 0,
            next: 0,
            receipts: Receipts::new(random.next_u64()),
            random,
        }
    }

    // ANCHOR: hosts
    /// The hosts of one poll, in the order in which they happen to answer.
    fn ask_hosts(&mut self, poll: Poll) -> Vec<usize> {
        let mut hosts: Vec<usize> = (0..HOSTS).collect();
        hosts.shuffle(&mut self.random);
        if poll == Poll::Short {
            hosts.truncate(HOSTS_OF_A_SHORT_POLL);
        }
        hosts
    }

    /// The oldest message of one of these hosts: oldest first on a host, but no order between hosts.
    fn take_visible(&mut self, asked: &mut Vec<usize>) -> Option<Sequence> {
        while !asked.is_empty() {
            let pick = self.random.random_range(0..asked.len());
            if let Some(sequence) = self.hosts[asked[pick]].pop_first() {
                return Some(sequence);
            }
            asked.swap_remove(pick);
        }
        None
    }
    // ANCHOR_END: hosts

    // ANCHOR: deliver
    fn deliver(&mut self, now: Millis, sequence: Sequence, timeout: Millis) -> Delivery {
        let delivery = self.random.next_u64();
        let stored = self.stored(sequence);
        let message = Arc::make_mut(&mut stored.message);
        message.receives += 1;
        message.first_received_at.get_or_insert(now);
        stored.delivery = delivery;
        stored.received_at = now;
        let message = stored.message.clone();
        let until = now + timeout;
        self.hide(sequence, State::InFlight { until });
        Delivery {
            message,
            receipt_handle: self.receipts.write(Receipt { sequence, delivery }),
        }
    }
    // ANCHOR_END: deliver

    fn is_latest(&self, receipt: Receipt) -> bool {
        self.messages
            .get(&receipt.sequence)
            .is_some_and(|stored| stored.delivery == receipt.delivery)
    }

    fn stored(&mut self, sequence: Sequence) -> &mut Stored {
        self.messages
            .get_mut(&sequence)
            .expect("a sequence in an index is a message of the queue")
    }

    /// Hides a message that is on no list.
    fn hide(&mut self, sequence: Sequence, state: State) {
        let (State::Delayed { until } | State::InFlight { until }) = state else {
            return;
        };
        self.stored(sequence).state = state;
        self.hidden.insert((until, sequence));
        self.in_flight += usize::from(matches!(state, State::InFlight { .. }));
    }

    fn show(&mut self, sequence: Sequence) -> Arc<Message> {
        self.withdraw(sequence);
        let stored = self.stored(sequence);
        stored.state = State::Visible;
        let (host, message) = (stored.host, stored.message.clone());
        self.hosts[host].insert(sequence);
        message
    }

    /// Takes a message off the list it is on, whichever that is.
    fn withdraw(&mut self, sequence: Sequence) {
        let Stored { state, host, .. } = self.messages[&sequence];
        match state {
            State::Visible => {
                self.hosts[host].remove(&sequence);
            }
            State::Delayed { until } | State::InFlight { until } => {
                self.hidden.remove(&(until, sequence));
                self.in_flight -= usize::from(matches!(state, State::InFlight { .. }));
            }
        }
    }

    fn remove(&mut self, sequence: Sequence) -> Option<Arc<Message>> {
        if self.messages.contains_key(&sequence) {
            self.withdraw(sequence);
        }
        let stored = self.messages.remove(&sequence)?;
        self.by_age.remove(&(stored.message.sent_at, sequence));
        self.bytes -= stored.message.size;
        Some(stored.message)
    }
}

impl Store for Queue {
    fn new_message_id(&mut self) -> String {
        ids::uuid(&mut self.random)
    }

    fn put(&mut self, now: Millis, message: Arc<Message>, delay: Millis) -> Option<String> {
        let sequence = self.next;
        self.next += 1;
        let host = self.random.random_range(0..HOSTS);
        self.bytes += message.size;
        self.by_age.insert((message.sent_at, sequence));
        self.messages.insert(
            sequence,
            Stored {
                message,
                host,
                state: State::Visible,
                delivery: 0,
                received_at: 0,
            },
        );
        if delay > 0 {
            self.hide(sequence, State::Delayed { until: now + delay });
        } else {
            self.hosts[host].insert(sequence);
        }
        None
    }

    // ANCHOR: receive
    fn receive(
        &mut self,
        now: Millis,
        receive: &Receive,
        repeated: &mut dyn FnMut() -> bool,
    ) -> Result<Received, OverLimit> {
        if self.in_flight >= MAX_IN_FLIGHT {
            return Err(OverLimit);
        }
        let mut asked = self.ask_hosts(receive.poll);
        let mut received = Received::default();
        while received.deliveries.len() < receive.most {
            let Some(sequence) = self.take_visible(&mut asked) else {
                break;
            };
            let receives = self.messages[&sequence].message.receives;
            if receive.max_receive_count.is_some_and(|max| receives >= max) {
                received.dead.extend(self.remove(sequence));
                continue;
            }
            let delivery = self.deliver(now, sequence, receive.visibility_timeout);
            if repeated() {
                received.copies.push(delivery.message.clone());
            }
            received.deliveries.push(delivery);
        }
        for message in &mut received.copies {
            Arc::make_mut(message).copy = Some(self.next);
            self.put(now, message.clone(), 0);
        }
        Ok(received)
    }
    // ANCHOR_END: receive

    // ANCHOR: delete
    /// An old handle, or one of a message deleted before, is no error and deletes nothing.
    fn delete(&mut self, receipt_handle: &str) -> Result<Option<Arc<Message>>, Refusal> {
        let receipt = self
            .receipts
            .read(receipt_handle)
            .ok_or(Refusal::InvalidHandle)?;
        if !self.is_latest(receipt) {
            return Ok(None);
        }
        Ok(self.remove(receipt.sequence))
    }
    // ANCHOR_END: delete

    // ANCHOR: change
    /// Any handle of the message will do, and the visibility timeout may be over: AWS asks no more, as recorded in 2024.
    fn change_visibility(
        &mut self,
        now: Millis,
        receipt_handle: &str,
        timeout: Millis,
    ) -> Result<Arc<Message>, Refusal> {
        let receipt = self
            .receipts
            .read(receipt_handle)
            .ok_or(Refusal::InvalidHandle)?;
        let sequence = receipt.sequence;
        let stored = self.messages.get(&sequence).ok_or(Refusal::Gone)?;
        if now + timeout > stored.received_at + MAX_TIME_IN_FLIGHT {
            return Err(Refusal::TooLong);
        }
        let message = stored.message.clone();
        if timeout > 0 {
            let until = now + timeout;
            self.withdraw(sequence);
            self.hide(sequence, State::InFlight { until });
        } else {
            self.show(sequence);
        }
        Ok(message)
    }
    // ANCHOR_END: change

    // ANCHOR: pass
    fn pass(&mut self, now: Millis, retention: Millis) -> Passed {
        let mut passed = Passed::default();
        while let Some(&(until, sequence)) = self.hidden.first() {
            if until > now {
                break;
            }
            passed.shown.push(self.show(sequence));
        }
        while let Some(&(sent_at, sequence)) = self.by_age.first() {
            if sent_at + retention > now {
                break;
            }
            passed.expired.extend(self.remove(sequence));
        }
        passed
    }
    // ANCHOR_END: pass

    fn next_due(&self) -> Option<Millis> {
        self.hidden.first().map(|(until, _)| *until)
    }

    fn purge(&mut self) {
        self.messages.clear();
        self.hosts = Default::default();
        self.hidden.clear();
        self.by_age.clear();
        self.in_flight = 0;
        self.bytes = 0;
    }

    fn take(&mut self, most: usize) -> Vec<Arc<Message>> {
        let mut asked = self.ask_hosts(Poll::Long);
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(sequence) = self.take_visible(&mut asked) else {
                break;
            };
            taken.extend(self.remove(sequence));
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
                State::Visible => None,
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
