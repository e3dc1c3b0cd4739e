//! Stacks, resources, templates and change sets as the answers show them.

use super::parameters::Parameter;
use super::resources::ResourceType;
use super::stack::{
    Action, Change, ChangeDetail, ChangeSet, OnFailure, Stack, StackEvent, StackResource, Version,
};
use super::template::{Deletion, Template};
use crate::wire::query::{timestamp, Xml};
use std::collections::{BTreeMap, BTreeSet};

pub fn stack(stack: &Stack, xml: &mut Xml) {
    let version = &stack.version;
    xml.text("StackId", &stack.id)
        .text("StackName", &stack.name);
    optional(xml, "ChangeSetId", &stack.change_set_id);
    optional(xml, "Description", &version.template.description);
    given_parameters(version, xml);
    times(stack, xml);
    xml.element("RollbackConfiguration", |_| {});
    status(stack, xml);
    let disabled = stack.on_failure == OnFailure::DoNothing;
    xml.text("DisableRollback", disabled.to_string())
        .element("NotificationARNs", |_| {});
    list(xml, "Capabilities", &version.capabilities, |it, xml| {
        xml.text("member", it);
    });
    list(xml, "Outputs", &stack.outputs, |output, xml| {
        xml.element("member", |xml| {
            xml.text("OutputKey", &output.name)
                .text("OutputValue", &output.value);
            optional(xml, "Description", &output.description);
            optional(xml, "ExportName", &output.export);
        });
    });
    xml.element("Tags", |xml| tags(version, xml));
    if !stack.is_deleted() {
        xml.text("EnableTerminationProtection", "false");
    }
    drift("StackDriftStatus", xml);
}

/// As AWS sends it: a list of which there is nothing isn't there.
fn list<T>(xml: &mut Xml, name: &str, items: &[T], show: impl Fn(&T, &mut Xml)) {
    if !items.is_empty() {
        xml.element(name, |xml| items.iter().for_each(|item| show(item, xml)));
    }
}

fn given_parameters(version: &Version, xml: &mut Xml) {
    let given: Vec<_> = version.parameters.iter().collect();
    list(xml, "Parameters", &given, |(name, value), xml| {
        let parameter = version.template.parameters.get(*name);
        let hidden = parameter.is_some_and(|parameter| parameter.no_echo);
        xml.element("member", |xml| {
            xml.text("ParameterKey", name)
                .text("ParameterValue", if hidden { "****" } else { value });
        });
    });
}

fn tags(version: &Version, xml: &mut Xml) {
    for (key, value) in &version.tags {
        xml.element("member", |xml| {
            xml.text("Key", key).text("Value", value);
        });
    }
}

pub fn times(stack: &Stack, xml: &mut Xml) {
    xml.text("CreationTime", timestamp(stack.created_at));
    optional(xml, "LastUpdatedTime", &stack.updated_at.map(timestamp));
    optional(xml, "DeletionTime", &stack.deleted_at.map(timestamp));
}

pub fn status(stack: &Stack, xml: &mut Xml) {
    xml.text("StackStatus", stack.status);
    optional(xml, "StackStatusReason", &stack.reason);
}

pub fn stack_of(stack: &Stack, xml: &mut Xml) {
    xml.text("StackName", &stack.name)
        .text("StackId", &stack.id);
}

pub fn event(stack: &Stack, event: &StackEvent, xml: &mut Xml) {
    xml.text("StackId", &stack.id)
        .text("EventId", &event.id)
        .text("StackName", &stack.name)
        .text("LogicalResourceId", &event.resource)
        .text("PhysicalResourceId", &event.physical_id)
        .text("ResourceType", event.type_name)
        .text("Timestamp", timestamp(event.at))
        .text("ResourceStatus", event.status);
    optional(xml, "ResourceStatusReason", &event.reason);
    optional(xml, "ResourceProperties", &event.properties);
    optional(xml, "ClientRequestToken", &event.token);
}

pub fn resource(resource: &StackResource, time: &str, xml: &mut Xml) {
    xml.text("LogicalResourceId", &resource.name);
    if let Some(id) = physical(resource) {
        xml.text("PhysicalResourceId", id);
    }
    xml.text("ResourceType", resource.kind.name)
        .text(time, timestamp(resource.changed_at))
        .text("ResourceStatus", resource.status);
    optional(xml, "ResourceStatusReason", &resource.reason);
    drift("StackResourceDriftStatus", xml);
}

pub fn physical(resource: &StackResource) -> Option<&str> {
    Some(resource.provisioned.as_ref()?.id.as_str())
}

pub fn drift(name: &str, xml: &mut Xml) {
    xml.element("DriftInformation", |xml| {
        xml.text(name, "NOT_CHECKED");
    });
}

/// The parameters of a template, for ValidateTemplate.
pub fn parameters(template: &Template, xml: &mut Xml) {
    xml.element("Parameters", |xml| {
        for (name, parameter) in &template.parameters {
            xml.element("member", |xml| parameter_of(name, parameter, xml));
        }
    });
}

/// The same with what GetTemplateSummary adds.
pub fn parameters_in_full(template: &Template, xml: &mut Xml) {
    xml.element("Parameters", |xml| {
        for (name, parameter) in &template.parameters {
            xml.element("member", |xml| {
                parameter_of(name, parameter, xml);
                xml.text("ParameterType", parameter.type_name());
                xml.element("ParameterConstraints", |xml| {
                    list(
                        xml,
                        "AllowedValues",
                        &parameter.allowed_values,
                        |it, xml| {
                            xml.text("member", it);
                        },
                    );
                });
            });
        }
    });
}

fn parameter_of(name: &str, parameter: &Parameter, xml: &mut Xml) {
    xml.text("ParameterKey", name);
    optional(xml, "DefaultValue", &parameter.default);
    xml.text("NoEcho", parameter.no_echo.to_string());
    optional(xml, "Description", &parameter.description);
}

/// The capability that the caller of `CreateStack` will have to acknowledge, and why.
pub fn capabilities(template: &Template, xml: &mut Xml) {
    let Some(capability) = template.capability() else {
        return;
    };
    let resources = template.resources.values();
    let types: BTreeSet<_> = resources
        .filter(|resource| resource.kind.capability(&resource.properties).is_some())
        .map(|resource| resource.kind.name)
        .collect();
    let types: Vec<_> = types.into_iter().collect();
    xml.element("Capabilities", |xml| {
        xml.text("member", capability);
    });
    xml.text(
        "CapabilitiesReason",
        format!(
            "The following resource(s) require capabilities: [{}]",
            types.join(", ")
        ),
    );
}

/// The types of a template's resources, and which property would identify an existing one.
pub fn resource_types(template: &Template, xml: &mut Xml) {
    let mut types: BTreeMap<&str, (&ResourceType, Vec<&str>)> = BTreeMap::new();
    for (name, resource) in &template.resources {
        let entry = types.entry(resource.kind.name);
        let (_, names) = entry.or_insert_with(|| (resource.kind, Vec::new()));
        names.push(name);
    }
    xml.element("ResourceTypes", |xml| {
        for name in types.keys() {
            xml.text("member", name);
        }
    });
    xml.element("ResourceIdentifierSummaries", |xml| {
        for (kind, names) in types.values() {
            xml.element("member", |xml| {
                xml.text("ResourceType", kind.name);
                list(xml, "LogicalResourceIds", names, |name, xml| {
                    xml.text("member", name);
                });
                let identifiers: Vec<_> = kind.named_by.into_iter().collect();
                list(xml, "ResourceIdentifiers", &identifiers, |name, xml| {
                    xml.text("member", name);
                });
            });
        }
    });
}

pub fn change_set(stack: &Stack, set: &ChangeSet, xml: &mut Xml) {
    change_set_summary(stack, set, xml);
    given_parameters(&set.version, xml);
    xml.element("NotificationARNs", |_| {})
        .element("RollbackConfiguration", |_| {})
        .element("Capabilities", |xml| {
            for capability in &set.version.capabilities {
                xml.text("member", capability);
            }
        });
    if !set.version.tags.is_empty() {
        xml.element("Tags", |xml| tags(&set.version, xml));
    }
    xml.element("Changes", |xml| {
        for change in &set.changes {
            xml.element("member", |xml| {
                xml.text("Type", "Resource")
                    .element("ResourceChange", |xml| resource_change(change, xml));
            });
        }
    });
}

pub fn change_set_summary(stack: &Stack, set: &ChangeSet, xml: &mut Xml) {
    stack_of(stack, xml);
    xml.text("ChangeSetId", &set.id)
        .text("ChangeSetName", &set.name);
    optional(xml, "Description", &set.description);
    xml.text("CreationTime", timestamp(set.created_at))
        .text("ExecutionStatus", set.execution_status)
        .text("Status", set.status);
    optional(xml, "StatusReason", &set.reason);
    xml.text("IncludeNestedStacks", "false");
}

fn resource_change(change: &Change, xml: &mut Xml) {
    let action = match change.action {
        Action::Add => "Add",
        Action::Modify => "Modify",
        Action::Remove => "Remove",
    };
    let replaced = change.replacement();
    let kept = change.deletion != Deletion::Delete;
    let policy = match (change.action, replaced, kept) {
        (Action::Remove, _, false) => Some("Delete"),
        (Action::Remove, _, true) => Some("Retain"),
        (Action::Modify, Some("True"), false) => Some("ReplaceAndDelete"),
        (Action::Modify, Some("True"), true) => Some("ReplaceAndRetain"),
        _ => None,
    };
    if let Some(policy) = policy {
        xml.text("PolicyAction", policy);
    }
    xml.text("Action", action)
        .text("LogicalResourceId", &change.resource);
    optional(xml, "PhysicalResourceId", &change.physical_id);
    xml.text("ResourceType", change.kind.name);
    if let Some(replaced) = replaced {
        xml.text("Replacement", replaced);
    }
    let scope: BTreeSet<_> = change.details.iter().map(|it| it.attribute).collect();
    xml.element("Scope", |xml| {
        for attribute in scope {
            xml.text("member", attribute);
        }
    });
    xml.element("Details", |xml| {
        for detail in &change.details {
            xml.element("member", |xml| change_detail(detail, xml));
        }
    });
}

fn change_detail(detail: &ChangeDetail, xml: &mut Xml) {
    xml.element("Target", |xml| {
        xml.text("Attribute", detail.attribute);
        optional(xml, "Name", &detail.property);
        let recreation = if detail.recreation { "Always" } else { "Never" };
        xml.text("RequiresRecreation", recreation);
    });
    let evaluation = if detail.dynamic { "Dynamic" } else { "Static" };
    xml.text("Evaluation", evaluation)
        .text("ChangeSource", detail.source);
    optional(xml, "CausingEntity", &detail.cause);
}

pub fn optional(xml: &mut Xml, name: &str, text: &Option<String>) {
    if let Some(text) = text {
        xml.text(name, text);
    }
}
