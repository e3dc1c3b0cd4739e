//! The common part of the pollers of queues and of streams.

use super::progress::Progress;
use super::settings::Settings;
use super::state::{function_name, Function, Mappings};
use crate::clock::{Clock, Millis};
use crate::events::Event;
use crate::lambda::invocation::Invoked;
use crate::wire::error::ApiError;
use hyper::header::HeaderValue;
use std::sync::Arc;
use tokio::sync::watch;

/// How soon a poller that can't go on looks again.
const LOOK_AGAIN: Millis = 1000;

/// Reads the source of one mapping, with the settings of the time when it began.
#[derive(Clone)]
pub struct Poller {
    pub mappings: Mappings,
    pub uuid: String,
    pub settings: Arc<Settings>,
    pub function: String,
    pub progress: Progress,
    pub stopped: watch::Receiver<bool>,
}

impl Poller {
    pub fn clock(&self) -> &Clock {
        &self.mappings.0.clock
    }

    /// It calls in the name of the function.
    pub fn agent(&self) -> HeaderValue {
        let agent = format!("app/{}", function_name(&self.function));
        HeaderValue::from_str(&agent).unwrap_or(HeaderValue::from_static(""))
    }

    /// Tells that it got records for the function.
    pub fn tell_polled(&self, records: usize) {
        if records > 0 {
            if let Some(mapping) = self.mappings.lock().mappings.get_mut(&self.uuid) {
                mapping.polled += records;
            }
            self.mappings.0.events.emit(|| Event::Polled {
                mapping: &self.uuid,
                records,
            });
        }
    }

    pub fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Returns when the poller is to stop.
    pub async fn stopped(&self) {
        // An error means that the mapping itself is gone.
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }

    /// The function, when it is there and its role may read the source. If not, the mapping says so.
    pub fn ready(&self) -> Option<Function> {
        let function = self.mappings.0.functions.find(&self.function);
        let ready = match function {
            None => Err("Function not found".to_owned()),
            Some(function) => {
                let allowed = self
                    .mappings
                    .may_read(&function.role, &self.settings.source);
                allowed.map(|()| function)
            }
        };
        ready.map_err(|problem| self.report_problem(&problem)).ok()
    }

    pub fn report_problem(&self, problem: &str) {
        self.report(Some(format!("PROBLEM: {problem}")));
    }

    /// Says how the last try went. Of a queue, AWS tells nothing but trouble with access.
    pub fn report(&self, result: Option<String>) {
        if let Some(mapping) = self.mappings.lock().mappings.get_mut(&self.uuid) {
            mapping.result = result;
        }
    }

    pub fn report_age(&self, age: Millis) {
        if let Some(mapping) = self.mappings.lock().mappings.get_mut(&self.uuid) {
            mapping.iterator_age = Some(age);
        }
    }

    /// A pause before a poller that can't go on looks again.
    pub async fn pause(&self) {
        let again = self.clock().now() + LOOK_AGAIN;
        tokio::select! {
            () = self.stopped() => {}
            () = self.clock().idle_until(again) => {}
        }
    }

    /// Runs the function with these records, each as JSON.
    pub async fn invoke<'a>(
        &self,
        records: impl Iterator<Item = &'a str>,
    ) -> Result<Invoked, ApiError> {
        let records: Vec<_> = records.collect();
        let event = format!("{{\"Records\":[{}]}}", records.join(","));
        let functions = &self.mappings.0.functions;
        functions.invoke(&self.function, event.into()).await
    }
}
