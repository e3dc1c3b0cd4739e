//! The common part of a standard and a FIFO queue, as their operations see them.

use super::message::Message;
use crate::clock::Millis;
use std::sync::Arc;

/// Which hosts a receive asks. A FIFO queue answers both alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Some of them: an empty answer does not mean an empty queue.
    Short,
    /// All of them.
    Long,
}

/// One receive.
pub struct Receive {
    /// Which hosts it asks.
    pub poll: Poll,
    /// 1 to 10 messages.
    pub most: usize,
    /// Milliseconds.
    pub visibility_timeout: Millis,
    /// The queue's `maxReceiveCount`, if it has a dead-letter queue.
    pub max_receive_count: Option<u32>,
}

/// A message in a receiver's hands.
pub struct Delivery {
    /// The message, as it is after this receive.
    pub message: Arc<Message>,
    /// Deletes this delivery, or changes its visibility timeout.
    pub receipt_handle: String,
}

/// The outcome of a receive.
#[derive(Default)]
pub struct Received {
    /// In the order in which they are answered.
    pub deliveries: Vec<Delivery>,
    /// Messages that were received too often, taken out of the queue: they belong to its dead-letter queue.
    pub dead: Vec<Arc<Message>>,
    /// Copies of what was delivered that another host still had.
    pub copies: Vec<Arc<Message>>,
}

/// The changes that the passing of time made.
#[derive(Default)]
pub struct Passed {
    /// Messages that became visible.
    pub shown: Vec<Arc<Message>>,
    /// Messages that grew too old, taken out of the queue.
    pub expired: Vec<Arc<Message>>,
}

/// Too many messages are in flight.
#[derive(Debug, PartialEq, Eq)]
pub struct OverLimit;

/// Why a message can't be deleted, or its visibility timeout not changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No handle that this queue ever gave.
    InvalidHandle,
    /// The message is deleted.
    Gone,
    /// The visibility timeout is over. A standard queue does not mind.
    NotInFlight,
    /// The message would be in flight for more than twelve hours.
    TooLong,
}

/// How many messages are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Can be received now.
    pub visible: usize,
    /// Received, and neither deleted nor back.
    pub in_flight: usize,
    /// Sent, and not to be received yet.
    pub delayed: usize,
}

/// The messages of a queue: a state machine that is told the time.
pub trait Store: Send {
    /// An id for a message that is about to be sent.
    fn new_message_id(&mut self) -> String;

    /// Takes a message in; it is visible after `delay` milliseconds. A FIFO queue returns its sequence number.
    fn put(&mut self, now: Millis, message: Arc<Message>, delay: Millis) -> Option<String>;

    /// Hands out up to `most` messages and hides each for its visibility timeout. `repeated` is asked for each of
    /// them whether another host still has its copy: then it stays visible, too.
    ///
    /// # Errors
    ///
    /// [`OverLimit`] when as many messages are in flight as a standard queue allows.
    fn receive(
        &mut self,
        now: Millis,
        receive: &Receive,
        repeated: &mut dyn FnMut() -> bool,
    ) -> Result<Received, OverLimit>;

    /// Hands these deliveries out again, if they are all as they were, and restarts their visibility timeout.
    fn repeat(
        &mut self,
        _now: Millis,
        _handles: &[String],
        _timeout: Millis,
    ) -> Option<Vec<Delivery>> {
        None
    }

    /// Deletes the message of this receipt handle, and returns it; none when there was nothing to delete.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidHandle`], and on a FIFO queue [`Refusal::NotInFlight`] for a handle that has expired.
    fn delete(&mut self, receipt_handle: &str) -> Result<Option<Arc<Message>>, Refusal>;

    /// Lets the visibility timeout end `timeout` milliseconds from now; 0 hands the message back at once. Returns the
    /// message.
    ///
    /// # Errors
    ///
    /// Any [`Refusal`].
    fn change_visibility(
        &mut self,
        now: Millis,
        receipt_handle: &str,
        timeout: Millis,
    ) -> Result<Arc<Message>, Refusal>;

    /// Lets time do its work: what was hidden until `now` is visible again, what is older than `retention` is
    /// gone.
    fn pass(&mut self, now: Millis, retention: Millis) -> Passed;

    /// The queue's own delay has changed. It holds for what is in a FIFO queue already and was never received; see
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html>.
    fn delay_anew(&mut self, _now: Millis, _delay: Millis) {}

    /// When the next hidden message becomes visible.
    fn next_due(&self) -> Option<Millis>;

    /// Deletes all messages.
    fn purge(&mut self);

    /// Takes up to `most` visible messages out, for a message move task.
    fn take(&mut self, most: usize) -> Vec<Arc<Message>>;

    /// The oldest `most` messages, in the order in which the queue took them in, each with the time until which it is
    /// hidden.
    fn list(&self, most: usize) -> Vec<(Arc<Message>, Option<Millis>)>;

    /// How many messages there are, by their state.
    fn counts(&self) -> Counts;

    /// The size of all messages.
    fn bytes(&self) -> usize;
}
