//! The resource type `AWS::Lambda::Function`, which no stack of this lab can make: a template says where a function's
//! program is, and none of the places that it can name exist here. A stack with one fails and says what to do instead.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-code.html>.

use super::property::{optional, required};
use super::resource_type::{Failure, Handler, Pending, Properties, Provisioned, ResourceType};
use super::services::Services;

pub static FUNCTION: ResourceType = ResourceType {
    name: "AWS::Lambda::Function",
    service: "Lambda",
    properties: &[
        "Architectures",
        "Code",
        "CodeSigningConfigArn",
        "DeadLetterConfig",
        "Description",
        "Environment",
        "EphemeralStorage",
        "FileSystemConfigs",
        "FunctionName",
        "Handler",
        "ImageConfig",
        "KmsKeyArn",
        "Layers",
        "LoggingConfig",
        "MemorySize",
        "PackageType",
        "RecursiveLoop",
        "ReservedConcurrentExecutions",
        "Role",
        "Runtime",
        "RuntimeManagementConfig",
        "SnapStart",
        "Tags",
        "Timeout",
        "TracingConfig",
        "VpcConfig",
    ],
    attributes: &[
        "Arn",
        "SnapStartResponse",
        "SnapStartResponse.ApplyOn",
        "SnapStartResponse.OptimizationStatus",
    ],
    named_by: Some("FunctionName"),
    fixed: &["FunctionName", "PackageType"],
    takes_tags: true,
    grants_access: false,
    handler: &Function,
};

const DEPLOY: &str =
    "Leave the function out of the template and deploy it with `cargo run --bin deploy`";

struct Function;

impl Handler for Function {
    fn check(&self, properties: &Properties) -> Result<(), Failure> {
        required(properties, "Role")?;
        Err(Failure::Handler(why_not(properties)))
    }

    fn create<'a>(
        &self,
        _services: &'a Services,
        properties: &'a Properties,
        _generated: &'a str,
    ) -> Pending<'a, Provisioned> {
        Box::pin(async move { Err(Failure::Handler(why_not(properties))) })
    }

    fn update<'a>(
        &self,
        _services: &'a Services,
        _function: &'a Provisioned,
        _old: &'a Properties,
        new: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async move { Err(Failure::Handler(why_not(new))) })
    }

    fn delete<'a>(
        &self,
        _services: &'a Services,
        _function: &'a Provisioned,
        _properties: &'a Properties,
    ) -> Pending<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

// Differs from AWS: functions-in-templates: a template can't make a function, since its code would come from S3 or from a managed runtime.
fn why_not(properties: &Properties) -> String {
    let code = properties.get("Code");
    let has = |name: &str| code.is_some_and(|code| code.get(name).is_some());
    let runtime = optional(properties, "Runtime");
    let inline_is_allowed =
        |runtime: &str| runtime.starts_with("nodejs") || runtime.starts_with("python");
    match runtime.as_deref() {
        _ if has("S3Bucket") => format!("There is no S3 in this lab, from which the function could get its code. {DEPLOY}"),
        _ if has("ImageUri") => format!("There are no container images in this lab. {DEPLOY}"),
        None if has("ZipFile") => {
            "Invalid request provided: Using the ZipFile attribute requires a runtime to be specified".to_owned()
        }
        Some(runtime) if has("ZipFile") && inline_is_allowed(runtime) => format!(
            "There is no {runtime} in this lab: a function brings its own program, as one written in Rust does, for the \
             runtime provided.al2023. {DEPLOY}"
        ),
        // AWS lists the versions, too.
        Some(_) if has("ZipFile") => {
            format!("ZipFile can only be used when Runtime is set to either of nodejs, python. {DEPLOY}")
        }
        _ => format!("The property Code says nothing that this lab knows. {DEPLOY}"),
    }
}
