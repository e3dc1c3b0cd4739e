//! The text of a template as a tree of values. YAML's short forms (`!Ref X`) become the long ones (`{"Ref": "X"}`), so
//! that there is one tree for both languages.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>.

use super::error::invalid;
use crate::wire::error::ApiError;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

const MAX_NESTING: usize = 100;

/// A scalar as CloudFormation writes it.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn not_well_formed(language: &str, line: usize, column: usize) -> ApiError {
    invalid(format!(
        "Template format error: {language} not well-formed. (line {line}, column {column})"
    ))
}

/// Text that begins with `{` is JSON, as on AWS; anything else is YAML.
pub fn read(body: &str) -> Result<Value, ApiError> {
    if body.trim_start().starts_with('{') {
        return serde_json::from_str(body)
            // AWS names the column after the character that it did not expect.
            .map_err(|error| not_well_formed("JSON", error.line(), error.column() + 1));
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
                if open.len() == MAX_NESTING =>
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
                None => *key = Some(text(&node).ok_or_else(malformed)?),
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
