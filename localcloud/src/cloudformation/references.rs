//! The names that a template's functions refer to: parameters, resources, their attributes, conditions, exports.

use super::error::invalid;
use super::intrinsic::{single_entry, Function, Part};
use super::resolve::{resolve, resolve_text, Known, Scope};
use crate::wire::error::ApiError;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The names that a part of a template refers to.
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
            function => self.collect_all(function.arguments(), decided),
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

/// Adds the names that `value` imports from other stacks, and looks up what it needs of the mappings, so that a missing
/// key is found before there are any resources.
pub fn imports(value: &Value, scope: &Scope, names: &mut BTreeSet<String>) -> Result<(), ApiError> {
    let inner = match Function::of(value)? {
        None => match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(entries) => entries.values().collect(),
            _ => Vec::new(),
        },
        Some(Function::FindInMap(_)) => {
            return resolve(value, scope, &Known::default()).map(drop);
        }
        Some(Function::ImportValue(name)) => {
            let name = resolve_text(name, scope, &Known::default());
            let name = name.ok().flatten().ok_or_else(|| {
                invalid("Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs")
            })?;
            names.insert(name);
            Vec::new()
        }
        Some(Function::If(condition, yes, no)) => match scope.holds(Some(condition)) {
            true => vec![yes],
            false => vec![no],
        },
        Some(function) => function.arguments(),
    };
    inner
        .into_iter()
        .try_for_each(|value| imports(value, scope, names))
}

/// An attribute that a template asks a resource for, and the place where it does, such as
/// `/Outputs/Arn/Value/Fn::GetAtt`.
pub struct Asked {
    pub path: String,
    pub resource: String,
    pub attribute: String,
}

/// Adds the attributes that `value`, which stands at `path`, asks for.
pub fn attributes(value: &Value, path: &str, asked: &mut Vec<Asked>) -> Result<(), ApiError> {
    let mut ask = |function: &str, resource: &str, attribute: &str| {
        asked.push(Asked {
            path: format!("{path}/{function}"),
            resource: resource.to_owned(),
            attribute: attribute.to_owned(),
        });
    };
    match Function::of(value)? {
        Some(Function::GetAtt(resource, attribute)) => {
            ask("Fn::GetAtt", resource, attribute);
            return Ok(());
        }
        Some(Function::Sub(parts, own)) => {
            let own = |name: &str| own.is_some_and(|own| own.contains_key(name));
            for part in parts {
                let Part::Name(name) = part else { continue };
                if let Some((resource, attribute)) = name.split_once('.').filter(|_| !own(name)) {
                    ask("Fn::Sub", resource, attribute);
                }
            }
        }
        _ => {}
    }
    match value {
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(at, item)| attributes(item, &format!("{path}/{at}"), asked))
        }
        Value::Object(entries) => {
            let mut entries = entries.iter();
            entries
                .try_for_each(|(name, value)| attributes(value, &format!("{path}/{name}"), asked))
        }
        _ => Ok(()),
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
