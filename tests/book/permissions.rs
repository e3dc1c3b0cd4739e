//! The permissions that the pages list are those that their programs need.

use crate::{files, programs, read, PACKAGES};
use std::collections::BTreeSet;

/// The statements of the policy on this page: their actions, and the resources that they allow them for.
fn policy(page: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let text = read(page);
    let (_, rest) = text.split_once("```json\n").expect(page);
    let json = rest.split("```").next().unwrap_or_default();
    let policy: serde_json::Value = serde_json::from_str(json).expect(page);
    let texts = |value: &serde_json::Value| match value.as_array() {
        Some(values) => values
            .iter()
            .filter_map(|value| Some(value.as_str()?.to_owned()))
            .collect(),
        None => vec![value.as_str().expect("a text").to_owned()],
    };
    let statements = policy["Statement"].as_array().expect("statements");
    let parts = |statement| {
        let statement: &serde_json::Value = statement;
        (texts(&statement["Action"]), texts(&statement["Resource"]))
    };
    statements.iter().map(parts).collect()
}

#[test]
fn the_policy_of_a_class_is_that_of_a_reader_for_names_with_a_prefix() {
    let actions = |page| -> BTreeSet<String> {
        let statements = policy(page).into_iter();
        statements.flat_map(|(actions, _)| actions).collect()
    };
    let page = "book/room.md";
    assert_eq!(actions(page), actions("book/01-whoami.md"));

    let allowed: Vec<String> = policy(page)
        .into_iter()
        .flat_map(|(_, resources)| resources)
        .filter(|resource| resource != "*")
        .collect();
    let is_allowed = |arn: &str| allowed.iter().any(|pattern| matches(pattern, arn));
    for (kind, names) in [
        (
            "cloudformation:us-east-1:1:stack/",
            &[
                "SQSStandardQueue/1",
                "SQSFIFOQueue/1",
                "KinesisStream/1",
                "SQSFunction/1",
                "KinesisFunction/1",
                "experiment-poison-KXWQBA/1",
            ][..],
        ),
        (
            "kinesis:us-east-1:1:stream/",
            &[
                "KinesisStream",
                "KinesisStream/consumer/bills:1",
                "experiment-fan-out-KXWQBA",
                "experiment-fan-out-KXWQBA/consumer/bills:1",
            ],
        ),
        (
            "lambda:us-east-1:1:function:",
            &["SQSFunction", "KinesisFunction", "experiment-poison-KXWQBA"],
        ),
        (
            "logs:us-east-1:1:log-group:/aws/lambda/",
            &[
                "SQSFunction",
                "KinesisFunction:*",
                "experiment-poison-KXWQBA",
            ],
        ),
        (
            "sqs:us-east-1:1:",
            &[
                "StandardQueue",
                "DeadLetterQueue",
                "FIFOQueue.fifo",
                "experiment-order-KXWQBA",
                "experiment-groups-KXWQBA.fifo",
            ],
        ),
        (
            "iam::1:role/",
            &[
                "SQSFunction-Role-1",
                "KinesisFunction-Role-1",
                "experiment-poison-KXWQBA-Role-1",
            ],
        ),
    ] {
        for name in names {
            let [alices, nobodys, strange] =
                ["alice-", "", "alice-x"].map(|prefix| format!("arn:aws:{kind}{prefix}{name}"));
            assert!(is_allowed(&alices), "{page} forbids {alices}");
            assert!(!is_allowed(&nobodys), "{page} allows {nobodys}");
            assert!(!is_allowed(&strange), "{page} allows {strange}");
        }
    }
}

/// Whether a pattern of a policy, in which `*` stands for anything, is the whole of this text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let mut tails = text.char_indices().map(|(at, _)| &text[at..]).chain([""]);
            tails.any(|tail| matches(rest, tail))
        }),
    }
}

/// `class` must know each thing that the programs of a page make.
#[test]
fn a_class_is_judged_by_what_the_programs_make() {
    let table = read("snippets/deployment/src/bin/class.rs");
    let mut faults = Vec::new();
    for (program, file) in programs() {
        let text = read(&file);
        let about: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("//"))
            .collect();
        let about = about.join(" ");
        let Some((_, page)) = about.split_once("`book/") else {
            panic!("{file}: no page");
        };
        let page = page.split(".md").next().unwrap_or_default();
        for made in [
            "scratch_queue(",
            "scratch_fifo_queue(",
            "scratch_stream(",
            "scratch_name(",
            "Scratch::create(",
            "Scratch::powerless(",
        ] {
            for call in text.split(made).skip(1) {
                let arguments = call.split(')').next().unwrap_or_default();
                let Some(name) = arguments.split('"').nth(1) else {
                    continue;
                };
                let row = table
                    .lines()
                    .find(|line| line.contains(&format!("(\"{page}\"")));
                if !row.is_some_and(|row| row.contains(&format!("\"{name}\""))) {
                    faults.push(format!("class.rs: {page} lacks {name} of {program}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_programs_call_nothing_that_the_listed_permissions_forbid() {
    let programs: String = PACKAGES
        .iter()
        .flat_map(|package| files(&format!("{package}/src"), "rs"))
        .map(|file| read(&file))
        .collect();
    let page = read("book/01-whoami.md");
    for (service, operations) in [
        ("sqs", &localcloud::sqs::OPERATIONS[..]),
        ("kinesis", &localcloud::kinesis::OPERATIONS),
        ("cloudformation", &localcloud::cloudformation::OPERATIONS),
        ("lambda", &localcloud::lambda::OPERATIONS),
        ("lambda", &localcloud::lambda::mapping::OPERATIONS),
        ("iam", &localcloud::iam::OPERATIONS),
        ("logs", &localcloud::logs::OPERATIONS),
    ] {
        for operation in operations {
            let action = match *operation {
                "Invoke" => "InvokeFunction",
                operation => operation.trim_end_matches("Batch"),
            };
            let permission = format!("\"{service}:{action}\"");
            let called = programs.contains(&format!(".{}(", method(operation)));
            assert!(
                !called || page.contains(&permission),
                "book/01-whoami.md lacks {permission}"
            );
        }
    }
}

/// `get_queue_url` for `GetQueueUrl`, as the SDK names it.
fn method(operation: &str) -> String {
    let mut name = String::new();
    for c in operation.chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}
