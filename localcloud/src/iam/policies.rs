//! Managed policies, the account's and those of AWS's own.

use super::evaluate::Document;
use super::managed::OF_AWS;
use super::request::{
    arn, conflict, constraint, date, description, document, encoded, exists, limit, name, no_such,
    page, path, refuse_left_out, show_page, Written, MAX_POLICY_NAME,
};
use super::state::{Iam, Policy};
use crate::account;
use crate::wire::error::ApiError;
use crate::wire::query::{Form, Xml};
use std::sync::Arc;

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MAX_POLICIES: usize = 1500;
const MAX_SIZE: usize = 6144;

impl Policy {
    fn show(&self, attachments: usize, xml: &mut Xml) {
        xml.text("PolicyName", &self.name)
            .text("PolicyId", &self.id)
            .text("Arn", &self.arn)
            .text("Path", &self.path)
            .text("DefaultVersionId", self.version)
            .text("AttachmentCount", attachments.to_string())
            .text("PermissionsBoundaryUsageCount", "0")
            .text("IsAttachable", "true")
            .text("CreateDate", date(self.created_at))
            .text("UpdateDate", date(self.changed_at));
    }

    fn show_version(&self, xml: &mut Xml) {
        xml.text("VersionId", self.version)
            .text("IsDefaultVersion", "true")
            .text("CreateDate", date(self.changed_at));
    }
}

impl Iam {
    pub(super) fn create_policy(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let name = name(form, "PolicyName", MAX_POLICY_NAME)?;
        let path = path(form)?;
        let description = description(form)?;
        let text = document(form, "PolicyDocument", MAX_SIZE, "PolicySize")?;
        refuse_left_out(form)?;
        let written = Written {
            text: text.to_owned(),
            document: Arc::new(Document::permissions(text)?),
        };
        let now = self.0.clock.now();
        let mut state = self.lock();
        let mut own = state.policies.values().filter(|policy| !policy.is_of_aws());
        if own.any(|policy| policy.name.eq_ignore_ascii_case(name)) {
            return Err(exists(format!(
                "A policy called {name} already exists. Duplicate names are not allowed."
            )));
        }
        if state.policies.len() == MAX_POLICIES + OF_AWS.len() {
            return Err(limit("PoliciesPerAccount", MAX_POLICIES));
        }
        let policy = Policy {
            name: name.to_owned(),
            arn: account::arn("iam", format!("policy{path}{name}")),
            path: path.to_owned(),
            id: state.id("ANPA"),
            description,
            // Differs from AWS: policy-versions: a managed policy has one version and can't be changed.
            version: "v1",
            created_at: now,
            changed_at: now,
            written,
        };
        xml.element("Policy", |xml| policy.show(0, xml));
        state.policies.insert(policy.arn.clone(), policy);
        Ok(())
    }

    pub(super) fn get_policy(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let state = self.lock();
        let policy = state.policy(arn(form)?)?;
        xml.element("Policy", |xml| {
            policy.show(state.attachments(&policy.arn), xml);
            if let Some(description) = &policy.description {
                xml.text("Description", description);
            }
        });
        Ok(())
    }

    pub(super) fn get_policy_version(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let version = form.required("VersionId")?;
        let state = self.lock();
        let policy = state.policy(arn(form)?)?;
        if version != policy.version {
            return Err(no_such(format!(
                "Policy {} version {version} does not exist or is not attachable.",
                policy.arn
            )));
        }
        xml.element("PolicyVersion", |xml| {
            xml.text("Document", encoded(&policy.written.text));
            policy.show_version(xml);
        });
        Ok(())
    }

    pub(super) fn list_policy_versions(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let state = self.lock();
        let policy = state.policy(arn(form)?)?;
        let page = page(form, [(policy.version, policy)].into_iter())?;
        show_page(xml, "Versions", page, |policy, xml| {
            policy.show_version(xml)
        });
        Ok(())
    }

    pub(super) fn list_policies(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let scope = form.get("Scope").unwrap_or("All");
        if !matches!(scope, "All" | "AWS" | "Local") {
            let rule = "Member must satisfy enum value set: [All, AWS, Local]";
            return Err(constraint(scope, "scope", rule));
        }
        let prefix = form.get("PathPrefix").unwrap_or("/");
        let only_attached = form.get("OnlyAttached") == Some("true");
        let state = self.lock();
        let policies = state.policies.values().filter(|policy| {
            let in_scope = match scope {
                "AWS" => policy.is_of_aws(),
                "Local" => !policy.is_of_aws(),
                _ => true,
            };
            in_scope
                && policy.path.starts_with(prefix)
                && (!only_attached || state.attachments(&policy.arn) > 0)
        });
        let page = page(form, policies.map(|policy| (policy.arn.as_str(), policy)))?;
        show_page(xml, "Policies", page, |policy, xml| {
            policy.show(state.attachments(&policy.arn), xml);
        });
        Ok(())
    }

    pub(super) fn list_entities_for_policy(
        &self,
        form: &Form,
        xml: &mut Xml,
    ) -> Result<(), ApiError> {
        let wanted = matches!(form.get("EntityFilter"), None | Some("Role"));
        let state = self.lock();
        let arn = &state.policy(arn(form)?)?.arn;
        let roles = state.roles.iter();
        let roles = roles.filter(|(_, role)| wanted && role.attached.contains(arn));
        let page = page(form, roles.map(|(key, role)| (key.as_str(), role)))?;
        show_page(xml, "PolicyRoles", page, |role, xml| {
            xml.text("RoleName", &role.name).text("RoleId", &role.id);
        });
        xml.element("PolicyGroups", |_| {})
            .element("PolicyUsers", |_| {});
        Ok(())
    }

    pub(super) fn delete_policy(&self, form: &Form) -> Result<(), ApiError> {
        let arn = arn(form)?;
        let mut state = self.lock();
        if state.policy(arn)?.is_of_aws() {
            return Err(
                ApiError::sender("AccessDenied", "Policy is outside your own account.")
                    .with_status(403),
            );
        }
        if state.attachments(arn) > 0 {
            return Err(conflict("Cannot delete a policy attached to entities."));
        }
        state.policies.remove(arn);
        Ok(())
    }
}
