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
