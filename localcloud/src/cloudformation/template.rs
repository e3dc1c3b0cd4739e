//! A template: what is read from YAML or JSON, checked, and given its parameters' values.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html>.
//!
//! YAML's short forms (`!Ref X`) become the long ones (`{"Ref": "X"}`), so that from here on there is one tree
//! for both languages.

use super::function::{self, Known, Needs, Scope};
use super::invalid;
use super::parameters::Parameter;
use super::resources::Kind;
use crate::wire::error::ApiError;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};
use std::collections::{BTreeMap, BTreeSet};

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const LARGEST_BODY: usize = 51_200;
const MOST_RESOURCES: usize = 500;
const MOST_PARAMETERS: usize = 200;
const MOST_OUTPUTS: usize = 200;
const DEEPEST_NESTING: usize = 100;

/// A template that holds together: each reference in it leads somewhere.
#[derive(Debug)]
pub struct Template {
    pub description: Option<String>,
    pub parameters: BTreeMap<String, Parameter>,
    pub conditions: BTreeMap<String, Value>,
    pub resources: BTreeMap<String, Resource>,
    pub outputs: BTreeMap<String, Output>,
}

/// One entry of `Resources`.
#[derive(Debug, PartialEq)]
pub struct Resource {
    pub kind: Kind,
    pub properties: Value,
    pub depends_on: BTreeSet<String>,
    pub condition: Option<String>,
    pub deletion: Deletion,
}

/// What becomes of a resource when its stack is deleted.
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
    /// Reads and checks a template.
    ///
    /// # Errors
    ///
    /// AWS's `ValidationError`, with the place in the text or the name of the entry that is wrong.
    pub fn parse(body: &str) -> Result<Self, ApiError> {
        if body.len() > LARGEST_BODY {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: \
                 Member must have length less than or equal to {LARGEST_BODY}"
            )));
        }
        let Value::Object(mut sections) = read(body)? else {
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
            Some(_) => Err(invalid(format!(
                "Template format error: {name} must be an object."
            ))),
        };
        let parameters = entries(section("Parameters")?, "parameter", MOST_PARAMETERS)?
            .into_iter()
            .map(|(name, entry)| Ok((name.clone(), Parameter::parse(&name, &entry)?)))
            .collect::<Result<_, ApiError>>()?;
        let conditions = section("Conditions")?.into_iter().collect();
        let resources: BTreeMap<_, _> = entries(section("Resources")?, "resource", MOST_RESOURCES)?
            .into_iter()
            .collect();
        if resources.is_empty() {
            return Err(invalid(
                "Template format error: At least one Resources member must be defined.",
            ));
        }
        let resources = parse_resources(resources)?;
        let outputs = entries(section("Outputs")?, "output", MOST_OUTPUTS)?
            .into_iter()
            .map(|(name, entry)| Ok((name.clone(), Output::parse(&name, entry)?)))
            .collect::<Result<_, ApiError>>()?;
        let template = Self {
            description: sections
                .get("Description")
                .and_then(Value::as_str)
                .map(str::to_owned),
            parameters,
            conditions,
            resources,
            outputs,
        };
        template.check_references()?;
        Ok(template)
    }

    /// The conditions' values under these parameters.
    pub fn decide(&self, scope: &mut Scope) -> Result<(), ApiError> {
        for name in self.condition_order()? {
            let value = function::truth(&self.conditions[name], scope)?;
            scope.conditions.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// The resources whose conditions hold, each after those it needs.
    ///
    /// # Errors
    ///
    /// A reference to a resource whose condition doesn't hold, or a circle.
    pub fn creation_order(&self, scope: &Scope) -> Result<Vec<String>, ApiError> {
        let active: BTreeMap<&str, &Resource> = self
            .resources
            .iter()
            .filter(|(_, resource)| scope.holds(resource.condition.as_deref()))
            .map(|(name, resource)| (name.as_str(), resource))
            .collect();
        let mut graph = BTreeMap::new();
        let mut unresolved = BTreeSet::new();
        for (name, resource) in &active {
            let mut needs = Needs::default();
            needs.collect(&resource.properties, Some(&scope.conditions))?;
            let (found, missing): (BTreeSet<_>, BTreeSet<_>) = needs
                .resources()
                .filter(|name| self.resources.contains_key(*name))
                .map(str::to_owned)
                .partition(|name| active.contains_key(name.as_str()));
            unresolved.extend(missing);
            let declared = resource.depends_on.iter();
            let declared = declared.filter(|name| active.contains_key(name.as_str()));
            graph.insert(
                (*name).to_owned(),
                found.into_iter().chain(declared.cloned()).collect(),
            );
        }
        self.refuse_unresolved(&unresolved, "Resources")?;
        let mut unresolved = BTreeSet::new();
        for output in self.outputs.values() {
            if scope.holds(output.condition.as_deref()) {
                let mut needs = Needs::default();
                needs.collect(&output.value, Some(&scope.conditions))?;
                let resources = needs.resources();
                let inactive = resources.filter(|name| {
                    self.resources.contains_key(*name) && !active.contains_key(name)
                });
                unresolved.extend(inactive.map(str::to_owned));
            }
        }
        self.refuse_unresolved(&unresolved, "Outputs")?;
        order(&graph).map_err(|circle| {
            invalid(format!(
                "Circular dependency between resources: [{}]",
                circle.join(", ")
            ))
        })
    }

    /// What the stack shows as its outputs: name, value, description, export.
    pub fn resolve_outputs(
        &self,
        scope: &Scope,
        known: &Known,
    ) -> Result<Vec<ShownOutput>, ApiError> {
        let mut shown = Vec::new();
        for (name, output) in &self.outputs {
            if !scope.holds(output.condition.as_deref()) {
                continue;
            }
            let resolve = |value: &Value| {
                function::resolve_text(value, scope, known)?.ok_or_else(|| {
                    invalid(format!(
                        "Template format error: The Value field of every Outputs member must evaluate to a String. [/Outputs/{name}]"
                    ))
                })
            };
            shown.push(ShownOutput {
                name: name.clone(),
                value: resolve(&output.value)?,
                description: output.description.clone(),
                export: output.export.as_ref().map(resolve).transpose()?,
            });
        }
        Ok(shown)
    }

    /// Whether a stack made from `other` has the same resources and outputs as one made from this template.
    pub fn declares_the_same(&self, other: &Self) -> bool {
        self.resources == other.resources && self.outputs == other.outputs
    }

    /// What the caller has to acknowledge before a stack is made from this template.
    pub fn capability(&self) -> Option<&'static str> {
        let resources = self.resources.values();
        let needed = resources.filter_map(|it| it.kind.capability(&it.properties));
        needed.max()
    }

    fn condition_order(&self) -> Result<Vec<&str>, ApiError> {
        let mut graph = BTreeMap::new();
        for (name, condition) in &self.conditions {
            let mut named = BTreeSet::new();
            function::conditions_in(condition, &mut named)?;
            if let Some(missing) = named
                .iter()
                .find(|name| !self.conditions.contains_key(**name))
            {
                return Err(invalid(format!(
                    "Template format error: Unresolved condition dependency {missing} in the Conditions block of the template"
                )));
            }
            let named = named.into_iter().map(str::to_owned).collect();
            graph.insert(name.clone(), named);
        }
        let order = order(&graph).map_err(|circle| {
            invalid(format!(
                "Template format error: Circular dependency between conditions: [{}]",
                circle.join(", ")
            ))
        })?;
        Ok(order
            .iter()
            .filter_map(|name| Some(self.conditions.get_key_value(name)?.0.as_str()))
            .collect())
    }

    fn check_references(&self) -> Result<(), ApiError> {
        self.condition_order()?;
        let mut in_conditions = Needs::default();
        for condition in self.conditions.values() {
            in_conditions.collect(condition, None)?;
        }
        let unresolved: Vec<_> = in_conditions
            .resources()
            .filter(|name| !self.is_value(name))
            .collect();
        if !unresolved.is_empty() {
            return Err(invalid(format!(
                "Template format error: Unresolved dependencies [{}]. Cannot reference resources in the Conditions block of the template",
                unresolved.join(", ")
            )));
        }
        let mut in_resources = Needs::default();
        let mut unresolved = BTreeSet::new();
        for resource in self.resources.values() {
            in_resources.collect(&resource.properties, None)?;
            self.check_condition(resource.condition.as_deref(), "Resources")?;
            let declared = resource.depends_on.iter();
            unresolved.extend(
                declared
                    .filter(|name| !self.resources.contains_key(*name))
                    .cloned(),
            );
        }
        self.check_needs(&in_resources, unresolved, "Resources")?;
        let mut in_outputs = Needs::default();
        for output in self.outputs.values() {
            in_outputs.collect(&output.value, None)?;
            if let Some(export) = &output.export {
                in_outputs.collect(export, None)?;
            }
            self.check_condition(output.condition.as_deref(), "Outputs")?;
        }
        self.check_needs(&in_outputs, BTreeSet::new(), "Outputs")
    }

    fn check_needs(
        &self,
        needs: &Needs,
        mut unresolved: BTreeSet<String>,
        block: &str,
    ) -> Result<(), ApiError> {
        if let Some(missing) = needs
            .conditions
            .iter()
            .find(|name| !self.conditions.contains_key(*name))
        {
            return Err(invalid(format!(
                "Template error: unresolved condition dependency {missing} in Fn::If"
            )));
        }
        for (name, attribute) in &needs.attributes {
            let Some(resource) = self.resources.get(name) else {
                return Err(invalid(format!(
                    "Template error: instance of Fn::GetAtt references undefined resource {name}"
                )));
            };
            if !resource.kind.attributes().contains(&attribute.as_str()) {
                return Err(invalid(format!(
                    "Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
                )));
            }
        }
        let refs = needs.refs.iter();
        unresolved.extend(
            refs.filter(|name| !self.is_value(name) && !self.resources.contains_key(*name))
                .cloned(),
        );
        self.refuse_unresolved(&unresolved, block)
    }

    fn refuse_unresolved(&self, names: &BTreeSet<String>, block: &str) -> Result<(), ApiError> {
        if names.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        Err(invalid(format!(
            "Template format error: Unresolved resource dependencies [{}] in the {block} block of the template",
            names.join(", ")
        )))
    }

    fn check_condition(&self, condition: Option<&str>, block: &str) -> Result<(), ApiError> {
        match condition.filter(|name| !self.conditions.contains_key(*name)) {
            Some(name) => Err(invalid(format!(
                "Template format error: Unresolved condition dependency {name} in the {block} block of the template"
            ))),
            None => Ok(()),
        }
    }

    /// Whether `Ref` to this name needs no resource.
    fn is_value(&self, name: &str) -> bool {
        self.parameters.contains_key(name) || function::PSEUDO_PARAMETERS.contains(&name)
    }
}

/// An output with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownOutput {
    pub name: String,
    pub value: String,
    pub description: Option<String>,
    pub export: Option<String>,
}

fn check_sections(sections: &Map<String, Value>) -> Result<(), ApiError> {
    const KNOWN: [&str; 7] = [
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Conditions",
        "Resources",
        "Outputs",
    ];
    const LEFT_OUT: [&str; 4] = ["Mappings", "Rules", "Transform", "Hooks"];
    let unknown: Vec<_> = sections
        .keys()
        .map(String::as_str)
        .filter(|name| !KNOWN.contains(name))
        .collect();
    // Differs from AWS: template-sections: Mappings, Rules, Transform and Hooks are refused.
    if let Some(section) = unknown.iter().find(|name| LEFT_OUT.contains(name)) {
        return Err(invalid(format!(
            "Template format error: the section {section} is not in this lab."
        )));
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
            return Err(invalid(
                "Template format error: Any Resources member must be an object.",
            ));
        };
        let Some(Value::String(type_name)) = entry.remove("Type") else {
            return Err(invalid(format!(
                "Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
            )));
        };
        match Kind::named(&type_name) {
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
    // Differs from AWS: resource-types: only the types of the lab's templates exist.
    let types: Vec<_> = unrecognized.iter().map(String::as_str).collect();
    let lab: Vec<_> = Kind::ALL.iter().map(|kind| kind.type_name()).collect();
    Err(invalid(format!(
        "Template format error: Unrecognized resource types: [{}]. In this lab are: {}",
        types.join(", "),
        lab.join(", ")
    )))
}

impl Resource {
    fn parse(name: &str, kind: Kind, mut entry: Map<String, Value>) -> Result<Self, ApiError> {
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
        let deletion = match entry.remove("DeletionPolicy") {
            None => Deletion::Delete,
            Some(policy) => match policy.as_str() {
                Some("Delete") => Deletion::Delete,
                Some("Retain") => Deletion::Retain,
                Some("RetainExceptOnCreate") => Deletion::RetainExceptOnCreate,
                _ => {
                    return Err(invalid(format!(
                        "Template format error: Unrecognized DeletionPolicy {policy} for resource {name}"
                    )))
                }
            },
        };
        let condition = condition(&mut entry)?;
        for ignored in ["Metadata", "UpdateReplacePolicy"] {
            entry.remove(ignored);
        }
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
        })
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
        let value = entry
            .remove("Value")
            .ok_or_else(|| malformed("Every Outputs member must contain a Value object."))?;
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

/// The nodes of `graph`, each after those it needs; or those that need each other in a circle.
fn order(graph: &BTreeMap<String, BTreeSet<String>>) -> Result<Vec<String>, Vec<String>> {
    let mut ordered: Vec<String> = Vec::with_capacity(graph.len());
    let mut left: BTreeMap<_, _> = graph.iter().collect();
    while !left.is_empty() {
        let ready: Vec<_> = left
            .iter()
            .filter(|(_, needs)| !needs.iter().any(|need| left.contains_key(need)))
            .map(|(name, _)| (*name).clone())
            .collect();
        if ready.is_empty() {
            return Err(circle(left));
        }
        for name in &ready {
            left.remove(name);
        }
        ordered.extend(ready);
    }
    Ok(ordered)
}

/// Leaves out those that only wait for the circle.
fn circle(mut left: BTreeMap<&String, &BTreeSet<String>>) -> Vec<String> {
    loop {
        let needed: BTreeSet<&String> = left.values().flat_map(|needs| needs.iter()).collect();
        let before = left.len();
        left.retain(|name, _| needed.contains(name));
        if left.len() == before {
            return left.into_keys().cloned().collect();
        }
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

fn not_well_formed(language: &str, line: usize, column: usize) -> ApiError {
    invalid(format!(
        "Template format error: {language} not well-formed. (line {line}, column {column})"
    ))
}

/// Text that begins with `{` is JSON, as on AWS; anything else is YAML.
fn read(body: &str) -> Result<Value, ApiError> {
    if body.trim_start().starts_with('{') {
        return serde_json::from_str(body)
            .map_err(|error| not_well_formed("JSON", error.line(), error.column()));
    }
    read_yaml(body)
}

/// A list or map whose end has not come yet.
struct Open {
    tag: Option<String>,
    items: Items,
}

enum Items {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

fn read_yaml(body: &str) -> Result<Value, ApiError> {
    let mut open: Vec<Open> = Vec::new();
    let mut whole = None;
    for event in Parser::new_from_str(body) {
        let (event, span) = event.map_err(|error| {
            let place = error.marker();
            not_well_formed("YAML", place.line(), place.col() + 1)
        })?;
        let malformed = || not_well_formed("YAML", span.start.line(), span.start.col() + 1);
        let node = match event {
            Event::Alias(_) => {
                return Err(invalid(
                    "Template error: YAML aliases are not allowed in CloudFormation templates",
                ))
            }
            Event::SequenceStart(_, tag) | Event::MappingStart(_, tag)
                if open.len() == DEEPEST_NESTING =>
            {
                drop(tag);
                return Err(malformed());
            }
            Event::SequenceStart(_, tag) => {
                open.push(Open {
                    tag: short_form(tag.as_deref()),
                    items: Items::List(Vec::new()),
                });
                continue;
            }
            Event::MappingStart(_, tag) => {
                open.push(Open {
                    tag: short_form(tag.as_deref()),
                    items: Items::Map(Map::new(), None),
                });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open { tag, items }) => {
                    let value = match items {
                        Items::List(items) => Value::Array(items),
                        Items::Map(entries, _) => Value::Object(entries),
                    };
                    match tag {
                        Some(tag) => long_form(&tag, value),
                        None => value,
                    }
                }
                None => return Err(malformed()),
            },
            Event::Scalar(text, style, _, tag) => match (short_form(tag.as_deref()), tag) {
                (Some(tag), _) => long_form(&tag, Value::String(text.into_owned())),
                (None, None) if style == ScalarStyle::Plain => plain(&text),
                _ => Value::String(text.into_owned()),
            },
            _ => continue,
        };
        match open.last_mut().map(|open| &mut open.items) {
            None if whole.is_some() => return Err(malformed()),
            None => whole = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map(entries, key)) => match key.take() {
                None => *key = Some(function::text(&node).ok_or_else(malformed)?),
                Some(key) => {
                    if entries.insert(key, node).is_some() {
                        return Err(malformed());
                    }
                }
            },
        }
    }
    Ok(whole.unwrap_or(Value::Null))
}

/// The function that a tag such as `!Sub` stands for.
fn short_form(tag: Option<&Tag>) -> Option<String> {
    let tag = tag.filter(|tag| tag.handle == "!")?;
    Some(match tag.suffix.as_str() {
        "Ref" | "Condition" => tag.suffix.clone(),
        name => format!("Fn::{name}"),
    })
}

fn long_form(function: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(function.to_owned(), value)]))
}

/// A scalar without quotes. A number that wouldn't be written the same way again (`012`, `1.10`) stays text.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match text.parse::<Number>() {
            Ok(number) if number.to_string() == text => Value::Number(number),
            _ => Value::String(text.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(body: &str) -> String {
        match Template::parse(body).and_then(|template| template.creation_order(&Scope::default()))
        {
            Ok(order) => format!("order: {}", order.join(", ")),
            Err(error) => error.message,
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        const Q: &str = "Resources:\n  Q: {Type: AWS::SQS::Queue}\n";
        let with = |rest: &str| format!("{Q}{rest}");
        let queue = |properties: &str| {
            format!("Resources:\n  Q: {{Type: AWS::SQS::Queue, Properties: {{{properties}}}}}\n")
        };
        for (body, message) in [
            (String::new(), "Template format error: unsupported structure."),
            ("[1]".into(), "Template format error: unsupported structure."),
            ("a: [".into(), "Template format error: YAML not well-formed. (line "),
            ("{\"a\": 1,}".into(), "Template format error: JSON not well-formed. (line 1, column 9)"),
            ("a: 1\na: 2\n".into(), "Template format error: YAML not well-formed. (line 2, column 4)"),
            ("a: &x 1\nb: *x\n".into(), "Template error: YAML aliases are not allowed in CloudFormation templates"),
            ("Resources:\n".into(), "[/Resources] 'null' values are not allowed in templates"),
            (queue("DelaySeconds: [1, ~]"), "[/Resources/Q/Properties/DelaySeconds/1] 'null' values are not allowed in templates"),
            ("Description: none".into(), "Template format error: At least one Resources member must be defined."),
            (with("Colour: red"), "Invalid template property or properties [Colour]"),
            (with("Mappings: {}"), "Template format error: the section Mappings is not in this lab."),
            (with("AWSTemplateFormatVersion: 2010"), "Template format error: Unsupported AWSTemplateFormatVersion: it must be \"2010-09-09\"."),
            (with("Outputs: []"), "Template format error: Outputs must be an object."),
            ("Resources:\n  a-b: {Type: AWS::SQS::Queue}".into(), "Template format error: Resource name a-b is non alphanumeric."),
            ("Resources:\n  A: {Typ: AWS::SQS::Queue}".into(), "Template format error: [/Resources/A] Every Resources object must contain a Type member."),
            ("Resources:\n  A: 1".into(), "Template format error: Any Resources member must be an object."),
            ("Resources:\n  A: {Type: AWS::S3::Bucket}".into(), "Template format error: Unrecognized resource types: [AWS::S3::Bucket]. In this lab are: AWS::SQS::Queue, AWS::SQS::QueuePolicy"),
            ("Resources:\n  A: {Type: AWS::SQS::Queue, Colour: red}".into(), "Invalid template resource property 'Colour'"),
            ("Resources:\n  A: {Type: AWS::SQS::Queue, DeletionPolicy: Hide}".into(), "Template format error: Unrecognized DeletionPolicy \"Hide\" for resource A"),
            ("Resources:\n  A: {Type: AWS::SQS::Queue, DependsOn: B}".into(), "Template format error: Unresolved resource dependencies [B] in the Resources block of the template"),
            ("Resources:\n  A: {Type: AWS::SQS::Queue, Condition: B}".into(), "Template format error: Unresolved condition dependency B in the Resources block of the template"),
            (queue("QueueName: !Ref X"), "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"),
            (queue("QueueName: !Sub '${X}'"), "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"),
            (queue("QueueName: !Sub '${a b}'"), "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons"),
            (queue("QueueName: !GetAtt X.Arn"), "Template error: instance of Fn::GetAtt references undefined resource X"),
            (queue("QueueName: !GetAtt Q.Colour"), "Template error: resource Q does not support attribute type Colour in Fn::GetAtt"),
            (queue("QueueName: !GetAtt Q"), "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"),
            (queue("QueueName: {Ref: [Q]}"), "Template format error: Every Ref object must have a single String value."),
            (queue("QueueName: !Base64 Q"), "Template error: Fn::Base64 is not in this lab."),
            (queue("QueueName: !If [No, a, b]"), "Template error: unresolved condition dependency No in Fn::If"),
            (queue("QueueName: !Ref Q"), "Circular dependency between resources: [Q]"),
            (with("Outputs:\n  O: {Value: !Ref X}"), "Template format error: Unresolved resource dependencies [X] in the Outputs block of the template"),
            (with("Outputs:\n  O: {Description: x}"), "Template format error: Output O is malformed. Every Outputs member must contain a Value object."),
            (with("Conditions:\n  C: !Equals [!Ref Q, a]"), "Template format error: Unresolved dependencies [Q]. Cannot reference resources in the Conditions block of the template"),
            (with("Conditions:\n  C: !Condition D"), "Template format error: Unresolved condition dependency D in the Conditions block of the template"),
            (with("Conditions:\n  C: !Condition D\n  D: !Not [!Condition C]"), "Template format error: Circular dependency between conditions: [C, D]"),
            (with("Conditions:\n  C: yes"), "Template format error: Every Conditions member must be one of"),
        ] {
            let answer = error(&body);
            assert!(answer.starts_with(message), "{body}\n{answer}");
        }
        let body = "Resources:\n".to_owned()
            + &["A: [B]", "B: [C]", "C: [A]", "D: [A]", "E: []"]
                .map(|line| {
                    let (name, needs) = line.split_once(": ").unwrap_or_default();
                    format!("  {name}: {{Type: AWS::SQS::Queue, DependsOn: {needs}}}\n")
                })
                .concat();
        assert_eq!(
            error(&body),
            "Circular dependency between resources: [A, B, C]"
        );
        let body = body.replace("DependsOn: [A]", "DependsOn: [E]");
        assert_eq!(error(&body), "order: E, C, D, B, A");
    }

    #[test]
    fn sizes_have_bounds() {
        let many = |n: usize| {
            let queue = |i| format!("\"Q{i}\": {{\"Type\": \"AWS::SQS::Queue\"}}");
            let queues: Vec<_> = (0..n).map(queue).collect();
            format!("{{\"Resources\": {{{}}}}}", queues.join(","))
        };
        assert!(error(&many(500)).starts_with("order: "));
        assert_eq!(
            error(&many(501)),
            "Template format error: Number of resources, 501, is greater than maximum allowed, 500"
        );
        let comment = "#".repeat(LARGEST_BODY + 1);
        assert!(error(&comment).ends_with("Member must have length less than or equal to 51200"));
        for deep in [
            "[".repeat(20_000),
            "- ".repeat(20_000),
            "{\"a\":".repeat(9_000),
        ] {
            assert!(error(&deep).contains("not well-formed"), "{}", &deep[..8]);
        }
        let deep: String = (0..300).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
        assert!(error(&deep).contains("not well-formed"));
    }

    /// Each level multiplies by 50, ten levels deep.
    #[test]
    fn functions_cannot_fill_the_memory() {
        let mut value = "\"0123456789\"".to_owned();
        for _ in 0..10 {
            value = format!(
                "{{\"Fn::Sub\": [\"{}\", {{\"a\": {value}}}]}}",
                "${a}".repeat(50)
            );
        }
        let body = format!(
            "{{\"Resources\": {{\"Q\": {{\"Type\": \"AWS::SQS::Queue\", \"Properties\": {{\"QueueName\": {value}}}}}}}}}"
        );
        let template = Template::parse(&body).expect("a template");
        let properties = &template.resources["Q"].properties;
        let error = function::resolve(properties, &Scope::default(), &Known::new());
        let message = error.expect_err("too much").message;
        assert!(message.contains("more than 262144 bytes"), "{message}");
    }

    #[test]
    fn a_plain_scalar_keeps_what_it_looks_like() {
        for (text, value) in [
            ("7", serde_json::json!(7)),
            ("012", serde_json::json!("012")),
            ("1.10", serde_json::json!("1.10")),
            ("true", serde_json::json!(true)),
            ("'7'", serde_json::json!("7")),
            ("2010-09-09", serde_json::json!("2010-09-09")),
            ("!Sub 7", serde_json::json!({ "Fn::Sub": "7" })),
        ] {
            assert_eq!(read_yaml(text).expect("YAML"), value);
        }
    }

    /// Lines that are nearly templates.
    fn nearly() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "Resources",
            "Parameters",
            "Outputs",
            "Conditions",
            "Q",
            "Type",
            "AWS::SQS::Queue",
            "Properties",
            "Value",
            "Ref",
            "!Ref Q",
            "!Sub '${Q}'",
            "!GetAtt Q.Arn",
            "!If [C, 1, 2]",
            "Fn::Join",
            "Fn::Sub",
            "Fn::Select",
            "!Join ['', [a]]",
            "&a",
            "*a",
            "<<",
            "-",
            "?",
            "|",
            ">",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "'",
            "\"",
            "!!binary",
            "!<x>",
            "%YAML 1.2",
            "---",
            "...",
            "#",
            "\t",
            "~",
            "Condition",
            "\u{feff}",
            "\0",
            "\\",
        ]);
        let line = (
            0..6usize,
            prop::collection::vec((word, any::<bool>()), 0..5),
        )
            .prop_map(|(indent, words)| {
                let mut line = "  ".repeat(indent);
                for (word, key) in words {
                    line += word;
                    line += if key { ": " } else { " " };
                }
                line
            });
        prop::collection::vec(line, 0..20).prop_map(|lines| lines.join("\n"))
    }

    fn follow(body: &str) {
        if let Ok(template) = Template::parse(body) {
            let mut scope = Scope::default();
            if template.decide(&mut scope).is_ok() {
                let _ = template.creation_order(&scope);
                for resource in template.resources.values() {
                    let _ = function::resolve(&resource.properties, &scope, &Known::new());
                }
                let _ = template.resolve_outputs(&scope, &Known::new());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn garbage_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            follow(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn near_templates_are_answered(body in nearly()) {
            follow(&body);
        }

        /// The lab's template with a piece cut out or written over.
        #[test]
        fn damaged_templates_are_answered(from in 0..1200usize, length in 0..40usize, text in ".{0,8}") {
            let whole = include_str!("../../../templates/standard-queue.yaml");
            let before: String = whole.chars().take(from).collect();
            let after: String = whole.chars().skip(from + length).collect();
            follow(&format!("{before}{text}{after}"));
        }
    }
}
