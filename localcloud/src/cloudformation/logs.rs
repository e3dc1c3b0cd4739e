//! The resource type `AWS::Logs::LogGroup`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html>.

use super::resources::{
    cut, fixed, number, unless_gone, Failure, Properties, Provisioned, Services,
};
use crate::logs::group_arn;
use serde_json::{json, Value};
use std::collections::BTreeMap;

pub const PROPERTIES: [&str; 2] = ["LogGroupName", "RetentionInDays"];

pub fn check(properties: &Properties) -> Result<(), Failure> {
    number(properties, "RetentionInDays").map(drop)
}

pub fn create(
    services: &Services<'_>,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    let name = properties
        .get("LogGroupName")
        .and_then(super::function::text);
    let name = name.unwrap_or_else(|| cut(generated, 512));
    let group = json!({ "logGroupName": name });
    match call(services, "CreateLogGroup", &group) {
        Err(Failure::Service(error)) if error.code == "ResourceAlreadyExistsException" => {
            return Err(Failure::AlreadyExists(name));
        }
        outcome => outcome?,
    }
    if let Err(failure) = set_retention(services, &name, properties) {
        // What failed halfway leaves nothing behind.
        let _ = call(services, "DeleteLogGroup", &group);
        return Err(failure);
    }
    let arn = format!("{}:*", group_arn(&name));
    Ok(Provisioned {
        id: name,
        attributes: BTreeMap::from([("Arn", arn)]),
    })
}

pub fn update(
    services: &Services<'_>,
    name: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    fixed(&["LogGroupName"], "log group", old, new)?;
    set_retention(services, name, new)
}

pub fn delete(services: &Services<'_>, name: &str) -> Result<(), Failure> {
    let group = json!({ "logGroupName": name });
    unless_gone(call(services, "DeleteLogGroup", &group))
}

fn set_retention(
    services: &Services<'_>,
    name: &str,
    properties: &Properties,
) -> Result<(), Failure> {
    let mut input = json!({ "logGroupName": name });
    match number(properties, "RetentionInDays")? {
        Some(days) => {
            input["retentionInDays"] = days.into();
            call(services, "PutRetentionPolicy", &input)
        }
        None => call(services, "DeleteRetentionPolicy", &input),
    }
}

fn call(services: &Services<'_>, operation: &str, input: &Value) -> Result<(), Failure> {
    let input = input.to_string();
    services.logs.call(operation, input.as_bytes())?;
    Ok(())
}
