//! The resource type `AWS::Logs::LogGroup`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html>.

use super::property::{cut, number, optional};
use super::resource_type::{
    unless_gone, Failure, Handler, Pending, Properties, Provisioned, ResourceType,
};
use super::services::Services;
use serde_json::json;
use std::collections::BTreeMap;

pub static LOG_GROUP: ResourceType = ResourceType {
    name: "AWS::Logs::LogGroup",
    service: "CloudWatchLogs",
    properties: &["LogGroupName", "RetentionInDays"],
    attributes: &["Arn"],
    named_by: Some("LogGroupName"),
    fixed: &["LogGroupName"],
    takes_tags: false,
    grants_access: false,
    handler: &LogGroup,
};

const MAX_NAME_LENGTH: usize = 512;

struct LogGroup;

impl Handler for LogGroup {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        number(properties, "RetentionInDays").map(drop)
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
        group: &'a Provisioned,
        _old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move { set_retention(services, &group.id, new) })
    }

    fn delete<'a>(
        &self,
        services: &'a Services,
        group: &'a Provisioned,
        _properties: &'a Properties,
    ) -> Pending<'a, ()> {
        let input = json!({ "logGroupName": group.id });
        Box::pin(async move { unless_gone(services.logs("DeleteLogGroup", &input)) })
    }
}

fn create(
    services: &Services,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    let name =
        optional(properties, "LogGroupName").unwrap_or_else(|| cut(generated, MAX_NAME_LENGTH));
    let group = json!({ "logGroupName": name });
    match services.logs("CreateLogGroup", &group) {
        Err(error) if error.code == "ResourceAlreadyExistsException" => {
            return Err(Failure::AlreadyExists(name));
        }
        outcome => outcome?,
    };
    match set_retention(services, &name, properties).and_then(|()| arn(services, &name)) {
        Ok(arn) => Ok(Provisioned {
            id: name,
            attributes: BTreeMap::from([("Arn", arn)]),
        }),
        Err(failure) => {
            // A creation that failed halfway leaves nothing behind.
            let _ = services.logs("DeleteLogGroup", &group);
            Err(failure)
        }
    }
}

/// The group's ARN with `:*` at its end, as policies for its streams take it.
fn arn(services: &Services, name: &str) -> Result<String, Failure> {
    let prefix = json!({ "logGroupNamePrefix": name });
    let shown = services.logs("DescribeLogGroups", &prefix)?;
    let mut groups = shown["logGroups"].as_array().into_iter().flatten();
    let group = groups.find(|group| group["logGroupName"] == name);
    let arn = group.and_then(|group| group["arn"].as_str());
    Ok(arn.unwrap_or_default().to_owned())
}

fn set_retention(services: &Services, name: &str, properties: &Properties) -> Result<(), Failure> {
    let mut input = json!({ "logGroupName": name });
    let operation = match number(properties, "RetentionInDays")? {
        Some(days) => {
            input["retentionInDays"] = days.into();
            "PutRetentionPolicy"
        }
        None => "DeleteRetentionPolicy",
    };
    services.logs(operation, &input).map(drop)?;
    Ok(())
}
