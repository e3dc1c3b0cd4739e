//! Change sets: shown, executed, deleted, as `aws cloudformation deploy` uses them.

use super::*;

impl Cloud {
    /// Makes a change set of the stack `Lab`; answers its ARN.
    async fn propose(&self, kind: &str, name: &str, template: &str) -> String {
        let form = [
            ("StackName", "Lab"),
            ("ChangeSetName", name),
            ("ChangeSetType", kind),
            ("TemplateBody", template),
        ];
        first(&self.ok("CreateChangeSet", &form).await, "Id")
    }

    async fn shown(&self, change_set: &str) -> String {
        let form = [("StackName", "Lab"), ("ChangeSetName", change_set)];
        self.ok("DescribeChangeSet", &form).await
    }

    async fn execute(&self, change_set: &str) -> String {
        let form = [("StackName", "Lab"), ("ChangeSetName", change_set)];
        self.ok("ExecuteChangeSet", &form).await;
        self.settle("Lab").await
    }
}

#[tokio::test]
async fn a_stack_is_created_and_updated_by_change_sets() {
    let cloud = Cloud::new();
    let id = cloud
        .propose(
            "CREATE",
            "first",
            &queues(&[("A", "QueueName: a"), ("B", "")]),
        )
        .await;
    assert!(
        id.starts_with("arn:aws:cloudformation:us-east-1:000000000000:changeSet/first/"),
        "{id}"
    );
    let stack = cloud.describe("Lab").await;
    assert_eq!(first(&stack, "StackStatus"), "REVIEW_IN_PROGRESS");
    assert_eq!(first(&stack, "StackStatusReason"), "User Initiated");
    assert_eq!(cloud.events("Lab").await, ["Lab REVIEW_IN_PROGRESS"]);
    let shown = cloud.shown("first").await;
    assert_eq!(all(&shown, "Action"), ["Add", "Add"]);
    assert_eq!(all(&shown, "LogicalResourceId"), ["A", "B"]);
    for part in [
        "<Status>CREATE_COMPLETE</Status>",
        "<ExecutionStatus>AVAILABLE</ExecutionStatus>",
        "<Scope></Scope><Details></Details>",
        "<Capabilities></Capabilities>",
        "<IncludeNestedStacks>false</IncludeNestedStacks>",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(
        !shown.contains("Replacement") && !shown.contains("<Tags>"),
        "{shown}"
    );
    assert!(!cloud.has_queue("a").await);
    assert_eq!(cloud.execute("first").await, "CREATE_COMPLETE");
    assert!(cloud.has_queue("a").await);
    let stack = cloud.describe("Lab").await;
    assert_eq!(first(&stack, "ChangeSetId"), id);
    assert!(stack.contains("<LastUpdatedTime>"), "{stack}");

    let template = queues(&[
        ("A", "QueueName: renamed, DelaySeconds: 5"),
        ("C", "DelaySeconds: 1"),
    ]);
    let second = cloud.propose("UPDATE", "second", &template).await;
    let shown = cloud.shown(&second).await;
    assert_eq!(all(&shown, "LogicalResourceId"), ["A", "B", "C"]);
    assert_eq!(all(&shown, "Action"), ["Modify", "Remove", "Add"]);
    assert_eq!(all(&shown, "Replacement"), ["True"]);
    assert_eq!(all(&shown, "PolicyAction"), ["ReplaceAndDelete", "Delete"]);
    assert_eq!(all(&shown, "Name"), ["DelaySeconds", "QueueName"]);
    assert_eq!(all(&shown, "RequiresRecreation"), ["Never", "Always"]);
    assert_eq!(first(&shown, "PhysicalResourceId"), url("a"));
    assert_eq!(cloud.execute("second").await, "UPDATE_COMPLETE");
    assert!(cloud.has_queue("renamed").await && !cloud.has_queue("a").await);
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    let form = [("ChangeSetName", &*second)];
    let shown = cloud.ok("DescribeChangeSet", &form).await;
    assert_eq!(first(&shown, "ExecutionStatus"), "EXECUTE_COMPLETE");
}

#[tokio::test]
async fn a_change_set_without_changes_fails() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "")]);
    cloud.create("Lab", &template).await;
    let id = cloud.propose("UPDATE", "nothing", &template).await;
    let shown = cloud.shown("nothing").await;
    assert_eq!(first(&shown, "Status"), "FAILED");
    assert_eq!(first(&shown, "ExecutionStatus"), "UNAVAILABLE");
    assert_eq!(
        first(&shown, "StatusReason"),
        "The submitted information didn't contain changes. Submit different information to create a change set."
    );
    let form = [("StackName", "Lab"), ("ChangeSetName", "nothing")];
    assert_eq!(
        cloud.error("ExecuteChangeSet", &form).await,
        format!("InvalidChangeSetStatus: ChangeSet [{id}] cannot be executed in its current status of [FAILED]")
    );
}

#[tokio::test]
async fn a_change_is_explained() {
    let cloud = Cloud::new();
    let template = "
Parameters: {Delay: {Type: Number}, Name: {Type: String}}
Resources:
  Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Name}}
  Q:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: !Ref Delay
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
";
    let form = |delay: &'static str, name: &'static str| {
        [
            ("StackName", "Lab"),
            ("ChangeSetName", delay),
            ("TemplateBody", template),
            ("Parameters.member.1.ParameterKey", "Delay"),
            (
                "Parameters.member.1.ParameterValue",
                if delay == "same" { "1" } else { "2" },
            ),
            ("Parameters.member.2.ParameterKey", "Name"),
            ("Parameters.member.2.ParameterValue", name),
        ]
    };
    assert_eq!(
        cloud.create_with(&form("same", "dead")).await,
        "CREATE_COMPLETE"
    );
    cloud.ok("CreateChangeSet", &form("delay", "dead")).await;
    let shown = cloud.shown("delay").await;
    assert_eq!(all(&shown, "LogicalResourceId"), ["Q"]);
    assert_eq!(all(&shown, "Replacement"), ["False"]);
    assert_eq!(
        all(&shown, "ChangeSource"),
        ["ParameterReference", "DirectModification"]
    );
    assert_eq!(all(&shown, "Evaluation"), ["Static", "Dynamic"]);
    assert_eq!(all(&shown, "CausingEntity"), ["Delay"]);
    assert_eq!(all(&shown, "ParameterValue"), ["2", "dead"]);

    cloud.ok("CreateChangeSet", &form("same", "other")).await;
    let shown = cloud.shown("same").await;
    assert_eq!(all(&shown, "LogicalResourceId"), ["Dead", "Q"]);
    assert_eq!(all(&shown, "Replacement"), ["True", "False"]);
    assert_eq!(all(&shown, "CausingEntity"), ["Name", "Dead.Arn"]);
    let sources = all(&shown, "ChangeSource");
    assert_eq!(sources[2..], ["ResourceAttribute"], "{shown}");
    assert_eq!(all(&shown, "Evaluation")[2..], ["Static"]);
}

/// Recorded on AWS: what refers to an attribute of a changed resource is shown as if it changed, too.
#[tokio::test]
async fn an_attribute_of_a_changed_resource_may_change() {
    let cloud = Cloud::new();
    let template = |delay: u32| {
        queues(&[
            ("A", &format!("QueueName: a, DelaySeconds: {delay}")),
            (
                "B",
                "QueueName: !Sub '${A.QueueName}-b', Tags: [{Key: k, Value: !Ref A}]",
            ),
            ("C", "Tags: [{Key: k, Value: !Ref A}]"),
        ])
    };
    cloud.create("Lab", &template(1)).await;
    cloud.propose("UPDATE", "c", &template(2)).await;
    let shown = cloud.shown("c").await;
    assert_eq!(all(&shown, "LogicalResourceId"), ["A", "B"]);
    assert_eq!(all(&shown, "Evaluation"), ["Static", "Dynamic"]);
    assert_eq!(all(&shown, "Replacement"), ["False", "Conditional"]);
    assert_eq!(all(&shown, "CausingEntity"), ["A.QueueName"]);
    assert_eq!(cloud.execute("c").await, "UPDATE_COMPLETE");
    let changed = cloud.events("Lab").await;
    assert!(
        !changed.contains(&"B UPDATE_IN_PROGRESS".to_owned()),
        "{changed:?}"
    );
}

#[tokio::test]
async fn changed_tags_are_shown() {
    let cloud = Cloud::new();
    let template = |value: &str| queues(&[("Q", &format!("Tags: [{{Key: k, Value: {value}}}]"))]);
    cloud.create("Lab", &template("v")).await;
    cloud.propose("UPDATE", "own", &template("w")).await;
    let shown = cloud.shown("own").await;
    assert!(
        shown.contains("<Attribute>Properties</Attribute><Name>Tags</Name>"),
        "{shown}"
    );
    let body = template("v");
    let form = [
        ("StackName", "Lab"),
        ("ChangeSetName", "stack"),
        ("TemplateBody", &*body),
        ("Tags.member.1.Key", "course"),
        ("Tags.member.1.Value", "queues"),
    ];
    cloud.ok("CreateChangeSet", &form).await;
    let shown = cloud.shown("stack").await;
    assert!(
        shown.contains("<Scope><member>Tags</member></Scope>"),
        "{shown}"
    );
    assert!(shown.contains("<Tags><member><Key>course</Key>"), "{shown}");
}

#[tokio::test]
async fn change_sets_are_listed_until_they_are_executed_or_deleted() {
    let cloud = Cloud::new();
    let template = |name: &str| queues(&[("Q", &format!("QueueName: {name}"))]);
    for name in ["a", "b", "c"] {
        cloud.propose("CREATE", name, &template(name)).await;
    }
    let listed = async || {
        all(
            &cloud.ok("ListChangeSets", &[("StackName", "Lab")]).await,
            "ChangeSetName",
        )
    };
    assert_eq!(listed().await, ["a", "b", "c"]);
    let b = [("StackName", "Lab"), ("ChangeSetName", "b")];
    cloud.ok("DeleteChangeSet", &b).await;
    cloud.ok("DeleteChangeSet", &b).await;
    assert_eq!(listed().await, ["a", "c"]);
    assert_eq!(
        cloud.error("DescribeChangeSet", &b).await,
        "ChangeSetNotFound: ChangeSet [b] does not exist"
    );
    // The others were made for the stack as it was.
    assert_eq!(cloud.execute("a").await, "CREATE_COMPLETE");
    assert_eq!(listed().await, [""; 0]);
    let again = [("StackName", "Lab"), ("ChangeSetName", "a")];
    let error = cloud.error("ExecuteChangeSet", &again).await;
    assert!(error.starts_with("InvalidChangeSetStatus: "), "{error}");
    let original = cloud.ok("GetTemplate", &again).await;
    assert_eq!(first(&original, "TemplateBody"), template("a"));
}

/// Recorded on AWS: the stack under review becomes the one that is created, and the change set is out of date.
#[tokio::test]
async fn a_stack_under_review_can_be_created_directly() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "QueueName: q")]);
    cloud.propose("CREATE", "c", &template).await;
    let id = first(&cloud.describe("Lab").await, "StackId");
    assert_eq!(
        cloud
            .error("GetTemplateSummary", &[("StackName", "Lab")])
            .await,
        "ValidationError: GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks."
    );
    assert_eq!(cloud.create("Lab", &template).await, "CREATE_COMPLETE");
    assert_eq!(first(&cloud.describe("Lab").await, "StackId"), id);
    assert_eq!(
        first(&cloud.shown("c").await, "ExecutionStatus"),
        "OBSOLETE"
    );
}

#[tokio::test]
async fn a_wrong_change_set_is_refused() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "")]);
    let create = |stack: &'static str, kind: &'static str, body: &str| {
        let (cloud, body) = (&cloud, body.to_owned());
        async move {
            let form = [
                ("StackName", stack),
                ("ChangeSetName", "c"),
                ("ChangeSetType", kind),
                ("TemplateBody", &*body),
            ];
            cloud.error("CreateChangeSet", &form).await
        }
    };
    assert_eq!(
        create("No", "UPDATE", &template).await,
        "ValidationError: Stack [No] does not exist"
    );
    let error = create("Lab", "CREATE", "Resources: {a-b: {Type: AWS::SQS::Queue}}").await;
    assert_eq!(
        error,
        "ValidationError: Template format error: Resource name a-b is non alphanumeric."
    );
    let listed = cloud.ok("DescribeStacks", &[]).await;
    assert!(all(&listed, "StackName").is_empty(), "{listed}");
    cloud.create("Lab", &template).await;
    let id = first(&cloud.describe("Lab").await, "StackId");
    assert_eq!(
        create("Lab", "CREATE", &template).await,
        "ValidationError: Stack [Lab] already exists and cannot be created again with the changeSet [c]."
    );
    for (action, form, message) in [
        ("DescribeChangeSet", vec![("StackName", "No"), ("ChangeSetName", "c")], "ValidationError: Stack [No] does not exist"),
        ("DeleteChangeSet", vec![("StackName", "No"), ("ChangeSetName", "c")], "ValidationError: Stack [No] does not exist"),
        (
            "DeleteChangeSet",
            vec![("ChangeSetName", "c")],
            "ValidationError: StackName must be specified if ChangeSetName is not specified as an ARN.",
        ),
        ("GetTemplate", vec![], "ValidationError: StackName is required if ChangeSetName is not specified."),
        ("GetTemplate", vec![("ChangeSetName", "c")], "ValidationError: StackName is a required parameter."),
        (
            "GetTemplate",
            vec![("ChangeSetName", "arn:aws:cloudformation:us-east-1:000000000000:changeSet/c/1")],
            "ChangeSetNotFound: ChangeSet [arn:aws:cloudformation:us-east-1:000000000000:changeSet/c/1] does not exist",
        ),
    ] {
        assert_eq!(cloud.error(action, &form).await, message, "{action} {form:?}");
    }
    cloud.delete("Lab").await;
    let form = [
        ("StackName", &*id),
        ("ChangeSetName", "c"),
        ("TemplateBody", &template),
    ];
    assert_eq!(
        cloud.error("CreateChangeSet", &form).await,
        format!("ValidationError: Stack:{id} is in DELETE_COMPLETE state and can not be updated.")
    );
}
