//! Templates: their conditions and functions, in YAML and JSON.

use super::*;

#[tokio::test]
async fn conditions_choose_resources_and_values() {
    let cloud = Cloud::new();
    let template = r#"
Parameters:
  Stage: {Type: String, AllowedValues: [test, live]}
Conditions:
  Live: !Equals [!Ref Stage, live]
  Test: !Not [!Condition Live]
  Never: !And [!Condition Live, !Condition Test]
  Always: !Or [!Condition Live, !Condition Test]
Resources:
  Main:
    Type: AWS::SQS::Queue
    Condition: Always
    Properties:
      QueueName: !Sub "${Stage}-main"
      VisibilityTimeout: !If [Live, 60, !Ref AWS::NoValue]
      DelaySeconds: !If [Live, !Ref "AWS::NoValue", 3]
  Extra:
    Type: AWS::SQS::Queue
    Condition: Live
    DependsOn: Main
    Properties: {QueueName: extra}
  Nothing: {Type: AWS::SQS::Queue, Condition: Never}
  Named:
    Type: AWS::SQS::Queue
    Properties: {Tags: [{Key: k, Value: !If [Live, !GetAtt Extra.QueueName, none]}]}
Outputs:
  Extra: {Condition: Live, Value: !Ref Extra}
  Main: {Value: !Ref Main}
"#;
    for (stage, visibility, delay, outputs) in [
        ("test", "30", "3", vec!["Main"]),
        ("live", "60", "0", vec!["Extra", "Main"]),
    ] {
        let form = [
            ("StackName", stage),
            ("TemplateBody", template),
            ("Parameters.member.1.ParameterKey", "Stage"),
            ("Parameters.member.1.ParameterValue", stage),
        ];
        assert_eq!(cloud.create_with(&form).await, "CREATE_COMPLETE");
        let attributes = cloud.attributes(&format!("{stage}-main")).await;
        assert_eq!(attributes["VisibilityTimeout"], visibility);
        assert_eq!(attributes["DelaySeconds"], delay);
        assert_eq!(all(&cloud.describe(stage).await, "OutputKey"), outputs);
        assert_eq!(cloud.has_queue("extra").await, stage == "live");
    }
    let form = [
        ("StackName", "Other"),
        ("TemplateBody", template),
        ("Parameters.member.1.ParameterKey", "Stage"),
        ("Parameters.member.1.ParameterValue", "dev"),
    ];
    let error = cloud.error("CreateStack", &form).await;
    assert_eq!(
        error,
        "ValidationError: Parameter 'Stage' must be one of AllowedValues"
    );
}

#[tokio::test]
async fn json_and_long_forms_mean_the_same() {
    let cloud = Cloud::new();
    let template = json!({
        "Parameters": { "Names": { "Type": "CommaDelimitedList", "Default": "a, b,c" } },
        "Resources": { "Q": { "Type": "AWS::SQS::Queue", "Properties": {
            "QueueName": { "Fn::Select": [1, { "Ref": "Names" }] },
        }}},
        "Outputs": {
            "Sub": { "Value": { "Fn::Sub": ["${Q.Arn}/${own}/${!Literal}", { "own": { "Fn::Join": ["+", { "Ref": "Names" }] } }] } },
            "Split": { "Value": { "Fn::Select": ["4", { "Fn::Split": [":", { "Fn::GetAtt": ["Q", "Arn"] }] }] } },
            "Pseudo": { "Value": { "Fn::Sub": "${AWS::Partition} ${AWS::AccountId} ${AWS::URLSuffix}" } },
        },
    });
    let text = serde_json::to_string_pretty(&template)
        .expect("JSON")
        .replace("  ", "\t");
    assert_eq!(cloud.create("Lab", &text).await, "CREATE_COMPLETE");
    assert_eq!(
        all(&cloud.describe("Lab").await, "OutputValue"),
        [
            "aws 000000000000 amazonaws.com",
            "000000000000",
            "arn:aws:sqs:us-east-1:000000000000:b/a+b+c/${Literal}",
        ]
    );
}

#[tokio::test]
async fn a_template_is_shown_and_summed_up() {
    let cloud = Cloud::new();
    cloud.create("Lab", LAB_TEMPLATE).await;
    let template = cloud.ok("GetTemplate", &[("StackName", "Lab")]).await;
    let body = first(&template, "TemplateBody");
    assert_eq!(body, LAB_TEMPLATE);
    for form in [("StackName", "Lab"), ("TemplateBody", LAB_TEMPLATE)] {
        let summary = cloud.ok("GetTemplateSummary", &[form]).await;
        assert!(summary.contains("<ResourceTypes><member>AWS::SQS::Queue</member></ResourceTypes>"));
        assert_eq!(first(&summary, "ParameterType"), "String");
    }
    let valid = cloud
        .ok("ValidateTemplate", &[("TemplateBody", LAB_TEMPLATE)])
        .await;
    assert_eq!(first(&valid, "ParameterKey"), "QueueName");
    assert_eq!(first(&valid, "DefaultValue"), "StandardQueue");
}

const MAPPED: &str = r#"
Parameters:
  Stage: {Type: String, Default: test}
Mappings:
  Stages:
    test: {Delay: 1, Names: [a, b]}
    live: {Delay: "9", Names: [c, d]}
  Regions:
    us-east-1: {Stage: live}
  Empty: {}
Resources:
  Q:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Select [1, !FindInMap [Stages, !Ref Stage, Names]]
      DelaySeconds: !FindInMap [Stages, !FindInMap [Regions, !Ref "AWS::Region", Stage], Delay]
Outputs:
  Encoded: {Value: {Fn::Base64: !Sub "${Q.QueueName}!"}}
"#;

#[tokio::test]
async fn a_mapping_gives_values() {
    let cloud = Cloud::new();
    assert_eq!(cloud.create("Lab", MAPPED).await, "CREATE_COMPLETE");
    assert_eq!(cloud.attributes("b").await["DelaySeconds"], "9");
    assert_eq!(cloud.output("Lab", "Encoded").await, "YiE=");
    let changed = MAPPED.replace("Delay: \"9\"", "Delay: 8");
    assert_eq!(cloud.update("Lab", &changed).await, "UPDATE_COMPLETE");
    assert_eq!(cloud.attributes("b").await["DelaySeconds"], "8");
}

/// A missing key is found before there is a stack.
#[tokio::test]
async fn what_a_mapping_lacks_is_named() {
    let cloud = Cloud::new();
    for (from, to, message) in [
        ("Default: test", "Default: no", "Template error: Unable to get mapping for Stages::no::Names"),
        ("Stage, Names]", "Stage, Nmaes]", "Template error: Unable to get mapping for Stages::test::Nmaes"),
        (
            "[Stages, !Ref",
            "[Stgaes, !Ref",
            "Template error: Mapping named 'Stgaes' is not present in the 'Mappings' section of template.",
        ),
    ] {
        let template = MAPPED.replace(from, to);
        let form = [("StackName", "Lab"), ("TemplateBody", &*template)];
        let error = cloud.error("CreateStack", &form).await;
        assert_eq!(error, format!("ValidationError: {message}"));
    }
    assert_eq!(
        all(&cloud.ok("ListStacks", &[]).await, "StackName"),
        [""; 0]
    );
}

#[tokio::test]
async fn what_is_not_in_the_lab_is_refused_in_plain_words() {
    let cloud = Cloud::new();
    for (name, words) in [
        ("AWS::SNS::Topic", "there is no SNS in this lab, so no topics and no subscriptions: send to the queue itself."),
        ("AWS::Serverless::Function", "AWS SAM's types are not in this lab: write what they stand for"),
        ("AWS::SQS::Sandcastle", "of this service the lab has only the types listed here."),
        ("AWS::EC2::VPC", "the lab has no such service; deploy the template to AWS for it."),
    ] {
        let template = format!("Resources: {{R: {{Type: {name}}}}}");
        for action in ["CreateStack", "ValidateTemplate", "GetTemplateSummary"] {
            let mut form = vec![("TemplateBody", &*template)];
            form.extend((action == "CreateStack").then_some(("StackName", "Lab")));
            let error = cloud.error(action, &form).await;
            assert!(error.contains(&format!("{name}: {words}")), "{error}");
        }
    }
    for (n, (code, words)) in [
        ("{S3Bucket: b, S3Key: k}, Runtime: provided.al2023", "There is no S3 in this lab, from which the function could get its code. Leave the function out"),
        ("{ImageUri: i}", "There are no container images in this lab."),
        ("{ZipFile: x}", "Invalid request provided: Using the ZipFile attribute requires a runtime to be specified"),
        ("{ZipFile: x}, Runtime: python3.13", "There is no python3.13 in this lab: a function brings its own program"),
        ("{ZipFile: x}, Runtime: provided.al2023", "ZipFile can only be used when Runtime is set to either of nodejs, python."),
    ]
    .into_iter()
    .enumerate()
    {
        let stack = format!("Lab{n}");
        let template = format!(
            "Resources: {{F: {{Type: AWS::Lambda::Function, Properties: {{Role: r, Code: {code}}}}}}}"
        );
        assert_eq!(cloud.create(&stack, &template).await, "ROLLBACK_COMPLETE");
        let reasons = cloud.reasons(&stack).await;
        assert!(reasons.contains(words), "{reasons}");
    }
}

/// Recorded on AWS: the stack begins, then goes back before it has made anything.
#[tokio::test]
async fn an_attribute_that_a_type_lacks_fails_the_stack() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "QueueName: q")]) + "Outputs: {O: {Value: !GetAtt Q.Colour}}\n";
    assert_eq!(cloud.create("Lab", &template).await, "ROLLBACK_COMPLETE");
    assert_eq!(
        cloud.events("Lab").await,
        [
            "Lab CREATE_IN_PROGRESS",
            "Lab ROLLBACK_IN_PROGRESS",
            "Lab ROLLBACK_COMPLETE"
        ]
    );
    let reasons = cloud.reasons("Lab").await;
    let expected = "[Error] /Outputs/O/Value/Fn::GetAtt: Resource type AWS::SQS::Queue does not support attribute \
                    {Colour}. Rollback requested by user.";
    assert!(reasons.contains(expected), "{reasons}");
}

#[tokio::test]
async fn an_output_of_a_resource_that_is_left_out_is_refused() {
    let cloud = Cloud::new();
    let template = "
Conditions: {Never: !Equals [a, b]}
Resources:
  Q: {Type: AWS::SQS::Queue}
  R: {Type: AWS::SQS::Queue, Condition: Never}
Outputs: {O: {Value: !Ref R}}
";
    let form = [("StackName", "Lab"), ("TemplateBody", template)];
    assert_eq!(
        cloud.error("CreateStack", &form).await,
        "ValidationError: Unresolved resource dependencies [R] in the Outputs block of the template"
    );
}

#[tokio::test]
async fn a_summary_shows_what_could_be_imported() {
    let cloud = Cloud::new();
    let template = "
Metadata: {Title: Lab}
Parameters: {Name: {Type: String}}
Resources:
  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Name}}
";
    let summary = cloud
        .ok("GetTemplateSummary", &[("TemplateBody", template)])
        .await;
    for part in [
        "<ParameterConstraints></ParameterConstraints>",
        "<ResourceIdentifierSummaries><member><ResourceType>AWS::SQS::Queue</ResourceType><LogicalResourceIds><member>Q</member></LogicalResourceIds><ResourceIdentifiers><member>QueueName</member>",
        "<Metadata>{&quot;Title&quot;:&quot;Lab&quot;}</Metadata>",
    ] {
        assert!(summary.contains(part), "{part}\n{summary}");
    }
}
