//! Lambda: functions as processes on this machine that speak the real Runtime API.
//! `functions` knows them and their operations, `code` unpacks their zips; `environment` runs one process, started by
//! `process`, spoken to through `runtime_api`, its log written by `journal`; `mapping` are the event source mappings; here are the wire form and invocation.
//!
//! See <https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html>.

mod code;
mod environment;
mod functions;
mod journal;
pub mod mapping;
mod process;
mod runtime_api;

use crate::clock::{Clock, Millis};
use crate::events::{self, Event, Events};
use crate::iam::Iam;
use crate::ids;
use crate::logs::Logs;
use crate::wire::error::ApiError;
use base64::prelude::{Engine, BASE64_STANDARD};
use bytes::Bytes;
use environment::{Job, Place};
use functions::{arn, Config, Function};
use hyper::{HeaderMap, Method, Uri};
use journal::VERSION;
use process::Processes;
use rand::rngs::SmallRng;
use serde::de::IgnoredAny;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The operations there are.
pub const OPERATIONS: [&str; 11] = [
    "CreateFunction",
    "DeleteFunction",
    "DeleteFunctionConcurrency",
    "GetFunction",
    "GetFunctionConcurrency",
    "GetFunctionConfiguration",
    "Invoke",
    "ListFunctions",
    "PutFunctionConcurrency",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
];

/// The body of a call with a zip in it, and of any other.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const LARGEST_REQUEST: usize = 70_167_211;
/// What a function is called with and waited for, and what it is called with when nobody waits, in bytes.
const LARGEST_PAYLOAD: usize = 6_291_556;
const LARGEST_EVENT: usize = 1024 * 1024;

const MOST_PROCESSES: usize = 32;
const MOST_EVENTS: usize = 256;
/// How long after a failure an event is tried again.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>.
const RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// Throttled, an event comes back after a second, then less and less often, for six hours.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const OLDEST_EVENT: Duration = Duration::from_secs(6 * 60 * 60);

/// What one invocation came to.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// What the function answered, or the error that it or Lambda reported, as JSON.
    pub payload: Bytes,
    /// The kind of error, `Unhandled`; none when the function answered.
    pub error: Option<String>,
    pub request_id: String,
    /// The last 4 KB of this invocation's log lines.
    pub log_tail: String,
}

impl Invoked {
    /// What the error says, if there was one.
    fn message(&self) -> Option<String> {
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

/// The functions of the account. Clones share them.
#[derive(Clone)]
pub struct Lambda(Arc<Shared>);

/// What operations and processes share.
struct Shared {
    clock: Clock,
    feed: Events,
    iam: Iam,
    logs: Logs,
    endpoint: String,
    code: code::Store,
    processes: Processes,
    alive: Arc<AtomicUsize>,
    /// The events in line.
    events: Arc<AtomicUsize>,
    state: Mutex<State>,
}

struct State {
    random: SmallRng,
    next: u64,
    functions: BTreeMap<String, Function>,
}

/// An answer of the REST API.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Answer {
    fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_string().into(),
        }
    }

    fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }
}

impl State {
    fn find(&self, name: &str) -> Result<&Function, ApiError> {
        self.functions
            .get(name)
            .ok_or_else(|| not_found(&arn(name)))
    }

    fn find_mut(&mut self, name: &str) -> Result<&mut Function, ApiError> {
        self.functions
            .get_mut(name)
            .ok_or_else(|| not_found(&arn(name)))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uuid(&self) -> String {
        ids::uuid(&mut self.state().random)
    }

    /// 32 hexadecimal digits.
    fn unique(&self) -> String {
        self.uuid().replace('-', "")
    }

    /// Enters a process that is ready for more. None when there can be no more for it: its function has changed.
    fn park(&self, config: &Arc<Config>) -> Option<(u64, oneshot::Receiver<Job>)> {
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
    fn unpark(&self, function: &str, number: u64) -> bool {
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

    fn tell_invoked(&self, function: &Function, job: &Job) {
        self.feed.emit(|| Event::Invoked {
            function: &function.config.name,
            request: &job.request_id,
            records: records(&job.payload),
            processes: function.processes(),
        });
    }

    fn tell_cooled(&self, function: &Function) {
        self.feed.emit(|| Event::Cooled {
            function: &function.config.name,
            processes: function.processes(),
        });
    }

    /// Gives the caller the outcome of a job, but first the place in the concurrency back, so that the caller can go on
    /// at once.
    fn finish(&self, function: &str, job: Job, invoked: Invoked) {
        {
            let state = self.state();
            drop(job.place);
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

    /// Runs a function and waits for its answer. `function` is a name or an ARN.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException`, or `TooManyRequestsException` when its concurrency is used up.
    pub async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, ApiError> {
        let name = functions::name(function)?;
        self.attempt(name, self.0.uuid(), payload).await
    }

    /// Ends all processes and deletes the code from the disk. No function runs after this.
    pub fn stop(&self) {
        self.0.processes.stop();
        self.0.code.remove();
    }

    /// Answers one call of the REST API.
    pub async fn call(
        &self,
        call: &Call<'_>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, ApiError> {
        let function = call.function()?;
        let name = functions::name(&function)?;
        match &*call.operation {
            "CreateFunction" => self.create_function(body).await,
            "ListFunctions" => {
                let (marker, most) = (call.parameter("Marker"), call.parameter("MaxItems"));
                self.list_functions(marker.as_deref(), most.as_deref())
            }
            "GetFunction" => self.get_function(name),
            "DeleteFunction" => self.delete_function(name),
            "GetFunctionConfiguration" => self.get_function_configuration(name),
            "UpdateFunctionConfiguration" => self.update_function_configuration(name, body),
            "UpdateFunctionCode" => self.update_function_code(name, body).await,
            "PutFunctionConcurrency" => self.put_function_concurrency(name, body),
            "GetFunctionConcurrency" => self.get_function_concurrency(name),
            "DeleteFunctionConcurrency" => self.delete_function_concurrency(name),
            "Invoke" => self.invoke_as_asked(name, headers, body).await,
            _ => Err(ApiError::not_in_this_lab("lambda", &call.operation)),
        }
    }

    async fn invoke_as_asked(
        &self,
        name: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, ApiError> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let kind = header("x-amz-invocation-type").unwrap_or("RequestResponse");
        let most = match kind {
            "Event" => LARGEST_EVENT,
            _ => LARGEST_PAYLOAD,
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
        self.0
            .state()
            .find(name)?
            .check_active(self.0.clock.now())?;
        match kind {
            "DryRun" => Ok(Answer::empty(204)),
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
        let Some(place) = Place::take(&self.0.events, MOST_EVENTS) else {
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
            drop(place);
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
                    pause = (2 * pause).min(LONGEST_PAUSE);
                    wait
                }
                Err(_) => return,
            };
            let then = clock.now() + wait.as_millis() as u64;
            if then > since + OLDEST_EVENT.as_millis() as u64 {
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
        let place = Place::take(&function.busy, function.concurrency()).ok_or_else(throttled)?;
        let mut job = Job {
            request_id,
            payload,
            reply,
            place,
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
        let place = match Place::take(&self.0.alive, MOST_PROCESSES) {
            Some(place) => place,
            None => {
                // A warm process of another function makes room: it ends soon.
                let mut functions = state.functions.values_mut();
                let crowded = functions.find(|function| !function.idle.is_empty());
                let crowded = crowded.ok_or_else(throttled)?;
                drop(crowded.idle.remove(0));
                self.0.tell_cooled(crowded);
                Place::take(&self.0.alive, usize::MAX).ok_or_else(throttled)?
            }
        };
        self.0.tell_invoked(state.find(name)?, &job);
        tokio::spawn(environment::run(self.0.clone(), config, place, job));
        Ok(())
    }

    /// Does something while nothing happens to the functions, which it gets as the feed shows them.
    pub fn hold<T>(&self, work: impl FnOnce(Vec<events::Function>) -> T) -> T {
        let state = self.0.state();
        let shown = state.functions.values().map(|function| events::Function {
            function: function.config.name.clone(),
            processes: function.processes(),
        });
        work(shown.collect())
    }
}

impl mapping::Functions for Lambda {
    fn find(&self, function: &str) -> Option<mapping::Function> {
        let state = self.0.state();
        let config = &state.find(functions::name(function).ok()?).ok()?.config;
        Some(mapping::Function {
            arn: arn(&config.name),
            role: config.role.clone(),
            timeout: config.timeout,
        })
    }

    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> mapping::Invocation<'a> {
        Box::pin(self.invoke(function, payload))
    }
}

/// Which operation a request asks for, and of which function or mapping.
pub struct Call<'a> {
    /// Its name; the method and the path of one that is not in this lab.
    pub operation: Cow<'static, str>,
    /// As it stands in the path; of a mapping, its UUID.
    function: Option<&'a str>,
    query: &'a str,
}

impl<'a> Call<'a> {
    /// None when the path is none of this API's, which all begin with a date.
    pub fn find(method: &Method, uri: &'a Uri) -> Option<Self> {
        let mut steps = uri.path().trim_matches('/').split('/');
        let date = steps.next()?;
        let is_date = date.len() == 10
            && date.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !is_date {
            return None;
        }
        let steps: Vec<&str> = steps.collect();
        let (operation, function) = match (date, method.as_str(), &steps[..]) {
            ("2015-03-31", "POST", ["functions"]) => ("CreateFunction", None),
            ("2015-03-31", "GET", ["functions"]) => ("ListFunctions", None),
            ("2015-03-31", "GET", ["functions", name]) => ("GetFunction", Some(*name)),
            ("2015-03-31", "DELETE", ["functions", name]) => ("DeleteFunction", Some(*name)),
            ("2015-03-31", "GET", ["functions", name, "configuration"]) => {
                ("GetFunctionConfiguration", Some(*name))
            }
            ("2015-03-31", "PUT", ["functions", name, "configuration"]) => {
                ("UpdateFunctionConfiguration", Some(*name))
            }
            ("2015-03-31", "PUT", ["functions", name, "code"]) => {
                ("UpdateFunctionCode", Some(*name))
            }
            ("2015-03-31", "POST", ["functions", name, "invocations"]) => ("Invoke", Some(*name)),
            ("2015-03-31", "POST", ["event-source-mappings"]) => ("CreateEventSourceMapping", None),
            ("2015-03-31", "GET", ["event-source-mappings"]) => ("ListEventSourceMappings", None),
            ("2015-03-31", "GET", ["event-source-mappings", id]) => {
                ("GetEventSourceMapping", Some(*id))
            }
            ("2015-03-31", "PUT", ["event-source-mappings", id]) => {
                ("UpdateEventSourceMapping", Some(*id))
            }
            ("2015-03-31", "DELETE", ["event-source-mappings", id]) => {
                ("DeleteEventSourceMapping", Some(*id))
            }
            ("2017-10-31", "PUT", ["functions", name, "concurrency"]) => {
                ("PutFunctionConcurrency", Some(*name))
            }
            ("2019-09-30", "GET", ["functions", name, "concurrency"]) => {
                ("GetFunctionConcurrency", Some(*name))
            }
            ("2017-10-31", "DELETE", ["functions", name, "concurrency"]) => {
                ("DeleteFunctionConcurrency", Some(*name))
            }
            _ => {
                return Some(Self {
                    operation: format!("{method} {}", uri.path()).into(),
                    function: None,
                    query: "",
                })
            }
        };
        Some(Self {
            operation: operation.into(),
            function,
            query: uri.query().unwrap_or_default(),
        })
    }

    /// Whether `mapping` answers it.
    pub fn is_for_mappings(&self) -> bool {
        mapping::OPERATIONS.contains(&&*self.operation)
    }

    /// The function as the path names it, with the version of the query.
    fn function(&self) -> Result<Cow<'_, str>, ApiError> {
        let encoded = self.function.unwrap_or_default().as_bytes();
        let decoded = form_urlencoded::parse(encoded).next();
        let name = decoded.map(|(name, _)| name).unwrap_or_default();
        match self.parameter("Qualifier") {
            Some(version) if version != VERSION => Err(not_found(&format!(
                "{}:{version}",
                arn(functions::name(&name)?)
            ))),
            _ => Ok(name),
        }
    }

    fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
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

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::sender("InvalidParameterValueException", message)
}

fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::sender("ResourceConflictException", message).with_status(409)
}

fn not_found(arn: &str) -> ApiError {
    ApiError::sender(
        "ResourceNotFoundException",
        format!("Function not found: {arn}"),
    )
    .with_status(404)
}

fn throttled() -> ApiError {
    ApiError::sender("TooManyRequestsException", "Rate Exceeded.").with_status(429)
}

fn service(message: &str) -> ApiError {
    ApiError::sender("ServiceException", message).with_status(500)
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1024 * 1024))
}
