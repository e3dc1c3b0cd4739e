//! The appendix tells every difference of the local cloud from AWS, and no other.

use crate::{files, read};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn every_difference_from_aws_is_in_the_appendix() {
    let mut in_code = BTreeMap::new();
    for file in files("localcloud/src", "rs") {
        for line in read(&file).lines() {
            if let Some((_, difference)) = line.split_once("// Differs from AWS: ") {
                let id = difference.split(':').next().unwrap_or_default();
                in_code.insert(id.to_owned(), file.clone());
            }
        }
    }
    let page = read("book/differences.md");
    let in_book: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with("### "))
        .map(|line| {
            let id = line
                .split_once("{#")
                .and_then(|(_, id)| id.strip_suffix('}'));
            id.unwrap_or_else(|| panic!("differences.md: no id: {line}"))
                .to_owned()
        })
        .collect();
    let untold: Vec<_> = in_code
        .iter()
        .filter(|(id, _)| !in_book.contains(*id))
        .collect();
    assert!(untold.is_empty(), "differences.md doesn't tell: {untold:?}");
    let gone: Vec<_> = in_book
        .iter()
        .filter(|id| !in_code.contains_key(*id))
        .collect();
    assert!(
        gone.is_empty(),
        "differences.md tells what no code marks: {gone:?}"
    );
}

#[test]
fn the_appendix_lists_the_operations_of_the_lab() {
    let page = read("book/differences.md");
    for (service, operations) in [
        ("SQS", &localcloud::sqs::OPERATIONS[..]),
        ("Kinesis", &localcloud::kinesis::OPERATIONS),
        ("CloudFormation", &localcloud::cloudformation::OPERATIONS),
        ("Lambda", &localcloud::lambda::OPERATIONS),
        (
            "Event source mappings",
            &localcloud::lambda::mapping::OPERATIONS,
        ),
        ("IAM", &localcloud::iam::OPERATIONS),
        ("CloudWatch Logs", &localcloud::logs::OPERATIONS),
        ("STS", &localcloud::sts::OPERATIONS),
    ] {
        let row = format!("| {service} | {} |", operations.join(", "));
        assert!(page.contains(&row), "differences.md lacks the row: {row}");
    }
}
