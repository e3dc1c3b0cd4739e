//! The types of resources that a template may have. A new type is a file here and a row in [`TYPES`].
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html>.

mod event_source_mapping;
mod function;
mod iam;
mod log_group;
mod managed_policy;
mod policy;
mod property;
mod queue;
mod queue_inline_policy;
mod queue_policy;
mod resource_type;
mod role;
mod role_policy;
mod services;
mod stream;
mod stream_consumer;

pub use resource_type::{Failure, Provisioned, ResourceType};
pub use services::Services;

pub static TYPES: [&ResourceType; 12] = [
    &queue::QUEUE,
    &queue_policy::QUEUE_POLICY,
    &queue_inline_policy::QUEUE_INLINE_POLICY,
    &stream::STREAM,
    &stream_consumer::STREAM_CONSUMER,
    &role::ROLE,
    &role_policy::ROLE_POLICY,
    &policy::POLICY,
    &managed_policy::MANAGED_POLICY,
    &log_group::LOG_GROUP,
    &function::FUNCTION,
    &event_source_mapping::EVENT_SOURCE_MAPPING,
];

/// The type of this name, such as `AWS::SQS::Queue`.
pub fn named(name: &str) -> Option<&'static ResourceType> {
    TYPES.into_iter().find(|known| known.name == name)
}
