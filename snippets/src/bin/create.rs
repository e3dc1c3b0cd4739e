//! Creates a stack from a template and prints its outputs, the queue's URL among them. Page: `book/02-create.md`.
//!
//!     cargo run --bin create
//!     cargo run --bin create -- fifo-queue

use aws_sdk_cloudformation::operation::create_stack::CreateStackError;
use aws_sdk_cloudformation::types::{Capability, Parameter, StackEvent};
use aws_sdk_cloudformation::Client;
use snippets::{connect, named, println, Result, Template};
use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result {
    let template = Template::from_command_line();
    let cloudformation = Client::new(&connect().await);
    let stack = named(template.stack);
    if !create(&cloudformation, &stack, &template).await? {
        println!("{stack} exists already. Its history:");
    }
    follow(&cloudformation, &stack).await?;
    print_outputs(&cloudformation, &stack).await
}
// ANCHOR_END: main

// ANCHOR: create
/// Asks for the stack. False when it exists already.
async fn create(cloudformation: &Client, stack: &str, template: &Template) -> Result<bool> {
    let (key, name) = template.parameter;
    let parameter = Parameter::builder().parameter_key(key).parameter_value(named(name)).build();
    let creation = cloudformation
        .create_stack()
        .stack_name(stack)
        .template_body(template.body)
        .parameters(parameter)
        // Some of the templates make a role.
        .capabilities(Capability::CapabilityIam)
        .send()
        .await;
    match creation {
        Ok(_) => Ok(true),
        Err(error) if exists(error.as_service_error()) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn exists(error: Option<&CreateStackError>) -> bool {
    error.is_some_and(CreateStackError::is_already_exists_exception)
}
// ANCHOR_END: create

// ANCHOR: follow
/// Prints the stack's events as they come, until the stack itself is done.
async fn follow(cloudformation: &Client, stack: &str) -> Result {
    let mut printed = 0;
    loop {
        let history = cloudformation.describe_stack_events().stack_name(stack).send().await?;
        let newest_first = history.stack_events();
        for event in newest_first.iter().rev().skip(printed) {
            print(event);
        }
        printed = newest_first.len();
        if newest_first.first().is_some_and(ends) {
            return Ok(());
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// The stack itself is done. It is known by its type: a resource may have the same name.
fn ends(event: &StackEvent) -> bool {
    event.resource_type() == Some("AWS::CloudFormation::Stack")
        && !status(event).ends_with("_IN_PROGRESS")
}
// ANCHOR_END: follow

fn print(event: &StackEvent) {
    let resource = event.logical_resource_id().unwrap_or_default();
    match event.resource_status_reason() {
        Some(reason) => println!("{:20} {resource}: {reason}", status(event)),
        None => println!("{:20} {resource}", status(event)),
    }
    let is_too_soon = |reason: &str| reason.contains("must wait 60 seconds");
    if event.resource_status_reason().is_some_and(is_too_soon) {
        println!("  the minute is over at once on the local cloud with `cargo run -- clock +60s`");
    }
}

fn status(event: &StackEvent) -> &str {
    event.resource_status().map_or("", |status| status.as_str())
}

// ANCHOR: outputs
async fn print_outputs(cloudformation: &Client, stack: &str) -> Result {
    let described = cloudformation.describe_stacks().stack_name(stack).send().await?;
    for found in described.stacks() {
        let status = found.stack_status().map_or("", |status| status.as_str());
        if !["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&status) {
            return Err(format!(
                "{stack} is {status}: mend the cause, delete it with `cargo run --bin cleanup`, create it again"
            )
            .into());
        }
        for output in found.outputs() {
            let key = output.output_key().unwrap_or_default();
            println!("{key}: {}", output.output_value().unwrap_or_default());
        }
    }
    Ok(())
}
// ANCHOR_END: outputs
