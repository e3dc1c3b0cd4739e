//! The resource type `AWS::Lambda::EventSourceMapping`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html>.

use super::function::text;
use super::resources::{
    fixed, required, unless_gone, Failure, Properties, Provisioned, Services, LOOK_AGAIN,
};
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// What an update can't change.
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
const OTHERS: [&str; 7] = [
    "DestinationConfig",
    "EventSourceArn",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "ScalingConfig",
    "StartingPosition",
];

pub fn is_known(name: &str) -> bool {
    [&NUMBERS[..], &FLAGS, &OTHERS]
        .iter()
        .any(|names| names.contains(&name))
}

pub fn check(properties: &Properties) -> Result<(), Failure> {
    required(properties, "EventSourceArn")?;
    required(properties, "FunctionName")?;
    input(properties).map(drop)
}

pub async fn create(
    services: &Services<'_>,
    properties: &Properties,
) -> Result<Provisioned, Failure> {
    let created = services.mappings.create(input(properties)?).await?;
    let of = |name: &str| created[name].as_str().unwrap_or_default().to_owned();
    Ok(Provisioned {
        id: of("UUID"),
        attributes: BTreeMap::from([
            ("EventSourceMappingArn", of("EventSourceMappingArn")),
            ("Id", of("UUID")),
        ]),
    })
}

pub async fn update(
    services: &Services<'_>,
    uuid: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    fixed(&FIXED, "mapping", old, new)?;
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

pub async fn delete(services: &Services<'_>, uuid: &str) -> Result<(), Failure> {
    settled(services, uuid).await;
    unless_gone(
        services
            .mappings
            .delete(uuid)
            .map(drop)
            .map_err(Failure::from),
    )?;
    settled(services, uuid).await;
    Ok(())
}

/// Waits until nothing is under way with the mapping, or it is gone.
async fn settled(services: &Services<'_>, uuid: &str) {
    while services
        .mappings
        .get(uuid)
        .is_ok_and(|mapping| !matches!(mapping["State"].as_str(), Some("Enabled" | "Disabled")))
    {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The properties as the API takes them: in a template, numbers and flags may be text.
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
        let name = "ScalingConfig/MaximumConcurrency";
        let number = text(most).and_then(|text| text.parse::<u64>().ok());
        let number = number.ok_or_else(|| expected(name, "a number"))?;
        *most = number.into();
    }
    Ok(input)
}

fn expected(property: &str, kind: &str) -> Failure {
    Failure::Properties(format!("#/{property}: expected {kind}"))
}

/// What a property is when a template leaves it out.
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
