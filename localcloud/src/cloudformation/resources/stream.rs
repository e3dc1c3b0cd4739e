//! The resource type `AWS::Kinesis::Stream`, and what consumers need of streams too: tags, and waiting.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesis-stream.html>.

use super::property::{cut, number, optional, tags};
use super::resource_type::{
    unless_gone, Failure, Handler, Pending, Properties, Provisioned, ResourceType,
};
use super::services::Services;
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

pub static STREAM: ResourceType = ResourceType {
    name: "AWS::Kinesis::Stream",
    service: "Kinesis",
    properties: &[
        "Name",
        "RetentionPeriodHours",
        "ShardCount",
        "StreamModeDetails",
        "Tags",
    ],
    attributes: &["Arn"],
    named_by: Some("Name"),
    fixed: &["Name"],
    takes_tags: true,
    grants_access: false,
    handler: &Stream,
};

const MAX_NAME_LENGTH: usize = 128;
const DEFAULT_RETENTION_HOURS: u64 = 24;
const RETENTION_HOURS: RangeInclusive<u64> = 24..=8760;
const LOOK_AGAIN: Duration = Duration::from_millis(20);

struct Stream;

impl Handler for Stream {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        tags(properties)?;
        let shards = number(properties, "ShardCount")?;
        if shards.is_some() && mode(properties) == Some("ON_DEMAND") {
            let message = "ShardCount is not expected when StreamMode=ON_DEMAND";
            return Err(Failure::Handler(message.to_owned()));
        }
        match number(properties, "RetentionPeriodHours")? {
            Some(hours) if !RETENTION_HOURS.contains(&hours) => Err(Failure::Properties(format!(
                "#/RetentionPeriodHours: {hours} is not between {} and {}",
                RETENTION_HOURS.start(),
                RETENTION_HOURS.end()
            ))),
            _ => Ok(()),
        }
    }

    fn create<'a>(
        &self,
        services: &'a Services,
        properties: &'a Properties,
        generated: &'a str,
    ) -> Pending<'a, Provisioned> {
        Box::pin(create(services, properties, generated))
    }

    fn update<'a>(
        &self,
        services: &'a Services,
        stream: &'a Provisioned,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(update(services, stream, old, new))
    }

    fn delete<'a>(
        &self,
        services: &'a Services,
        stream: &'a Provisioned,
        _properties: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            let name = json!({ "StreamName": stream.id });
            let mut input = name.clone();
            input["EnforceConsumerDeletion"] = true.into();
            unless_gone(services.kinesis("DeleteStream", input).await)?;
            gone(services, "DescribeStreamSummary", name).await;
            Ok(())
        })
    }
}

async fn create(
    services: &Services,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    let name = optional(properties, "Name").unwrap_or_else(|| cut(generated, MAX_NAME_LENGTH));
    let summary = json!({ "StreamName": name });
    let found = services.kinesis("DescribeStreamSummary", summary).await;
    if found.is_ok() {
        return Err(Failure::AlreadyExists(name));
    }
    let mut input = json!({ "StreamName": name, "Tags": tags(properties)? });
    if input["Tags"] == json!({}) {
        input["Tags"] = Value::Null;
    }
    match (
        properties.get("StreamModeDetails"),
        number(properties, "ShardCount")?,
    ) {
        (Some(mode), shards) => {
            input["StreamModeDetails"] = mode.clone();
            input["ShardCount"] = json!(shards);
        }
        (None, Some(shards)) => input["ShardCount"] = shards.into(),
        // AWS makes a stream on demand when the template says nothing.
        (None, None) => input["StreamModeDetails"] = on_demand(),
    }
    services.kinesis("CreateStream", input).await?;
    let arn = active(services, &name).await?;
    set_retention(services, &name, DEFAULT_RETENTION_HOURS, hours(properties)?).await?;
    Ok(Provisioned {
        id: name,
        attributes: BTreeMap::from([("Arn", arn)]),
    })
}

async fn update(
    services: &Services,
    stream: &Provisioned,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    let (name, arn) = (&stream.id, &stream.attributes["Arn"]);
    if old.get("StreamModeDetails") != new.get("StreamModeDetails") {
        let mode = new.get("StreamModeDetails").cloned();
        let mode = mode.unwrap_or_else(on_demand);
        let input = json!({ "StreamARN": arn, "StreamModeDetails": mode });
        services.kinesis("UpdateStreamMode", input).await?;
        active(services, name).await?;
    }
    let shards = number(new, "ShardCount")?;
    if shards.is_some() && shards != number(old, "ShardCount")? {
        let input = json!({
            "StreamName": name,
            "TargetShardCount": shards,
            "ScalingType": "UNIFORM_SCALING",
        });
        services.kinesis("UpdateShardCount", input).await?;
        active(services, name).await?;
    }
    set_retention(services, name, hours(old)?, hours(new)?).await?;
    update_tags(services, arn, old, new).await
}

fn mode(properties: &Properties) -> Option<&str> {
    properties
        .get("StreamModeDetails")?
        .get("StreamMode")?
        .as_str()
}

fn on_demand() -> Value {
    json!({ "StreamMode": "ON_DEMAND" })
}

fn hours(properties: &Properties) -> Result<u64, Failure> {
    let hours = number(properties, "RetentionPeriodHours")?;
    Ok(hours.unwrap_or(DEFAULT_RETENTION_HOURS))
}

async fn set_retention(services: &Services, name: &str, old: u64, new: u64) -> Result<(), Failure> {
    let operation = match new {
        hours if hours > old => "IncreaseStreamRetentionPeriod",
        hours if hours < old => "DecreaseStreamRetentionPeriod",
        _ => return Ok(()),
    };
    let input = json!({ "StreamName": name, "RetentionPeriodHours": new });
    services.kinesis(operation, input).await?;
    Ok(())
}

/// The ARN of the stream, once it is active.
async fn active(services: &Services, name: &str) -> Result<String, Failure> {
    let input = json!({ "StreamName": name });
    let status = "/StreamDescriptionSummary/StreamStatus";
    let summary = ready(services, "DescribeStreamSummary", &input, status).await?;
    let arn = summary["StreamDescriptionSummary"]["StreamARN"].as_str();
    Ok(arn.unwrap_or_default().to_owned())
}

/// The answer of `operation`, as soon as the status at this JSON pointer is one that stays.
pub async fn ready(
    services: &Services,
    operation: &str,
    input: &Value,
    status: &str,
) -> Result<Value, Failure> {
    loop {
        let output = services.kinesis(operation, input.clone()).await?;
        let status = output.pointer(status).and_then(Value::as_str);
        if !matches!(status, Some("CREATING" | "UPDATING")) {
            return Ok(output);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Waits until `operation` finds nothing.
pub async fn gone(services: &Services, operation: &str, input: Value) {
    while services.kinesis(operation, input.clone()).await.is_ok() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Makes the tags of a stream or a consumer those of `new`.
pub async fn update_tags(
    services: &Services,
    arn: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    let (old, new) = (tags(old)?, tags(new)?);
    let gone: Vec<_> = old.keys().filter(|key| !new.contains_key(*key)).collect();
    if !gone.is_empty() {
        let input = json!({ "ResourceARN": arn, "TagKeys": gone });
        services.kinesis("UntagResource", input).await?;
    }
    if !new.is_empty() && old != new {
        let input = json!({ "ResourceARN": arn, "Tags": new });
        services.kinesis("TagResource", input).await?;
    }
    Ok(())
}
