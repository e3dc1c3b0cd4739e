//! The stack of a function: its role and its log group.

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{Capability, Parameter, Stack};
use aws_sdk_cloudformation::Client;
use snippets::Result;
use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: output
/// An output of a stack, such as the ARN of its role.
pub async fn output(cfn: &Client, stack: &str, key: &str) -> Result<String> {
    let outputs = described(cfn, stack).await?.outputs.unwrap_or_default();
    let found = outputs.into_iter().find(|output| output.output_key() == Some(key));
    let value = found.and_then(|output| output.output_value);
    value.ok_or_else(|| format!("the stack {stack} has no output {key}").into())
}
// ANCHOR_END: output

// ANCHOR: parameter
/// The value of a stack's parameter.
pub async fn parameter(cfn: &Client, stack: &str, key: &str) -> Result<String> {
    let parameters = described(cfn, stack).await?.parameters.unwrap_or_default();
    let found = parameters.into_iter().find(|parameter| parameter.parameter_key() == Some(key));
    let value = found.and_then(|parameter| parameter.parameter_value);
    value.ok_or_else(|| format!("the stack {stack} has no parameter {key}").into())
}
// ANCHOR_END: parameter

async fn described(cfn: &Client, stack: &str) -> Result<Stack> {
    let asked = cfn.describe_stacks().stack_name(stack).send().await?;
    let found = asked.stacks.unwrap_or_default().pop();
    found.ok_or_else(|| format!("there is no stack {stack}").into())
}

// ANCHOR: allow
/// Updates the stack of a function so that Lambda may read `everything`, or only `one` queue or stream, in its name.
pub async fn allow(cfn: &Client, stack: &str, may_read: &str, source: &str) -> Result {
    let given = |key, value| Parameter::builder().parameter_key(key).parameter_value(value);
    let update = cfn
        .update_stack()
        .stack_name(stack)
        .use_previous_template(true)
        .capabilities(Capability::CapabilityIam)
        .parameters(
            Parameter::builder().parameter_key("FunctionName").use_previous_value(true).build(),
        )
        .parameters(given("MayRead", may_read).build())
        .parameters(given("SourceName", source).build());
    match update.send().await {
        Err(error) if error.message().unwrap_or("").contains("No updates") => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => complete(cfn, stack).await,
    }
}
// ANCHOR_END: allow

/// Creates the stack of a function, for an experiment.
pub async fn create_stack(cfn: &Client, stack: &str, body: &str) -> Result {
    let name = Parameter::builder().parameter_key("FunctionName").parameter_value(stack).build();
    cfn.create_stack()
        .stack_name(stack)
        .template_body(body)
        .parameters(name)
        .capabilities(Capability::CapabilityIam)
        .send()
        .await?;
    complete(cfn, stack).await
}

/// Deletes a stack and waits until it is gone.
pub async fn delete_stack(cfn: &Client, stack: &str) -> Result {
    cfn.delete_stack().stack_name(stack).send().await?;
    stack_gone(cfn, stack).await
}

// ANCHOR: stack_gone
/// Waits until a stack that is being deleted is gone. An error if CloudFormation stops before that.
pub async fn stack_gone(cfn: &Client, stack: &str) -> Result {
    for pause in pauses() {
        sleep(pause).await;
        let found = match cfn.describe_stacks().stack_name(stack).send().await {
            Err(error) if error.message().unwrap_or("").ends_with("does not exist") => {
                return Ok(())
            }
            asked => asked?.stacks.unwrap_or_default().pop(),
        };
        let Some(found) = found else { return Ok(()) };
        let status = found.stack_status.as_ref().map_or("", |s| s.as_str());
        if !status.ends_with("_IN_PROGRESS") {
            let reason = found.stack_status_reason.unwrap_or_default();
            return Err(format!("{stack} is {status}: {reason}").into());
        }
    }
    Err(format!("{stack} is not gone after five minutes: its events say why").into())
}
// ANCHOR_END: stack_gone

/// Waits until the work on a stack is done.
async fn complete(cfn: &Client, stack: &str) -> Result {
    for pause in pauses() {
        let status = described(cfn, stack).await?.stack_status;
        match status.as_ref().map_or("", |status| status.as_str()) {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => return Ok(()),
            busy if busy.ends_with("_IN_PROGRESS") => sleep(pause).await,
            other => return Err(format!("{stack} is {other}: its events say why").into()),
        }
    }
    Err(format!("{stack} is not ready after five minutes: its events say why").into())
}

/// Short pauses at first, for the local cloud; longer ones for AWS, which refuses those who ask too often. Five minutes
/// in all.
fn pauses() -> impl Iterator<Item = Duration> {
    let longer = |pause: &Duration| Some((*pause * 2).min(Duration::from_secs(3)));
    std::iter::successors(Some(Duration::from_millis(100)), longer).take(104)
}
