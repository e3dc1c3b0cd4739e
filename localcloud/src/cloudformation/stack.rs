//! A stack: what it is now, and the work that creates, updates and deletes it, one resource after another.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>, *Stack status codes*.

use super::function::{self, Known, Scope};
use super::resources::{Failure, Kind, Provisioned, Services};
use super::template::{Deletion, ShownOutput, Template};
use super::Shared;
use crate::account;
use crate::clock::Millis;
use crate::ids;
use crate::wire::error::ApiError;
use serde_json::{json, Map, Value};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

// Differs from AWS: events-kept: a stack keeps its newest 2,000 events.
const MOST_EVENTS: usize = 2000;
const RANDOM_LENGTH: usize = 12;
pub const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

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
    pub kind: Kind,
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

impl Stack {
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

    fn tell(&mut self, event: StackEvent) {
        if self.events.len() == MOST_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn known(&self) -> Known {
        let provisioned =
            |resource: &StackResource| Some((resource.name.clone(), resource.provisioned.clone()?));
        self.resources.iter().filter_map(provisioned).collect()
    }
}

/// A resource as the template wants it, with its functions resolved.
struct Wanted {
    kind: Kind,
    deletion: Deletion,
    properties: Map<String, Value>,
}

/// A resource as it is.
struct Existing {
    kind: Kind,
    deletion: Deletion,
    provisioned: Provisioned,
    properties: Map<String, Value>,
    base: String,
}

/// Work on one stack, in a task of its own. No other work on the stack begins before it ends.
pub struct Work {
    pub shared: Arc<Shared>,
    pub stack_id: String,
    /// Given back when the work ends.
    pub _turn: OwnedMutexGuard<()>,
}

impl Work {
    pub async fn create(self, version: Arc<Version>, on_failure: OnFailure) {
        // Differs from AWS: one-by-one: resources are created and deleted one after another, never several at a time.
        for name in &version.order {
            if self.create_resource(name).await.is_err() {
                return self
                    .creation_failed(&failed("create", name), on_failure)
                    .await;
            }
        }
        match self.outputs(&version) {
            Ok(outputs) => {
                self.with(|stack| stack.outputs = outputs);
                self.enter("CREATE_COMPLETE", None);
            }
            Err(error) => {
                let reason = format!("{}. ", error.message);
                self.creation_failed(&reason, on_failure).await;
            }
        }
    }

    async fn creation_failed(&self, reason: &str, on_failure: OnFailure) {
        match on_failure {
            OnFailure::DoNothing => self.enter("CREATE_FAILED", Some(reason)),
            OnFailure::Rollback => {
                let reason = format!("{reason}Rollback requested by user.");
                self.enter("ROLLBACK_IN_PROGRESS", Some(&reason));
                match self.delete_resources(|_| true, true).await {
                    Ok(()) => self.enter("ROLLBACK_COMPLETE", None),
                    Err(reason) => self.enter("ROLLBACK_FAILED", Some(&reason)),
                }
            }
            OnFailure::Delete => {
                let reason = format!("{reason}Delete requested by user.");
                self.enter("DELETE_IN_PROGRESS", Some(&reason));
                self.delete_everything(true).await;
            }
        }
    }

    pub async fn delete(self) {
        self.delete_everything(false).await;
    }

    async fn delete_everything(&self, on_create: bool) {
        match self.delete_resources(|_| true, on_create).await {
            Ok(()) => {
                let now = self.shared.clock.now();
                self.with(|stack| {
                    stack.deleted_at = Some(now);
                    stack.outputs.clear();
                });
                self.enter("DELETE_COMPLETE", None);
            }
            Err(reason) => self.enter("DELETE_FAILED", Some(&reason)),
        }
    }

    /// Brings the stack from the version `old` to the one it has been given.
    pub async fn update(self, old: Arc<Version>, new: Arc<Version>) {
        let mut changed = Vec::new();
        let mut made = Vec::new();
        let mut failure = None;
        for name in &new.order {
            let exists = self.with(|stack| {
                let mut resources = stack.resources.iter();
                resources.any(|resource| resource.name == *name && resource.provisioned.is_some())
            });
            let outcome = match exists {
                Some(true) => self.update_resource(name).await.map(|was| {
                    changed.extend(was.map(|was| (name, was)));
                }),
                _ => {
                    made.push(name.as_str());
                    self.create_resource(name).await
                }
            };
            if outcome.is_err() {
                let verb = match exists {
                    Some(true) => "update",
                    _ => "create",
                };
                failure = Some(failed(verb, name));
                break;
            }
        }
        let outcome = match failure {
            Some(reason) => Err(reason),
            None => self.outputs(&new).map_err(|error| error.message),
        };
        match outcome {
            Ok(outputs) => {
                self.with(|stack| stack.outputs = outputs);
                self.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None);
                // As on AWS, what can't be cleaned up doesn't undo the update.
                let unwanted = |name: &str| !new.order.iter().any(|wanted| wanted == name);
                let _ = self.delete_resources(unwanted, false).await;
                self.enter("UPDATE_COMPLETE", None);
            }
            Err(reason) => {
                self.enter("UPDATE_ROLLBACK_IN_PROGRESS", Some(&reason));
                self.with(|stack| stack.version = old);
                let mut stuck = None;
                for (name, was) in changed.into_iter().rev() {
                    if self.restore(name, was).await.is_err() {
                        stuck = Some(failed("update", name));
                    }
                }
                if let Some(reason) = stuck {
                    return self.enter("UPDATE_ROLLBACK_FAILED", Some(&reason));
                }
                self.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None);
                let _ = self
                    .delete_resources(|name| made.contains(&name), true)
                    .await;
                self.enter("UPDATE_ROLLBACK_COMPLETE", None);
            }
        }
    }

    async fn create_resource(&self, name: &str) -> Result<(), ()> {
        let wanted = self.wanted(name);
        self.with(|stack| {
            stack.resources.retain(|resource| resource.name != name);
            let declared = stack.version.template.resources.get(name);
            if let Some(declared) = declared {
                stack.resources.push(StackResource {
                    name: name.to_owned(),
                    kind: declared.kind,
                    deletion: declared.deletion,
                    provisioned: None,
                    properties: Map::new(),
                    status: "CREATE_IN_PROGRESS",
                    reason: None,
                    changed_at: stack.created_at,
                });
            }
        });
        self.mark(name, "CREATE_IN_PROGRESS", None);
        let (wanted, base, generated) = match wanted {
            Ok(wanted) => wanted,
            Err(error) => {
                self.mark(name, "CREATE_FAILED", Some(error.message));
                return Err(());
            }
        };
        let services = self.services(&base);
        let outcome = match wanted.kind.check(&wanted.properties) {
            Ok(()) => {
                let kind = wanted.kind;
                kind.create(&services, &wanted.properties, &generated).await
            }
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(provisioned) => {
                self.change(name, |resource| {
                    resource.provisioned = Some(provisioned);
                    resource.properties = wanted.properties;
                });
                let initiated = "Resource creation Initiated".to_owned();
                self.mark(name, "CREATE_IN_PROGRESS", Some(initiated));
                self.mark(name, "CREATE_COMPLETE", None);
                Ok(())
            }
            Err(failure) => {
                let reason = self.explain(wanted.kind, name, failure);
                self.mark(name, "CREATE_FAILED", Some(reason));
                Err(())
            }
        }
    }

    /// Changes a resource if its properties have changed, and returns those it had.
    async fn update_resource(&self, name: &str) -> Result<Option<Map<String, Value>>, ()> {
        let (Some(existing), wanted) = (self.existing(name), self.wanted(name)) else {
            return Ok(None);
        };
        let wanted = match wanted {
            Ok((wanted, _, _)) => wanted,
            Err(error) => {
                self.mark(name, "UPDATE_FAILED", Some(error.message));
                return Err(());
            }
        };
        self.change(name, |resource| resource.deletion = wanted.deletion);
        if existing.properties == wanted.properties {
            return Ok(None);
        }
        let old = existing.properties.clone();
        self.put(name, existing, wanted.properties).await?;
        Ok(Some(old))
    }

    async fn restore(&self, name: &str, properties: Map<String, Value>) -> Result<(), ()> {
        match self.existing(name) {
            Some(existing) => self.put(name, existing, properties).await,
            None => Ok(()),
        }
    }

    async fn put(
        &self,
        name: &str,
        existing: Existing,
        properties: Map<String, Value>,
    ) -> Result<(), ()> {
        self.mark(name, "UPDATE_IN_PROGRESS", None);
        let (kind, resource) = (existing.kind, &existing.provisioned);
        let outcome = match kind.check(&properties) {
            Ok(()) => {
                let services = self.services(&existing.base);
                kind.update(&services, resource, &existing.properties, &properties)
                    .await
            }
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(()) => {
                self.change(name, |resource| resource.properties = properties);
                self.mark(name, "UPDATE_COMPLETE", None);
                Ok(())
            }
            Err(failure) => {
                let reason = self.explain(kind, name, failure);
                self.mark(name, "UPDATE_FAILED", Some(reason));
                Err(())
            }
        }
    }

    /// Deletes the resources of which `which` says so, the last one made first.
    ///
    /// # Errors
    ///
    /// The reason that the stack then gives.
    async fn delete_resources(
        &self,
        which: impl Fn(&str) -> bool,
        on_create: bool,
    ) -> Result<(), String> {
        let names = self.with(|stack| {
            let present = |resource: &&StackResource| {
                !matches!(resource.status, "DELETE_COMPLETE" | "DELETE_SKIPPED")
            };
            let present = stack.resources.iter().filter(present);
            let names: Vec<_> = present.map(|resource| resource.name.clone()).collect();
            names
        });
        let mut stuck = Vec::new();
        for name in names.into_iter().flatten().rev().filter(|name| which(name)) {
            if self.delete_resource(&name, on_create).await.is_err() {
                stuck.push(name);
            }
        }
        match stuck.is_empty() {
            true => Ok(()),
            false => Err(failed("delete", &stuck.join(", "))),
        }
    }

    async fn delete_resource(&self, name: &str, on_create: bool) -> Result<(), ()> {
        let Some(existing) = self.existing(name) else {
            self.mark(name, "DELETE_COMPLETE", None);
            return Ok(());
        };
        if existing.deletion == Deletion::Retain
            || existing.deletion == Deletion::RetainExceptOnCreate && !on_create
        {
            self.mark(name, "DELETE_SKIPPED", None);
            return Ok(());
        }
        self.mark(name, "DELETE_IN_PROGRESS", None);
        let services = self.services(&existing.base);
        let kind = existing.kind;
        match kind
            .delete(&services, &existing.provisioned, &existing.properties)
            .await
        {
            Ok(()) => {
                self.mark(name, "DELETE_COMPLETE", None);
                Ok(())
            }
            Err(failure) => {
                let reason = self.explain(kind, name, failure);
                self.mark(name, "DELETE_FAILED", Some(reason));
                Err(())
            }
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Stack) -> T) -> Option<T> {
        let mut state = self.shared.state();
        let mut stacks = state.stacks.iter_mut();
        stacks.find(|stack| stack.id == self.stack_id).map(work)
    }

    fn change(&self, name: &str, work: impl FnOnce(&mut StackResource)) {
        self.with(|stack| {
            let mut resources = stack.resources.iter_mut();
            resources.find(|resource| resource.name == name).map(work)
        });
    }

    fn services<'a>(&'a self, base: &'a str) -> Services<'a> {
        Services {
            sqs: &self.shared.sqs,
            kinesis: &self.shared.kinesis,
            iam: &self.shared.iam,
            logs: &self.shared.logs,
            mappings: &self.shared.mappings,
            base,
        }
    }

    fn enter(&self, status: &'static str, reason: Option<&str>) {
        let (id, now) = (self.shared.uuid(), self.shared.clock.now());
        self.with(|stack| stack.enter(status, reason, id, now, None));
    }

    /// Sets the status of a resource and tells it as an event.
    fn mark(&self, name: &str, status: &'static str, reason: Option<String>) {
        let now = self.shared.clock.now();
        let event_id = format!("{name}-{status}-{}", self.shared.uuid());
        self.with(|stack| {
            let mut resources = stack.resources.iter_mut();
            let Some(resource) = resources.find(|resource| resource.name == name) else {
                return;
            };
            resource.status = status;
            resource.reason.clone_from(&reason);
            resource.changed_at = now;
            let provisioned = resource.provisioned.as_ref();
            let event = StackEvent {
                id: event_id,
                resource: name.to_owned(),
                physical_id: provisioned.map(|it| it.id.clone()).unwrap_or_default(),
                type_name: resource.kind.type_name(),
                status,
                reason,
                at: now,
                token: None,
            };
            stack.tell(event);
        });
    }

    fn existing(&self, name: &str) -> Option<Existing> {
        self.with(|stack| {
            let mut resources = stack.resources.iter();
            let resource = resources.find(|resource| resource.name == name)?;
            Some(Existing {
                kind: resource.kind,
                deletion: resource.deletion,
                provisioned: resource.provisioned.clone()?,
                properties: resource.properties.clone(),
                base: stack.base.clone(),
            })
        })
        .flatten()
    }

    /// The resource as the stack's version wants it, the base URL, and a name in case it needs one.
    fn wanted(&self, name: &str) -> Result<(Wanted, String, String), ApiError> {
        let random = self.shared.letters(RANDOM_LENGTH);
        let found = self.with(|stack| {
            let version = stack.version.clone();
            let generated = format!("{}-{name}-{random}", stack.name);
            (version, stack.known(), stack.base.clone(), generated)
        });
        let gone = || super::invalid(format!("Resource {name} does not exist"));
        let (version, known, base, generated) = found.ok_or_else(gone)?;
        let declared = version.template.resources.get(name).ok_or_else(gone)?;
        let resolved = function::resolve(&declared.properties, &version.scope, &known)?;
        let Some(Value::Object(mut properties)) = resolved else {
            return Err(super::invalid(format!(
                "[/Resources/{name}/Properties] must evaluate to an object"
            )));
        };
        if declared.kind.takes_tags() {
            add_tags(&mut properties, &version.tags);
        }
        let wanted = Wanted {
            kind: declared.kind,
            deletion: declared.deletion,
            properties,
        };
        Ok((wanted, base, generated))
    }

    fn outputs(&self, version: &Version) -> Result<Vec<ShownOutput>, ApiError> {
        let known = self.with(|stack| stack.known()).unwrap_or_default();
        version.template.resolve_outputs(&version.scope, &known)
    }

    /// A failure as a stack event gives it.
    fn explain(&self, kind: Kind, name: &str, failure: Failure) -> String {
        let (message, code) = match failure {
            Failure::Properties(message) => {
                return format!(
                    "Properties validation failed for resource {name} with message:\n{message}"
                )
            }
            Failure::AlreadyExists(identifier) => (
                format!(
                    "Resource of type '{}' with identifier '{identifier}' already exists.",
                    kind.type_name()
                ),
                "AlreadyExists",
            ),
            Failure::Service(error) => (
                format!(
                    "{} (Service: {}, Status Code: {}, Request ID: {})",
                    error.message,
                    kind.service(),
                    error.status,
                    self.shared.uuid()
                ),
                match error.shape.as_str() {
                    "QueueDoesNotExist" | "ResourceNotFoundException" | "NoSuchEntity" => {
                        "NotFound"
                    }
                    "QueueNameExists" | "ResourceConflictException" => "AlreadyExists",
                    "MalformedPolicyDocument" => "InvalidRequest",
                    shape if shape.starts_with("Invalid") => "InvalidRequest",
                    _ => "GeneralServiceException",
                },
            ),
        };
        format!(
            "Resource handler returned message: \"{message}\" (RequestToken: {}, HandlerErrorCode: {code})",
            self.shared.uuid()
        )
    }
}

/// The reason of a stack whose resource failed, as AWS words it.
fn failed(verb: &str, names: &str) -> String {
    format!("The following resource(s) failed to {verb}: [{names}]. ")
}

/// The stack's tags go to its resources; a resource's own tag of the same key wins.
fn add_tags(properties: &mut Map<String, Value>, tags: &BTreeMap<String, String>) {
    if tags.is_empty() {
        return;
    }
    // Differs from AWS: system-tags: resources get the stack's tags, but no tags that begin with aws:cloudformation.
    let own = properties.entry("Tags").or_insert_with(|| json!([]));
    let Some(own) = own.as_array_mut() else {
        return;
    };
    for (key, value) in tags {
        if !own.iter().any(|tag| tag["Key"] == json!(key)) {
            own.push(json!({ "Key": key, "Value": value }));
        }
    }
}

/// The ARN by which a stack is known even after its deletion.
pub fn arn(name: &str, uuid: &str) -> String {
    account::arn("cloudformation", format!("stack/{name}/{uuid}"))
}

impl Shared {
    /// Capital letters and digits, as AWS ends the names it makes up.
    fn letters(&self, how_many: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        ids::letters(&mut self.state().random, LETTERS, how_many)
    }

    pub fn uuid(&self) -> String {
        ids::uuid(&mut self.state().random)
    }
}
