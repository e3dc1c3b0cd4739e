//! Messages of a queue that a function fails.

use super::*;

#[tokio::test]
async fn one_bad_message_repeats_its_whole_batch() {
    let lab = Lab::new(choke);
    let queue = lab.queue("q", json!({ "VisibilityTimeout": "30" })).await;
    lab.send(&queue, &TEN).await;
    lab.map("q", json!({})).await;
    for round in 1..=3 {
        lab.has_run(round).await;
        lab.until("all are in flight", async || {
            lab.counts(&queue).await == (0, 10)
        })
        .await;
        lab.clock.advance(Duration::from_secs(30));
    }
    lab.has_run(4).await;
    let runs = lab.runs();
    assert!(TEN.iter().all(|text| runs[*text] == 4), "{runs:?}");
}

#[tokio::test]
async fn with_reported_failures_only_the_bad_message_is_repeated() {
    let lab = Lab::new(report);
    let queue = lab.queue("q", json!({ "VisibilityTimeout": "30" })).await;
    lab.send(&queue, &TEN).await;
    lab.map("q", json!({ "FunctionResponseTypes": [REPORTS] }))
        .await;
    for round in 1..=3 {
        lab.has_run(round).await;
        lab.until("the poison is in flight", async || {
            lab.counts(&queue).await == (0, 1)
        })
        .await;
        lab.clock.advance(Duration::from_secs(30));
    }
    lab.has_run(4).await;
    for (text, runs) in lab.runs() {
        assert_eq!(runs, if text == "poison" { 4 } else { 1 }, "{text}");
    }
}

#[tokio::test]
async fn reported_failures_count_only_when_the_mapping_asks_for_them() {
    let lab = Lab::new(report);
    let queue = lab.queue("q", json!({})).await;
    lab.send(&queue, &TEN).await;
    lab.map("q", json!({})).await;
    lab.is_empty(&queue).await;
    assert!(lab.runs().values().all(|runs| *runs == 1));
}

#[tokio::test]
async fn an_odd_report_fails_the_batch_or_passes_it_as_aws_says() {
    for (answer, fails) in [
        (json!({ "batchItemFailures": [] }), false),
        (json!({ "batchItemFailures": null }), false),
        (json!({}), false),
        (Value::Null, false),
        (
            json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }),
            true,
        ),
        (
            json!({ "batchItemFailures": [{ "itemIdentifier": null }] }),
            true,
        ),
        (
            json!({ "batchItemFailures": [{ "itemIdentifier": "unknown" }] }),
            true,
        ),
        (json!({ "batchItemFailures": [{ "id": "unknown" }] }), true),
    ] {
        let answer_again = answer.clone();
        let lab = Lab::new(move |_| Ok(answer_again.clone()));
        let queue = lab.queue("q", json!({})).await;
        lab.send(&queue, &["a", "b"]).await;
        lab.map("q", json!({ "FunctionResponseTypes": [REPORTS] }))
            .await;
        lab.has_run(1).await;
        if !fails {
            lab.is_empty(&queue).await;
        }
        lab.clock.advance(Duration::from_secs(30));
        lab.quiet().await;
        let runs = if fails { 2 } else { 1 };
        let expected = BTreeMap::from([("a".into(), runs), ("b".into(), runs)]);
        let what = format!("each has run {runs} times after {answer}");
        lab.until(&what, async || lab.runs() == expected).await;
    }
}

#[tokio::test]
async fn poison_goes_to_the_dead_letter_queue_when_it_was_received_too_often() {
    let lab = Lab::new(choke);
    let dead = lab.queue("dead", json!({})).await;
    let policy = json!({ "deadLetterTargetArn": arn("dead"), "maxReceiveCount": 3 });
    let queue = lab
        .queue("q", json!({ "RedrivePolicy": policy.to_string() }))
        .await;
    lab.send(&queue, &["poison"]).await;
    lab.map("q", json!({})).await;
    for round in 1..=3 {
        lab.has_run(round).await;
        lab.until("it is in flight", async || {
            lab.counts(&queue).await == (0, 1)
        })
        .await;
        lab.clock.advance(Duration::from_secs(30));
    }
    lab.until("it is dead", async || lab.counts(&dead).await == (1, 0))
        .await;
    assert_eq!(lab.runs()["poison"], 3);
}
