//! Event source mappings: Lambda reads a queue or a stream itself and invokes the function with batches. `settings` and
//! `filter` are what a mapping is told, `answer` what a function reports, `progress` how far a stream is read; `state`
//! knows the mappings. A `poller` is of a `queue` or of a `stream`. Here are the operations.
//!
//! A mapping calls SQS and Kinesis as a client in this process would, with the permissions of the function's role. While
//! it waits for something to do it counts for nothing to an impatient clock, see
//! [`idle_until`](crate::clock::Clock::idle_until); what comes to an
//! end, such as a batch window or the last retry, is awaited.
// Differs from AWS: mapping-at-once: a mapping works when the call that made it answers, and a change of it at once.
//!
//! See <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html>.

mod answer;
mod filter;
mod poller;
mod progress;
mod queue;
mod settings;
mod state;
mod stream;

use crate::events::in_the_name_of;
use crate::ids;
use crate::lambda::error::{constraint, invalid, missing};
use crate::lambda::names::Reference;
use crate::lambda::route::{Answer, Call};
use crate::wire::error::ApiError;
use poller::Poller;
use progress::Progress;
use serde_json::{json, Value};
use settings::{Settings, Source};
use state::{queue_url, Mapping};
use std::sync::Arc;
use tokio::sync::watch;

pub use settings::Input;
pub use state::{Access, Function, Functions, Invocation, Mappings};

/// The operations there are.
pub const OPERATIONS: [&str; 5] = [
    "CreateEventSourceMapping",
    "DeleteEventSourceMapping",
    "GetEventSourceMapping",
    "ListEventSourceMappings",
    "UpdateEventSourceMapping",
];

// Differs from AWS: mapping-bounds: the local cloud keeps at most 100 mappings.
const MAX_MAPPINGS: usize = 100;
const PAGE: usize = 100;

impl Mappings {
    /// Answers one call of the REST API.
    ///
    /// # Errors
    ///
    /// AWS's own error, or that there is no such operation.
    pub async fn call(&self, call: &Call<'_>, body: &[u8]) -> Result<Answer, ApiError> {
        let uuid = &*call.subject;
        let input = || match serde_json::from_slice(body) {
            Ok(Value::Object(input)) => Ok(input),
            _ => Err(ApiError::sender(
                "InvalidRequestContentException",
                "Could not parse request body into json.",
            )),
        };
        let output = match &*call.operation {
            "CreateEventSourceMapping" => self.create(input()?).await?,
            "ListEventSourceMappings" => self.list(call)?,
            "GetEventSourceMapping" => self.get(uuid)?,
            "UpdateEventSourceMapping" => self.update(uuid, input()?).await?,
            "DeleteEventSourceMapping" => self.delete(uuid)?,
            operation => return Err(ApiError::not_in_this_lab("lambda", operation)),
        };
        Ok(Answer::json(call.status, &output))
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
        if state.mappings.len() == MAX_MAPPINGS {
            return Err(invalid(format!(
                "The local cloud keeps {MAX_MAPPINGS} event source mappings. Delete some."
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
            polled: 0,
            iterator_age: None,
            progress,
            poller: None,
            settings: Arc::new(settings),
        };
        if mapping.settings.enabled {
            self.start(&mut mapping);
        }
        let answer = mapping.describe(match mapping.state {
            "Enabled" => "Creating",
            state => state,
        });
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
            Some(name) => Some(Reference::read(&name, None)?.arn()),
            None => None,
        };
        let (source, marker) = (of("EventSourceArn"), of("Marker"));
        let page = match of("MaxItems").map(|most| most.parse()) {
            None => PAGE,
            Some(Ok(most @ 1..=10_000)) => PAGE.min(most),
            Some(_) => {
                let most = of("MaxItems").unwrap_or_default();
                return Err(constraint(
                    &most,
                    "maxItems",
                    "Member must have value between 1 and 10000",
                ));
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

    fn function(&self, input: &Input) -> Result<Function, ApiError> {
        let name = input.get("FunctionName").and_then(Value::as_str);
        let name = name
            .filter(|name| !name.is_empty())
            .ok_or_else(|| missing("functionName"))?;
        let arn = Reference::read(name, None)?.arn();
        let function = self.0.functions.find(&arn);
        function.ok_or_else(|| invalid("Function does not exist"))
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
}
