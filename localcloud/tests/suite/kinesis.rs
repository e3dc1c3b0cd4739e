//! Kinesis over HTTP: every operation, the limits of a shard, iterators and their end, and fan-out.

use crate::support::{
    active, create_stream, exchange, kinesis, kinesis_error, kinesis_raw, request, start_patient,
    start_stopped, status, Answer,
};
use base64::prelude::{Engine, BASE64_STANDARD};
use localcloud::faults::{Fault, Kind};
use localcloud::LocalCloud;
use proptest::prelude::*;
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
/// How long a consumer is made or deleted.
const CONSUMER_CHANGES: Duration = Duration::from_millis(500);
const THROTTLED: &str = "ProvisionedThroughputExceededException";

fn put(cloud: &LocalCloud, key: &str, data: &str) -> Value {
    let data = BASE64_STANDARD.encode(data);
    kinesis(
        cloud,
        "PutRecord",
        json!({"StreamName": "s", "PartitionKey": key, "Data": data}),
    )
}

fn iterator_with(cloud: &LocalCloud, shard: &str, kind: &str, more: Value) -> String {
    let mut input = json!({"StreamName": "s", "ShardId": shard, "ShardIteratorType": kind});
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    let answer = kinesis(cloud, "GetShardIterator", input);
    answer["ShardIterator"]
        .as_str()
        .expect("an iterator")
        .to_owned()
}

fn iterator(cloud: &LocalCloud, shard: &str, kind: &str) -> String {
    iterator_with(cloud, shard, kind, json!({}))
}

fn get(cloud: &LocalCloud, iterator: &str) -> Value {
    kinesis(cloud, "GetRecords", json!({ "ShardIterator": iterator }))
}

fn data(answer: &Value) -> Vec<String> {
    let records = answer["Records"].as_array().expect("records");
    records
        .iter()
        .map(|record| {
            let bytes = BASE64_STANDARD.decode(record["Data"].as_str().expect("data"));
            String::from_utf8(bytes.expect("base64")).expect("text")
        })
        .collect()
}

fn shards(cloud: &LocalCloud, filter: Value) -> Vec<Value> {
    let listed = kinesis(
        cloud,
        "ListShards",
        json!({"StreamName": "s", "ShardFilter": filter}),
    );
    listed["Shards"].as_array().expect("shards").clone()
}

fn id(n: usize) -> String {
    format!("shardId-{n:012}")
}

/// A second of the shard is over.
fn pause(cloud: &LocalCloud) {
    cloud.clock().advance(Duration::from_secs(1));
}

/// Moves the clock to where a deletion is done; gives the type and the message of the error that is the answer then.
fn gone(cloud: &LocalCloud, operation: &str, input: Value) -> (String, String) {
    cloud.clock().advance(CONSUMER_CHANGES);
    kinesis_error(cloud, operation, input)
}

/// An operation with so many bytes of data in the place of each `DATA`: serde writes them slowly in a test's build.
/// Gives the answer, or the error's type.
fn ask_with_data(
    cloud: &LocalCloud,
    operation: &str,
    input: Value,
    bytes: usize,
) -> Result<Value, String> {
    let rest = ["", "eA==", "eHg="][bytes % 3];
    let data = "eHh4".repeat(bytes / 3) + rest;
    let input = input.to_string().replace("DATA", &data);
    let answer = kinesis_raw(cloud, operation, input.as_bytes());
    match answer.status {
        200 => Ok(answer.json()),
        _ => Err(text(&answer.json()["__type"]).to_owned()),
    }
}

/// A record of so many bytes.
fn put_bytes(cloud: &LocalCloud, stream: &str, bytes: usize) -> Result<Value, String> {
    let input = json!({"StreamName": stream, "PartitionKey": "k", "Data": "DATA"});
    ask_with_data(cloud, "PutRecord", input, bytes)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

#[test]
fn a_stream_is_created_described_listed_and_deleted() {
    let cloud = start_stopped();
    let create = json!({"StreamName": "s", "ShardCount": 2, "Tags": {"team": "a"}});
    let answer = kinesis_raw(&cloud, "CreateStream", create.to_string().as_bytes());
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-amz-json-1.1")
    );
    assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36));
    let (code, _) = kinesis_error(&cloud, "CreateStream", create);
    assert_eq!(code, "ResourceInUseException");
    let creating = kinesis(&cloud, "DescribeStream", json!({"StreamName": "s"}));
    assert_eq!(creating["StreamDescription"]["StreamStatus"], "CREATING");
    active(&cloud, "s");

    let by_arn = kinesis(&cloud, "DescribeStream", json!({ "StreamARN": ARN }));
    let stream = &by_arn["StreamDescription"];
    assert_eq!(stream["StreamARN"], ARN);
    assert_eq!(stream["RetentionPeriodHours"], 24);
    assert_eq!(stream["Shards"][1]["ShardId"], "shardId-000000000001");
    assert_eq!(
        stream["Shards"][1]["HashKeyRange"],
        json!({"StartingHashKey": "170141183460469231731687303715884105728", "EndingHashKey": "340282366920938463463374607431768211455"})
    );
    let page = kinesis(
        &cloud,
        "DescribeStream",
        json!({"StreamName": "s", "Limit": 1}),
    );
    assert_eq!(page["StreamDescription"]["HasMoreShards"], true);
    let rest = json!({"StreamName": "s", "Limit": 1, "ExclusiveStartShardId": id(0)});
    let page = kinesis(&cloud, "DescribeStream", rest);
    assert_eq!(page["StreamDescription"]["HasMoreShards"], false);
    assert_eq!(page["StreamDescription"]["Shards"][0]["ShardId"], id(1));

    let tags = kinesis(&cloud, "ListTagsForStream", json!({"StreamName": "s"}));
    assert_eq!(tags["Tags"], json!([{"Key": "team", "Value": "a"}]));
    let limits = kinesis(&cloud, "DescribeLimits", json!({}));
    assert_eq!(limits["OpenShardCount"], 2);

    kinesis(&cloud, "DeleteStream", json!({"StreamName": "s"}));
    let summary = json!({"StreamName": "s"});
    let deleting = kinesis(&cloud, "DescribeStreamSummary", summary.clone());
    assert_eq!(
        deleting["StreamDescriptionSummary"]["StreamStatus"],
        "DELETING"
    );
    let (code, message) = gone(&cloud, "DescribeStreamSummary", summary);
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(message, "Stream s under account 000000000000 not found.");
}

#[test]
fn streams_and_shards_are_listed_in_pages() {
    let cloud = start_stopped();
    for name in ["c", "a", "b"] {
        kinesis(
            &cloud,
            "CreateStream",
            json!({"StreamName": name, "ShardCount": 3}),
        );
    }
    let first = kinesis(&cloud, "ListStreams", json!({"Limit": 2}));
    assert_eq!(
        (&first["StreamNames"], &first["HasMoreStreams"]),
        (&json!(["a", "b"]), &json!(true))
    );
    let rest = kinesis(
        &cloud,
        "ListStreams",
        json!({"NextToken": first["NextToken"]}),
    );
    assert_eq!(
        (&rest["StreamNames"], &rest["HasMoreStreams"]),
        (&json!(["c"]), &json!(false))
    );
    assert_eq!(
        rest["StreamSummaries"][0]["StreamModeDetails"]["StreamMode"],
        "PROVISIONED"
    );
    let after = kinesis(
        &cloud,
        "ListStreams",
        json!({"ExclusiveStartStreamName": "b"}),
    );
    assert_eq!(after["StreamNames"], json!(["c"]));

    active(&cloud, "c");
    let first = kinesis(
        &cloud,
        "ListShards",
        json!({"StreamName": "c", "MaxResults": 2}),
    );
    assert_eq!(first["Shards"].as_array().map(Vec::len), Some(2));
    let rest = kinesis(
        &cloud,
        "ListShards",
        json!({"NextToken": first["NextToken"], "MaxResults": 2}),
    );
    assert_eq!(rest["Shards"][0]["ShardId"], id(2));
    assert_eq!(rest["NextToken"], Value::Null);
    for input in [
        json!({}),
        json!({"NextToken": "x"}),
        json!({"StreamName": "c", "NextToken": "x"}),
    ] {
        assert_eq!(
            kinesis_error(&cloud, "ListShards", input).0,
            "InvalidArgumentException"
        );
    }
    let status = exchange(&cloud, &request("GET", "/lab/status", &[], b"")).expect("an answer");
    assert_eq!(
        status.json()["streams"][2],
        json!({"name": "c", "shards": 3, "status": "ACTIVE"})
    );
}

#[test]
fn a_token_names_its_stream_for_five_minutes() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 3);
    let page = json!({"StreamName": "s", "MaxResults": 1});
    let first = kinesis(&cloud, "ListShards", page);
    let token = &first["NextToken"];
    let list = |more: Value| {
        let mut input = json!({ "NextToken": token });
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        kinesis_raw(&cloud, "ListShards", input.to_string().as_bytes()).json()
    };
    for more in [
        json!({"StreamName": "s"}),
        json!({"StreamARN": ARN}),
        json!({"ExclusiveStartShardId": id(0)}),
    ] {
        assert_eq!(list(more)["__type"], "InvalidArgumentException");
    }
    cloud.clock().advance(Duration::from_secs(299));
    assert_eq!(list(json!({}))["Shards"][1]["ShardId"], id(2));
    cloud.clock().advance(Duration::from_secs(2));
    assert_eq!(list(json!({}))["__type"], "ExpiredNextTokenException");
}

#[test]
fn a_record_goes_to_the_shard_of_its_key_and_comes_back_as_it_was() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 2);
    // MD5("alice") begins with 6, MD5("bob") with 9: the lower and the upper half.
    let alice = put(&cloud, "alice", "one");
    assert_eq!(alice["ShardId"], id(0));
    assert_eq!(put(&cloud, "bob", "two")["ShardId"], id(1));
    let explicit = json!({"StreamARN": ARN, "PartitionKey": "alice", "Data": "eA==", "ExplicitHashKey": u128::MAX.to_string()});
    assert_eq!(kinesis(&cloud, "PutRecord", explicit)["ShardId"], id(1));
    let later = put(&cloud, "alice", "three");
    assert!(text(&later["SequenceNumber"]) > text(&alice["SequenceNumber"]));

    let before = cloud.clock().now() as f64 / 1000.0;
    let answer = get(&cloud, &iterator(&cloud, &id(0), "TRIM_HORIZON"));
    assert_eq!(data(&answer), ["one", "three"]);
    let record = &answer["Records"][0];
    assert_eq!(record["PartitionKey"], "alice");
    assert_eq!(record["SequenceNumber"], alice["SequenceNumber"]);
    let arrived = record["ApproximateArrivalTimestamp"]
        .as_f64()
        .expect("a time");
    assert!(
        (0.0..60.0).contains(&(before - arrived)),
        "{arrived} of {before}"
    );
    assert_eq!(answer["MillisBehindLatest"], 0);

    for (wrong, code) in [
        (
            json!({"StreamName": "s", "PartitionKey": "", "Data": "eA=="}),
            "ValidationException",
        ),
        (
            json!({"StreamName": "s", "PartitionKey": "k"}),
            "ValidationException",
        ),
        (
            json!({"StreamName": "s", "PartitionKey": "k", "Data": "x"}),
            "SerializationException",
        ),
        (
            json!({"StreamName": "none", "PartitionKey": "k", "Data": "eA=="}),
            "ResourceNotFoundException",
        ),
        (
            json!({"StreamName": "s", "PartitionKey": "k", "Data": "eA==", "ExplicitHashKey": "340282366920938463463374607431768211456"}),
            "InvalidArgumentException",
        ),
        (
            json!({"StreamName": "s", "PartitionKey": "k", "Data": "eA==", "ExplicitHashKey": "00"}),
            "ValidationException",
        ),
        (
            json!({"StreamName": "s", "PartitionKey": "k", "Data": "eA==", "ExplicitHashKey": "+1"}),
            "ValidationException",
        ),
        (
            json!({"StreamName": "s", "Records": [{"PartitionKey": "k", "Data": "eA==", "ExplicitHashKey": "01"}]}),
            "ValidationException",
        ),
        (
            json!({"StreamName": "s", "PartitionKey": "k", "Data": "eA==", "SequenceNumberForOrdering": "1".repeat(60)}),
            "InvalidArgumentException",
        ),
    ] {
        let operation = match wrong["Records"].is_null() {
            true => "PutRecord",
            false => "PutRecords",
        };
        let answered = kinesis_error(&cloud, operation, wrong.clone()).0;
        assert_eq!(answered, code, "{wrong}");
    }
}

#[test]
fn the_five_iterators_begin_where_they_say() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    let start_of_all = cloud.clock().now();
    let numbers: Vec<_> = (0..4)
        .map(|n| {
            cloud.clock().advance(Duration::from_millis(500));
            put(&cloud, "k", &n.to_string())["SequenceNumber"].clone()
        })
        .collect();
    let from = |kind: &str, more: Value| iterator_with(&cloud, &id(0), kind, more);
    let at = |millis: u64| json!({"Timestamp": millis as f64 / 1000.0});
    cloud.clock().advance(Duration::from_millis(500));
    let all = get(&cloud, &from("TRIM_HORIZON", json!({})));
    let third = all["Records"][2]["ApproximateArrivalTimestamp"].clone();
    let latest = from("LATEST", json!({}));
    let now = from("AT_TIMESTAMP", at(cloud.clock().now()));
    put(&cloud, "k", "4");
    for (iterator, expected) in [
        (
            from("TRIM_HORIZON", json!({})),
            &["0", "1", "2", "3", "4"][..],
        ),
        (
            from(
                "AT_SEQUENCE_NUMBER",
                json!({"StartingSequenceNumber": numbers[1]}),
            ),
            &["1", "2", "3", "4"],
        ),
        (
            from(
                "AFTER_SEQUENCE_NUMBER",
                json!({"StartingSequenceNumber": numbers[1]}),
            ),
            &["2", "3", "4"],
        ),
        (
            from("AT_TIMESTAMP", json!({ "Timestamp": third })),
            &["2", "3", "4"],
        ),
        // As a float comes out of some clients.
        (
            from(
                "AT_TIMESTAMP",
                json!({ "Timestamp": third.as_f64().expect("a time") + 3e-7 }),
            ),
            &["2", "3", "4"],
        ),
        (
            from("AT_TIMESTAMP", at(start_of_all)),
            &["0", "1", "2", "3", "4"],
        ),
        (latest, &["4"]),
        (now, &["4"]),
    ] {
        pause(&cloud);
        assert_eq!(data(&get(&cloud, &iterator)), expected);
    }
    let wrong = |kind: &str, more: Value| {
        let mut input = json!({"StreamName": "s", "ShardId": id(0), "ShardIteratorType": kind});
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        kinesis_error(&cloud, "GetShardIterator", input).0
    };
    let future = at(cloud.clock().now() + 60_000);
    assert_eq!(wrong("AT_TIMESTAMP", future), "InvalidArgumentException");
    assert_eq!(wrong("AT_TIMESTAMP", json!({})), "InvalidArgumentException");
    assert_eq!(
        wrong("AT_SEQUENCE_NUMBER", json!({})),
        "InvalidArgumentException"
    );
    assert_eq!(
        wrong("LATEST", json!({"StartingSequenceNumber": numbers[0]})),
        "InvalidArgumentException"
    );
    assert_eq!(wrong("SOMEWHERE", json!({})), "ValidationException");
    let none = json!({"StreamName": "s", "ShardId": id(7), "ShardIteratorType": "LATEST"});
    assert_eq!(
        kinesis_error(&cloud, "GetShardIterator", none).0,
        "ResourceNotFoundException"
    );
}

#[test]
fn iterators_lead_on_without_a_gap_and_say_how_far_behind_they_are() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    let mut next = iterator(&cloud, &id(0), "LATEST");
    let mut seen = Vec::new();
    for round in 0..5 {
        pause(&cloud);
        let empty = get(&cloud, &next);
        assert_eq!(data(&empty), Vec::<String>::new());
        next = text(&empty["NextShardIterator"]).to_owned();
        for n in 0..3 {
            put(&cloud, "k", &format!("{round}.{n}"));
        }
        cloud.clock().advance(Duration::from_secs(2));
        let two = kinesis(
            &cloud,
            "GetRecords",
            json!({"ShardIterator": next, "Limit": 2}),
        );
        assert_eq!(data(&two).len(), 2);
        let behind = two["MillisBehindLatest"].as_u64().expect("a number");
        assert!((2000..30_000).contains(&behind), "{behind}");
        let one = get(&cloud, text(&two["NextShardIterator"]));
        assert_eq!(one["MillisBehindLatest"], 0);
        seen.extend(data(&two).into_iter().chain(data(&one)));
        next = text(&one["NextShardIterator"]).to_owned();
    }
    let all: Vec<_> = (0..5)
        .flat_map(|round| (0..3).map(move |n| format!("{round}.{n}")))
        .collect();
    assert_eq!(seen, all);
}

#[test]
fn an_iterator_expires_after_five_minutes_of_the_labs_clock() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    put(&cloud, "k", "x");
    let old = iterator(&cloud, &id(0), "TRIM_HORIZON");
    cloud.clock().advance(Duration::from_secs(290));
    let answer = get(&cloud, &old);
    assert_eq!(data(&answer), ["x"]);
    cloud.clock().advance(Duration::from_secs(11));
    let (code, message) = kinesis_error(&cloud, "GetRecords", json!({ "ShardIterator": old }));
    assert_eq!(code, "ExpiredIteratorException");
    assert!(
        message.contains("tolerated delay of 300000 milliseconds"),
        "{message}"
    );
    assert!(message.contains(" UTC 20"), "{message}");
    get(&cloud, text(&answer["NextShardIterator"]));
    // Some shells leave the quotes of the JSON on.
    let quoted = format!("\"{}\"", iterator(&cloud, &id(0), "TRIM_HORIZON"));
    assert_eq!(data(&get(&cloud, &quoted)), ["x"]);
    for wrong in ["", "x", "AAAA"] {
        let (code, _) = kinesis_error(&cloud, "GetRecords", json!({ "ShardIterator": wrong }));
        assert!(
            matches!(
                code.as_str(),
                "InvalidArgumentException" | "ValidationException"
            ),
            "{code}"
        );
    }
}

#[test]
fn records_go_when_their_retention_is_over_by_the_labs_clock() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    put(&cloud, "k", "old");
    cloud.clock().advance(Duration::from_secs(20 * 3600));
    put(&cloud, "k", "young");
    assert_eq!(
        data(&get(&cloud, &iterator(&cloud, &id(0), "TRIM_HORIZON"))),
        ["old", "young"]
    );
    let retention = |operation: &str, hours: u32| {
        let input = json!({"StreamName": "s", "RetentionPeriodHours": hours});
        kinesis_raw(&cloud, operation, input.to_string().as_bytes()).status
    };
    assert_eq!(retention("IncreaseStreamRetentionPeriod", 8761), 400);
    assert_eq!(retention("DecreaseStreamRetentionPeriod", 23), 400);
    assert_eq!(retention("IncreaseStreamRetentionPeriod", 8760), 200);
    cloud.clock().advance(Duration::from_secs(5 * 3600));
    assert_eq!(
        data(&get(&cloud, &iterator(&cloud, &id(0), "TRIM_HORIZON"))),
        ["old", "young"]
    );
    assert_eq!(retention("DecreaseStreamRetentionPeriod", 24), 200);
    pause(&cloud);
    assert_eq!(
        data(&get(&cloud, &iterator(&cloud, &id(0), "TRIM_HORIZON"))),
        ["young"]
    );
}

#[test]
fn a_shard_takes_a_mebibyte_a_second() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    put_bytes(&cloud, "s", 500_000).expect("it has room");
    put_bytes(&cloud, "s", 500_000).expect("it has room");
    assert_eq!(put_bytes(&cloud, "s", 500_000), Err(THROTTLED.to_owned()));
    let input = json!({"StreamName": "s", "PartitionKey": "k", "Data": BASE64_STANDARD.encode([0; 50_000])});
    let (_, message) = kinesis_error(&cloud, "PutRecord", input);
    assert_eq!(
        message,
        "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."
    );
    pause(&cloud);
    put_bytes(&cloud, "s", 500_000).expect("it has room again");
    pause(&cloud);
    assert_eq!(
        get(&cloud, &iterator(&cloud, &id(0), "TRIM_HORIZON"))["Records"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
}

#[test]
fn put_records_says_which_entries_failed() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    let records: Vec<_> = (0..500)
        .map(|_| json!({"PartitionKey": "k", "Data": "eA=="}))
        .collect();
    let input = json!({"StreamName": "s", "Records": records});
    let failed = || {
        let answer = kinesis(&cloud, "PutRecords", input.clone());
        let records = answer["Records"].as_array().expect("records");
        assert_eq!(records.len(), 500);
        let refused = records
            .iter()
            .filter(|record| record["ErrorCode"] == THROTTLED)
            .count();
        let stored = records
            .iter()
            .filter(|record| record["SequenceNumber"].is_string())
            .count();
        assert_eq!(stored + refused, 500);
        assert_eq!(answer["FailedRecordCount"], refused);
        refused
    };
    assert_eq!([failed(), failed(), failed()], [0, 0, 500]);
    pause(&cloud);
    put(&cloud, "k", "one first");
    assert_eq!([failed(), failed()], [0, 1]);

    for wrong in [
        json!([]),
        json!(vec![json!({"PartitionKey": "k", "Data": ""}); 501]),
        json!(5),
    ] {
        let input = json!({"StreamName": "s", "Records": wrong});
        let (code, _) = kinesis_error(&cloud, "PutRecords", input);
        assert!(
            matches!(
                code.as_str(),
                "ValidationException" | "SerializationException"
            ),
            "{code}"
        );
    }
}

#[test]
fn records_and_batches_have_their_largest_size() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    const MIB: usize = 1024 * 1024;
    let invalid = || Err("ValidationException".to_owned());
    assert_eq!(put_bytes(&cloud, "s", MIB), invalid(), "with its key");
    put_bytes(&cloud, "s", MIB - 1).expect("a record");
    pause(&cloud);
    kinesis(
        &cloud,
        "UpdateMaxRecordSize",
        json!({"StreamARN": ARN, "MaxRecordSizeInKiB": 10240}),
    );
    put_bytes(&cloud, "s", 10 * MIB - 1).expect("a large record");
    pause(&cloud);
    assert_eq!(put_bytes(&cloud, "s", 10 * MIB + 1), invalid());
    let batch = |n: usize| {
        let records = vec![json!({"PartitionKey": "k", "Data": "DATA"}); n];
        let input = json!({"StreamName": "s", "Records": records});
        ask_with_data(&cloud, "PutRecords", input, MIB - 1)
    };
    assert_eq!(batch(10).expect("an answer")["FailedRecordCount"], 9);
    assert_eq!(batch(11), Err("InvalidArgumentException".to_owned()));
    let large = json!({"StreamName": "t", "ShardCount": 1, "MaxRecordSizeInKiB": 2048});
    kinesis(&cloud, "CreateStream", large);
    active(&cloud, "t");
    put_bytes(&cloud, "t", 2 * MIB - 1).expect("a large record");
}

#[test]
fn a_shard_answers_five_reads_a_second() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 2);
    let it = iterator(&cloud, &id(0), "TRIM_HORIZON");
    let other = iterator(&cloud, &id(1), "TRIM_HORIZON");
    for _ in 0..5 {
        get(&cloud, &it);
    }
    let sixth = json!({ "ShardIterator": it });
    assert_eq!(kinesis_error(&cloud, "GetRecords", sixth).0, THROTTLED);
    get(&cloud, &other);
    pause(&cloud);
    get(&cloud, &it);
}

#[test]
fn a_shard_gives_two_mebibytes_a_second_and_ten_at_once() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    for _ in 0..12 {
        put_bytes(&cloud, "s", 1_000_000).expect("a record");
        pause(&cloud);
    }
    let it = iterator(&cloud, &id(0), "TRIM_HORIZON");
    let read = |limit: u32| {
        let input = json!({"ShardIterator": it, "Limit": limit}).to_string();
        let answer = kinesis_raw(&cloud, "GetRecords", input.as_bytes()).json();
        match answer["Records"].as_array() {
            Some(records) => Ok(records.len()),
            None => Err(text(&answer["__type"]).to_owned()),
        }
    };
    assert_eq!(read(1), Ok(1));
    assert_eq!(read(2), Ok(2));
    assert_eq!(read(1), Err(THROTTLED.to_owned()), "3 MB in this second");
    cloud.clock().advance(Duration::from_secs(2));
    assert_eq!(read(10_000), Ok(10), "10 MiB in one call");
    cloud.clock().advance(Duration::from_millis(4700));
    assert_eq!(
        read(1),
        Err(THROTTLED.to_owned()),
        "for nearly five seconds"
    );
    cloud.clock().advance(Duration::from_millis(300));
    assert_eq!(read(1), Ok(1));
}

/// All of a shard from its start, and the children it ends with.
fn drain(cloud: &LocalCloud, shard: &str) -> (Vec<String>, Vec<Value>) {
    let mut next = iterator(cloud, shard, "TRIM_HORIZON");
    let mut all = Vec::new();
    loop {
        pause(cloud);
        let answer = get(cloud, &next);
        all.extend(data(&answer));
        match answer["NextShardIterator"].as_str() {
            Some(iterator) => next = iterator.to_owned(),
            None => {
                return (
                    all,
                    answer["ChildShards"].as_array().expect("children").clone(),
                )
            }
        }
    }
}

#[test]
fn split_and_merged_shards_end_with_their_children() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    put(&cloud, "k", "before");
    let half = (1u128 << 127).to_string();
    let split = json!({"StreamName": "s", "ShardToSplit": id(0), "NewStartingHashKey": half});
    kinesis(&cloud, "SplitShard", split.clone());
    assert_eq!(
        kinesis_error(&cloud, "SplitShard", split.clone()).0,
        "ResourceInUseException"
    );
    put(&cloud, "k", "during");
    active(&cloud, "s");
    let after = put(&cloud, "k", "after");
    assert_ne!(after["ShardId"], id(0));
    // One at a time: the shard has not ended while there is more.
    let first = iterator(&cloud, &id(0), "TRIM_HORIZON");
    let input = json!({ "ShardIterator": first, "Limit": 1 });
    let one = kinesis(&cloud, "GetRecords", input);
    assert_eq!(data(&one), ["before"]);
    assert!(one["NextShardIterator"].is_string() && one["ChildShards"].is_null());
    let (records, children) = drain(&cloud, &id(0));
    assert_eq!(records, ["before", "during"]);
    let ids: Vec<_> = children
        .iter()
        .map(|child| text(&child["ShardId"]))
        .collect();
    assert_eq!(ids, [id(1), id(2)]);
    assert_eq!(children[0]["ParentShards"], json!([id(0)]));
    assert_eq!(children[1]["HashKeyRange"]["StartingHashKey"], half);
    assert_eq!(shards(&cloud, json!({"Type": "AT_LATEST"})).len(), 2);
    assert_eq!(
        shards(&cloud, json!({"Type": "FROM_TRIM_HORIZON"})).len(),
        3
    );
    let first = shards(&cloud, json!({"Type": "AT_TRIM_HORIZON"}));
    assert_eq!((first.len(), &first[0]["ShardId"]), (1, &json!(id(0))));
    assert_eq!(
        shards(&cloud, json!({"Type": "AFTER_SHARD_ID", "ShardId": id(1)})).len(),
        1
    );
    let (again, message) = kinesis_error(&cloud, "SplitShard", split);
    assert_eq!(again, "InvalidArgumentException", "a closed shard");
    assert_eq!(
        message,
        "Shard shardId-000000000000 in stream s under account 000000000000 has already been merged or split, and thus is \
         not eligible for merging or splitting."
    );

    let merge = json!({"StreamName": "s", "ShardToMerge": id(1), "AdjacentShardToMerge": id(2)});
    kinesis(&cloud, "MergeShards", merge);
    active(&cloud, "s");
    for parent in [1, 2] {
        let (_, children) = drain(&cloud, &id(parent));
        assert_eq!(children.len(), 1);
        assert_eq!(children[0]["ParentShards"], json!([id(1), id(2)]));
    }
    let wrong = json!({"StreamName": "s", "ShardToMerge": id(3), "AdjacentShardToMerge": id(3)});
    assert_eq!(
        kinesis_error(&cloud, "MergeShards", wrong).0,
        "InvalidArgumentException"
    );
    assert_eq!(
        data(&get(&cloud, &iterator(&cloud, &id(0), "LATEST"))),
        Vec::<String>::new()
    );
}

#[test]
fn the_number_of_shards_changes_by_splits_and_merges() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 2);
    let update = |target: u32| json!({"StreamName": "s", "TargetShardCount": target, "ScalingType": "UNIFORM_SCALING"});
    let answer = kinesis(&cloud, "UpdateShardCount", update(4));
    assert_eq!(
        (&answer["CurrentShardCount"], &answer["TargetShardCount"]),
        (&json!(2), &json!(4))
    );
    active(&cloud, "s");
    let open = shards(&cloud, json!({"Type": "AT_LATEST"}));
    assert_eq!(open.len(), 4);
    assert!(
        open.iter().all(|shard| shard["ParentShardId"].is_string()),
        "{open:?}"
    );
    assert_eq!(drain(&cloud, &id(0)).1.len(), 2);
    for (target, code) in [
        (9, "LimitExceededException"),
        (1, "LimitExceededException"),
        (0, "ValidationException"),
    ] {
        assert_eq!(
            kinesis_error(&cloud, "UpdateShardCount", update(target)).0,
            code,
            "{target}"
        );
    }
    kinesis(&cloud, "UpdateShardCount", update(2));
    assert_eq!(
        kinesis_error(&cloud, "UpdateShardCount", update(4)).0,
        "ResourceInUseException"
    );
    active(&cloud, "s");
    put(&cloud, "k", "x");
    let open = shards(&cloud, json!({"Type": "AT_LATEST"}));
    assert_eq!(open.len(), 2);
    assert!(
        open.iter()
            .all(|shard| shard["AdjacentParentShardId"].is_string()),
        "{open:?}"
    );
}

#[test]
fn on_demand_streams_begin_with_four_shards_that_are_not_yours_to_change() {
    let cloud = start_stopped();
    kinesis(
        &cloud,
        "CreateStream",
        json!({"StreamName": "s", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}),
    );
    active(&cloud, "s");
    let summary = kinesis(&cloud, "DescribeStreamSummary", json!({"StreamName": "s"}));
    assert_eq!(
        summary["StreamDescriptionSummary"]["StreamModeDetails"]["StreamMode"],
        "ON_DEMAND"
    );
    assert_eq!(summary["StreamDescriptionSummary"]["OpenShardCount"], 4);
    let update =
        json!({"StreamName": "s", "TargetShardCount": 8, "ScalingType": "UNIFORM_SCALING"});
    assert_eq!(
        kinesis_error(&cloud, "UpdateShardCount", update.clone()).0,
        "ValidationException"
    );
    assert_eq!(
        kinesis(&cloud, "DescribeLimits", json!({}))["OnDemandStreamCount"],
        1
    );
    kinesis(
        &cloud,
        "UpdateStreamMode",
        json!({"StreamARN": ARN, "StreamModeDetails": {"StreamMode": "PROVISIONED"}}),
    );
    assert_eq!(
        kinesis_error(&cloud, "UpdateShardCount", update.clone()).0,
        "ResourceInUseException"
    );
    active(&cloud, "s");
    kinesis(&cloud, "UpdateShardCount", update);
    // As recorded on AWS, a stream for which nobody says a number is on demand.
    kinesis(&cloud, "CreateStream", json!({"StreamName": "u"}));
    active(&cloud, "u");
    let summary = kinesis(&cloud, "DescribeStreamSummary", json!({"StreamName": "u"}));
    assert_eq!(summary["StreamDescriptionSummary"]["OpenShardCount"], 4);
    for wrong in [
        json!({"StreamName": "t", "StreamModeDetails": {"StreamMode": "PROVISIONED"}}),
        json!({"StreamName": "t", "ShardCount": 0}),
        json!({"StreamName": "t!", "ShardCount": 1}),
    ] {
        assert_eq!(
            kinesis_error(&cloud, "CreateStream", wrong).0,
            "ValidationException"
        );
    }
    let many = json!({"StreamName": "t", "ShardCount": 1000});
    assert_eq!(
        kinesis_error(&cloud, "CreateStream", many).0,
        "LimitExceededException"
    );
}

#[test]
fn a_stream_on_demand_doubles_when_a_second_brings_more_than_half_of_what_it_takes() {
    let cloud = start_stopped();
    kinesis(&cloud, "CreateStream", json!({"StreamName": "s"}));
    active(&cloud, "s");
    let fill = |shards: usize, bytes: usize| {
        let part = u128::MAX / shards as u128;
        let record = |n| {
            let hash = (part * n as u128 + n as u128).to_string();
            json!({"PartitionKey": "k", "Data": "DATA", "ExplicitHashKey": hash})
        };
        let records: Vec<_> = (0..shards).map(record).collect();
        let input = json!({"StreamName": "s", "Records": records});
        ask_with_data(&cloud, "PutRecords", input, bytes).expect("an answer")
    };
    let count = || open_shards(&cloud).len();
    fill(4, 500_000);
    active(&cloud, "s");
    assert_eq!(count(), 4);
    pause(&cloud);
    fill(4, 600_000);
    assert_eq!(status(&cloud, "s"), "UPDATING");
    active(&cloud, "s");
    assert_eq!(count(), 8);
    pause(&cloud);
    fill(8, 600_000);
    active(&cloud, "s");
    assert_eq!(count(), 16);
    // A stream whose owner counts its shards stays as it is.
    kinesis(
        &cloud,
        "CreateStream",
        json!({"StreamName": "t", "ShardCount": 1}),
    );
    active(&cloud, "t");
    put_bytes(&cloud, "t", 1_000_000).expect("it has room");
    active(&cloud, "t");
    let summary = kinesis(&cloud, "DescribeStreamSummary", json!({"StreamName": "t"}));
    assert_eq!(summary["StreamDescriptionSummary"]["OpenShardCount"], 1);
}

#[test]
fn closed_shards_go_with_their_last_record() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    put(&cloud, "k", "old");
    let before = cloud.clock().now();
    cloud.clock().advance(Duration::from_secs(3600));
    kinesis(
        &cloud,
        "SplitShard",
        json!({"StreamName": "s", "ShardToSplit": id(0), "NewStartingHashKey": "1000"}),
    );
    active(&cloud, "s");
    let split = cloud.clock().now();
    cloud.clock().advance(Duration::from_secs(3600));
    let listed = |kind: &str, millis: u64| {
        let filter = json!({"Type": kind, "Timestamp": millis as f64 / 1000.0});
        let listed = shards(&cloud, filter);
        let ids: Vec<_> = listed
            .iter()
            .map(|shard| text(&shard["ShardId"]).to_owned())
            .collect();
        ids
    };
    assert_eq!(listed("AT_TIMESTAMP", before), [id(0)]);
    assert_eq!(listed("AT_TIMESTAMP", split + 1), [id(1), id(2)]);
    assert_eq!(listed("FROM_TIMESTAMP", before), [id(0), id(1), id(2)]);
    assert_eq!(listed("FROM_TIMESTAMP", split + 1), [id(1), id(2)]);
    let without = json!({"StreamName": "s", "ShardFilter": {"Type": "AT_TIMESTAMP"}});
    assert_eq!(
        kinesis_error(&cloud, "ListShards", without).0,
        "InvalidArgumentException"
    );

    cloud.clock().advance(Duration::from_secs(22 * 3600));
    let old = iterator(&cloud, &id(0), "TRIM_HORIZON");
    assert_eq!(
        data(&get(&cloud, &old)),
        Vec::<String>::new(),
        "its record is gone"
    );
    cloud.clock().advance(Duration::from_secs(2 * 3600));
    assert_eq!(listed("FROM_TIMESTAMP", before), [id(1), id(2)]);
    let ask = json!({"StreamName": "s", "ShardId": id(0), "ShardIteratorType": "LATEST"});
    assert_eq!(
        kinesis_error(&cloud, "GetShardIterator", ask).0,
        "ResourceNotFoundException"
    );
}

#[test]
fn the_number_of_shards_is_set_ten_times_a_day() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    let set = |target: usize| json!({"StreamName": "s", "TargetShardCount": target, "ScalingType": "UNIFORM_SCALING"});
    for n in 0..10 {
        kinesis(&cloud, "UpdateShardCount", set(2 - n % 2));
        active(&cloud, "s");
    }
    let (code, message) = kinesis_error(&cloud, "UpdateShardCount", set(2));
    assert_eq!(code, "LimitExceededException");
    assert!(message.contains("10 times"), "{message}");
    cloud.clock().advance(Duration::from_secs(24 * 3600));
    kinesis(&cloud, "UpdateShardCount", set(2));
}

#[test]
fn a_large_record_takes_a_burst_that_quiet_seconds_fill_again() {
    const MIB: usize = 1024 * 1024;
    let cloud = start_stopped();
    let large = json!({"StreamName": "s", "ShardCount": 1, "MaxRecordSizeInKiB": 10240});
    kinesis(&cloud, "CreateStream", large);
    active(&cloud, "s");
    put_bytes(&cloud, "s", 9 * MIB).expect("the burst has room");
    assert_eq!(put_bytes(&cloud, "s", 2 * MIB), Err(THROTTLED.to_owned()));
    put_bytes(&cloud, "s", MIB / 2).expect("the second has room");
    cloud.clock().advance(Duration::from_secs(2));
    assert_eq!(put_bytes(&cloud, "s", 5 * MIB), Err(THROTTLED.to_owned()));
    put_bytes(&cloud, "s", 2 * MIB).expect("a second and a half were unused");
    cloud.clock().advance(Duration::from_secs(10));
    put_bytes(&cloud, "s", 9 * MIB).expect("it is full again");
}

#[test]
fn a_policy_is_kept_as_it_was_put() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    let consumer = register(&cloud, "c");
    for arn in [ARN, &consumer] {
        let policy = || {
            kinesis(&cloud, "GetResourcePolicy", json!({ "ResourceARN": arn }))["Policy"].clone()
        };
        assert_eq!(policy(), "{}");
        for text in [
            "{\"Version\":\"2012-10-17\"}",
            "{\"Version\": \"2008-10-17\"}",
        ] {
            kinesis(
                &cloud,
                "PutResourcePolicy",
                json!({"ResourceARN": arn, "Policy": text}),
            );
            assert_eq!(policy(), text);
        }
        kinesis(
            &cloud,
            "DeleteResourcePolicy",
            json!({ "ResourceARN": arn }),
        );
        assert_eq!(policy(), "{}");
        let (code, _) = kinesis_error(
            &cloud,
            "DeleteResourcePolicy",
            json!({ "ResourceARN": arn }),
        );
        assert_eq!(code, "ResourceNotFoundException");
        let other = json!({"ResourceARN": format!("{arn}1"), "Policy": "{}"});
        let (code, _) = kinesis_error(&cloud, "PutResourcePolicy", other);
        assert_eq!(code, "ResourceNotFoundException");
        let (code, _) = kinesis_error(
            &cloud,
            "PutResourcePolicy",
            json!({"ResourceARN": arn, "Policy": "x"}),
        );
        assert_eq!(code, "InvalidArgumentException");
    }
}

#[test]
fn encryption_and_metrics_are_kept_and_shown() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    let summary = || {
        let summary = kinesis(&cloud, "DescribeStreamSummary", json!({"StreamName": "s"}));
        summary["StreamDescriptionSummary"].clone()
    };
    let input = json!({"StreamName": "s", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"});
    assert_eq!(summary()["EncryptionType"], "NONE");
    assert_eq!(
        kinesis_error(&cloud, "StopStreamEncryption", input.clone()).0,
        "InvalidArgumentException"
    );
    kinesis(&cloud, "StartStreamEncryption", input.clone());
    assert_eq!(summary()["StreamStatus"], "UPDATING");
    active(&cloud, "s");
    assert_eq!(
        [&summary()["EncryptionType"], &summary()["KeyId"]],
        ["KMS", "alias/aws/kinesis"]
    );
    assert_eq!(put(&cloud, "k", "x")["EncryptionType"], "KMS");
    kinesis(&cloud, "StopStreamEncryption", input);
    active(&cloud, "s");
    assert_eq!(summary()["EncryptionType"], "NONE");
    assert_eq!(put(&cloud, "k", "y")["EncryptionType"], Value::Null);
    let got = get(&cloud, &iterator(&cloud, &id(0), "TRIM_HORIZON"));
    let kinds: Vec<_> = got["Records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| &record["EncryptionType"])
        .collect();
    assert_eq!(kinds, [&json!("KMS"), &Value::Null]);

    let set = |operation: &str, metrics: Value| {
        kinesis(
            &cloud,
            operation,
            json!({"StreamName": "s", "ShardLevelMetrics": metrics}),
        )
    };
    set("EnableEnhancedMonitoring", json!(["IncomingBytes"]));
    let all = set("EnableEnhancedMonitoring", json!(["ALL"]));
    assert_eq!(all["CurrentShardLevelMetrics"], json!(["IncomingBytes"]));
    assert_eq!(
        all["DesiredShardLevelMetrics"].as_array().map(Vec::len),
        Some(7)
    );
    let rest = set(
        "DisableEnhancedMonitoring",
        json!(["IncomingBytes", "OutgoingBytes"]),
    );
    assert_eq!(
        rest["DesiredShardLevelMetrics"].as_array().map(Vec::len),
        Some(5)
    );
    assert_eq!(
        summary()["EnhancedMonitoring"][0]["ShardLevelMetrics"],
        rest["DesiredShardLevelMetrics"]
    );
    let wrong = json!({"StreamName": "s", "ShardLevelMetrics": ["Speed"]});
    assert_eq!(
        kinesis_raw(
            &cloud,
            "EnableEnhancedMonitoring",
            wrong.to_string().as_bytes()
        )
        .status,
        400
    );
}

#[test]
fn an_iterator_is_of_one_stream_and_not_of_its_successor() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    let old = json!({ "ShardIterator": iterator(&cloud, &id(0), "LATEST") });
    kinesis(&cloud, "DeleteStream", json!({"StreamName": "s"}));
    assert_eq!(
        kinesis_error(&cloud, "GetRecords", old.clone()).0,
        "ResourceNotFoundException"
    );
    let again = json!({"StreamName": "s", "ShardCount": 1});
    assert_eq!(
        kinesis_error(&cloud, "CreateStream", again).0,
        "ResourceInUseException"
    );
    cloud
        .clock()
        .advance(Duration::from_millis(localcloud::kinesis::CHANGES));
    create_stream(&cloud, "s", 1);
    assert_eq!(
        kinesis_error(&cloud, "GetRecords", old).0,
        "InvalidArgumentException"
    );
}

#[test]
fn tags_come_and_go() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    kinesis(
        &cloud,
        "AddTagsToStream",
        json!({"StreamName": "s", "Tags": {"a": "1", "b": "2"}}),
    );
    kinesis(
        &cloud,
        "TagResource",
        json!({"ResourceARN": ARN, "Tags": {"c": "3"}}),
    );
    kinesis(
        &cloud,
        "RemoveTagsFromStream",
        json!({"StreamName": "s", "TagKeys": ["a"]}),
    );
    kinesis(
        &cloud,
        "UntagResource",
        json!({"ResourceARN": ARN, "TagKeys": ["b"]}),
    );
    let tags = kinesis(&cloud, "ListTagsForResource", json!({ "ResourceARN": ARN }));
    assert_eq!(tags["Tags"], json!([{"Key": "c", "Value": "3"}]));
    let many = |count: u32| -> Value { (0..count).map(|n| (n.to_string(), json!("x"))).collect() };
    for (count, status) in [(49, 200), (50, 400)] {
        let input = json!({"StreamName": "s", "Tags": many(count)}).to_string();
        let answer = kinesis_raw(&cloud, "AddTagsToStream", input.as_bytes());
        assert_eq!(answer.status, status, "{count} more");
    }
    for arn in [format!("{ARN}2"), format!("{ARN}/consumer/c:1")] {
        let input = json!({"ResourceARN": arn, "Tags": {"a": "1"}});
        let (code, _) = kinesis_error(&cloud, "TagResource", input);
        assert_eq!(code, "ResourceNotFoundException", "{arn}");
    }
}

#[test]
fn consumers_have_tags_and_are_listed_in_pages() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    for name in ["b", "a", "c"] {
        let input = json!({"StreamARN": ARN, "ConsumerName": name, "Tags": {"name": name}});
        kinesis(&cloud, "RegisterStreamConsumer", input);
    }
    let page = |token: Value| {
        let input = json!({"StreamARN": ARN, "MaxResults": 2, "NextToken": token});
        kinesis(&cloud, "ListStreamConsumers", input)
    };
    let first = page(Value::Null);
    let second = page(first["NextToken"].clone());
    assert_eq!(second["NextToken"], Value::Null);
    let pages = [first, second];
    let consumers: Vec<_> = pages
        .iter()
        .flat_map(|page| page["Consumers"].as_array().expect("consumers"))
        .collect();
    let names: Vec<_> = consumers.iter().map(|one| &one["ConsumerName"]).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let arn = &consumers[2]["ConsumerARN"];
    let tags = kinesis(&cloud, "ListTagsForResource", json!({ "ResourceARN": arn }));
    assert_eq!(tags["Tags"], json!([{"Key": "name", "Value": "c"}]));
    let described = kinesis(
        &cloud,
        "DescribeStreamConsumer",
        json!({ "ConsumerARN": arn }),
    );
    assert_eq!(described["ConsumerDescription"]["StreamARN"], ARN);
}

#[test]
fn a_refused_consumer_is_not_registered() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    let tags: BTreeMap<_, _> = (0..51).map(|n| (format!("tag{n}"), "v")).collect();
    let stream = json!({"StreamName": "t", "ShardCount": 1, "Tags": tags});
    let (code, _) = kinesis_error(&cloud, "CreateStream", stream);
    assert_eq!(code, "InvalidArgumentException");
    for (input, expected) in [
        (
            json!({"StreamARN": ARN, "ConsumerName": "c", "Tags": {"!": "v"}}),
            "InvalidArgumentException",
        ),
        (
            json!({"StreamARN": ARN, "ConsumerName": "c", "Tags": tags}),
            "InvalidArgumentException",
        ),
        (
            json!({"StreamARN": ARN.replace("us-east-1", "eu-west-1"), "ConsumerName": "c"}),
            "ResourceNotFoundException",
        ),
    ] {
        let (code, message) = kinesis_error(&cloud, "RegisterStreamConsumer", input);
        assert_eq!(code, expected, "{message}");
        let consumers = kinesis(&cloud, "ListStreamConsumers", json!({ "StreamARN": ARN }));
        assert_eq!(consumers["Consumers"], json!([]));
    }
}

fn register(cloud: &LocalCloud, name: &str) -> String {
    begin_to_register(cloud, name);
    registered(cloud, name)
}

fn begin_to_register(cloud: &LocalCloud, name: &str) {
    let input = json!({"StreamARN": ARN, "ConsumerName": name});
    let answer = kinesis(cloud, "RegisterStreamConsumer", input);
    assert_eq!(answer["Consumer"]["ConsumerStatus"], "CREATING");
}

/// Moves the clock to where the consumer is active, and gives its ARN.
fn registered(cloud: &LocalCloud, name: &str) -> String {
    cloud.clock().advance(CONSUMER_CHANGES);
    let input = json!({"StreamARN": ARN, "ConsumerName": name});
    let described = kinesis(cloud, "DescribeStreamConsumer", input);
    let consumer = &described["ConsumerDescription"];
    assert_eq!(consumer["ConsumerStatus"], "ACTIVE");
    text(&consumer["ConsumerARN"]).to_owned()
}

#[test]
fn a_stream_with_consumers_is_deleted_only_with_force() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    begin_to_register(&cloud, "c");
    begin_to_register(&cloud, "d");
    let consumer = registered(&cloud, "c");
    let input = json!({"StreamARN": ARN, "ConsumerName": "c"});
    assert_eq!(
        kinesis_error(&cloud, "RegisterStreamConsumer", input).0,
        "ResourceInUseException"
    );
    let listed = kinesis(&cloud, "ListStreamConsumers", json!({ "StreamARN": ARN }));
    let listed = listed["Consumers"].as_array().expect("consumers");
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().any(|known| known["ConsumerARN"] == consumer));
    registered(&cloud, "d");
    kinesis(
        &cloud,
        "DeregisterStreamConsumer",
        json!({"StreamARN": ARN, "ConsumerName": "d"}),
    );
    let delete = |input: Value| kinesis_raw(&cloud, "DeleteStream", input.to_string().as_bytes());
    let refused = delete(json!({"StreamName": "s"}));
    assert_eq!(refused.json()["__type"], "ResourceInUseException");
    assert_eq!(
        delete(json!({"StreamName": "s", "EnforceConsumerDeletion": true})).status,
        200
    );
    let consumer = json!({ "ConsumerARN": consumer });
    let (code, _) = gone(&cloud, "DescribeStreamConsumer", consumer);
    assert_eq!(code, "ResourceNotFoundException");
    gone(&cloud, "DescribeStreamSummary", json!({"StreamName": "s"}));
    create_stream(&cloud, "s", 1);
    assert_eq!(
        kinesis(&cloud, "ListStreamConsumers", json!({ "StreamARN": ARN }))["Consumers"],
        json!([])
    );
}

/// What one `SubscribeToShard` sent until it ended, as lossy text.
fn events(cloud: &LocalCloud, consumer: &str, shard: &str, start: Value) -> String {
    let input = json!({"ConsumerARN": consumer, "ShardId": shard, "StartingPosition": start});
    let answer = kinesis_raw(cloud, "SubscribeToShard", input.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/vnd.amazon.eventstream")
    );
    answer.body
}

#[test]
fn a_subscription_sends_what_is_there_and_what_comes_for_five_minutes() {
    let cloud = start_patient();
    create_stream(&cloud, "s", 1);
    let consumer = register(&cloud, "c");
    put(&cloud, "k", "first");
    let sent = std::thread::scope(|scope| {
        let reader =
            scope.spawn(|| events(&cloud, &consumer, &id(0), json!({"Type": "TRIM_HORIZON"})));
        std::thread::sleep(Duration::from_millis(300));
        let again = json!({"ConsumerARN": consumer, "ShardId": id(0), "StartingPosition": {"Type": "LATEST"}});
        assert_eq!(
            kinesis_error(&cloud, "SubscribeToShard", again).0,
            "ResourceInUseException"
        );
        put(&cloud, "k", "second");
        // The others read as before.
        assert_eq!(
            data(&get(&cloud, &iterator(&cloud, &id(0), "TRIM_HORIZON"))),
            ["first", "second"]
        );
        std::thread::sleep(Duration::from_millis(300));
        cloud.clock().advance(Duration::from_secs(300));
        reader.join().expect("it ends")
    });
    for part in [
        "initial-response",
        "SubscribeToShardEvent",
        "Zmlyc3Q=",
        "c2Vjb25k",
        "ContinuationSequenceNumber",
        "MillisBehindLatest",
    ] {
        assert!(sent.contains(part), "{part}: {sent}");
    }
}

#[test]
fn a_subscription_ends_with_its_consumer() {
    let cloud = start_patient();
    create_stream(&cloud, "s", 1);
    let consumer = register(&cloud, "c");
    let sent = std::thread::scope(|scope| {
        let reader =
            scope.spawn(|| events(&cloud, &consumer, &id(0), json!({"Type": "TRIM_HORIZON"})));
        std::thread::sleep(Duration::from_millis(300));
        let input = json!({ "ConsumerARN": consumer });
        kinesis(&cloud, "DeregisterStreamConsumer", input);
        reader.join().expect("it ends")
    });
    assert!(sent.contains("ResourceNotFoundException"), "{sent}");
}

#[test]
fn a_subscription_is_taken_over_ends_with_its_shard_and_with_its_stream() {
    let cloud = &start_patient();
    create_stream(cloud, "s", 1);
    let consumer = &register(cloud, "c");
    let number = put(cloud, "k", "first")["SequenceNumber"].clone();
    put(cloud, "k", "second");
    let taken = std::thread::scope(|scope| {
        let reader =
            scope.spawn(move || events(cloud, consumer, &id(0), json!({"Type": "LATEST"})));
        std::thread::sleep(Duration::from_millis(300));
        cloud.clock().advance(Duration::from_secs(6));
        let start = json!({"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number});
        let second = scope.spawn(move || events(cloud, consumer, &id(0), start));
        let taken = reader.join().expect("it ends");
        kinesis(
            cloud,
            "UpdateShardCount",
            json!({"StreamName": "s", "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"}),
        );
        let sent = second.join().expect("it ends");
        assert!(
            sent.contains("c2Vjb25k") && !sent.contains("Zmlyc3Q="),
            "{sent}"
        );
        assert!(
            sent.contains("ChildShards") && sent.contains(&id(2)),
            "{sent}"
        );
        let third = scope.spawn(move || events(cloud, consumer, &id(1), json!({"Type": "LATEST"})));
        std::thread::sleep(Duration::from_millis(300));
        kinesis(
            cloud,
            "DeleteStream",
            json!({"StreamName": "s", "EnforceConsumerDeletion": true}),
        );
        let sent = third.join().expect("it ends");
        assert!(sent.contains("ResourceNotFoundException"), "{sent}");
        taken
    });
    assert!(taken.contains("ResourceInUseException"), "{taken}");
    let none = json!({"ConsumerARN": format!("{ARN}/consumer/none:1"), "ShardId": id(0), "StartingPosition": {"Type": "LATEST"}});
    assert_eq!(
        kinesis_error(cloud, "SubscribeToShard", none).0,
        "ResourceNotFoundException"
    );
}

/// Every 40 ms a record for each of its five keys, numbered.
fn produce(cloud: &LocalCloud, producer: usize, began: Instant) {
    for n in 0..LOAD_SECONDS * 25 {
        let due = Duration::from_millis(40 * n as u64);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        let record = |key: usize| {
            let data = BASE64_STANDARD.encode(n.to_string());
            json!({"PartitionKey": format!("key-{}", producer * 5 + key), "Data": data})
        };
        let records: Vec<_> = (0..5).map(record).collect();
        let input = json!({"StreamName": "s", "Records": records});
        let answer = kinesis(cloud, "PutRecords", input);
        assert_eq!(answer["FailedRecordCount"], 0, "{answer}");
    }
}

/// The open shards in the order of their hash keys, each with its range.
fn open_shards(cloud: &LocalCloud) -> Vec<(String, u128, u128)> {
    let open = shards(cloud, json!({"Type": "AT_LATEST"}));
    let bound = |shard: &Value, name: &str| {
        text(&shard["HashKeyRange"][name])
            .parse()
            .expect("a number")
    };
    let mut open: Vec<_> = open
        .iter()
        .map(|shard| {
            let id = text(&shard["ShardId"]).to_owned();
            (
                id,
                bound(shard, "StartingHashKey"),
                bound(shard, "EndingHashKey"),
            )
        })
        .collect();
    open.sort_by_key(|(_, start, _)| *start);
    open
}

/// Doubles, splits one, merges two, halves, and again, until the producers are done; but sets the number of shards only as
/// often as a day allows. Gives the number of changes.
fn reshard_until(cloud: &LocalCloud, done: impl Fn() -> bool) -> usize {
    for change in 0.. {
        let open = open_shards(cloud);
        let is_early = change < 4 * 5;
        let (operation, input) = match if is_early { change % 4 } else { 1 + change % 2 } {
            0 => (
                "UpdateShardCount",
                json!({"TargetShardCount": open.len() * 2, "ScalingType": "UNIFORM_SCALING"}),
            ),
            1 => {
                let (id, start, end) = &open[open.len() / 2];
                let middle = start + (end - start) / 2;
                (
                    "SplitShard",
                    json!({"ShardToSplit": id, "NewStartingHashKey": middle.to_string()}),
                )
            }
            2 => (
                "MergeShards",
                json!({"ShardToMerge": open[0].0, "AdjacentShardToMerge": open[1].0}),
            ),
            _ => (
                "UpdateShardCount",
                json!({"TargetShardCount": open.len() / 2, "ScalingType": "UNIFORM_SCALING"}),
            ),
        };
        let mut input = input;
        input["StreamName"] = "s".into();
        kinesis(cloud, operation, input);
        // Its producers and readers go by the machine's time, and so does the stream.
        let since = Instant::now();
        while status(cloud, "s") != "ACTIVE" {
            assert!(
                since.elapsed() < Duration::from_secs(20),
                "it stays as it is"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        if done() {
            return change + 1;
        }
    }
    unreachable!("it ends with the producers")
}

const LOAD_SECONDS: usize = 3;
const PRODUCERS: usize = 4;

/// Four producers with five keys each, 25 times a second: 500 records a second.
#[test]
fn nothing_is_lost_or_out_of_order_while_shards_split_and_merge_under_load() {
    let cloud = start_patient();
    create_stream(&cloud, "s", 4);
    let mut seen: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let began = Instant::now();
    let (changes, lasted) = std::thread::scope(|scope| {
        let cloud = &cloud;
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|n| scope.spawn(move || produce(cloud, n, began)))
            .collect();
        let are_done = move || producers.iter().all(|producer| producer.is_finished());
        let resharding = scope.spawn(move || (reshard_until(cloud, are_done), began.elapsed()));
        let mut open: Vec<_> = (0..4)
            .map(|n| iterator(cloud, &id(n), "TRIM_HORIZON"))
            .collect();
        let mut parents_at_their_end: BTreeMap<String, usize> = BTreeMap::new();
        let all = LOAD_SECONDS * 25 * PRODUCERS * 5;
        let mut rounds_after = 0;
        // A generation of shards a round: the records of the last one can be a few rounds away.
        while rounds_after < 50 && seen.values().map(Vec::len).sum::<usize>() < all {
            rounds_after += usize::from(resharding.is_finished());
            pause(cloud);
            for next in std::mem::take(&mut open) {
                let answer = get(cloud, &next);
                for record in answer["Records"].as_array().expect("records") {
                    let key = text(&record["PartitionKey"]).to_owned();
                    let number = BASE64_STANDARD
                        .decode(text(&record["Data"]))
                        .expect("base64");
                    let number = String::from_utf8(number).expect("text");
                    seen.entry(key)
                        .or_default()
                        .push(number.parse().expect("a number"));
                }
                open.extend(answer["NextShardIterator"].as_str().map(str::to_owned));
                for child in answer["ChildShards"].as_array().into_iter().flatten() {
                    // A child begins when all its parents are drained: so a key keeps its order.
                    let shard = text(&child["ShardId"]);
                    let ended = parents_at_their_end.entry(shard.to_owned()).or_default();
                    *ended += 1;
                    if Some(*ended) == child["ParentShards"].as_array().map(Vec::len) {
                        open.push(iterator(cloud, shard, "TRIM_HORIZON"));
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        resharding.join().expect("it ends")
    });
    println!("{changes} changes of the shards in {lasted:?}");
    assert!(changes >= 4, "{changes} changes: each kind once");
    assert_eq!(seen.len(), PRODUCERS * 5);
    for (key, numbers) in seen {
        assert_eq!(numbers, Vec::from_iter(0..LOAD_SECONDS * 25), "{key}");
    }
}

/// An operation with its input in CBOR.
fn in_cbor(cloud: &LocalCloud, operation: &str, cbor: &[u8]) -> Answer {
    let target = format!("Kinesis_20131202.{operation}");
    let headers = [
        ("x-amz-target", target.as_str()),
        ("content-type", "application/x-amz-cbor-1.1"),
    ];
    let answer = exchange(cloud, &request("POST", "/", &headers, cbor)).expect("an answer");
    let content_type = answer.header("content-type");
    assert_eq!(content_type, Some("application/x-amz-cbor-1.1"));
    answer
}

#[test]
fn a_client_that_speaks_cbor_is_answered_in_cbor() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    // Maps of the SDK for Java are open-ended; the data is bytes.
    let record = b"\xbf\x6aStreamName\x61s\x6cPartitionKey\x61k\x64Data\x45hello\xff";
    let answer = in_cbor(&cloud, "PutRecord", record);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.body.contains("gShardIdtshardId-000000000000"),
        "{answer:?}"
    );
    let iterator = iterator(&cloud, &id(0), "TRIM_HORIZON");
    assert_eq!(data(&get(&cloud, &iterator)), ["hello"]);
    let length = u8::try_from(iterator.len()).expect("it is short");
    let input = [
        b"\xa1\x6dShardIterator\x78",
        &[length][..],
        iterator.as_bytes(),
    ]
    .concat();
    let answer = in_cbor(&cloud, "GetRecords", &input);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("dDataEhello"), "{answer:?}");

    let wrong = in_cbor(&cloud, "DescribeStream", b"\xa1\x6aStreamName\x61t");
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.body.contains("x\u{19}ResourceNotFoundException"),
        "{wrong:?}"
    );
    assert!(
        wrong
            .body
            .contains("Stream t under account 000000000000 not found."),
        "{wrong:?}"
    );
    assert_eq!(in_cbor(&cloud, "DescribeStream", b"{}").status, 400);
    assert_eq!(
        in_cbor(&cloud, "DeleteStream", b"\xa1\x6aStreamName\x61s").body,
        ""
    );
}

#[test]
fn faults_strike_kinesis_too() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    let fault = |kind: Kind, operation: &str| {
        cloud.faults().add(Fault {
            kind,
            target: Some(operation.to_owned()),
            count: 1,
        });
    };
    fault(Kind::Throttle, "PutRecord");
    let record = json!({"StreamName": "s", "PartitionKey": "k", "Data": "eA=="});
    assert_eq!(
        kinesis_error(&cloud, "PutRecord", record.clone()).0,
        THROTTLED
    );
    fault(Kind::Throttle, "ListStreams");
    assert_eq!(
        kinesis_error(&cloud, "ListStreams", json!({})).0,
        "LimitExceededException"
    );
    fault(Kind::LostResponse, "PutRecord");
    let target = [("x-amz-target", "Kinesis_20131202.PutRecord")];
    let bytes = request("POST", "/", &target, record.to_string().as_bytes());
    assert!(exchange(&cloud, &bytes).is_none(), "no answer");
    assert_eq!(exchange(&cloud, &bytes).expect("an answer").status, 200);
    let all = get(&cloud, &iterator(&cloud, &id(0), "TRIM_HORIZON"));
    assert_eq!(data(&all), ["x", "x"], "the retry put it twice");
}

#[test]
fn calls_without_records_have_their_quota_on_request() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 2);
    let input = |shard: usize| json!({"StreamName": "s", "ShardId": id(shard), "ShardIteratorType": "LATEST"});
    let ask = |shard: usize| {
        let input = input(shard).to_string();
        kinesis_raw(&cloud, "GetShardIterator", input.as_bytes()).status
    };
    assert_eq!([0; 7].map(&ask), [200; 7], "nobody has asked for it");
    cloud.faults().add(Fault {
        kind: Kind::StreamQuota,
        target: Some("GetShardIterator".to_owned()),
        count: 2,
    });
    assert_eq!([0; 6].map(&ask), [200, 200, 200, 200, 200, 400]);
    assert_eq!(
        kinesis_error(&cloud, "GetShardIterator", input(0)).0,
        THROTTLED
    );
    assert_eq!(
        [1, 0, 0].map(&ask),
        [200; 3],
        "of another shard, and when it has struck twice"
    );
    cloud.faults().add(Fault {
        kind: Kind::StreamQuota,
        target: None,
        count: 10,
    });
    kinesis(&cloud, "DescribeLimits", json!({}));
    assert_eq!(
        kinesis_error(&cloud, "DescribeLimits", json!({})).0,
        "LimitExceededException"
    );
    pause(&cloud);
    kinesis(&cloud, "DescribeLimits", json!({}));
}

#[test]
fn what_is_not_in_this_lab_says_so() {
    let cloud = start_stopped();
    for operation in ["UpdateStreamWarmThroughput", "Nonsense", ""] {
        let (code, message) = kinesis_error(&cloud, operation, json!({}));
        assert_eq!(code, "UnknownOperationException");
        assert!(message.contains("not in this lab"), "{message}");
    }
    create_stream(&cloud, "s", 1);
    let mut record =
        json!({"StreamName": "s", "PartitionKey": "k", "Data": "eA==", "DryRun": true});
    let (_, message) = kinesis_error(&cloud, "PutRecord", record.clone());
    assert!(message.contains("PutRecord with DryRun"), "{message}");
    record["DryRun"] = false.into();
    kinesis(&cloud, "PutRecord", record);
    let answer = get(&cloud, &iterator(&cloud, &id(0), "TRIM_HORIZON"));
    assert_eq!(data(&answer), ["x"], "only what was no dry run");
}

#[test]
fn wrong_bodies_are_refused() {
    let cloud = start_stopped();
    create_stream(&cloud, "s", 1);
    for operation in localcloud::kinesis::OPERATIONS {
        for body in [
            "",
            "null",
            "[]",
            "5",
            "{",
            "\"text\"",
            "{\"StreamName\": 5}",
            "{\"StreamARN\": 5}",
            "{\"StreamName\": \"\"}",
            "{\"ShardIterator\": []}",
        ] {
            let answer = kinesis_raw(&cloud, operation, body.as_bytes());
            let fine = answer.status == 400
                || (matches!(operation, "ListStreams" | "DescribeLimits") && answer.status == 200);
            assert!(fine, "{operation} {body}: {answer:?}");
        }
        assert_eq!(
            kinesis_raw(&cloud, operation, &[0xff, 0xfe, 0x00]).status,
            400,
            "{operation}"
        );
    }
    put(&cloud, "k", "x");
}

#[test]
fn any_body_to_any_operation_gets_an_answer() {
    crate::support::unless_green(
        "any_body_to_any_operation_gets_an_answer",
        cases_of_any_body_to_any_operation_gets_an_answer,
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    fn cases_of_any_body_to_any_operation_gets_an_answer(
        operation in prop::sample::select(&localcloud::kinesis::OPERATIONS[..]),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            (any::<(i64, String)>(), prop::sample::select(&["LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER"][..]), "[0-9]{0,60}").prop_map(|((n, text), kind, digits)| json!({
                "StreamName": "s", "StreamARN": ARN, "ResourceARN": ARN, "ConsumerName": text, "ShardCount": n, "Limit": n,
                "ShardId": digits, "ShardToSplit": digits, "ShardToMerge": digits, "AdjacentShardToMerge": "shardId-000000000000",
                "NewStartingHashKey": digits, "ShardIteratorType": kind, "StartingSequenceNumber": digits, "Timestamp": n,
                "PartitionKey": text, "Data": "eA==", "ExplicitHashKey": digits, "SequenceNumberForOrdering": digits,
                "Records": [{"PartitionKey": text, "Data": text}], "ShardIterator": text, "NextToken": text,
                "Tags": {text.clone(): text}, "TagKeys": [text], "TargetShardCount": n, "ScalingType": "UNIFORM_SCALING",
                "ConsumerARN": format!("{ARN}/consumer/c:1"), "StartingPosition": {"Type": kind, "SequenceNumber": digits, "Timestamp": n},
                "RetentionPeriodHours": n, "MaxRecordSizeInKiB": n, "StreamModeDetails": {"StreamMode": "ON_DEMAND"},
            }).to_string().into_bytes()),
        ],
    ) {
        let cloud = start_stopped();
        kinesis(&cloud, "CreateStream", json!({"StreamName": "s", "ShardCount": 1}));
        let answer = kinesis_raw(&cloud, operation, &body);
        prop_assert!(answer.status == 200 || answer.status == 400, "{:?}", answer);
        prop_assert_eq!(kinesis_raw(&cloud, "ListStreams", b"{}").status, 200);
    }
}
