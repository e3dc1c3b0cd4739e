//! Reads a function's answer about the items of its batch, when the mapping reports batch item failures.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>.

use serde_json::Value;
use std::collections::BTreeSet;

/// Which items of a batch failed, by their place in it. All, when the answer can't be understood.
pub fn failures(answer: &[u8], ids: &[&str]) -> BTreeSet<usize> {
    let all = || (0..ids.len()).collect();
    let place = |failure: &Value| {
        let id = failure["itemIdentifier"].as_str()?;
        ids.iter().position(|known| *known == id)
    };
    let answer = match serde_json::from_slice(answer) {
        Ok(Value::Object(answer)) => answer,
        Ok(Value::Null) => return BTreeSet::new(),
        Ok(Value::String(text)) if text.is_empty() => return BTreeSet::new(),
        Ok(Value::Array(items)) if items.is_empty() => return BTreeSet::new(),
        Err(_) if answer.is_empty() => return BTreeSet::new(),
        _ => return all(),
    };
    match answer.get("batchItemFailures") {
        None | Some(Value::Null) => BTreeSet::new(),
        Some(Value::Array(failures)) => failures
            .iter()
            .map(place)
            .collect::<Option<_>>()
            .unwrap_or_else(all),
        Some(_) => all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_those_reported_or_all_when_the_report_is_not_understood() {
        let none: &[&str] = &[
            "",
            "null",
            "[]",
            "\"\"",
            "{}",
            "{\"statusCode\": 200}",
            "{\"batchItemFailures\": null}",
            "{\"batchItemFailures\": []}",
        ];
        for answer in none {
            assert!(
                failures(answer.as_bytes(), &["a", "b"]).is_empty(),
                "{answer}"
            );
        }
        let all: &[&str] = &[
            "{",
            "\"ok\"",
            "[1]",
            "{\"batchItemFailures\": \"a\"}",
            "{\"batchItemFailures\": [\"a\"]}",
            "{\"batchItemFailures\": [{\"itemIdentifier\": \"\"}]}",
            "{\"batchItemFailures\": [{\"itemIdentifier\": null}]}",
            "{\"batchItemFailures\": [{\"messageId\": \"a\"}]}",
            "{\"batchItemFailures\": [{\"itemIdentifier\": \"a\"}, {\"itemIdentifier\": \"c\"}]}",
        ];
        for answer in all {
            assert_eq!(
                failures(answer.as_bytes(), &["a", "b"]).len(),
                2,
                "{answer}"
            );
        }
        let one = b"{\"batchItemFailures\": [{\"itemIdentifier\": \"b\"}]}";
        assert_eq!(failures(one, &["a", "b"]), BTreeSet::from([1]));
    }
}
