//! Event source mappings: Lambda reads a queue or a stream itself and invokes the function with batches. `queue` and
//! `stream` are the two pollers; here are the operations, and what a mapping is between them.
//!
//! A mapping calls SQS and Kinesis as a client in this process would, with the permissions of the function's role. While
//! it waits for something to do it counts for nothing to an impatient clock, see [`Clock::idle_until`]; what comes to an
//! end, such as a batch window or the last retry, is awaited.
// Differs from AWS: mapping-at-once: a mapping works when the call that made it answers, and a change of it at once.
//!
//! See <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html>.

mod answer;
mod filter;
mod queue;
mod settings;
mod stream;

use super::functions::{self, arn};
use super::{invalid, not_found, Answer, Call, Invoked};
use crate::account::{self, ACCOUNT, REGION};
use crate::clock::{Clock, Millis};
use crate::events::{self, in_the_name_of, Event, Events};
use crate::iam::Iam;
use crate::ids;
use crate::kinesis::Kinesis;
use crate::sqs::Sqs;
use crate::wire::error::ApiError;
use bytes::Bytes;
use hyper::header::HeaderValue;
use rand::rngs::SmallRng;
use serde_json::{json, Value};
use settings::{Settings, Source};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stream::Progress;
use tokio::sync::watch;

pub use settings::Input;

/// The operations there are.
pub const OPERATIONS: [&str; 5] = [
    "CreateEventSourceMapping",
    "DeleteEventSourceMapping",
    "GetEventSourceMapping",
    "ListEventSourceMappings",
    "UpdateEventSourceMapping",
];

// Differs from AWS: mapping-bounds: the local cloud keeps at most 100 mappings.
const MOST_MAPPINGS: usize = 100;
const PAGE: usize = 100;
/// How soon a poller that can't go on looks again.
const LOOK_AGAIN: Millis = 1000;

const SQS_ACTIONS: [&str; 3] = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
const KINESIS_ACTIONS: [&str; 5] = [
    "GetRecords",
    "GetShardIterator",
    "DescribeStream",
    "ListShards",
    "ListStreams",
];

/// What a mapping must know of a function.
#[derive(Clone, Debug)]
pub struct Function {
    pub arn: String,
    /// The ARN of its role.
    pub role: String,
    /// Seconds.
    pub timeout: u32,
}

/// An invocation under way.
pub type Invocation<'a> = Pin<Box<dyn Future<Output = Result<Invoked, ApiError>> + Send + 'a>>;

/// The functions, as mappings see them.
pub trait Functions: Send + Sync {
    /// The function of this name or ARN.
    fn find(&self, function: &str) -> Option<Function>;

    /// Runs a function and waits for its answer.
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> Invocation<'a>;
}

/// What roles may do.
pub trait Access: Send + Sync {
    /// Whether a role may do an action, such as `sqs:ReceiveMessage`, with a resource.
    fn allows(&self, role: &str, action: &str, resource: &str) -> bool;
}

impl Access for Iam {
    fn allows(&self, role: &str, action: &str, resource: &str) -> bool {
        self.allows(role, action, resource)
    }
}

/// The mappings of the account. Clones share them.
#[derive(Clone)]
pub struct Mappings(Arc<Inner>);

struct Inner {
    clock: Clock,
    events: Events,
    sqs: Sqs,
    kinesis: Kinesis,
    functions: Arc<dyn Functions>,
    access: Arc<dyn Access>,
    state: Mutex<State>,
}

struct State {
    mappings: BTreeMap<String, Mapping>,
    random: SmallRng,
}

struct Mapping {
    uuid: String,
    input: Input,
    settings: Arc<Settings>,
    /// The function's ARN.
    function: String,
    state: &'static str,
    modified_at: Millis,
    result: Option<String>,
    /// How old the last record of the last batch was when the function got it.
    iterator_age: Option<Millis>,
    /// How far a stream is processed.
    progress: Progress,
    /// Stops the poller; none when there is none.
    poller: Option<watch::Sender<bool>>,
}

impl Mappings {
    pub fn new(
        clock: Clock,
        events: Events,
        sqs: Sqs,
        kinesis: Kinesis,
        functions: Arc<dyn Functions>,
        access: Arc<dyn Access>,
        seed: u64,
    ) -> Self {
        Self(Arc::new(Inner {
            clock,
            events,
            sqs,
            kinesis,
            functions,
            access,
            state: Mutex::new(State {
                mappings: BTreeMap::new(),
                random: ids::source(seed, "event source mappings"),
            }),
        }))
    }

    /// Answers one call of the REST API.
    ///
    /// # Errors
    ///
    /// What AWS answers in its place, or that there is no such operation.
    pub async fn call(&self, call: &Call<'_>, body: &[u8]) -> Result<Answer, ApiError> {
        let uuid = call.function.unwrap_or_default();
        let input = || match serde_json::from_slice(body) {
            Ok(Value::Object(input)) => Ok(input),
            _ => Err(ApiError::sender(
                "InvalidRequestContentException",
                "Could not parse request body into json.",
            )),
        };
        let (status, answer) = match &*call.operation {
            "CreateEventSourceMapping" => (202, self.create(input()?).await?),
            "ListEventSourceMappings" => (200, self.list(call)?),
            "GetEventSourceMapping" => (200, self.get(uuid)?),
            "UpdateEventSourceMapping" => (202, self.update(uuid, input()?).await?),
            "DeleteEventSourceMapping" => (202, self.delete(uuid)?),
            operation => return Err(ApiError::not_in_this_lab("lambda", operation)),
        };
        Ok(Answer::json(status, &answer))
    }

    /// `CreateEventSourceMapping`
    pub async fn create(&self, input: Input) -> Result<Value, ApiError> {
        let settings = Settings::read(&input)?;
        let function = self.function(&input)?;
        self.check_new(&function.arn, &settings.source, None)?;
        self.check(&settings, &function).await?;
        let progress = Progress::begin(&self.0.kinesis, &settings).await?;
        let now = self.0.clock.now();
        let mut state = self.lock();
        if state.mappings.len() == MOST_MAPPINGS {
            return Err(invalid(format!(
                "The local cloud keeps {MOST_MAPPINGS} event source mappings. Delete some."
            )));
        }
        state.check_new(&function.arn, &settings.source, None)?;
        let uuid = ids::uuid(&mut state.random);
        let mut mapping = Mapping {
            uuid: uuid.clone(),
            input,
            function: function.arn,
            state: if settings.enabled {
                "Enabled"
            } else {
                "Disabled"
            },
            modified_at: now,
            result: match settings.source {
                Source::Stream { .. } => Some("No records processed".to_owned()),
                Source::Queue { .. } => None,
            },
            iterator_age: None,
            progress,
            poller: None,
            settings: Arc::new(settings),
        };
        if mapping.settings.enabled {
            self.start(&mut mapping);
        }
        let answer = mapping.describe("Creating");
        self.tell(&mapping);
        state.mappings.insert(uuid, mapping);
        Ok(answer)
    }

    /// `GetEventSourceMapping`
    pub fn get(&self, uuid: &str) -> Result<Value, ApiError> {
        let mut state = self.lock();
        let mapping = state.mapping(uuid)?;
        Ok(mapping.describe(mapping.state))
    }

    fn list(&self, call: &Call<'_>) -> Result<Value, ApiError> {
        let of = |name: &str| call.parameter(name).filter(|value| !value.is_empty());
        let function = match of("FunctionName") {
            Some(name) => Some(arn(functions::name(&name)?)),
            None => None,
        };
        let (source, marker) = (of("EventSourceArn"), of("Marker"));
        let page = match of("MaxItems").map(|most| most.parse()) {
            None => PAGE,
            Some(Ok(most @ 1..=10_000)) => PAGE.min(most),
            Some(_) => {
                return Err(validation(
                    "Value at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 10000"
                        .to_owned(),
                ))
            }
        };
        let state = self.lock();
        let mut found = state
            .mappings
            .values()
            .filter(|mapping| {
                marker
                    .as_ref()
                    .is_none_or(|marker| *mapping.uuid > **marker)
            })
            .filter(|mapping| {
                source
                    .as_ref()
                    .is_none_or(|arn| mapping.settings.source.arn() == *arn)
            })
            .filter(|mapping| function.as_ref().is_none_or(|arn| mapping.function == *arn));
        let mappings: Vec<_> = found
            .by_ref()
            .take(page)
            .map(|mapping| mapping.describe(mapping.state))
            .collect();
        let mut answer = json!({ "EventSourceMappings": mappings });
        if let (Some(last), Some(_)) = (mappings.last(), found.next()) {
            answer["NextMarker"] = last["UUID"].clone();
        }
        Ok(answer)
    }

    /// `UpdateEventSourceMapping`: what is given changes, the rest stays.
    pub async fn update(&self, uuid: &str, changes: Input) -> Result<Value, ApiError> {
        let mut input = self.lock().settled(uuid)?.input.clone();
        for (name, value) in changes.into_iter().filter(|(_, value)| !value.is_null()) {
            if [
                "EventSourceArn",
                "StartingPosition",
                "StartingPositionTimestamp",
            ]
            .contains(&name.as_str())
            {
                return Err(invalid(format!(
                    "{name} of an event source mapping can't be changed."
                )));
            }
            input.insert(name, value);
        }
        let settings = Settings::read(&input)?;
        let function = self.function(&input)?;
        self.check(&settings, &function).await?;
        let now = self.0.clock.now();
        let mut state = self.lock();
        state.check_new(&function.arn, &settings.source, Some(uuid))?;
        let mapping = state.settled(uuid)?;
        let enables = settings.enabled;
        mapping.input = input;
        mapping.settings = Arc::new(settings);
        mapping.function = function.arn;
        mapping.modified_at = now;
        let changing = match (&mapping.poller, enables) {
            (Some(poller), true) => {
                poller.send_replace(true);
                mapping.state = "Updating";
                "Updating"
            }
            (Some(poller), false) => {
                poller.send_replace(true);
                mapping.state = "Disabling";
                "Disabling"
            }
            (None, true) => {
                self.start(mapping);
                mapping.state = "Enabled";
                "Enabling"
            }
            (None, false) => "Updating",
        };
        self.tell(mapping);
        Ok(mapping.describe(changing))
    }

    /// `DeleteEventSourceMapping`
    pub fn delete(&self, uuid: &str) -> Result<Value, ApiError> {
        let mut state = self.lock();
        let mapping = state.settled(uuid)?;
        let answer = mapping.describe("Deleting");
        match &mapping.poller {
            Some(poller) => {
                poller.send_replace(true);
                mapping.state = "Deleting";
                self.tell(mapping);
            }
            None => self.forget(&mut state, uuid),
        }
        Ok(answer)
    }

    /// What the mappings do, for `/lab/status`.
    pub fn status(&self) -> Vec<Value> {
        let show = |mapping: &Mapping| {
            json!({
                "uuid": mapping.uuid,
                "source": mapping.settings.source.arn(),
                "function": mapping.function,
                "state": mapping.state,
                "result": mapping.result,
                "iterator_age_ms": mapping.iterator_age,
            })
        };
        self.lock().mappings.values().map(show).collect()
    }

    fn function(&self, input: &Input) -> Result<Function, ApiError> {
        let name = input.get("FunctionName").and_then(Value::as_str);
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
            validation(
                "Value null at 'functionName' failed to satisfy constraint: Member must not be null"
                    .to_owned(),
            )
        })?;
        let arn = arn(functions::name(name)?);
        let function = self.0.functions.find(&arn);
        function.ok_or_else(|| not_found(&arn))
    }

    fn check_new(
        &self,
        function: &str,
        source: &Source,
        uuid: Option<&str>,
    ) -> Result<(), ApiError> {
        self.lock().check_new(function, source, uuid)
    }

    /// Whether the role may read the source, and whether the source is there and fits the function.
    async fn check(&self, settings: &Settings, function: &Function) -> Result<(), ApiError> {
        self.may_read(&function.role, &settings.source)
            .map_err(invalid)?;
        if let Some((arn, _)) = &settings.on_failure {
            if !self.0.access.allows(&function.role, "sqs:SendMessage", arn) {
                return Err(invalid(
                    "The function execution role does not have permissions to call SendMessage on SQS"
                        .to_owned(),
                ));
            }
        }
        match &settings.source {
            Source::Queue { name, .. } => {
                let input =
                    json!({ "QueueUrl": queue_url(name), "AttributeNames": ["VisibilityTimeout"] });
                let answer = self.sqs("GetQueueAttributes", &input).await.map_err(|error| {
                    invalid(format!(
                        "Error occurred while ReceiveMessage. SQS Error Code: {}. SQS Error Message: {}",
                        error.code, error.message
                    ))
                })?;
                let visibility = answer["Attributes"]["VisibilityTimeout"].as_str();
                let visibility: u32 = visibility.and_then(|text| text.parse().ok()).unwrap_or(0);
                if visibility < function.timeout {
                    return Err(invalid(format!(
                        "Queue visibility timeout: {visibility} seconds is less than Function timeout: {} seconds",
                        function.timeout
                    )));
                }
            }
            Source::Stream { arn, name } => {
                let input = json!({ "StreamName": name });
                let found = self.0.kinesis.ask("DescribeStreamSummary", input).await;
                found.map_err(|_| invalid(format!("Stream not found: {arn}")))?;
            }
        }
        Ok(())
    }

    /// Whether a role may read a source; if not, what AWS says.
    fn may_read(&self, role: &str, source: &Source) -> Result<(), String> {
        let lacks = |service: &str, actions: &[&'static str], resource: &str| {
            let is_missing = |action: &&str| {
                let action = format!("{service}:{action}");
                !self.0.access.allows(role, &action, resource)
            };
            actions.iter().copied().find(is_missing)
        };
        match source {
            Source::Queue { arn, .. } => match lacks("sqs", &SQS_ACTIONS, arn) {
                Some(action) => Err(format!(
                    "The function execution role does not have permissions to call {action} on SQS"
                )),
                None => Ok(()),
            },
            Source::Stream { arn, .. } => match lacks("kinesis", &KINESIS_ACTIONS, arn) {
                Some(_) => Err(format!(
                    "Cannot access stream {arn}. Please ensure the role can perform the GetRecords, GetShardIterator, \
                     DescribeStream, ListShards, and ListStreams Actions on your stream in IAM."
                )),
                None => Ok(()),
            },
        }
    }

    async fn sqs(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let input = input.to_string();
        let output = self.0.sqs.call(operation, input.as_bytes(), "").await?;
        Ok(serde_json::from_slice(&output).unwrap_or_default())
    }

    fn start(&self, mapping: &mut Mapping) {
        let (stop, stopped) = watch::channel(false);
        mapping.poller = Some(stop);
        let poller = Poller {
            mappings: self.clone(),
            uuid: mapping.uuid.clone(),
            settings: mapping.settings.clone(),
            function: mapping.function.clone(),
            progress: mapping.progress.clone(),
            stopped,
        };
        tokio::spawn(in_the_name_of(poller.agent(), async move {
            match poller.settings.source {
                Source::Queue { .. } => queue::run(&poller).await,
                Source::Stream { .. } => stream::run(&poller).await,
            }
            poller.mappings.ended(&poller.uuid);
        }));
    }

    /// Stops all pollers for good, and tells nobody.
    pub fn stop(&self) {
        for (_, mapping) in std::mem::take(&mut self.lock().mappings) {
            if let Some(poller) = mapping.poller {
                poller.send_replace(true);
            }
        }
    }

    /// A poller has come to its end: what it was stopped for happens.
    fn ended(&self, uuid: &str) {
        let mut state = self.lock();
        let Some(mapping) = state.mappings.get_mut(uuid) else {
            return;
        };
        mapping.poller = None;
        mapping.modified_at = self.0.clock.now();
        match mapping.state {
            "Updating" => {
                mapping.state = "Enabled";
                self.start(mapping);
            }
            "Disabling" => mapping.state = "Disabled",
            _ => return self.forget(&mut state, uuid),
        }
        self.tell(mapping);
    }

    fn forget(&self, state: &mut State, uuid: &str) {
        if let Some(mut mapping) = state.mappings.remove(uuid) {
            mapping.state = "Deleted";
            self.tell(&mapping);
        }
    }

    fn tell(&self, mapping: &Mapping) {
        self.0.events.emit(|| Event::Mapping(mapping.shown()));
    }

    /// Does something while nothing happens to the mappings, which it gets as the feed shows them.
    pub fn hold<T>(&self, work: impl FnOnce(Vec<events::Mapping>) -> T) -> T {
        let state = self.lock();
        let shown = state.mappings.values().map(Mapping::shown);
        work(shown.collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn mapping(&mut self, uuid: &str) -> Result<&mut Mapping, ApiError> {
        let missing = || {
            let message = "The resource you requested does not exist.";
            ApiError::sender("ResourceNotFoundException", message).with_status(404)
        };
        self.mappings.get_mut(uuid).ok_or_else(missing)
    }

    /// The mapping, when nothing is under way with it.
    fn settled(&mut self, uuid: &str) -> Result<&mut Mapping, ApiError> {
        let mapping = self.mapping(uuid)?;
        match mapping.state {
            "Enabled" | "Disabled" => Ok(mapping),
            state => Err(ApiError::sender(
                "ResourceInUseException",
                format!("Cannot change the event source mapping with UUID {uuid} because it is in use: {state}."),
            )),
        }
    }

    /// Refuses another mapping of the same source and function.
    fn check_new(
        &self,
        function: &str,
        source: &Source,
        uuid: Option<&str>,
    ) -> Result<(), ApiError> {
        let same = |mapping: &&Mapping| {
            mapping.settings.source == *source
                && mapping.function == function
                && Some(mapping.uuid.as_str()) != uuid
        };
        let Some(other) = self.mappings.values().find(same) else {
            return Ok(());
        };
        let name = function.rsplit(':').next().unwrap_or_default();
        let arn = source.arn();
        let pair = match source {
            Source::Queue { .. } => format!(
                "An event source mapping with SQS arn (\" {arn} \") and function (\" {name} \") already exists."
            ),
            Source::Stream { .. } => format!(
                "The event source arn (\" {arn} \") and function (\" {name} \") provided mapping already exists."
            ),
        };
        Err(ApiError::sender(
            "ResourceConflictException",
            format!(
                "{pair} Please update or delete the existing mapping with UUID {}",
                other.uuid
            ),
        )
        .with_status(409))
    }
}

impl Mapping {
    fn shown(&self) -> events::Mapping {
        events::Mapping {
            mapping: self.uuid.clone(),
            function: last_part(&self.function),
            source: last_part(self.settings.source.arn()).replacen("stream/", "", 1),
            state: self.state,
        }
    }

    fn describe(&self, state: &str) -> Value {
        let mut answer = self.settings.describe(&self.input);
        let arn = account::arn("lambda", format!("event-source-mapping:{}", self.uuid));
        let reason = match self.settings.source {
            Source::Queue { .. } => "USER_INITIATED",
            Source::Stream { .. } => "User action",
        };
        answer.insert("UUID".into(), json!(self.uuid));
        answer.insert("EventSourceMappingArn".into(), json!(arn));
        answer.insert("FunctionArn".into(), json!(self.function));
        answer.insert(
            "LastModified".into(),
            json!(self.modified_at as f64 / 1000.0),
        );
        answer.insert("State".into(), json!(state));
        answer.insert("StateTransitionReason".into(), json!(reason));
        if let Some(result) = &self.result {
            answer.insert("LastProcessingResult".into(), json!(result));
        }
        Value::Object(answer)
    }
}

/// What reads the source of one mapping, as it was set when it began.
#[derive(Clone)]
struct Poller {
    mappings: Mappings,
    uuid: String,
    settings: Arc<Settings>,
    function: String,
    progress: Progress,
    stopped: watch::Receiver<bool>,
}

impl Poller {
    fn clock(&self) -> &Clock {
        &self.mappings.0.clock
    }

    /// It calls in the name of the function.
    fn agent(&self) -> HeaderValue {
        let agent = format!("app/{}", last_part(&self.function));
        HeaderValue::from_str(&agent).unwrap_or(HeaderValue::from_static(""))
    }

    /// Tells that it got records for the function.
    fn tell_polled(&self, records: usize) {
        if records > 0 {
            self.mappings.0.events.emit(|| Event::Polled {
                mapping: &self.uuid,
                records,
            });
        }
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Returns when the poller is to stop.
    async fn stopped(&self) {
        // An error means that the mapping itself is gone.
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }

    /// The function, when it is there and its role may read the source. If not, the mapping says so.
    fn ready(&self) -> Option<Function> {
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

    fn report_problem(&self, problem: &str) {
        self.report(Some(format!("PROBLEM: {problem}")));
    }

    /// Says how the last try went. Of a queue, AWS tells nothing but trouble with access.
    fn report(&self, result: Option<String>) {
        if let Some(mapping) = self.mappings.lock().mappings.get_mut(&self.uuid) {
            mapping.result = result;
        }
    }

    fn report_age(&self, age: Millis) {
        if let Some(mapping) = self.mappings.lock().mappings.get_mut(&self.uuid) {
            mapping.iterator_age = Some(age);
        }
    }

    /// A pause before a poller that can't go on looks again.
    async fn pause(&self) {
        let again = self.clock().now() + LOOK_AGAIN;
        tokio::select! {
            () = self.stopped() => {}
            () = self.clock().idle_until(again) => {}
        }
    }

    /// Runs the function with these records, each as JSON.
    async fn invoke<'a>(
        &self,
        records: impl Iterator<Item = &'a str>,
    ) -> Result<Invoked, ApiError> {
        let records: Vec<_> = records.collect();
        let event = format!("{{\"Records\":[{}]}}", records.join(","));
        let functions = &self.mappings.0.functions;
        functions.invoke(&self.function, event.into()).await
    }
}

/// The name in an ARN.
fn last_part(arn: &str) -> String {
    arn.rsplit(':').next().unwrap_or_default().to_owned()
}

fn queue_url(name: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}")
}

fn validation(message: String) -> ApiError {
    ApiError::sender(
        "ValidationException",
        format!("1 validation error detected: {message}"),
    )
}
