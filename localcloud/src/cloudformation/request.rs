//! The form of a request, read and checked.

use super::error::{constraint, invalid};
use super::parameters;
use super::resolve::Scope;
use super::stack::{OnFailure, Version};
use super::template::Template;
use crate::wire::error::ApiError;
use crate::wire::query::{lower_first, Form};
use std::collections::BTreeMap;
use std::sync::Arc;

const MAX_NAME_LENGTH: usize = 128;
const MAX_TAGS: usize = 50;

/// Each status a stack can have on AWS, for the filter of `ListStacks`.
pub const STATUSES: [&str; 23] = [
    "CREATE_IN_PROGRESS",
    "CREATE_FAILED",
    "CREATE_COMPLETE",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_FAILED",
    "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS",
    "DELETE_FAILED",
    "DELETE_COMPLETE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_IN_PROGRESS",
    "IMPORT_ROLLBACK_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
];

/// The version of the stack that the caller asks for. In an update, `old` is what it was.
pub fn version(
    form: &Form,
    stack_name: &str,
    stack_id: &str,
    old: Option<&Version>,
) -> Result<Version, ApiError> {
    let (body, template) = match old {
        Some(old) if form.get("UsePreviousTemplate") == Some("true") => {
            (old.body.clone(), old.template.clone())
        }
        _ => {
            let body = template_body(form)?;
            (body.to_owned(), Arc::new(Template::read(body)?))
        }
    };
    let given = given_parameters(form, old)?;
    let parameters = parameters::values(&template.parameters, &given)?;
    let mut scope = Scope {
        stack_id: stack_id.to_owned(),
        stack_name: stack_name.to_owned(),
        parameters: parameters::checked(&template.parameters, &parameters)?,
        conditions: BTreeMap::new(),
        mappings: template.mappings.clone(),
    };
    template.decide(&mut scope)?;
    let order = template.creation_order(&scope)?;
    let imports = template.imports(&scope)?;
    // In an update, no tags at all means the tags there are.
    let tags = match (form.structures("Tags"), old) {
        (given, Some(old)) if given.is_empty() => old.tags.clone(),
        (given, _) => tags(&given)?,
    };
    let capabilities = form.list("Capabilities");
    check_capabilities(&template, &capabilities)?;
    Ok(Version {
        body,
        template,
        scope,
        parameters,
        tags,
        capabilities: capabilities.into_iter().map(str::to_owned).collect(),
        order,
        imports,
    })
}

/// Whether the caller acknowledges that the template makes roles or policies.
fn check_capabilities(template: &Template, given: &[&str]) -> Result<(), ApiError> {
    let acknowledged =
        |needed: &str| given.contains(&"CAPABILITY_NAMED_IAM") || given.contains(&needed);
    match template.capability() {
        Some(needed) if !acknowledged(needed) => Err(ApiError::sender(
            "InsufficientCapabilitiesException",
            format!("Requires capabilities : [{needed}]"),
        )),
        _ => Ok(()),
    }
}

fn given_parameters(
    form: &Form,
    old: Option<&Version>,
) -> Result<BTreeMap<String, String>, ApiError> {
    let mut given = BTreeMap::new();
    for parameter in form.structures("Parameters") {
        let Some(name) = parameter.get("ParameterKey") else {
            return Err(invalid("Parameter keys must not be null"));
        };
        let previous = parameter.get("UsePreviousValue") == Some(&"true");
        let value = match (previous, old) {
            (true, Some(old)) => match old.parameters.get(*name) {
                Some(value) => value.clone(),
                None => {
                    return Err(invalid(format!(
                        "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not in the previous template"
                    )))
                }
            },
            (true, None) => {
                return Err(invalid(format!(
                    "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true when creating a stack"
                )))
            }
            (false, _) => match parameter.get("ParameterValue") {
                Some(value) => (*value).to_owned(),
                None => continue,
            },
        };
        if given.insert((*name).to_owned(), value).is_some() {
            return Err(invalid(format!("Duplicate parameter key {name}")));
        }
    }
    Ok(given)
}

fn tags(given: &[BTreeMap<&str, &str>]) -> Result<BTreeMap<String, String>, ApiError> {
    if given.len() > MAX_TAGS {
        let violation = format!(
            "Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to {MAX_TAGS}"
        );
        return Err(ApiError::validation("ValidationError", &[violation]));
    }
    let pairs = given.iter().map(|tag| {
        let key = tag.get("Key").filter(|key| (1..=128).contains(&key.len()));
        let value = tag.get("Value").filter(|value| value.len() <= 256);
        match (key, value) {
            (Some(key), Some(value)) => Ok(((*key).to_owned(), (*value).to_owned())),
            _ => Err(invalid(
                "A tag needs a Key of 1 to 128 characters and a Value of at most 256.",
            )),
        }
    });
    pairs.collect()
}

pub fn template_body(form: &Form) -> Result<&str, ApiError> {
    // Differs from AWS: template-url: there is no S3, so a template comes as TemplateBody only.
    refuse(form, "TemplateURL")?;
    form.get("TemplateBody")
        .filter(|body| !body.is_empty())
        .ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))
}

/// The answer to a creation that fails, which the request calls `member`.
pub fn on_failure(form: &Form, member: &str) -> Result<OnFailure, ApiError> {
    let disable = form.get("DisableRollback");
    match (form.get(member), disable) {
        (Some(_), Some(_)) => Err(invalid(format!(
            "You can specify either {member} or DisableRollback, but not both."
        ))),
        (None, Some("true")) => Ok(OnFailure::DoNothing),
        (None, _) | (Some("ROLLBACK"), None) => Ok(OnFailure::Rollback),
        (Some("DELETE"), None) => Ok(OnFailure::Delete),
        (Some("DO_NOTHING"), None) => Ok(OnFailure::DoNothing),
        (Some(other), None) => Err(constraint(
            other,
            &lower_first(member),
            "Member must satisfy enum value set: [ROLLBACK, DELETE, DO_NOTHING]",
        )),
    }
}

/// An option that would change the outcome and isn't here is refused rather than ignored.
pub fn refuse_left_out(form: &Form) -> Result<(), ApiError> {
    // Differs from AWS: stack-options: stacks have no policies, roles, notifications, rollback triggers or termination protection.
    for member in [
        "StackPolicyBody",
        "StackPolicyURL",
        "StackPolicyDuringUpdateBody",
        "StackPolicyDuringUpdateURL",
        "RoleARN",
        "NotificationARNs.member.1",
        "ResourceTypes.member.1",
        "RollbackConfiguration.RollbackTriggers.member.1.Arn",
    ] {
        refuse(form, member)?;
    }
    for switch in ["EnableTerminationProtection", "RetainExceptOnCreate"] {
        if form.get(switch) == Some("true") {
            return Err(left_out(switch));
        }
    }
    Ok(())
}

pub fn refuse(form: &Form, member: &str) -> Result<(), ApiError> {
    match form.get(member).filter(|value| !value.is_empty()) {
        Some(_) => Err(left_out(member)),
        None => Ok(()),
    }
}

pub fn left_out(member: &str) -> ApiError {
    let name = member.split('.').next().unwrap_or(member);
    invalid(format!("{name} is not in this lab."))
}

pub fn check_name(name: &str) -> Result<(), ApiError> {
    check(
        name,
        "stackName",
        "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*",
    )
}

pub fn check_change_set_name(name: &str) -> Result<(), ApiError> {
    check(
        name,
        "changeSetName",
        "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*",
    )
}

fn check(name: &str, member: &str, pattern: &str) -> Result<(), ApiError> {
    let rule = if name.len() > MAX_NAME_LENGTH {
        format!("Member must have length less than or equal to {MAX_NAME_LENGTH}")
    } else if !name.starts_with(|first: char| first.is_ascii_alphabetic())
        || !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        format!("Member must satisfy regular expression pattern: {pattern}")
    } else {
        return Ok(());
    };
    Err(constraint(name, member, &rule))
}
