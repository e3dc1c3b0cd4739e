//! The resource type `AWS::IAM::Policy`: one inline policy for several roles.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-policy.html>.

use super::iam::{put, remove};
use super::property::{cut, document, required, texts};
use super::resource_type::{Failure, Handler, Pending, Properties, Provisioned, ResourceType};
use super::services::Services;
use std::collections::BTreeMap;

pub static POLICY: ResourceType = ResourceType {
    name: "AWS::IAM::Policy",
    service: "Iam",
    properties: &["PolicyDocument", "PolicyName", "Roles"],
    attributes: &["Id"],
    named_by: None,
    fixed: &[],
    takes_tags: false,
    grants_access: true,
    handler: &Policy,
};

const MAX_ID_LENGTH: usize = 128;

struct Policy;

impl Handler for Policy {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        required(properties, "PolicyName")?;
        document(properties, "PolicyDocument")?;
        texts(properties, "Roles").map(drop)
    }

    fn create<'a>(
        &self,
        services: &'a Services,
        properties: &'a Properties,
        generated: &'a str,
    ) -> Pending<'a, Provisioned> {
        Box::pin(async move {
            if let Err(failure) = put_everywhere(services, properties) {
                // A creation that failed halfway leaves nothing behind.
                let _ = delete(services, properties);
                return Err(failure);
            }
            let id = cut(generated, MAX_ID_LENGTH);
            Ok(Provisioned {
                id: id.clone(),
                attributes: BTreeMap::from([("Id", id)]),
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
            put_everywhere(services, new)?;
            let (old_name, new_name) = (required(old, "PolicyName")?, required(new, "PolicyName")?);
            let kept = texts(new, "Roles")?;
            for role in texts(old, "Roles")? {
                if old_name != new_name || !kept.contains(&role) {
                    remove(services, &role, &old_name)?;
                }
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
        Box::pin(async move { delete(services, properties) })
    }
}

fn put_everywhere(services: &Services, properties: &Properties) -> Result<(), Failure> {
    let name = required(properties, "PolicyName")?;
    let document = document(properties, "PolicyDocument")?;
    for role in texts(properties, "Roles")? {
        put(services, &role, &name, &document)?;
    }
    Ok(())
}

fn delete(services: &Services, properties: &Properties) -> Result<(), Failure> {
    let name = required(properties, "PolicyName")?;
    for role in texts(properties, "Roles")? {
        remove(services, &role, &name)?;
    }
    Ok(())
}
