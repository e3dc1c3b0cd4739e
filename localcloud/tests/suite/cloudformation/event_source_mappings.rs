//! The event source mappings of a stack.

use super::*;

const MAPPING: &str = "
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: reader
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
      ManagedPolicyArns: [arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole]
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: q}}
  Trigger:
    Type: AWS::Lambda::EventSourceMapping
    DependsOn: Role
    Properties:
      EventSourceArn: !GetAtt Queue.Arn
      FunctionName: work
      BatchSize: '5'
      ScalingConfig: {MaximumConcurrency: 2}
Outputs:
  Trigger: {Value: !Ref Trigger}
  Id: {Value: !GetAtt Trigger.Id}
";

#[tokio::test]
async fn a_mapping_is_made_changed_and_deleted_with_its_stack() {
    let cloud = Cloud::new();
    let form = |template| {
        [
            ("StackName", "trigger"),
            ("TemplateBody", template),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ]
    };
    assert_eq!(cloud.create_with(&form(MAPPING)).await, "CREATE_COMPLETE");
    let uuid = first(&cloud.describe("trigger").await, "OutputValue");
    let shown = |uuid: &str| cloud.mappings.get(uuid).expect("the mapping");
    let mapping = shown(&uuid);
    assert_eq!(mapping["UUID"], uuid);
    assert_eq!(
        (&mapping["BatchSize"], &mapping["State"]),
        (&json!(5), &json!("Enabled"))
    );
    assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], 2);

    let changed = MAPPING
        .replace("BatchSize: '5'", "Enabled: 'false'")
        .replace("ScalingConfig: {MaximumConcurrency: 2}", "");
    let updated = cloud.ok("UpdateStack", &form(&changed)).await;
    let status = cloud.settle(&first(&updated, "StackId")).await;
    assert_eq!(status, "UPDATE_COMPLETE");
    let mapping = shown(&uuid);
    assert_eq!(
        (&mapping["BatchSize"], &mapping["State"]),
        (&json!(10), &json!("Disabled"))
    );
    assert!(mapping["ScalingConfig"].is_null());

    assert_eq!(cloud.delete("trigger").await, "DELETE_COMPLETE");
    assert!(cloud.mappings.get(&uuid).is_err());
}

#[tokio::test]
async fn a_mapping_whose_numbers_are_none_fails_its_stack() {
    for (number, name) in [
        (
            "MaximumConcurrency: abc",
            "ScalingConfig/MaximumConcurrency",
        ),
        ("MaximumConcurrency: -5", "ScalingConfig/MaximumConcurrency"),
        (
            "MaximumConcurrency: 2}\n      BatchSize: {a: b",
            "BatchSize",
        ),
    ] {
        let cloud = Cloud::new();
        let template = MAPPING.replace("BatchSize: '5'", "");
        let template = template.replace("MaximumConcurrency: 2", number);
        let form = [
            ("StackName", "trigger"),
            ("TemplateBody", template.as_str()),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ];
        assert_eq!(cloud.create_with(&form).await, "ROLLBACK_COMPLETE");
        let reasons = cloud.reasons("trigger").await;
        let reason = format!("#/{name}: expected a number");
        assert!(reasons.contains(&reason), "{number}\n{reasons}");
    }
}

#[tokio::test]
async fn a_mapping_that_the_role_does_not_allow_fails_its_stack() {
    let cloud = Cloud::new();
    let denied = MAPPING.replace(
        "AWSLambdaSQSQueueExecutionRole",
        "AWSLambdaBasicExecutionRole",
    );
    let form = [
        ("StackName", "trigger"),
        ("TemplateBody", denied.as_str()),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
    ];
    assert_eq!(cloud.create_with(&form).await, "ROLLBACK_COMPLETE");
    let events = cloud
        .ok("DescribeStackEvents", &[("StackName", "trigger")])
        .await;
    assert!(
        events.contains("The function execution role does not have permissions to call ReceiveMessage on SQS (Service: Lambda"),
        "{events}"
    );
    assert!(cloud.mappings.status().is_empty());
}
