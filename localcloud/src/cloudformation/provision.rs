//! The work that creates and deletes a stack, one resource after another.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html>.

use super::dependencies::ShownOutput;
use super::error::invalid;
use super::resolve::resolve;
use super::resources::{Failure, Provisioned, ResourceType, Services};
use super::stack::{OnFailure, Stack, StackEvent, StackResource, Stacks, Version};
use super::template::Deletion;
use crate::wire::error::ApiError;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

const RANDOM_LENGTH: usize = 12;
/// A resource as the template wants it, with its functions resolved.
pub struct Wanted {
    pub kind: &'static ResourceType,
    pub deletion: Deletion,
    pub replacement: Deletion,
    pub metadata: Option<Value>,
    pub properties: Map<String, Value>,
    /// For a type whose name the template leaves open.
    pub generated: String,
    pub services: Services,
}

/// A resource as it is.
#[derive(Clone)]
pub struct Existing {
    pub name: String,
    pub kind: &'static ResourceType,
    pub deletion: Deletion,
    pub replacement: Deletion,
    pub metadata: Option<Value>,
    pub provisioned: Provisioned,
    pub properties: Map<String, Value>,
    pub services: Services,
}

/// Work on one stack, in a task of its own. No other work on the stack begins before it ends.
pub struct Work {
    stacks: Arc<Stacks>,
    stack_id: String,
    /// Given back when the work ends.
    _turn: OwnedMutexGuard<()>,
}

impl Work {
    pub fn new(stacks: &Arc<Stacks>, stack_id: String, turn: OwnedMutexGuard<()>) -> Self {
        Self {
            stacks: stacks.clone(),
            stack_id,
            _turn: turn,
        }
    }

    pub async fn create(self, version: Arc<Version>, on_failure: OnFailure) {
        match self.create_resources(&version).await {
            Ok(outputs) => {
                self.with(|stack| stack.outputs = outputs);
                self.enter("CREATE_COMPLETE", None);
            }
            Err(reason) => self.creation_failed(&reason, on_failure).await,
        }
    }

    async fn create_resources(&self, version: &Version) -> Result<Vec<ShownOutput>, String> {
        self.check_references(version)?;
        // Differs from AWS: one-by-one: resources are created and deleted one after another, never several at a time.
        for name in &version.order {
            let created = self.create_resource(name).await;
            created.map_err(|()| failed("create", name))?;
        }
        self.outputs(version)
            .map_err(|error| sentence(&error.message))
    }

    async fn creation_failed(&self, reason: &str, on_failure: OnFailure) {
        match on_failure {
            OnFailure::DoNothing => self.enter("CREATE_FAILED", Some(reason)),
            OnFailure::Rollback => {
                let reason = format!("{reason}Rollback requested by user.");
                self.enter("ROLLBACK_IN_PROGRESS", Some(&reason));
                let now = self.stacks.clock.now();
                self.with(|stack| stack.deleted_at = Some(now));
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

    /// Deletes the stack and its resources, except those to be retained.
    pub async fn delete(self, retained: Vec<String>) {
        for name in &retained {
            self.change(name, |resource| resource.deletion = Deletion::Retain);
        }
        match self.export_in_use(&[]) {
            Some((export, importer)) => {
                let reason = format!(
                    "Delete canceled. Cannot delete export {export} as it is in use by {importer}."
                );
                self.enter("DELETE_FAILED", Some(&reason));
            }
            None => self.delete_everything(false).await,
        }
    }

    async fn delete_everything(&self, on_create: bool) {
        match self.delete_resources(|_| true, on_create).await {
            Ok(()) => {
                let now = self.stacks.clock.now();
                self.with(|stack| {
                    stack.deleted_at = Some(now);
                    stack.outputs.clear();
                });
                self.enter("DELETE_COMPLETE", None);
            }
            Err(reason) => self.enter("DELETE_FAILED", Some(&reason)),
        }
    }

    pub async fn create_resource(&self, name: &str) -> Result<(), ()> {
        let wanted = self.wanted(name);
        self.with(|stack| {
            stack.resources.retain(|resource| resource.name != name);
            let declared = stack.version.template.resources.get(name);
            if let Some(declared) = declared {
                stack.resources.push(StackResource {
                    name: name.to_owned(),
                    kind: declared.kind,
                    deletion: declared.deletion,
                    replacement: declared.replacement,
                    metadata: declared.metadata.clone(),
                    provisioned: None,
                    properties: Map::new(),
                    status: "CREATE_IN_PROGRESS",
                    reason: None,
                    changed_at: stack.created_at,
                });
            }
        });
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(error) => {
                self.mark(name, "CREATE_IN_PROGRESS", None);
                self.mark(name, "CREATE_FAILED", Some(error.message));
                return Err(());
            }
        };
        self.change(name, |resource| {
            resource.properties = wanted.properties.clone();
        });
        self.mark(name, "CREATE_IN_PROGRESS", None);
        match make(&wanted).await {
            Ok(provisioned) => {
                self.change(name, |resource| resource.provisioned = Some(provisioned));
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

    /// Deletes the resources of which `which` says so, the last one made first.
    ///
    /// # Errors
    ///
    /// The reason that the stack then gives.
    pub async fn delete_resources(
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
        match remove(&existing).await {
            Ok(()) => {
                self.mark(name, "DELETE_COMPLETE", None);
                Ok(())
            }
            Err(failure) => {
                let reason = self.explain(existing.kind, name, failure);
                self.mark(name, "DELETE_FAILED", Some(reason));
                Err(())
            }
        }
    }

    /// Whether the exports and attributes that the version needs are there.
    pub fn check_references(&self, version: &Version) -> Result<(), String> {
        if let Some(complaint) = version.template.unsupported_attribute() {
            return Err(sentence(&complaint));
        }
        let state = self.stacks.state();
        let missing = version
            .imports
            .iter()
            .find(|name| !state.exports().any(|(export, _, _)| export == *name));
        match missing {
            Some(name) => Err(format!("No export named {name} found. ")),
            None => Ok(()),
        }
    }

    /// An export that the stack has, that isn't among `outputs` with the same value, and that another stack imports; and
    /// that stack's name.
    pub fn export_in_use(&self, outputs: &[ShownOutput]) -> Option<(String, String)> {
        let state = self.stacks.state();
        let stack = state.find(&self.stack_id)?;
        stack.outputs.iter().find_map(|old| {
            let export = old.export.as_deref()?;
            let kept =
                |new: &ShownOutput| new.export.as_deref() == Some(export) && new.value == old.value;
            let importer = state.importer(export, stack)?;
            let found = (export.to_owned(), importer.name.clone());
            (!outputs.iter().any(kept)).then_some(found)
        })
    }

    pub fn outputs(&self, version: &Version) -> Result<Vec<ShownOutput>, ApiError> {
        let state = self.stacks.state();
        let stack = state.get(&self.stack_id)?;
        let outputs = version
            .template
            .resolve_outputs(&version.scope, &state.known(stack))?;
        for output in &outputs {
            let taken = state.exports().find(|(export, _, owner)| {
                Some(*export) == output.export.as_deref() && owner.id != stack.id
            });
            if let Some((export, _, owner)) = taken {
                return Err(invalid(format!(
                    "Export with name {export} is already exported by stack {}",
                    owner.name
                )));
            }
        }
        Ok(outputs)
    }

    pub fn with<T>(&self, work: impl FnOnce(&mut Stack) -> T) -> Option<T> {
        let mut state = self.stacks.state();
        let mut stacks = state.stacks.iter_mut();
        stacks.find(|stack| stack.id == self.stack_id).map(work)
    }

    pub fn change(&self, name: &str, work: impl FnOnce(&mut StackResource)) {
        self.with(|stack| stack.resource_mut(name).map(work));
    }

    pub fn enter(&self, status: &'static str, reason: Option<&str>) {
        let (id, now) = (self.stacks.uuid(), self.stacks.clock.now());
        self.with(|stack| stack.enter(status, reason, id, now, None));
    }

    /// Sets the status of a resource and tells it as an event.
    pub fn mark(&self, name: &str, status: &'static str, reason: Option<String>) {
        let (event_id, now) = (self.event_id(name, status), self.stacks.clock.now());
        self.with(|stack| {
            let Some(resource) = stack.resource_mut(name) else {
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
                type_name: resource.kind.name,
                status,
                reason,
                properties: Some(Value::Object(resource.properties.clone()).to_string()),
                at: now,
                token: None,
            };
            stack.tell(event);
        });
    }

    /// Tells an event of a resource that the stack no longer has.
    pub fn tell(&self, resource: &Existing, status: &'static str, reason: Option<String>) {
        let event = StackEvent {
            id: self.event_id(&resource.name, status),
            resource: resource.name.clone(),
            physical_id: resource.provisioned.id.clone(),
            type_name: resource.kind.name,
            status,
            reason,
            properties: Some(Value::Object(resource.properties.clone()).to_string()),
            at: self.stacks.clock.now(),
            token: None,
        };
        self.with(|stack| stack.tell(event));
    }

    fn event_id(&self, name: &str, status: &str) -> String {
        format!("{name}-{status}-{}", self.stacks.uuid())
    }

    pub fn existing(&self, name: &str) -> Option<Existing> {
        self.with(|stack| {
            let base = stack.base.clone();
            let resource = stack.resource(name)?;
            Some(Existing {
                name: name.to_owned(),
                kind: resource.kind,
                deletion: resource.deletion,
                replacement: resource.replacement,
                metadata: resource.metadata.clone(),
                provisioned: resource.provisioned.clone()?,
                properties: resource.properties.clone(),
                services: self.stacks.services(&base),
            })
        })
        .flatten()
    }

    /// The resource as the stack's version wants it.
    pub fn wanted(&self, name: &str) -> Result<Wanted, ApiError> {
        let random = self.stacks.letters(RANDOM_LENGTH);
        let state = self.stacks.state();
        let stack = state.get(&self.stack_id)?;
        let version = &stack.version;
        let declared = version.template.resources.get(name);
        let declared =
            declared.ok_or_else(|| invalid(format!("Resource {name} does not exist")))?;
        let known = state.known(stack);
        let resolved = resolve(&declared.properties, &version.scope, &known)?;
        let Some(Value::Object(mut properties)) = resolved else {
            return Err(invalid(format!(
                "[/Resources/{name}/Properties] must evaluate to an object"
            )));
        };
        if declared.kind.takes_tags {
            version.add_tags(&mut properties);
        }
        Ok(Wanted {
            kind: declared.kind,
            deletion: declared.deletion,
            replacement: declared.replacement,
            metadata: declared.metadata.clone(),
            properties,
            generated: format!("{}-{name}-{random}", stack.name),
            services: self.stacks.services(&stack.base),
        })
    }

    /// A failure as a stack event gives it.
    pub fn explain(&self, kind: &ResourceType, name: &str, failure: Failure) -> String {
        let (message, code) = match failure {
            Failure::Properties(message) => {
                return format!(
                    "Properties validation failed for resource {name} with message:\n{message}"
                )
            }
            Failure::Handler(message) => (message, "InvalidRequest"),
            Failure::AlreadyExists(identifier) => (
                format!(
                    "Resource of type '{}' with identifier '{identifier}' already exists.",
                    kind.name
                ),
                "AlreadyExists",
            ),
            Failure::Service(error) => (
                format!(
                    "{} (Service: {}, Status Code: {}, Request ID: {})",
                    error.message,
                    kind.service,
                    error.status,
                    self.stacks.uuid()
                ),
                handler_code(&error.shape),
            ),
        };
        format!(
            "Resource handler returned message: \"{message}\" (RequestToken: {}, HandlerErrorCode: {code})",
            self.stacks.uuid()
        )
    }
}

pub async fn make(wanted: &Wanted) -> Result<Provisioned, Failure> {
    wanted.kind.check(&wanted.properties)?;
    let Wanted {
        services,
        properties,
        generated,
        ..
    } = wanted;
    let handler = wanted.kind.handler;
    handler.create(services, properties, generated).await
}

pub async fn remove(existing: &Existing) -> Result<(), Failure> {
    let Existing {
        services,
        provisioned,
        properties,
        ..
    } = existing;
    let handler = existing.kind.handler;
    handler.delete(services, provisioned, properties).await
}

/// The code that CloudFormation makes of a service's error.
fn handler_code(error: &str) -> &'static str {
    match error {
        "QueueDoesNotExist" | "ResourceNotFoundException" | "NoSuchEntity" => "NotFound",
        "QueueNameExists" | "ResourceConflictException" => "AlreadyExists",
        "MalformedPolicyDocument" => "InvalidRequest",
        error if error.starts_with("Invalid") => "InvalidRequest",
        _ => "GeneralServiceException",
    }
}

/// The reason of a stack whose resource failed, as AWS words it.
pub fn failed(verb: &str, names: &str) -> String {
    format!("The following resource(s) failed to {verb}: [{names}]. ")
}

/// A message that another sentence follows.
fn sentence(message: &str) -> String {
    format!("{message}. ")
}
