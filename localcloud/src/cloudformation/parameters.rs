//! The parameters of a template, and the values that a caller gives them.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>.

use super::error::invalid;
use super::yaml::text;
use crate::wire::error::ApiError;
use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;
use std::collections::BTreeMap;

const MAX_VALUE_LENGTH: usize = 4096;
/// For a compiled `AllowedPattern`; it bounds the time of a match too.
const MAX_PATTERN_SIZE: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    String,
    Number,
    CommaDelimitedList,
    NumberList,
}

/// One entry of `Parameters`.
#[derive(Debug)]
pub struct Parameter {
    kind: Type,
    pub default: Option<String>,
    pub description: Option<String>,
    pub no_echo: bool,
    pub allowed_values: Vec<String>,
    pattern: Option<(String, Regex)>,
    /// `MinLength`, `MaxLength`, `MinValue`, `MaxValue`, as far as they are given.
    limits: BTreeMap<&'static str, f64>,
    constraint: Option<String>,
}

const LIMITS: [&str; 4] = ["MinLength", "MaxLength", "MinValue", "MaxValue"];

impl Parameter {
    pub fn parse(name: &str, entry: &Value) -> Result<Self, ApiError> {
        let Some(entry) = entry.as_object() else {
            return Err(invalid(
                "Template format error: Any Parameters member must be an object.",
            ));
        };
        let mut parameter = Self {
            kind: match entry.get("Type").and_then(Value::as_str) {
                None => {
                    return Err(invalid(
                        "Template format error: Every Parameters object must contain a Type member.",
                    ))
                }
                Some("String") => Type::String,
                Some("Number") => Type::Number,
                Some("CommaDelimitedList") => Type::CommaDelimitedList,
                Some("List<Number>") => Type::NumberList,
                // Differs from AWS: parameter-types: the types are String, Number, CommaDelimitedList and List<Number>.
                Some(other) => {
                    return Err(invalid(format!(
                        "Template format error: Unrecognized parameter type: {other}. In this lab are: String, Number, CommaDelimitedList, List<Number>"
                    )))
                }
            },
            default: None,
            description: None,
            no_echo: false,
            allowed_values: Vec::new(),
            pattern: None,
            limits: BTreeMap::new(),
            constraint: None,
        };
        for (member, value) in entry {
            let malformed = || {
                invalid(format!(
                    "Template format error: [/Parameters/{name}/{member}] is not what a {member} can be."
                ))
            };
            match member.as_str() {
                "Type" => {}
                "Default" => parameter.default = Some(text(value).ok_or_else(malformed)?),
                "Description" => parameter.description = Some(text(value).ok_or_else(malformed)?),
                "ConstraintDescription" => {
                    parameter.constraint = Some(text(value).ok_or_else(malformed)?);
                }
                "NoEcho" => {
                    let value = text(value).ok_or_else(malformed)?;
                    parameter.no_echo = value.eq_ignore_ascii_case("true");
                }
                "AllowedValues" => {
                    let values = value.as_array().ok_or_else(malformed)?;
                    parameter.allowed_values = values
                        .iter()
                        .map(|value| text(value).ok_or_else(malformed))
                        .collect::<Result<_, _>>()?;
                }
                // Differs from AWS: patterns: AllowedPattern has no look-around and no back references.
                "AllowedPattern" => {
                    let pattern = value.as_str().ok_or_else(malformed)?;
                    let whole = RegexBuilder::new(&format!("^(?:{pattern})$"))
                        .size_limit(MAX_PATTERN_SIZE)
                        .build()
                        .map_err(|_| malformed())?;
                    parameter.pattern = Some((pattern.to_owned(), whole));
                }
                limit => {
                    let Some(limit) = LIMITS.into_iter().find(|name| *name == limit) else {
                        return Err(invalid(format!(
                            "Template format error: Invalid template parameter property '{member}'"
                        )));
                    };
                    let number = text(value).and_then(|number| number.parse().ok());
                    parameter
                        .limits
                        .insert(limit, number.ok_or_else(malformed)?);
                }
            }
        }
        Ok(parameter)
    }

    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Type::String => "String",
            Type::Number => "Number",
            Type::CommaDelimitedList => "CommaDelimitedList",
            Type::NumberList => "List<Number>",
        }
    }

    /// The value for `Ref`.
    fn check(&self, name: &str, value: &str) -> Result<Value, ApiError> {
        if value.len() > MAX_VALUE_LENGTH {
            return Err(invalid(format!(
                "Parameter '{name}' must contain at most {MAX_VALUE_LENGTH} characters"
            )));
        }
        match self.broken_rule(value) {
            None => {}
            Some(rule) => {
                return Err(invalid(match &self.constraint {
                    Some(constraint) => {
                        format!("Parameter {name} failed to satisfy constraint: {constraint}")
                    }
                    None => format!("Parameter '{name}' must {rule}"),
                }))
            }
        }
        Ok(match self.kind {
            Type::CommaDelimitedList | Type::NumberList => {
                value.split(',').map(str::trim).collect()
            }
            Type::String | Type::Number => value.into(),
        })
    }

    fn broken_rule(&self, value: &str) -> Option<String> {
        let items: Vec<&str> = match self.kind {
            Type::CommaDelimitedList | Type::NumberList => {
                value.split(',').map(str::trim).collect()
            }
            Type::String | Type::Number => vec![value],
        };
        let allowed = |item: &&str| self.allowed_values.iter().any(|value| value == item);
        if !self.allowed_values.is_empty() && !items.iter().all(allowed) {
            return Some("be one of AllowedValues".to_owned());
        }
        let is_number = |item: &&str| item.parse::<f64>().is_ok();
        if self.kind == Type::NumberList && !items.iter().all(is_number) {
            return Some("be a list of numbers.".to_owned());
        }
        let (measure, lower, upper, unit) = match self.kind {
            Type::Number => match value.parse::<f64>() {
                Ok(number) => (number, "MinValue", "MaxValue", None),
                Err(_) => return Some("be a number.".to_owned()),
            },
            _ => (
                value.chars().count() as f64,
                "MinLength",
                "MaxLength",
                Some("characters"),
            ),
        };
        let least = self.limits.get(lower).filter(|least| measure < **least);
        let most = self.limits.get(upper).filter(|most| measure > **most);
        match (least, most, unit) {
            (Some(least), _, Some(unit)) => {
                return Some(format!("contain at least {least} {unit}"))
            }
            (Some(least), _, None) => return Some(format!("be a number not less than {least}")),
            (_, Some(most), Some(unit)) => return Some(format!("contain at most {most} {unit}")),
            (_, Some(most), None) => return Some(format!("be a number not greater than {most}")),
            (None, None, _) => {}
        }
        let (pattern, whole) = self.pattern.as_ref()?;
        (!whole.is_match(value)).then(|| format!("match pattern {pattern}"))
    }
}

/// The values of all parameters: those given, otherwise the defaults.
///
/// # Errors
///
/// AWS's `ValidationError` for a value that is missing, for nobody, or against its parameter's rules.
pub fn values(
    parameters: &BTreeMap<String, Parameter>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ApiError> {
    let unknown: Vec<_> = given
        .keys()
        .filter(|name| !parameters.contains_key(*name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(invalid(format!(
            "Parameters: [{}] do not exist in the template",
            unknown.join(", ")
        )));
    }
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, parameter) in parameters {
        match given.get(name).or(parameter.default.as_ref()) {
            Some(value) => {
                values.insert(name.clone(), value.clone());
            }
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(invalid(format!(
            "Parameters: [{}] must have values",
            missing.join(", ")
        )));
    }
    Ok(values)
}

/// The values for `Ref`, of each parameter.
pub fn checked(
    parameters: &BTreeMap<String, Parameter>,
    values: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, ApiError> {
    let pairs = parameters
        .iter()
        .filter_map(|(name, parameter)| Some((name, parameter, values.get(name)?)));
    pairs
        .map(|(name, parameter, value)| Ok((name.clone(), parameter.check(name, value)?)))
        .collect()
}
