//! Faults on request: what goes wrong on AWS now and then, at the moment a reader wants to see it.

use crate::events::{Event, Events};
use crate::lock::lock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

// Differs from AWS: duplicates-on-request: AWS repeats a delivery at any time, seldom.
// Differs from AWS: no-rate-limits: nothing but the records of a stream is throttled unless it is asked for.
/// The faults there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A standard queue delivers a message twice: another host still has its copy. The target is a queue's name.
    DuplicateDelivery,
    /// The operation is carried out, then the connection breaks before the answer. The target is an operation,
    /// such as `SendMessage`.
    LostResponse,
    /// The operation is refused with the service's throttling error. The target is an operation.
    Throttle,
    /// A FIFO queue refuses what is beyond its quota of calls and messages a second. The target is a queue's name.
    FifoQuota,
    /// Kinesis refuses the calls of an operation that are beyond its quota. The target is an operation that carries no
    /// records, such as `ListShards`.
    StreamQuota,
    /// A change of what a role may do, or of who may assume it, takes effect some seconds later. The target is a role's
    /// name.
    PolicyDelay,
}

impl Kind {
    /// As it is called in JSON and on the command line, such as `lost-response`.
    pub fn name(self) -> String {
        json!(self).as_str().unwrap_or_default().to_owned()
    }
}

/// One fault that waits to happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// The name of a queue or of a role, or an operation, see [`Kind`]; none is any.
    #[serde(default)]
    pub target: Option<String>,
    /// How many more times it happens.
    #[serde(default = "once")]
    pub count: u32,
}

impl Fault {
    fn is_for(&self, kind: Kind, target: &str) -> bool {
        self.kind == kind && self.target.as_deref().is_none_or(|name| name == target)
    }
}

fn once() -> u32 {
    1
}

/// How many faults may wait at a time.
pub const MAX_FAULTS: usize = 100;

/// The faults that wait. Clones share them.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    events: Events,
    waiting: AtomicUsize,
    faults: Mutex<Vec<Fault>>,
}

impl Faults {
    /// None wait. Each that happens is told to `events`.
    pub fn new(events: Events) -> Self {
        Self(Arc::new(Inner {
            events,
            waiting: AtomicUsize::new(0),
            faults: Mutex::default(),
        }))
    }

    /// Adds a fault. False when [`MAX_FAULTS`] are waiting already.
    pub fn add(&self, fault: Fault) -> bool {
        let mut faults = self.lock();
        if faults.len() == MAX_FAULTS {
            return false;
        }
        if fault.count > 0 {
            faults.push(fault);
        }
        self.0.waiting.store(faults.len(), Ordering::Release);
        true
    }

    /// Forgets those that wait.
    pub fn clear(&self) {
        self.lock().clear();
        self.0.waiting.store(0, Ordering::Release);
    }

    /// Those that wait, in the order in which they were added.
    pub fn waiting(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// Whether a fault of this kind waits for `target`. Nothing happens yet.
    pub fn is_waiting(&self, kind: Kind, target: &str) -> bool {
        self.0.waiting.load(Ordering::Acquire) > 0
            && self.lock().iter().any(|fault| fault.is_for(kind, target))
    }

    /// Takes a fault of this kind that waits for `target`, to make it happen now. False when there is none.
    pub fn take(&self, kind: Kind, target: &str) -> bool {
        if self.0.waiting.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut faults = self.lock();
        let Some(at) = faults.iter().position(|fault| fault.is_for(kind, target)) else {
            return false;
        };
        faults[at].count -= 1;
        if faults[at].count == 0 {
            faults.remove(at);
        }
        self.0.waiting.store(faults.len(), Ordering::Release);
        self.0.events.emit(|| Event::Fault {
            fault: json!(kind),
            target,
        });
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        lock(&self.0.faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_fault_happens_to_its_target_as_often_as_asked() {
        let faults = Faults::new(Events::new(Clock::new()));
        faults.add(Fault {
            kind: Kind::Throttle,
            target: Some("SendMessage".into()),
            count: 2,
        });
        assert!(!faults.take(Kind::Throttle, "ReceiveMessage"));
        assert!(!faults.take(Kind::LostResponse, "SendMessage"));
        assert!(faults.take(Kind::Throttle, "SendMessage"));
        assert!(faults.take(Kind::Throttle, "SendMessage"));
        assert!(!faults.take(Kind::Throttle, "SendMessage"));
        assert!(faults.waiting().is_empty());
    }
}
