//! From a stream to a function: records in order, from where, in which batches.

use super::*;

#[tokio::test]
async fn a_record_arrives_as_aws_shows_it() {
    let lab = Lab::going(succeed);
    lab.stream(1).await;
    let input = json!({ "StreamName": "s", "PartitionKey": "key", "Data": base64("hello") });
    let put = lab.ask("PutRecord", input).await;
    let uuid = lab
        .map("stream/s", json!({ "StartingPosition": "TRIM_HORIZON" }))
        .await;
    lab.has_run(1).await;
    let event = lab.world.events.lock().expect("a lock")[0].clone();
    let arrived = event["Records"][0]["kinesis"]["approximateArrivalTimestamp"].clone();
    let expected = json!({ "Records": [{
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "key",
            "sequenceNumber": put["SequenceNumber"],
            "data": "aGVsbG8=",
            "approximateArrivalTimestamp": arrived,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("shardId-000000000000:{}", put["SequenceNumber"].as_str().expect("a number")),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": ROLE,
        "awsRegion": "us-east-1",
        "eventSourceARN": arn("stream/s"),
    }]});
    assert_eq!(event, expected);
    assert!(arrived.is_f64());
    lab.until("it says so", async || {
        lab.get(&uuid).await["LastProcessingResult"] == "OK"
    })
    .await;
}

#[tokio::test]
async fn a_mapping_begins_where_it_is_told_to() {
    let lab = Lab::going(succeed);
    lab.stream(1).await;
    lab.put(&[("k", "early")]).await;
    lab.clock.advance(Duration::from_secs(60));
    let time = lab.clock.now() as f64 / 1000.0;
    lab.put(&[("k", "late")]).await;
    for (settings, expected) in [
        (
            json!({ "StartingPosition": "TRIM_HORIZON" }),
            vec!["early", "late", "new"],
        ),
        (
            json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": time }),
            vec!["late", "new", "new"],
        ),
        (json!({ "StartingPosition": "LATEST" }), vec!["new"]),
    ] {
        lab.world.events.lock().expect("a lock").clear();
        let uuid = lab.map("stream/s", settings).await;
        lab.put(&[("k", "new")]).await;
        let all = async || lab.batches().concat().len() >= expected.len();
        lab.until(&format!("{expected:?}"), all).await;
        lab.quiet().await;
        assert_eq!(lab.batches().concat(), expected);
        lab.call("DELETE", &format!("/{uuid}"), Value::Null)
            .await
            .expect("it goes");
        lab.until("gone", async || {
            lab.call("GET", &format!("/{uuid}"), Value::Null)
                .await
                .is_err()
        })
        .await;
    }
    let later =
        json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": time + 3600.0 });
    let (code, _) = lab.refused("stream/s", later).await;
    assert_eq!(code, "InvalidParameterValueException");
}

#[tokio::test]
async fn records_come_in_order_in_batches_of_their_size() {
    let lab = Lab::going(succeed);
    lab.stream(1).await;
    let texts: Vec<_> = (0..25).map(|n| n.to_string()).collect();
    let records: Vec<_> = texts.iter().map(|text| ("k", text.as_str())).collect();
    lab.put(&records).await;
    lab.map(
        "stream/s",
        json!({ "StartingPosition": "TRIM_HORIZON", "BatchSize": 10 }),
    )
    .await;
    lab.has_run(3).await;
    assert_eq!(
        lab.batches().iter().map(Vec::len).collect::<Vec<_>>(),
        [10, 10, 5]
    );
    assert_eq!(lab.batches().concat(), texts);
    assert_eq!(lab.world.most_running.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_window_gathers_records() {
    let lab = Lab::going(succeed);
    lab.stream(1).await;
    let settings = json!({ "StartingPosition": "LATEST", "BatchSize": 3, "MaximumBatchingWindowInSeconds": 300 });
    lab.map("stream/s", settings).await;
    lab.put(&[("k", "a")]).await;
    lab.have_been_polled(1).await;
    lab.put(&[("k", "b"), ("k", "c"), ("k", "d")]).await;
    lab.have_been_polled(4).await;
    lab.until_in(
        Duration::ZERO,
        "a full batch waits for nothing",
        async || lab.batches().len() == 1,
    )
    .await;
    lab.quiet().await;
    assert_eq!(
        lab.batches(),
        [["a", "b", "c"]],
        "the rest waits for its window"
    );
    lab.has_run_in(Duration::from_secs(100), 2).await;
    assert_eq!(lab.batches()[1], ["d"]);
}

#[tokio::test]
async fn parallel_lanes_keep_the_order_of_each_key() {
    let lab = Lab::going(succeed);
    lab.stream(1).await;
    let keys: Vec<_> = (0..20).map(|key| format!("k{key}")).collect();
    let texts: Vec<_> = (0..5)
        .flat_map(|n| keys.iter().map(move |key| (key, format!("{key}-{n}"))))
        .collect();
    let records: Vec<_> = texts
        .iter()
        .map(|(key, text)| (key.as_str(), text.as_str()))
        .collect();
    lab.hold();
    lab.put(&records).await;
    let settings =
        json!({ "StartingPosition": "TRIM_HORIZON", "BatchSize": 3, "ParallelizationFactor": 4 });
    lab.map("stream/s", settings).await;
    lab.are_running(4).await;
    lab.release();
    lab.until("all are through", async || {
        lab.batches().concat().len() == 100
    })
    .await;
    let all = lab.batches().concat();
    for key in &keys {
        let seen: Vec<_> = all
            .iter()
            .filter(|text| text.starts_with(&format!("{key}-")))
            .cloned()
            .collect();
        let expected: Vec<_> = (0..5).map(|n| format!("{key}-{n}")).collect();
        assert_eq!(seen, expected);
    }
    assert_eq!(lab.world.most_running.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn shards_that_are_split_while_it_runs_are_followed_parents_first() {
    let is_stuck = Arc::new(AtomicBool::new(true));
    let handler = {
        let is_stuck = is_stuck.clone();
        move |_: &Value| match is_stuck.load(Ordering::SeqCst) {
            true => Err(()),
            false => Ok(Value::Null),
        }
    };
    let lab = Lab::going(handler);
    lab.stream(1).await;
    lab.map(
        "stream/s",
        json!({ "StartingPosition": "LATEST", "BatchSize": 2 }),
    )
    .await;
    let put = async |from: usize| {
        let texts: Vec<_> = (from..from + 20)
            .map(|n| (format!("k{}", n % 4), n.to_string()))
            .collect();
        let records: Vec<_> = texts
            .iter()
            .map(|(key, text)| (key.as_str(), text.as_str()))
            .collect();
        lab.put(&records).await;
    };
    put(0).await;
    let input =
        json!({ "StreamName": "s", "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING" });
    lab.ask("UpdateShardCount", input).await;
    lab.active().await;
    put(20).await;
    let merge = json!({
        "StreamName": "s",
        "ShardToMerge": "shardId-000000000001",
        "AdjacentShardToMerge": "shardId-000000000002",
    });
    lab.ask("MergeShards", merge).await;
    lab.active().await;
    put(40).await;
    for _ in 0..3 {
        // Time enough to find the new shards.
        lab.clock.advance(Duration::from_secs(2));
        lab.quiet().await;
    }
    assert!(
        lab.runs()
            .keys()
            .all(|text| ["0", "1"].contains(&text.as_str())),
        "children wait for their parents: {:?}",
        lab.runs()
    );
    is_stuck.store(false, Ordering::SeqCst);
    lab.world.events.lock().expect("a lock").clear();
    lab.clock.advance(Duration::from_secs(60));
    lab.until("all are through", async || {
        lab.batches().concat().len() >= 60
    })
    .await;
    let all: Vec<usize> = lab
        .batches()
        .concat()
        .iter()
        .map(|text| text.parse().expect("a number"))
        .collect();
    assert_eq!(all.len(), 60);
    for key in 0..4 {
        let seen: Vec<_> = all.iter().copied().filter(|n| n % 4 == key).collect();
        let expected: Vec<_> = (0..60).filter(|n| n % 4 == key).collect();
        assert_eq!(seen, expected, "key k{key}");
    }
}
