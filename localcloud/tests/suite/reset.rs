//! `POST /lab/reset`: what there is goes, at once and for everybody.

use crate::support::functions::{create_function, create_role, lambda};
use crate::support::{
    create_queue, create_stream, exchange, logs, request, send, sqs, start_patient,
};
use localcloud::faults::{Fault, Kind};
use localcloud::testing::Feed;
use localcloud::LocalCloud;
use serde_json::{json, Value};

fn lab(cloud: &LocalCloud, method: &str, path: &str) -> Value {
    let answer = exchange(cloud, &request(method, path, &[], b"")).expect("an answer");
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

#[test]
fn a_reset_leaves_nothing_and_frees_every_name() {
    let cloud = start_patient();
    let queue = create_queue(&cloud, "orders", json!({}));
    create_stream(&cloud, "sales", 1);
    create_function(&cloud, "work", json!({}));
    logs(&cloud, "CreateLogGroup", json!({"logGroupName": "mine"}));
    create_queue(&cloud, "gone", json!({}));
    let gone = queue.replace("orders", "gone");
    sqs(&cloud, "DeleteQueue", json!({ "QueueUrl": gone }));
    create_role(&cloud, "function", &["AWSLambdaSQSQueueExecutionRole"]);
    let arn = "arn:aws:sqs:us-east-1:000000000000:orders";
    let mapping = json!({"FunctionName": "work", "EventSourceArn": arn});
    let made = lambda(
        &cloud,
        "POST",
        "/2015-03-31/event-source-mappings",
        &mapping,
    );
    assert_eq!(made.status, 202, "{made:?}");
    cloud.faults().add(Fault {
        kind: Kind::Throttle,
        target: None,
        count: 100,
    });
    cloud.clock().advance(std::time::Duration::from_secs(60));

    let moved = cloud.clock().moved().as_millis() as u64;
    lab(&cloud, "POST", "/lab/reset");
    let status = lab(&cloud, "GET", "/lab/status");
    for kind in [
        "faults",
        "queues",
        "streams",
        "functions",
        "mappings",
        "roles",
        "log_groups",
    ] {
        assert_eq!(status[kind], json!([]), "{kind}");
    }
    assert_eq!(status["clock"]["moved_ms"], moved, "the clock stays");

    create_queue(&cloud, "gone", json!({}));
    let queue = create_queue(&cloud, "orders", json!({"VisibilityTimeout": "7"}));
    send(&cloud, &queue, "a message");
    create_stream(&cloud, "sales", 2);
}

#[test]
fn a_reset_is_told_to_those_who_listen_with_the_empty_state() {
    let cloud = start_patient();
    create_queue(&cloud, "orders", json!({}));
    let (mut feed, state) = Feed::listen(cloud.address());
    assert_eq!(state["queues"][0]["queue"], "orders");
    let before = feed.last.clone();

    lab(&cloud, "POST", "/lab/reset");
    let told = feed.until(|event| event["kind"] == "state");
    let state = told.last().expect("the state");
    assert_eq!(state["queues"], json!([]));
    create_queue(&cloud, "invoices", json!({}));
    let told = feed.until(|event| event["kind"] == "queue-created");
    assert_eq!(told.last().expect("an event")["queue"], "invoices");

    // Whoever missed the reset begins with the state, too.
    let headers = format!("last-event-id: {before}\r\n");
    let mut late = Feed::open(cloud.address(), "/lab/events", &headers);
    let state = late.next();
    assert_eq!(state["kind"], "state");
    assert_eq!(state["queues"][0]["queue"], "invoices");
}
