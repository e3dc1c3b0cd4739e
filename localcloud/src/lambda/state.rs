//! The functions there are, each with its warm processes: what operations and processes share.

use super::code;
use super::config::Config;
use super::error::{conflict, not_found};
use super::invocation::{Invoked, Job};
use super::names::{arn, Reference, VERSION};
use super::process::Processes;
use crate::clock::{Clock, Millis};
use crate::events::{self, Event, Events};
use crate::iam::Iam;
use crate::ids;
use crate::ids::Random;
use crate::lock::lock;
use crate::logs::Logs;
use crate::wire::error::ApiError;
use serde::de::IgnoredAny;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::oneshot;

// Differs from AWS: functions-soon: a function is created or changed within 300 ms.
const CHANGE_MS: Millis = 300;
// Differs from AWS: unreserved: a function without a reserved concurrency runs 10 at a time (AWS: what the account has left of 1,000).
const UNRESERVED: usize = 10;

/// The functions of the account. Clones share them.
#[derive(Clone)]
pub struct Lambda(pub(super) Arc<Shared>);

/// The state that operations and processes share.
pub struct Shared {
    pub clock: Clock,
    pub feed: Events,
    pub iam: Iam,
    pub logs: Logs,
    /// Where the functions find the local cloud.
    pub endpoint: String,
    pub code: code::Store,
    pub processes: Processes,
    /// How many processes there are.
    pub alive: Arc<AtomicUsize>,
    /// The events in line.
    pub events: Arc<AtomicUsize>,
    state: Mutex<State>,
}

pub struct State {
    random: Random,
    next: u64,
    pub functions: BTreeMap<String, Function>,
}

pub struct Function {
    pub config: Arc<Config>,
    pub created_at: Millis,
    pub reserved: Option<u32>,
    pub tags: BTreeMap<String, String>,
    /// How many run.
    pub busy: Arc<AtomicUsize>,
    /// The warm processes, each with its number, the one used last at the end.
    pub idle: Vec<(u64, oneshot::Sender<Job>)>,
}

impl Function {
    pub fn concurrency(&self) -> usize {
        self.reserved
            .map_or(UNRESERVED, |reserved| reserved as usize)
    }

    pub fn processes(&self) -> events::Processes {
        events::Processes {
            running: self.busy.load(Ordering::Relaxed),
            warm: self.idle.len(),
        }
    }

    pub fn is_pending(&self, now: Millis) -> bool {
        now < self.created_at + CHANGE_MS
    }

    pub fn is_updating(&self, now: Millis) -> bool {
        now < self.config.changed_at + CHANGE_MS
    }

    /// A function that is being made or changed takes no other change.
    pub fn check_free(&self, now: Millis) -> Result<(), ApiError> {
        self.check_active(now)?;
        match self.is_updating(now) {
            true => Err(conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                arn(&self.config.name)
            ))),
            false => Ok(()),
        }
    }

    pub fn check_active(&self, now: Millis) -> Result<(), ApiError> {
        match self.is_pending(now) {
            true => Err(conflict(
                "The operation cannot be performed at this time. The function is currently in the following state: Pending",
            )),
            false => Ok(()),
        }
    }
}

impl Lambda {
    /// `endpoint` is where the functions find the local cloud.
    pub fn new(
        clock: Clock,
        feed: Events,
        iam: Iam,
        logs: Logs,
        endpoint: String,
        seed: u64,
    ) -> Self {
        Self(Arc::new(Shared {
            clock,
            feed,
            iam,
            logs,
            endpoint,
            code: code::Store::default(),
            processes: Processes::default(),
            alive: Arc::default(),
            events: Arc::default(),
            state: Mutex::new(State {
                random: ids::source(seed, "lambda"),
                next: 0,
                functions: BTreeMap::new(),
            }),
        }))
    }

    /// Ends all processes and deletes the code from the disk. No function runs after this.
    pub fn stop(&self) {
        self.0.processes.stop();
        self.0.code.remove();
    }

    /// Does something while nothing happens to the functions, which it gets as the feed shows them.
    pub fn with_snapshot<T>(&self, work: impl FnOnce(Vec<events::Function>) -> T) -> T {
        let state = self.0.state();
        let shown = state.functions.values().map(|function| events::Function {
            function: function.config.name.clone(),
            processes: function.processes(),
        });
        work(shown.collect())
    }
}

impl State {
    pub fn find(&self, name: &str) -> Result<&Function, ApiError> {
        self.functions
            .get(name)
            .ok_or_else(|| not_found(&arn(name)))
    }

    /// The function of a reference, which has no version but the one there is.
    pub fn resolve(&self, reference: &Reference) -> Result<&Function, ApiError> {
        let is_there = matches!(reference.qualifier.as_deref(), None | Some(VERSION));
        let found = self.functions.get(&reference.name).filter(|_| is_there);
        found.ok_or_else(|| not_found(&reference.arn()))
    }

    pub fn find_mut(&mut self, name: &str) -> Result<&mut Function, ApiError> {
        self.functions
            .get_mut(name)
            .ok_or_else(|| not_found(&arn(name)))
    }
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub fn uuid(&self) -> String {
        ids::uuid(&mut self.state().random)
    }

    /// 32 hexadecimal digits.
    pub fn unique(&self) -> String {
        self.uuid().replace('-', "")
    }

    /// Enters a process that is ready for more. None when there can be no more for it: its function has changed.
    pub fn park(&self, config: &Arc<Config>) -> Option<(u64, oneshot::Receiver<Job>)> {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        let function = state.functions.get_mut(&config.name)?;
        if !Arc::ptr_eq(&function.config, config) {
            return None;
        }
        let (give, jobs) = oneshot::channel();
        function.idle.push((number, give));
        Some((number, jobs))
    }

    /// Takes a process that waits out again. False when it has been given a job, or has been sent away.
    pub fn unpark(&self, function: &str, number: u64) -> bool {
        let mut state = self.state();
        let Some(function) = state.functions.get_mut(function) else {
            return false;
        };
        let before = function.idle.len();
        function.idle.retain(|(other, _)| *other != number);
        let is_out = function.idle.len() < before;
        if is_out {
            self.tell_cooled(function);
        }
        is_out
    }

    pub fn tell_invoked(&self, function: &Function, job: &Job) {
        self.feed.emit(|| Event::Invoked {
            function: &function.config.name,
            request: &job.request_id,
            records: records(&job.payload),
            processes: function.processes(),
        });
    }

    pub fn tell_cooled(&self, function: &Function) {
        self.feed.emit(|| Event::Cooled {
            function: &function.config.name,
            processes: function.processes(),
        });
    }

    /// Gives the caller the outcome of a job, but first its slot back, so that the caller can go on
    /// at once.
    pub fn finish(&self, function: &str, job: Job, invoked: Invoked) {
        {
            let state = self.state();
            drop(job.slot);
            if let Some(function) = state.functions.get(function) {
                self.feed.emit(|| Event::Ended {
                    function: &function.config.name,
                    request: &job.request_id,
                    ok: invoked.error.is_none(),
                    error: invoked.message().map(Into::into),
                    ms: job.begun.elapsed().as_millis() as Millis,
                    processes: function.processes(),
                });
            }
        }
        let _ = job.reply.send(invoked);
    }
}

/// How many records there are in an event of a queue or a stream.
fn records(event: &[u8]) -> Option<usize> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Event {
        records: Vec<IgnoredAny>,
    }
    let event: Event = serde_json::from_slice(event).ok()?;
    Some(event.records.len())
}
