//! Records of a stream that a function fails: tried again, split, given up, told.

use super::*;

#[tokio::test]
async fn one_bad_record_blocks_its_shard_without_end() {
    let lab = Lab::going(choke);
    lab.stream(1).await;
    lab.put(&ten_records()).await;
    lab.map("stream/s", json!({ "StartingPosition": "TRIM_HORIZON" }))
        .await;
    lab.has_run(1).await;
    lab.put(&[("key", "after")]).await;
    for _ in 0..5 {
        let runs = lab.batches().len();
        lab.has_run_in(Duration::from_secs(10), runs + 1).await;
    }
    let runs = lab.runs();
    assert!(
        TEN.iter().all(|text| runs[*text] >= 6) && !runs.contains_key("after"),
        "{runs:?}"
    );
    let age = lab.mappings.status()[0]["iterator_age_ms"]
        .as_u64()
        .expect("an age");
    assert!(age >= 30_000, "the iterator's age rises: {age}");
    // The record is forgotten after a day, the stream's retention; then the shard goes on.
    lab.clock.advance(Duration::from_secs(25 * 3600));
    lab.put(&[("key", "next day")]).await;
    lab.until("it goes on", async || lab.runs().contains_key("next day"))
        .await;
    assert!(
        lab.mappings.status()[0]["iterator_age_ms"]
            .as_u64()
            .expect("an age")
            < 3_600_000
    );
}

#[tokio::test]
async fn after_its_retries_a_batch_is_given_up_whole() {
    let lab = Lab::going(choke);
    lab.stream(1).await;
    lab.put(&ten_records()).await;
    lab.map(
        "stream/s",
        json!({ "StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 2 }),
    )
    .await;
    lab.has_run(3).await;
    lab.put(&[("key", "after")]).await;
    lab.until("it goes on", async || lab.runs().contains_key("after"))
        .await;
    for (text, runs) in lab.runs() {
        assert_eq!(runs, if text == "after" { 1 } else { 3 }, "{text}");
    }
}

#[tokio::test]
async fn bisecting_isolates_the_bad_record_and_costs_no_retry() {
    let lab = Lab::going(choke);
    lab.stream(1).await;
    lab.put(&ten_records()).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 2,
        "BisectBatchOnFunctionError": true,
    });
    lab.map("stream/s", settings).await;
    lab.has_run(9).await;
    let batches: Vec<_> = lab.batches().iter().map(|batch| batch.join(" ")).collect();
    assert_eq!(
        batches,
        [
            "0 1 2 poison 4 5 6 7 8 9",
            "0 1 2 poison 4",
            "0 1 2",
            "poison 4",
            "poison",
            "poison",
            "poison",
            "4",
            "5 6 7 8 9",
        ]
    );
}

#[tokio::test]
async fn a_reported_record_is_where_the_batch_goes_on() {
    let lab = Lab::going(report);
    lab.stream(1).await;
    lab.put(&ten_records()).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 2,
        "FunctionResponseTypes": [REPORTS],
    });
    let uuid = lab.map("stream/s", settings).await;
    lab.has_run(4).await;
    let rest = "poison 4 5 6 7 8 9";
    let batches: Vec<_> = lab.batches().iter().map(|batch| batch.join(" ")).collect();
    assert_eq!(batches, ["0 1 2 poison 4 5 6 7 8 9", rest, rest, rest]);
    lab.put(&[("key", "after")]).await;
    lab.until("it goes on", async || lab.runs().contains_key("after"))
        .await;
    assert_eq!(lab.batches().len(), 5);
    lab.call("DELETE", &format!("/{uuid}"), Value::Null)
        .await
        .expect("it goes");
}

#[tokio::test]
async fn with_both_the_batch_is_split_where_the_report_says() {
    let lab = Lab::going(report);
    lab.stream(1).await;
    lab.put(&ten_records()).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 1,
        "BisectBatchOnFunctionError": true,
        "FunctionResponseTypes": [REPORTS],
    });
    lab.map("stream/s", settings).await;
    lab.has_run(9).await;
    let batches: Vec<_> = lab.batches().iter().map(|batch| batch.join(" ")).collect();
    assert_eq!(
        batches,
        [
            "0 1 2 poison 4 5 6 7 8 9",
            "poison 4 5 6 7 8 9",
            "poison 4 5 6",
            "poison 4",
            "poison",
            "poison",
            "4",
            "5 6",
            "7 8 9",
        ]
    );
}

#[tokio::test]
async fn what_is_given_up_is_told_to_the_destination() {
    let lab = Lab::going(choke);
    let failed = lab.queue("failed", json!({})).await;
    lab.stream(1).await;
    lab.put(&[("key", "good"), ("key", "poison")]).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 1,
        "DestinationConfig": { "OnFailure": { "Destination": arn("failed") } },
    });
    let uuid = lab.map("stream/s", settings).await;
    assert_eq!(
        lab.get(&uuid).await["DestinationConfig"]["OnFailure"]["Destination"],
        arn("failed")
    );
    lab.until("it is told", async || lab.counts(&failed).await == (1, 0))
        .await;
    let received = lab
        .sqs(
            "ReceiveMessage",
            json!({ "QueueUrl": failed, "WaitTimeSeconds": 1 }),
        )
        .await;
    let body = received["Messages"][0]["Body"].as_str().expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let records = lab.world.events.lock().expect("a lock")[0]["Records"].clone();
    let time = |value: &Value| {
        let time = value.as_str().expect("a time").to_owned();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
        time
    };
    let info = &body["KinesisBatchInfo"];
    assert_eq!(
        body,
        json!({
            "requestContext": {
                "requestId": "request-2",
                "functionArn": FUNCTION,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 2,
            },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "version": "1.0",
            "timestamp": time(&body["timestamp"]),
            "KinesisBatchInfo": {
                "shardId": "shardId-000000000000",
                "startSequenceNumber": records[0]["kinesis"]["sequenceNumber"],
                "endSequenceNumber": records[1]["kinesis"]["sequenceNumber"],
                "approximateArrivalOfFirstRecord": time(&info["approximateArrivalOfFirstRecord"]),
                "approximateArrivalOfLastRecord": time(&info["approximateArrivalOfLastRecord"]),
                "batchSize": 2,
                "streamArn": arn("stream/s"),
            },
        })
    );
}

#[tokio::test]
async fn a_record_that_is_too_old_is_given_up_unseen() {
    let lab = Lab::new(choke);
    let failed = lab.queue("failed", json!({})).await;
    lab.stream(1).await;
    lab.put(&[("key", "old")]).await;
    lab.clock.advance(Duration::from_secs(61));
    lab.put(&[("key", "poison")]).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRecordAgeInSeconds": 60,
        "DestinationConfig": { "OnFailure": { "Destination": arn("failed") } },
    });
    lab.map("stream/s", settings).await;
    lab.has_run(1).await;
    assert_eq!(lab.batches(), [["poison"]]);
    let both = async || lab.counts(&failed).await == (2, 0);
    lab.until_in(Duration::from_secs(61), "both are told", both)
        .await;
    assert_eq!(lab.batches(), [["poison"]]);
    let input = json!({ "QueueUrl": failed, "WaitTimeSeconds": 1, "MaxNumberOfMessages": 10 });
    let received = lab.sqs("ReceiveMessage", input).await;
    let messages = received["Messages"].as_array().expect("messages").iter();
    let told: Vec<_> = messages
        .map(|message| {
            let body: Value =
                serde_json::from_str(message["Body"].as_str().expect("a body")).expect("JSON");
            assert_eq!(body["requestContext"]["condition"], "RecordAgeExceeded");
            (
                body["requestContext"]["approximateInvokeCount"].as_u64(),
                body["responseContext"].is_null(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [(Some(1), true), (Some(1), true)],
        "without a response"
    );
}

#[tokio::test]
async fn a_throttled_function_loses_no_record_and_no_retry() {
    let lab = Lab::going(succeed);
    lab.world.throttles.store(2, Ordering::SeqCst);
    lab.stream(1).await;
    lab.put(&[("key", "a")]).await;
    lab.map(
        "stream/s",
        json!({ "StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 0 }),
    )
    .await;
    lab.has_run_in(Duration::from_secs(1), 1).await;
    assert_eq!(lab.world.throttles.load(Ordering::SeqCst), 0);
    assert_eq!(lab.batches(), [["a"]]);
}

#[tokio::test]
async fn a_batch_that_a_report_narrows_begins_its_retries_anew() {
    let lab = Lab::going(report);
    let failed = lab.queue("failed", json!({})).await;
    lab.stream(1).await;
    lab.put(&[("k", "0"), ("k", "1"), ("k", "poison")]).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 3,
        "MaximumRetryAttempts": 3,
        "FunctionResponseTypes": [REPORTS],
        "DestinationConfig": { "OnFailure": { "Destination": arn("failed") } },
    });
    lab.map("stream/s", settings).await;
    lab.until("it is told", async || lab.counts(&failed).await == (1, 0))
        .await;
    let sizes: Vec<_> = lab.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [3, 1, 1, 1, 1]);
    let input = json!({ "QueueUrl": failed, "WaitTimeSeconds": 1 });
    let received = lab.sqs("ReceiveMessage", input).await;
    let body = received["Messages"][0]["Body"].as_str().expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["requestContext"]["approximateInvokeCount"], 4);
    assert_eq!(body["KinesisBatchInfo"]["batchSize"], 1);
    let context = json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": null });
    assert_eq!(body["responseContext"], context);
}

#[tokio::test]
async fn an_empty_list_for_a_report_passes_the_batch() {
    let lab = Lab::going(|_| Ok(json!([])));
    lab.stream(1).await;
    lab.put(&[("k", "0"), ("k", "1")]).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 1,
        "FunctionResponseTypes": [REPORTS],
    });
    lab.map("stream/s", settings).await;
    lab.has_run(2).await;
    assert_eq!(lab.batches(), [["0"], ["1"]]);
}
