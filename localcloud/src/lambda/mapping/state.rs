//! The mappings there are, and what operations and pollers share: who may read what, and how SQS is asked.

use super::progress::Progress;
use super::settings::{Input, Settings, Source};
use crate::account::{self, ACCOUNT, REGION};
use crate::clock::{Clock, Millis};
use crate::events::{self, Event, Events};
use crate::iam::Iam;
use crate::ids;
use crate::ids::Random;
use crate::kinesis::Kinesis;
use crate::lambda::invocation::Invoked;
use crate::lock::lock;
use crate::sqs::Sqs;
use crate::wire::error::ApiError;
use bytes::Bytes;
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

const SQS_ACTIONS: [&str; 3] = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
const KINESIS_ACTIONS: [&str; 5] = [
    "GetRecords",
    "GetShardIterator",
    "DescribeStream",
    "ListShards",
    "ListStreams",
];

/// A function, as far as a mapping must know it.
#[derive(Clone, Debug)]
pub struct Function {
    /// With its account and region, and without a version.
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

/// Decides what roles may do.
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
pub struct Mappings(pub(super) Arc<Inner>);

pub struct Inner {
    pub clock: Clock,
    pub events: Events,
    pub sqs: Sqs,
    pub kinesis: Kinesis,
    pub functions: Arc<dyn Functions>,
    pub access: Arc<dyn Access>,
    state: Mutex<State>,
}

pub struct State {
    pub mappings: BTreeMap<String, Mapping>,
    pub random: Random,
}

pub struct Mapping {
    pub uuid: String,
    pub input: Input,
    pub settings: Arc<Settings>,
    /// The function's ARN.
    pub function: String,
    pub state: &'static str,
    pub modified_at: Millis,
    pub result: Option<String>,
    /// How many records its pollers have got for the function.
    pub polled: usize,
    /// How old the last record of the last batch was when the function got it.
    pub iterator_age: Option<Millis>,
    /// How far a stream is processed.
    pub progress: Progress,
    /// Stops the poller; none when there is none.
    pub poller: Option<watch::Sender<bool>>,
}

impl Mappings {
    /// No mappings yet. They read from these services and call these functions.
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

    /// Stops all pollers for good, and tells nobody.
    pub fn stop(&self) {
        for (_, mapping) in std::mem::take(&mut self.lock().mappings) {
            if let Some(poller) = mapping.poller {
                poller.send_replace(true);
            }
        }
    }

    /// The mappings, for `/lab/status`.
    pub fn status(&self) -> Vec<Value> {
        let show = |mapping: &Mapping| {
            json!({
                "uuid": mapping.uuid,
                "source": mapping.settings.source.arn(),
                "function": mapping.function,
                "state": mapping.state,
                "result": mapping.result,
                "polled": mapping.polled,
                "iterator_age_ms": mapping.iterator_age,
            })
        };
        self.lock().mappings.values().map(show).collect()
    }

    /// Whether a role may read a source; if not, what AWS says.
    pub fn may_read(&self, role: &str, source: &Source) -> Result<(), String> {
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

    pub(crate) async fn sqs(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let input = input.to_string();
        let output = self.0.sqs.call(operation, input.as_bytes(), "").await?;
        Ok(serde_json::from_slice(&output).unwrap_or_default())
    }

    pub(crate) fn forget(&self, state: &mut State, uuid: &str) {
        if let Some(mut mapping) = state.mappings.remove(uuid) {
            mapping.state = "Deleted";
            self.tell(&mapping);
        }
    }

    pub(crate) fn tell(&self, mapping: &Mapping) {
        self.0.events.emit(|| Event::Mapping(mapping.shown()));
    }

    /// Does something while nothing happens to the mappings, which it gets as the feed shows them.
    pub fn with_snapshot<T>(&self, work: impl FnOnce(Vec<events::Mapping>) -> T) -> T {
        let state = self.lock();
        let shown = state.mappings.values().map(Mapping::shown);
        work(shown.collect())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

impl State {
    pub fn mapping(&mut self, uuid: &str) -> Result<&mut Mapping, ApiError> {
        let missing = || {
            let message = "The resource you requested does not exist.";
            ApiError::sender("ResourceNotFoundException", message).with_status(404)
        };
        self.mappings.get_mut(uuid).ok_or_else(missing)
    }

    /// The mapping, when nothing is under way with it.
    pub fn settled(&mut self, uuid: &str) -> Result<&mut Mapping, ApiError> {
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
    pub fn check_new(
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
        let name = function_name(function);
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
    pub fn shown(&self) -> events::Mapping {
        events::Mapping {
            mapping: self.uuid.clone(),
            function: function_name(&self.function).to_owned(),
            source: self.settings.source.name().to_owned(),
            state: self.state,
        }
    }

    pub fn describe(&self, state: &str) -> Value {
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

/// The name in a function's ARN, whatever version that names.
pub fn function_name(arn: &str) -> &str {
    let name = arn.split(':').nth(6);
    name.unwrap_or_default()
}

pub fn queue_url(name: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_no_part_of_the_name() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:work";
        assert_eq!(function_name(arn), "work");
        assert_eq!(function_name(&format!("{arn}:$LATEST")), "work");
    }
}
