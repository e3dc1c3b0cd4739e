//! The values of a template's functions: once its parameters are given, and as its resources come to exist.

use super::error::invalid;
use super::intrinsic::{single_entry, Function, Part};
use super::resources::Provisioned;
use super::yaml::text;
use crate::account::{ACCOUNT, REGION};
use crate::wire::error::ApiError;
use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const PSEUDO_PARAMETERS: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// For the functions in one resource, or in one output, together. Without a bound, a few nested `Fn::Sub` would fill
/// the memory.
const MAX_RESULT_LENGTH: usize = 256 * 1024;

/// The names that a reference can find, beside the resources.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pub stack_id: String,
    pub stack_name: String,
    /// A string, or a list of strings.
    pub parameters: BTreeMap<String, Value>,
    pub conditions: BTreeMap<String, bool>,
    pub mappings: Arc<Mappings>,
}

/// The section `Mappings`: a string or a list for each map, key and attribute.
pub type Mappings = BTreeMap<String, BTreeMap<String, BTreeMap<String, Value>>>;

impl Scope {
    /// Whether a resource or output with this condition exists.
    pub fn holds(&self, condition: Option<&str>) -> bool {
        condition.is_none_or(|name| self.conditions.get(name) == Some(&true))
    }
}

/// The resources that exist so far, and what other stacks export.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub resources: BTreeMap<String, Provisioned>,
    pub exports: BTreeMap<String, String>,
}

/// The value of a condition whose own conditions are decided.
pub fn truth(condition: &Value, scope: &Scope) -> Result<bool, ApiError> {
    if let Some(("Condition", Value::String(name))) = single_entry(condition) {
        return Ok(scope.holds(Some(name)));
    }
    Ok(match Function::of(condition)? {
        Some(Function::Equals(left, right)) => {
            let known = Known::default();
            resolve_text(left, scope, &known)? == resolve_text(right, scope, &known)?
        }
        Some(Function::Not(condition)) => !truth(condition, scope)?,
        Some(Function::And(all)) => {
            for condition in all {
                if !truth(condition, scope)? {
                    return Ok(false);
                }
            }
            true
        }
        Some(Function::Or(all)) => {
            for condition in all {
                if truth(condition, scope)? {
                    return Ok(true);
                }
            }
            false
        }
        _ => false,
    })
}

/// `value` with its functions replaced by what they stand for; `None` if that is `AWS::NoValue`.
pub fn resolve(value: &Value, scope: &Scope, known: &Known) -> Result<Option<Value>, ApiError> {
    Resolver {
        scope,
        known,
        left: Cell::new(MAX_RESULT_LENGTH),
    }
    .resolve(value)
}

/// The same for a value that must be text, a number or a truth value; `None` if it is none of these.
pub fn resolve_text(
    value: &Value,
    scope: &Scope,
    known: &Known,
) -> Result<Option<String>, ApiError> {
    Ok(resolve(value, scope, known)?.as_ref().and_then(text))
}

/// The bytes that a string or a list of strings takes.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => {
            let text: usize = items.iter().filter_map(Value::as_str).map(str::len).sum();
            items.len() * size_of::<Value>() + text
        }
        value => value.as_str().map_or(0, str::len),
    }
}

struct Resolver<'a> {
    scope: &'a Scope,
    known: &'a Known,
    left: Cell<usize>,
}

impl Resolver<'_> {
    fn resolve(&self, value: &Value) -> Result<Option<Value>, ApiError> {
        let Some(function) = Function::of(value)? else {
            return Ok(Some(match value {
                Value::Array(items) => Value::Array(self.resolve_list(items)?),
                Value::Object(entries) => {
                    let mut resolved = Map::new();
                    for (name, value) in entries {
                        if let Some(value) = self.resolve(value)? {
                            resolved.insert(name.clone(), value);
                        }
                    }
                    Value::Object(resolved)
                }
                scalar => scalar.clone(),
            }));
        };
        Ok(Some(match function {
            Function::Ref(name) => return self.reference(name),
            Function::GetAtt(resource, attribute) => {
                Value::String(self.attribute(resource, attribute)?)
            }
            Function::Sub(parts, own) => Value::String(self.substitute(parts, own)?),
            Function::Join(delimiter, list) => {
                let texts = self.texts(list)?;
                let separators = delimiter.len() * texts.len();
                self.spend(separators + texts.iter().map(String::len).sum::<usize>())?;
                Value::String(texts.join(delimiter))
            }
            Function::Select(index, list) => {
                let index = self.text(index)?;
                let mut texts = self.texts(list)?;
                match index.parse::<usize>() {
                    Ok(at) if at < texts.len() => Value::String(texts.swap_remove(at)),
                    _ => {
                        return Err(invalid(format!(
                            "Template error: Fn::Select cannot select nonexistent value at index {index}"
                        )))
                    }
                }
            }
            Function::Split(delimiter, value) => {
                let text = self.text(value)?;
                let pieces: Vec<_> = text.split(delimiter).map(Value::from).collect();
                self.spend(pieces.len() * size_of::<Value>() + text.len())?;
                Value::Array(pieces)
            }
            Function::Base64(value) => {
                let text = self.text(value)?;
                self.spend(text.len() * 4 / 3)?;
                Value::String(BASE64_STANDARD.encode(text))
            }
            Function::FindInMap([map, key, attribute]) => {
                let (map, key) = (self.text(map)?, self.text(key)?);
                return self.find_in_map(&map, &key, &self.text(attribute)?).map(Some);
            }
            Function::ImportValue(name) => {
                let name = self.text(name)?;
                let value = self.known.exports.get(&name);
                let value = value.ok_or_else(|| invalid(format!("No export named {name} found")))?;
                self.spend(value.len())?;
                Value::String(value.clone())
            }
            Function::If(condition, yes, no) => {
                let taken = match self.scope.holds(Some(condition)) {
                    true => yes,
                    false => no,
                };
                return self.resolve(taken);
            }
            Function::Equals(..) | Function::Not(_) | Function::And(_) | Function::Or(_) => {
                return Err(invalid(
                    "Template format error: Fn::Equals, Fn::Not, Fn::And and Fn::Or belong in the Conditions block of the template.",
                ))
            }
        }))
    }

    fn find_in_map(&self, map: &str, key: &str, attribute: &str) -> Result<Value, ApiError> {
        let Some(keys) = self.scope.mappings.get(map) else {
            return Err(invalid(format!(
                "Template error: Mapping named '{map}' is not present in the 'Mappings' section of template."
            )));
        };
        let value = keys
            .get(key)
            .and_then(|attributes| attributes.get(attribute));
        let value = value.ok_or_else(|| {
            invalid(format!(
                "Template error: Unable to get mapping for {map}::{key}::{attribute}"
            ))
        })?;
        self.spend(size(value))?;
        Ok(value.clone())
    }

    fn resolve_list(&self, items: &[Value]) -> Result<Vec<Value>, ApiError> {
        let mut resolved = Vec::with_capacity(items.len());
        for item in items {
            resolved.extend(self.resolve(item)?);
        }
        Ok(resolved)
    }

    fn reference(&self, name: &str) -> Result<Option<Value>, ApiError> {
        let value = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::NotificationARNs" => Value::Array(Vec::new()),
            "AWS::AccountId" => ACCOUNT.into(),
            "AWS::Partition" => "aws".into(),
            "AWS::Region" => REGION.into(),
            "AWS::StackId" => self.scope.stack_id.as_str().into(),
            "AWS::StackName" => self.scope.stack_name.as_str().into(),
            "AWS::URLSuffix" => "amazonaws.com".into(),
            _ => match (
                self.scope.parameters.get(name),
                self.known.resources.get(name),
            ) {
                (Some(value), _) => value.clone(),
                (None, Some(resource)) => resource.id.as_str().into(),
                (None, None) => {
                    return Err(invalid(format!(
                        "Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template"
                    )))
                }
            },
        };
        self.spend(size(&value))?;
        Ok(Some(value))
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<String, ApiError> {
        let value = self
            .known
            .resources
            .get(resource)
            .and_then(|resource| resource.attributes.get(attribute));
        let value = value.ok_or_else(|| {
            invalid(format!(
                "Template error: resource {resource} does not support attribute type {attribute} in Fn::GetAtt"
            ))
        })?;
        self.spend(value.len())?;
        Ok(value.clone())
    }

    fn substitute(
        &self,
        parts: Vec<Part<'_>>,
        own: Option<&Map<String, Value>>,
    ) -> Result<String, ApiError> {
        let mut values = BTreeMap::new();
        for (name, value) in own.into_iter().flatten() {
            values.insert(name.as_str(), self.text(value)?);
        }
        let mut result = String::new();
        for part in parts {
            let piece = match part {
                Part::Text(text) => text.to_owned(),
                Part::Name(name) => match (values.get(name), name.split_once('.')) {
                    (Some(value), _) => {
                        self.spend(value.len())?;
                        value.clone()
                    }
                    (None, Some((resource, attribute))) => self.attribute(resource, attribute)?,
                    (None, None) => {
                        self.reference(name)?
                            .as_ref()
                            .and_then(text)
                            .ok_or_else(|| {
                                invalid(format!(
                                "Template error: the value of {name} in Fn::Sub must be a String"
                            ))
                            })?
                    }
                },
            };
            result.push_str(&piece);
        }
        Ok(result)
    }

    fn text(&self, value: &Value) -> Result<String, ApiError> {
        self.resolve(value)?.as_ref().and_then(text).ok_or_else(|| {
            invalid("Template error: a function got a list or an object where it needs a String")
        })
    }

    fn texts(&self, list: &Value) -> Result<Vec<String>, ApiError> {
        let not_texts = || {
            invalid(
                "Template error: a function got something else where it needs a list of strings",
            )
        };
        match self.resolve(list)? {
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| text(item).ok_or_else(not_texts))
                .collect(),
            _ => Err(not_texts()),
        }
    }

    fn spend(&self, bytes: usize) -> Result<(), ApiError> {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            // Differs from AWS: template-results: the functions of one resource, or of one output, produce at most 256 KiB.
            None => Err(invalid(format!(
                "Template error: the functions produce more than {MAX_RESULT_LENGTH} bytes, the most in this lab"
            ))),
        }
    }
}
