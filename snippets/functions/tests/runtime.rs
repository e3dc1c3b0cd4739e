//! Starts the functions as Lambda does and speaks the Runtime API to them, without a cloud.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use serde_json::{json, Value};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

/// Gives the program one event. Returns the path that it posts its outcome to, the outcome, and what it has printed.
fn invoke(program: &str, event: &Value) -> (String, String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut child = Command::new(program)
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "function")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/function")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the function starts");
    let outcome = loop {
        let (stream, _) = listener.accept().expect("a connection");
        if let Some(outcome) = serve(stream, event) {
            break outcome;
        }
    };
    child.kill().expect("the function ends");
    let mut printed = String::new();
    let mut output = child.stdout.take().expect("its output");
    output.read_to_string(&mut printed).expect("text");
    child.wait().expect("the function ends");
    (outcome.0, outcome.1, printed)
}

/// Answers the requests of one connection until it posts an outcome.
fn serve(stream: TcpStream, event: &Value) -> Option<(String, String)> {
    let mut lines = BufReader::new(stream.try_clone().expect("a connection"));
    loop {
        let mut head = String::new();
        while lines.read_line(&mut head).ok()? > 2 {}
        let path = head.split(' ').nth(1)?.to_owned();
        if path.ends_with("/next") {
            let body = event.to_string();
            write!(
                &stream,
                "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: 32503680000000\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:function\r\n\
                 lambda-runtime-trace-id: Root=1\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .ok()?;
            continue;
        }
        let length = head.to_lowercase();
        let length = length
            .split("content-length: ")
            .nth(1)?
            .split("\r\n")
            .next()?;
        let mut body = vec![0; length.parse().ok()?];
        lines.read_exact(&mut body).ok()?;
        let _ = write!(
            &stream,
            "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
        );
        return Some((path, String::from_utf8(body).ok()?));
    }
}

#[test]
fn the_function_for_a_queue_prints_bodies() {
    let event = json!({"Records": [{"messageId": "1", "body": "hello"}]});
    let (path, answer, printed) = invoke(env!("CARGO_BIN_EXE_sqs-function"), &event);
    assert_eq!(path, "/2018-06-01/runtime/invocation/1/response");
    assert_eq!((answer.as_str(), printed.as_str()), ("null", "hello\n"));
}

#[test]
fn the_function_for_a_stream_prints_data() {
    let (path, answer, printed) = invoke(
        env!("CARGO_BIN_EXE_kinesis-function"),
        &records(&["aGVsbG8="]),
    );
    assert_eq!(path, "/2018-06-01/runtime/invocation/1/response");
    assert_eq!((answer.as_str(), printed.as_str()), ("null", "hello\n"));
}

#[test]
fn the_picky_functions_fail_at_poison() {
    let event = json!({"Records": [{"messageId": "1", "body": "poison"}]});
    let (path, answer, _) = invoke(env!("CARGO_BIN_EXE_picky-function"), &event);
    assert_eq!(path, "/2018-06-01/runtime/invocation/1/error");
    assert!(
        answer.contains("a message of this batch is poison"),
        "{answer}"
    );
    let event = records(&["aGVsbG8=", "cG9pc29u"]);
    let (path, answer, printed) = invoke(env!("CARGO_BIN_EXE_picky-kinesis"), &event);
    assert_eq!(path, "/2018-06-01/runtime/invocation/1/error");
    assert!(answer.contains("this record is poison"), "{answer}");
    assert_eq!(printed, "hello\npoison\n");
}

#[test]
fn the_slow_function_tells_that_it_took_a_second() {
    let event = json!({"Records": [{"messageId": "1", "body": "hello"}]});
    let (_, answer, printed) = invoke(env!("CARGO_BIN_EXE_slow-function"), &event);
    assert_eq!(answer, "null");
    let times = printed.trim_end().strip_prefix("ran from ");
    let (begin, end) = times
        .and_then(|times| times.split_once(" to "))
        .expect(&printed);
    let time = |text: &str| text.parse::<u64>().expect("milliseconds");
    assert!(time(end) - time(begin) >= 1000, "{printed}");
}

fn records(data: &[&str]) -> Value {
    let record = |data: &&str| {
        json!({
            "awsRegion": "us-east-1",
            "eventID": "shardId-000000000000:1",
            "eventName": "aws:kinesis:record",
            "eventSource": "aws:kinesis",
            "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/KinesisStream",
            "eventVersion": "1.0",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/KinesisFunction",
            "kinesis": {
                "approximateArrivalTimestamp": 1763856000.5,
                "data": data,
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "a",
                "sequenceNumber": "1",
            },
        })
    };
    json!({"Records": data.iter().map(record).collect::<Vec<_>>()})
}
