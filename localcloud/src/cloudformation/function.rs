//! The functions of a template: `Ref`, `Fn::GetAtt`, `Fn::Sub`, `Fn::Join`, `Fn::Select`, `Fn::Split`, `Fn::If` and,
//! in conditions, `Fn::Equals`, `Fn::Not`, `Fn::And`, `Fn::Or`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>.

use super::invalid;
use super::resources::Provisioned;
use crate::account::{ACCOUNT, REGION};
use crate::wire::error::ApiError;
use serde_json::{Map, Value};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

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

/// What the functions in one resource or in all outputs may produce together. Without a bound, a few nested
/// `Fn::Sub` would fill the memory.
const LARGEST_RESULT: usize = 256 * 1024;

/// The names that a reference can find, beside the resources.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pub stack_id: String,
    pub stack_name: String,
    /// A string, or a list of strings.
    pub parameters: BTreeMap<String, Value>,
    pub conditions: BTreeMap<String, bool>,
}

impl Scope {
    /// Whether a resource or output with this condition exists.
    pub fn holds(&self, condition: Option<&str>) -> bool {
        condition.is_none_or(|name| self.conditions.get(name) == Some(&true))
    }
}

/// The resources that exist so far.
pub type Known = BTreeMap<String, Provisioned>;

enum Function<'a> {
    Ref(&'a str),
    GetAtt(&'a str, &'a str),
    Sub(Vec<Part<'a>>, Option<&'a Map<String, Value>>),
    Join(&'a str, &'a Value),
    Select(&'a Value, &'a Value),
    Split(&'a str, &'a Value),
    If(&'a str, &'a Value, &'a Value),
    Equals(&'a Value, &'a Value),
    Not(&'a Value),
    And(&'a [Value]),
    Or(&'a [Value]),
}

impl<'a> Function<'a> {
    /// The function that `value` calls; `None` if it is plain data.
    fn of(value: &'a Value) -> Result<Option<Self>, ApiError> {
        let Some((name, argument)) = single_entry(value) else {
            return Ok(None);
        };
        let list = argument.as_array().map(Vec::as_slice);
        let function = match (name, list) {
            ("Ref", _) => argument.as_str().map(Self::Ref).ok_or(
                "Template format error: Every Ref object must have a single String value.",
            ),
            ("Fn::GetAtt", _) => get_att(argument).ok_or(
                "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
            ),
            ("Fn::Sub", _) => match sub(argument) {
                Some((text, own)) => Ok(Self::Sub(parts(text)?, own)),
                None => Err("Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. \
                             Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string"),
            },
            ("Fn::Join", Some([Value::String(delimiter), list])) => Ok(Self::Join(delimiter, list)),
            ("Fn::Join", _) => Err("Template error: every Fn::Join object requires two parameters, (1) a string delimiter and \
                                    (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."),
            ("Fn::Select", Some([index, list])) => Ok(Self::Select(index, list)),
            ("Fn::Select", _) => Err("Template error: Fn::Select requires a list argument with two elements: an integer index and a list"),
            ("Fn::Split", Some([Value::String(delimiter), text])) if !delimiter.is_empty() => {
                Ok(Self::Split(delimiter, text))
            }
            ("Fn::Split", _) => Err("Template error: every Fn::Split object requires two parameters, (1) a string delimiter and \
                                     (2) a string to be split or a function that returns a string to be split."),
            ("Fn::If", Some([Value::String(condition), yes, no])) => Ok(Self::If(condition, yes, no)),
            ("Fn::If", _) => Err("Template error: Fn::If requires a list argument with the first element being a condition"),
            ("Fn::Equals", Some([left, right])) => Ok(Self::Equals(left, right)),
            ("Fn::Equals", _) => Err("Template error: every Fn::Equals object requires a list of 2 string parameters."),
            ("Fn::Not", Some([condition])) => Ok(Self::Not(condition)),
            ("Fn::Not", _) => Err("Template error: every Fn::Not object requires one boolean parameter."),
            ("Fn::And", Some(all @ [_, _, ..])) if all.len() <= 10 => Ok(Self::And(all)),
            ("Fn::And", _) => Err("Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters."),
            ("Fn::Or", Some(all @ [_, _, ..])) if all.len() <= 10 => Ok(Self::Or(all)),
            ("Fn::Or", _) => Err("Template error: every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters."),
            // Differs from AWS: template-functions: functions that the lab's templates don't need are refused.
            _ if name.starts_with("Fn::") => {
                return Err(invalid(format!("Template error: {name} is not in this lab.")))
            }
            _ => return Ok(None),
        };
        function.map(Some).map_err(invalid)
    }
}

fn single_entry(value: &Value) -> Option<(&str, &Value)> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    let (name, argument) = entries.iter().next()?;
    Some((name, argument))
}

fn get_att(argument: &Value) -> Option<Function<'_>> {
    let (resource, attribute) = match argument {
        Value::String(both) => both.split_once('.')?,
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(resource), Value::String(attribute)] => (&**resource, &**attribute),
            _ => return None,
        },
        _ => return None,
    };
    (!resource.is_empty() && !attribute.is_empty()).then_some(Function::GetAtt(resource, attribute))
}

fn sub(argument: &Value) -> Option<(&str, Option<&Map<String, Value>>)> {
    match argument {
        Value::String(text) => Some((text, None)),
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(text)] => Some((text, None)),
            [Value::String(text), Value::Object(own)] => Some((text, Some(own))),
            _ => None,
        },
        _ => None,
    }
}

enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// Cuts `a${Name}b` into its parts; `${!Name}` stands for the text `${Name}`.
fn parts(mut text: &str) -> Result<Vec<Part<'_>>, ApiError> {
    let mut parts = Vec::new();
    while let Some((before, after)) = text.split_once("${") {
        let Some((name, rest)) = after.split_once('}') else {
            break;
        };
        parts.push(Part::Text(before));
        match name.strip_prefix('!') {
            Some(literal) => {
                parts.extend([Part::Text("${"), Part::Text(literal), Part::Text("}")]);
            }
            None => {
                let allowed =
                    |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':');
                if name.is_empty() || !name.bytes().all(allowed) {
                    return Err(invalid(
                        "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons",
                    ));
                }
                parts.push(Part::Name(name));
            }
        }
        text = rest;
    }
    parts.push(Part::Text(text));
    Ok(parts)
}

/// What a part of a template refers to.
#[derive(Default)]
pub struct Needs {
    pub refs: BTreeSet<String>,
    pub attributes: BTreeSet<(String, String)>,
    pub conditions: BTreeSet<String>,
}

impl Needs {
    /// Adds what `value` refers to. With the conditions' values, only the branches that are taken count.
    pub fn collect(
        &mut self,
        value: &Value,
        decided: Option<&BTreeMap<String, bool>>,
    ) -> Result<(), ApiError> {
        let Some(function) = Function::of(value)? else {
            return match value {
                Value::Array(items) => self.collect_all(items, decided),
                Value::Object(entries) => self.collect_all(entries.values(), decided),
                _ => Ok(()),
            };
        };
        match function {
            Function::Ref(name) => {
                self.refs.insert(name.to_owned());
                Ok(())
            }
            Function::GetAtt(resource, attribute) => {
                self.attributes
                    .insert((resource.to_owned(), attribute.to_owned()));
                Ok(())
            }
            Function::Sub(parts, own) => {
                for part in parts {
                    let Part::Name(name) = part else { continue };
                    if own.is_some_and(|own| own.contains_key(name)) {
                        continue;
                    }
                    match name.split_once('.') {
                        Some((resource, attribute)) => self
                            .attributes
                            .insert((resource.to_owned(), attribute.to_owned())),
                        None => self.refs.insert(name.to_owned()),
                    };
                }
                self.collect_all(own.into_iter().flat_map(Map::values), decided)
            }
            Function::If(condition, yes, no) => {
                self.conditions.insert(condition.to_owned());
                match decided.and_then(|decided| decided.get(condition)) {
                    Some(true) => self.collect(yes, decided),
                    Some(false) => self.collect(no, decided),
                    None => self.collect_all([yes, no], decided),
                }
            }
            Function::Join(_, value) | Function::Split(_, value) | Function::Not(value) => {
                self.collect(value, decided)
            }
            Function::Select(left, right) | Function::Equals(left, right) => {
                self.collect_all([left, right], decided)
            }
            Function::And(all) | Function::Or(all) => self.collect_all(all, decided),
        }
    }

    fn collect_all<'a>(
        &mut self,
        values: impl IntoIterator<Item = &'a Value>,
        decided: Option<&BTreeMap<String, bool>>,
    ) -> Result<(), ApiError> {
        values
            .into_iter()
            .try_for_each(|value| self.collect(value, decided))
    }

    /// The names that may be resources, from `Ref` and from `Fn::GetAtt`.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        let owners = self.attributes.iter().map(|(resource, _)| resource);
        self.refs.iter().chain(owners).map(String::as_str)
    }
}

/// The conditions that `condition` names by `{"Condition": …}`.
pub fn conditions_in<'a>(
    condition: &'a Value,
    named: &mut BTreeSet<&'a str>,
) -> Result<(), ApiError> {
    if let Some(("Condition", Value::String(name))) = single_entry(condition) {
        named.insert(name);
        return Ok(());
    }
    match Function::of(condition)? {
        Some(Function::Not(condition)) => conditions_in(condition, named),
        Some(Function::And(all) | Function::Or(all)) => all
            .iter()
            .try_for_each(|condition| conditions_in(condition, named)),
        Some(Function::Equals(..)) => Ok(()),
        _ => Err(invalid(
            "Template format error: Every Conditions member must be one of Fn::Equals, Fn::Not, Fn::And, Fn::Or and Condition.",
        )),
    }
}

/// The value of a condition whose own conditions are decided.
pub fn truth(condition: &Value, scope: &Scope) -> Result<bool, ApiError> {
    if let Some(("Condition", Value::String(name))) = single_entry(condition) {
        return Ok(scope.holds(Some(name)));
    }
    Ok(match Function::of(condition)? {
        Some(Function::Equals(left, right)) => {
            let known = Known::new();
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
        left: Cell::new(LARGEST_RESULT),
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

/// A scalar as CloudFormation writes it.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
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
            _ => match (self.scope.parameters.get(name), self.known.get(name)) {
                (Some(value), _) => value.clone(),
                (None, Some(resource)) => resource.id.as_str().into(),
                (None, None) => {
                    return Err(invalid(format!(
                        "Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template"
                    )))
                }
            },
        };
        self.spend(match &value {
            Value::Array(items) => {
                let text: usize = items.iter().filter_map(Value::as_str).map(str::len).sum();
                items.len() * size_of::<Value>() + text
            }
            value => value.as_str().map_or(0, str::len),
        })?;
        Ok(Some(value))
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<String, ApiError> {
        let value = self
            .known
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
                "Template error: the functions produce more than {LARGEST_RESULT} bytes, the most in this lab"
            ))),
        }
    }
}
