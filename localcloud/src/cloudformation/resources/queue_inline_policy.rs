//! The resource type `AWS::SQS::QueueInlinePolicy`: the policy of one queue.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queueinlinepolicy.html>.

use super::property::{document, required};
use super::queue_policy::set;
use super::resource_type::{
    unless_gone, Failure, Handler, Pending, Properties, Provisioned, ResourceType,
};
use super::services::Services;
use std::collections::BTreeMap;

pub static QUEUE_INLINE_POLICY: ResourceType = ResourceType {
    name: "AWS::SQS::QueueInlinePolicy",
    service: "Sqs",
    properties: &["PolicyDocument", "Queue"],
    attributes: &[],
    named_by: None,
    fixed: &["Queue"],
    takes_tags: false,
    grants_access: false,
    handler: &QueueInlinePolicy,
};

struct QueueInlinePolicy;

impl Handler for QueueInlinePolicy {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        document(properties, "PolicyDocument")?;
        required(properties, "Queue").map(drop)
    }

    fn create<'a>(
        &self,
        services: &'a Services,
        properties: &'a Properties,
        _generated: &'a str,
    ) -> Pending<'a, Provisioned> {
        Box::pin(async move {
            let queue = required(properties, "Queue")?;
            set(services, &queue, &document(properties, "PolicyDocument")?).await?;
            Ok(Provisioned {
                id: queue,
                attributes: BTreeMap::new(),
            })
        })
    }

    fn update<'a>(
        &self,
        services: &'a Services,
        policy: &'a Provisioned,
        _old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            set(services, &policy.id, &document(new, "PolicyDocument")?).await?;
            Ok(())
        })
    }

    fn delete<'a>(
        &self,
        services: &'a Services,
        policy: &'a Provisioned,
        _properties: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move { unless_gone(set(services, &policy.id, "").await) })
    }
}
