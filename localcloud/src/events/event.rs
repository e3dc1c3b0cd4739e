//! The words of the feed: its events, and the state that a listener begins with.

use crate::clock::Millis;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;

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
