//! Reading a resource's properties. In a template, numbers and truth values may be written as text.

use super::super::yaml::text;
use super::resource_type::{Failure, Properties};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub fn optional(properties: &Properties, name: &str) -> Option<String> {
    properties.get(name).and_then(text)
}

pub fn required(properties: &Properties, name: &str) -> Result<String, Failure> {
    optional(properties, name).ok_or_else(|| missing(name))
}

/// A property that is a whole number.
pub fn number(properties: &Properties, name: &str) -> Result<Option<u64>, Failure> {
    if !properties.contains_key(name) {
        return Ok(None);
    }
    let number = optional(properties, name).and_then(|text| text.parse().ok());
    number
        .ok_or_else(|| expected(name, "a whole number"))
        .map(Some)
}

/// A property as the text that services take: policies are JSON.
pub fn attribute(value: &Value) -> String {
    text(value).unwrap_or_else(|| value.to_string())
}

/// A policy document as JSON.
pub fn document(properties: &Properties, name: &str) -> Result<String, Failure> {
    let document = properties.get(name).map(attribute);
    document.ok_or_else(|| missing(name))
}

/// A list of strings without repetitions; none if the property is left out.
pub fn texts(properties: &Properties, name: &str) -> Result<BTreeSet<String>, Failure> {
    let Some(value) = properties.get(name) else {
        return Ok(BTreeSet::new());
    };
    let texts = value
        .as_array()
        .and_then(|items| items.iter().map(text).collect());
    texts.ok_or_else(|| expected(name, "a list of strings"))
}

/// `[{"Key": k, "Value": v}, …]` as a map.
pub fn tags(properties: &Properties) -> Result<BTreeMap<String, String>, Failure> {
    let malformed = || expected("Tags", "a list of Key and Value");
    let list = match properties.get("Tags") {
        None => return Ok(BTreeMap::new()),
        Some(list) => list.as_array().ok_or_else(malformed)?,
    };
    let pair = |tag: &Value| Some((text(tag.get("Key")?)?, text(tag.get("Value")?)?));
    list.iter()
        .map(|tag| pair(tag).ok_or_else(malformed))
        .collect()
}

pub fn missing(name: &str) -> Failure {
    Failure::Properties(format!("#: required key [{name}] not found"))
}

pub fn expected(property: &str, shape: &str) -> Failure {
    Failure::Properties(format!("#/{property}: expected {shape}"))
}

/// A generated name in at most `longest` characters. Its random end stays.
pub fn cut(generated: &str, longest: usize) -> String {
    let over = generated.len().saturating_sub(longest);
    let (start, random) = generated.rsplit_once('-').unwrap_or(("", generated));
    let start = &start[..start.len().saturating_sub(over)];
    format!("{start}-{random}")
}
