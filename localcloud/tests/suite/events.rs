//! The feed of the local cloud: every kind of event, in order, without a gap or a repeat, and the same story as the
//! state tells that a newcomer gets.

use crate::support::functions::{create_function, create_role, invoke, lambda, settled};
use crate::support::model::cases;
use crate::support::*;
use base64::prelude::{Engine, BASE64_STANDARD};
use localcloud::testing::Feed;
use localcloud::LocalCloud;
use proptest::prelude::*;
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn listen(cloud: &LocalCloud) -> (Feed, Value) {
    Feed::listen(cloud.address())
}

fn is(kind: &str) -> impl Fn(&Value) -> bool + '_ {
    move |event| event["kind"] == kind
}

/// An event without its time, which must be there.
fn timeless(mut event: Value) -> Value {
    assert!(
        event["at"].take().as_u64().is_some_and(|at| at > 0),
        "{event}"
    );
    let fields = event.as_object_mut().expect("an object");
    fields.remove("at");
    event
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().map(|event| event["kind"].as_str());
    kinds.map(Option::unwrap_or_default).collect()
}

/// One SQS operation of a program that names itself, or of another client.
fn sqs_of(cloud: &LocalCloud, agent: (&str, &str), operation: &str, input: Value) -> Value {
    let target = format!("AmazonSQS.{operation}");
    let headers = [("x-amz-target", target.as_str()), agent];
    let bytes = request("POST", "/", &headers, input.to_string().as_bytes());
    exchange(cloud, &bytes).expect("an answer").json()
}

const RECEIVER: (&str, &str) = (
    "x-amz-user-agent",
    "aws-sdk-rust/1.3 ua/2.1 api/sqs/1.119 os/linux app/receive-4711",
);

fn receive_as_program(cloud: &LocalCloud, queue: &str) -> Vec<Value> {
    let input = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1});
    let output = sqs_of(cloud, RECEIVER, "ReceiveMessage", input);
    output["Messages"].as_array().cloned().unwrap_or_default()
}

fn handle(message: &Value) -> &str {
    message["ReceiptHandle"].as_str().expect("a handle")
}

#[test]
fn a_message_has_its_story_told() {
    let cloud = start();
    let (mut feed, state) = listen(&cloud);
    let empty =
        json!({"kind": "state", "queues": [], "streams": [], "functions": [], "mappings": []});
    assert_eq!(timeless(state), empty);
    let queue = create_queue(&cloud, "q", json!({}));
    let long = "ä".repeat(200);
    let sent = send(&cloud, &queue, &long);
    let id = &sent["MessageId"];
    let received = receive_as_program(&cloud, &queue);
    let change =
        json!({"QueueUrl": queue, "ReceiptHandle": handle(&received[0]), "VisibilityTimeout": 60});
    sqs(&cloud, "ChangeMessageVisibility", change);
    cloud.clock().advance(60 * SECOND);
    // Nobody asks the queue for anything: the feed tells it by itself.
    let mut events = feed.until(is("returned"));
    let received = receive_as_program(&cloud, &queue);
    let delete = json!({"QueueUrl": queue, "ReceiptHandle": handle(&received[0])});
    sqs(&cloud, "DeleteMessage", delete);
    sqs_of(
        &cloud,
        ("user-agent", "Boto3/1.40.1 md/Botocore#1.40.1"),
        "ReceiveMessage",
        json!({ "QueueUrl": queue }),
    );
    sqs(&cloud, "DeleteQueue", json!({ "QueueUrl": queue }));
    events.extend(feed.until(is("queue-deleted")));

    let times: Vec<u64> = events
        .iter()
        .filter_map(|event| event["at"].as_u64())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let until = events[2]["until"].as_u64().expect("a time");
    assert!(until.abs_diff(times[2] + 30_000) < 1000, "{events:?}");
    let changed = events[3]["until"].as_u64().expect("a time");
    let again = events[6]["until"].as_u64().expect("a time");
    assert!(changed.abs_diff(times[3] + 60_000) < 1000 && again > changed);
    let expected = [
        json!({"kind": "queue-created", "queue": "q", "fifo": false, "visibility_ms": 30_000,
               "visible": 0, "in_flight": 0, "delayed": 0}),
        json!({"kind": "sent", "queue": "q", "message": id, "body": "ä".repeat(100)}),
        json!({"kind": "received", "queue": "q", "message": id, "until": until, "receives": 1, "reader": "receive-4711"}),
        json!({"kind": "hidden", "queue": "q", "message": id, "until": changed}),
        json!({"kind": "clock", "moved_ms": 60_000}),
        json!({"kind": "returned", "queue": "q", "message": id}),
        json!({"kind": "received", "queue": "q", "message": id, "until": again, "receives": 2, "reader": "receive-4711"}),
        json!({"kind": "deleted", "queue": "q", "message": id}),
        json!({"kind": "empty", "queue": "q", "reader": "Boto3"}),
        json!({"kind": "queue-deleted", "queue": "q"}),
    ];
    assert_eq!(
        events.into_iter().map(timeless).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn delays_purges_retention_and_settings_are_told() {
    let cloud = start_patient();
    let (mut feed, _) = listen(&cloud);
    let queue = create_queue(&cloud, "q", json!({"MessageRetentionPeriod": "60"}));
    let delayed = json!({"QueueUrl": queue, "MessageBody": "later", "DelaySeconds": 20});
    sqs(&cloud, "SendMessage", delayed);
    let sent = &feed.until(is("sent"))[1];
    let (at, until) = (sent["at"].as_u64(), sent["until"].as_u64());
    assert!(
        until
            .zip(at)
            .is_some_and(|(until, at)| until.abs_diff(at + 20_000) < 1000),
        "{sent}"
    );
    cloud.clock().advance(20 * SECOND);
    assert_eq!(feed.until(is("arrived"))[1]["message"], sent["message"]);
    cloud.clock().advance(40 * SECOND);
    assert_eq!(feed.until(is("expired"))[1]["message"], sent["message"]);
    let attributes = json!({"QueueUrl": queue, "Attributes": {"VisibilityTimeout": "5"}});
    sqs(&cloud, "SetQueueAttributes", attributes);
    assert_eq!(feed.next()["visibility_ms"], 5000);
    sqs(&cloud, "PurgeQueue", json!({ "QueueUrl": queue }));
    assert_eq!(
        timeless(feed.next()),
        json!({"kind": "purged", "queue": "q"})
    );
    let (_, state) = listen(&cloud);
    assert_eq!(state["queues"][0]["messages"], Value::Null);
}

#[test]
fn what_is_given_up_is_followed_to_its_dead_letter_queue_and_back() {
    let cloud = start();
    create_queue(&cloud, "dead", json!({}));
    let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
    let redrive = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 1}).to_string();
    let queue = create_queue(
        &cloud,
        "q",
        json!({"RedrivePolicy": redrive, "VisibilityTimeout": "0"}),
    );
    let (mut feed, state) = listen(&cloud);
    assert_eq!(state["queues"][1]["dead_letter_queue"], "dead");
    assert_eq!(state["queues"][1]["max_receives"], 1);
    let id = send(&cloud, &queue, "bad")["MessageId"].clone();
    receive(&cloud, &queue);
    receive(&cloud, &queue);
    sqs(&cloud, "StartMessageMoveTask", json!({ "SourceArn": arn }));
    let mut events = feed.until(|event| event["from"] == "dead");
    events.retain(|event| event["kind"] != "clock" && event["kind"] != "empty");
    let again = events[6]["message"].clone();
    assert_ne!(again, id, "a moved message is a new one");
    let told: Vec<_> = events[3..].iter().cloned().map(timeless).collect();
    assert_eq!(
        kinds(&events),
        ["sent", "received", "returned", "dead", "sent", "deleted", "sent"]
    );
    assert_eq!(
        told,
        [
            json!({"kind": "dead", "queue": "q", "message": id, "to": "dead"}),
            json!({"kind": "sent", "queue": "dead", "message": id, "body": "bad", "receives": 1, "from": "q"}),
            json!({"kind": "deleted", "queue": "dead", "message": id}),
            json!({"kind": "sent", "queue": "q", "message": again, "body": "bad", "from": "dead"}),
        ]
    );
}

#[test]
fn fifo_queues_tell_groups_duplicates_and_their_quota() {
    // The calls beyond the quota are all of one second.
    let cloud = start_stopped();
    let queue = create_queue(
        &cloud,
        "q.fifo",
        json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"}),
    );
    let (mut feed, state) = listen(&cloud);
    assert_eq!(state["queues"][0]["fifo"], true);
    let input = json!({"QueueUrl": queue, "MessageBody": "x", "MessageGroupId": "g"});
    let id = sqs(&cloud, "SendMessage", input.clone())["MessageId"].clone();
    sqs(&cloud, "SendMessage", input.clone());
    receive(&cloud, &queue);
    let told: Vec<_> = feed
        .until(is("received"))
        .into_iter()
        .map(timeless)
        .collect();
    let until = &told[2]["until"];
    assert_eq!(
        told,
        [
            json!({"kind": "sent", "queue": "q.fifo", "message": id, "body": "x", "group": "g"}),
            json!({"kind": "deduplicated", "queue": "q.fifo", "message": id, "group": "g"}),
            json!({"kind": "received", "queue": "q.fifo", "message": id, "until": until, "receives": 1,
                   "reader": "?", "group": "g"}),
        ]
    );

    let quota = json!({"kind": "fifo-quota", "target": "q.fifo"});
    post(&cloud, "/lab/faults", &quota);
    for _ in 0..301 {
        sqs_raw(&cloud, "SendMessage", input.to_string().as_bytes());
    }
    let mut told = feed.until(is("refused"));
    assert_eq!(
        told.split_off(told.len() - 2)
            .into_iter()
            .map(timeless)
            .collect::<Vec<_>>(),
        [
            json!({"kind": "fault", "fault": "fifo-quota", "target": "q.fifo"}),
            json!({"kind": "refused", "queue": "q.fifo", "operation": "SendMessage", "code": "RequestThrottled"}),
        ]
    );
}

fn post(cloud: &LocalCloud, path: &str, body: &Value) -> Answer {
    let bytes = request("POST", path, &[], body.to_string().as_bytes());
    exchange(cloud, &bytes).expect("an answer")
}

#[test]
fn faults_tell_when_they_strike_and_a_copy_has_a_name_of_its_own() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    let (mut feed, _) = listen(&cloud);
    for fault in [
        json!({"kind": "throttle", "target": "SendMessage"}),
        json!({"kind": "duplicate-delivery", "target": "q"}),
    ] {
        post(&cloud, "/lab/faults", &fault);
    }
    let input = json!({"QueueUrl": queue, "MessageBody": "x"});
    sqs_error(&cloud, "SendMessage", input.clone());
    let id = sqs(&cloud, "SendMessage", input)["MessageId"].clone();
    let got: Vec<_> = (0..2).map(|_| receive(&cloud, &queue).remove(0)).collect();
    assert_eq!([&got[0]["MessageId"], &got[1]["MessageId"]], [&id, &id]);
    for message in &got {
        let delete = json!({"QueueUrl": queue, "ReceiptHandle": handle(message)});
        sqs(&cloud, "DeleteMessage", delete);
    }
    let copy = format!("{}#1", id.as_str().expect("an id"));
    let of_copy = |event: &Value| event["kind"] == "deleted" && event["message"] == copy.as_str();
    let told: Vec<_> = feed.until(of_copy).into_iter().map(timeless).collect();
    assert_eq!(
        kinds(&told),
        [
            "fault", "refused", "sent", "fault", "received", "sent", "received", "deleted",
            "deleted"
        ]
    );
    assert_eq!(told[1]["operation"], "SendMessage");
    assert_eq!(
        told[3],
        json!({"kind": "fault", "fault": "duplicate-delivery", "target": "q"})
    );
    assert_eq!(
        told[5],
        json!({"kind": "sent", "queue": "q", "message": copy, "body": "x", "receives": 1})
    );
    assert_eq!(
        [&told[6]["message"], &told[6]["receives"]],
        [&json!(copy), &json!(2)]
    );
}

#[test]
fn a_stream_has_its_story_told() {
    // A shard throttles within a second: it is over when the test says so.
    let cloud = start_stopped();
    let (mut feed, _) = listen(&cloud);
    kinesis(
        &cloud,
        "CreateStream",
        json!({"StreamName": "s", "ShardCount": 1}),
    );
    cloud.clock().advance(Duration::from_secs(1));
    let mut told = feed.until(is("stream-created"));
    let put = |key: &str, data: &str| {
        let data = BASE64_STANDARD.encode(data);
        let input = json!({"StreamName": "s", "PartitionKey": key, "Data": data});
        kinesis(&cloud, "PutRecord", input)["SequenceNumber"].clone()
    };
    let first = put("k", "eins");
    let shard = "shardId-000000000000";
    let iterator =
        json!({"StreamName": "s", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    let iterator = kinesis(&cloud, "GetShardIterator", iterator);
    let get = json!({"ShardIterator": iterator["ShardIterator"], "Limit": 1});
    cloud.clock().advance(Duration::from_millis(10));
    let second = put("k", &"zwei".repeat(50));
    kinesis(&cloud, "GetRecords", get.clone());
    for _ in 0..4 {
        kinesis(&cloud, "GetRecords", get.clone());
    }
    kinesis_error(&cloud, "GetRecords", get);
    let split = json!({"StreamName": "s", "ShardToSplit": shard, "NewStartingHashKey": "1000"});
    kinesis(&cloud, "SplitShard", split);
    cloud.clock().advance(Duration::from_secs(1));
    told.extend(feed.until(is("resharded")));
    told.retain(|event| event["kind"] != "clock");
    assert_eq!(
        kinds(&told),
        [
            "stream-created",
            "put",
            "put",
            "got",
            "got",
            "got",
            "got",
            "got",
            "throttled",
            "resharded"
        ]
    );
    let behind = told[3]["behind_ms"].clone();
    assert!(behind.as_u64().is_some_and(|behind| behind > 0), "{behind}");
    let told: Vec<_> = told.into_iter().map(timeless).collect();
    let all = ("0", (u128::MAX).to_string());
    let (whole, closed) = (
        json!({"shard": shard, "from": all.0, "to": all.1, "open": true, "parents": []}),
        json!({"shard": shard, "from": all.0, "to": all.1, "open": false, "parents": []}),
    );
    let low = json!({"shard": "shardId-000000000001", "from": "0", "to": "999", "open": true, "parents": [shard]});
    let high = json!({"shard": "shardId-000000000002", "from": "1000", "to": all.1, "open": true, "parents": [shard]});
    assert_eq!(
        told[0],
        json!({"kind": "stream-created", "stream": "s", "consumers": [], "shards": [whole]})
    );
    assert_eq!(
        told[1],
        json!({"kind": "put", "stream": "s", "shard": shard, "sequence": first, "key": "k", "data": "eins"})
    );
    assert_eq!(told[2]["data"], "zwei".repeat(25));
    assert_eq!(
        told[3],
        json!({"kind": "got", "stream": "s", "shard": shard, "reader": "?", "records": 1, "last": first, "behind_ms": behind})
    );
    assert_eq!(
        told[8],
        json!({"kind": "throttled", "stream": "s", "shard": shard, "operation": "GetRecords"})
    );
    assert_eq!(
        told[9],
        json!({"kind": "resharded", "stream": "s", "consumers": [], "shards": [closed, low, high]})
    );
    let (_, state) = listen(&cloud);
    let records = state["streams"][0]["records"].as_array().expect("records");
    let sequences: Vec<_> = records.iter().map(|record| &record["sequence"]).collect();
    assert_eq!(sequences, [&first, &second]);

    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
    let input = json!({"StreamARN": arn, "ConsumerName": "c"});
    let consumer = kinesis(&cloud, "RegisterStreamConsumer", input);
    let state =
        |state: &str| json!({"kind": "consumer", "stream": "s", "consumer": "c", "state": state});
    let next = |feed: &mut Feed| {
        let mut events = feed.until(|event| event["kind"] != "clock");
        timeless(events.pop().expect("an event"))
    };
    assert_eq!(next(&mut feed), state("CREATING"));
    cloud.clock().advance(Duration::from_secs(1));
    assert_eq!(next(&mut feed), state("ACTIVE"));
    let start = json!({"Type": "TRIM_HORIZON"});
    let input = json!({"ConsumerARN": consumer["Consumer"]["ConsumerARN"], "ShardId": shard, "StartingPosition": start});
    let subscribed = thread::scope(|scope| {
        // It ends with the shard.
        scope.spawn(|| kinesis_raw(&cloud, "SubscribeToShard", input.to_string().as_bytes()));
        next(&mut feed)
    });
    assert_eq!(
        subscribed,
        json!({"kind": "pushed", "stream": "s", "shard": shard, "consumer": "c", "records": 2, "last": second})
    );
    kinesis(
        &cloud,
        "DeregisterStreamConsumer",
        json!({"StreamARN": arn, "ConsumerName": "c"}),
    );
    assert_eq!(next(&mut feed), state("DELETING"));
    kinesis(
        &cloud,
        "DeleteStream",
        json!({"StreamName": "s", "EnforceConsumerDeletion": true}),
    );
    cloud.clock().advance(Duration::from_secs(1));
    assert_eq!(
        next(&mut feed),
        json!({"kind": "stream-deleted", "stream": "s"})
    );
}

#[test]
fn a_function_and_its_mapping_have_their_story_told() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    let role = create_role(&cloud, "poller", &["AWSLambdaSQSQueueExecutionRole"]);
    let (mut feed, _) = listen(&cloud);
    create_function(&cloud, "f", json!({"Role": role, "Timeout": 5}));
    let (_, error, _) = invoke(&cloud, "f", json!({"error": true}));
    assert!(error.is_some());
    let told = feed.until(is("ended"));
    let (first, last) = (told[0].clone(), told[told.len() - 1].clone());
    let request = told[1]["request"].clone();
    assert_eq!(
        timeless(first),
        json!({"kind": "function-created", "function": "f"})
    );
    assert_eq!(
        timeless(told[1].clone()),
        json!({"kind": "invoked", "function": "f", "request": request, "running": 1, "warm": 0})
    );
    let lines = told[2..told.len() - 1].iter();
    let lines: Vec<_> = lines
        .map(|line| [&line["kind"], &line["group"], &line["line"]])
        .collect();
    assert!(
        lines
            .iter()
            .all(|line| line[0] == "log" && line[1] == "/aws/lambda/f"),
        "{lines:?}"
    );
    let ms = last["ms"].clone();
    assert!(ms.is_u64());
    assert_eq!(
        timeless(last),
        json!({"kind": "ended", "function": "f", "request": request, "ok": false, "error": "as asked",
               "ms": ms, "running": 0, "warm": 1})
    );

    let arn = "arn:aws:sqs:us-east-1:000000000000:q";
    let input = json!({"EventSourceArn": arn, "FunctionName": "f"});
    let mappings = "/2015-03-31/event-source-mappings/";
    let mapping = lambda(&cloud, "POST", mappings, &input).json()["UUID"].clone();
    let state = |state: &str| json!({"kind": "mapping", "mapping": mapping, "function": "f", "source": "q", "state": state});
    assert_eq!(timeless(feed.next()), state("Enabled"));
    let id = send(&cloud, &queue, "x")["MessageId"].clone();
    let told = feed.until(is("deleted"));
    let wanted = ["received", "polled", "invoked", "ended", "deleted"];
    let told: Vec<_> = told
        .into_iter()
        .filter(|event| wanted.iter().any(|kind| event["kind"] == *kind))
        .map(timeless)
        .collect();
    assert_eq!(kinds(&told), wanted);
    assert_eq!(
        [&told[0]["message"], &told[0]["reader"]],
        [&id, &json!("f")]
    );
    assert_eq!(
        told[1],
        json!({"kind": "polled", "mapping": mapping, "records": 1})
    );
    assert_eq!(told[2]["records"], 1);
    assert_eq!(told[3]["ok"], true);

    let uuid = mapping.as_str().expect("a UUID");
    lambda(&cloud, "DELETE", &format!("{mappings}{uuid}"), &Value::Null);
    let told = feed.until(|event| event["state"] == "Deleted");
    let states = told.into_iter().filter(|event| event["kind"] == "mapping");
    assert_eq!(
        states.map(timeless).collect::<Vec<_>>(),
        [state("Deleting"), state("Deleted")]
    );
    // A new setting ends the processes that wait.
    let path = "/2015-03-31/functions/f";
    lambda(
        &cloud,
        "PUT",
        &format!("{path}/configuration"),
        &json!({"Timeout": 6}),
    );
    assert_eq!(
        timeless(feed.until(is("cooled")).remove(0)),
        json!({"kind": "cooled", "function": "f", "running": 0, "warm": 0})
    );
    settled(&cloud, "f");
    lambda(&cloud, "DELETE", path, &Value::Null);
    assert_eq!(
        timeless(feed.next()),
        json!({"kind": "function-deleted", "function": "f"})
    );
}

#[test]
fn a_mapping_reads_a_stream_in_the_name_of_its_function() {
    let cloud = start();
    create_stream(&cloud, "s", 1);
    let role = create_role(&cloud, "reader", &["AWSLambdaKinesisExecutionRole"]);
    create_function(&cloud, "f", json!({ "Role": role }));
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
    let input =
        json!({"EventSourceArn": arn, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON"});
    let (mut feed, _) = listen(&cloud);
    lambda(&cloud, "POST", "/2015-03-31/event-source-mappings/", &input);
    assert_eq!(feed.next()["source"], "s");
    let data = BASE64_STANDARD.encode("x");
    let input = json!({"StreamName": "s", "PartitionKey": "k", "Data": data});
    kinesis(&cloud, "PutRecord", input);
    let told = feed.until(is("invoked"));
    let got = told
        .iter()
        .find(|event| event["records"] == 1)
        .expect("a read");
    assert_eq!([&got["kind"], &got["reader"]], [&json!("got"), &json!("f")]);
}

#[test]
fn a_listener_goes_on_where_it_stopped() {
    let cloud = start_patient();
    let queue = create_queue(&cloud, "q", json!({}));
    let (mut feed, _) = listen(&cloud);
    let bodies = |feed: &mut Feed, several: usize| -> Vec<(String, Value)> {
        let next = |_| (feed.next()["body"].clone(), feed.last.clone());
        (0..several)
            .map(next)
            .map(|(body, id)| (id, body))
            .collect()
    };
    for n in 0..10 {
        send(&cloud, &queue, &n.to_string());
    }
    let all = bodies(&mut feed, 10);
    let numbers = all.iter().map(|(id, _)| {
        let (_, number) = id.split_once('-').expect("a boot and a number");
        number.parse().expect("a number")
    });
    let numbers: Vec<u64> = numbers.collect();
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{numbers:?}"
    );
    drop(feed);
    send(&cloud, &queue, "10");
    let seen = &all[3].0;
    for (path, header) in [
        (format!("/lab/events?after={seen}"), String::new()),
        (
            "/lab/events".to_owned(),
            format!("last-event-id: {seen}\r\n"),
        ),
        // A browser's own header is newer than the page's address.
        (
            format!("/lab/events?after={}", all[7].0),
            format!("last-event-id: {seen}\r\n"),
        ),
    ] {
        let mut feed = Feed::open(cloud.address(), &path, &header);
        let rest: Vec<_> = bodies(&mut feed, 7)
            .into_iter()
            .map(|(_, body)| body)
            .collect();
        assert_eq!(
            rest,
            ["4", "5", "6", "7", "8", "9", "10"],
            "{path} {header}"
        );
    }
    let (boot, _) = seen.split_once('-').expect("a boot and a number");
    for unknown in [
        "",
        "x",
        "1-1",
        &format!("{boot}-999"),
        &format!("{boot}-x"),
        boot,
    ] {
        let mut feed = Feed::open(cloud.address(), &format!("/lab/events?after={unknown}"), "");
        assert_eq!(feed.next()["kind"], "state", "{unknown}");
    }
}

#[test]
fn who_was_away_for_too_long_or_is_too_slow_begins_anew() {
    crate::support::unless_green(
        "who_was_away_for_too_long_or_is_too_slow_begins_anew",
        whoever_was_away_for_too_long_or_is_too_slow_begins_anew,
    );
}

fn whoever_was_away_for_too_long_or_is_too_slow_begins_anew() {
    let cloud = start_patient();
    let queue = create_queue(&cloud, "q", json!({}));
    let (mut feed, _) = listen(&cloud);
    send(&cloud, &queue, "first");
    feed.next();
    let seen = feed.last.clone();
    let mut slow = Feed::open(cloud.address(), &format!("/lab/events?after={seen}"), "");
    let purge = || {
        sqs(&cloud, "PurgeQueue", json!({ "QueueUrl": queue }));
        cloud.clock().advance(60 * SECOND);
    };
    // More than the connection holds while nobody reads.
    let entries: Vec<_> = (0..10)
        .map(|n| json!({"Id": n.to_string(), "MessageBody": "\u{1f980}".repeat(80)}))
        .collect();
    let input = json!({"QueueUrl": queue, "Entries": entries}).to_string();
    for n in 0..1500 {
        sqs_raw(&cloud, "SendMessageBatch", input.as_bytes());
        if n % 100 == 99 {
            purge();
        }
    }
    let mut late = Feed::open(cloud.address(), &format!("/lab/events?after={seen}"), "");
    assert_eq!(late.next()["kind"], "state");
    let seen = slow.until(is("state")).len();
    assert!(seen < 15_000, "{seen} events waited for it");
    let (_, state) = listen(&cloud);
    assert_eq!(state["queues"][0]["visible"], 0);
}

#[test]
fn only_so_many_may_listen_and_the_feed_ends_with_the_cloud() {
    let cloud = start();
    let mut feeds: Vec<_> = (0..32).map(|_| listen(&cloud).0).collect();
    let refused = Feed::open(cloud.address(), "/lab/events", "");
    assert_eq!(refused.status, 503);
    drop(feeds.pop());
    let since = Instant::now();
    let mut last = loop {
        let feed = Feed::open(cloud.address(), "/lab/events", "");
        if feed.status == 200 {
            break feed;
        }
        assert!(since.elapsed() < 5 * SECOND, "the place stays taken");
    };
    assert_eq!(last.next()["kind"], "state");
    drop(cloud);
    assert_eq!(last.try_next(), None);
}

/// The state that a page makes of the events by folding them.
#[derive(Debug)]
struct Fold {
    queues: BTreeMap<String, Value>,
    streams: BTreeMap<String, Value>,
}

impl Fold {
    fn of(state: &Value) -> Self {
        let by_name = |things: &str, name: &str| {
            let things = state[things].as_array().expect("a list").iter();
            let named = |thing: &Value| (text(thing, name), thing.clone());
            things.map(named).collect()
        };
        Self {
            queues: by_name("queues", "queue"),
            streams: by_name("streams", "stream"),
        }
    }

    /// Without what nobody promises: an order in a standard queue, or between shards, and the milliseconds between a
    /// record's arrival and its event.
    fn comparable(&self) -> Self {
        let (mut queues, mut streams) = (self.queues.clone(), self.streams.clone());
        for queue in queues.values_mut() {
            let is_fifo = queue["fifo"] == true;
            let messages = list(queue, "messages");
            if !is_fifo {
                messages.sort_by_key(|message| text(message, "message"));
            }
        }
        for stream in streams.values_mut() {
            let records = list(stream, "records");
            records.sort_by_key(|record| text(record, "sequence"));
            for record in records {
                record.as_object_mut().expect("an object").remove("at");
            }
        }
        Self { queues, streams }
    }

    fn take(&mut self, event: &Value) {
        let kind = event["kind"].as_str().expect("a kind");
        match kind {
            "queue-created" => drop(self.queues.insert(text(event, "queue"), attributes(event))),
            "queue-deleted" => drop(self.queues.remove(&text(event, "queue"))),
            "stream-created" => drop(
                self.streams
                    .insert(text(event, "stream"), attributes(event)),
            ),
            "put" => {
                let stream = self.streams.get_mut(&text(event, "stream"));
                let stream = stream.expect("a stream that was created");
                let mut record = attributes(event);
                record.as_object_mut().expect("an object").remove("stream");
                list(stream, "records").push(record);
            }
            "clock" | "fault" | "got" | "throttled" | "empty" | "refused" | "deduplicated" => {}
            _ => {
                let queue = self.queues.get_mut(&text(event, "queue"));
                take_message(queue.expect("a queue that was created"), kind, event);
            }
        }
    }
}

fn take_message(queue: &mut Value, kind: &str, event: &Value) {
    let messages = list(queue, "messages");
    let at = messages
        .iter()
        .position(|one| one["message"] == event["message"]);
    let mut known = |changes: Value| {
        let message = &mut messages[at.expect("a message that is there")];
        for field in ["until", "reader"] {
            message.as_object_mut().expect("an object").remove(field);
        }
        for (name, value) in changes.as_object().expect("an object") {
            message[name] = value.clone();
        }
    };
    match kind {
        "sent" => {
            let mut message = attributes(event);
            let fields = message.as_object_mut().expect("an object");
            fields.retain(|name, _| !["queue", "from"].contains(&name.as_str()));
            message["state"] = match event["until"] {
                Value::Null => "visible".into(),
                _ => "delayed".into(),
            };
            message["receives"] = event["receives"].as_u64().unwrap_or(0).into();
            messages.push(message);
        }
        "arrived" | "returned" => known(json!({"state": "visible"})),
        "received" => known(json!({
            "state": "in-flight",
            "until": event["until"],
            "receives": event["receives"],
            "reader": event["reader"],
        })),
        "hidden" if event["until"].as_u64() <= event["at"].as_u64() => {
            known(json!({"state": "visible"}));
        }
        "hidden" => {
            let message = &mut messages[at.expect("a message that is there")];
            // It may have been visible again: then nobody has it.
            message["state"] = json!("in-flight");
            message["until"] = event["until"].clone();
        }
        "deleted" | "dead" | "expired" => {
            drop(messages.remove(at.expect("a message that is there")))
        }
        "purged" => messages.clear(),
        "queue-changed" => {
            let messages = std::mem::take(messages);
            *queue = attributes(event);
            queue["messages"] = messages.into();
        }
        kind => panic!("{kind}"),
    }
    let messages = list(queue, "messages").clone();
    let count = |state: &str| messages.iter().filter(|one| one["state"] == state).count();
    queue["visible"] = count("visible").into();
    queue["in_flight"] = count("in-flight").into();
    queue["delayed"] = count("delayed").into();
}

/// The attributes of a thing in an event.
fn attributes(event: &Value) -> Value {
    let mut thing = event.clone();
    let fields = thing.as_object_mut().expect("an object");
    fields.remove("kind");
    fields.remove("at");
    thing
}

fn list<'a>(thing: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    if thing[name].is_null() {
        thing[name] = json!([]);
    }
    thing[name].as_array_mut().expect("a list")
}

fn text(thing: &Value, name: &str) -> String {
    thing[name].as_str().expect("a name").to_owned()
}

#[derive(Debug, Clone)]
enum Step {
    Send {
        queue: usize,
        body: u8,
        delay: u8,
    },
    Receive {
        queue: usize,
        timeout: u8,
        repeated: bool,
    },
    /// Of the handle at this place.
    Delete(usize),
    Change {
        handle: usize,
        timeout: u8,
    },
    Purge(usize),
    Set {
        queue: usize,
        visibility: u8,
    },
    Recreate,
    Move,
    Put(u8),
    Advance(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let queue = || 0..QUEUES.len();
    let step = prop_oneof![
        6 => (queue(), 0..4u8, prop_oneof![3 => Just(0), 1 => 1..20u8])
            .prop_map(|(queue, body, delay)| Step::Send { queue, body, delay }),
        6 => (queue(), 0..40u8, prop::bool::weighted(0.2))
            .prop_map(|(queue, timeout, repeated)| Step::Receive { queue, timeout, repeated }),
        3 => any::<usize>().prop_map(Step::Delete),
        3 => (any::<usize>(), prop_oneof![Just(0), 1..60u8])
            .prop_map(|(handle, timeout)| Step::Change { handle, timeout }),
        1 => queue().prop_map(Step::Purge),
        1 => (queue(), 0..40u8).prop_map(|(queue, visibility)| Step::Set { queue, visibility }),
        1 => Just(Step::Recreate),
        1 => Just(Step::Move),
        2 => (0..3u8).prop_map(Step::Put),
        4 => (1..40u8).prop_map(Step::Advance),
    ];
    prop::collection::vec(step, 1..60)
}

const QUEUES: [&str; 3] = ["q", "q.fifo", "dead"];

fn create_all(cloud: &LocalCloud) {
    let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
    create_queue(cloud, "dead", json!({"MessageRetentionPeriod": "60"}));
    let redrive = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 2}).to_string();
    create_queue(
        cloud,
        "q",
        json!({"RedrivePolicy": redrive, "MessageRetentionPeriod": "90"}),
    );
    let fifo = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    create_queue(cloud, "q.fifo", fifo);
    create_stream(cloud, "s", 2);
}

/// Does it, or is refused.
fn carry_out(cloud: &LocalCloud, step: &Step, received: &mut Vec<(String, String)>) {
    let url = |queue: usize| format!("http://localhost/000000000000/{}", QUEUES[queue]);
    let call = |operation: &str, input: Value| {
        sqs_raw(cloud, operation, input.to_string().as_bytes()).json()
    };
    let pick = |place: &usize, received: &[(String, String)]| {
        let place = place.checked_rem(received.len())?;
        Some(received[place].clone())
    };
    match step {
        Step::Send { queue, body, delay } => {
            let mut input = json!({"QueueUrl": url(*queue), "MessageBody": body.to_string()});
            match QUEUES[*queue] {
                "q.fifo" => input["MessageGroupId"] = (body % 2).to_string().into(),
                _ => input["DelaySeconds"] = (*delay).into(),
            }
            call("SendMessage", input);
        }
        Step::Receive {
            queue,
            timeout,
            repeated,
        } => {
            if *repeated {
                let fault = json!({"kind": "duplicate-delivery", "target": QUEUES[*queue]});
                post(cloud, "/lab/faults", &fault);
            }
            let input = json!({"QueueUrl": url(*queue), "MaxNumberOfMessages": 3, "VisibilityTimeout": timeout});
            let output = sqs_of(cloud, RECEIVER, "ReceiveMessage", input);
            let messages = output["Messages"].as_array().into_iter().flatten();
            received.extend(messages.map(|message| (url(*queue), handle(message).to_owned())));
        }
        Step::Delete(handle) => {
            if let Some((url, handle)) = pick(handle, received) {
                call(
                    "DeleteMessage",
                    json!({"QueueUrl": url, "ReceiptHandle": handle}),
                );
            }
        }
        Step::Change { handle, timeout } => {
            if let Some((url, handle)) = pick(handle, received) {
                let input =
                    json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": timeout});
                call("ChangeMessageVisibility", input);
            }
        }
        Step::Purge(queue) => drop(call("PurgeQueue", json!({"QueueUrl": url(*queue)}))),
        Step::Set { queue, visibility } => {
            let attributes = json!({"VisibilityTimeout": visibility.to_string()});
            call(
                "SetQueueAttributes",
                json!({"QueueUrl": url(*queue), "Attributes": attributes}),
            );
        }
        Step::Recreate => {
            call("DeleteQueue", json!({"QueueUrl": url(2)}));
            cloud.clock().advance(60 * SECOND);
            call("CreateQueue", json!({"QueueName": "dead"}));
        }
        Step::Move => {
            let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
            call("StartMessageMoveTask", json!({ "SourceArn": arn }));
        }
        Step::Put(key) => {
            let input = json!({"StreamName": "s", "PartitionKey": key.to_string(), "Data": "eA=="});
            kinesis(cloud, "PutRecord", input);
        }
        Step::Advance(seconds) => cloud.clock().advance(u32::from(*seconds) * SECOND),
    }
}

#[test]
fn who_joins_while_much_happens_misses_and_repeats_nothing() {
    let cloud = start_patient();
    create_all(&cloud);
    let until = Instant::now() + SECOND;
    let work = |steps: Vec<Step>| {
        let mut received = Vec::new();
        while Instant::now() < until {
            for step in &steps {
                carry_out(&cloud, step, &mut received);
                if matches!(step, Step::Delete(_)) && !received.is_empty() {
                    received.remove(0);
                }
            }
        }
    };
    let send = |queue| Step::Send {
        queue,
        body: 1,
        delay: 0,
    };
    let receive = |queue| Step::Receive {
        queue,
        timeout: 1,
        repeated: queue == 0,
    };
    let change = Step::Change {
        handle: 0,
        timeout: 0,
    };
    let delete = || Step::Delete(0);
    let mut joined = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| work(vec![send(0), receive(0), change, delete(), delete()]));
        scope.spawn(|| work(vec![send(0), receive(0), delete(), delete(), delete()]));
        scope.spawn(|| work(vec![send(1), receive(1), delete(), Step::Put(1)]));
        scope.spawn(|| work(vec![Step::Put(2), Step::Advance(1), Step::Purge(2)]));
        while Instant::now() < until {
            joined.extend((joined.len() < 20).then(|| listen(&cloud)));
            thread::sleep(Duration::from_millis(20));
        }
    });
    let (last, state) = listen(&cloud);
    let told = Fold::of(&state).comparable();
    for (mut feed, state) in joined {
        let mut fold = Fold::of(&state);
        for event in feed.until_id(&last.last) {
            match event["kind"].as_str() {
                // It was too slow.
                Some("state") => fold = Fold::of(&event),
                _ => fold.take(&event),
            }
        }
        // A stream's state has a hundred records at the most.
        let last_records = |streams: BTreeMap<String, Value>| {
            let mut records = streams["s"]["records"].as_array().expect("records").clone();
            records.split_off(records.len().saturating_sub(20))
        };
        let followed = fold.comparable();
        assert_eq!(followed.queues, told.queues);
        assert_eq!(
            last_records(followed.streams),
            last_records(told.streams.clone())
        );
    }
}

#[test]
fn who_follows_the_events_knows_what_a_newcomer_is_told() {
    crate::support::unless_green(
        "who_follows_the_events_knows_what_a_newcomer_is_told",
        cases_of_who_follows_the_events_knows_what_a_newcomer_is_told,
    );
}

proptest! {
    #![proptest_config(cases(48))]

    fn cases_of_who_follows_the_events_knows_what_a_newcomer_is_told(steps in steps()) {
        let cloud = start_patient();
        let (mut feed, state) = listen(&cloud);
        let mut fold = Fold::of(&state);
        create_all(&cloud);
        let mut received = Vec::new();
        for (n, step) in steps.iter().enumerate() {
            carry_out(&cloud, step, &mut received);
            if n % 16 == 0 || n + 1 == steps.len() {
                let (newcomer, state) = listen(&cloud);
                for event in feed.until_id(&newcomer.last) {
                    fold.take(&event);
                }
                let (followed, told) = (fold.comparable(), Fold::of(&state).comparable());
                prop_assert_eq!(followed.queues, told.queues);
                prop_assert_eq!(followed.streams, told.streams);
            }
        }
    }
}
