//! An expected answer beside the one that came.

use super::case::Expected;
use super::wire::Answer;
use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Values of earlier answers, by the names that the case gives them.
pub type Kept = BTreeMap<String, Value>;

const ANY: &str = "<any>";
const ABSENT: &str = "<absent>";
const UNORDERED: &str = "<unordered>";
const SOME: &str = "<some>";

/// Says what differs; keeps what `$name` stands for.
pub fn check(expected: &Expected, answer: &Answer, kept: &mut Kept) -> Result<(), String> {
    match (expected, &answer.outcome) {
        (Expected::Answer { status, fields }, Ok(output)) => {
            if status.is_some_and(|status| status != answer.status) {
                return Err("another status".to_owned());
            }
            compare("", fields, Some(output), kept)
        }
        (
            Expected::Error {
                status,
                code,
                message,
            },
            Err((other_code, other_message)),
        ) => {
            if status.is_some_and(|status| status != answer.status) {
                return Err("another status".to_owned());
            }
            if code != other_code {
                return Err("another code".to_owned());
            }
            let expected = Value::from(message.as_str());
            let other = Value::from(other_message.as_str());
            compare("message", &expected, Some(&other), kept)
        }
        (Expected::Answer { .. }, Err(_)) => Err("an error".to_owned()),
        (Expected::Error { .. }, Ok(_)) => Err("no error".to_owned()),
    }
}

fn compare(
    path: &str,
    expected: &Value,
    found: Option<&Value>,
    kept: &mut Kept,
) -> Result<(), String> {
    let differs = || {
        let found = found.map_or("nothing".to_owned(), Value::to_string);
        Err(format!("{path}: {expected} expected, {found} found"))
    };
    if expected == ABSENT {
        return if found.is_none() { Ok(()) } else { differs() };
    }
    let Some(found) = found else {
        return differs();
    };
    match expected {
        Value::String(text) if text == ANY => Ok(()),
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) if is_name(name) && !kept.contains_key(name) => {
                kept.insert(name.to_owned(), found.clone());
                Ok(())
            }
            _ if matches(&filled(text, kept), &plain(found)) => Ok(()),
            _ => differs(),
        },
        Value::Array(items) => {
            let others = match found {
                Value::Array(others) => others.as_slice(),
                // An empty element of XML may be an empty list.
                Value::String(text) if text.is_empty() => &[],
                _ => return differs(),
            };
            compare_lists(path, items, others, kept).or_else(|reason| match reason {
                Some(reason) => Err(reason),
                None => differs(),
            })
        }
        Value::Object(fields) => {
            let within = within(found);
            let Some(others) = within.as_ref().or(found.as_object()) else {
                return if fields.is_empty() && found == "" {
                    Ok(())
                } else {
                    differs()
                };
            };
            // The fields that are kept come first: the rest may name their values.
            let is_kept = |field: &Value| {
                let text = field.as_str().and_then(|text| text.strip_prefix('$'));
                text.is_some_and(is_name)
            };
            let (first, rest): (Vec<_>, Vec<_>) =
                fields.iter().partition(|(_, field)| is_kept(field));
            for (name, field) in first.into_iter().chain(rest) {
                let name = filled(name, kept);
                compare(&format!("{path}.{name}"), field, others.get(&name), kept)?;
            }
            Ok(())
        }
        other if other == found || plain(other) == plain(found) => Ok(()),
        _ => differs(),
    }
}

fn compare_lists(
    path: &str,
    items: &[Value],
    others: &[Value],
    kept: &mut Kept,
) -> Result<(), Option<String>> {
    let (mode, items) = match items.split_first() {
        Some((first, rest)) if first == UNORDERED || first == SOME => (first.as_str(), rest),
        _ => (None, items),
    };
    if mode != Some(SOME) && items.len() != others.len() {
        return Err(None);
    }
    if mode.is_none() {
        for (n, (item, other)) in items.iter().zip(others).enumerate() {
            compare(&format!("{path}[{n}]"), item, Some(other), kept).map_err(Some)?;
        }
        return Ok(());
    }
    let mut left: Vec<&Value> = others.iter().collect();
    for item in items {
        let mut new = None;
        let place = left.iter().position(|other| {
            let mut tried = kept.clone();
            let is_it = compare("", item, Some(other), &mut tried).is_ok();
            new = is_it.then_some(tried);
            is_it
        });
        let Some(place) = place else {
            return Err(None);
        };
        left.remove(place);
        *kept = new.expect("set with the place");
    }
    Ok(())
}

/// JSON within a text, as policies are; IAM writes it with escapes of a URL.
fn within(found: &Value) -> Option<Map<String, Value>> {
    let text = found.as_str()?;
    let decoded = match text.starts_with("%7B") {
        true => form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())?,
        false => text.to_owned(),
    };
    serde_json::from_str(&decoded).ok()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Whether `pattern` is the text; `<any>` stands for any part of it, and `<not x>` for everything but x.
fn matches(pattern: &str, text: &str) -> bool {
    if let Some(other) = pattern.strip_prefix("<not ") {
        return other.strip_suffix('>') != Some(text);
    }
    let mut parts = pattern.split(ANY);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

/// An input, or an expected text, with what its marks stand for.
pub fn fill(value: &Value, kept: &Kept) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('$').and_then(|name| kept.get(name)) {
            Some(value) => value.clone(),
            None => Value::from(filled(text, kept)),
        },
        Value::Array(items) => items.iter().map(|item| fill(item, kept)).collect(),
        Value::Object(fields) => {
            let filled = fields
                .iter()
                .map(|(name, field)| (filled(name, kept), fill(field, kept)));
            Value::Object(filled.collect())
        }
        other => other.clone(),
    }
}

fn filled(text: &str, kept: &Kept) -> String {
    let mut out = text
        .replace("<account>", localcloud::ACCOUNT)
        .replace("<region>", localcloud::REGION);
    if out.contains('$') {
        // The longest first, so that `$queue` isn't found in `$queue2`.
        for (name, value) in kept.iter().rev() {
            out = out.replace(&format!("${name}"), &plain(value));
        }
    }
    if out.contains("<function>") {
        out = out.replace("<function>", crate::support::functions::function_zip());
    }
    while let Some((before, rest)) = out.split_once("<base64 ") {
        let (inner, after) = rest.split_once('>').expect("an end of <base64 …>");
        out = format!("{before}{}{after}", BASE64_STANDARD.encode(inner));
    }
    // `<1025 x>` is the letter x, 1025 times.
    for (at, _) in text.match_indices('<') {
        let Some((mark, _)) = text[at..].split_once('>') else {
            continue;
        };
        let Some((count, part)) = mark[1..].split_once(' ') else {
            continue;
        };
        if let Ok(count) = count.parse::<usize>() {
            out = out.replace(&format!("{mark}>"), &part.repeat(count));
        }
    }
    out
}

/// This answer, wrong in one place; once for each place.
pub fn broken(expected: &Expected) -> Vec<Expected> {
    match expected {
        Expected::Answer { status, fields } => {
            let mut all: Vec<_> = broken_values(fields)
                .into_iter()
                .map(|fields| Expected::Answer {
                    status: *status,
                    fields,
                })
                .collect();
            all.extend(status.map(|status| Expected::Answer {
                status: Some(status + 1),
                fields: fields.clone(),
            }));
            all.push(Expected::Error {
                status: None,
                code: "Other".to_owned(),
                message: ANY.to_owned(),
            });
            all
        }
        Expected::Error {
            status,
            code,
            message,
        } => {
            let with = |status, code: &str, message: &str| Expected::Error {
                status,
                code: code.to_owned(),
                message: message.to_owned(),
            };
            let mut all = vec![with(*status, &format!("{code}Other"), message)];
            all.extend(status.map(|status| with(Some(status + 1), code, message)));
            if message != ANY {
                all.push(with(*status, code, &format!("~{message}")));
            }
            all
        }
    }
}

fn broken_values(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![Value::from(1)],
        Value::Bool(value) => vec![Value::from(!value)],
        Value::Number(number) => vec![Value::from(number.as_f64().unwrap_or_default() + 1.0)],
        Value::String(text) if text == ABSENT => vec![Value::from(ANY)],
        Value::String(text) if text == UNORDERED || text == SOME => Vec::new(),
        Value::String(text) if text == ANY => vec![Value::from(ABSENT)],
        Value::String(text) if text.strip_prefix('$').is_some_and(is_name) => {
            vec![Value::from(ABSENT)]
        }
        Value::String(text) if text.starts_with("<not ") => {
            let inner = text.trim_start_matches("<not ").trim_end_matches('>');
            vec![Value::from(format!("~{inner}"))]
        }
        Value::String(text) => vec![Value::from(format!("~{text}"))],
        Value::Array(items) => {
            let mut all: Vec<Value> = Vec::new();
            for (n, item) in items.iter().enumerate() {
                for other in broken_values(item) {
                    let mut items = items.clone();
                    items[n] = other;
                    all.push(Value::from(items));
                }
            }
            if items.first().is_none_or(|first| first != SOME) {
                let mut longer = items.clone();
                longer.push(Value::from(ANY));
                all.push(Value::from(longer));
            }
            all
        }
        Value::Object(fields) => {
            let mut all = Vec::new();
            for (name, field) in fields {
                for other in broken_values(field) {
                    let mut fields = fields.clone();
                    fields[name] = other;
                    all.push(Value::Object(fields));
                }
            }
            all
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fits(expected: &Value, found: &Value) -> bool {
        compare("", expected, Some(found), &mut Kept::new()).is_ok()
    }

    #[test]
    fn marks_stand_for_what_the_readme_says() {
        assert!(fits(&json!("a<any>c"), &json!("abc")) && !fits(&json!("a<any>c"), &json!("abd")));
        assert!(fits(&json!("<3 a>!"), &json!("aaa!")) && !fits(&json!("<3 a>!"), &json!("aa!")));
        assert!(fits(&json!("<base64 hello>"), &json!("aGVsbG8=")));
        assert!(fits(&json!({"a": "<absent>"}), &json!({"b": 1})));
        assert!(!fits(&json!({"a": "<absent>"}), &json!({"a": null})));
        assert!(fits(&json!(["<unordered>", 1, 2]), &json!([2, 1])));
        assert!(!fits(&json!(["<unordered>", 1, 2]), &json!([2, 1, 3])));
        assert!(fits(&json!(["<some>", 1]), &json!([2, 1, 3])));
        assert!(!fits(&json!([1]), &json!([1, 2])));
        assert!(fits(&json!({"a": 1}), &json!(r#"{"a": 1, "b": 2}"#)));
        assert!(fits(&json!({"a": 1}), &json!("%7B%22a%22%3A1%7D")));
    }

    #[test]
    fn what_is_kept_is_compared_and_filled_in() {
        let same = json!({"id": "$id", "arn": "queue/$id", "other": "<not $id>"});
        assert!(fits(
            &same,
            &json!({"id": "7", "arn": "queue/7", "other": "8"})
        ));
        assert!(!fits(
            &same,
            &json!({"id": "7", "arn": "queue/8", "other": "8"})
        ));
        assert!(!fits(
            &same,
            &json!({"id": "7", "arn": "queue/7", "other": "7"})
        ));
    }

    /// Each broken expectation differs from the answer that the whole one fits.
    #[test]
    fn a_broken_expectation_fits_no_more() {
        let found = json!({"a": "abc", "b": [1, 2], "c": true, "d": null, "f": "x"});
        let fields = json!({"a": "a<any>", "b": ["<unordered>", 2, 1], "c": true, "d": null, "e": "<absent>", "f": "$f"});
        let answer = Answer {
            status: 200,
            outcome: Ok(found),
        };
        let status = Some(200);
        let expected = Expected::Answer { status, fields };
        check(&expected, &answer, &mut Kept::new()).expect("it fits");
        let broken = broken(&expected);
        assert_eq!(broken.len(), 10);
        for broken in broken {
            check(&broken, &answer, &mut Kept::new()).expect_err("it differs");
        }
    }
}
