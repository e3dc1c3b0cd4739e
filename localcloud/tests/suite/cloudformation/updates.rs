//! A stack that is there changes, or goes back to what it was.

use super::*;

#[tokio::test]
async fn an_update_changes_adds_and_removes() {
    let cloud = Cloud::new();
    let old = queues(&[
        ("A", "QueueName: a, DelaySeconds: 5, VisibilityTimeout: 9"),
        ("B", "QueueName: b"),
    ]);
    cloud.create("Lab", &old).await;
    let form = [("StackName", "Lab"), ("TemplateBody", old.as_str())];
    let error = cloud.error("UpdateStack", &form).await;
    assert_eq!(error, "ValidationError: No updates are to be performed.");
    let form = [("StackName", "Lab"), ("UsePreviousTemplate", "true")];
    let error = cloud.error("UpdateStack", &form).await;
    assert_eq!(error, "ValidationError: No updates are to be performed.");

    let new = queues(&[
        ("A", "QueueName: a, VisibilityTimeout: 10"),
        ("C", "QueueName: c"),
    ]);
    assert_eq!(cloud.update("Lab", &new).await, "UPDATE_COMPLETE");
    let attributes = cloud.attributes("a").await;
    assert_eq!(attributes["VisibilityTimeout"], "10");
    assert_eq!(attributes["DelaySeconds"], "0");
    assert!(cloud.has_queue("c").await && !cloud.has_queue("b").await);
    let template = cloud.ok("GetTemplate", &[("StackName", "Lab")]).await;
    assert!(template.contains("QueueName: c"));
    assert!(cloud.describe("Lab").await.contains("<LastUpdatedTime>"));
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    assert!(!cloud.has_queue("a").await && !cloud.has_queue("c").await);
}

#[tokio::test]
async fn a_failed_update_is_rolled_back() {
    let cloud = Cloud::new();
    cloud
        .create("Lab", &queues(&[("A", "QueueName: a, DelaySeconds: 5")]))
        .await;
    for broken in ["QueueName: z, DelaySeconds: 901", "Colour: red"] {
        let template = queues(&[
            ("A", "QueueName: a, DelaySeconds: 6"),
            ("B", "QueueName: !GetAtt A.QueueName"),
            ("C", broken),
        ]);
        let template = template.replace("!GetAtt A.QueueName", "b");
        assert_eq!(
            cloud.update("Lab", &template).await,
            "UPDATE_ROLLBACK_COMPLETE"
        );
        assert_eq!(cloud.attributes("a").await["DelaySeconds"], "5");
        assert!(!cloud.has_queue("b").await);
        let reasons = cloud.reasons("Lab").await;
        let expected = "The following resource(s) failed to create: [C]. ";
        assert!(reasons.contains(expected), "{reasons}");
        let kept = cloud.ok("GetTemplate", &[("StackName", "Lab")]).await;
        assert!(kept.contains("DelaySeconds: 5"), "{kept}");
        cloud.clock.advance(Duration::from_secs(61));
    }
    let fine = queues(&[("A", "QueueName: a, DelaySeconds: 7")]);
    assert_eq!(cloud.update("Lab", &fine).await, "UPDATE_COMPLETE");
    assert_eq!(cloud.attributes("a").await["DelaySeconds"], "7");
}

#[tokio::test]
async fn an_update_can_keep_parameters_and_change_tags() {
    let cloud = Cloud::new();
    let value = ("Parameters.member.1.ParameterValue", "mine");
    let key = ("Parameters.member.1.ParameterKey", "QueueName");
    let form = [
        ("StackName", "Lab"),
        ("TemplateBody", LAB_TEMPLATE),
        key,
        value,
    ];
    assert_eq!(cloud.create_with(&form).await, "CREATE_COMPLETE");
    let form = [
        ("StackName", "Lab"),
        ("UsePreviousTemplate", "true"),
        key,
        ("Parameters.member.1.UsePreviousValue", "true"),
        ("Tags.member.1.Key", "k"),
        ("Tags.member.1.Value", "v"),
    ];
    let updated = cloud.ok("UpdateStack", &form).await;
    let id = first(&updated, "StackId");
    assert_eq!(cloud.settle(&id).await, "UPDATE_COMPLETE");
    let input = json!({ "QueueUrl": url("mine") });
    let tags = cloud.sqs("ListQueueTags", input).await.expect("tags");
    assert_eq!(tags["Tags"], json!({ "k": "v" }));
}

/// The new one comes first, what refers to it follows, and the old one goes last.
#[tokio::test]
async fn a_renamed_queue_is_replaced() {
    let cloud = Cloud::new();
    let template = |name: &str, policy: &str| {
        format!(
            "
Resources:
  Q:
    Type: AWS::SQS::Queue
    UpdateReplacePolicy: {policy}
    Properties: {{QueueName: {name}}}
  Follower:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: follower
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt Q.Arn, maxReceiveCount: 3}}
Outputs:
  Url: {{Value: !Ref Q}}
"
        )
    };
    let create = template("one", "Delete");
    assert_eq!(cloud.create("Lab", &create).await, "CREATE_COMPLETE");
    let before = cloud.events("Lab").await.len();
    let update = template("two", "Delete");
    assert_eq!(cloud.update("Lab", &update).await, "UPDATE_COMPLETE");
    assert_eq!(
        cloud.events("Lab").await[before..],
        [
            "Lab UPDATE_IN_PROGRESS",
            "Q UPDATE_IN_PROGRESS",
            "Q UPDATE_IN_PROGRESS",
            "Q UPDATE_COMPLETE",
            "Follower UPDATE_IN_PROGRESS",
            "Follower UPDATE_COMPLETE",
            "Lab UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "Q DELETE_IN_PROGRESS",
            "Q DELETE_COMPLETE",
            "Lab UPDATE_COMPLETE",
        ]
    );
    let events = cloud
        .ok("DescribeStackEvents", &[("StackName", "Lab")])
        .await;
    let ids = all(&events, "PhysicalResourceId");
    assert_eq!(ids[1..3], [url("one"), url("one")]);
    let reasons = cloud.reasons("Lab").await;
    let expected =
        "Requested update requires the creation of a new physical resource; hence creating one.";
    assert!(reasons.contains(expected), "{reasons}");
    assert!(cloud.has_queue("two").await && !cloud.has_queue("one").await);
    assert_eq!(cloud.output("Lab", "Url").await, url("two"));
    let redrive = cloud.attributes("follower").await["RedrivePolicy"].to_string();
    assert!(redrive.contains(":two"), "{redrive}");

    let retained = template("three", "Retain");
    assert_eq!(cloud.update("Lab", &retained).await, "UPDATE_COMPLETE");
    assert!(cloud.has_queue("three").await && cloud.has_queue("two").await);
    assert!(cloud
        .events("Lab")
        .await
        .contains(&"Q DELETE_SKIPPED".to_owned()));
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    assert!(cloud.has_queue("two").await && !cloud.has_queue("three").await);
}

#[tokio::test]
async fn a_replacement_is_undone_when_the_update_fails() {
    let cloud = Cloud::new();
    let template = |name: &str, rest: &str| {
        let first = format!("QueueName: {name}");
        queues(&[("A", &first), ("B", "QueueName: !Sub '${A.QueueName}-b'")]) + rest
    };
    cloud.create("Lab", &template("one", "")).await;
    let broken = template(
        "two",
        "  C: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: 901}}\n",
    );
    assert_eq!(
        cloud.update("Lab", &broken).await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    for (name, is_there) in [
        ("one", true),
        ("one-b", true),
        ("two", false),
        ("two-b", false),
    ] {
        assert_eq!(cloud.has_queue(name).await, is_there, "{name}");
    }
    let shown = cloud
        .ok("DescribeStackResources", &[("StackName", "Lab")])
        .await;
    assert!(
        all(&shown, "PhysicalResourceId").contains(&url("one")),
        "{shown}"
    );
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    assert!(!cloud.has_queue("one").await);
}
