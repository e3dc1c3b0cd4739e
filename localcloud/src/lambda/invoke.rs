//! Invocation: a warm process gets the event, or a new one is started for it; what is asked for as an event is carried
//! out later, and again after an error.
//! See <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>.

use super::environment;
use super::error::{invalid, service, throttled};
use super::invocation::{Invoked, Job, Slot, MAX_PAYLOAD};
use super::names::{Reference, VERSION};
use super::route::Answer;
use super::state::Lambda;
use crate::wire::error::ApiError;
use base64::prelude::{Engine, BASE64_STANDARD};
use bytes::Bytes;
use hyper::HeaderMap;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The payload of an event that nobody waits for, in bytes.
const MAX_EVENT: usize = 1024 * 1024;
const MAX_PROCESSES: usize = 32;
const MAX_EVENTS: usize = 256;
/// How long after a failure an event is tried again.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>.
const RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// Throttled, an event comes back after a second, then less and less often, for six hours.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(300);
const MAX_EVENT_AGE: Duration = Duration::from_secs(6 * 60 * 60);

impl Lambda {
    /// Runs a function and waits for its answer. `function` is a name or an ARN.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException`, or `TooManyRequestsException` when its concurrency is used up.
    pub async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, ApiError> {
        let reference = Reference::read(function, None)?;
        self.0.state().resolve(&reference.latest())?;
        self.attempt(&reference.name, self.0.uuid(), payload).await
    }

    pub(super) async fn invoke_as_asked(
        &self,
        function: &Reference,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, ApiError> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let kind = header("x-amz-invocation-type").unwrap_or("RequestResponse");
        let most = match kind {
            "Event" => MAX_EVENT,
            _ => MAX_PAYLOAD,
        };
        if body.len() > most {
            return Err(ApiError::sender(
                "RequestTooLargeException",
                format!("{} byte payload is too large for the {kind} invocation type (limit {most} bytes)", body.len()),
            )
            .with_status(413));
        }
        let payload = match body.is_empty() {
            true => Bytes::from_static(b"{}"),
            false => body.clone(),
        };
        if let Err(error) = serde_json::from_slice::<IgnoredAny>(&payload) {
            return Err(ApiError::sender(
                "InvalidRequestContentException",
                format!("Could not parse request body into json: Could not parse payload into json: {error}"),
            ));
        }
        let function = function.latest();
        self.0
            .state()
            .resolve(&function)?
            .check_active(self.0.clock.now())?;
        let name = &function.name;
        match kind {
            "DryRun" => Ok(Answer::json(204, &Value::Null)),
            "Event" => self.take_event(name, payload),
            "RequestResponse" => {
                let invoked = self.attempt(name, self.0.uuid(), payload).await?;
                let mut headers = vec![("x-amz-executed-version", VERSION.to_owned())];
                headers.extend(invoked.error.map(|error| ("x-amz-function-error", error)));
                if header("x-amz-log-type") == Some("Tail") {
                    let tail = BASE64_STANDARD.encode(&invoked.log_tail);
                    headers.push(("x-amz-log-result", tail));
                }
                headers.push(("x-amzn-requestid", invoked.request_id));
                Ok(Answer {
                    status: 200,
                    headers,
                    body: invoked.payload,
                })
            }
            _ => Err(invalid(format!(
                "The invocation type {kind} does not exist"
            ))),
        }
    }

    // Differs from AWS: events: an event that fails three times is gone: there are no destinations and no settings of retries.
    /// Has an event carried out later, again after an error, while its caller goes on.
    fn take_event(&self, name: &str, payload: Bytes) -> Result<Answer, ApiError> {
        let Some(slot) = Slot::take(&self.0.events, MAX_EVENTS) else {
            return Err(throttled());
        };
        let request_id = self.0.uuid();
        let answer = Answer {
            status: 202,
            headers: vec![("x-amzn-requestid", request_id.clone())],
            body: Bytes::new(),
        };
        let (lambda, name) = (self.clone(), name.to_owned());
        tokio::spawn(async move {
            lambda.carry_out(&name, &request_id, payload).await;
            drop(slot);
        });
        Ok(answer)
    }

    async fn carry_out(&self, name: &str, request_id: &str, payload: Bytes) {
        let clock = &self.0.clock;
        let since = clock.now();
        let mut retries = RETRIES.into_iter();
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = self.attempt(name, request_id.to_owned(), payload.clone());
            let wait = match attempt.await {
                Ok(Invoked { error: None, .. }) => return,
                Ok(_) => match retries.next() {
                    Some(wait) => wait,
                    None => return,
                },
                Err(error) if error.code == "TooManyRequestsException" => {
                    let wait = pause;
                    pause = (2 * pause).min(MAX_PAUSE);
                    wait
                }
                Err(_) => return,
            };
            let then = clock.now() + wait.as_millis() as u64;
            if then > since + MAX_EVENT_AGE.as_millis() as u64 {
                return;
            }
            clock.sleep_until(then).await;
        }
    }

    /// Gives the event to a warm process, or starts one, and waits.
    async fn attempt(
        &self,
        name: &str,
        request_id: String,
        payload: Bytes,
    ) -> Result<Invoked, ApiError> {
        let (reply, invoked) = oneshot::channel();
        self.begin(name, request_id, payload, reply)?;
        invoked.await.map_err(|_| service("The local cloud stops."))
    }

    fn begin(
        &self,
        name: &str,
        request_id: String,
        payload: Bytes,
        reply: oneshot::Sender<Invoked>,
    ) -> Result<(), ApiError> {
        let mut state = self.0.state();
        let function = state.find_mut(name)?;
        let slot = Slot::take(&function.busy, function.concurrency()).ok_or_else(throttled)?;
        let mut job = Job {
            request_id,
            payload,
            reply,
            slot,
            begun: Instant::now(),
        };
        while let Some((_, idle)) = function.idle.pop() {
            // First, because the process may be quick.
            self.0.tell_invoked(function, &job);
            job = match idle.send(job) {
                Ok(()) => return Ok(()),
                Err(back) => back,
            };
        }
        let config = function.config.clone();
        let slot = match Slot::take(&self.0.alive, MAX_PROCESSES) {
            Some(slot) => slot,
            None => {
                // A warm process of another function makes room: it ends soon.
                let mut functions = state.functions.values_mut();
                let crowded = functions.find(|function| !function.idle.is_empty());
                let crowded = crowded.ok_or_else(throttled)?;
                drop(crowded.idle.remove(0));
                self.0.tell_cooled(crowded);
                Slot::take(&self.0.alive, usize::MAX).ok_or_else(throttled)?
            }
        };
        self.0.tell_invoked(state.find(name)?, &job);
        tokio::spawn(environment::run(self.0.clone(), config, slot, job));
        Ok(())
    }
}
