//! Roles: who may assume them, and which policies say what they may do.

use super::evaluate::Document;
use super::request::{
    arn, conflict, date, description, document, encoded, exists, limit, name, no_such, number,
    page, path, refuse_left_out, show_page, size, Written, MAX_DOCUMENT, MAX_POLICY_NAME,
};
use super::state::{Effect, Iam, Role, State};
use crate::account;
use crate::clock::Millis;
use crate::faults::Kind;
use crate::wire::error::ApiError;
use crate::wire::query::{Form, Xml};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MAX_ROLES: usize = 1000;
const MAX_ATTACHED: usize = 10;
const MAX_TRUST: usize = 2048;
const MAX_INLINE: usize = 10_240;
/// Inline policies are limited by their size; each has a few characters at least.
const MAX_NAME: usize = 64;
/// More changes than these within the delay of the first take effect together.
const MAX_PENDING: usize = 64;
// Differs from AWS: policy-delay: a change of a role takes effect at once, unless a delay is asked for.
/// How long a change of a role takes to have its effect, when that is asked for.
pub const POLICY_DELAY: Millis = 5000;

impl Role {
    fn show(&self, xml: &mut Xml) {
        xml.text("Path", &self.path)
            .text("RoleName", &self.name)
            .text("RoleId", &self.id)
            .text("Arn", &self.arn)
            .text("CreateDate", date(self.created_at))
            .text("AssumeRolePolicyDocument", encoded(&self.trust.text));
        if let Some(description) = &self.description {
            xml.text("Description", description);
        }
    }

    /// As it is shown once it is there.
    fn show_whole(&self, xml: &mut Xml) {
        self.show(xml);
        xml.text("MaxSessionDuration", self.session_seconds.to_string());
    }
}

impl Iam {
    pub(super) fn create_role(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let name = name(form, "RoleName", MAX_NAME)?;
        let path = path(form)?;
        let description = description(form)?;
        let session_seconds = session_seconds(form)?.unwrap_or(3600);
        let trust = trust(form, "AssumeRolePolicyDocument")?;
        refuse_left_out(form)?;
        let now = self.0.clock.now();
        let mut state = self.lock();
        let key = name.to_ascii_lowercase();
        if state.roles.contains_key(&key) {
            return Err(exists(format!("Role with name {name} already exists.")));
        }
        if state.roles.len() == MAX_ROLES {
            return Err(limit("RolesPerAccount", MAX_ROLES));
        }
        let role = Role {
            name: name.to_owned(),
            arn: account::arn("iam", format!("role{path}{name}")),
            id: state.id("AROA"),
            path: path.to_owned(),
            description,
            created_at: now,
            session_seconds,
            trust,
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
            effects: VecDeque::new(),
        };
        xml.element("Role", |xml| role.show(xml));
        state.roles.insert(key, role);
        self.take_effect(&mut state, name);
        Ok(())
    }

    pub(super) fn get_role(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let name = name(form, "RoleName", MAX_NAME)?;
        let mut state = self.lock();
        let role = state.role(name)?;
        xml.element("Role", |xml| {
            role.show_whole(xml);
            xml.element("RoleLastUsed", |_| {});
        });
        Ok(())
    }

    pub(super) fn list_roles(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let prefix = form.get("PathPrefix").unwrap_or("/");
        let state = self.lock();
        let roles = state
            .roles
            .iter()
            .filter(|(_, role)| role.path.starts_with(prefix));
        let page = page(form, roles.map(|(key, role)| (key.as_str(), role)))?;
        show_page(xml, "Roles", page, |role, xml| role.show_whole(xml));
        Ok(())
    }

    pub(super) fn update_role(&self, form: &Form) -> Result<(), ApiError> {
        let name = name(form, "RoleName", MAX_NAME)?;
        let description = description(form)?;
        let session_seconds = session_seconds(form)?;
        let mut state = self.lock();
        let role = state.role(name)?;
        if description.is_some() {
            role.description = description;
        }
        role.session_seconds = session_seconds.unwrap_or(role.session_seconds);
        Ok(())
    }

    pub(super) fn delete_role(&self, form: &Form) -> Result<(), ApiError> {
        let name = name(form, "RoleName", MAX_NAME)?;
        let mut state = self.lock();
        let role = state.role(name)?;
        if !role.attached.is_empty() {
            return Err(conflict(
                "Cannot delete entity, must detach all policies first.",
            ));
        }
        if !role.inline.is_empty() {
            return Err(conflict(
                "Cannot delete entity, must delete policies first.",
            ));
        }
        state.roles.remove(&name.to_ascii_lowercase());
        Ok(())
    }

    pub(super) fn update_assume_role_policy(&self, form: &Form) -> Result<(), ApiError> {
        let name = name(form, "RoleName", MAX_NAME)?;
        let trust = trust(form, "PolicyDocument")?;
        let mut state = self.lock();
        state.role(name)?.trust = trust;
        self.take_effect(&mut state, name);
        Ok(())
    }

    pub(super) fn put_role_policy(&self, form: &Form) -> Result<(), ApiError> {
        let role_name = name(form, "RoleName", MAX_NAME)?;
        let policy_name = name(form, "PolicyName", MAX_POLICY_NAME)?;
        let quota = "InlinePolicySizePerRole";
        let text = document(form, "PolicyDocument", MAX_INLINE, quota)?;
        let written = Written {
            text: text.to_owned(),
            document: Arc::new(Document::permissions(text)?),
        };
        let mut state = self.lock();
        let role = state.role(role_name)?;
        let others = role.inline.iter().filter(|(name, _)| *name != policy_name);
        let texts = || {
            others
                .clone()
                .map(|(_, policy)| &*policy.text)
                .chain([text])
        };
        // Differs from AWS: iam-bounds: the white space of a role's inline policies is bounded too.
        for (used, most) in [
            (texts().map(size).sum::<usize>(), MAX_INLINE),
            (texts().map(str::len).sum(), MAX_DOCUMENT),
        ] {
            if used > most {
                return Err(ApiError::sender(
                    "LimitExceeded",
                    format!("Maximum policy size of {most} bytes exceeded for role {role_name}"),
                )
                .with_status(409));
            }
        }
        role.inline.insert(policy_name.to_owned(), written);
        self.take_effect(&mut state, role_name);
        Ok(())
    }

    pub(super) fn get_role_policy(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let role_name = name(form, "RoleName", MAX_NAME)?;
        let policy_name = name(form, "PolicyName", MAX_POLICY_NAME)?;
        let mut state = self.lock();
        let policy = state.role(role_name)?.inline.get(policy_name);
        let policy = policy.ok_or_else(|| no_such_policy(policy_name))?;
        xml.text("RoleName", role_name)
            .text("PolicyName", policy_name)
            .text("PolicyDocument", encoded(&policy.text));
        Ok(())
    }

    pub(super) fn list_role_policies(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let name = name(form, "RoleName", MAX_NAME)?;
        let mut state = self.lock();
        let names = state.role(name)?.inline.keys().map(String::as_str);
        let (names, marker) = page(form, names.map(|name| (name, name)))?;
        xml.text("IsTruncated", marker.is_some().to_string());
        if let Some(marker) = marker {
            xml.text("Marker", marker);
        }
        xml.element("PolicyNames", |xml| {
            for name in names {
                xml.text("member", name);
            }
        });
        Ok(())
    }

    pub(super) fn delete_role_policy(&self, form: &Form) -> Result<(), ApiError> {
        let role_name = name(form, "RoleName", MAX_NAME)?;
        let policy_name = name(form, "PolicyName", MAX_POLICY_NAME)?;
        let mut state = self.lock();
        let removed = state.role(role_name)?.inline.remove(policy_name);
        removed.ok_or_else(|| no_such_policy(policy_name))?;
        self.take_effect(&mut state, role_name);
        Ok(())
    }

    pub(super) fn attach_role_policy(&self, form: &Form) -> Result<(), ApiError> {
        let name = name(form, "RoleName", MAX_NAME)?;
        let arn = arn(form)?;
        let mut state = self.lock();
        let known = state.policies.contains_key(arn);
        let role = state.role(name)?;
        if !known {
            return Err(no_such(format!(
                "Policy {arn} does not exist or is not attachable."
            )));
        }
        if role.attached.contains(arn) {
            return Ok(());
        }
        if role.attached.len() == MAX_ATTACHED {
            return Err(limit("PoliciesPerRole", MAX_ATTACHED));
        }
        role.attached.insert(arn.to_owned());
        self.take_effect(&mut state, name);
        Ok(())
    }

    pub(super) fn detach_role_policy(&self, form: &Form) -> Result<(), ApiError> {
        let name = name(form, "RoleName", MAX_NAME)?;
        let arn = arn(form)?;
        let mut state = self.lock();
        if !state.role(name)?.attached.remove(arn) {
            return Err(no_such(format!("Policy {arn} was not found.")));
        }
        self.take_effect(&mut state, name);
        Ok(())
    }

    pub(super) fn list_attached_role_policies(
        &self,
        form: &Form,
        xml: &mut Xml,
    ) -> Result<(), ApiError> {
        let name = name(form, "RoleName", MAX_NAME)?;
        let prefix = form.get("PathPrefix").unwrap_or("/");
        let mut state = self.lock();
        let attached = state.role(name)?.attached.clone();
        let policies = attached.iter().filter_map(|arn| state.policies.get(arn));
        let policies = policies.filter(|policy| policy.path.starts_with(prefix));
        let page = page(form, policies.map(|policy| (policy.arn.as_str(), policy)))?;
        show_page(xml, "AttachedPolicies", page, |policy, xml| {
            xml.text("PolicyName", &policy.name)
                .text("PolicyArn", &policy.arn);
        });
        Ok(())
    }

    /// Lets what the role now says hold from now on; or later, if that is asked for.
    fn take_effect(&self, state: &mut State, name: &str) {
        let late = self.0.faults.take(Kind::PolicyDelay, name);
        let from = self.0.clock.now() + if late { POLICY_DELAY } else { 0 };
        let State {
            roles, policies, ..
        } = state;
        let Some(role) = roles.get_mut(&name.to_ascii_lowercase()) else {
            return;
        };
        let attached = role.attached.iter().filter_map(|arn| policies.get(arn));
        let attached = attached.map(|policy| &policy.written);
        let written = attached.chain(role.inline.values());
        let policies = written.map(|written| written.document.clone()).collect();
        // A change never overtakes the one before it.
        let last = role.effects.back().map_or(0, |effect| effect.from);
        if role.effects.len() == MAX_PENDING {
            role.effects.pop_back();
        }
        role.effects.push_back(Effect {
            from: from.max(last),
            trust: role.trust.document.clone(),
            policies,
        });
        let now = self.0.clock.now();
        role.effect(now);
    }
}

fn trust(form: &Form, parameter: &str) -> Result<Written, ApiError> {
    let text = document(form, parameter, MAX_TRUST, "ACLSizePerRole")?;
    Ok(Written {
        text: text.to_owned(),
        document: Arc::new(Document::trust(text)?),
    })
}

fn session_seconds(form: &Form) -> Result<Option<usize>, ApiError> {
    number(form, "MaxSessionDuration", 3600..=43_200)
}

fn no_such_policy(name: &str) -> ApiError {
    no_such(format!("The role policy with name {name} cannot be found."))
}
