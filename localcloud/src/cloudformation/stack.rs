//! The stacks of the account, and what one is: its version, its resources, its events.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>, *Stack status codes*.

use super::dependencies::ShownOutput;
use super::error::invalid;
use super::intrinsic::{Known, Scope};
use super::resources::{Provisioned, ResourceType, Services};
use super::template::{Deletion, Template};
use crate::clock::{Clock, Millis};
use crate::ids;
use crate::wire::error::ApiError;
use rand::rngs::SmallRng;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

// Differs from AWS: events-kept: a stack keeps its newest 2,000 events.
const MAX_EVENTS: usize = 2000;
const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

/// What the caller wants the stack to be. An update puts another one in its place.
#[derive(Clone)]
pub struct Version {
    pub body: String,
    pub template: Arc<Template>,
    pub scope: Scope,
    /// The parameters as they were given, or their defaults.
    pub parameters: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub capabilities: Vec<String>,
    /// The resources in the order of their creation.
    pub order: Vec<String>,
}

/// What to do when a resource fails to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    Rollback,
    Delete,
    DoNothing,
}

pub struct Stack {
    pub id: String,
    pub name: String,
    pub version: Arc<Version>,
    pub on_failure: OnFailure,
    pub status: &'static str,
    pub reason: Option<String>,
    pub created_at: Millis,
    pub updated_at: Option<Millis>,
    pub deleted_at: Option<Millis>,
    /// In the order of their creation.
    pub resources: Vec<StackResource>,
    pub outputs: Vec<ShownOutput>,
    /// Oldest first.
    pub events: VecDeque<StackEvent>,
    /// The URL by which the stack's creator reached the local cloud.
    pub base: String,
    /// Held by whoever works on the stack.
    pub work: Arc<tokio::sync::Mutex<()>>,
}

pub struct StackResource {
    pub name: String,
    pub kind: &'static ResourceType,
    pub deletion: Deletion,
    pub provisioned: Option<Provisioned>,
    pub properties: Map<String, Value>,
    pub status: &'static str,
    pub reason: Option<String>,
    pub changed_at: Millis,
}

pub struct StackEvent {
    pub id: String,
    pub resource: String,
    pub physical_id: String,
    pub type_name: &'static str,
    pub status: &'static str,
    pub reason: Option<String>,
    pub at: Millis,
    pub token: Option<String>,
}

impl Version {
    /// Whether a stack of this version has the same resources and outputs as one of `other`.
    pub fn is_the_same(&self, other: &Self) -> bool {
        self.template.declares_the_same(&other.template)
            && self.scope.parameters == other.scope.parameters
            && self.scope.conditions == other.scope.conditions
            && self.tags == other.tags
    }
}

impl Stack {
    /// A stack that nobody has worked on yet.
    pub fn new(id: &str, name: &str, version: Arc<Version>, now: Millis, base: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            version,
            on_failure: OnFailure::Rollback,
            status: "CREATE_IN_PROGRESS",
            reason: None,
            created_at: now,
            updated_at: None,
            deleted_at: None,
            resources: Vec::new(),
            outputs: Vec::new(),
            events: VecDeque::new(),
            base: base.to_owned(),
            work: Arc::default(),
        }
    }

    pub fn is_deleted(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    /// Sets the status of the stack itself and tells it as an event.
    pub fn enter(
        &mut self,
        status: &'static str,
        reason: Option<&str>,
        event_id: String,
        now: Millis,
        token: Option<&str>,
    ) {
        self.status = status;
        self.reason = reason.map(str::to_owned);
        let event = StackEvent {
            id: event_id,
            resource: self.name.clone(),
            physical_id: self.id.clone(),
            type_name: STACK_TYPE,
            status,
            reason: self.reason.clone(),
            at: now,
            token: token.map(str::to_owned),
        };
        self.tell(event);
    }

    pub fn tell(&mut self, event: StackEvent) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    pub fn known(&self) -> Known {
        let provisioned =
            |resource: &StackResource| Some((resource.name.clone(), resource.provisioned.clone()?));
        self.resources.iter().filter_map(provisioned).collect()
    }
}

/// All stacks, and what the work on them needs.
pub struct Stacks {
    pub clock: Clock,
    services: Services,
    state: Mutex<State>,
}

pub struct State {
    random: SmallRng,
    /// Oldest first, the deleted ones included.
    pub stacks: Vec<Stack>,
}

impl Stacks {
    pub fn new(clock: Clock, services: Services, seed: u64) -> Self {
        let state = State {
            random: ids::source(seed, "cloudformation"),
            stacks: Vec::new(),
        };
        Self {
            clock,
            services,
            state: Mutex::new(state),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The services for a stack whose creator reached them by the URL `base`.
    pub fn services(&self, base: &str) -> Services {
        Services {
            base: base.to_owned(),
            ..self.services.clone()
        }
    }

    /// Capital letters and digits, as AWS ends the names it makes up.
    pub fn letters(&self, how_many: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        ids::letters(&mut self.state().random, LETTERS, how_many)
    }

    pub fn uuid(&self) -> String {
        ids::uuid(&mut self.state().random)
    }
}

impl State {
    /// A stack by its id, or one that isn't deleted by its name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.stacks
            .iter()
            .rposition(|stack| stack.id == name || stack.name == name && !stack.is_deleted())
    }

    pub fn find(&self, name: &str) -> Option<&Stack> {
        self.position(name).map(|at| &self.stacks[at])
    }

    /// The same, or the error that most operations answer.
    pub fn get(&self, name: &str) -> Result<&Stack, ApiError> {
        self.find(name)
            .ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
    }
}

/// The ARN by which a stack is known even after its deletion.
pub fn arn(name: &str, uuid: &str) -> String {
    let (region, account) = (crate::REGION, crate::ACCOUNT);
    format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/{uuid}")
}
