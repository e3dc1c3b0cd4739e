//! The resource type `AWS::Kinesis::StreamConsumer`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesis-streamconsumer.html>.

use super::property::{required, tags};
use super::resource_type::{
    unless_gone, Failure, Handler, Pending, Properties, Provisioned, ResourceType,
};
use super::services::Services;
use super::stream::{gone, ready, update_tags};
use serde_json::json;
use std::collections::BTreeMap;

pub static STREAM_CONSUMER: ResourceType = ResourceType {
    name: "AWS::Kinesis::StreamConsumer",
    service: "Kinesis",
    properties: &["ConsumerName", "StreamARN", "Tags"],
    attributes: &[
        "ConsumerARN",
        "ConsumerCreationTimestamp",
        "ConsumerName",
        "ConsumerStatus",
        "StreamARN",
    ],
    named_by: Some("ConsumerName"),
    fixed: &["ConsumerName", "StreamARN"],
    takes_tags: true,
    grants_access: false,
    handler: &StreamConsumer,
};

struct StreamConsumer;

impl Handler for StreamConsumer {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        tags(properties)?;
        required(properties, "ConsumerName")?;
        required(properties, "StreamARN").map(drop)
    }

    fn create<'a>(
        &self,
        services: &'a Services,
        properties: &'a Properties,
        _generated: &'a str,
    ) -> Pending<'a, Provisioned> {
        Box::pin(create(services, properties))
    }

    fn update<'a>(
        &self,
        services: &'a Services,
        consumer: &'a Provisioned,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(update_tags(services, &consumer.id, old, new))
    }

    fn delete<'a>(
        &self,
        services: &'a Services,
        consumer: &'a Provisioned,
        _properties: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            let arn = json!({ "ConsumerARN": consumer.id });
            let deleted = services.kinesis("DeregisterStreamConsumer", arn.clone());
            unless_gone(deleted.await)?;
            gone(services, "DescribeStreamConsumer", arn).await;
            Ok(())
        })
    }
}

async fn create(services: &Services, properties: &Properties) -> Result<Provisioned, Failure> {
    let name = required(properties, "ConsumerName")?;
    let stream = required(properties, "StreamARN")?;
    let consumer = json!({ "ConsumerName": name, "StreamARN": stream });
    let found = services.kinesis("DescribeStreamConsumer", consumer.clone());
    if found.await.is_ok() {
        return Err(Failure::AlreadyExists(name));
    }
    let mut input = consumer.clone();
    let tags = tags(properties)?;
    if !tags.is_empty() {
        input["Tags"] = json!(tags);
    }
    let registered = services.kinesis("RegisterStreamConsumer", input).await?;
    let arn = registered["Consumer"]["ConsumerARN"].as_str();
    let arn = arn.unwrap_or_default().to_owned();
    let status = "/ConsumerDescription/ConsumerStatus";
    let shown = ready(services, "DescribeStreamConsumer", &consumer, status).await?;
    let created_at = shown["ConsumerDescription"]["ConsumerCreationTimestamp"].to_string();
    Ok(Provisioned {
        id: arn.clone(),
        attributes: BTreeMap::from([
            ("ConsumerARN", arn),
            ("ConsumerCreationTimestamp", created_at),
            ("ConsumerName", name),
            ("ConsumerStatus", "ACTIVE".to_owned()),
            ("StreamARN", stream),
        ]),
    })
}
