//! The roles, policies and log groups of a stack.

use super::*;

/// A role with its log group. A parameter decides whether the role may read queues.
const ROLE_TEMPLATE: &str = r#"
Parameters:
  Attach: {Type: String, Default: "no", AllowedValues: ["no", "yes"]}
  Retention: {Type: Number, Default: 7}
Conditions:
  MayRead: !Equals [!Ref Attach, "yes"]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Path: /lab/
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      ManagedPolicyArns:
        - arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
        - !If [MayRead, arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole, !Ref AWS::NoValue]
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/aws/lambda/${AWS::StackName}", RetentionInDays: !Ref Retention}
Outputs:
  RoleArn: {Value: !GetAtt Role.Arn}
  RoleName: {Value: !Ref Role}
  LogsArn: {Value: !GetAtt Logs.Arn}
  Logs: {Value: !Ref Logs}
"#;

const OF_SQS: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole";

const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:q";

const MAY: (&str, &str) = ("Capabilities.member.1", "CAPABILITY_IAM");

const MAY_NAME: (&str, &str) = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");

impl Cloud {
    /// Creates a stack that makes roles or policies.
    async fn create_roles(&self, name: &str, template: &str) -> String {
        let form = [("StackName", name), ("TemplateBody", template), MAY_NAME];
        self.create_with(&form).await
    }

    fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String, ApiError> {
        self.iam.call(action, &parameters.iter().copied().collect())
    }
}

#[tokio::test]
async fn a_parameter_decides_what_a_role_may_do() {
    let cloud = Cloud::new();
    let form = [("StackName", "f"), ("TemplateBody", ROLE_TEMPLATE), MAY];
    assert_eq!(cloud.create_with(&form).await, "CREATE_COMPLETE");
    let role = cloud.output("f", "RoleArn").await;
    let name = cloud.output("f", "RoleName").await;
    assert!(name.starts_with("f-Role-"), "{name}");
    assert_eq!(role, format!("arn:aws:iam::000000000000:role/lab/{name}"));
    assert_eq!(cloud.output("f", "Logs").await, "/aws/lambda/f");
    assert_eq!(
        cloud.output("f", "LogsArn").await,
        "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*"
    );
    assert!(cloud.iam.can_be_assumed(&role, "lambda.amazonaws.com"));
    assert!(cloud.iam.allows(&role, "logs:PutLogEvents", "*"));
    let may_read = || cloud.iam.allows(&role, "sqs:ReceiveMessage", QUEUE_ARN);
    assert!(!may_read());

    for (attach, expected) in [("yes", true), ("no", false)] {
        let form = [
            ("StackName", "f"),
            ("UsePreviousTemplate", "true"),
            ("Parameters.member.1.ParameterKey", "Attach"),
            ("Parameters.member.1.ParameterValue", attach),
            ("Parameters.member.2.ParameterKey", "Retention"),
            ("Parameters.member.2.ParameterValue", "30"),
            MAY,
        ];
        cloud.ok("UpdateStack", &form).await;
        assert_eq!(cloud.settle("f").await, "UPDATE_COMPLETE");
        assert_eq!(may_read(), expected, "{attach}");
    }
    let groups = cloud.logs.call("DescribeLogGroups", b"{}").expect("groups");
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 30);

    assert_eq!(cloud.delete("f").await, "DELETE_COMPLETE");
    assert_eq!(cloud.iam.status(), json!([]));
    assert_eq!(cloud.logs.status(), json!([]));
}

#[tokio::test]
async fn a_policy_that_somebody_attached_keeps_the_role() {
    let cloud = Cloud::new();
    cloud.create_roles("f", ROLE_TEMPLATE).await;
    let name = cloud.output("f", "RoleName").await;
    let attached = [("RoleName", &*name), ("PolicyArn", OF_SQS)];
    cloud.iam("AttachRolePolicy", &attached).expect("attached");
    assert_eq!(cloud.delete("f").await, "DELETE_FAILED");
    let reasons = cloud.reasons("f").await;
    let expected =
        "Cannot delete entity, must detach all policies first. (Service: Iam, Status Code: 409";
    assert!(reasons.contains(expected), "{reasons}");
    cloud.iam("DetachRolePolicy", &attached).expect("detached");
    assert_eq!(cloud.delete("f").await, "DELETE_COMPLETE");
    assert_eq!(cloud.iam.status(), json!([]));
}

#[tokio::test]
async fn a_deletion_that_failed_may_leave_resources_behind() {
    let cloud = Cloud::new();
    cloud.create_roles("f", ROLE_TEMPLATE).await;
    let id = first(&cloud.describe("f").await, "StackId");
    let name = cloud.output("f", "RoleName").await;
    let retain =
        |resource: &'static str| [("StackName", "f"), ("RetainResources.member.1", resource)];
    let error = cloud.error("DeleteStack", &retain("Role")).await;
    let expected =
        "specify which resources to retain only when the stack is in the DELETE_FAILED state.";
    assert!(error.ends_with(expected), "{error}");
    let attached = [("RoleName", &*name), ("PolicyArn", OF_SQS)];
    cloud.iam("AttachRolePolicy", &attached).expect("attached");
    assert_eq!(cloud.delete("f").await, "DELETE_FAILED");
    let error = cloud.error("DeleteStack", &retain("Rloe")).await;
    assert!(error.contains("[Rloe] to retain does not exist"), "{error}");
    cloud.ok("DeleteStack", &retain("Role")).await;
    assert_eq!(cloud.settle(&id).await, "DELETE_COMPLETE");
    let events = cloud.events(&id).await;
    assert!(
        events.contains(&"Role DELETE_SKIPPED".to_owned()),
        "{events:?}"
    );
    let role = [("RoleName", &*name)];
    cloud.iam("GetRole", &role).expect("it is still there");
}

#[tokio::test]
async fn roles_need_an_acknowledgement() {
    let cloud = Cloud::new();
    let named = ROLE_TEMPLATE.replace("Path: /lab/", "RoleName: own");
    for (template, given, needed) in [
        (ROLE_TEMPLATE, None, Some("CAPABILITY_IAM")),
        (
            ROLE_TEMPLATE,
            Some("CAPABILITY_AUTO_EXPAND"),
            Some("CAPABILITY_IAM"),
        ),
        (&named, None, Some("CAPABILITY_NAMED_IAM")),
        (&named, Some("CAPABILITY_IAM"), Some("CAPABILITY_NAMED_IAM")),
        (&named, Some("CAPABILITY_NAMED_IAM"), None),
    ] {
        let mut form = vec![("StackName", "f"), ("TemplateBody", template)];
        form.extend(given.map(|given| ("Capabilities.member.1", given)));
        match needed {
            Some(needed) => assert_eq!(
                cloud.error("CreateStack", &form).await,
                format!("InsufficientCapabilitiesException: Requires capabilities : [{needed}]")
            ),
            None => assert_eq!(cloud.create_with(&form).await, "CREATE_COMPLETE"),
        }
    }
    let summary = cloud
        .ok("GetTemplateSummary", &[("TemplateBody", &*named)])
        .await;
    assert!(
        summary.contains("<member>CAPABILITY_NAMED_IAM</member>"),
        "{summary}"
    );
    assert_eq!(
        all(&summary, "CapabilitiesReason"),
        ["The following resource(s) require capabilities: [AWS::IAM::Role]"]
    );
    let queue = [("TemplateBody", LAB_TEMPLATE)];
    let summary = cloud.ok("ValidateTemplate", &queue).await;
    assert!(!summary.contains("Capabilities"), "{summary}");
}

#[tokio::test]
async fn policies_follow_their_roles() {
    const TEMPLATE: &str = r#"
Resources:
  Inline:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: one-queue
      PolicyDocument: {Statement: {Effect: Allow, Action: "sqs:Receive*", Resource: !GetAtt Q.Arn}}
      Roles: [!Ref Role]
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: delete-from-queues
      PolicyDocument: {Statement: {Effect: Allow, Action: "sqs:DeleteMessage", Resource: "*"}}
      Roles: [!Ref Role]
  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: q}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: r
      AssumeRolePolicyDocument: {Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}}
      Policies:
        - PolicyName: own
          PolicyDocument: {Statement: {Effect: Allow, Action: sqs:GetQueueAttributes, Resource: "*"}}
Outputs:
  Policy: {Value: !Ref Managed}
"#;
    const ROLE: &str = "arn:aws:iam::000000000000:role/r";
    let cloud = Cloud::new();
    assert_eq!(cloud.create_roles("f", TEMPLATE).await, "CREATE_COMPLETE");
    let may = |action: &str| cloud.iam.allows(ROLE, action, QUEUE_ARN);
    let all_three = || {
        [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ]
        .map(may)
    };
    assert_eq!(all_three(), [true; 3]);
    assert_eq!(
        cloud.output("f", "Policy").await,
        "arn:aws:iam::000000000000:policy/delete-from-queues"
    );
    let update = |template: String| {
        let cloud = &cloud;
        async move {
            let form = [("StackName", "f"), ("TemplateBody", &*template), MAY_NAME];
            cloud.ok("UpdateStack", &form).await;
            cloud.settle("f").await
        }
    };
    let less = TEMPLATE
        .replace("PolicyName: one-queue", "PolicyName: renamed")
        .replace("sqs:Receive*", "sqs:Send*")
        .replace("PolicyName: own", "PolicyName: own2")
        .replacen(
            "Resource: \"*\"}}\n      Roles: [!Ref Role]",
            "Resource: \"*\"}}",
            1,
        );
    assert_eq!(update(less.clone()).await, "UPDATE_COMPLETE");
    assert_eq!(all_three(), [false, false, true]);
    assert!(may("sqs:SendMessage"));
    let listed = cloud.iam("ListRolePolicies", &[("RoleName", "r")]);
    assert_eq!(all(&listed.expect("a list"), "member"), ["own2", "renamed"]);
    let another = less.replace("Action: \"sqs:DeleteMessage\"", "Action: \"sqs:*\"");
    assert_eq!(update(another).await, "UPDATE_ROLLBACK_COMPLETE");
    let reasons = cloud.reasons("f").await;
    assert!(
        reasons.contains("a managed policy has one version in this lab"),
        "{reasons}"
    );
    assert_eq!(cloud.delete("f").await, "DELETE_COMPLETE");
    assert_eq!(cloud.iam.status(), json!([]));
    let local = cloud.iam("ListPolicies", &[("Scope", "Local")]);
    assert!(all(&local.expect("a list"), "Arn").is_empty());
}

/// A creation that fails halfway leaves nothing behind.
#[tokio::test]
async fn a_role_or_group_that_cannot_be_made_says_why() {
    let cloud = Cloud::new();
    cloud.iam("CreateRole", &[("RoleName", "own"), ("AssumeRolePolicyDocument", r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#)]).expect("a role");
    for (n, (from, to, reason)) in [
        ("Path: /lab/", "RoleName: own", "Resource of type 'AWS::IAM::Role' with identifier 'own' already exists."),
        ("Path: /lab/", "RoleNmae: own", "#: extraneous key [RoleNmae] is not permitted"),
        ("AWSLambdaBasicExecutionRole", "NoSuchPolicy", "Policy arn:aws:iam::aws:policy/service-role/NoSuchPolicy does not exist or is not attachable. (Service: Iam, Status Code: 404"),
        ("sts:AssumeRole}", "sqs:*}", "AssumeRole policy may only specify STS AssumeRole actions. (Service: Iam, Status Code: 400"),
        ("Default: 7", "Default: 8", "Value '8' at 'retentionInDays'"),
        ("/aws/lambda/${AWS::StackName}", "a b", "Value 'a b' at 'logGroupName'"),
    ]
    .into_iter()
    .enumerate()
    {
        let stack = format!("f{n}");
        let template = ROLE_TEMPLATE.replace(from, to);
        assert_ne!(template, ROLE_TEMPLATE);
        assert_eq!(cloud.create_roles(&stack, &template).await, "ROLLBACK_COMPLETE", "{to}");
        let reasons = cloud.reasons(&stack).await;
        assert!(reasons.contains(reason), "{to}\n{reasons}");
        assert_eq!(cloud.iam.status(), json!([{ "name": "own", "policies": [] }]));
        assert_eq!(cloud.logs.status(), json!([]));
    }
}

#[tokio::test]
async fn a_policy_of_one_role_comes_changes_and_goes() {
    const ROLE: &str = "arn:aws:iam::000000000000:role/r";
    let template = |action: &str| {
        format!(
            "
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: r
      AssumeRolePolicyDocument: {{Statement: {{Effect: Allow, Principal: {{Service: lambda.amazonaws.com}}, Action: sts:AssumeRole}}}}
  May:
    Type: AWS::IAM::RolePolicy
    Properties:
      RoleName: !Ref Role
      PolicyName: may
      PolicyDocument: {{Statement: {{Effect: Allow, Action: sqs:{action}, Resource: '*'}}}}
"
        )
    };
    let cloud = Cloud::new();
    let create = template("SendMessage");
    assert_eq!(cloud.create_roles("f", &create).await, "CREATE_COMPLETE");
    let may = |action: &str| cloud.iam.allows(ROLE, action, QUEUE_ARN);
    assert!(may("sqs:SendMessage"));
    let update = template("DeleteMessage");
    let form = [("StackName", "f"), ("TemplateBody", &update), MAY_NAME];
    cloud.ok("UpdateStack", &form).await;
    assert_eq!(cloud.settle("f").await, "UPDATE_COMPLETE");
    assert!(may("sqs:DeleteMessage") && !may("sqs:SendMessage"));
    assert_eq!(cloud.delete("f").await, "DELETE_COMPLETE");
    assert_eq!(cloud.iam.status(), json!([]));
}
