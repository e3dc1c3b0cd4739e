//! The resource types `AWS::IAM::Role`, `AWS::IAM::Policy` and `AWS::IAM::ManagedPolicy`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html>.

use super::function::text;
use super::resources::{
    attribute, cut, fixed, number, required, unless_gone, Failure, Properties, Provisioned,
    Services,
};
use crate::account;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub const ROLE: [&str; 7] = [
    "AssumeRolePolicyDocument",
    "Description",
    "ManagedPolicyArns",
    "MaxSessionDuration",
    "Path",
    "Policies",
    "RoleName",
];
pub const POLICY: [&str; 3] = ["PolicyDocument", "PolicyName", "Roles"];
pub const MANAGED_POLICY: [&str; 5] = [
    "Description",
    "ManagedPolicyName",
    "Path",
    "PolicyDocument",
    "Roles",
];

pub fn check_role(properties: &Properties) -> Result<(), Failure> {
    document(properties, "AssumeRolePolicyDocument")?;
    number(properties, "MaxSessionDuration")?;
    texts(properties, "ManagedPolicyArns")?;
    inline(properties).map(drop)
}

pub fn check_policy(properties: &Properties) -> Result<(), Failure> {
    required(properties, "PolicyName")?;
    check_managed_policy(properties)
}

pub fn check_managed_policy(properties: &Properties) -> Result<(), Failure> {
    document(properties, "PolicyDocument")?;
    texts(properties, "Roles").map(drop)
}

pub fn create_role(
    services: &Services<'_>,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    let name = properties.get("RoleName").and_then(text);
    let name = name.unwrap_or_else(|| cut(generated, 64));
    let trust = document(properties, "AssumeRolePolicyDocument")?;
    let mut parameters = vec![("RoleName", &*name), ("AssumeRolePolicyDocument", &*trust)];
    let optional = ["Description", "MaxSessionDuration", "Path"].map(|parameter| {
        let value = properties.get(parameter).and_then(text);
        (parameter, value)
    });
    let given = optional
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    parameters.extend(given);
    let created = make(services, "CreateRole", &name, &parameters)?;
    if let Err(failure) = give_policies(services, &name, properties) {
        let _ = delete_role(services, &name, properties);
        return Err(failure);
    }
    Ok(Provisioned {
        id: name,
        attributes: BTreeMap::from([
            ("Arn", between(&created, "Arn")),
            ("RoleId", between(&created, "RoleId")),
        ]),
    })
}

/// Puts the inline policies into a role and attaches the managed ones.
fn give_policies(
    services: &Services<'_>,
    role: &str,
    properties: &Properties,
) -> Result<(), Failure> {
    for (policy, document) in inline(properties)? {
        put(services, role, &policy, &document)?;
    }
    for arn in texts(properties, "ManagedPolicyArns")? {
        attach(services, role, &arn)?;
    }
    Ok(())
}

pub fn update_role(
    services: &Services<'_>,
    role: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    fixed(&["RoleName", "Path"], "role", old, new)?;
    let trust = document(new, "AssumeRolePolicyDocument")?;
    if trust != document(old, "AssumeRolePolicyDocument")? {
        let parameters = [("RoleName", role), ("PolicyDocument", &*trust)];
        call(services, "UpdateAssumeRolePolicy", &parameters)?;
    }
    let description = new.get("Description").and_then(text).unwrap_or_default();
    let seconds = number(new, "MaxSessionDuration")?
        .unwrap_or(3600)
        .to_string();
    let parameters = [
        ("RoleName", role),
        ("Description", &*description),
        ("MaxSessionDuration", &*seconds),
    ];
    call(services, "UpdateRole", &parameters)?;
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
pub fn delete_role(
    services: &Services<'_>,
    role: &str,
    properties: &Properties,
) -> Result<(), Failure> {
    for arn in texts(properties, "ManagedPolicyArns")? {
        detach(services, role, &arn)?;
    }
    for policy in inline(properties)?.keys() {
        remove(services, role, policy)?;
    }
    unless_gone(call(services, "DeleteRole", &[("RoleName", role)]).map(drop))
}

pub fn create_policy(
    services: &Services<'_>,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    if let Err(failure) = put_everywhere(services, properties) {
        let _ = delete_policy(services, properties);
        return Err(failure);
    }
    let id = cut(generated, 128);
    Ok(Provisioned {
        id: id.clone(),
        attributes: BTreeMap::from([("Id", id)]),
    })
}

pub fn update_policy(
    services: &Services<'_>,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    put_everywhere(services, new)?;
    let (old_name, new_name) = (required(old, "PolicyName")?, required(new, "PolicyName")?);
    let kept = texts(new, "Roles")?;
    for role in texts(old, "Roles")? {
        if old_name != new_name || !kept.contains(&role) {
            remove(services, &role, &old_name)?;
        }
    }
    Ok(())
}

pub fn delete_policy(services: &Services<'_>, properties: &Properties) -> Result<(), Failure> {
    let name = required(properties, "PolicyName")?;
    for role in texts(properties, "Roles")? {
        remove(services, &role, &name)?;
    }
    Ok(())
}

fn put_everywhere(services: &Services<'_>, properties: &Properties) -> Result<(), Failure> {
    let name = required(properties, "PolicyName")?;
    let document = document(properties, "PolicyDocument")?;
    for role in texts(properties, "Roles")? {
        put(services, &role, &name, &document)?;
    }
    Ok(())
}

pub fn create_managed_policy(
    services: &Services<'_>,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    let name = properties.get("ManagedPolicyName").and_then(text);
    let name = name.unwrap_or_else(|| cut(generated, 128));
    let document = document(properties, "PolicyDocument")?;
    let path = properties.get("Path").and_then(text);
    let path = path.unwrap_or_else(|| "/".to_owned());
    let description = properties.get("Description").and_then(text);
    let parameters = [
        ("PolicyName", &*name),
        ("PolicyDocument", &*document),
        ("Path", &*path),
        ("Description", description.as_deref().unwrap_or_default()),
    ];
    let created = make(services, "CreatePolicy", &name, &parameters)?;
    let arn = account::arn("iam", format!("policy{path}{name}"));
    for role in texts(properties, "Roles")? {
        if let Err(failure) = attach(services, &role, &arn) {
            let _ = delete_managed_policy(services, &arn, properties);
            return Err(failure);
        }
    }
    Ok(Provisioned {
        id: arn.clone(),
        attributes: BTreeMap::from([
            ("PolicyArn", arn),
            ("PolicyId", between(&created, "PolicyId")),
        ]),
    })
}

pub fn update_managed_policy(
    services: &Services<'_>,
    arn: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    fixed(
        &["ManagedPolicyName", "Path", "Description"],
        "policy",
        old,
        new,
    )?;
    if document(old, "PolicyDocument")? != document(new, "PolicyDocument")? {
        return Err(Failure::Properties(
            "#/PolicyDocument: a managed policy has one version in this lab. Delete the stack and create it again"
                .to_owned(),
        ));
    }
    let (old, new) = (texts(old, "Roles")?, texts(new, "Roles")?);
    for role in &new {
        attach(services, role, arn)?;
    }
    for role in old.difference(&new) {
        detach(services, role, arn)?;
    }
    Ok(())
}

pub fn delete_managed_policy(
    services: &Services<'_>,
    arn: &str,
    properties: &Properties,
) -> Result<(), Failure> {
    for role in texts(properties, "Roles")? {
        detach(services, &role, arn)?;
    }
    unless_gone(call(services, "DeletePolicy", &[("PolicyArn", arn)]).map(drop))
}

fn put(services: &Services<'_>, role: &str, policy: &str, document: &str) -> Result<(), Failure> {
    let parameters = [
        ("RoleName", role),
        ("PolicyName", policy),
        ("PolicyDocument", document),
    ];
    call(services, "PutRolePolicy", &parameters).map(drop)
}

fn remove(services: &Services<'_>, role: &str, policy: &str) -> Result<(), Failure> {
    let parameters = [("RoleName", role), ("PolicyName", policy)];
    unless_gone(call(services, "DeleteRolePolicy", &parameters).map(drop))
}

fn attach(services: &Services<'_>, role: &str, arn: &str) -> Result<(), Failure> {
    let parameters = [("RoleName", role), ("PolicyArn", arn)];
    call(services, "AttachRolePolicy", &parameters).map(drop)
}

fn detach(services: &Services<'_>, role: &str, arn: &str) -> Result<(), Failure> {
    let parameters = [("RoleName", role), ("PolicyArn", arn)];
    unless_gone(call(services, "DetachRolePolicy", &parameters).map(drop))
}

/// Makes something of this name, unless it was there before the stack.
fn make(
    services: &Services<'_>,
    action: &str,
    name: &str,
    parameters: &[(&str, &str)],
) -> Result<String, Failure> {
    match call(services, action, parameters) {
        Err(Failure::Service(error)) if error.code == "EntityAlreadyExists" => {
            Err(Failure::AlreadyExists(name.to_owned()))
        }
        outcome => outcome,
    }
}

fn call(
    services: &Services<'_>,
    action: &str,
    parameters: &[(&str, &str)],
) -> Result<String, Failure> {
    let form = parameters.iter().copied().collect();
    Ok(services.iam.call(action, &form)?)
}

/// The text of the element of this name.
fn between(xml: &str, name: &str) -> String {
    let after = xml.split_once(&format!("<{name}>"));
    let text = after.and_then(|(_, rest)| rest.split_once('<'));
    text.map_or_else(String::new, |(text, _)| text.to_owned())
}

/// A policy document as JSON.
fn document(properties: &Properties, name: &str) -> Result<String, Failure> {
    let document = properties.get(name);
    document
        .map(attribute)
        .ok_or_else(|| Failure::Properties(format!("#: required key [{name}] not found")))
}

fn texts(properties: &Properties, name: &str) -> Result<BTreeSet<String>, Failure> {
    let Some(value) = properties.get(name) else {
        return Ok(BTreeSet::new());
    };
    let texts = value
        .as_array()
        .and_then(|items| items.iter().map(text).collect());
    texts.ok_or_else(|| Failure::Properties(format!("#/{name}: expected a list of strings")))
}

/// The inline policies of a role: their documents by their names.
fn inline(properties: &Properties) -> Result<BTreeMap<String, String>, Failure> {
    let malformed = || {
        Failure::Properties(
            "#/Policies: expected a list of PolicyName and PolicyDocument".to_owned(),
        )
    };
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
