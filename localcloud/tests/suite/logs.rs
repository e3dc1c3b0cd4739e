//! CloudWatch Logs: what is written is read again, in order, page by page, until its retention is over.

use crate::support::{logs, logs_error, logs_raw, start};
use localcloud::clock::Clock;
use localcloud::events::Events;
use localcloud::logs::Logs;
use localcloud::LocalCloud;
use proptest::prelude::*;
use serde_json::{json, Value};
use std::time::Duration;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A cloud with the group `g` and its stream `s`.
fn with_stream() -> LocalCloud {
    let cloud = start();
    logs(&cloud, "CreateLogGroup", json!({ "logGroupName": "g" }));
    create_stream(&cloud, "s");
    cloud
}

fn create_stream(cloud: &LocalCloud, stream: &str) {
    let input = json!({ "logGroupName": "g", "logStreamName": stream });
    logs(cloud, "CreateLogStream", input);
}

fn put(cloud: &LocalCloud, stream: &str, events: &[(u64, &str)]) -> Value {
    let events: Vec<_> = events
        .iter()
        .map(|(time, message)| json!({ "timestamp": time, "message": message }))
        .collect();
    let input = json!({ "logGroupName": "g", "logStreamName": stream, "logEvents": events });
    logs(cloud, "PutLogEvents", input)
}

fn get(cloud: &LocalCloud, more: Value) -> Value {
    let mut input = json!({ "logGroupName": "g", "logStreamName": "s" });
    add(&mut input, more);
    logs(cloud, "GetLogEvents", input)
}

fn filter(cloud: &LocalCloud, more: Value) -> Value {
    let mut input = json!({ "logGroupName": "g" });
    add(&mut input, more);
    logs(cloud, "FilterLogEvents", input)
}

fn add(input: &mut Value, more: Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
}

fn messages(output: &Value) -> Vec<String> {
    let events = output["events"].as_array().expect("events");
    let message = |event: &Value| event["message"].as_str().expect("text").to_owned();
    events.iter().map(message).collect()
}

#[test]
fn groups_and_streams_come_and_go() {
    let cloud = start();
    let group = json!({ "logGroupName": "/aws/lambda/f" });
    let body = group.to_string();
    let answer = logs_raw(&cloud, "CreateLogGroup", body.as_bytes());
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(
        logs_error(&cloud, "CreateLogGroup", group.clone()),
        (
            "ResourceAlreadyExistsException".into(),
            "The specified log group already exists".into()
        )
    );
    let input = json!({ "logGroupName": "/aws/lambda/f", "retentionInDays": 7 });
    logs(&cloud, "PutRetentionPolicy", input);
    let listed = logs(
        &cloud,
        "DescribeLogGroups",
        json!({ "logGroupNamePrefix": "/aws" }),
    );
    let shown = &listed["logGroups"][0];
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f";
    assert_eq!(shown["logGroupArn"], arn);
    assert_eq!(shown["arn"], format!("{arn}:*"));
    assert_eq!(shown["retentionInDays"], 7);
    logs(&cloud, "DeleteRetentionPolicy", group.clone());
    let listed = logs(
        &cloud,
        "DescribeLogGroups",
        json!({ "logGroupNamePattern": "lambda" }),
    );
    assert_eq!(listed["logGroups"][0]["retentionInDays"], Value::Null);
    let other = json!({ "logGroupNamePrefix": "lambda" });
    assert_eq!(
        logs(&cloud, "DescribeLogGroups", other)["logGroups"],
        json!([])
    );

    let stream =
        json!({ "logGroupName": "/aws/lambda/f", "logStreamName": "2026/11/23/[$LATEST]0123" });
    logs(&cloud, "CreateLogStream", stream.clone());
    let (code, _) = logs_error(&cloud, "CreateLogStream", stream.clone());
    assert_eq!(code, "ResourceAlreadyExistsException");
    let by_arn = json!({ "logGroupIdentifier": arn });
    let listed = logs(&cloud, "DescribeLogStreams", by_arn);
    let shown = &listed["logStreams"][0];
    assert_eq!(
        shown["arn"],
        format!("{arn}:log-stream:2026/11/23/[$LATEST]0123")
    );
    assert_eq!(shown["lastEventTimestamp"], Value::Null);
    logs(&cloud, "DeleteLogStream", stream.clone());
    let gone = logs_error(&cloud, "DeleteLogStream", stream);
    assert_eq!(gone.1, "The specified log stream does not exist.");
    logs(&cloud, "DeleteLogGroup", group.clone());
    assert_eq!(
        logs_error(&cloud, "DeleteLogGroup", group),
        (
            "ResourceNotFoundException".into(),
            "The specified log group does not exist.".into()
        )
    );
}

#[test]
fn a_stream_is_read_forwards_and_backwards_by_its_tokens() {
    let cloud = with_stream();
    let now = cloud.clock().now();
    let all = ["0", "1", "2", "3", "4"];
    let events: Vec<_> = (now..).zip(all).collect();
    put(&cloud, "s", &events);
    assert_eq!(messages(&get(&cloud, json!({}))), all);
    let newest = get(&cloud, json!({ "limit": 2 }));
    assert_eq!(messages(&newest), ["3", "4"]);
    let older = json!({ "limit": 2, "nextToken": newest["nextBackwardToken"] });
    assert_eq!(messages(&get(&cloud, older)), ["1", "2"]);

    let mut page = get(&cloud, json!({ "limit": 2, "startFromHead": true }));
    let mut read = messages(&page);
    for _ in 0..2 {
        page = get(
            &cloud,
            json!({ "limit": 2, "nextToken": page["nextForwardToken"] }),
        );
        read.extend(messages(&page));
    }
    assert_eq!(read, all);
    let end = &page["nextForwardToken"];
    let after = get(&cloud, json!({ "nextToken": end }));
    assert_eq!(
        (messages(&after), &after["nextForwardToken"]),
        (vec![], end)
    );
    let back = get(&cloud, json!({ "nextToken": after["nextBackwardToken"] }));
    assert_eq!(messages(&back), all);
    let start = get(&cloud, json!({ "nextToken": back["nextBackwardToken"] }));
    assert_eq!(
        (messages(&start), &start["nextBackwardToken"]),
        (vec![], &back["nextBackwardToken"])
    );
    put(&cloud, "s", &[(now + 4, "5")]);
    assert_eq!(messages(&get(&cloud, json!({ "nextToken": end }))), ["5"]);

    let between = get(&cloud, json!({ "startTime": now + 1, "endTime": now + 3 }));
    assert_eq!(messages(&between), ["1", "2"]);
    let none = get(&cloud, json!({ "startTime": now + 3, "endTime": now + 1 }));
    assert_eq!(messages(&none), [""; 0]);
    for wrong in [
        "",
        "f/1/s",
        "x/00000000000000000000000000000000000000000000000000000000/s",
        "é",
    ] {
        let input = json!({ "logGroupName": "g", "logStreamName": "s", "nextToken": wrong });
        let (code, message) = logs_error(&cloud, "GetLogEvents", input);
        assert_eq!(code, "InvalidParameterException");
        assert_eq!(message, "The specified nextToken is invalid.");
    }
}

#[test]
fn a_tail_sees_each_event_of_all_streams_once() {
    let cloud = with_stream();
    create_stream(&cloud, "t");
    let now = cloud.clock().now();
    put(&cloud, "s", &[(now, "START 1"), (now + 2, "END 1")]);
    put(&cloud, "t", &[(now + 1, "START 2"), (now + 2, "END 2")]);
    let first = filter(&cloud, json!({ "limit": 3, "startTime": now }));
    assert_eq!(messages(&first), ["START 1", "START 2", "END 1"]);
    let rest = filter(
        &cloud,
        json!({ "limit": 3, "nextToken": first["nextToken"] }),
    );
    assert_eq!(messages(&rest), ["END 2"]);
    assert_eq!(rest["nextToken"], Value::Null);
    let event = &rest["events"][0];
    assert_eq!(event["logStreamName"], "t");
    assert_eq!(event["eventId"].as_str().map(str::len), Some(56));

    for (more, expected) in [
        (
            json!({ "filterPattern": "START" }),
            vec!["START 1", "START 2"],
        ),
        (json!({ "filterPattern": "START -2" }), vec!["START 1"]),
        (
            json!({ "filterPattern": "?END ?\"T 2\"" }),
            vec!["START 2", "END 1", "END 2"],
        ),
        (json!({ "logStreamNames": ["s"] }), vec!["START 1", "END 1"]),
        (
            json!({ "logStreamNamePrefix": "t" }),
            vec!["START 2", "END 2"],
        ),
        (
            json!({ "startTime": now + 1, "endTime": now + 1 }),
            vec!["START 2"],
        ),
        (json!({ "startTime": now + 3 }), vec![]),
    ] {
        assert_eq!(messages(&filter(&cloud, more.clone())), expected, "{more}");
    }
}

#[test]
fn one_answer_holds_a_megabyte() {
    let cloud = with_stream();
    let now = cloud.clock().now();
    let large = "x".repeat(400_000);
    for time in 0..5 {
        put(&cloud, "s", &[(now + time, &large)]);
    }
    assert_eq!(messages(&get(&cloud, json!({}))).len(), 2);
    let mut seen = 0;
    let mut token = Value::Null;
    for _ in 0..5 {
        let page = filter(&cloud, json!({ "nextToken": token }));
        seen += messages(&page).len();
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen, 5);
}

#[test]
fn streams_are_listed_by_name_or_by_their_last_event() {
    let cloud = with_stream();
    let now = cloud.clock().now();
    for (stream, time) in [("a", now + 3), ("b", now + 1), ("c", now + 2)] {
        create_stream(&cloud, stream);
        put(&cloud, stream, &[(time, "x")]);
    }
    let names = |more: Value| {
        let mut names = Vec::new();
        let mut input = json!({ "logGroupName": "g", "limit": 2 });
        add(&mut input, more);
        for _ in 0..5 {
            let page = logs(&cloud, "DescribeLogStreams", input.clone());
            let streams = page["logStreams"].as_array().expect("streams");
            assert!(streams.len() <= 2);
            names.extend(
                streams
                    .iter()
                    .map(|it| it["logStreamName"].as_str().expect("a name").to_owned()),
            );
            match &page["nextToken"] {
                Value::Null => return names.concat(),
                token => input["nextToken"] = token.clone(),
            }
        }
        panic!("the pages don't end");
    };
    assert_eq!(names(json!({})), "abcs");
    assert_eq!(names(json!({ "descending": true })), "scba");
    assert_eq!(names(json!({ "orderBy": "LastEventTime" })), "sbca");
    assert_eq!(
        names(json!({ "orderBy": "LastEventTime", "descending": true })),
        "acbs"
    );
    assert_eq!(names(json!({ "logStreamNamePrefix": "c" })), "c");
}

#[test]
fn a_batch_has_rules() {
    let cloud = with_stream();
    let now = cloud.clock().now();
    let batch =
        |events: Value| json!({ "logGroupName": "g", "logStreamName": "s", "logEvents": events });
    let event = |time: u64| json!({ "timestamp": time, "message": "x" });
    let large = json!({ "timestamp": now, "message": "x".repeat(1_048_576 - 25) });
    for (events, message) in [
        (json!([]), "1 validation error detected"),
        (json!([{ "timestamp": now, "message": "" }]), "1 validation error detected"),
        (json!([event(now), event(now - 1)]), "Log events in a single PutLogEvents request must be in chronological order."),
        (json!([event(now - DAY_MS - 1), event(now)]), "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."),
        (json!([large]), "Upload too large: 1048577 bytes exceeds limit of 1048576"),
    ] {
        let (code, answer) = logs_error(&cloud, "PutLogEvents", batch(events));
        assert_eq!(code, "InvalidParameterException");
        assert!(answer.starts_with(message), "{answer}");
    }
    let missing = json!({ "logGroupName": "g", "logStreamName": "t", "logEvents": [event(now)] });
    assert_eq!(
        logs_error(&cloud, "PutLogEvents", missing).0,
        "ResourceNotFoundException"
    );

    let hour = 60 * 60 * 1000;
    let (minutes, early, late) = (60_000, now - 14 * DAY_MS, now + 2 * hour);
    let output = put(
        &cloud,
        "s",
        &[(early - minutes, "old"), (early + minutes, "kept")],
    );
    assert_eq!(
        output["rejectedLogEventsInfo"],
        json!({ "tooOldLogEventEndIndex": 1 })
    );
    let output = put(
        &cloud,
        "s",
        &[(late - minutes, "kept"), (late + minutes, "new")],
    );
    assert_eq!(
        output["rejectedLogEventsInfo"],
        json!({ "tooNewLogEventStartIndex": 1 })
    );
    assert_eq!(messages(&get(&cloud, json!({}))), ["kept", "kept"]);
    let days = |days: u64| json!({ "logGroupName": "g", "retentionInDays": days });
    logs(&cloud, "PutRetentionPolicy", days(1));
    let output = put(
        &cloud,
        "s",
        &[
            (now - DAY_MS - minutes, "old"),
            (now - DAY_MS + minutes, "k"),
        ],
    );
    assert_eq!(
        output["rejectedLogEventsInfo"],
        json!({ "expiredLogEventEndIndex": 1 })
    );
    let (code, message) = logs_error(&cloud, "PutRetentionPolicy", days(2));
    assert_eq!(code, "InvalidParameterException");
    assert!(message.contains("1, 3, 5, 7, 14"), "{message}");
}

#[test]
fn events_go_when_their_retention_is_over() {
    let cloud = with_stream();
    let now = cloud.clock().now();
    put(
        &cloud,
        "s",
        &[(now, "first"), (now + 60 * 60 * 1000, "second")],
    );
    let input = json!({ "logGroupName": "g", "retentionInDays": 1 });
    logs(&cloud, "PutRetentionPolicy", input);
    assert_eq!(messages(&get(&cloud, json!({}))), ["first", "second"]);
    cloud
        .clock()
        .advance(Duration::from_millis(DAY_MS + 60_000));
    assert_eq!(messages(&get(&cloud, json!({}))), ["second"]);
    cloud.clock().advance(Duration::from_millis(DAY_MS));
    assert_eq!(messages(&filter(&cloud, json!({}))), [""; 0]);
    let listed = logs(&cloud, "DescribeLogGroups", json!({}));
    assert_eq!(listed["logGroups"][0]["storedBytes"], 0);
}

#[test]
fn a_search_for_groups_by_a_pattern_tells_less() {
    let cloud = with_stream();
    let described = |input: Value| logs(&cloud, "DescribeLogGroups", input)["logGroups"][0].clone();
    let mut group = described(json!({ "logGroupNamePrefix": "g" }));
    assert_eq!(group["deletionProtectionEnabled"], false);
    assert_eq!(group["storedBytes"], 0);
    let fields = group.as_object_mut().expect("a group");
    fields.remove("deletionProtectionEnabled");
    fields.remove("storedBytes");
    assert_eq!(described(json!({ "logGroupNamePattern": "g" })), group);
}

#[test]
fn what_is_wrong_is_answered_in_words() {
    let cloud = with_stream();
    let group = |name: &str| json!({ "logGroupName": name });
    for (operation, input, code, message) in [
        ("CreateLogGroup", group("a b"), "InvalidParameterException", "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern"),
        ("CreateLogGroup", group(&"x".repeat(513)), "InvalidParameterException", "Invalid LogGroup or LogStream, both must have length less than or equal to 512."),
        ("CreateLogStream", json!({ "logGroupName": "g", "logStreamName": "x".repeat(513) }), "InvalidParameterException", "Invalid LogGroup or LogStream, both must have length less than or equal to 512."),
        ("DescribeLogStreams", json!({ "logGroupName": "g", "logGroupIdentifier": "g" }), "ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters."),
        ("GetLogEvents", json!({ "logGroupName": "g", "logStreamName": "s", "limit": 10_001 }), "InvalidParameterException", "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"),
        ("DescribeLogGroups", json!({ "logGroupNamePrefix": "g", "logGroupNamePattern": "g" }), "InvalidParameterException", "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."),
        ("CreateLogGroup", group(""), "InvalidParameterException", "1 validation error detected"),
        ("CreateLogGroup", json!({}), "SerializationException", ""),
        ("CreateLogGroup", json!({ "logGroupName": "h", "tags": { "a": "b" } }), "InvalidParameterException", "tags is not in this lab."),
        ("CreateLogStream", json!({ "logGroupName": "g", "logStreamName": "a:b" }), "InvalidParameterException", "1 validation error detected"),
        ("DescribeLogStreams", group("h"), "ResourceNotFoundException", "The specified log group does not exist."),
        ("DescribeLogStreams", json!({ "logGroupName": "g", "orderBy": "Colour" }), "InvalidParameterException", "1 validation error detected: Value 'Colour' at 'orderBy'"),
        ("DescribeLogStreams", json!({ "logGroupName": "g", "limit": 51 }), "InvalidParameterException", "1 validation error detected: Value '51' at 'limit'"),
        ("DescribeLogStreams", json!({ "logGroupName": "g", "orderBy": "LastEventTime", "logStreamNamePrefix": "s" }), "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix."),
        ("DescribeLogGroups", json!({ "nextToken": "?" }), "InvalidParameterException", "The specified nextToken is invalid."),
        ("GetLogEvents", json!({ "logGroupName": "g", "logStreamName": "t" }), "ResourceNotFoundException", "The specified log stream does not exist."),
        ("FilterLogEvents", group("h"), "ResourceNotFoundException", "The specified log group does not exist."),
        ("FilterLogEvents", json!({ "logGroupName": "g", "logStreamNames": ["t"] }), "ResourceNotFoundException", "The specified log stream does not exist."),
        ("FilterLogEvents", json!({ "logGroupName": "g", "filterPattern": "{ $.a = 1 }" }), "InvalidParameterException", "Patterns for JSON"),
        ("FilterLogEvents", json!({ "logGroupName": "g", "logStreamNames": ["s"], "logStreamNamePrefix": "s" }), "InvalidParameterException", "logStreamNamePrefix and logStreamNames are mutually exclusive parameters."),
        ("StartQuery", json!({}), "UnknownOperationException", "logs StartQuery is not in this lab."),
    ] {
        let (answered, words) = logs_error(&cloud, operation, input.clone());
        assert_eq!(answered, code, "{operation} {input}");
        assert!(words.starts_with(message), "{operation} {input}\n{words}");
    }
}

#[test]
fn every_operation_of_the_list_is_there() {
    let cloud = start();
    for operation in localcloud::logs::OPERATIONS {
        let answer = logs_raw(&cloud, operation, b"{}");
        assert!(
            !answer.body.contains("UnknownOperation"),
            "{operation}: {answer:?}"
        );
    }
}

#[test]
fn a_service_writes_without_asking() {
    let clock = Clock::new();
    let logs = Logs::new(clock.clone(), Events::new(clock.clone()));
    let now = clock.now();
    logs.write("/aws/lambda/f", "s", [(now, "one".to_owned())]);
    logs.write("/aws/lambda/f", "s", [(now, "two".to_owned())]);
    assert_eq!(
        logs.status(),
        json!([{ "name": "/aws/lambda/f", "streams": 1, "events": 2 }])
    );
}

/// Each event takes 1 MiB and 26 bytes, so 255 of them fit.
#[test]
fn beyond_the_bound_the_fullest_stream_loses_its_oldest_events() {
    let clock = Clock::new();
    let logs = Logs::new(clock.clone(), Events::new(clock.clone()));
    logs.write("g", "small", [(clock.now(), "kept".to_owned())]);
    for n in 0..256 {
        logs.write("g", "large", [(clock.now() + n, "x".repeat(1024 * 1024))]);
    }
    let input = json!({ "logGroupName": "g", "logStreamNames": ["small"] });
    let kept = logs.call("FilterLogEvents", input.to_string().as_bytes());
    assert_eq!(messages(&kept.expect("an answer")), ["kept"]);
    assert_eq!(logs.status()[0]["events"], 1 + 128);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Pages of any size, forwards or backwards, show each event once and in order.
    #[test]
    fn pages_lose_nothing(times in prop::collection::vec(0..20u64, 1..30), limit in 1..7u64) {
        let clock = Clock::new();
        let logs = Logs::new(clock.clone(), Events::new(clock.clone()));
        let now = clock.now();
        for (n, time) in times.iter().enumerate() {
            logs.write("g", if n % 3 == 0 { "t" } else { "s" }, [(now + time, format!("{n}"))]);
        }
        let ask = |operation: &str, input: &Value| {
            logs.call(operation, input.to_string().as_bytes()).expect("an answer")
        };
        let order = |all: &[usize]| {
            let mut all = all.to_vec();
            all.sort_by_key(|n| (times[*n], *n));
            all.iter().map(usize::to_string).collect::<Vec<_>>()
        };
        let everything: Vec<_> = (0..times.len()).collect();
        let in_s: Vec<_> = everything.iter().copied().filter(|n| n % 3 != 0).collect();

        let mut filtered = Vec::new();
        let mut input = json!({ "logGroupName": "g", "limit": limit });
        for _ in 0..=times.len() {
            let page = ask("FilterLogEvents", &input);
            filtered.extend(messages(&page));
            match &page["nextToken"] {
                Value::Null => break,
                token => input["nextToken"] = token.clone(),
            }
        }
        prop_assert_eq!(filtered, order(&everything));

        if in_s.is_empty() {
            return Ok(());
        }
        for from_head in [true, false] {
            let mut read = Vec::new();
            let mut input = json!({ "logGroupName": "g", "logStreamName": "s", "limit": limit, "startFromHead": from_head });
            for _ in 0..=in_s.len() {
                let page = ask("GetLogEvents", &input);
                let found = messages(&page);
                let token = if from_head { "nextForwardToken" } else { "nextBackwardToken" };
                if found.is_empty() {
                    prop_assert_eq!(&page[token], &input["nextToken"]);
                    break;
                }
                read = if from_head { [read, found].concat() } else { [found, read].concat() };
                input["nextToken"] = page[token].clone();
            }
            prop_assert_eq!(read, order(&in_s));
        }
    }
}
