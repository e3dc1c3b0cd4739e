//! The operations of SQS over the wire, as AWS documents them, with time moved instead of waited for.

use crate::support::*;
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use localcloud::clock::{Clock, Pace};
use localcloud::events::Events;
use localcloud::faults::{Fault, Faults, Kind};
use localcloud::sqs::queue::MAX_IN_FLIGHT;
use localcloud::sqs::Sqs;
use localcloud::LocalCloud;
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn attribute(cloud: &LocalCloud, queue: &str, name: &str) -> Value {
    sqs(
        cloud,
        "GetQueueAttributes",
        json!({"QueueUrl": queue, "AttributeNames": [name]}),
    )["Attributes"][name]
        .clone()
}

fn arn(cloud: &LocalCloud, queue: &str) -> String {
    let arn = attribute(cloud, queue, "QueueArn");
    arn.as_str().expect("an ARN").to_owned()
}

/// How an operation fails: the status, the query code and the message.
fn refusal(cloud: &LocalCloud, operation: &str, input: Value) -> (u16, String, String) {
    let answer = sqs_raw(cloud, operation, input.to_string().as_bytes());
    let header = answer.header("x-amzn-query-error").unwrap_or_default();
    let code = header.strip_suffix(";Sender").expect("the caller's error");
    let message = answer.json()["message"].as_str().map(str::to_owned);
    (answer.status, code.to_owned(), message.expect("a message"))
}

fn handle(message: &Value) -> &str {
    message["ReceiptHandle"].as_str().expect("a handle")
}

#[test]
fn creating_is_idempotent_with_the_same_attributes_only() {
    let cloud = start();
    let first = create_queue(&cloud, "q", json!({"VisibilityTimeout": "40"}));
    assert_eq!(
        create_queue(&cloud, "q", json!({"VisibilityTimeout": "40"})),
        first
    );
    assert_eq!(create_queue(&cloud, "q", json!({})), first);
    let other = json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "41"}});
    let (code, message) = sqs_error(&cloud, "CreateQueue", other);
    assert_eq!(code, "QueueAlreadyExists");
    assert!(message.contains("VisibilityTimeout"), "{message}");
    for name in ["", "a b", "ä", &"x".repeat(81), "a/b"] {
        let (code, _) = sqs_error(&cloud, "CreateQueue", json!({ "QueueName": name }));
        assert!(
            matches!(code.as_str(), "InvalidParameterValue" | "MissingParameter"),
            "{name}: {code}"
        );
    }
}

#[test]
fn a_deleted_name_is_blocked_for_a_minute() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    sqs(&cloud, "DeleteQueue", json!({"QueueUrl": queue}));
    let (code, _) = sqs_error(
        &cloud,
        "SendMessage",
        json!({"QueueUrl": queue, "MessageBody": "x"}),
    );
    assert_eq!(code, "AWS.SimpleQueueService.NonExistentQueue");
    let (code, _) = sqs_error(&cloud, "CreateQueue", json!({"QueueName": "q"}));
    assert_eq!(code, "AWS.SimpleQueueService.QueueDeletedRecently");
    cloud.clock().advance(60 * SECOND);
    create_queue(&cloud, "q", json!({}));
}

#[test]
fn queues_are_listed_in_pages() {
    let cloud = start();
    for name in ["b1", "a1", "b2", "b3"] {
        create_queue(&cloud, name, json!({}));
    }
    let mut seen = Vec::new();
    let mut token = Value::Null;
    loop {
        let page = sqs(
            &cloud,
            "ListQueues",
            json!({"QueueNamePrefix": "b", "MaxResults": 2, "NextToken": token}),
        );
        let urls = page["QueueUrls"].as_array().expect("a page").clone();
        assert!(urls.len() <= 2);
        seen.extend(
            urls.iter()
                .filter_map(|url| url.as_str()?.rsplit('/').next().map(str::to_owned)),
        );
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["b1", "b2", "b3"]);
}

#[test]
fn an_undeleted_message_comes_back_with_its_history() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    send(&cloud, &queue, "x");
    let first = receive(&cloud, &queue);
    assert_eq!(first[0]["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(counts(&cloud, &queue), (0, 1, 0));

    cloud.clock().advance(28 * SECOND);
    assert_eq!(counts(&cloud, &queue), (0, 1, 0));
    cloud.clock().advance(2 * SECOND);
    let second = receive(&cloud, &queue);
    assert_eq!(second[0]["Attributes"]["ApproximateReceiveCount"], "2");
    let kept = "ApproximateFirstReceiveTimestamp";
    assert_eq!(second[0]["Attributes"][kept], first[0]["Attributes"][kept]);
    assert_ne!(handle(&second[0]), handle(&first[0]));
}

#[test]
fn an_old_handle_deletes_nothing_and_the_latest_does() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({"VisibilityTimeout": "5"}));
    send(&cloud, &queue, "x");
    let old = receive(&cloud, &queue);
    cloud.clock().advance(5 * SECOND);
    let new = receive(&cloud, &queue);
    let delete = |handle: &str| {
        sqs(
            &cloud,
            "DeleteMessage",
            json!({"QueueUrl": queue, "ReceiptHandle": handle}),
        );
    };
    delete(handle(&old[0]));
    assert_eq!(counts(&cloud, &queue), (0, 1, 0));
    cloud.clock().advance(5 * SECOND);
    delete(handle(&new[0]));
    assert_eq!(counts(&cloud, &queue), (0, 0, 0), "late, but the latest");
    delete(handle(&new[0]));
    let other = create_queue(&cloud, "other", json!({}));
    let foreign = json!({"QueueUrl": other, "ReceiptHandle": handle(&new[0])});
    assert_eq!(
        sqs_error(&cloud, "DeleteMessage", foreign).0,
        "ReceiptHandleIsInvalid"
    );
}

#[test]
fn visibility_is_extended_up_to_twelve_hours_and_ended_at_once() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    send(&cloud, &queue, "x");
    let message = receive(&cloud, &queue).remove(0);
    let change = |seconds: i64| json!({"QueueUrl": queue, "ReceiptHandle": handle(&message), "VisibilityTimeout": seconds});
    sqs(&cloud, "ChangeMessageVisibility", change(43_000));
    cloud.clock().advance(1000 * SECOND);
    assert_eq!(counts(&cloud, &queue), (0, 1, 0));
    let (code, message) = sqs_error(&cloud, "ChangeMessageVisibility", change(43_000));
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.contains("43200"), "{message}");
    assert_eq!(
        sqs_error(&cloud, "ChangeMessageVisibility", change(43_201)).0,
        "InvalidParameterValue"
    );
    assert_eq!(
        sqs_error(&cloud, "ChangeMessageVisibility", change(-1)).0,
        "InvalidParameterValue"
    );
    sqs(&cloud, "ChangeMessageVisibility", change(0));
    assert_eq!(counts(&cloud, &queue), (1, 0, 0));
}

/// Recorded on AWS, 2024-04-30: the visibility timeout is over, and nobody has received the message since.
#[test]
fn the_visibility_of_a_message_can_be_changed_after_its_timeout() {
    let cloud = start_stopped();
    let queue = create_queue(&cloud, "q", json!({"VisibilityTimeout": "1"}));
    send(&cloud, &queue, "x");
    let message = receive(&cloud, &queue).remove(0);
    cloud.clock().advance(2 * SECOND);
    assert_eq!(counts(&cloud, &queue), (1, 0, 0));
    let change =
        json!({"QueueUrl": queue, "ReceiptHandle": handle(&message), "VisibilityTimeout": 2});
    sqs(&cloud, "ChangeMessageVisibility", change);
    assert_eq!(counts(&cloud, &queue), (0, 1, 0));
    cloud.clock().advance(2 * SECOND);
    assert_eq!(counts(&cloud, &queue), (1, 0, 0));
}

/// Asserted on AWS by a test of the public repository localstack/localstack.
#[test]
fn an_earlier_handle_changes_the_visibility_and_a_deleted_messages_does_not() {
    let cloud = start_stopped();
    let queue = create_queue(&cloud, "q", json!({"VisibilityTimeout": "5"}));
    send(&cloud, &queue, "x");
    let old = receive(&cloud, &queue).remove(0);
    cloud.clock().advance(5 * SECOND);
    let new = receive(&cloud, &queue).remove(0);
    let change = json!({"QueueUrl": queue, "ReceiptHandle": handle(&old), "VisibilityTimeout": 0});
    sqs(&cloud, "ChangeMessageVisibility", change.clone());
    assert_eq!(counts(&cloud, &queue), (1, 0, 0));
    let delete = json!({"QueueUrl": queue, "ReceiptHandle": handle(&new)});
    sqs(&cloud, "DeleteMessage", delete);
    let (code, message) = sqs_error(&cloud, "ChangeMessageVisibility", change);
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(
        message,
        format!(
            "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for \
             visibility timeout change.",
            handle(&old)
        )
    );
}

/// "With long polling, Amazon SQS returns no error messages": the page of the quotas.
#[test]
fn too_many_messages_in_flight_are_an_error_of_short_polls_only() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    unless_green("too_many_messages_in_flight", || {
        runtime.block_on(more_than_may_be_in_flight())
    });
}

async fn more_than_may_be_in_flight() {
    let clock = Clock::with_pace(Pace::Patient(Duration::from_millis(10)));
    let events = Events::new(clock.clone());
    let faults = Faults::new(events.clone());
    let cloud = Sqs::new(clock, events, faults, 1);
    let call = |operation: &'static str, input: Value| {
        let (cloud, input) = (cloud.clone(), input.to_string());
        async move { cloud.call(operation, input.as_bytes(), "http://x").await }
    };
    let attributes = json!({"VisibilityTimeout": "43200"});
    let queue = json!({"QueueName": "q", "Attributes": attributes});
    call("CreateQueue", queue).await.expect("created");
    let entries: Vec<_> = (0..10)
        .map(|n| json!({"Id": n.to_string(), "MessageBody": "x"}))
        .collect();
    let ten = json!({"QueueUrl": "q", "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1});
    for _ in 0..MAX_IN_FLIGHT / 10 {
        let batch = json!({"QueueUrl": "q", "Entries": entries});
        call("SendMessageBatch", batch).await.expect("sent");
        let received = call("ReceiveMessage", ten.clone()).await.expect("messages");
        assert!(received.len() > 2, "something came");
    }
    let one = json!({"QueueUrl": "q", "MessageBody": "one more"});
    call("SendMessage", one).await.expect("sent");
    let short = call("ReceiveMessage", json!({ "QueueUrl": "q" })).await;
    assert_eq!(short.expect_err("too many").code, "OverLimit");
    let long = call("ReceiveMessage", ten).await.expect("no error");
    assert_eq!(long, b"{}", "and no message");
}

#[test]
fn delays_and_retention_follow_the_clock() {
    let cloud = start();
    let queue = create_queue(
        &cloud,
        "q",
        json!({"DelaySeconds": "10", "MessageRetentionPeriod": "60"}),
    );
    send(&cloud, &queue, "by the queue");
    sqs(
        &cloud,
        "SendMessage",
        json!({"QueueUrl": queue, "MessageBody": "at once", "DelaySeconds": 0}),
    );
    assert_eq!(counts(&cloud, &queue), (1, 0, 1));
    cloud.clock().advance(10 * SECOND);
    assert_eq!(counts(&cloud, &queue), (2, 0, 0));
    receive(&cloud, &queue);
    cloud.clock().advance(50 * SECOND);
    assert_eq!(
        counts(&cloud, &queue),
        (0, 0, 0),
        "older than the retention period, in flight or not"
    );
}

#[test]
fn a_long_poll_wakes_for_an_arrival_a_return_and_the_clock() {
    let cloud = start_patient();
    let queue = create_queue(&cloud, "q", json!({}));
    let wait = json!({"QueueUrl": queue, "WaitTimeSeconds": 20});
    let waiting = |act: &dyn Fn()| {
        thread::scope(|scope| {
            let poll = scope.spawn(|| sqs(&cloud, "ReceiveMessage", wait.clone()));
            thread::sleep(Duration::from_millis(50));
            act();
            poll.join().expect("an answer")
        })
    };
    let started = Instant::now();
    let arrived = waiting(&|| drop(send(&cloud, &queue, "x")));
    let message = &arrived["Messages"][0];
    assert_eq!(message["Body"], "x");

    let back = json!({"QueueUrl": queue, "ReceiptHandle": handle(message), "VisibilityTimeout": 0});
    let returned = waiting(&|| drop(sqs(&cloud, "ChangeMessageVisibility", back.clone())));
    assert_eq!(returned["Messages"][0]["Body"], "x");

    let expired = waiting(&|| cloud.clock().advance(30 * SECOND));
    assert_eq!(
        expired["Messages"][0]["Body"], "x",
        "due within the wait: messages before the deadline"
    );

    let timed_out = waiting(&|| cloud.clock().advance(20 * SECOND));
    assert_eq!(timed_out, json!({}));
    assert!(started.elapsed() < 15 * SECOND, "nobody waited for real");

    let (code, _) = thread::scope(|scope| {
        let poll = scope.spawn(|| sqs_error(&cloud, "ReceiveMessage", wait.clone()));
        thread::sleep(Duration::from_millis(50));
        sqs(&cloud, "DeleteQueue", json!({"QueueUrl": queue}));
        poll.join().expect("an answer")
    });
    assert_eq!(code, "AWS.SimpleQueueService.NonExistentQueue");
}

#[test]
fn every_message_wakes_one_of_many_waiting_receivers() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    let wait = json!({"QueueUrl": queue, "WaitTimeSeconds": 20});
    let bodies: BTreeSet<String> = thread::scope(|scope| {
        let polls: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| sqs(&cloud, "ReceiveMessage", wait.clone())))
            .collect();
        thread::sleep(Duration::from_millis(100));
        for n in 0..10 {
            send(&cloud, &queue, &n.to_string());
        }
        polls
            .into_iter()
            .map(|poll| poll.join().expect("an answer")["Messages"][0]["Body"].to_string())
            .collect()
    });
    assert_eq!(bodies.len(), 10);
}

#[test]
fn what_fails_too_often_goes_to_the_dead_letter_queue_with_its_history() {
    let cloud = start();
    let dead = create_queue(&cloud, "dead", json!({}));
    let policy =
        json!({"deadLetterTargetArn": arn(&cloud, &dead), "maxReceiveCount": 2}).to_string();
    let queue = create_queue(
        &cloud,
        "q",
        json!({"RedrivePolicy": policy, "VisibilityTimeout": "5"}),
    );
    let sent = send(&cloud, &queue, "poison");
    let first = receive(&cloud, &queue);
    cloud.clock().advance(5 * SECOND);
    assert_eq!(receive(&cloud, &queue).len(), 1);
    cloud.clock().advance(5 * SECOND);
    assert!(
        receive(&cloud, &queue).is_empty(),
        "the third receive gives it up"
    );
    let given_up = receive(&cloud, &dead).remove(0);
    assert_eq!(given_up["MessageId"], sent["MessageId"]);
    let attributes = &given_up["Attributes"];
    for kept in ["SentTimestamp", "ApproximateFirstReceiveTimestamp"] {
        assert_eq!(attributes[kept], first[0]["Attributes"][kept], "{kept}");
    }
    assert_eq!(
        attributes["DeadLetterQueueSourceArn"],
        arn(&cloud, &queue).as_str()
    );
    let sources = sqs(
        &cloud,
        "ListDeadLetterSourceQueues",
        json!({"QueueUrl": dead}),
    );
    assert_eq!(sources["queueUrls"], json!([queue]));
}

#[test]
fn a_redrive_policy_needs_a_target_that_allows_it() {
    let cloud = start();
    let denies = create_queue(
        &cloud,
        "denies",
        json!({"RedriveAllowPolicy": r#"{"redrivePermission":"denyAll"}"#}),
    );
    let absent = "arn:aws:sqs:us-east-1:000000000000:absent".to_owned();
    for target in [arn(&cloud, &denies), absent, "x".to_owned()] {
        let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": 2}).to_string();
        let input = json!({"QueueName": "q", "Attributes": {"RedrivePolicy": policy}});
        let (code, message) = sqs_error(&cloud, "CreateQueue", input);
        assert_eq!(code, "InvalidParameterValue", "{message}");
    }
}

#[test]
fn a_move_task_brings_dead_letters_back_as_new_messages() {
    let cloud = start();
    let dead = create_queue(&cloud, "dead", json!({}));
    let dead_arn = arn(&cloud, &dead);
    let start_task = json!({"SourceArn": dead_arn});
    assert_eq!(
        sqs_error(&cloud, "StartMessageMoveTask", start_task.clone()).0,
        "InvalidParameterValue"
    );
    let policy = json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1}).to_string();
    let queue = create_queue(&cloud, "q", json!({"RedrivePolicy": policy}));
    for n in 0..25 {
        send(&cloud, &queue, &n.to_string());
    }
    while counts(&cloud, &dead).0 < 25 {
        receive(&cloud, &queue);
        cloud.clock().advance(30 * SECOND);
    }
    let slow = json!({"SourceArn": dead_arn, "MaxNumberOfMessagesPerSecond": 1});
    let task = sqs(&cloud, "StartMessageMoveTask", slow.clone());
    assert_eq!(
        sqs_error(&cloud, "StartMessageMoveTask", slow).0,
        "InvalidParameterValue"
    );
    let list = || {
        sqs(
            &cloud,
            "ListMessageMoveTasks",
            json!({"SourceArn": dead_arn}),
        )["Results"][0]
            .clone()
    };
    assert_eq!(list()["Status"], "RUNNING");
    let cancelled = sqs(
        &cloud,
        "CancelMessageMoveTask",
        json!({"TaskHandle": task["TaskHandle"]}),
    );
    let moved = cancelled["ApproximateNumberOfMessagesMoved"]
        .as_u64()
        .expect("a number");
    assert!(moved < 25, "one a second");
    assert_eq!(list()["Status"], "CANCELLED");

    sqs(&cloud, "StartMessageMoveTask", start_task);
    while list()["Status"] == "RUNNING" {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(list()["Status"], "COMPLETED");
    assert_eq!(counts(&cloud, &dead), (0, 0, 0));
    assert_eq!(counts(&cloud, &queue), (25, 0, 0));
    assert_eq!(
        receive(&cloud, &queue)[0]["Attributes"]["ApproximateReceiveCount"],
        "1"
    );
}

/// Recorded on AWS, 2024-04-30.
#[test]
fn a_move_task_names_what_is_not_there() {
    let cloud = start();
    let dead = create_queue(&cloud, "dead", json!({}));
    let dead_arn = arn(&cloud, &dead);
    let policy = json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1}).to_string();
    create_queue(&cloud, "q", json!({ "RedrivePolicy": policy }));
    let absent = "arn:aws:sqs:us-east-1:000000000000:absent";
    let none = |parameter: &str| {
        format!("The resource that you specified for the {parameter} parameter doesn't exist.")
    };
    let task = |source: &str| {
        let id = "11111111-2222-3333-4444-555555555555";
        STANDARD.encode(json!({"taskId": id, "sourceArn": source}).to_string())
    };
    for (operation, input, status, code, message) in [
        (
            "StartMessageMoveTask",
            json!({"SourceArn": dead_arn, "DestinationArn": absent}),
            404,
            "ResourceNotFoundException",
            none("DestinationArn"),
        ),
        (
            "StartMessageMoveTask",
            json!({ "SourceArn": absent }),
            404,
            "ResourceNotFoundException",
            none("SourceArn"),
        ),
        (
            "StartMessageMoveTask",
            json!({ "SourceArn": arn(&cloud, &create_queue(&cloud, "plain", json!({}))) }),
            400,
            "InvalidParameterValue",
            "Source queue must be configured as a Dead Letter Queue.".to_owned(),
        ),
        (
            "ListMessageMoveTasks",
            json!({ "SourceArn": absent }),
            404,
            "ResourceNotFoundException",
            none("SourceArn"),
        ),
        (
            "CancelMessageMoveTask",
            json!({ "TaskHandle": "foobared" }),
            400,
            "InvalidParameterValue",
            "Value for parameter TaskHandle is invalid.".to_owned(),
        ),
        (
            "CancelMessageMoveTask",
            json!({ "TaskHandle": task(absent) }),
            404,
            "ResourceNotFoundException",
            none("SourceArn"),
        ),
        (
            "CancelMessageMoveTask",
            json!({ "TaskHandle": task(&dead_arn) }),
            404,
            "ResourceNotFoundException",
            "Task does not exist.".to_owned(),
        ),
    ] {
        assert_eq!(
            refusal(&cloud, operation, input.clone()),
            (status, code.to_owned(), message),
            "{operation} {input}"
        );
    }
}

/// Recorded on AWS, 2024-04-30.
#[test]
fn a_move_task_fails_when_its_destination_is_deleted() {
    let cloud = start_stopped();
    let dead = create_queue(&cloud, "dead", json!({}));
    let dead_arn = arn(&cloud, &dead);
    let policy = json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1}).to_string();
    create_queue(&cloud, "q", json!({ "RedrivePolicy": policy }));
    let destination = create_queue(&cloud, "destination", json!({}));
    for n in 0..5 {
        send(&cloud, &dead, &n.to_string());
    }
    let task = json!({
        "SourceArn": dead_arn,
        "DestinationArn": arn(&cloud, &destination),
        "MaxNumberOfMessagesPerSecond": 1,
    });
    sqs(&cloud, "StartMessageMoveTask", task);
    sqs(&cloud, "DeleteQueue", json!({ "QueueUrl": destination }));
    let ended = ended_task(&cloud, &dead_arn);
    assert_eq!(ended["Status"], "FAILED");
    assert_eq!(
        ended["FailureReason"],
        "AWS.SimpleQueueService.NonExistentQueue"
    );
    assert!(ended["TaskHandle"].is_null(), "{ended}");
    let moved = &ended["ApproximateNumberOfMessagesMoved"];
    let moved = moved.as_u64().expect("a number") as u32;
    assert_eq!(counts(&cloud, &dead), (5 - moved, 0, 0), "the rest stays");
}

/// The last task of a source, once it has ended: for at most five seconds the clock is moved along.
fn ended_task(cloud: &LocalCloud, source: &str) -> Value {
    let input = json!({ "SourceArn": source });
    for _ in 0..1000 {
        let task = sqs(cloud, "ListMessageMoveTasks", input.clone())["Results"][0].clone();
        if task["Status"] != "RUNNING" {
            return task;
        }
        cloud.clock().advance(SECOND);
        thread::sleep(Duration::from_millis(5));
    }
    panic!("the task of {source} has not ended in five seconds");
}

/// Recorded on AWS: what a value that is empty, absent or the default one means.
#[test]
fn encryption_is_by_one_key_at_a_time() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    let set = |attributes: Value| json!({"QueueUrl": queue, "Attributes": attributes});
    let shown = || {
        let all = json!({"QueueUrl": queue, "AttributeNames": ["All"]});
        let attributes = sqs(&cloud, "GetQueueAttributes", all)["Attributes"].clone();
        [
            "SqsManagedSseEnabled",
            "KmsMasterKeyId",
            "KmsDataKeyReusePeriodSeconds",
        ]
        .map(|name| attributes[name].as_str().map(str::to_owned))
    };
    let is = |managed: &str, key: Option<&str>, reuse: Option<&str>| {
        [Some(managed), key, reuse].map(|value| value.map(str::to_owned))
    };
    assert_eq!(shown(), is("true", None, None));
    let both = json!({"KmsMasterKeyId": "testKeyId", "SqsManagedSseEnabled": "true"});
    assert_eq!(
        sqs_error(&cloud, "SetQueueAttributes", set(both)),
        (
            "InvalidAttributeName".to_owned(),
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE."
                .to_owned()
        )
    );
    assert_eq!(shown(), is("true", None, None), "nothing is set");
    let key = json!({"KmsMasterKeyId": "testKeyId", "KmsDataKeyReusePeriodSeconds": "6000"});
    sqs(&cloud, "SetQueueAttributes", set(key));
    assert_eq!(shown(), is("false", Some("testKeyId"), Some("6000")));
    let emptied = json!({"KmsMasterKeyId": "", "KmsDataKeyReusePeriodSeconds": "300"});
    sqs(&cloud, "SetQueueAttributes", set(emptied));
    assert_eq!(shown(), is("false", None, None), "it does not come back");
    let managed = json!({"SqsManagedSseEnabled": "true"});
    sqs(&cloud, "SetQueueAttributes", set(managed));
    assert_eq!(shown(), is("true", None, None));
}

/// Recorded on AWS, 2024-04-30: a queue without tags has no field for them.
#[test]
fn without_tags_there_is_no_field() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    let tags = || sqs(&cloud, "ListQueueTags", json!({ "QueueUrl": queue }));
    assert_eq!(tags(), json!({}));
    let three = json!({"tag1": "value1", "tag2": "value2", "tag3": ""});
    sqs(
        &cloud,
        "TagQueue",
        json!({"QueueUrl": queue, "Tags": three}),
    );
    assert_eq!(tags(), json!({ "Tags": three }));
    let keys = ["tag1", "tag2", "tag3", "tag4"];
    sqs(
        &cloud,
        "UntagQueue",
        json!({"QueueUrl": queue, "TagKeys": keys}),
    );
    assert_eq!(tags(), json!({}));
}

/// Recorded on AWS, 2024-04-30; that an ARN is no principal was reported as an issue.
#[test]
fn a_permission_is_written_as_the_service_writes_it() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    let arn = arn(&cloud, &queue);
    let add = |label: &str, accounts: &[&str]| json!({"QueueUrl": queue, "Label": label, "AWSAccountIds": accounts, "Actions": ["ReceiveMessage"]});
    let remove = |label: &str| json!({"QueueUrl": queue, "Label": label});
    let policy = || -> Value {
        let text = attribute(&cloud, &queue, "Policy");
        serde_json::from_str(text.as_str().unwrap_or("null")).expect("JSON")
    };
    let principal = |account: &str| format!("arn:aws:iam::{account}:root");
    let statement = |label: &str, principals: Value| {
        json!({
            "Sid": label,
            "Effect": "Allow",
            "Principal": { "AWS": principals },
            "Action": "SQS:ReceiveMessage",
            "Resource": arn,
        })
    };
    let (ours, other) = ("111111111111", "668614515564");
    sqs(&cloud, "AddPermission", add("a", &[ours]));
    sqs(&cloud, "AddPermission", add("b", &[ours, other]));
    assert_eq!(
        policy(),
        json!({
            "Version": "2008-10-17",
            "Id": format!("{arn}/SQSDefaultPolicy"),
            "Statement": [
                statement("a", json!(principal(ours))),
                statement("b", json!([principal(ours), principal(other)])),
            ],
        })
    );
    let reason = |input: Value, operation: &str| sqs_error(&cloud, operation, input).1;
    assert_eq!(
        reason(add("a", &[other]), "AddPermission"),
        "Value a for parameter Label is invalid. Reason: Already exists."
    );
    let no_account = reason(add("c", &[&principal(ours)]), "AddPermission");
    assert!(
        no_account.contains("Unable to verify principal."),
        "{no_account}"
    );
    sqs(&cloud, "RemovePermission", remove("a"));
    sqs(&cloud, "RemovePermission", remove("b"));
    assert_eq!(policy(), Value::Null);
    assert_eq!(
        reason(remove("b"), "RemovePermission"),
        "Value b for parameter Label is invalid. Reason: can't find label."
    );
}

/// Recorded on AWS, 2024 and 2025.
#[test]
fn a_refused_message_is_refused_in_the_services_words() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({"MaximumMessageSize": "1024"}));
    let text = |name: &str, value: &str| {
        let attributes = json!({ name: {"DataType": "String", "StringValue": value} });
        json!({"QueueUrl": queue, "MessageBody": "x", "MessageAttributes": attributes})
    };
    let (code, message) = sqs_error(&cloud, "SendMessage", text("ErrorDetails", ""));
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(
        message,
        "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'."
    );
    let (code, _) = sqs_error(&cloud, "SendMessage", text("attr1", "Invalid-\u{8}"));
    assert_eq!(
        code, "InvalidParameterValue",
        "of a body it is another code"
    );
    let (code, message) = sqs_error(
        &cloud,
        "SendMessage",
        json!({"QueueUrl": queue, "MessageBody": ""}),
    );
    assert_eq!(code, "MissingParameter");
    assert_eq!(
        message,
        "The request must contain the parameter MessageBody."
    );

    let large = "a".repeat(1025);
    let (_, message) = sqs_error(
        &cloud,
        "SendMessage",
        json!({"QueueUrl": queue, "MessageBody": large}),
    );
    assert_eq!(
        message,
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."
    );
    let entries = json!([
        {"Id": "fits", "MessageBody": "a".repeat(1024)},
        {"Id": "large", "MessageBody": large},
    ]);
    let outcome = sqs(
        &cloud,
        "SendMessageBatch",
        json!({"QueueUrl": queue, "Entries": entries}),
    );
    assert_eq!(outcome["Successful"][0]["Id"], "fits");
    assert_eq!(
        outcome["Failed"],
        json!([{
            "Id": "large",
            "SenderFault": true,
            "Code": "InvalidParameterValue",
            "Message": "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
        }])
    );
}

#[test]
fn a_move_task_without_a_place_to_go_loses_nothing() {
    let cloud = start();
    let dead = create_queue(&cloud, "dead", json!({}));
    let dead_arn = arn(&cloud, &dead);
    let policy = json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1}).to_string();
    create_queue(&cloud, "q", json!({"RedrivePolicy": policy}));
    for n in 0..25 {
        send(&cloud, &dead, &n.to_string());
    }
    sqs(
        &cloud,
        "StartMessageMoveTask",
        json!({"SourceArn": dead_arn}),
    );
    let list = || {
        sqs(
            &cloud,
            "ListMessageMoveTasks",
            json!({"SourceArn": dead_arn}),
        )["Results"][0]
            .clone()
    };
    while list()["Status"] == "RUNNING" {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(list()["Status"], "FAILED");
    assert_eq!(list()["FailureReason"], "CouldNotDetermineMessageSource");
    assert_eq!(
        counts(&cloud, &dead),
        (25, 0, 0),
        "sent here, not given up by a queue"
    );
}

#[test]
fn a_batch_succeeds_although_entries_fail() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    let batch = |entries: Value| json!({"QueueUrl": queue, "Entries": entries});
    let mixed = sqs(
        &cloud,
        "SendMessageBatch",
        batch(json!([
            {"Id": "good", "MessageBody": "x"},
            {"Id": "character", "MessageBody": "\u{1}"},
            {"Id": "delay", "MessageBody": "x", "DelaySeconds": 901},
        ])),
    );
    assert_eq!(mixed["Successful"][0]["Id"], "good");
    let codes: Vec<_> = mixed["Failed"]
        .as_array()
        .expect("two")
        .iter()
        .map(|f| f["Code"].clone())
        .collect();
    assert_eq!(codes, ["InvalidMessageContents", "InvalidParameterValue"]);
    assert_eq!(counts(&cloud, &queue), (1, 0, 0));

    let prefix = "AWS.SimpleQueueService";
    let eleven: Vec<_> = (0..11)
        .map(|n| json!({"Id": n.to_string(), "MessageBody": "x"}))
        .collect();
    let half = "x".repeat(600 * 1024);
    for (entries, code) in [
        (json!([]), "EmptyBatchRequest"),
        (json!(eleven), "TooManyEntriesInBatchRequest"),
        (
            json!([{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "x"}]),
            "BatchEntryIdsNotDistinct",
        ),
        (
            json!([{"Id": "a b", "MessageBody": "x"}]),
            "InvalidBatchEntryId",
        ),
        (
            json!([{"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half}]),
            "BatchRequestTooLong",
        ),
    ] {
        assert_eq!(
            sqs_error(&cloud, "SendMessageBatch", batch(entries)).0,
            format!("{prefix}.{code}")
        );
    }
    assert_eq!(counts(&cloud, &queue), (1, 0, 0));

    let message = receive(&cloud, &queue).remove(0);
    let handles = json!([
        {"Id": "a", "ReceiptHandle": handle(&message), "VisibilityTimeout": 60},
        {"Id": "b", "ReceiptHandle": "no", "VisibilityTimeout": 60},
    ]);
    for operation in ["ChangeMessageVisibilityBatch", "DeleteMessageBatch"] {
        let outcome = sqs(&cloud, operation, batch(handles.clone()));
        assert_eq!(outcome["Successful"], json!([{"Id": "a"}]), "{operation}");
        assert_eq!(
            outcome["Failed"][0]["Code"], "ReceiptHandleIsInvalid",
            "{operation}"
        );
    }
    assert_eq!(counts(&cloud, &queue), (0, 0, 0));
}

#[test]
fn a_duplicate_delivery_is_the_same_message_twice() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    cloud.faults().add(Fault {
        kind: Kind::DuplicateDelivery,
        target: Some("q".to_owned()),
        count: 1,
    });
    send(&cloud, &queue, "x");
    let first = receive(&cloud, &queue);
    sqs(
        &cloud,
        "DeleteMessage",
        json!({"QueueUrl": queue, "ReceiptHandle": handle(&first[0])}),
    );
    let second = receive(&cloud, &queue);
    assert_eq!(
        second[0]["MessageId"], first[0]["MessageId"],
        "deleted, and yet here"
    );
    sqs(
        &cloud,
        "DeleteMessage",
        json!({"QueueUrl": queue, "ReceiptHandle": handle(&second[0])}),
    );
    assert_eq!(counts(&cloud, &queue), (0, 0, 0));
}

#[test]
fn a_purge_empties_the_queue_once_a_minute() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    send(&cloud, &queue, "x");
    sqs(&cloud, "PurgeQueue", json!({"QueueUrl": queue}));
    assert_eq!(counts(&cloud, &queue), (0, 0, 0));
    let again = json!({"QueueUrl": queue});
    assert_eq!(
        refusal(&cloud, "PurgeQueue", again.clone()),
        (
            403,
            "AWS.SimpleQueueService.PurgeQueueInProgress".to_owned(),
            "Only one PurgeQueue operation on q is allowed every 60 seconds.".to_owned()
        )
    );
    cloud.clock().advance(60 * SECOND);
    sqs(&cloud, "PurgeQueue", again);
}

#[test]
fn attributes_tags_and_permissions_are_kept() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    let set = |attributes: Value| json!({"QueueUrl": queue, "Attributes": attributes});
    sqs(
        &cloud,
        "SetQueueAttributes",
        set(json!({"DelaySeconds": "7"})),
    );
    assert_eq!(attribute(&cloud, &queue, "DelaySeconds"), "7");
    for (attributes, code) in [
        (json!({"DelaySeconds": "901"}), "InvalidAttributeValue"),
        (json!({"Colour": "red"}), "InvalidAttributeName"),
        (json!({"QueueArn": "x"}), "InvalidAttributeName"),
        (json!({"Policy": "no JSON"}), "InvalidAttributeValue"),
    ] {
        assert_eq!(
            sqs_error(&cloud, "SetQueueAttributes", set(attributes)).0,
            code
        );
    }
    let unknown = json!({"QueueUrl": queue, "AttributeNames": ["Colour"]});
    assert_eq!(
        sqs_error(&cloud, "GetQueueAttributes", unknown).0,
        "InvalidAttributeName"
    );

    sqs(
        &cloud,
        "TagQueue",
        json!({"QueueUrl": queue, "Tags": {"a": "1", "b": "2"}}),
    );
    sqs(
        &cloud,
        "UntagQueue",
        json!({"QueueUrl": queue, "TagKeys": ["a"]}),
    );
    assert_eq!(
        sqs(&cloud, "ListQueueTags", json!({"QueueUrl": queue}))["Tags"],
        json!({"b": "2"})
    );

    let permission = json!({"QueueUrl": queue, "Label": "l", "AWSAccountIds": ["111122223333"], "Actions": ["SendMessage"]});
    sqs(&cloud, "AddPermission", permission.clone());
    assert_eq!(
        sqs_error(&cloud, "AddPermission", permission.clone()).0,
        "InvalidParameterValue"
    );
    for (name, wrong) in [
        ("Label", json!("a b")),
        ("Label", json!("x".repeat(81))),
        ("Actions", json!(["SendMessage", "Nonsense"])),
        ("Actions", json!(["sqs:SendMessage"])),
    ] {
        let mut input = permission.clone();
        input["Label"] = json!("m");
        input[name] = wrong;
        let (code, message) = sqs_error(&cloud, "AddPermission", input);
        assert_eq!(code, "InvalidParameterValue", "{message}");
    }
    let policy = attribute(&cloud, &queue, "Policy").to_string();
    assert!(
        policy.contains("111122223333") && policy.contains("SQS:SendMessage"),
        "{policy}"
    );
    assert!(!policy.contains("\"m\""), "{policy}");
    sqs(&cloud, "RemovePermission", permission.clone());
    assert_eq!(attribute(&cloud, &queue, "Policy"), Value::Null);
    assert_eq!(
        sqs_error(&cloud, "RemovePermission", permission).0,
        "InvalidParameterValue"
    );
}

#[test]
fn message_attributes_come_back_as_asked_for() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({"VisibilityTimeout": "0"}));
    let text = json!({"DataType": "String", "StringValue": "x"});
    sqs(
        &cloud,
        "SendMessage",
        json!({
            "QueueUrl": queue,
            "MessageBody": "x",
            "MessageGroupId": "tenant-1",
            "MessageAttributes": {"a.one": text, "a.two": text, "b": text},
        }),
    );
    for (names, expected) in [
        (json!([]), vec![]),
        (json!(["b"]), vec!["b"]),
        (json!(["a.*"]), vec!["a.one", "a.two"]),
        (json!(["All"]), vec!["a.one", "a.two", "b"]),
        (json!(["*"]), vec!["a.one", "a.two", "b"]),
        (json!([".*"]), vec!["a.one", "a.two", "b"]),
        (json!(["AWS.", "..foo", "none"]), vec![]),
    ] {
        let input = json!({
            "QueueUrl": queue, "WaitTimeSeconds": 1, "MessageAttributeNames": names, "AttributeNames": ["MessageGroupId"],
        });
        let message = sqs(&cloud, "ReceiveMessage", input)["Messages"][0].clone();
        let attributes = message["MessageAttributes"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        assert_eq!(attributes.keys().collect::<Vec<_>>(), expected);
        assert_eq!(
            message["MD5OfMessageAttributes"].is_null(),
            expected.is_empty()
        );
        assert_eq!(message["Attributes"], json!({"MessageGroupId": "tenant-1"}));
    }
}

#[test]
fn limits_of_a_receive_are_named() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    for (parameter, value) in [
        ("MaxNumberOfMessages", 0),
        ("MaxNumberOfMessages", 11),
        ("WaitTimeSeconds", 21),
        ("VisibilityTimeout", 43_201),
    ] {
        let input = json!({"QueueUrl": queue, parameter: value});
        let (code, message) = sqs_error(&cloud, "ReceiveMessage", input);
        assert_eq!(code, "InvalidParameterValue");
        assert!(message.contains(parameter), "{message}");
    }
    let input = json!({"QueueUrl": queue, "ReceiveRequestAttemptId": "x"});
    assert_eq!(sqs(&cloud, "ReceiveMessage", input), json!({}), "accepted");
    for url in [
        "http://127.0.0.1/000000000000/none",
        "http://127.0.0.1/111122223333/q",
    ] {
        let (code, _) = sqs_error(&cloud, "ReceiveMessage", json!({ "QueueUrl": url }));
        assert_eq!(code, "AWS.SimpleQueueService.NonExistentQueue");
    }
    for url in ["http://127.0.0.1", "//", "a b"] {
        let (code, _) = sqs_error(&cloud, "ReceiveMessage", json!({ "QueueUrl": url }));
        assert_eq!(code, "InvalidAddress");
    }
    sqs(&cloud, "ReceiveMessage", json!({ "QueueUrl": "q" }));
    let (code, _) = sqs_error(&cloud, "ReceiveMessage", json!({ "QueueUrl": "none" }));
    assert_eq!(code, "AWS.SimpleQueueService.NonExistentQueue");
}
