//! Filter criteria: which messages and records reach the function. A pattern names fields and the values they may
//! have; an item that matches any of the patterns passes.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html>.

use crate::lambda::error::invalid;
use crate::wire::error::ApiError;
use serde_json::{Map, Value};

const MAX_FILTERS: usize = 5;
const MAX_PATTERN: usize = 4096;

/// The part of an item that a pattern is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Content {
    /// The `body` of a message: JSON, or plain text.
    Body,
    /// The `data` of a record: JSON.
    Data,
}

/// The patterns of a mapping. Without any, everything passes.
#[derive(Clone, Debug, Default)]
pub struct Filter(Vec<Map<String, Value>>);

impl Filter {
    /// Reads `FilterCriteria`.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException` for what is no pattern of such content.
    pub fn read(criteria: &Value, content: Content) -> Result<Self, ApiError> {
        let filters = match &criteria["Filters"] {
            Value::Null => return Ok(Self::default()),
            filters => filters.as_array().ok_or_else(malformed)?,
        };
        if filters.len() > MAX_FILTERS {
            return Err(invalid(format!(
                "Filter list exceeds the maximum number of filters ({MAX_FILTERS})."
            )));
        }
        let pattern = |filter: &Value| {
            let text = filter["Pattern"].as_str().ok_or_else(malformed)?;
            match serde_json::from_str(text) {
                Ok(Value::Object(pattern)) if text.len() <= MAX_PATTERN => {
                    check(&pattern)?;
                    check_content(&pattern, content)?;
                    Ok(pattern)
                }
                _ => Err(malformed()),
            }
        };
        filters
            .iter()
            .map(pattern)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a message or record with this content passes. A pattern of plain text fits no JSON, one with fields
    /// nothing else.
    pub fn passes(&self, content: &str) -> bool {
        let json = serde_json::from_str(content).ok();
        self.is_empty()
            || self
                .0
                .iter()
                .any(|pattern| fits(pattern, content, json.as_ref()))
    }
}

/// Whether the content fits a pattern, whose names are that of the content and `$or`.
fn fits(pattern: &Map<String, Value>, content: &str, json: Option<&Value>) -> bool {
    pattern.iter().all(|(name, rule)| match rule {
        Value::Array(patterns) if name == "$or" => patterns
            .iter()
            .filter_map(Value::as_object)
            .any(|pattern| fits(pattern, content, json)),
        Value::Array(rules) => {
            let text = Value::from(content);
            json.is_none() && rules.iter().any(|rule| allows(rule, Some(&text)))
        }
        Value::Object(fields) => json.is_some_and(|json| matches(fields, json)),
        _ => false,
    })
}

// Differs from AWS: mapping-filters: a pattern names nothing but `body` or `data`, any JSON text is JSON, and 3.0e2 is 300.0.
fn check_content(pattern: &Map<String, Value>, content: Content) -> Result<(), ApiError> {
    let key = match content {
        Content::Body => "body",
        Content::Data => "data",
    };
    for (name, rule) in pattern {
        match rule {
            Value::Array(patterns) if name == "$or" => {
                for pattern in patterns.iter().filter_map(Value::as_object) {
                    check_content(pattern, content)?;
                }
            }
            _ if name != key => {
                return Err(invalid(format!(
                    "A filter pattern of this event source names {key}, not {name}."
                )));
            }
            Value::Array(_) if content == Content::Data => {
                return Err(invalid("Filter pattern must be JSON."));
            }
            _ => {}
        }
    }
    Ok(())
}

fn malformed() -> ApiError {
    invalid("Invalid filter pattern definition.")
}

fn check(pattern: &Map<String, Value>) -> Result<(), ApiError> {
    if pattern.is_empty() {
        return Err(malformed());
    }
    for (name, value) in pattern {
        match value {
            Value::Object(fields) => check(fields)?,
            Value::Array(patterns) if name == "$or" && patterns.len() > 1 => {
                for pattern in patterns {
                    check(pattern.as_object().ok_or_else(malformed)?)?;
                }
            }
            Value::Array(rules) if name != "$or" && !rules.is_empty() => {
                if !rules.iter().all(is_rule) {
                    return Err(malformed());
                }
            }
            _ => return Err(malformed()),
        }
    }
    Ok(())
}

fn is_rule(rule: &Value) -> bool {
    let operator = match rule {
        Value::Array(_) => return false,
        Value::Object(operator) => operator,
        _ => return true,
    };
    let mut operators = operator.iter();
    let (Some((name, operand)), None) = (operators.next(), operators.next()) else {
        return false;
    };
    match name.as_str() {
        "prefix" | "suffix" | "equals-ignore-case" => operand.is_string(),
        "exists" => operand.is_boolean(),
        "numeric" => comparisons(operand).is_some(),
        "anything-but" => match operand {
            Value::Object(_) => ["prefix", "suffix"]
                .iter()
                .any(|name| operand[name].is_string()),
            Value::Array(values) => !values.is_empty() && values.iter().all(is_plain),
            value => is_plain(value),
        },
        _ => false,
    }
}

fn is_plain(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

/// `[">", 0, "<=", 5]` as pairs.
fn comparisons(operand: &Value) -> Option<Vec<(&str, f64)>> {
    let pairs = operand.as_array()?.chunks(2).map(|pair| match pair {
        [sign, number] => {
            let sign = sign.as_str()?;
            ["=", "<", "<=", ">", ">="]
                .contains(&sign)
                .then_some((sign, number.as_f64()?))
        }
        _ => None,
    });
    let pairs: Vec<_> = pairs.collect::<Option<_>>()?;
    (1..=2).contains(&pairs.len()).then_some(pairs)
}

fn matches(pattern: &Map<String, Value>, item: &Value) -> bool {
    pattern.iter().all(|(name, rule)| match rule {
        Value::Object(fields) => matches(fields, &item[name]),
        Value::Array(patterns) if name == "$or" => patterns
            .iter()
            .filter_map(Value::as_object)
            .any(|pattern| matches(pattern, item)),
        Value::Array(rules) => rules.iter().any(|rule| allows(rule, item.get(name))),
        _ => false,
    })
}

/// Whether a rule lets a field be as it is; none: there is no such field. Of an array, one element is enough.
fn allows(rule: &Value, value: Option<&Value>) -> bool {
    if let Some(must_exist) = rule["exists"].as_bool() {
        // Only what is no object of more fields exists.
        let exists = value.is_some_and(|value| !value.is_object());
        return exists == must_exist;
    }
    match value {
        None => false,
        Some(Value::Array(values)) => values.iter().any(|value| is_allowed(rule, value)),
        Some(value) => is_allowed(rule, value),
    }
}

fn is_allowed(rule: &Value, value: &Value) -> bool {
    let Some((operator, operand)) = rule.as_object().and_then(|rule| rule.iter().next()) else {
        return rule == value;
    };
    let text = value.as_str();
    let with = |test: fn(&str, &str) -> bool| {
        text.zip(operand.as_str())
            .is_some_and(|(text, operand)| test(text, operand))
    };
    match operator.as_str() {
        "prefix" => with(|text, start| text.starts_with(start)),
        "suffix" => with(|text, end| text.ends_with(end)),
        "equals-ignore-case" => with(|text, other| text.to_lowercase() == other.to_lowercase()),
        "numeric" => value.as_f64().is_some_and(|number| {
            let holds = |(sign, limit): (&str, f64)| match sign {
                "=" => number == limit,
                "<" => number < limit,
                "<=" => number <= limit,
                ">" => number > limit,
                _ => number >= limit,
            };
            comparisons(operand).is_some_and(|all| all.into_iter().all(holds))
        }),
        "anything-but" => match operand {
            Value::Array(others) => !others.contains(value),
            Value::Object(_) => !is_allowed(operand, value),
            other => other != value,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filter(patterns: &[Value], content: Content) -> Result<Filter, ApiError> {
        let filter = |pattern: &Value| json!({ "Pattern": pattern.to_string() });
        let filters: Vec<_> = patterns.iter().map(filter).collect();
        Filter::read(&json!({ "Filters": filters }), content)
    }

    fn passes(pattern: Value, body: Value) -> bool {
        let filter = filter(&[pattern], Content::Body).expect("a filter");
        match body {
            Value::String(text) => filter.passes(&text),
            body => filter.passes(&body.to_string()),
        }
    }

    #[test]
    fn each_rule_lets_pass_what_it_names() {
        let rules = [
            (json!("a"), json!("a"), json!("b")),
            (json!(300), json!(300), json!(300.0)),
            (json!(1), json!(1), json!("1")),
            (json!(null), json!(null), json!("null")),
            (json!(""), json!(""), json!(" ")),
            (json!(true), json!(true), json!(false)),
            (json!({"prefix": "ab"}), json!("abc"), json!("cab")),
            (json!({"suffix": "bc"}), json!("abc"), json!("bca")),
            (json!({"equals-ignore-case": "aB"}), json!("Ab"), json!("a")),
            (json!({"numeric": [">", 1, "<=", 3]}), json!(3), json!(1)),
            (json!({"numeric": ["=", 2]}), json!(2.0), json!("2")),
            (json!({"anything-but": ["a", "b"]}), json!("c"), json!("a")),
            (json!({"anything-but": 5}), json!(5.0), json!(5)),
            (
                json!({"anything-but": {"prefix": "x"}}),
                json!("ax"),
                json!("xa"),
            ),
            (json!({"exists": true}), json!(0), json!({})),
            (json!("a"), json!(["b", "a"]), json!(["b"])),
        ];
        for (rule, good, bad) in rules {
            let pattern = json!({ "body": { "v": [rule] } });
            assert!(
                passes(pattern.clone(), json!({ "v": good })),
                "{pattern} {good}"
            );
            assert!(
                !passes(pattern.clone(), json!({ "v": bad })),
                "{pattern} {bad}"
            );
        }
        let absent = json!({ "body": { "v": [{ "exists": false }] } });
        assert!(passes(absent.clone(), json!({ "w": 1 })));
        assert!(!passes(absent, json!({ "v": 1 })));
    }

    #[test]
    fn fields_are_all_needed_and_of_several_patterns_or_rules_one() {
        let both = json!({ "body": { "a": [1], "b": { "c": [2, 3] } } });
        assert!(passes(both.clone(), json!({ "a": 1, "b": { "c": 3 } })));
        assert!(!passes(both, json!({ "a": 1, "b": { "c": 4 } })));
        let either = json!({ "body": { "$or": [{ "a": [1] }, { "b": [2] }] } });
        assert!(passes(either.clone(), json!({ "a": 0, "b": 2 })));
        assert!(!passes(either, json!({ "a": 0, "b": 0 })));
        let two = [json!({ "body": ["x"] }), json!({ "body": { "a": [1] } })];
        let two = filter(&two, Content::Body).expect("a filter");
        assert!(two.passes("x") && two.passes("{\"a\": 1}"));
        assert!(!two.passes("y"));
    }

    #[test]
    fn a_body_that_does_not_fit_the_kind_of_its_pattern_is_dropped() {
        let plain = json!({ "body": [{ "prefix": "pl" }, { "prefix": "{" }] });
        let fields = json!({ "body": { "a": [{ "exists": false }] } });
        for (body, is_json) in [("plain", false), ("{", false), ("{}", true)] {
            assert_eq!(passes(plain.clone(), json!(body)), !is_json, "{body}");
            assert_eq!(passes(fields.clone(), json!(body)), is_json, "{body}");
        }
    }

    #[test]
    fn alternatives_may_stand_around_the_body() {
        let either =
            json!({ "$or": [{ "body": { "a": [1] } }, { "body": ["x"] }, { "body": ["y"] }] });
        for (body, passing) in [("{\"a\": 1}", true), ("y", true), ("{\"a\": 2}", false)] {
            assert_eq!(passes(either.clone(), json!(body)), passing, "{body}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in [
            json!({}),
            json!([1]),
            json!({ "body": "a" }),
            json!({ "body": [] }),
            json!({ "body": [["a"]] }),
            json!({ "body": [{ "begins": "a" }] }),
            json!({ "body": [{ "numeric": [">"] }] }),
            json!({ "body": [{ "numeric": [] }] }),
            json!({ "body": [{ "exists": "yes" }] }),
            json!({ "body": [{ "prefix": "a", "suffix": "b" }] }),
            json!({ "body": { "$or": [{ "a": [1] }] } }),
            json!({ "messageId": ["a"] }),
            json!({ "body": ["a"], "attributes": { "SenderId": ["s"] } }),
            json!({ "$or": [{ "body": ["a"] }, { "messageId": ["a"] }] }),
        ] {
            let error = filter(std::slice::from_ref(&pattern), Content::Body);
            let error = error.expect_err(&pattern.to_string());
            assert_eq!(error.code, "InvalidParameterValueException");
        }
        for pattern in [
            json!({ "data": ["a"] }),
            json!({ "partitionKey": ["a"] }),
            json!({ "$or": [{ "data": { "a": [1] } }, { "data": ["a"] }] }),
        ] {
            assert!(
                filter(std::slice::from_ref(&pattern), Content::Data).is_err(),
                "{pattern}"
            );
        }
        assert!(filter(&vec![json!({ "body": ["a"] }); 6], Content::Body).is_err());
    }
}
