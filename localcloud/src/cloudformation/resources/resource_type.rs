//! The description of a type of resource, and the work that its handler does. Each type has a file of its own.

use super::services::Services;
use crate::wire::error::ApiError;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// The description of one type of resource.
pub struct ResourceType {
    /// Such as `AWS::SQS::Queue`.
    pub name: &'static str,
    /// The service as CloudFormation names it when it passes on its error.
    pub service: &'static str,
    /// The properties that a template may give.
    pub properties: &'static [&'static str],
    /// For `Fn::GetAtt`.
    pub attributes: &'static [&'static str],
    /// The property that names the resource, if its name is also its identity.
    pub named_by: Option<&'static str>,
    /// The properties that only a new resource could change.
    pub fixed: &'static [&'static str],
    /// Whether the tags of a stack go to its resources of this type.
    pub takes_tags: bool,
    /// Whether the caller has to acknowledge that a stack has such a resource.
    pub grants_access: bool,
    pub handler: &'static dyn Handler,
}

/// By a type's name, so that two references to the same type are equal wherever they come from.
impl PartialEq for ResourceType {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

pub type Properties = Map<String, Value>;

/// The work of a handler, which ends with `T`.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Makes, changes and deletes the resources of one type by their service's own operations.
pub trait Handler: Send + Sync {
    /// Whether the properties have the type's shapes. Their values are the service's business.
    fn check(&self, _properties: &Properties) -> Result<(), Failure> {
        Ok(())
    }

    /// Makes the resource. `generated` is its name if the template leaves that open.
    fn create<'a>(
        &self,
        services: &'a Services,
        properties: &'a Properties,
        generated: &'a str,
    ) -> Pending<'a, Provisioned>;

    /// Changes the resource from one set of properties to another, in which the type's `fixed` are the same.
    fn update<'a>(
        &self,
        services: &'a Services,
        resource: &'a Provisioned,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()>;

    /// Deletes the resource; one that is gone already counts as deleted.
    fn delete<'a>(
        &self,
        services: &'a Services,
        resource: &'a Provisioned,
        properties: &'a Properties,
    ) -> Pending<'a, ()>;
}

impl ResourceType {
    /// The capability that the caller has to acknowledge before a stack may have this resource.
    pub fn capability(&self, properties: &Value) -> Option<&'static str> {
        let named = self
            .named_by
            .is_some_and(|name| properties.get(name).is_some());
        match (self.grants_access, named) {
            (false, _) => None,
            (true, false) => Some("CAPABILITY_IAM"),
            (true, true) => Some("CAPABILITY_NAMED_IAM"),
        }
    }

    /// Whether only a new resource can have the properties `new`.
    pub fn must_be_replaced(&self, old: &Properties, new: &Properties) -> bool {
        self.fixed
            .iter()
            .any(|name| old.get(*name) != new.get(*name))
    }

    /// The name that the template gives the resource before and after: two resources can't have it at once.
    pub fn name_in_both<'a>(&self, old: &'a Properties, new: &Properties) -> Option<&'a str> {
        let name = old.get(self.named_by?)?;
        name.as_str()
            .filter(|_| new.get(self.named_by.unwrap_or_default()) == Some(name))
    }

    /// Whether the properties are those of the type, as far as names and shapes go.
    pub fn check(&self, properties: &Properties) -> Result<(), Failure> {
        let known = |name: &String| self.properties.contains(&name.as_str());
        match properties.keys().find(|name| !known(name)) {
            Some(name) => Err(Failure::Properties(format!(
                "#: extraneous key [{name}] is not permitted"
            ))),
            None => self.handler.check(properties),
        }
    }
}

/// A resource that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// Its physical id, for `Ref`.
    pub id: String,
    /// For `Fn::GetAtt`.
    pub attributes: BTreeMap<&'static str, String>,
}

/// Why a resource could not be made, changed or deleted.
#[derive(Debug)]
pub enum Failure {
    /// The service's own error.
    Service(ApiError),
    /// CloudFormation's own refusal, before it asks the service.
    Handler(String),
    /// Something of this name was there before the stack.
    AlreadyExists(String),
    /// The properties are not those of the type.
    Properties(String),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Service(error)
    }
}

/// Nothing to delete is as good as deleted.
pub fn unless_gone<T>(outcome: Result<T, ApiError>) -> Result<(), Failure> {
    const GONE: [&str; 3] = [
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "NoSuchEntity",
    ];
    match outcome {
        Err(error) if !GONE.contains(&error.shape.as_str()) => Err(error.into()),
        _ => Ok(()),
    }
}
