//! The resource type `AWS::IAM::ManagedPolicy`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-managedpolicy.html>.

use super::iam::{attach, detach, element, make};
use super::property::{cut, document, optional, texts};
use super::resource_type::{
    unless_gone, Failure, Handler, Pending, Properties, Provisioned, ResourceType,
};
use super::services::Services;
use std::collections::BTreeMap;

pub static MANAGED_POLICY: ResourceType = ResourceType {
    name: "AWS::IAM::ManagedPolicy",
    service: "Iam",
    properties: &[
        "Description",
        "ManagedPolicyName",
        "Path",
        "PolicyDocument",
        "Roles",
    ],
    attributes: &["PolicyArn", "PolicyId"],
    named_by: Some("ManagedPolicyName"),
    fixed: &["ManagedPolicyName", "Path", "Description"],
    takes_tags: false,
    grants_access: true,
    handler: &ManagedPolicy,
};

const MAX_NAME_LENGTH: usize = 128;

struct ManagedPolicy;

impl Handler for ManagedPolicy {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        document(properties, "PolicyDocument")?;
        texts(properties, "Roles").map(drop)
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
        policy: &'a Provisioned,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move { update(services, &policy.id, old, new) })
    }

    fn delete<'a>(
        &self,
        services: &'a Services,
        policy: &'a Provisioned,
        properties: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move { delete(services, &policy.id, properties) })
    }
}

fn create(
    services: &Services,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    let name = optional(properties, "ManagedPolicyName")
        .unwrap_or_else(|| cut(generated, MAX_NAME_LENGTH));
    let document = document(properties, "PolicyDocument")?;
    let path = optional(properties, "Path");
    let description = optional(properties, "Description");
    let parameters = [
        ("PolicyName", &*name),
        ("PolicyDocument", &*document),
        ("Path", path.as_deref().unwrap_or("/")),
        ("Description", description.as_deref().unwrap_or_default()),
    ];
    let created = make(services, "CreatePolicy", &name, &parameters)?;
    let arn = element(&created, "Arn");
    for role in texts(properties, "Roles")? {
        if let Err(failure) = attach(services, &role, &arn) {
            // A creation that failed halfway leaves nothing behind.
            let _ = delete(services, &arn, properties);
            return Err(failure);
        }
    }
    Ok(Provisioned {
        id: arn.clone(),
        attributes: BTreeMap::from([
            ("PolicyArn", arn),
            ("PolicyId", element(&created, "PolicyId")),
        ]),
    })
}

fn update(
    services: &Services,
    arn: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    if document(old, "PolicyDocument")? != document(new, "PolicyDocument")? {
        return Err(Failure::Properties(
            "#/PolicyDocument: a managed policy has one version in this lab. Delete the stack and create it again"
                .to_owned(),
        ));
    }
    let (old, new) = (texts(old, "Roles")?, texts(new, "Roles")?);
    for role in &new {
        attach(services, role, arn)?;
    }
    for role in old.difference(&new) {
        detach(services, role, arn)?;
    }
    Ok(())
}

fn delete(services: &Services, arn: &str, properties: &Properties) -> Result<(), Failure> {
    for role in texts(properties, "Roles")? {
        detach(services, &role, arn)?;
    }
    unless_gone(services.iam("DeletePolicy", &[("PolicyArn", arn)]))
}
