//! A mapping's settings: how they are described, and which are refused.

use super::*;

#[tokio::test]
async fn a_mapping_of_a_queue_is_described_as_aws_does() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({})).await;
    let created = lab.answer("POST", "", with_source("q", json!({}))).await;
    let (status, created) = created.expect("a mapping");
    assert_eq!(status, 202);
    let uuid = created["UUID"].as_str().expect("an id");
    assert_eq!(uuid.len(), 36);
    assert!(created["LastModified"].is_f64());
    let mut expected = json!({
        "UUID": uuid,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": arn("q"),
        "EventSourceMappingArn": format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"),
        "FunctionArn": FUNCTION,
        "FunctionResponseTypes": [],
        "LastModified": created["LastModified"],
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    });
    assert_eq!(created, expected);
    expected["State"] = "Enabled".into();
    assert_eq!(lab.get(uuid).await, expected);
}

#[tokio::test]
async fn a_mapping_of_a_stream_is_described_as_aws_does() {
    let lab = Lab::new(succeed);
    lab.stream(1).await;
    let settings = json!({ "StartingPosition": "LATEST", "FunctionResponseTypes": [REPORTS] });
    let uuid = lab.map("stream/s", settings).await;
    let got = lab.get(&uuid).await;
    assert_eq!(
        got,
        json!({
            "UUID": uuid,
            "BatchSize": 100,
            "BisectBatchOnFunctionError": false,
            "DestinationConfig": { "OnFailure": {} },
            "EventSourceArn": arn("stream/s"),
            "EventSourceMappingArn": format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"),
            "FunctionArn": FUNCTION,
            "FunctionResponseTypes": [REPORTS],
            "LastModified": got["LastModified"],
            "LastProcessingResult": "No records processed",
            "MaximumBatchingWindowInSeconds": 0,
            "MaximumRecordAgeInSeconds": -1,
            "MaximumRetryAttempts": -1,
            "ParallelizationFactor": 1,
            "StartingPosition": "LATEST",
            "State": "Enabled",
            "StateTransitionReason": "User action",
            "TumblingWindowInSeconds": 0,
        })
    );
}

#[tokio::test]
async fn without_the_permission_a_mapping_is_denied() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({})).await;
    lab.stream(1).await;
    for action in ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] {
        lab.set_denied(&[&format!("sqs:{action}")]);
        let message = format!(
            "The function execution role does not have permissions to call {action} on SQS"
        );
        let refusal = ("InvalidParameterValueException".to_owned(), message);
        assert_eq!(lab.refused("q", json!({})).await, refusal);
    }
    let from = json!({ "StartingPosition": "LATEST" });
    for action in [
        "GetRecords",
        "GetShardIterator",
        "DescribeStream",
        "ListShards",
        "ListStreams",
    ] {
        lab.set_denied(&[&format!("kinesis:{action}")]);
        let message = format!(
            "Cannot access stream {}. Please ensure the role can perform the GetRecords, GetShardIterator, \
             DescribeStream, ListShards, and ListStreams Actions on your stream in IAM.",
            arn("stream/s")
        );
        let refusal = ("InvalidParameterValueException".to_owned(), message);
        assert_eq!(lab.refused("stream/s", from.clone()).await, refusal);
    }
    lab.set_denied(&["sqs:SendMessage"]);
    let mut settings = from.clone();
    settings["DestinationConfig"] = json!({ "OnFailure": { "Destination": arn("q") } });
    let (_, message) = lab.refused("stream/s", settings).await;
    assert_eq!(
        message,
        "The function execution role does not have permissions to call SendMessage on SQS"
    );
    lab.map("q", json!({})).await;
    lab.map("stream/s", from).await;
}

#[tokio::test]
async fn a_function_may_not_take_longer_than_its_messages_are_hidden() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({ "VisibilityTimeout": "60" })).await;
    *lab.world.timeout.lock().expect("a lock") = 180;
    let message = "Queue visibility timeout: 60 seconds is less than Function timeout: 180 seconds";
    assert_eq!(lab.refused("q", json!({})).await.1, message);
    *lab.world.timeout.lock().expect("a lock") = 60;
    lab.map("q", json!({})).await;
}

#[tokio::test]
async fn a_pair_is_mapped_once() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({})).await;
    lab.stream(1).await;
    let from = json!({ "StartingPosition": "LATEST" });
    let (queue, stream) = (
        lab.map("q", json!({})).await,
        lab.map("stream/s", from.clone()).await,
    );
    let error = lab
        .call("POST", "", with_source("q", json!({})))
        .await
        .expect_err("a refusal");
    assert_eq!(
        (error.code.as_str(), error.status),
        ("ResourceConflictException", 409)
    );
    assert_eq!(
        error.message,
        format!(
            "An event source mapping with SQS arn (\" {} \") and function (\" work \") already exists. \
             Please update or delete the existing mapping with UUID {queue}",
            arn("q")
        )
    );
    let (code, message) = lab.refused("stream/s", from).await;
    assert_eq!(code, "ResourceConflictException");
    assert!(message.ends_with(&stream), "{message}");
    lab.call("DELETE", &format!("/{queue}"), Value::Null)
        .await
        .expect("it goes");
    lab.until("gone", async || {
        lab.call("GET", &format!("/{queue}"), Value::Null)
            .await
            .is_err()
    })
    .await;
    lab.map("q", json!({})).await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({})).await;
    for method in ["GET", "PUT", "DELETE"] {
        let error = lab
            .call(method, "/no-such-id", json!({}))
            .await
            .expect_err("nothing");
        assert_eq!(
            (error.code.as_str(), error.status),
            ("ResourceNotFoundException", 404)
        );
        assert_eq!(error.message, "The resource you requested does not exist.");
    }
    let (code, message) = lab.refused("q", json!({ "FunctionName": "other" })).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert_eq!(message, "Function does not exist");
    let (code, message) = lab.refused("q", json!({ "EventSourceArn": null })).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert_eq!(message, "Unrecognized event source.");
    let (code, message) = lab.refused("nowhere", json!({})).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(
        message.contains("AWS.SimpleQueueService.NonExistentQueue"),
        "{message}"
    );
    let (_, message) = lab
        .refused("stream/nowhere", json!({ "StartingPosition": "LATEST" }))
        .await;
    assert_eq!(
        message,
        format!("Stream not found: {}", arn("stream/nowhere"))
    );
    let (_, message) = lab
        .refused(
            "",
            json!({ "EventSourceArn": "arn:aws:sns:us-east-1:000000000000:t" }),
        )
        .await;
    assert!(
        message.starts_with("Unrecognized event source"),
        "{message}"
    );
}

#[tokio::test]
async fn limits_hold_and_parameters_fit_their_source() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({})).await;
    lab.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    lab.stream(1).await;
    for (source, settings, says) in [
        ("q", json!({ "BatchSize": 0 }), "'0' at 'batchSize'"),
        (
            "q",
            json!({ "BatchSize": 10_001 }),
            "less than or equal to 10000",
        ),
        (
            "q",
            json!({ "BatchSize": 11 }),
            "Maximum batch window in seconds must be greater than 0",
        ),
        (
            "q",
            json!({ "MaximumBatchingWindowInSeconds": 301 }),
            "maximumBatchingWindowInSeconds",
        ),
        (
            "q",
            json!({ "ScalingConfig": { "MaximumConcurrency": 1 } }),
            "maximumConcurrency",
        ),
        (
            "q",
            json!({ "ScalingConfig": { "MaximumConcurrency": 1001 } }),
            "maximumConcurrency",
        ),
        (
            "q",
            json!({ "StartingPosition": "LATEST" }),
            "StartingPosition is not valid for SQS event sources.",
        ),
        (
            "q",
            json!({ "BisectBatchOnFunctionError": true }),
            "Unsupported BisectBatchOnFunctionError parameter",
        ),
        (
            "q",
            json!({ "MaximumRetryAttempts": 1 }),
            "Unsupported MaximumRetryAttempts parameter",
        ),
        (
            "q",
            json!({ "FunctionResponseTypes": ["Other"] }),
            "functionResponseTypes",
        ),
        (
            "q",
            json!({ "FilterCriteria": { "Filters": [{ "Pattern": "{" }] } }),
            "Invalid filter pattern definition.",
        ),
        (
            "q",
            json!({ "FilterCriteria": { "Filters": [{ "Pattern": "{\"messageId\": [\"m\"]}" }] } }),
            "names body, not messageId",
        ),
        (
            "stream/s",
            json!({
                "StartingPosition": "LATEST",
                "FilterCriteria": { "Filters": [{ "Pattern": "{\"data\": [\"plain\"]}" }] },
            }),
            "Filter pattern must be JSON.",
        ),
        (
            "q",
            json!({ "TumblingWindowInSeconds": 30 }),
            "not in this lab",
        ),
        (
            "q.fifo",
            json!({ "MaximumBatchingWindowInSeconds": 1 }),
            "Batching window is not supported for FIFO queues",
        ),
        ("q.fifo", json!({ "BatchSize": 11 }), "10 for FIFO queues"),
        (
            "stream/s",
            json!({}),
            "'startingPosition' failed to satisfy constraint: Member must not be null",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "NOW" }),
            "[LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "AT_TIMESTAMP" }),
            "StartingPositionTimestamp",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "StartingPositionTimestamp": 1 }),
            "Timestamp only valid with StartingPosition AT_TIMESTAMP",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "BatchSize": 10_001 }),
            "10000",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "ParallelizationFactor": 11 }),
            "parallelizationFactor",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "MaximumRecordAgeInSeconds": 59 }),
            "between 60 and 604800",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "MaximumRetryAttempts": 10_001 }),
            "maximumRetryAttempts",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "ScalingConfig": { "MaximumConcurrency": 2 } }),
            "Unsupported ScalingConfig parameter",
        ),
    ] {
        let (code, message) = lab.refused(source, settings.clone()).await;
        assert!(
            message.contains(says),
            "{source} {settings}: {code}: {message}"
        );
    }
    lab.map(
        "q",
        json!({ "BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1 }),
    )
    .await;
    lab.map(
        "stream/s",
        json!({ "StartingPosition": "LATEST", "BatchSize": 10_000 }),
    )
    .await;
}

#[tokio::test]
async fn mappings_are_listed_by_function_and_source_page_by_page() {
    let lab = Lab::new(succeed);
    let mut uuids = BTreeSet::new();
    for name in ["a", "b", "c"] {
        lab.queue(name, json!({})).await;
        uuids.insert(lab.map(name, json!({ "Enabled": false })).await);
    }
    let list = async |query: String| {
        let listed = lab.call("GET", &query, Value::Null).await.expect("a list");
        let found = listed["EventSourceMappings"]
            .as_array()
            .expect("a list")
            .clone();
        let found: Vec<_> = found
            .iter()
            .map(|mapping| mapping["UUID"].as_str().expect("an id").to_owned())
            .collect();
        (found, listed["NextMarker"].as_str().map(str::to_owned))
    };
    assert_eq!(list("/".into()).await.0.len(), 3);
    assert_eq!(list("?FunctionName=work".into()).await.0.len(), 3);
    assert_eq!(list("?FunctionName=other".into()).await.0.len(), 0);
    assert_eq!(
        list(format!("?EventSourceArn={}", arn("b"))).await.0.len(),
        1
    );
    let (mut found, marker) = list("?MaxItems=2".into()).await;
    assert_eq!(found.len(), 2);
    let (rest, end) = list(format!("?MaxItems=2&Marker={}", marker.expect("more"))).await;
    found.extend(rest);
    assert_eq!(
        (found.into_iter().collect::<BTreeSet<_>>(), end),
        (uuids, None)
    );
}

#[tokio::test]
async fn a_missing_starting_position_has_another_code_than_a_wrong_one() {
    let lab = Lab::new(succeed);
    lab.stream(1).await;
    let (code, message) = lab.refused("stream/s", json!({})).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert_eq!(
        message,
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: \
         Member must not be null."
    );
    let (code, message) = lab
        .refused("stream/s", json!({ "StartingPosition": "invalid" }))
        .await;
    assert_eq!(code, "ValidationException");
    assert_eq!(
        message,
        "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy constraint: \
         Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
    );
}

#[tokio::test]
async fn a_version_of_the_function_is_mapped_beside_the_function() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    lab.map("q", json!({ "Enabled": false })).await;
    let uuid = lab
        .map("q", json!({ "FunctionName": "function:work:$LATEST" }))
        .await;
    let shown = lab.get(&uuid).await;
    assert_eq!(shown["FunctionArn"], format!("{FUNCTION}:$LATEST"));
    lab.send(&queue, &["a"]).await;
    lab.is_empty(&queue).await;
    assert_eq!(lab.batches(), [["a"]]);
}
