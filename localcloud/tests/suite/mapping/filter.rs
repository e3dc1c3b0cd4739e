//! Filters, and the items that they keep from a function.

use super::*;

#[tokio::test]
async fn filtered_messages_are_deleted_and_never_seen() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let pattern = json!({ "body": { "price": [{ "numeric": [">", 100] }] } }).to_string();
    let criteria = json!({ "Filters": [{ "Pattern": pattern }] });
    let uuid = lab.map("q", json!({ "FilterCriteria": criteria })).await;
    lab.send(&queue, &["{\"price\": 50}", "{\"price\": 150}", "plain"])
        .await;
    lab.has_run(1).await;
    lab.is_empty(&queue).await;
    assert_eq!(lab.batches(), [["{\"price\": 150}"]]);
    assert_eq!(lab.get(&uuid).await["FilterCriteria"], criteria);
}

#[tokio::test]
async fn a_message_that_does_not_fit_the_kind_of_the_pattern_is_dropped() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let pattern = json!({ "body": [{ "anything-but": ["no"] }] }).to_string();
    let criteria = json!({ "Filters": [{ "Pattern": pattern }] });
    lab.map("q", json!({ "FilterCriteria": criteria })).await;
    lab.send(&queue, &["{\"price\": 150}", "plain", "no"]).await;
    lab.has_run(1).await;
    lab.is_empty(&queue).await;
    assert_eq!(lab.batches(), [["plain"]]);
}

#[tokio::test]
async fn filtered_records_are_passed_over() {
    let lab = Lab::going(succeed);
    lab.stream(1).await;
    let patterns = [
        json!({ "data": { "city": ["Bern"] } }),
        json!({ "$or": [{ "data": { "vip": [true] } }, { "data": { "age": [99] } }] }),
    ];
    let filters: Vec<_> = patterns
        .iter()
        .map(|pattern| json!({ "Pattern": pattern.to_string() }))
        .collect();
    let settings =
        json!({ "StartingPosition": "TRIM_HORIZON", "FilterCriteria": { "Filters": filters } });
    lab.map("stream/s", settings).await;
    lab.put(&[
        ("k", "{\"city\":\"Bern\"}"),
        ("k", "{\"city\":\"Rome\"}"),
        ("k", "{\"vip\":true}"),
        ("k", "{\"age\":99.0}"),
        ("k", "plain"),
    ])
    .await;
    lab.has_run(1).await;
    lab.quiet().await;
    assert_eq!(lab.batches(), [["{\"city\":\"Bern\"}", "{\"vip\":true}"]]);
}
