//! The operations that only show: stacks, their resources, events and templates.

use super::error::invalid;
use super::request::{refuse, template_body, STATUSES};
use super::show;
use super::stack::{Stack, StackResource, Stacks};
use super::template::Template;
use crate::wire::error::ApiError;
use crate::wire::query::{timestamp, Form, Xml};
use std::collections::BTreeSet;
use std::sync::Arc;

pub fn describe_stacks(stacks: &Stacks, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    let state = stacks.state();
    let stacks: Vec<&Stack> = match form.get("StackName").filter(|name| !name.is_empty()) {
        Some(name) => vec![state.get(name)?],
        None => {
            let live = state.stacks.iter().rev();
            live.filter(|stack| !stack.is_deleted()).collect()
        }
    };
    xml.element("Stacks", |xml| {
        for stack in stacks {
            xml.element("member", |xml| show::stack(stack, xml));
        }
    });
    Ok(())
}

pub fn list_stacks(stacks: &Stacks, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    let wanted = form.list("StackStatusFilter");
    if wanted.iter().any(|status| !STATUSES.contains(status)) {
        return Err(invalid(format!(
            "1 validation error detected: Value '[{}]' at 'stackStatusFilter' failed to satisfy constraint: \
             Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
            wanted.join(", "),
            STATUSES.join(", ")
        )));
    }
    let state = stacks.state();
    let stacks = state.stacks.iter().rev();
    let stacks = stacks.filter(|stack| wanted.is_empty() || wanted.contains(&stack.status));
    xml.element("StackSummaries", |xml| {
        for stack in stacks {
            xml.element("member", |xml| {
                xml.text("StackId", &stack.id)
                    .text("StackName", &stack.name);
                show::optional(
                    xml,
                    "TemplateDescription",
                    &stack.version.template.description,
                );
                show::times(stack, xml);
                show::status(stack, xml);
                show::drift("StackDriftStatus", xml);
            });
        }
    });
    Ok(())
}

pub fn describe_stack_events(stacks: &Stacks, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    let name = form.required("StackName")?;
    let state = stacks.state();
    let stack = state
        .find(name)
        .ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
    xml.element("StackEvents", |xml| {
        for event in stack.events.iter().rev() {
            xml.element("member", |xml| {
                xml.text("StackId", &stack.id)
                    .text("EventId", &event.id)
                    .text("StackName", &stack.name)
                    .text("LogicalResourceId", &event.resource)
                    .text("PhysicalResourceId", &event.physical_id)
                    .text("ResourceType", event.type_name)
                    .text("Timestamp", timestamp(event.at))
                    .text("ResourceStatus", event.status);
                show::optional(xml, "ResourceStatusReason", &event.reason);
                show::optional(xml, "ClientRequestToken", &event.token);
            });
        }
    });
    Ok(())
}

pub fn describe_stack_resource(
    stacks: &Stacks,
    form: &Form,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let name = form.required("StackName")?;
    let logical_id = form.required("LogicalResourceId")?;
    let state = stacks.state();
    let stack = state
        .find(name)
        .ok_or_else(|| invalid(format!("Stack '{name}' does not exist")))?;
    let resource = resource(stack, logical_id, name)?;
    xml.element("StackResourceDetail", |xml| {
        show::stack_of(stack, xml);
        show::resource(resource, "LastUpdatedTimestamp", xml);
    });
    Ok(())
}

pub fn describe_stack_resources(
    stacks: &Stacks,
    form: &Form,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let state = stacks.state();
    let by_resource = form.get("PhysicalResourceId").filter(|id| !id.is_empty());
    let name = form.get("StackName").filter(|name| !name.is_empty());
    let stack = match (name, by_resource) {
        (Some(name), _) => state.get(name)?,
        (None, Some(physical_id)) => {
            let owns = |stack: &&Stack| {
                let mut resources = stack.resources.iter();
                !stack.is_deleted()
                    && resources.any(|resource| show::physical(resource) == Some(physical_id))
            };
            state
                .stacks
                .iter()
                .find(owns)
                .ok_or_else(|| invalid(format!("Stack for {physical_id} does not exist")))?
        }
        (None, None) => {
            return Err(invalid(
                "Either a StackName or a PhysicalResourceId must be specified.",
            ))
        }
    };
    let resources: Vec<_> = match form.get("LogicalResourceId").filter(|id| !id.is_empty()) {
        Some(logical_id) => vec![resource(stack, logical_id, &stack.name)?],
        None => stack.resources.iter().collect(),
    };
    xml.element("StackResources", |xml| {
        for resource in resources {
            xml.element("member", |xml| {
                show::stack_of(stack, xml);
                show::resource(resource, "Timestamp", xml);
            });
        }
    });
    Ok(())
}

pub fn list_stack_resources(stacks: &Stacks, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    let state = stacks.state();
    let stack = state.get(form.required("StackName")?)?;
    xml.element("StackResourceSummaries", |xml| {
        for resource in &stack.resources {
            xml.element("member", |xml| {
                show::resource(resource, "LastUpdatedTimestamp", xml);
            });
        }
    });
    Ok(())
}

pub fn get_template(stacks: &Stacks, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    refuse(form, "ChangeSetName")?;
    let state = stacks.state();
    let stack = state.get(form.required("StackName")?)?;
    xml.text("TemplateBody", &stack.version.body);
    xml.element("StagesAvailable", |xml| {
        xml.text("member", "Original").text("member", "Processed");
    });
    Ok(())
}

pub fn get_template_summary(stacks: &Stacks, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    refuse(form, "StackSetName")?;
    let template = match form.get("StackName").filter(|name| !name.is_empty()) {
        Some(name) => stacks.state().get(name)?.version.template.clone(),
        None => Arc::new(Template::read(template_body(form)?)?),
    };
    show::parameters(&template, true, xml);
    show::capabilities(&template, xml);
    show::optional(xml, "Description", &template.description);
    let resources = template.resources.values();
    let types: BTreeSet<_> = resources.map(|resource| resource.kind.name).collect();
    xml.element("ResourceTypes", |xml| {
        for name in types {
            xml.text("member", name);
        }
    });
    xml.text("Version", "2010-09-09");
    Ok(())
}
pub fn validate_template(form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    let template = Template::read(template_body(form)?)?;
    show::parameters(&template, false, xml);
    show::capabilities(&template, xml);
    show::optional(xml, "Description", &template.description);
    Ok(())
}

fn resource<'a>(
    stack: &'a Stack,
    logical_id: &str,
    asked_for: &str,
) -> Result<&'a StackResource, ApiError> {
    let mut resources = stack.resources.iter();
    resources
        .find(|resource| resource.name == logical_id)
        .ok_or_else(|| {
            invalid(format!(
                "Resource {logical_id} does not exist for stack {asked_for}"
            ))
        })
}
