//! The streams of a stack and their consumers.

use super::*;

#[tokio::test]
async fn the_stream_template_makes_a_stream_with_one_shard() {
    let cloud = Cloud::new();
    assert_eq!(
        cloud.create("KinesisStream", STREAM_TEMPLATE).await,
        "CREATE_COMPLETE"
    );
    let stack = cloud.describe("KinesisStream").await;
    assert!(
        stack.contains("<OutputKey>StreamName</OutputKey><OutputValue>KinesisStream<"),
        "{stack}"
    );
    assert!(stack.contains("<OutputKey>StreamARN</OutputKey><OutputValue>arn:aws:kinesis:us-east-1:000000000000:stream/KinesisStream<"), "{stack}");
    let summary = cloud.stream("KinesisStream").await.expect("it is there");
    assert_eq!(summary["StreamStatus"], "ACTIVE");
    assert_eq!(summary["OpenShardCount"], 1);

    // A second stack finds the name taken and leaves the stream alone.
    assert_eq!(
        cloud.create("other", STREAM_TEMPLATE).await,
        "ROLLBACK_COMPLETE"
    );
    assert_eq!(cloud.delete("KinesisStream").await, "DELETE_COMPLETE");
    assert!(cloud.stream("KinesisStream").await.is_none());
}

#[tokio::test]
async fn streams_and_consumers_are_made_changed_and_deleted() {
    let cloud = Cloud::new();
    let template = |shards: u32, hours: u32, tag: &str| {
        format!(
            r#"
Resources:
  Stream:
    Type: AWS::Kinesis::Stream
    Properties:
      Name: s
      ShardCount: {shards}
      RetentionPeriodHours: {hours}
      Tags: [{{Key: {tag}, Value: v}}]
  Consumer:
    Type: AWS::Kinesis::StreamConsumer
    Properties: {{ConsumerName: c, StreamARN: !GetAtt Stream.Arn}}
Outputs:
  Consumer: {{Value: !Ref Consumer}}
  Status: {{Value: !GetAtt Consumer.ConsumerStatus}}
"#
        )
    };
    for hours in [1, 8761] {
        let name = format!("kept-{hours}");
        assert_eq!(
            cloud.create(&name, &template(2, hours, "a")).await,
            "ROLLBACK_COMPLETE"
        );
        assert!(cloud.stream("s").await.is_none(), "nothing stays behind");
    }
    assert_eq!(
        cloud.create("s", &template(2, 48, "a")).await,
        "CREATE_COMPLETE"
    );
    let stack = cloud.describe("s").await;
    assert!(stack.contains(":stream/s/consumer/c:"), "{stack}");
    let summary = cloud.stream("s").await.expect("it is there");
    assert_eq!(
        (&summary["OpenShardCount"], &summary["RetentionPeriodHours"]),
        (&json!(2), &json!(48))
    );
    assert_eq!(summary["ConsumerCount"], 1);

    assert_eq!(
        cloud.update("s", &template(4, 24, "b")).await,
        "UPDATE_COMPLETE"
    );
    let summary = cloud.stream("s").await.expect("it is there");
    assert_eq!(
        (&summary["OpenShardCount"], &summary["RetentionPeriodHours"]),
        (&json!(4), &json!(24))
    );
    let tags = cloud
        .kinesis
        .ask("ListTagsForStream", json!({"StreamName": "s"}))
        .await;
    let tags = tags.expect("tags")["Tags"].clone();
    assert!(
        tags.as_array()
            .is_some_and(|tags| tags.iter().any(|tag| tag["Key"] == "b")
                && tags.iter().all(|tag| tag["Key"] != "a")),
        "{tags}"
    );

    // Too large a step: the service refuses and the stack goes back.
    assert_eq!(
        cloud.update("s", &template(9, 24, "b")).await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    assert_eq!(cloud.delete("s").await, "DELETE_COMPLETE");
    assert!(cloud.stream("s").await.is_none());

    let on_demand = "Resources: {S: {Type: AWS::Kinesis::Stream}}\nOutputs: {N: {Value: !Ref S}}\n";
    let name = "t".repeat(120);
    assert_eq!(cloud.create(&name, on_demand).await, "CREATE_COMPLETE");
    let stream = first(&cloud.describe(&name).await, "OutputValue");
    let summary = cloud.stream(&stream).await.expect("it is there");
    assert_eq!(summary["StreamModeDetails"]["StreamMode"], "ON_DEMAND");
}

#[tokio::test]
async fn an_on_demand_stream_has_no_shard_count() {
    let cloud = Cloud::new();
    let template = |shards: &str| {
        format!(
            "Resources: {{S: {{Type: AWS::Kinesis::Stream, Properties: {{Name: s, StreamModeDetails: {{StreamMode: ON_DEMAND}}{shards}}}}}}}"
        )
    };
    assert_eq!(
        cloud.create("s", &template(", ShardCount: 1")).await,
        "ROLLBACK_COMPLETE"
    );
    let reasons = cloud.reasons("s").await;
    let expected = "Resource handler returned message: \"ShardCount is not expected when StreamMode=ON_DEMAND\"";
    assert!(reasons.contains(expected), "{reasons}");
    assert!(
        reasons.contains("HandlerErrorCode: InvalidRequest)"),
        "{reasons}"
    );
    cloud.delete("s").await;
    assert_eq!(cloud.create("s", &template("")).await, "CREATE_COMPLETE");
}
