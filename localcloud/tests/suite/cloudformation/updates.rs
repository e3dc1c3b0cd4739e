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
    let renamed = queues(&[("A", "QueueName: other, DelaySeconds: 5")]);
    assert_eq!(
        cloud.update("Lab", &renamed).await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    let reasons = cloud.reasons("Lab").await;
    assert!(
        reasons.contains("replacement is not in this lab"),
        "{reasons}"
    );
    assert!(cloud.has_queue("a").await && !cloud.has_queue("other").await);
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
