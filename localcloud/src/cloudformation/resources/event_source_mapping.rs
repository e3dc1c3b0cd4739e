//! The resource type `AWS::Lambda::EventSourceMapping`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html>.

use super::super::yaml::text;
use super::property::{expected, required};
use super::resource_type::{
    unless_gone, Failure, Handler, Pending, Properties, Provisioned, ResourceType,
};
use super::services::Services;
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::time::Duration;

pub static EVENT_SOURCE_MAPPING: ResourceType = ResourceType {
    name: "AWS::Lambda::EventSourceMapping",
    service: "Lambda",
    properties: &[
        "BatchSize",
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "Enabled",
        "EventSourceArn",
        "FilterCriteria",
        "FunctionName",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "ScalingConfig",
        "StartingPosition",
        "StartingPositionTimestamp",
    ],
    attributes: &["EventSourceMappingArn", "Id"],
    named_by: None,
    fixed: &FIXED,
    takes_tags: false,
    grants_access: false,
    handler: &EventSourceMapping,
};

const FIXED: [&str; 3] = [
    "EventSourceArn",
    "StartingPosition",
    "StartingPositionTimestamp",
];
const NUMBERS: [&str; 6] = [
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "StartingPositionTimestamp",
];
const FLAGS: [&str; 2] = ["BisectBatchOnFunctionError", "Enabled"];
const LOOK_AGAIN: Duration = Duration::from_millis(20);

struct EventSourceMapping;

impl Handler for EventSourceMapping {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        required(properties, "EventSourceArn")?;
        required(properties, "FunctionName")?;
        input(properties).map(drop)
    }

    fn create<'a>(
        &self,
        services: &'a Services,
        properties: &'a Properties,
        _generated: &'a str,
    ) -> Pending<'a, Provisioned> {
        Box::pin(async move {
            let created = services.mappings.create(input(properties)?).await?;
            let of = |name: &str| created[name].as_str().unwrap_or_default().to_owned();
            Ok(Provisioned {
                id: of("UUID"),
                attributes: BTreeMap::from([
                    ("EventSourceMappingArn", of("EventSourceMappingArn")),
                    ("Id", of("UUID")),
                ]),
            })
        })
    }

    fn update<'a>(
        &self,
        services: &'a Services,
        mapping: &'a Provisioned,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(update(services, &mapping.id, old, new))
    }

    fn delete<'a>(
        &self,
        services: &'a Services,
        mapping: &'a Provisioned,
        _properties: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            settled(services, &mapping.id).await;
            unless_gone(services.mappings.delete(&mapping.id))?;
            settled(services, &mapping.id).await;
            Ok(())
        })
    }
}

async fn update(
    services: &Services,
    uuid: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    let mut changes = input(new)?;
    for name in FIXED {
        changes.remove(name);
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        changes.insert(name.clone(), default(name, old));
    }
    settled(services, uuid).await;
    services.mappings.update(uuid, changes).await?;
    settled(services, uuid).await;
    Ok(())
}

/// Waits until nothing is under way with the mapping, or it is gone.
async fn settled(services: &Services, uuid: &str) {
    let settles =
        |mapping: Value| matches!(mapping["State"].as_str(), Some("Enabled" | "Disabled"));
    while services
        .mappings
        .get(uuid)
        .is_ok_and(|mapping| !settles(mapping))
    {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The properties as the API takes them.
fn input(properties: &Properties) -> Result<Properties, Failure> {
    let typed = |name: &String, value: &Value| {
        let is_number = NUMBERS.contains(&name.as_str());
        if !is_number && !FLAGS.contains(&name.as_str()) {
            return Ok((name.clone(), value.clone()));
        }
        let value = text(value).and_then(|text| serde_json::from_str(&text).ok());
        match value {
            Some(value @ Value::Number(_)) if is_number => Ok((name.clone(), value)),
            Some(value @ Value::Bool(_)) if !is_number => Ok((name.clone(), value)),
            _ if is_number => Err(expected(name, "a number")),
            _ => Err(expected(name, "true or false")),
        }
    };
    let mut input = properties
        .iter()
        .map(|(name, value)| typed(name, value))
        .collect::<Result<Properties, _>>()?;
    if let Some(most) = input
        .get_mut("ScalingConfig")
        .and_then(|scaling| scaling.get_mut("MaximumConcurrency"))
    {
        let number = text(most).and_then(|text| text.parse::<u64>().ok());
        let malformed = || expected("ScalingConfig/MaximumConcurrency", "a number");
        *most = number.ok_or_else(malformed)?.into();
    }
    Ok(input)
}

/// The value of a property that a template leaves out.
fn default(name: &str, properties: &Properties) -> Value {
    let is_stream = properties
        .get("EventSourceArn")
        .and_then(Value::as_str)
        .is_some_and(|arn| arn.starts_with("arn:aws:kinesis:"));
    match name {
        "BatchSize" => json!(if is_stream { 100 } else { 10 }),
        "BisectBatchOnFunctionError" => json!(false),
        "Enabled" => json!(true),
        "FunctionResponseTypes" => json!([]),
        "MaximumBatchingWindowInSeconds" => json!(0),
        "MaximumRecordAgeInSeconds" | "MaximumRetryAttempts" => json!(-1),
        "ParallelizationFactor" => json!(1),
        _ => json!({}),
    }
}
