//! Templates that are wrong are answered in AWS's words, and nothing in one can stop or fill the local cloud.

use super::super::resolve::{resolve, Known, Scope};
use super::*;
use proptest::prelude::*;

fn error(body: &str) -> String {
    match Template::read(body).and_then(|template| template.creation_order(&Scope::default())) {
        Ok(order) => format!("order: {}", order.join(", ")),
        Err(error) => error.message,
    }
}

#[test]
fn what_is_wrong_is_named() {
    const Q: &str = "Resources:\n  Q: {Type: AWS::SQS::Queue}\n";
    let with = |rest: &str| format!("{Q}{rest}");
    let queue = |properties: &str| {
        format!("Resources:\n  Q: {{Type: AWS::SQS::Queue, Properties: {{{properties}}}}}\n")
    };
    for (body, message) in [
        (String::new(), "Template format error: unsupported structure."),
        ("[1]".into(), "Template format error: unsupported structure."),
        ("a: [".into(), "Template format error: YAML not well-formed. (line "),
        ("{\"a\": 1,}".into(), "Template format error: JSON not well-formed. (line 1, column 10)"),
        ("{\"this is invalid JSON\"=\"bobbins\"}".into(), "Template format error: JSON not well-formed. (line 1, column 25)"),
        ("a: 1\na: 2\n".into(), "Template format error: YAML not well-formed. (line 2, column 4)"),
        ("a: &x 1\nb: *x\n".into(), "Template error: YAML aliases are not allowed in CloudFormation templates"),
        ("Resources:\n".into(), "[/Resources] 'null' values are not allowed in templates"),
        (queue("DelaySeconds: [1, ~]"), "[/Resources/Q/Properties/DelaySeconds/1] 'null' values are not allowed in templates"),
        ("Description: none".into(), "Template format error: At least one Resources member must be defined."),
        (with("Colour: red"), "Invalid template property or properties [Colour]"),
        (with("Mappings: {}"), "order: Q"),
        (with("Mappings: []"), "Template format error: Mappings must be an object."),
        (with("Mappings: {M: a}"), "Template format error: Every Mappings member M must be a map"),
        (with("Mappings: {M: {A: suffix}}"), "Template format error: Every Mappings member A must be a map"),
        (with("Mappings: {M: {A: {S: {deep: 1}}}}"), "Template format error: Every Mappings attribute must be a String or a List."),
        (with("Mappings: {M: {A: {S: !Ref Q}}}"), "Template format error: Every Mappings attribute must be a String or a List."),
        (with("Mappings: {a-b: {}}"), "Template format error: Mapping name a-b is non alphanumeric."),
        (with("Transform: AWS::Serverless-2016-10-31"), "Template format error: the section Transform is not in this lab: nothing here rewrites a template"),
        (with("Rules: {}"), "Template format error: the section Rules is not in this lab."),
        (with("AWSTemplateFormatVersion: 2010"), "Template format error: Unsupported AWSTemplateFormatVersion: it must be \"2010-09-09\"."),
        (with("Outputs: []"), "Template format error: Outputs must be an object."),
        ("Resources:\n  a-b: {Type: AWS::SQS::Queue}".into(), "Template format error: Resource name a-b is non alphanumeric."),
        ("Resources:\n  A: {Typ: AWS::SQS::Queue}".into(), "Template format error: [/Resources/A] Every Resources object must contain a Type member."),
        ("Resources:\n  A: 1".into(), "Template format error: Any Resources member must be an object."),
        ("Resources:\n  A: {Type: AWS::S3::Bucket}".into(), "Template format error: Unrecognized resource types: [AWS::S3::Bucket]. AWS::S3::Bucket: there is no S3 in this lab, so no buckets: leave them out; functions get their code from `cargo run --bin deploy`. In this lab are: AWS::SQS::Queue, AWS::SQS::QueuePolicy, "),
        ("Resources:\n  A: {Type: AWS::SQS::Queue, Colour: red}".into(), "Invalid template resource property 'Colour'"),
        ("Resources:\n  A: {Type: AWS::SQS::Queue, DeletionPolicy: Hide}".into(), "Template format error: Unrecognized DeletionPolicy \"Hide\" for resource A"),
        ("Resources:\n  A: {Type: AWS::SQS::Queue, DependsOn: B}".into(), "Template format error: Unresolved resource dependencies [B] in the Resources block of the template"),
        ("Resources:\n  A: {Type: AWS::SQS::Queue, Condition: B}".into(), "Template format error: Unresolved condition dependency B in the Resources block of the template"),
        (queue("QueueName: !Ref X"), "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"),
        (queue("QueueName: !Sub '${X}'"), "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"),
        (queue("QueueName: !Sub '${a b}'"), "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons"),
        (queue("QueueName: !GetAtt X.Arn"), "Template error: instance of Fn::GetAtt references undefined resource X"),
        (queue("QueueName: !FindInMap [M, A]"), "Template error: every Fn::FindInMap object requires three parameters"),
        (queue("QueueName: !Select [one, [a]]"), "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"),
        (queue("QueueName: !GetAtt Q"), "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"),
        (queue("QueueName: {Ref: [Q]}"), "Template format error: Every Ref object must have a single String value."),
        (queue("QueueName: !GetAZs ''"), "Template error: the function Fn::GetAZs is not in this lab. Write into the template what it would give."),
        (queue("QueueName: !If [No, a, b]"), "Template error: unresolved condition dependency No in Fn::If"),
        (queue("QueueName: !Ref Q"), "Circular dependency between resources: [Q]"),
        (with("Outputs:\n  O: {Value: !Ref X}"), "Template format error: Unresolved resource dependencies [X] in the Outputs block of the template"),
        (with("Outputs:\n  O: {Description: x}"), "Template format error: Every Outputs member must contain a Value object"),
        (with("Conditions:\n  C: !Equals [!Ref Q, a]"), "Template format error: Unresolved dependencies [Q]. Cannot reference resources in the Conditions block of the template"),
        (with("Conditions:\n  C: !Condition D"), "Template format error: Unresolved condition dependency D in the Conditions block of the template"),
        (with("Conditions:\n  C: !Condition D\n  D: !Not [!Condition C]"), "Template format error: Circular dependency between conditions: [C, D]"),
        (with("Conditions:\n  C: yes"), "Template format error: Every Conditions member must be one of"),
    ] {
        let answer = error(&body);
        assert!(answer.starts_with(message), "{body}\n{answer}");
    }
    let body = "Resources:\n".to_owned()
        + &["A: [B]", "B: [C]", "C: [A]", "D: [A]", "E: []"]
            .map(|line| {
                let (name, needs) = line.split_once(": ").unwrap_or_default();
                format!("  {name}: {{Type: AWS::SQS::Queue, DependsOn: {needs}}}\n")
            })
            .concat();
    assert_eq!(
        error(&body),
        "Circular dependency between resources: [A, B, C]"
    );
    let body = body.replace("DependsOn: [A]", "DependsOn: [E]");
    assert_eq!(error(&body), "order: E, C, D, B, A");
}

#[test]
fn sizes_have_bounds() {
    let many = |n: usize| {
        let queue = |i| format!("\"Q{i}\": {{\"Type\": \"AWS::SQS::Queue\"}}");
        let queues: Vec<_> = (0..n).map(queue).collect();
        format!("{{\"Resources\": {{{}}}}}", queues.join(","))
    };
    assert!(error(&many(500)).starts_with("order: "));
    assert_eq!(
        error(&many(501)),
        "Template format error: Number of resources, 501, is greater than maximum allowed, 500"
    );
    let comment = "#".repeat(MAX_BODY_LENGTH + 1);
    assert!(error(&comment).ends_with("Member must have length less than or equal to 51200"));
    for deep in [
        "[".repeat(20_000),
        "- ".repeat(20_000),
        "{\"a\":".repeat(9_000),
    ] {
        assert!(error(&deep).contains("not well-formed"), "{}", &deep[..8]);
    }
    let deep: String = (0..300).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    assert!(error(&deep).contains("not well-formed"));
}

/// Each level multiplies by 50, ten levels deep.
#[test]
fn functions_cannot_fill_the_memory() {
    let mut value = "\"0123456789\"".to_owned();
    for _ in 0..10 {
        value = format!(
            "{{\"Fn::Sub\": [\"{}\", {{\"a\": {value}}}]}}",
            "${a}".repeat(50)
        );
    }
    let body = format!(
        "{{\"Resources\": {{\"Q\": {{\"Type\": \"AWS::SQS::Queue\", \"Properties\": {{\"QueueName\": {value}}}}}}}}}"
    );
    let template = Template::read(&body).expect("a template");
    let properties = &template.resources["Q"].properties;
    let error = resolve(properties, &Scope::default(), &Known::default());
    let message = error.expect_err("too much").message;
    assert!(message.contains("more than 262144 bytes"), "{message}");
}

#[test]
fn a_plain_scalar_keeps_what_it_looks_like() {
    for (text, value) in [
        ("7", serde_json::json!(7)),
        ("012", serde_json::json!("012")),
        ("1.10", serde_json::json!("1.10")),
        ("true", serde_json::json!(true)),
        ("'7'", serde_json::json!("7")),
        ("2010-09-09", serde_json::json!("2010-09-09")),
        ("!Sub 7", serde_json::json!({ "Fn::Sub": "7" })),
    ] {
        assert_eq!(yaml::read(text).expect("YAML"), value);
    }
}

/// Lines that are nearly templates.
fn nearly() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Resources",
        "Parameters",
        "Outputs",
        "Conditions",
        "Q",
        "Type",
        "AWS::SQS::Queue",
        "Properties",
        "Value",
        "Ref",
        "!Ref Q",
        "!Sub '${Q}'",
        "!GetAtt Q.Arn",
        "!If [C, 1, 2]",
        "Fn::Join",
        "Fn::Sub",
        "Fn::Select",
        "!Join ['', [a]]",
        "&a",
        "*a",
        "<<",
        "-",
        "?",
        "|",
        ">",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "'",
        "\"",
        "!!binary",
        "!<x>",
        "%YAML 1.2",
        "---",
        "...",
        "#",
        "\t",
        "~",
        "Condition",
        "\u{feff}",
        "\0",
        "\\",
    ]);
    let line = (
        0..6usize,
        prop::collection::vec((word, any::<bool>()), 0..5),
    )
        .prop_map(|(indent, words)| {
            let mut line = "  ".repeat(indent);
            for (word, key) in words {
                line += word;
                line += if key { ": " } else { " " };
            }
            line
        });
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.join("\n"))
}

fn follow(body: &str) {
    if let Ok(template) = Template::read(body) {
        let mut scope = Scope::default();
        if template.decide(&mut scope).is_ok() {
            let _ = template.creation_order(&scope);
            for resource in template.resources.values() {
                let _ = resolve(&resource.properties, &scope, &Known::default());
            }
            let _ = template.resolve_outputs(&scope, &Known::default());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn garbage_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        follow(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn near_templates_are_answered(body in nearly()) {
        follow(&body);
    }

    /// The lab's template with a piece cut out or written over.
    #[test]
    fn damaged_templates_are_answered(from in 0..1200usize, length in 0..40usize, text in ".{0,8}") {
        let whole = include_str!("../../../../templates/standard-queue.yaml");
        let before: String = whole.chars().take(from).collect();
        let after: String = whole.chars().skip(from + length).collect();
        follow(&format!("{before}{text}{after}"));
    }
}
