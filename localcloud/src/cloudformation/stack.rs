//! The stacks of the account, and what one is: its version, its resources, its events.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>, *Stack status codes*.

use super::dependencies::ShownOutput;
use super::error::invalid;
use super::resolve::{Known, Scope};
use super::resources::{Provisioned, ResourceType, Services};
use super::template::{Deletion, Template};
use crate::account;
use crate::clock::{Clock, Millis};
use crate::ids;
use crate::ids::Random;
use crate::lock::lock;
use crate::wire::error::ApiError;
use serde_json::{json, Map, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

// Differs from AWS: events-kept: a stack keeps its newest 2,000 events.
const MAX_EVENTS: usize = 2000;
const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

/// The stack as its owner wants it. An update puts another version in its place.
#[derive(Clone, Default)]
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
    /// The exports of other stacks that this one uses.
    pub imports: BTreeSet<String>,
}

/// The answer to a resource that can't be created.
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
    /// Oldest first.
    pub change_sets: Vec<ChangeSet>,
    /// The one by which the stack became what it is.
    pub change_set_id: Option<String>,
    /// The URL by which the stack's creator reached the local cloud.
    pub base: String,
    /// Held by whoever works on the stack.
    pub work: Arc<tokio::sync::Mutex<()>>,
}

pub struct StackResource {
    pub name: String,
    pub kind: &'static ResourceType,
    pub deletion: Deletion,
    pub replacement: Deletion,
    pub metadata: Option<Value>,
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
    /// Those of a resource, as JSON.
    pub properties: Option<String>,
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

    /// The stack's tags go to its resources; a resource's own tag of the same key wins.
    pub fn add_tags(&self, properties: &mut Map<String, Value>) {
        if self.tags.is_empty() {
            return;
        }
        // Differs from AWS: system-tags: resources get the stack's tags, but no tags that begin with aws:cloudformation.
        let own = properties.entry("Tags").or_insert_with(|| json!([]));
        let Some(own) = own.as_array_mut() else {
            return;
        };
        for (key, value) in &self.tags {
            if !own.iter().any(|tag| tag["Key"] == json!(key)) {
                own.push(json!({ "Key": key, "Value": value }));
            }
        }
    }
}

/// A version that a stack could have, shown before it becomes so.
pub struct ChangeSet {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub version: Arc<Version>,
    pub on_failure: OnFailure,
    pub created_at: Millis,
    pub status: &'static str,
    pub reason: Option<String>,
    pub execution_status: &'static str,
    pub changes: Vec<Change>,
}

/// One resource's part in a change set.
#[derive(Debug)]
pub struct Change {
    pub action: Action,
    pub resource: String,
    pub kind: &'static ResourceType,
    pub physical_id: Option<String>,
    pub details: Vec<ChangeDetail>,
    /// For the old resource of a replacement, or for one that is removed.
    pub deletion: Deletion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Add,
    Modify,
    Remove,
}

/// Why a property, or another attribute of a resource, changes.
#[derive(Debug, PartialEq, Eq)]
pub struct ChangeDetail {
    /// `Properties`, `Metadata`, `DeletionPolicy` or `UpdateReplacePolicy`.
    pub attribute: &'static str,
    pub property: Option<String>,
    pub recreation: bool,
    /// Whether the new value is known only when the change set is executed.
    pub dynamic: bool,
    pub source: &'static str,
    /// The parameter, resource or attribute that changes it.
    pub cause: Option<String>,
}

impl Stack {
    /// A stack that nobody has worked on yet.
    pub fn new(id: &str, name: &str, now: Millis, base: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            version: Arc::default(),
            on_failure: OnFailure::Rollback,
            status: "REVIEW_IN_PROGRESS",
            reason: None,
            created_at: now,
            updated_at: None,
            deleted_at: None,
            resources: Vec::new(),
            outputs: Vec::new(),
            events: VecDeque::new(),
            change_sets: Vec::new(),
            change_set_id: None,
            base: base.to_owned(),
            work: Arc::default(),
        }
    }

    pub fn imports(&self, export: &str) -> bool {
        self.status != "ROLLBACK_COMPLETE" && self.version.imports.contains(export)
    }

    /// Whether there are only change sets yet.
    pub fn is_in_review(&self) -> bool {
        self.status == "REVIEW_IN_PROGRESS"
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
            properties: None,
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

    /// By its name or its ARN.
    pub fn change_set(&self, name: &str) -> Option<usize> {
        let mut newest_last = self.change_sets.iter();
        newest_last.rposition(|set| set.id == name || set.name == name)
    }

    /// After another change of the stack, its change sets no longer show what they would do.
    pub fn outdate_change_sets(&mut self) {
        for set in &mut self.change_sets {
            if set.execution_status == "AVAILABLE" {
                set.execution_status = "OBSOLETE";
            }
        }
    }

    pub fn resource(&self, name: &str) -> Option<&StackResource> {
        self.resources.iter().find(|resource| resource.name == name)
    }

    pub fn resource_mut(&mut self, name: &str) -> Option<&mut StackResource> {
        let mut resources = self.resources.iter_mut();
        resources.find(|resource| resource.name == name)
    }
}

/// All stacks, and what the work on them needs.
pub struct Stacks {
    pub clock: Clock,
    services: Services,
    state: Mutex<State>,
}

pub struct State {
    random: Random,
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
        lock(&self.state)
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
        self.state().uuid()
    }
}

impl State {
    pub fn uuid(&mut self) -> String {
        ids::uuid(&mut self.random)
    }

    /// A stack by its id, or one that isn't deleted by its name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.stacks
            .iter()
            .rposition(|stack| stack.id == name || stack.name == name && !stack.is_deleted())
    }

    pub fn find(&self, name: &str) -> Option<&Stack> {
        self.position(name).map(|at| &self.stacks[at])
    }

    /// For the functions of a stack.
    pub fn known(&self, stack: &Stack) -> Known {
        let provisioned =
            |resource: &StackResource| Some((resource.name.clone(), resource.provisioned.clone()?));
        let exports = self
            .exports()
            .map(|(name, value, _)| (name.to_owned(), value.to_owned()));
        Known {
            resources: stack.resources.iter().filter_map(provisioned).collect(),
            exports: exports.collect(),
        }
    }

    /// The name and value of each export, and its stack.
    pub fn exports(&self) -> impl Iterator<Item = (&str, &str, &Stack)> {
        self.live().flat_map(|stack| {
            let outputs = stack.outputs.iter();
            outputs
                .filter_map(move |output| Some((output.export.as_deref()?, &*output.value, stack)))
        })
    }

    /// A stack other than this one that imports `export`.
    pub fn importer(&self, export: &str, exporter: &Stack) -> Option<&Stack> {
        self.live()
            .find(|stack| stack.id != exporter.id && stack.imports(export))
    }

    pub fn live(&self) -> impl Iterator<Item = &Stack> {
        self.stacks.iter().filter(|stack| !stack.is_deleted())
    }

    /// The same, or the error that most operations answer.
    pub fn get(&self, name: &str) -> Result<&Stack, ApiError> {
        self.find(name)
            .ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
    }
}

/// The ARN by which a stack is known even after its deletion.
pub fn arn(name: &str, uuid: &str) -> String {
    account::arn("cloudformation", format!("stack/{name}/{uuid}"))
}

/// The ARN of a change set.
pub fn change_set_arn(name: &str, uuid: &str) -> String {
    account::arn("cloudformation", format!("changeSet/{name}/{uuid}"))
}
