//! Mappings that are changed, disabled, deleted, or may no longer do what they do.

use super::*;

#[tokio::test]
async fn a_mapping_is_disabled_changed_and_enabled() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let disabled = with_source("q", json!({ "Enabled": false }));
    let created = lab.call("POST", "/", disabled).await.expect("a mapping");
    assert_eq!(created["State"], "Disabled");
    let uuid = created["UUID"].as_str().expect("an id").to_owned();
    assert_eq!(lab.get(&uuid).await["State"], "Disabled");
    lab.send(&queue, &["a", "b", "c"]).await;
    lab.quiet().await;
    assert_eq!(lab.counts(&queue).await, (3, 0));
    let update = async |changes: Value| lab.call("PUT", &format!("/{uuid}"), changes).await;
    let changed = update(json!({ "BatchSize": 2 })).await.expect("a change");
    assert_eq!(
        (&changed["BatchSize"], &changed["State"]),
        (&json!(2), &json!("Updating"))
    );
    let changed = update(json!({ "Enabled": true })).await.expect("a change");
    assert_eq!(
        (&changed["BatchSize"], &changed["State"]),
        (&json!(2), &json!("Enabling"))
    );
    lab.is_empty(&queue).await;
    assert_eq!(lab.batches().iter().map(Vec::len).max(), Some(2));
    assert_eq!(
        update(json!({ "Enabled": false })).await.expect("a change")["State"],
        "Disabling"
    );
    lab.is_in_state(&uuid, "Disabled").await;
    let runs = lab.batches().len();
    lab.send(&queue, &["d"]).await;
    lab.quiet().await;
    assert_eq!(
        (lab.batches().len(), lab.counts(&queue).await),
        (runs, (1, 0))
    );
    let refusal = update(json!({ "BatchSize": 11 }))
        .await
        .expect_err("a refusal");
    assert_eq!(refusal.code, "InvalidParameterValueException");
    assert_eq!(lab.get(&uuid).await["BatchSize"], 2);
}

#[tokio::test]
async fn a_change_waits_for_the_batch_under_way() {
    let lab = Lab::new(succeed);
    lab.hold();
    let queue = lab.queue("q", json!({})).await;
    let uuid = lab.map("q", json!({})).await;
    lab.send(&queue, &["a"]).await;
    lab.has_run(1).await;
    let path = format!("/{uuid}");
    let changed = lab
        .call("PUT", &path, json!({ "BatchSize": 5 }))
        .await
        .expect("a change");
    assert_eq!(changed["State"], "Updating");
    let error = lab
        .call("DELETE", &path, Value::Null)
        .await
        .expect_err("a refusal");
    assert_eq!(
        (error.code.as_str(), error.status),
        ("ResourceInUseException", 400)
    );
    lab.release();
    lab.is_in_state(&uuid, "Enabled").await;
    lab.is_empty(&queue).await;
    assert_eq!(lab.batches().len(), 1);
    let deleted = lab
        .call("DELETE", &path, Value::Null)
        .await
        .expect("it goes");
    assert_eq!(deleted["State"], "Deleting");
    lab.until("gone", async || {
        lab.call("GET", &path, Value::Null).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn a_change_hands_over_what_was_received_for_a_batch() {
    let disables = ("PUT", json!({ "Enabled": false }));
    let updates = ("PUT", json!({ "BatchSize": 50 }));
    for (method, change) in [disables, updates, ("DELETE", Value::Null)] {
        let lab = Lab::new(succeed);
        let dead = lab.queue("dead", json!({})).await;
        let policy = json!({ "deadLetterTargetArn": arn("dead"), "maxReceiveCount": 1 });
        let attributes = json!({ "RedrivePolicy": policy.to_string() });
        let queue = lab.queue("q", attributes).await;
        let settings = json!({ "BatchSize": 100, "MaximumBatchingWindowInSeconds": 60 });
        let uuid = lab.map("q", settings).await;
        lab.send(&queue, &["a", "b"]).await;
        lab.until("the batch waits for more", async || {
            lab.counts(&queue).await == (0, 2)
        })
        .await;
        let changed = lab.call(method, &format!("/{uuid}"), change).await;
        changed.expect("a change");
        lab.is_empty(&queue).await;
        assert_eq!(
            lab.runs(),
            BTreeMap::from([("a".into(), 1), ("b".into(), 1)])
        );
        assert_eq!(lab.counts(&dead).await, (0, 0));
    }
}

#[tokio::test]
async fn without_its_permission_a_mapping_stops_to_poll_and_says_so() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let uuid = lab.map("q", json!({})).await;
    lab.send(&queue, &["a"]).await;
    lab.is_empty(&queue).await;
    lab.set_denied(&["sqs:ReceiveMessage"]);
    lab.send(&queue, &["b"]).await;
    let problem = "PROBLEM: The function execution role does not have permissions to call ReceiveMessage on SQS";
    let says = async |result: Value| {
        let what = format!("it says {result}");
        lab.until(&what, async || {
            lab.get(&uuid).await["LastProcessingResult"] == result
        })
        .await;
    };
    says(json!(problem)).await;
    assert_eq!((lab.batches().len(), lab.counts(&queue).await), (1, (1, 0)));
    lab.set_denied(&[]);
    let is_empty = async || lab.counts(&queue).await == (0, 0);
    lab.until_in(Duration::from_secs(1), "the queue is empty", is_empty)
        .await;
    says(Value::Null).await;
    *lab.world.is_gone.lock().expect("a lock") = true;
    lab.send(&queue, &["c"]).await;
    says(json!("PROBLEM: Function not found")).await;
    assert_eq!(
        lab.get(&uuid).await["State"],
        "Enabled",
        "the mapping outlives its function"
    );
}

#[tokio::test]
async fn an_enabled_mapping_goes_on_where_it_was_disabled() {
    let lab = Lab::going(succeed);
    lab.stream(1).await;
    let uuid = lab
        .map("stream/s", json!({ "StartingPosition": "LATEST" }))
        .await;
    let enable = async |enabled: bool| {
        let changes = json!({ "Enabled": enabled });
        lab.call("PUT", &format!("/{uuid}"), changes)
            .await
            .expect("a change");
        lab.is_in_state(&uuid, if enabled { "Enabled" } else { "Disabled" })
            .await;
    };
    lab.put(&[("k", "a")]).await;
    lab.has_run(1).await;
    enable(false).await;
    lab.put(&[("k", "b")]).await;
    // Longer than an iterator lives.
    lab.clock.advance(Duration::from_secs(600));
    lab.quiet().await;
    enable(true).await;
    lab.has_run(2).await;
    assert_eq!(lab.batches(), [["a"], ["b"]]);
}

#[tokio::test]
async fn what_waited_for_a_batch_when_it_was_changed_comes_once() {
    let lab = Lab::going(succeed);
    lab.stream(1).await;
    let settings = json!({ "StartingPosition": "LATEST", "BatchSize": 3, "MaximumBatchingWindowInSeconds": 300 });
    let uuid = lab.map("stream/s", settings).await;
    lab.put(&[("k", "a"), ("k", "b")]).await;
    lab.have_been_polled(2).await;
    let path = format!("/{uuid}");
    let changed = lab.call("PUT", &path, json!({ "BatchSize": 4 })).await;
    changed.expect("a change");
    lab.is_in_state(&uuid, "Enabled").await;
    lab.put(&[("k", "c"), ("k", "d")]).await;
    lab.has_run(1).await;
    assert_eq!(lab.batches(), [["a", "b", "c", "d"]]);
}

#[tokio::test]
async fn what_was_tried_in_vain_when_it_was_disabled_comes_once_more() {
    let lab = Lab::going(choke);
    lab.stream(1).await;
    let settings = json!({ "StartingPosition": "LATEST", "BatchSize": 1 });
    let uuid = lab.map("stream/s", settings).await;
    lab.put(&[("k", "poison"), ("k", "b")]).await;
    lab.clock.advance(Duration::from_secs(1));
    lab.has_run(1).await;
    for enabled in [false, true] {
        let changes = json!({ "Enabled": enabled });
        lab.call("PUT", &format!("/{uuid}"), changes)
            .await
            .expect("a change");
        lab.is_in_state(&uuid, if enabled { "Enabled" } else { "Disabled" })
            .await;
    }
    lab.has_run(2).await;
    assert_eq!(lab.batches(), [["poison"], ["poison"]]);
}

#[tokio::test]
async fn without_its_permission_a_mapping_of_a_stream_stops_to_read() {
    let lab = Lab::going(succeed);
    lab.stream(1).await;
    let uuid = lab
        .map("stream/s", json!({ "StartingPosition": "LATEST" }))
        .await;
    lab.set_denied(&["kinesis:GetRecords"]);
    lab.put(&[("k", "a")]).await;
    lab.until("it says so", async || {
        let got = lab.get(&uuid).await;
        let result = got["LastProcessingResult"].as_str().unwrap_or_default();
        result.starts_with("PROBLEM: Cannot access stream arn:aws:kinesis")
    })
    .await;
    lab.quiet().await;
    assert!(lab.batches().is_empty());
    lab.set_denied(&[]);
    lab.clock.advance(Duration::from_secs(1));
    lab.has_run(1).await;
}
