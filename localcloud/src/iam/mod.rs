//! IAM over the query protocol. `evaluate` says what a document allows, `state` what there is; `roles` and `policies` are
//! the operations, `request` what they share, `managed` the policies of AWS's own.
//!
//! See <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>.

pub mod evaluate;
mod managed;
mod policies;
mod request;
mod roles;
mod sessions;
mod state;

use crate::clock::Clock;
use crate::faults::Faults;
use crate::ids;
use crate::wire::error::ApiError;
use crate::wire::query::{Form, Xml};
use state::{Inner, State};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub use roles::POLICY_DELAY;
pub use sessions::Session;
pub use state::{Caller, Iam};

/// The operations there are.
pub const OPERATIONS: [&str; 20] = [
    "AttachRolePolicy",
    "CreatePolicy",
    "CreateRole",
    "DeletePolicy",
    "DeleteRole",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListEntitiesForPolicy",
    "ListPolicies",
    "ListPolicyVersions",
    "ListRolePolicies",
    "ListRoles",
    "PutRolePolicy",
    "UpdateAssumeRolePolicy",
    "UpdateRole",
];

impl Iam {
    /// No roles and no policies yet but those that AWS manages.
    pub fn new(clock: Clock, faults: Faults, seed: u64) -> Self {
        let mut random = ids::source(seed, "iam");
        Self(Arc::new(Inner {
            clock,
            faults,
            state: Mutex::new(State {
                roles: BTreeMap::new(),
                policies: managed::of_aws(&mut random),
                random,
                sessions: BTreeMap::new(),
                secrets: ids::source(seed, "credentials"),
            }),
        }))
    }

    /// Answers `action` with the XML of its result.
    ///
    /// # Errors
    ///
    /// AWS's own error, or that the operation is not in this lab.
    pub fn call(&self, action: &str, form: &Form) -> Result<String, ApiError> {
        let mut xml = Xml::default();
        match action {
            "CreateRole" => self.create_role(form, &mut xml)?,
            "GetRole" => self.get_role(form, &mut xml)?,
            "ListRoles" => self.list_roles(form, &mut xml)?,
            "UpdateRole" => self.update_role(form)?,
            "DeleteRole" => self.delete_role(form)?,
            "UpdateAssumeRolePolicy" => self.update_assume_role_policy(form)?,
            "PutRolePolicy" => self.put_role_policy(form)?,
            "GetRolePolicy" => self.get_role_policy(form, &mut xml)?,
            "ListRolePolicies" => self.list_role_policies(form, &mut xml)?,
            "DeleteRolePolicy" => self.delete_role_policy(form)?,
            "AttachRolePolicy" => self.attach_role_policy(form)?,
            "DetachRolePolicy" => self.detach_role_policy(form)?,
            "ListAttachedRolePolicies" => self.list_attached_role_policies(form, &mut xml)?,
            "CreatePolicy" => self.create_policy(form, &mut xml)?,
            "GetPolicy" => self.get_policy(form, &mut xml)?,
            "GetPolicyVersion" => self.get_policy_version(form, &mut xml)?,
            "ListPolicyVersions" => self.list_policy_versions(form, &mut xml)?,
            "ListPolicies" => self.list_policies(form, &mut xml)?,
            "ListEntitiesForPolicy" => self.list_entities_for_policy(form, &mut xml)?,
            "DeletePolicy" => self.delete_policy(form)?,
            _ => return Err(ApiError::not_in_this_lab("iam", action)),
        }
        Ok(xml.finish())
    }
}
