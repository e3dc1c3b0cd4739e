//! The operations that only show: stacks, their resources, events and templates.

use super::change_set;
use super::error::{constraint, invalid};
use super::request::{refuse, template_body, STATUSES};
use super::show;
use super::stack::{Stack, StackResource, Stacks};
use super::template::Template;
use crate::wire::error::ApiError;
use crate::wire::query::{Form, Xml};
use serde_json::Value;
use std::collections::BTreeMap;
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
        let given = format!("[{}]", wanted.join(", "));
        let rule = format!(
            "Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
            STATUSES.join(", ")
        );
        return Err(constraint(&given, "stackStatusFilter", &rule));
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
            xml.element("member", |xml| show::event(stack, event, xml));
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
    if resource.provisioned.is_none() && !resource.status.ends_with("_IN_PROGRESS") {
        return Err(no_resource(logical_id, name));
    }
    let metadata = resource.metadata.as_ref();
    xml.element("StackResourceDetail", |xml| {
        show::stack_of(stack, xml);
        show::resource(resource, "LastUpdatedTimestamp", xml);
        xml.text(
            "Metadata",
            metadata.map_or("{}".to_owned(), Value::to_string),
        );
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
    let state = stacks.state();
    let change_set = form.get("ChangeSetName").filter(|name| !name.is_empty());
    let name = form.get("StackName").filter(|name| !name.is_empty());
    let version = match (name, change_set) {
        (None, None) => {
            return Err(invalid(
                "StackName is required if ChangeSetName is not specified.",
            ))
        }
        (None, Some(id)) if !id.starts_with("arn:") => {
            return Err(invalid("StackName is a required parameter."))
        }
        (name, Some(id)) => change_set::find(&state, name, id)?.1.version.clone(),
        (Some(name), None) => state.get(name)?.version.clone(),
    };
    xml.text("TemplateBody", &version.body);
    xml.element("StagesAvailable", |xml| {
        xml.text("member", "Original").text("member", "Processed");
    });
    Ok(())
}

pub fn get_template_summary(stacks: &Stacks, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    refuse(form, "StackSetName")?;
    let template = match form.get("StackName").filter(|name| !name.is_empty()) {
        Some(name) => {
            let state = stacks.state();
            let stack = state.get(name)?;
            if stack.is_in_review() {
                return Err(invalid(
                    "GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.",
                ));
            }
            stack.version.template.clone()
        }
        None => Arc::new(Template::read(template_body(form)?)?),
    };
    show::parameters_in_full(&template, xml);
    show::capabilities(&template, xml);
    show::optional(xml, "Description", &template.description);
    show::resource_types(&template, xml);
    if let Some(metadata) = &template.metadata {
        xml.text("Metadata", metadata.to_string());
    }
    xml.text("Version", "2010-09-09");
    Ok(())
}

pub fn validate_template(form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    let template = Template::read(template_body(form)?)?;
    show::parameters(&template, xml);
    show::capabilities(&template, xml);
    show::optional(xml, "Description", &template.description);
    Ok(())
}

/// The outputs that other stacks can import.
pub fn list_exports(stacks: &Stacks, xml: &mut Xml) {
    let state = stacks.state();
    let exports: BTreeMap<_, _> = state
        .exports()
        .map(|(name, value, stack)| (name, (value, &stack.id)))
        .collect();
    xml.element("Exports", |xml| {
        for (name, (value, stack_id)) in exports {
            xml.element("member", |xml| {
                xml.text("ExportingStackId", stack_id)
                    .text("Name", name)
                    .text("Value", value);
            });
        }
    });
}

/// The stacks that import an export.
pub fn list_imports(stacks: &Stacks, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    let name = form.required("ExportName")?;
    let state = stacks.state();
    if !state.exports().any(|(export, _, _)| export == name) {
        return Err(invalid(format!("Export '{name}' does not exist.")));
    }
    let importers: Vec<_> = state.live().filter(|stack| stack.imports(name)).collect();
    if importers.is_empty() {
        return Err(invalid(format!(
            "Export '{name}' is not imported by any stack."
        )));
    }
    xml.element("Imports", |xml| {
        for stack in importers {
            xml.text("member", &stack.name);
        }
    });
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
        .ok_or_else(|| no_resource(logical_id, asked_for))
}

fn no_resource(logical_id: &str, stack: &str) -> ApiError {
    invalid(format!(
        "Resource {logical_id} does not exist for stack {stack}"
    ))
}
