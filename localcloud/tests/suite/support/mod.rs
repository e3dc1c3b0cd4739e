//! A client that writes HTTP by hand, so that a test can also write it wrongly.

pub mod functions;
pub mod model;

use localcloud::clock::Pace;
use localcloud::testing::Inputs;
use localcloud::{LocalCloud, Options};
use serde_json::{json, Value};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Waits that nobody ends are skipped after a moment.
pub fn start() -> LocalCloud {
    start_with(Pace::Patient(Duration::from_millis(100)))
}

/// For a test in which another thread ends a wait: the clock goes by itself, and where the test moves it to.
pub fn start_patient() -> LocalCloud {
    start_with(Pace::Machine)
}

/// For a test in which a second is over when the test says so: only the test moves the clock.
pub fn start_stopped() -> LocalCloud {
    start_with(Pace::Stopped)
}

fn start_with(pace: Pace) -> LocalCloud {
    let options = Options {
        pace,
        ..Options::default()
    };
    LocalCloud::start(options).expect("a free port")
}

/// For the tests that compute for seconds: not run again while this executable and the recorded answers are those with
/// which it was green, unless all tests are asked for.
pub fn unless_green(test: &str, run: impl FnOnce()) {
    let this = std::env::current_exe().expect("the path of this test");
    let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded");
    let cases = std::env::var("PROPTEST_CASES").unwrap_or_default();
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/green");
    Inputs::of(test)
        .and_program(&this)
        .and_text(recorded.as_ref())
        .and(cases)
        .unless_green(folder.as_ref(), || {
            run();
            true
        });
}

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Sends these bytes and reads until the connection closes.
pub fn exchange(cloud: &LocalCloud, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(cloud.address()).expect("the local cloud listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    // A refusal may come, and the connection close, before all is written.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some(Answer {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        text += "host: 127.0.0.1\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("content-length: {}\r\n\r\n", body.len());
    [text.as_bytes(), body].concat()
}

/// One SQS operation, its answer whole.
pub fn sqs_raw(cloud: &LocalCloud, operation: &str, body: &[u8]) -> Answer {
    let target = format!("AmazonSQS.{operation}");
    let headers = [
        ("x-amz-target", target.as_str()),
        ("content-type", "application/x-amz-json-1.0"),
    ];
    exchange(cloud, &request("POST", "/", &headers, body)).expect("an answer")
}

/// One SQS operation that succeeds.
pub fn sqs(cloud: &LocalCloud, operation: &str, input: Value) -> Value {
    let answer = sqs_raw(cloud, operation, input.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
    answer.json()
}

/// One SQS operation that fails, and how: the query code, and the message.
pub fn sqs_error(cloud: &LocalCloud, operation: &str, input: Value) -> (String, String) {
    let answer = sqs_raw(cloud, operation, input.to_string().as_bytes());
    assert_eq!(answer.status, 400, "{operation} {input}: {answer:?}");
    let header = answer.header("x-amzn-query-error").unwrap_or_default();
    let code = header.strip_suffix(";Sender").expect("the caller's error");
    let message = answer.json()["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (code.to_owned(), message)
}

pub fn create_queue(cloud: &LocalCloud, name: &str, attributes: Value) -> String {
    let created = sqs(
        cloud,
        "CreateQueue",
        json!({"QueueName": name, "Attributes": attributes}),
    );
    created["QueueUrl"].as_str().expect("a URL").to_owned()
}

pub fn send(cloud: &LocalCloud, queue: &str, body: &str) -> Value {
    sqs(
        cloud,
        "SendMessage",
        json!({"QueueUrl": queue, "MessageBody": body}),
    )
}

/// A long poll of a second for up to ten messages, with all their system attributes.
pub fn receive(cloud: &LocalCloud, queue: &str) -> Vec<Value> {
    let received = sqs(
        cloud,
        "ReceiveMessage",
        json!({
            "QueueUrl": queue,
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": 1,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }),
    );
    received["Messages"].as_array().cloned().unwrap_or_default()
}

/// `(visible, in flight, delayed)` as the approximate counts say.
pub fn counts(cloud: &LocalCloud, queue: &str) -> (u32, u32, u32) {
    let answer = sqs(
        cloud,
        "GetQueueAttributes",
        json!({"QueueUrl": queue, "AttributeNames": ["All"]}),
    );
    let count = |name: &str| {
        let value = answer["Attributes"][name].as_str();
        value.and_then(|text| text.parse().ok()).expect("a number")
    };
    (
        count("ApproximateNumberOfMessages"),
        count("ApproximateNumberOfMessagesNotVisible"),
        count("ApproximateNumberOfMessagesDelayed"),
    )
}

/// One Kinesis operation, its answer whole.
pub fn kinesis_raw(cloud: &LocalCloud, operation: &str, body: &[u8]) -> Answer {
    let target = format!("Kinesis_20131202.{operation}");
    let headers = [
        ("x-amz-target", target.as_str()),
        ("content-type", "application/x-amz-json-1.1"),
    ];
    exchange(cloud, &request("POST", "/", &headers, body)).expect("an answer")
}

/// One Kinesis operation that succeeds.
pub fn kinesis(cloud: &LocalCloud, operation: &str, input: Value) -> Value {
    let answer = kinesis_raw(cloud, operation, input.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
    answer.json()
}

/// One Kinesis operation that fails, and how: the type, and the message.
pub fn kinesis_error(cloud: &LocalCloud, operation: &str, input: Value) -> (String, String) {
    let answer = kinesis_raw(cloud, operation, input.to_string().as_bytes());
    assert_eq!(answer.status, 400, "{operation} {input}: {answer:?}");
    let text = |name: &str| answer.json()[name].as_str().unwrap_or_default().to_owned();
    (text("__type"), text("message"))
}

/// Moves the clock to where what happens to a stream is done.
pub fn active(cloud: &LocalCloud, stream: &str) {
    let changes = Duration::from_millis(localcloud::kinesis::CHANGES);
    cloud.clock().advance(changes);
    assert_eq!(status(cloud, stream), "ACTIVE");
}

/// The status of a stream.
pub fn status(cloud: &LocalCloud, stream: &str) -> String {
    let input = json!({ "StreamName": stream });
    let summary = kinesis(cloud, "DescribeStreamSummary", input);
    let status = &summary["StreamDescriptionSummary"]["StreamStatus"];
    status.as_str().unwrap_or_default().to_owned()
}

/// A stream with so many shards, active.
pub fn create_stream(cloud: &LocalCloud, stream: &str, shards: u32) {
    kinesis(
        cloud,
        "CreateStream",
        json!({ "StreamName": stream, "ShardCount": shards }),
    );
    active(cloud, stream);
}

/// One IAM operation, its answer whole.
pub fn iam_raw(cloud: &LocalCloud, action: &str, parameters: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("Action", action), ("Version", "2010-05-08")])
        .extend_pairs(parameters)
        .finish();
    exchange(cloud, &request("POST", "/", &[], body.as_bytes())).expect("an answer")
}

/// One operation of CloudWatch Logs, its answer whole.
pub fn logs_raw(cloud: &LocalCloud, operation: &str, body: &[u8]) -> Answer {
    let target = format!("Logs_20140328.{operation}");
    let headers = [
        ("x-amz-target", target.as_str()),
        ("content-type", "application/x-amz-json-1.1"),
    ];
    exchange(cloud, &request("POST", "/", &headers, body)).expect("an answer")
}

/// One operation of CloudWatch Logs that succeeds.
pub fn logs(cloud: &LocalCloud, operation: &str, input: Value) -> Value {
    let answer = logs_raw(cloud, operation, input.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
    answer.json()
}

/// One operation of CloudWatch Logs that fails, and how: the type, and the message.
pub fn logs_error(cloud: &LocalCloud, operation: &str, input: Value) -> (String, String) {
    let answer = logs_raw(cloud, operation, input.to_string().as_bytes());
    assert_eq!(answer.status, 400, "{operation} {input}: {answer:?}");
    let text = |name: &str| answer.json()[name].as_str().unwrap_or_default().to_owned();
    (text("__type"), text("message"))
}
