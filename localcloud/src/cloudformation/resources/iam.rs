//! Shared by the types of IAM: a role's policies, and reading IAM's answers.

use super::resource_type::{unless_gone, Failure};
use super::services::Services;

/// Makes something of this name, unless it was there before the stack.
pub fn make(
    services: &Services,
    action: &str,
    name: &str,
    parameters: &[(&str, &str)],
) -> Result<String, Failure> {
    match services.iam(action, parameters) {
        Err(error) if error.code == "EntityAlreadyExists" => {
            Err(Failure::AlreadyExists(name.to_owned()))
        }
        outcome => Ok(outcome?),
    }
}

/// Puts an inline policy into a role.
pub fn put(services: &Services, role: &str, policy: &str, document: &str) -> Result<(), Failure> {
    let parameters = [
        ("RoleName", role),
        ("PolicyName", policy),
        ("PolicyDocument", document),
    ];
    services.iam("PutRolePolicy", &parameters)?;
    Ok(())
}

/// Takes an inline policy out of a role.
pub fn remove(services: &Services, role: &str, policy: &str) -> Result<(), Failure> {
    let parameters = [("RoleName", role), ("PolicyName", policy)];
    unless_gone(services.iam("DeleteRolePolicy", &parameters))
}

/// Attaches a managed policy to a role.
pub fn attach(services: &Services, role: &str, arn: &str) -> Result<(), Failure> {
    let parameters = [("RoleName", role), ("PolicyArn", arn)];
    services.iam("AttachRolePolicy", &parameters)?;
    Ok(())
}

/// Detaches a managed policy from a role.
pub fn detach(services: &Services, role: &str, arn: &str) -> Result<(), Failure> {
    let parameters = [("RoleName", role), ("PolicyArn", arn)];
    unless_gone(services.iam("DetachRolePolicy", &parameters))
}

/// The text of the first element of this name.
pub fn element(xml: &str, name: &str) -> String {
    let after = xml.split_once(&format!("<{name}>"));
    let text = after.and_then(|(_, rest)| rest.split_once('<'));
    text.map_or_else(String::new, |(text, _)| text.to_owned())
}
