//! The resource type `AWS::SQS::Queue`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html>.

use super::property::{attribute, cut, optional, tags};
use super::resource_type::{
    unless_gone, Failure, Handler, Pending, Properties, Provisioned, ResourceType,
};
use super::services::Services;
use serde_json::json;
use std::collections::BTreeMap;

pub static QUEUE: ResourceType = ResourceType {
    name: "AWS::SQS::Queue",
    service: "Sqs",
    properties: &[
        "ContentBasedDeduplication",
        "DeduplicationScope",
        "DelaySeconds",
        "FifoQueue",
        "FifoThroughputLimit",
        "KmsDataKeyReusePeriodSeconds",
        "KmsMasterKeyId",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "QueueName",
        "ReceiveMessageWaitTimeSeconds",
        "RedriveAllowPolicy",
        "RedrivePolicy",
        "SqsManagedSseEnabled",
        "Tags",
        "VisibilityTimeout",
    ],
    attributes: &["Arn", "QueueName", "QueueUrl"],
    named_by: Some("QueueName"),
    fixed: &["QueueName", "FifoQueue"],
    takes_tags: true,
    grants_access: false,
    handler: &Queue,
};

const MAX_NAME_LENGTH: usize = 80;

/// The attributes of a queue that a template sets, and their values after an update whose template no longer does: as
/// recorded on AWS in December 2025, the size is then not the 1 MiB of a new queue, and those without a value stay.
const ATTRIBUTES: [(&str, Option<&str>); 13] = [
    ("ContentBasedDeduplication", Some("false")),
    ("DeduplicationScope", None),
    ("DelaySeconds", Some("0")),
    ("FifoThroughputLimit", None),
    ("KmsDataKeyReusePeriodSeconds", Some("300")),
    ("KmsMasterKeyId", Some("")),
    ("MaximumMessageSize", Some("262144")),
    ("MessageRetentionPeriod", Some("345600")),
    ("ReceiveMessageWaitTimeSeconds", Some("0")),
    ("RedriveAllowPolicy", Some("")),
    ("RedrivePolicy", Some("")),
    ("SqsManagedSseEnabled", Some("true")),
    ("VisibilityTimeout", Some("30")),
];

struct Queue;

impl Handler for Queue {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        tags(properties).map(drop)
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
        queue: &'a Provisioned,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(update(services, &queue.id, old, new))
    }

    fn delete<'a>(
        &self,
        services: &'a Services,
        queue: &'a Provisioned,
        _properties: &'a Properties,
    ) -> Pending<'a, ()> {
        let input = json!({ "QueueUrl": queue.id });
        Box::pin(async { unless_gone(services.sqs("DeleteQueue", input).await) })
    }
}

async fn create(
    services: &Services,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    let fifo = optional(properties, "FifoQueue").as_deref() == Some("true");
    let ending = if fifo { ".fifo" } else { "" };
    let name = optional(properties, "QueueName")
        .unwrap_or_else(|| cut(generated, MAX_NAME_LENGTH - ending.len()) + ending);
    let found = services.sqs("GetQueueUrl", json!({ "QueueName": name }));
    if found.await.is_ok() {
        return Err(Failure::AlreadyExists(name));
    }
    let mut attributes: BTreeMap<_, _> = ATTRIBUTES
        .iter()
        .filter_map(|(name, _)| Some((*name, attribute(properties.get(*name)?))))
        .collect();
    if fifo {
        attributes.insert("FifoQueue", "true".to_owned());
    }
    let input = json!({ "QueueName": name, "Attributes": attributes, "tags": tags(properties)? });
    let output = services.sqs("CreateQueue", input).await?;
    let url = output["QueueUrl"].as_str().unwrap_or_default().to_owned();
    let input = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
    let shown = services.sqs("GetQueueAttributes", input).await?;
    let arn = &shown["Attributes"]["QueueArn"];
    Ok(Provisioned {
        id: url.clone(),
        attributes: BTreeMap::from([
            ("Arn", arn.as_str().unwrap_or_default().to_owned()),
            ("QueueName", name),
            ("QueueUrl", url),
        ]),
    })
}

async fn update(
    services: &Services,
    url: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    let changed: BTreeMap<_, _> = ATTRIBUTES
        .iter()
        .filter(|(name, _)| old.get(*name) != new.get(*name))
        .filter_map(|(name, default)| {
            let value = new.get(*name).map(attribute);
            Some((*name, value.or(default.map(str::to_owned))?))
        })
        .collect();
    if !changed.is_empty() {
        let input = json!({ "QueueUrl": url, "Attributes": changed });
        services.sqs("SetQueueAttributes", input).await?;
    }
    let (old, new) = (tags(old)?, tags(new)?);
    let gone: Vec<_> = old.keys().filter(|key| !new.contains_key(*key)).collect();
    if !gone.is_empty() {
        let input = json!({ "QueueUrl": url, "TagKeys": gone });
        services.sqs("UntagQueue", input).await?;
    }
    if !new.is_empty() && old != new {
        let input = json!({ "QueueUrl": url, "Tags": new });
        services.sqs("TagQueue", input).await?;
    }
    Ok(())
}
