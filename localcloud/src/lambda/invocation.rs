//! One invocation: the job that a process is given, and what becomes of it.

use bytes::Bytes;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// The largest event of a caller who waits, and the largest answer, in bytes.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MAX_PAYLOAD: usize = 6_291_556;

/// The outcome of one invocation.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// The function's answer, or the error that it or Lambda reported, as JSON.
    pub payload: Bytes,
    /// The kind of error, `Unhandled`; none when the function answered.
    pub error: Option<String>,
    /// A UUID; the log calls it `RequestId`.
    pub request_id: String,
    /// The last 4 KB of this invocation's log lines.
    pub log_tail: String,
}

impl Invoked {
    /// The error's message, if there was one.
    pub fn message(&self) -> Option<String> {
        self.error.as_ref()?;
        let error: Value = serde_json::from_slice(&self.payload).unwrap_or_default();
        Some(
            error["errorMessage"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    }
}

/// One invocation that is to be carried out.
pub struct Job {
    pub request_id: String,
    pub payload: Bytes,
    pub reply: oneshot::Sender<Invoked>,
    /// Its share of the function's concurrency.
    pub slot: Slot,
    pub begun: Instant,
}

/// One of a number of things that there may be only so many of.
pub struct Slot(Arc<AtomicUsize>);

impl Slot {
    /// None when `most` are taken.
    pub fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let more = |now| (now < most).then_some(now + 1);
        taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()
            .map(|_| Self(taken.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
