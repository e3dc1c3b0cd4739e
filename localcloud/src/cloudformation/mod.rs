//! CloudFormation over the query protocol: the stacks of the lab's templates. A request is read by `request`, worked on
//! by `lifecycle` and `provision`, or answered by `describe`; `template` reads templates, `resources` knows their types.
//!
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html>.

mod change_set;
mod changes;
mod dependencies;
mod describe;
mod error;
mod intrinsic;
mod lifecycle;
mod parameters;
mod provision;
mod references;
mod request;
mod resolve;
mod resources;
mod show;
mod stack;
mod template;
mod update;
mod yaml;

use crate::clock::Clock;
use crate::iam::Iam;
use crate::kinesis::Kinesis;
use crate::lambda::mapping::Mappings;
use crate::logs::Logs;
use crate::sqs::Sqs;
use crate::wire::error::ApiError;
use crate::wire::query::{Form, Xml};
use resources::Services;
use stack::Stacks;
use std::sync::Arc;

/// The operations there are.
pub const OPERATIONS: [&str; 19] = [
    "CreateChangeSet",
    "CreateStack",
    "DeleteChangeSet",
    "DeleteStack",
    "DescribeChangeSet",
    "DescribeStackEvents",
    "DescribeStackResource",
    "DescribeStackResources",
    "DescribeStacks",
    "ExecuteChangeSet",
    "GetTemplate",
    "GetTemplateSummary",
    "ListChangeSets",
    "ListExports",
    "ListImports",
    "ListStackResources",
    "ListStacks",
    "UpdateStack",
    "ValidateTemplate",
];

/// The stacks of the account.
pub struct CloudFormation(Arc<Stacks>);

impl CloudFormation {
    /// No stacks yet. The resources of templates are made in these services.
    pub fn new(
        clock: Clock,
        sqs: Sqs,
        kinesis: Kinesis,
        iam: Iam,
        logs: Logs,
        mappings: Mappings,
        seed: u64,
    ) -> Self {
        let services = Services {
            sqs,
            kinesis,
            iam,
            logs,
            mappings,
            base: String::new(),
        };
        Self(Arc::new(Stacks::new(clock, services, seed)))
    }

    /// Answers `action` with the XML of its result. `base` is the URL by which the caller reached the local cloud.
    ///
    /// # Errors
    ///
    /// The operation's own, mostly `ValidationError`, or `UnknownOperationException` for one that isn't here.
    pub async fn call(&self, action: &str, form: &Form, base: &str) -> Result<String, ApiError> {
        let (stacks, mut xml) = (&self.0, Xml::default());
        match action {
            "CreateStack" => lifecycle::create_stack(stacks, form, base, &mut xml).await?,
            "UpdateStack" => lifecycle::update_stack(stacks, form, &mut xml).await?,
            "DeleteStack" => lifecycle::delete_stack(stacks, form).await?,
            "CreateChangeSet" => change_set::create(stacks, form, base, &mut xml)?,
            "ExecuteChangeSet" => change_set::execute(stacks, form).await?,
            "DeleteChangeSet" => change_set::delete(stacks, form)?,
            "DescribeChangeSet" => change_set::describe(stacks, form, &mut xml)?,
            "ListChangeSets" => change_set::list(stacks, form, &mut xml)?,
            "ListExports" => describe::list_exports(stacks, &mut xml),
            "ListImports" => describe::list_imports(stacks, form, &mut xml)?,
            "DescribeStacks" => describe::describe_stacks(stacks, form, &mut xml)?,
            "ListStacks" => describe::list_stacks(stacks, form, &mut xml)?,
            "DescribeStackEvents" => describe::describe_stack_events(stacks, form, &mut xml)?,
            "DescribeStackResource" => describe::describe_stack_resource(stacks, form, &mut xml)?,
            "DescribeStackResources" => describe::describe_stack_resources(stacks, form, &mut xml)?,
            "ListStackResources" => describe::list_stack_resources(stacks, form, &mut xml)?,
            "GetTemplate" => describe::get_template(stacks, form, &mut xml)?,
            "GetTemplateSummary" => describe::get_template_summary(stacks, form, &mut xml)?,
            "ValidateTemplate" => describe::validate_template(form, &mut xml)?,
            _ => return Err(ApiError::not_in_this_lab("cloudformation", action)),
        }
        Ok(xml.finish())
    }
}
