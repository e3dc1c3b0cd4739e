//! The queues of the account, behind one lock, with the clock, the feed and the faults.

use super::attributes::{FifoSettings, Settings};
use super::errors::{invalid_parameter, no_such_queue};
use super::names::{arn_of, name_in};
use super::record::{QueueRecord, OVERHEAD};
use super::redrive::MoveTask;
use crate::clock::{Clock, Millis};
use crate::events::Events;
use crate::faults::{Faults, Kind};
use crate::ids;
use crate::ids::Random;
use crate::lock::lock;
use crate::wire::error::ApiError;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

// Differs from AWS: bounds: the local cloud keeps at most 1,000 queues and 1 GiB of messages, in memory.
pub const MAX_QUEUES: usize = 1000;
const MAX_BYTES: usize = 1024 * 1024 * 1024;
/// The account's queues, and what the operations need beside them.
pub struct Shared {
    pub clock: Clock,
    pub events: Events,
    pub faults: Faults,
    pub state: Mutex<State>,
}

pub struct State {
    pub queues: BTreeMap<String, QueueRecord>,
    /// When a name was given up: it can't be used again for a minute.
    pub deleted: BTreeMap<String, Millis>,
    pub tasks: Vec<MoveTask>,
    /// How many more bytes can be taken in before the queues are counted again.
    room: usize,
    pub random: Random,
}

impl Shared {
    pub fn new(clock: Clock, events: Events, faults: Faults, seed: u64) -> Self {
        Self {
            clock,
            events,
            faults,
            state: Mutex::new(State {
                queues: BTreeMap::new(),
                deleted: BTreeMap::new(),
                tasks: Vec::new(),
                room: 0,
                random: ids::source(seed, "sqs"),
            }),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Works on one queue at the present time.
    pub fn with_queue<T>(
        &self,
        url: &str,
        work: impl FnOnce(&mut QueueRecord, Millis) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let now = self.clock.now();
        work(self.lock().queue(name_in(url)?, now)?, now)
    }

    // Differs from AWS: fifo-quota: a FIFO queue keeps to its quota only while that fault is asked for.
    pub fn check_quota(
        &self,
        queue: &mut QueueRecord,
        now: Millis,
        action: &'static str,
        messages: usize,
    ) -> Result<(), ApiError> {
        let faults = &self.faults;
        let Some(memories) = queue.fifo.as_mut() else {
            return Ok(());
        };
        let is_high = |fifo: &FifoSettings| fifo.throughput_by_group;
        if faults.is_waiting(Kind::FifoQuota, &queue.name)
            && !queue.settings.fifo.as_ref().is_some_and(is_high)
            && !memories
                .quotas
                .entry(action)
                .or_default()
                .allows(now, messages)
            && faults.take(Kind::FifoQuota, &queue.name)
        {
            // The developer guide speaks of a ThrottlingException here; the API reference has this error for it:
            // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html#API_SendMessage_Errors
            let error = ApiError::sender("RequestThrottled", "Rate exceeded.");
            return Err(queue.refused(action, error));
        }
        Ok(())
    }
}

impl State {
    /// The queue, with all that was due until now behind it.
    pub fn queue(&mut self, name: &str, now: Millis) -> Result<&mut QueueRecord, ApiError> {
        let queue = self.queues.get_mut(name).ok_or_else(no_such_queue)?;
        queue.pass(now);
        Ok(queue)
    }

    pub fn by_arn(&mut self, arn: &str, now: Millis) -> Option<&mut QueueRecord> {
        let name = arn.strip_prefix(&arn_of(""))?;
        self.queue(name, now).ok()
    }

    /// Keeps `bytes` more within [`MAX_BYTES`].
    pub fn make_room(&mut self, bytes: usize) -> Result<(), ApiError> {
        let bytes = bytes + OVERHEAD;
        if self.room < bytes {
            let kept: usize = self.queues.values().map(|queue| queue.bytes()).sum();
            self.room = MAX_BYTES.saturating_sub(kept);
        }
        self.room = self.room.checked_sub(bytes).ok_or_else(|| {
            ApiError::sender(
                "OverLimit",
                "The local cloud is full: it keeps 1 GiB of messages. Receive and delete some, or purge a queue.",
            )
        })?;
        Ok(())
    }

    /// Whether the queue `arn` may have this redrive policy.
    pub fn check_redrive(
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
