//! The queues of a stack.

use super::*;

#[tokio::test]
async fn a_queue_that_was_there_before_is_not_taken_over() {
    let cloud = Cloud::new();
    let input = json!({ "QueueName": "StandardQueue" });
    cloud.sqs("CreateQueue", input).await.expect("a queue");
    assert_eq!(cloud.create("Lab", LAB_TEMPLATE).await, "ROLLBACK_COMPLETE");
    let reasons = cloud.reasons("Lab").await;
    let expected =
        "\"Resource of type 'AWS::SQS::Queue' with identifier 'StandardQueue' already exists.\"";
    assert!(reasons.contains(expected), "{reasons}");
    assert!(cloud.has_queue("StandardQueue").await);
}

#[tokio::test]
async fn a_queue_name_is_free_again_after_a_minute() {
    let cloud = Cloud::new();
    cloud.create("Lab", LAB_TEMPLATE).await;
    cloud.delete("Lab").await;
    assert_eq!(cloud.create("Lab", LAB_TEMPLATE).await, "ROLLBACK_COMPLETE");
    let reasons = cloud.reasons("Lab").await;
    assert!(
        reasons.contains("You must wait 60 seconds after deleting a queue"),
        "{reasons}"
    );
    cloud.delete("Lab").await;
    cloud.clock.advance(Duration::from_secs(61));
    assert_eq!(cloud.create("Lab", LAB_TEMPLATE).await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn properties_reach_the_queue() {
    let cloud = Cloud::new();
    let template = r#"
Parameters:
  Tries: {Type: Number, Default: 3}
Resources:
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${AWS::StackName}-work"
      VisibilityTimeout: 7
      ReceiveMessageWaitTimeSeconds: "5"
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Dead.Arn
        maxReceiveCount: !Ref Tries
      Tags: [{Key: team, Value: lab}]
  Dead:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Join ["-", [!Ref AWS::StackName, dead]]
      RedriveAllowPolicy: {redrivePermission: allowAll}
  Open:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Work]
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: "*", Action: "sqs:*", Resource: !GetAtt Work.Arn}]
Outputs:
  Name: {Value: !GetAtt Work.QueueName, Export: {Name: !Sub "${AWS::Region}-name"}}
"#;
    let form = [
        ("StackName", "Lab"),
        ("TemplateBody", template),
        ("Tags.member.1.Key", "course"),
        ("Tags.member.1.Value", "queues"),
    ];
    assert_eq!(cloud.create_with(&form).await, "CREATE_COMPLETE");
    let attributes = cloud.attributes("Lab-work").await;
    assert_eq!(attributes["VisibilityTimeout"], "7");
    assert_eq!(attributes["ReceiveMessageWaitTimeSeconds"], "5");
    let redrive = attributes["RedrivePolicy"].as_str().unwrap_or_default();
    assert!(
        redrive.contains("us-east-1:000000000000:Lab-dead"),
        "{redrive}"
    );
    let policy = attributes["Policy"].as_str().unwrap_or_default();
    assert!(
        policy.contains("us-east-1:000000000000:Lab-work"),
        "{policy}"
    );
    let input = json!({ "QueueUrl": url("Lab-work") });
    let tags = cloud.sqs("ListQueueTags", input).await.expect("tags");
    assert_eq!(tags["Tags"], json!({ "course": "queues", "team": "lab" }));
    let stack = cloud.describe("Lab").await;
    assert_eq!(first(&stack, "OutputValue"), "Lab-work");
    assert_eq!(first(&stack, "ExportName"), "us-east-1-name");
    assert_eq!(first(&stack, "Key"), "course");
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    assert!(!cloud.has_queue("Lab-work").await && !cloud.has_queue("Lab-dead").await);
}

#[tokio::test]
async fn a_queue_without_a_name_gets_one() {
    let cloud = Cloud::new();
    let stack = "S".repeat(128);
    assert_eq!(
        cloud.create(&stack, &queues(&[("Q", "")])).await,
        "CREATE_COMPLETE"
    );
    assert_eq!(
        cloud.create("Lab", &queues(&[("Queue", "")])).await,
        "CREATE_COMPLETE"
    );
    let listed = cloud.sqs("ListQueues", json!({})).await.expect("queues");
    let urls: Vec<_> = listed["QueueUrls"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let mut names = urls
        .iter()
        .filter_map(|url| url.as_str()?.rsplit('/').next());
    let (short, long) = (
        names.next().unwrap_or_default(),
        names.next().unwrap_or_default(),
    );
    assert!(
        short.starts_with("Lab-Queue-") && short.len() == 22,
        "{short}"
    );
    assert_eq!(long.len(), 80, "{long}");
}

#[tokio::test]
async fn a_fifo_queue_comes_from_its_template_and_stays_one() {
    let cloud = Cloud::new();
    assert_eq!(cloud.create("Lab", FIFO_TEMPLATE).await, "CREATE_COMPLETE");
    let stack = cloud.describe("Lab").await;
    assert_eq!(all(&stack, "OutputKey"), ["FIFOQueueARN", "FIFOQueueURL"]);
    let attributes = cloud.attributes("FIFOQueue.fifo").await;
    assert_eq!(attributes["FifoQueue"], "true");
    assert_eq!(attributes["ContentBasedDeduplication"], "true");
    assert_eq!(attributes["DeduplicationScope"], "queue");
    assert_eq!(attributes["FifoThroughputLimit"], "perQueue");

    let high = "ContentBasedDeduplication: true\n      DeduplicationScope: messageGroup\n      \
                FifoThroughputLimit: perMessageGroupId";
    let high = FIFO_TEMPLATE.replace("ContentBasedDeduplication: true", high);
    assert_eq!(cloud.update("Lab", &high).await, "UPDATE_COMPLETE");
    let attributes = cloud.attributes("FIFOQueue.fifo").await;
    assert_eq!(attributes["DeduplicationScope"], "messageGroup");
    assert_eq!(attributes["FifoThroughputLimit"], "perMessageGroupId");

    let standard = high.replace("FifoQueue: true", "FifoQueue: false");
    assert_eq!(
        cloud.update("Lab", &standard).await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    let reasons = cloud.reasons("Lab").await;
    let expected = "cannot update a stack when a custom-named resource requires replacing. Rename FIFOQueue.fifo and";
    assert!(reasons.contains(expected), "{reasons}");
    assert_eq!(
        cloud.attributes("FIFOQueue.fifo").await["FifoQueue"],
        "true"
    );
}

#[tokio::test]
async fn a_fifo_queue_without_a_name_gets_one_that_ends_so() {
    let cloud = Cloud::new();
    for stack in ["Lab".to_owned(), "S".repeat(128)] {
        let template = queues(&[("Q", "FifoQueue: true")]);
        assert_eq!(cloud.create(&stack, &template).await, "CREATE_COMPLETE");
        let resources = [("StackName", stack.as_str())];
        let listed = cloud.ok("DescribeStackResources", &resources).await;
        let id = first(&listed, "PhysicalResourceId");
        let name = id.rsplit('/').next().unwrap_or_default();
        assert!(name.ends_with(".fifo") && name.len() <= 80, "{name}");
        assert_eq!(cloud.attributes(name).await["FifoQueue"], "true");
    }
    let named = queues(&[("Q", "QueueName: work, FifoQueue: true")]);
    assert_eq!(cloud.create("Wrong", &named).await, "ROLLBACK_COMPLETE");
}

#[tokio::test]
async fn a_property_that_a_queue_lacks_fails_the_resource() {
    let cloud = Cloud::new();
    for (property, complaint) in [
        ("Colour: red", "#: extraneous key [Colour] is not permitted"),
        ("Tags: red", "#/Tags: expected a list of Key and Value"),
    ] {
        let stack = "Lab";
        let template = queues(&[("Q", property)]);
        assert_eq!(cloud.create(stack, &template).await, "ROLLBACK_COMPLETE");
        let reasons = cloud.reasons(stack).await;
        let expected =
            format!("Properties validation failed for resource Q with message:\n{complaint}");
        assert!(reasons.contains(&expected), "{reasons}");
        cloud.delete(stack).await;
    }
}

#[tokio::test]
async fn a_retained_queue_outlives_its_stack() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "QueueName: kept")]) + "    DeletionPolicy: Retain\n";
    cloud.create("Lab", &template).await;
    let id = first(&cloud.describe("Lab").await, "StackId");
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    assert!(cloud.has_queue("kept").await);
    assert!(cloud
        .events(&id)
        .await
        .contains(&"Q DELETE_SKIPPED".to_owned()));
}

#[tokio::test]
async fn a_queue_deleted_behind_the_stacks_back_counts_as_deleted() {
    let cloud = Cloud::new();
    cloud.create("Lab", LAB_TEMPLATE).await;
    let input = json!({ "QueueUrl": url("StandardQueue") });
    cloud.sqs("DeleteQueue", input).await.expect("deleted");
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
}

#[tokio::test]
async fn a_queue_has_one_policy_from_either_type() {
    let cloud = Cloud::new();
    let policy = |action: &str, queue: &str| {
        format!(
            "
  Open:
    Type: AWS::SQS::{queue}
      PolicyDocument:
        Statement: [{{Effect: Allow, Principal: '*', Action: 'sqs:{action}', Resource: !GetAtt Q.Arn}}]
"
        )
    };
    let queue = queues(&[("Q", "QueueName: q")]);
    let inline = "QueueInlinePolicy\n    Properties:\n      Queue: !Ref Q";
    let template = queue.clone() + &policy("SendMessage", inline);
    assert_eq!(cloud.create("Lab", &template).await, "CREATE_COMPLETE");
    let shown = cloud.attributes("q").await["Policy"].to_string();
    assert!(shown.contains("sqs:SendMessage"), "{shown}");
    let template = queue.clone() + &policy("ReceiveMessage", inline);
    assert_eq!(cloud.update("Lab", &template).await, "UPDATE_COMPLETE");
    let shown = cloud.attributes("q").await["Policy"].to_string();
    assert!(shown.contains("sqs:ReceiveMessage"), "{shown}");
    assert_eq!(cloud.update("Lab", &queue).await, "UPDATE_COMPLETE");
    assert!(cloud.attributes("q").await["Policy"].is_null());
    let several = "QueuePolicy\n    Properties:\n      Queues: [!Ref Q]";
    let template = queue + &policy("DeleteMessage", several);
    assert_eq!(cloud.update("Lab", &template).await, "UPDATE_COMPLETE");
    let shown = cloud.attributes("q").await["Policy"].to_string();
    assert!(shown.contains("sqs:DeleteMessage"), "{shown}");
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
}

/// Recorded on AWS in December 2025: a new queue takes messages of 1 MiB, but an update that leaves the size out gives
/// it 256 KiB.
#[tokio::test]
async fn a_size_that_a_template_no_longer_gives_is_256_kib() {
    let cloud = Cloud::new();
    for (properties, size) in [
        ("QueueName: q", "1048576"),
        ("QueueName: q, MaximumMessageSize: 4321", "4321"),
        ("QueueName: q, DelaySeconds: 1", "262144"),
    ] {
        let template = queues(&[("Q", properties)]);
        match size {
            "1048576" => cloud.create("Lab", &template).await,
            _ => cloud.update("Lab", &template).await,
        };
        assert_eq!(cloud.attributes("q").await["MaximumMessageSize"], size);
    }
}
