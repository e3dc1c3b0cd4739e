//! A template: its sections, read from YAML or JSON. `dependencies` checks what they say of each other.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html>.

use super::error::{constraint, invalid};
use super::parameters::Parameter;
use super::resolve::Mappings;
use super::resources::{self, ResourceType};
use super::yaml;
use crate::wire::error::ApiError;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const MAX_BODY_LENGTH: usize = 51_200;
const NO_RESOURCE: &str = "Template format error: Any Resources member must be an object.";
const MAX_RESOURCES: usize = 500;
const MAX_PARAMETERS: usize = 200;
const MAX_MAPPINGS: usize = 200;
const MAX_OUTPUTS: usize = 200;

#[derive(Debug, Default)]
pub struct Template {
    pub description: Option<String>,
    pub parameters: BTreeMap<String, Parameter>,
    pub conditions: BTreeMap<String, Value>,
    pub mappings: Arc<Mappings>,
    pub metadata: Option<Value>,
    pub resources: BTreeMap<String, Resource>,
    pub outputs: BTreeMap<String, Output>,
}

/// One entry of `Resources`.
#[derive(Debug, PartialEq)]
pub struct Resource {
    pub kind: &'static ResourceType,
    pub properties: Value,
    pub depends_on: BTreeSet<String>,
    pub condition: Option<String>,
    pub deletion: Deletion,
    /// For the old resource when an update puts a new one in its place.
    pub replacement: Deletion,
    pub metadata: Option<Value>,
}

/// Whether a resource goes when its stack no longer needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    Delete,
    Retain,
    /// Kept, unless the stack fails while it is being created.
    RetainExceptOnCreate,
}

/// One entry of `Outputs`.
#[derive(Debug, PartialEq)]
pub struct Output {
    pub value: Value,
    pub description: Option<String>,
    pub export: Option<Value>,
    pub condition: Option<String>,
}

impl Template {
    /// The sections of a template, whose references may lead nowhere.
    pub(super) fn parse(body: &str) -> Result<Self, ApiError> {
        if body.len() > MAX_BODY_LENGTH {
            let rule = format!("Member must have length less than or equal to {MAX_BODY_LENGTH}");
            return Err(constraint(body, "templateBody", &rule));
        }
        let Value::Object(mut sections) = yaml::read(body)? else {
            return Err(invalid("Template format error: unsupported structure."));
        };
        if let Some(path) = find_null(&sections) {
            return Err(invalid(format!(
                "[{path}] 'null' values are not allowed in templates"
            )));
        }
        check_sections(&sections)?;
        let mut section = |name: &str| match sections.remove(name) {
            None => Ok(Map::new()),
            Some(Value::Object(entries)) => Ok(entries),
            Some(_) if name == "Resources" => Err(invalid(NO_RESOURCE)),
            Some(_) => Err(invalid(format!(
                "Template format error: {name} must be an object."
            ))),
        };
        let parameters = entries(section("Parameters")?, "parameter", MAX_PARAMETERS)?
            .into_iter()
            .map(|(name, entry)| Ok((name.clone(), Parameter::parse(&name, &entry)?)))
            .collect::<Result<_, ApiError>>()?;
        let conditions = section("Conditions")?.into_iter().collect();
        let mappings = Arc::new(parse_mappings(section("Mappings")?)?);
        let resources: BTreeMap<_, _> = entries(section("Resources")?, "resource", MAX_RESOURCES)?
            .into_iter()
            .collect();
        if resources.is_empty() {
            return Err(invalid(
                "Template format error: At least one Resources member must be defined.",
            ));
        }
        let resources = parse_resources(resources)?;
        let outputs = entries(section("Outputs")?, "output", MAX_OUTPUTS)?
            .into_iter()
            .map(|(name, entry)| Ok((name.clone(), Output::parse(&name, entry)?)))
            .collect::<Result<_, ApiError>>()?;
        Ok(Self {
            description: sections
                .get("Description")
                .and_then(Value::as_str)
                .map(str::to_owned),
            parameters,
            conditions,
            mappings,
            metadata: sections.remove("Metadata"),
            resources,
            outputs,
        })
    }

    /// Whether a stack made from `other` has the same resources and outputs as one made from this template.
    pub fn declares_the_same(&self, other: &Self) -> bool {
        self.resources == other.resources
            && self.outputs == other.outputs
            && self.mappings == other.mappings
    }

    /// The capability that the caller has to acknowledge before a stack is made from this template.
    pub fn capability(&self) -> Option<&'static str> {
        let resources = self.resources.values();
        let needed = resources.filter_map(|it| it.kind.capability(&it.properties));
        needed.max()
    }
}

fn check_sections(sections: &Map<String, Value>) -> Result<(), ApiError> {
    const KNOWN: [&str; 8] = [
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Mappings",
        "Conditions",
        "Resources",
        "Outputs",
    ];
    let unknown: Vec<_> = sections
        .keys()
        .map(String::as_str)
        .filter(|name| !KNOWN.contains(name))
        .collect();
    // Differs from AWS: template-sections: Rules, Transform and Hooks are refused.
    if let Some(why) = unknown.iter().find_map(|section| left_out(section)) {
        return Err(invalid(format!("Template format error: {why}")));
    }
    if !unknown.is_empty() {
        return Err(invalid(format!(
            "Invalid template property or properties [{}]",
            unknown.join(", ")
        )));
    }
    match sections.get("AWSTemplateFormatVersion") {
        None => {}
        Some(Value::String(version)) if version == "2010-09-09" => {}
        Some(_) => {
            return Err(invalid(
                "Template format error: Unsupported AWSTemplateFormatVersion: it must be \"2010-09-09\".",
            ))
        }
    }
    match sections.get("Description") {
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => Err(invalid(
            "Template format error: Description must be a string.",
        )),
    }
}

fn left_out(section: &str) -> Option<&'static str> {
    match section {
        "Transform" => Some(
            "the section Transform is not in this lab: nothing here rewrites a template, as AWS SAM, AWS::Include or a \
             macro would. Write the resources out, such as AWS::SQS::Queue and AWS::Lambda::EventSourceMapping.",
        ),
        "Rules" => Some(
            "the section Rules is not in this lab. Leave it out, and check a value by the AllowedValues or the \
             AllowedPattern of its parameter.",
        ),
        "Hooks" => Some("the section Hooks is not in this lab. Leave it out."),
        _ => None,
    }
}

fn parse_mappings(section: Map<String, Value>) -> Result<Mappings, ApiError> {
    let map = |(name, value): (String, Value)| match value {
        Value::Object(entries) => Ok((name, entries)),
        _ => Err(invalid(format!(
            "Template format error: Every Mappings member {name} must be a map"
        ))),
    };
    let attribute = |(name, value): (String, Value)| match value {
        Value::Object(_) => Err(invalid(
            "Template format error: Every Mappings attribute must be a String or a List.",
        )),
        value => Ok((name, value)),
    };
    let key = |entry: (String, Value)| {
        let (name, attributes) = map(entry)?;
        let attributes = attributes.into_iter().map(attribute);
        Ok((name, attributes.collect::<Result<_, ApiError>>()?))
    };
    entries(section, "mapping", MAX_MAPPINGS)?
        .into_iter()
        .map(|entry| {
            let (name, keys) = map(entry)?;
            let keys = keys.into_iter().map(key);
            Ok((name, keys.collect::<Result<_, ApiError>>()?))
        })
        .collect()
}

/// The entries of a section, when there are not too many and their names are letters and digits.
fn entries(
    section: Map<String, Value>,
    what: &str,
    most: usize,
) -> Result<Map<String, Value>, ApiError> {
    if section.len() > most {
        return Err(invalid(format!(
            "Template format error: Number of {what}s, {}, is greater than maximum allowed, {most}",
            section.len()
        )));
    }
    let wrong = section
        .keys()
        .find(|name| name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if let Some(name) = wrong {
        let (first, rest) = what.split_at(1);
        return Err(invalid(format!(
            "Template format error: {}{rest} name {name} is non alphanumeric.",
            first.to_uppercase()
        )));
    }
    Ok(section)
}

fn parse_resources(
    entries: BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Resource>, ApiError> {
    let mut resources = BTreeMap::new();
    let mut unrecognized = BTreeSet::new();
    for (name, entry) in entries {
        let Value::Object(mut entry) = entry else {
            return Err(invalid(NO_RESOURCE));
        };
        let Some(Value::String(type_name)) = entry.remove("Type") else {
            return Err(invalid(format!(
                "Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
            )));
        };
        match resources::named(&type_name) {
            Some(kind) => {
                resources.insert(name.clone(), Resource::parse(&name, kind, entry)?);
            }
            None => {
                unrecognized.insert(type_name);
            }
        }
    }
    if unrecognized.is_empty() {
        return Ok(resources);
    }
    // Differs from AWS: resource-types: only the types of SQS, Kinesis, Lambda, IAM and CloudWatch Logs that the lab needs exist.
    let why: Vec<_> = unrecognized.iter().map(|name| unknown_type(name)).collect();
    let types: Vec<_> = unrecognized.iter().map(String::as_str).collect();
    let lab: Vec<_> = resources::TYPES.iter().map(|known| known.name).collect();
    Err(invalid(format!(
        "Template format error: Unrecognized resource types: [{}]. {} In this lab are: {}",
        types.join(", "),
        why.join(" "),
        lab.join(", ")
    )))
}

/// Why a type is not here, for a reader who sees that it is one of AWS's.
fn unknown_type(name: &str) -> String {
    let service = name.split("::").nth(1).unwrap_or_default();
    let instead = match service {
        "S3" => "there is no S3 in this lab, so no buckets: leave them out; functions get their code from `cargo run --bin deploy`.",
        "SNS" => "there is no SNS in this lab, so no topics and no subscriptions: send to the queue itself.",
        "SQS" | "Kinesis" | "Lambda" | "IAM" | "Logs" => "of this service the lab has only the types listed here.",
        "Serverless" => "AWS SAM's types are not in this lab: write what they stand for, such as AWS::Lambda::EventSourceMapping.",
        _ => "the lab has no such service; deploy the template to AWS for it.",
    };
    format!("{name}: {instead}")
}

impl Resource {
    fn parse(
        name: &str,
        kind: &'static ResourceType,
        mut entry: Map<String, Value>,
    ) -> Result<Self, ApiError> {
        let properties = match entry.remove("Properties") {
            None => Value::Object(Map::new()),
            Some(Value::Object(properties)) => Value::Object(properties),
            Some(_) => {
                return Err(invalid(format!(
                    "Template format error: [/Resources/{name}/Properties] Every Properties member must be a JSON object."
                )))
            }
        };
        let depends_on = match entry.remove("DependsOn") {
            None => Some(BTreeSet::new()),
            Some(Value::String(name)) => Some(BTreeSet::from([name])),
            Some(Value::Array(names)) => names
                .into_iter()
                .map(|name| name.as_str().map(str::to_owned))
                .collect(),
            Some(_) => None,
        };
        let depends_on = depends_on.ok_or_else(|| {
            invalid("Template format error: DependsOn must be a string or list of strings.")
        })?;
        let deletion = deletion_policy(name, "DeletionPolicy", entry.remove("DeletionPolicy"))?;
        let replacement = entry.remove("UpdateReplacePolicy");
        let replacement = deletion_policy(name, "UpdateReplacePolicy", replacement)?;
        let condition = condition(&mut entry)?;
        let metadata = entry.remove("Metadata");
        if let Some(unknown) = entry.keys().next() {
            return Err(invalid(format!(
                "Invalid template resource property '{unknown}'"
            )));
        }
        Ok(Self {
            kind,
            properties,
            depends_on,
            condition,
            deletion,
            replacement,
            metadata,
        })
    }
}

fn deletion_policy(
    resource: &str,
    attribute: &str,
    policy: Option<Value>,
) -> Result<Deletion, ApiError> {
    let Some(policy) = policy else {
        return Ok(Deletion::Delete);
    };
    match policy.as_str() {
        Some("Delete") => Ok(Deletion::Delete),
        Some("Retain") => Ok(Deletion::Retain),
        Some("RetainExceptOnCreate") if attribute == "DeletionPolicy" => {
            Ok(Deletion::RetainExceptOnCreate)
        }
        _ => Err(invalid(format!(
            "Template format error: Unrecognized {attribute} {policy} for resource {resource}"
        ))),
    }
}

impl Output {
    fn parse(name: &str, entry: Value) -> Result<Self, ApiError> {
        let malformed = |why: &str| {
            invalid(format!(
                "Template format error: Output {name} is malformed. {why}"
            ))
        };
        let Value::Object(mut entry) = entry else {
            return Err(malformed("Every Outputs member must be an object."));
        };
        let value = entry.remove("Value").ok_or_else(|| {
            invalid("Template format error: Every Outputs member must contain a Value object")
        })?;
        let description = match entry.remove("Description") {
            None => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => return Err(malformed("Description must be a string.")),
        };
        let export = match entry.remove("Export") {
            None => None,
            Some(Value::Object(mut export)) if export.len() == 1 => {
                let name = export.remove("Name");
                Some(name.ok_or_else(|| malformed("Export must contain a Name."))?)
            }
            Some(_) => return Err(malformed("Export must contain a Name only.")),
        };
        let condition = condition(&mut entry)?;
        match entry.keys().next() {
            Some(unknown) => Err(malformed(&format!("It has no member {unknown}."))),
            None => Ok(Self {
                value,
                description,
                export,
                condition,
            }),
        }
    }
}

fn condition(entry: &mut Map<String, Value>) -> Result<Option<String>, ApiError> {
    match entry.remove("Condition") {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name)),
        Some(_) => Err(invalid(
            "Template format error: Every Condition member must be a string.",
        )),
    }
}

/// The path of the first null, as AWS writes it.
fn find_null(sections: &Map<String, Value>) -> Option<String> {
    fn within(value: &Value, path: &mut Vec<String>) -> bool {
        let found = |key: String, value: &Value, path: &mut Vec<String>| {
            path.push(key);
            let found = within(value, path);
            if !found {
                path.pop();
            }
            found
        };
        match value {
            Value::Null => true,
            Value::Array(items) => items
                .iter()
                .enumerate()
                .any(|(i, item)| found(i.to_string(), item, path)),
            Value::Object(entries) => entries
                .iter()
                .any(|(key, value)| found(key.clone(), value, path)),
            _ => false,
        }
    }
    for (name, section) in sections {
        let mut path = vec![name.clone()];
        if within(section, &mut path) {
            return Some(format!("/{}", path.join("/")));
        }
    }
    None
}

#[cfg(test)]
mod tests;
