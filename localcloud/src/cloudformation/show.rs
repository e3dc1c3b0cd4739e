//! Stacks, resources and templates as the answers show them.

use super::stack::{OnFailure, Stack, StackResource};
use super::template::Template;
use crate::wire::query::{timestamp, Xml};
use std::collections::BTreeSet;

pub fn stack(stack: &Stack, xml: &mut Xml) {
    let version = &stack.version;
    xml.text("StackId", &stack.id)
        .text("StackName", &stack.name);
    optional(xml, "Description", &version.template.description);
    xml.element("Parameters", |xml| {
        for (name, value) in &version.parameters {
            let parameter = version.template.parameters.get(name);
            let hidden = parameter.is_some_and(|parameter| parameter.no_echo);
            xml.element("member", |xml| {
                xml.text("ParameterKey", name)
                    .text("ParameterValue", if hidden { "****" } else { value });
            });
        }
    });
    times(stack, xml);
    xml.element("RollbackConfiguration", |_| {});
    status(stack, xml);
    let disabled = stack.on_failure == OnFailure::DoNothing;
    xml.text("DisableRollback", disabled.to_string())
        .element("NotificationARNs", |_| {});
    xml.element("Capabilities", |xml| {
        for capability in &version.capabilities {
            xml.text("member", capability);
        }
    });
    xml.element("Outputs", |xml| {
        for output in &stack.outputs {
            xml.element("member", |xml| {
                xml.text("OutputKey", &output.name)
                    .text("OutputValue", &output.value);
                optional(xml, "Description", &output.description);
                optional(xml, "ExportName", &output.export);
            });
        }
    });
    xml.element("Tags", |xml| {
        for (key, value) in &version.tags {
            xml.element("member", |xml| {
                xml.text("Key", key).text("Value", value);
            });
        }
    });
    xml.text("EnableTerminationProtection", "false");
    drift("StackDriftStatus", xml);
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

pub fn parameters(template: &Template, with_types: bool, xml: &mut Xml) {
    xml.element("Parameters", |xml| {
        for (name, parameter) in &template.parameters {
            xml.element("member", |xml| {
                xml.text("ParameterKey", name);
                optional(xml, "DefaultValue", &parameter.default);
                if with_types {
                    xml.text("ParameterType", parameter.type_name());
                }
                xml.text("NoEcho", parameter.no_echo.to_string());
                optional(xml, "Description", &parameter.description);
                if with_types {
                    xml.element("ParameterConstraints", |xml| {
                        xml.element("AllowedValues", |xml| {
                            for value in &parameter.allowed_values {
                                xml.text("member", value);
                            }
                        });
                    });
                }
            });
        }
    });
}

/// What the caller of `CreateStack` will have to acknowledge, and why.
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

pub fn optional(xml: &mut Xml, name: &str, text: &Option<String>) {
    if let Some(text) = text {
        xml.text(name, text);
    }
}
