//! From a queue to a function: events, windows, order, concurrency.

use super::*;

#[tokio::test]
async fn a_message_arrives_as_aws_shows_it_and_is_deleted() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let sent = lab
        .sqs(
            "SendMessage",
            json!({
                "QueueUrl": queue,
                "MessageBody": "hello",
                "MessageAttributes": {
                    "Text": { "DataType": "String", "StringValue": "x" },
                    "Bytes": { "DataType": "Binary", "BinaryValue": "AQI=" },
                },
            }),
        )
        .await;
    lab.map("q", json!({})).await;
    lab.is_empty(&queue).await;
    let events = lab.world.events.lock().expect("a lock").clone();
    assert_eq!(events.len(), 1);
    let record = &events[0]["Records"][0];
    let attributes = record["attributes"].as_object().expect("attributes");
    for name in ["SentTimestamp", "ApproximateFirstReceiveTimestamp"] {
        let time = attributes[name].as_str().expect("text");
        assert_eq!(time.len(), 13, "{name}: {time}");
    }
    let expected = json!({ "Records": [{
        "messageId": sent["MessageId"],
        "receiptHandle": record["receiptHandle"],
        "body": "hello",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": attributes["SentTimestamp"],
            "SenderId": "AIDALOCALCLOUDREADER",
            "ApproximateFirstReceiveTimestamp": attributes["ApproximateFirstReceiveTimestamp"],
        },
        "messageAttributes": {
            "Text": { "dataType": "String", "stringValue": "x", "stringListValues": [], "binaryListValues": [] },
            "Bytes": { "dataType": "Binary", "binaryValue": "AQI=", "stringListValues": [], "binaryListValues": [] },
        },
        "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn("q"),
        "awsRegion": "us-east-1",
    }]});
    assert_eq!(events[0], expected);
}

#[tokio::test]
async fn a_poller_that_waits_for_ever_moves_no_impatient_clock() {
    let lab = Lab::patient(choke);
    let queue = lab.queue("q", json!({})).await;
    lab.stream(1).await;
    let moved = lab.clock.moved();
    lab.map("q", json!({})).await;
    lab.map("stream/s", json!({ "StartingPosition": "TRIM_HORIZON" }))
        .await;
    lab.quiet().await;
    assert_eq!(lab.clock.moved(), moved, "nothing to do");
    lab.send(&queue, &["poison"]).await;
    lab.put(&[("k", "poison")]).await;
    lab.has_run(2).await;
    lab.quiet().await;
    let moved = lab.clock.moved() - moved;
    assert!(
        moved <= Duration::from_secs(2),
        "retries without end: {moved:?}"
    );
}

#[tokio::test]
async fn a_slow_function_keeps_an_impatient_clock_where_it_is() {
    let lab = Lab::patient(succeed);
    lab.hold();
    let queue = lab.queue("q", json!({})).await;
    let other = lab.queue("other", json!({})).await;
    lab.map("q", json!({})).await;
    lab.send(&queue, &["a"]).await;
    lab.has_run(1).await;
    // Somebody else's, which nobody ends.
    let input = json!({ "QueueUrl": other, "WaitTimeSeconds": 20 });
    let long_poll = lab.sqs("ReceiveMessage", input);
    let held = async {
        lab.quiet().await;
        assert_eq!(lab.clock.moved(), Duration::ZERO);
        lab.release();
    };
    tokio::join!(long_poll, held);
    lab.is_empty(&queue).await;
    assert_eq!(lab.runs()["a"], 1);
}

#[tokio::test]
async fn a_window_fills_a_batch_of_more_than_ten_or_ends() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({ "VisibilityTimeout": "300" })).await;
    let uuid = lab
        .map(
            "q",
            json!({ "BatchSize": 25, "MaximumBatchingWindowInSeconds": 60 }),
        )
        .await;
    for _ in 0..3 {
        lab.send(&queue, &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])
            .await;
    }
    lab.has_run(1).await;
    assert_eq!(lab.batches()[0].len(), 25, "a full batch waits for nothing");
    lab.until("the rest is received", async || {
        lab.counts(&queue).await == (0, 5)
    })
    .await;
    lab.quiet().await;
    assert_eq!(lab.batches().len(), 1, "it waits for the window's end");
    lab.clock.advance(Duration::from_secs(60));
    lab.has_run(2).await;
    assert_eq!(lab.batches()[1].len(), 5);
    lab.is_empty(&queue).await;
    assert_eq!(lab.get(&uuid).await["MaximumBatchingWindowInSeconds"], 60);
}

#[tokio::test]
async fn a_window_longer_than_the_visibility_timeout_repeats_messages() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({ "VisibilityTimeout": "30" })).await;
    lab.map(
        "q",
        json!({ "BatchSize": 20, "MaximumBatchingWindowInSeconds": 40 }),
    )
    .await;
    lab.send(&queue, &["a"]).await;
    for _ in 0..2 {
        lab.until("it is received", async || {
            lab.counts(&queue).await == (0, 1)
        })
        .await;
        lab.clock.advance(Duration::from_secs(30));
    }
    lab.has_run(1).await;
    assert_eq!(lab.batches(), [["a", "a"]]);
}

#[tokio::test]
async fn an_event_is_no_larger_than_six_megabytes() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let large = "x".repeat(1_000_000);
    for _ in 0..10 {
        lab.send(&queue, &[&large]).await;
    }
    lab.map(
        "q",
        json!({ "BatchSize": 100, "MaximumBatchingWindowInSeconds": 5 }),
    )
    .await;
    lab.is_empty(&queue).await;
    let sizes: Vec<_> = lab.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 10);
    assert!(
        sizes.iter().all(|size| *size <= 6) && sizes.len() <= 3,
        "{sizes:?}"
    );
}

#[tokio::test]
async fn a_fifo_queue_is_processed_in_the_order_of_each_group() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    for n in 0..10 {
        let bodies: Vec<_> = ["a", "b", "c"]
            .iter()
            .map(|group| (*group, format!("{group}{n}")))
            .collect();
        let messages: Vec<_> = bodies
            .iter()
            .map(|(group, body)| (*group, body.as_str()))
            .collect();
        lab.send_in_groups(&queue, &messages).await;
    }
    lab.map("q.fifo", json!({ "BatchSize": 2 })).await;
    lab.is_empty(&queue).await;
    let all: Vec<_> = lab.batches().into_iter().flatten().collect();
    assert_eq!(all.len(), 30);
    for group in ["a", "b", "c"] {
        let seen: Vec<_> = all
            .iter()
            .filter(|body| body.starts_with(group))
            .cloned()
            .collect();
        let expected: Vec<_> = (0..10).map(|n| format!("{group}{n}")).collect();
        assert_eq!(seen, expected);
    }
    let attributes =
        lab.world.events.lock().expect("a lock")[0]["Records"][0]["attributes"].clone();
    for name in ["MessageGroupId", "MessageDeduplicationId", "SequenceNumber"] {
        assert!(attributes[name].is_string(), "{name}");
    }
}

#[tokio::test]
async fn a_failure_holds_its_fifo_group_back_and_no_other() {
    // It stops at the poison and reports it and what follows it.
    let stop = |event: &Value| {
        let records = event["Records"].as_array().expect("records").iter();
        let from = records.skip_while(|record| !text(record).contains("poison"));
        let failures: Vec<_> = from
            .map(|record| json!({ "itemIdentifier": record["messageId"] }))
            .collect();
        Ok(json!({ "batchItemFailures": failures }))
    };
    let lab = Lab::new(stop);
    let queue = lab.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    lab.send_in_groups(&queue, &[("a", "a0"), ("a", "a1-poison"), ("a", "a2")])
        .await;
    lab.map("q.fifo", json!({ "FunctionResponseTypes": [REPORTS] }))
        .await;
    lab.until("a1 and a2 are left", async || {
        lab.counts(&queue).await == (0, 2)
    })
    .await;
    lab.send_in_groups(&queue, &[("a", "a3"), ("b", "b0")])
        .await;
    lab.until("b0 is through, a3 waits", async || {
        lab.counts(&queue).await == (1, 2)
    })
    .await;
    assert_eq!(lab.batches(), [vec!["a0", "a1-poison", "a2"], vec!["b0"]]);
    lab.clock.advance(Duration::from_secs(30));
    lab.has_run(3).await;
    assert_eq!(lab.batches()[2], ["a1-poison", "a2", "a3"]);
}

#[tokio::test]
async fn a_fifo_batch_too_large_for_one_event_stops_at_the_event_that_fails() {
    let lab = Lab::new(choke);
    let queue = lab.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    for n in 0..8 {
        let start = if n == 0 { "poison" } else { "fine" };
        let body = format!("{start}-{n}-{}", "x".repeat(1_000_000));
        lab.send_in_groups(&queue, &[("a", &body)]).await;
    }
    lab.map("q.fifo", json!({})).await;
    lab.has_run(1).await;
    lab.quiet().await;
    let batches = lab.batches();
    assert_eq!((batches.len(), batches[0].len()), (1, 6), "of eight");
    assert_eq!(lab.counts(&queue).await, (0, 8));
}

#[tokio::test]
async fn so_many_batches_run_at_a_time() {
    for (scaling, most) in [(json!({}), 5), (json!({ "MaximumConcurrency": 2 }), 2)] {
        let lab = Lab::new(succeed);
        let queue = lab.queue("q", json!({})).await;
        for _ in 0..2 {
            lab.send(&queue, &["a", "b", "c", "d", "e", "f", "g", "h"])
                .await;
        }
        lab.hold();
        let uuid = lab
            .map("q", json!({ "BatchSize": 1, "ScalingConfig": scaling }))
            .await;
        lab.are_running(most).await;
        lab.quiet().await;
        let left = 16 - most as u32;
        assert_eq!(lab.counts(&queue).await, (left, most as u32));
        lab.release();
        lab.is_empty(&queue).await;
        assert_eq!(lab.batches().len(), 16);
        assert_eq!(lab.world.most_running.load(Ordering::SeqCst), most);
        let shown = lab.get(&uuid).await["ScalingConfig"].clone();
        assert_eq!(shown, if most == 2 { scaling } else { Value::Null });
    }
}

#[tokio::test]
async fn a_digest_of_no_attributes_is_null_in_a_batch_that_was_gathered() {
    for (window, expected) in [(0, None), (1, Some(&Value::Null))] {
        let lab = Lab::new(succeed);
        let queue = lab.queue("q", json!({})).await;
        lab.map("q", json!({ "MaximumBatchingWindowInSeconds": window }))
            .await;
        lab.send(&queue, &["a"]).await;
        lab.until("it is received", async || {
            lab.counts(&queue).await != (1, 0)
        })
        .await;
        lab.clock.advance(Duration::from_secs(window));
        lab.has_run(1).await;
        let event = lab.world.events.lock().expect("a lock")[0].clone();
        let record = event["Records"][0].as_object().expect("a record").clone();
        assert_eq!(record.get("md5OfMessageAttributes"), expected, "{window}");
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_of_a_fifo_batch_holds_back_what_is_behind_it() {
    let lab = Lab::new(report);
    let queue = lab.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    lab.send_in_groups(&queue, &[("a", "a0"), ("a", "a1-poison"), ("a", "a2")])
        .await;
    lab.map("q.fifo", json!({ "FunctionResponseTypes": [REPORTS] }))
        .await;
    lab.until("a1 is left", async || lab.counts(&queue).await == (0, 1))
        .await;
    lab.send_in_groups(&queue, &[("a", "a3"), ("b", "b0")])
        .await;
    lab.until("b0 is through, a3 waits", async || {
        lab.counts(&queue).await == (1, 1)
    })
    .await;
    assert_eq!(lab.batches(), [vec!["a0", "a1-poison", "a2"], vec!["b0"]]);
    lab.clock.advance(Duration::from_secs(30));
    lab.has_run(3).await;
    assert_eq!(lab.batches()[2], ["a1-poison", "a3"]);
}
