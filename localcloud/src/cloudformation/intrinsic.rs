//! The functions of a template: `Ref`, `Fn::GetAtt`, `Fn::Sub`, `Fn::Join`, `Fn::Select`, `Fn::Split`, `Fn::Base64`,
//! `Fn::FindInMap`, `Fn::ImportValue`, `Fn::If` and, in conditions, `Fn::Equals`, `Fn::Not`, `Fn::And`, `Fn::Or`.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>.

use super::error::invalid;
use super::yaml::text;
use crate::wire::error::ApiError;
use serde_json::{Map, Value};

pub enum Function<'a> {
    Ref(&'a str),
    GetAtt(&'a str, &'a str),
    Sub(Vec<Part<'a>>, Option<&'a Map<String, Value>>),
    Join(&'a str, &'a Value),
    Select(&'a Value, &'a Value),
    Split(&'a str, &'a Value),
    Base64(&'a Value),
    FindInMap(&'a [Value; 3]),
    ImportValue(&'a Value),
    If(&'a str, &'a Value, &'a Value),
    Equals(&'a Value, &'a Value),
    Not(&'a Value),
    And(&'a [Value]),
    Or(&'a [Value]),
}

impl<'a> Function<'a> {
    /// The function that `value` calls; `None` if it is plain data.
    pub fn of(value: &'a Value) -> Result<Option<Self>, ApiError> {
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
            ("Fn::Select", Some([index, list])) if is_index(index) => Ok(Self::Select(index, list)),
            ("Fn::Select", _) => Err("Template error: Fn::Select requires a list argument with two elements: an integer index and a list"),
            ("Fn::Split", Some([Value::String(delimiter), text])) if !delimiter.is_empty() => {
                Ok(Self::Split(delimiter, text))
            }
            ("Fn::Split", _) => Err("Template error: every Fn::Split object requires two parameters, (1) a string delimiter and \
                                     (2) a string to be split or a function that returns a string to be split."),
            ("Fn::Base64", _) => Ok(Self::Base64(argument)),
            ("Fn::FindInMap", Some(list)) if list.len() == 3 => match list.try_into() {
                Ok(place) => Ok(Self::FindInMap(place)),
                Err(_) => Err(FIND_IN_MAP),
            },
            ("Fn::FindInMap", _) => Err(FIND_IN_MAP),
            ("Fn::ImportValue", _) => Ok(Self::ImportValue(argument)),
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
            // Differs from AWS: template-functions: Fn::Cidr, Fn::GetAZs, Fn::Transform and those of AWS::LanguageExtensions are refused.
            _ if name.starts_with("Fn::") => {
                return Err(invalid(format!(
                    "Template error: the function {name} is not in this lab. Write into the template what it would give."
                )))
            }
            _ => return Ok(None),
        };
        function.map(Some).map_err(invalid)
    }
}

impl<'a> Function<'a> {
    /// The values inside it that may be functions themselves.
    pub fn arguments(&self) -> Vec<&'a Value> {
        match self {
            Self::Ref(_) | Self::GetAtt(..) => Vec::new(),
            Self::Sub(_, own) => own.iter().flat_map(|own| own.values()).collect(),
            Self::Join(_, value)
            | Self::Split(_, value)
            | Self::Base64(value)
            | Self::ImportValue(value)
            | Self::Not(value) => vec![value],
            Self::Select(left, right) | Self::Equals(left, right) | Self::If(_, left, right) => {
                vec![left, right]
            }
            Self::FindInMap(place) => place.iter().collect(),
            Self::And(all) | Self::Or(all) => all.iter().collect(),
        }
    }
}

const FIND_IN_MAP: &str = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and \
                           the attribute for return value";

/// Whether `Fn::Select` can take this: a whole number, or a function that gives one.
fn is_index(value: &Value) -> bool {
    value.is_object() || text(value).is_some_and(|text| text.parse::<i64>().is_ok())
}

pub fn single_entry(value: &Value) -> Option<(&str, &Value)> {
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

pub enum Part<'a> {
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
