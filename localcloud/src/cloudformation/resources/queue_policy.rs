//! The resource type `AWS::SQS::QueuePolicy`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html>.

use super::property::{document, missing, texts};
use super::resource_type::{
    unless_gone, Failure, Handler, Pending, Properties, Provisioned, ResourceType,
};
use super::services::Services;
use crate::wire::error::ApiError;
use serde_json::json;
use std::collections::BTreeMap;

pub static QUEUE_POLICY: ResourceType = ResourceType {
    name: "AWS::SQS::QueuePolicy",
    service: "Sqs",
    properties: &["PolicyDocument", "Queues"],
    attributes: &["Id"],
    named_by: None,
    fixed: &[],
    takes_tags: false,
    grants_access: false,
    handler: &QueuePolicy,
};

struct QueuePolicy;

impl Handler for QueuePolicy {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        document(properties, "PolicyDocument")?;
        if !properties.contains_key("Queues") {
            return Err(missing("Queues"));
        }
        texts(properties, "Queues").map(drop)
    }

    fn create<'a>(
        &self,
        services: &'a Services,
        properties: &'a Properties,
        generated: &'a str,
    ) -> Pending<'a, Provisioned> {
        Box::pin(async move {
            put(services, properties).await?;
            Ok(Provisioned {
                id: generated.to_owned(),
                attributes: BTreeMap::from([("Id", generated.to_owned())]),
            })
        })
    }

    fn update<'a>(
        &self,
        services: &'a Services,
        _policy: &'a Provisioned,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            put(services, new).await?;
            let kept = texts(new, "Queues")?;
            for queue in texts(old, "Queues")?.difference(&kept) {
                set(services, queue, "").await?;
            }
            Ok(())
        })
    }

    fn delete<'a>(
        &self,
        services: &'a Services,
        _policy: &'a Provisioned,
        properties: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            for queue in texts(properties, "Queues")? {
                unless_gone(set(services, &queue, "").await)?;
            }
            Ok(())
        })
    }
}

async fn put(services: &Services, properties: &Properties) -> Result<(), Failure> {
    let policy = document(properties, "PolicyDocument")?;
    for queue in texts(properties, "Queues")? {
        set(services, &queue, &policy).await?;
    }
    Ok(())
}

/// Gives a queue this policy; an empty one takes it away.
pub async fn set(services: &Services, queue: &str, policy: &str) -> Result<(), ApiError> {
    let input = json!({ "QueueUrl": queue, "Attributes": { "Policy": policy } });
    services.sqs("SetQueueAttributes", input).await.map(drop)
}
