//! The resource type `AWS::IAM::RolePolicy`: one inline policy of one role.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-rolepolicy.html>.

use super::iam::{put, remove};
use super::property::{document, required};
use super::resource_type::{Failure, Handler, Pending, Properties, Provisioned, ResourceType};
use super::services::Services;
use std::collections::BTreeMap;

pub static ROLE_POLICY: ResourceType = ResourceType {
    name: "AWS::IAM::RolePolicy",
    service: "Iam",
    properties: &["PolicyDocument", "PolicyName", "RoleName"],
    attributes: &[],
    named_by: None,
    fixed: &["PolicyName", "RoleName"],
    takes_tags: false,
    grants_access: true,
    handler: &RolePolicy,
};

struct RolePolicy;

impl Handler for RolePolicy {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        document(properties, "PolicyDocument")?;
        required(properties, "PolicyName")?;
        required(properties, "RoleName").map(drop)
    }

    fn create<'a>(
        &self,
        services: &'a Services,
        properties: &'a Properties,
        _generated: &'a str,
    ) -> Pending<'a, Provisioned> {
        Box::pin(async move {
            let (role, policy) = put_policy(services, properties)?;
            Ok(Provisioned {
                id: format!("{policy}|{role}"),
                attributes: BTreeMap::new(),
            })
        })
    }

    fn update<'a>(
        &self,
        services: &'a Services,
        _policy: &'a Provisioned,
        _old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move { put_policy(services, new).map(drop) })
    }

    fn delete<'a>(
        &self,
        services: &'a Services,
        _policy: &'a Provisioned,
        properties: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            let role = required(properties, "RoleName")?;
            remove(services, &role, &required(properties, "PolicyName")?)
        })
    }
}

fn put_policy(services: &Services, properties: &Properties) -> Result<(String, String), Failure> {
    let (role, policy) = (
        required(properties, "RoleName")?,
        required(properties, "PolicyName")?,
    );
    put(
        services,
        &role,
        &policy,
        &document(properties, "PolicyDocument")?,
    )?;
    Ok((role, policy))
}
