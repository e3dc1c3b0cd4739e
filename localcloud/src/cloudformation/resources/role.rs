//! The resource type `AWS::IAM::Role`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html>.

use super::super::yaml::text;
use super::iam::{attach, detach, element, make, put, remove};
use super::property::{attribute, cut, document, expected, number, optional, texts};
use super::resource_type::{
    unless_gone, Failure, Handler, Pending, Properties, Provisioned, ResourceType,
};
use super::services::Services;
use serde_json::Value;
use std::collections::BTreeMap;

pub static ROLE: ResourceType = ResourceType {
    name: "AWS::IAM::Role",
    service: "Iam",
    properties: &[
        "AssumeRolePolicyDocument",
        "Description",
        "ManagedPolicyArns",
        "MaxSessionDuration",
        "Path",
        "Policies",
        "RoleName",
    ],
    attributes: &["Arn", "RoleId"],
    named_by: Some("RoleName"),
    fixed: &["RoleName", "Path"],
    takes_tags: false,
    grants_access: true,
    handler: &Role,
};

const MAX_NAME_LENGTH: usize = 64;
const DEFAULT_SESSION_SECONDS: u64 = 3600;

struct Role;

impl Handler for Role {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        document(properties, "AssumeRolePolicyDocument")?;
        number(properties, "MaxSessionDuration")?;
        texts(properties, "ManagedPolicyArns")?;
        inline(properties).map(drop)
    }

    fn create<'a>(
        &self,
        services: &'a Services,
        properties: &'a Properties,
        generated: &'a str,
    ) -> Pending<'a, Provisioned> {
        Box::pin(async move { create(services, properties, generated) })
    }

    fn update<'a>(
        &self,
        services: &'a Services,
        role: &'a Provisioned,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move { update(services, &role.id, old, new) })
    }

    fn delete<'a>(
        &self,
        services: &'a Services,
        role: &'a Provisioned,
        properties: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move { delete(services, &role.id, properties) })
    }
}

fn create(
    services: &Services,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    let name = optional(properties, "RoleName").unwrap_or_else(|| cut(generated, MAX_NAME_LENGTH));
    let trust = document(properties, "AssumeRolePolicyDocument")?;
    let mut parameters = vec![("RoleName", &*name), ("AssumeRolePolicyDocument", &*trust)];
    let others = ["Description", "MaxSessionDuration", "Path"]
        .map(|parameter| (parameter, optional(properties, parameter)));
    let given = others.iter();
    parameters.extend(given.filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    let created = make(services, "CreateRole", &name, &parameters)?;
    if let Err(failure) = give_policies(services, &name, properties) {
        // A creation that failed halfway leaves nothing behind.
        let _ = delete(services, &name, properties);
        return Err(failure);
    }
    Ok(Provisioned {
        id: name,
        attributes: BTreeMap::from([
            ("Arn", element(&created, "Arn")),
            ("RoleId", element(&created, "RoleId")),
        ]),
    })
}

/// Puts the inline policies into a role and attaches the managed ones.
fn give_policies(services: &Services, role: &str, properties: &Properties) -> Result<(), Failure> {
    for (policy, document) in inline(properties)? {
        put(services, role, &policy, &document)?;
    }
    for arn in texts(properties, "ManagedPolicyArns")? {
        attach(services, role, &arn)?;
    }
    Ok(())
}

fn update(
    services: &Services,
    role: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    let trust = document(new, "AssumeRolePolicyDocument")?;
    if trust != document(old, "AssumeRolePolicyDocument")? {
        let parameters = [("RoleName", role), ("PolicyDocument", &*trust)];
        services.iam("UpdateAssumeRolePolicy", &parameters)?;
    }
    let description = optional(new, "Description").unwrap_or_default();
    let seconds = number(new, "MaxSessionDuration")?.unwrap_or(DEFAULT_SESSION_SECONDS);
    let parameters = [
        ("RoleName", role),
        ("Description", &*description),
        ("MaxSessionDuration", &*seconds.to_string()),
    ];
    services.iam("UpdateRole", &parameters)?;
    give_policies(services, role, new)?;
    let (kept, attached) = (inline(new)?, texts(new, "ManagedPolicyArns")?);
    for policy in inline(old)?.keys().filter(|name| !kept.contains_key(*name)) {
        remove(services, role, policy)?;
    }
    for arn in texts(old, "ManagedPolicyArns")?.difference(&attached) {
        detach(services, role, arn)?;
    }
    Ok(())
}

/// Takes from a role what its template gave it, and deletes it. As on AWS, a policy that somebody else attached
/// stands in the way.
fn delete(services: &Services, role: &str, properties: &Properties) -> Result<(), Failure> {
    for arn in texts(properties, "ManagedPolicyArns")? {
        detach(services, role, &arn)?;
    }
    for policy in inline(properties)?.keys() {
        remove(services, role, policy)?;
    }
    unless_gone(services.iam("DeleteRole", &[("RoleName", role)]))
}

/// The inline policies of a role: their documents by their names.
fn inline(properties: &Properties) -> Result<BTreeMap<String, String>, Failure> {
    let malformed = || expected("Policies", "a list of PolicyName and PolicyDocument");
    let list = match properties.get("Policies") {
        None => return Ok(BTreeMap::new()),
        Some(list) => list.as_array().ok_or_else(malformed)?,
    };
    let pair = |policy: &Value| {
        let name = text(policy.get("PolicyName")?)?;
        Some((name, attribute(policy.get("PolicyDocument")?)))
    };
    list.iter()
        .map(|policy| pair(policy).ok_or_else(malformed))
        .collect()
}
