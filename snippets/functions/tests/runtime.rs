//! Starts the functions as Lambda does and speaks the Runtime API to them, without a cloud.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use axum::body::{to_bytes, Body};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::Router;
use serde_json::{json, Value};
use std::future::{pending, IntoFuture};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A function that takes longer to post an outcome, or to end, hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// The outcome of one event.
struct Outcome {
    /// The path that it was posted to.
    path: String,
    answer: String,
    /// Printed by the function.
    printed: String,
}

/// The Runtime API for one function, with one event.
#[derive(Clone)]
struct RuntimeApi {
    event: Arc<str>,
    /// The method and the path of each request, in their order.
    seen: Arc<Mutex<Vec<String>>>,
    outcome: mpsc::Sender<(String, String)>,
}

/// Gives the program one event and returns what came of it.
#[tokio::main(flavor = "current_thread")]
async fn invoke(program: &str, event: &Value) -> Outcome {
    let (outcome, mut posted) = mpsc::channel(1);
    let api = RuntimeApi { event: event.to_string().into(), seen: Arc::default(), outcome };
    let seen = api.seen.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let routes = Router::new().fallback(answer).with_state(api);
    let server = tokio::spawn(axum::serve(listener, routes).into_future());
    let mut child = Command::new(program)
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "function")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/function")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the function starts");
    let outcome = tokio::select! {
        outcome = timeout(LIMIT, posted.recv()) => outcome.ok().flatten(),
        _ = child.wait() => posted.try_recv().ok(),
    };
    // It may have ended by itself.
    let _ = child.start_kill();
    let ended = timeout(LIMIT, child.wait_with_output()).await;
    let output = ended.expect("a killed function ends").expect("its output");
    server.abort();
    let text = |bytes| String::from_utf8(bytes).expect("functions print text");
    let printed = text(output.stdout);
    let Some((path, answer)) = outcome else {
        panic!(
            "{program} posted no outcome within {LIMIT:?} ({}).\nIt asked for: {:?}\nIt printed: {printed}{}",
            output.status,
            seen.lock().expect("no test has panicked with it"),
            text(output.stderr)
        );
    };
    Outcome { path, answer, printed }
}

/// Answers one request of the function. A second event never comes: whoever asks for it waits.
async fn answer(State(api): State<RuntimeApi>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let is_first = {
        let mut seen = api.seen.lock().expect("no test has panicked with it");
        seen.push(format!("{} {path}", request.method()));
        seen.iter().filter(|request| request.ends_with("/next")).count() == 1
    };
    if !path.ends_with("/next") {
        let body = to_bytes(request.into_body(), usize::MAX).await.expect("a body");
        let answer = String::from_utf8(body.into()).expect("JSON");
        let _ = api.outcome.try_send((path, answer));
        return Response::builder()
            .status(StatusCode::ACCEPTED)
            .body(Body::empty())
            .expect("a response");
    }
    if !is_first {
        pending::<()>().await;
    }
    Response::builder()
        .header("lambda-runtime-aws-request-id", "1")
        .header("lambda-runtime-deadline-ms", "32503680000000")
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:function",
        )
        .header("lambda-runtime-trace-id", "Root=1")
        .body(api.event.to_string().into())
        .expect("a response")
}

#[test]
fn the_function_for_a_queue_prints_bodies() {
    let event = json!({"Records": [{"messageId": "1", "body": "hello"}]});
    let Outcome { path, answer, printed } = invoke(env!("CARGO_BIN_EXE_sqs-function"), &event);
    assert_eq!(path, "/2018-06-01/runtime/invocation/1/response");
    assert_eq!((answer.as_str(), printed.as_str()), ("null", "hello\n"));
}

#[test]
fn the_function_for_a_stream_prints_data() {
    let Outcome { path, answer, printed } =
        invoke(env!("CARGO_BIN_EXE_kinesis-function"), &records(&["aGVsbG8="]));
    assert_eq!(path, "/2018-06-01/runtime/invocation/1/response");
    assert_eq!((answer.as_str(), printed.as_str()), ("null", "hello\n"));
}

#[test]
fn the_picky_functions_fail_at_poison() {
    let event = json!({"Records": [{"messageId": "1", "body": "poison"}]});
    let Outcome { path, answer, .. } = invoke(env!("CARGO_BIN_EXE_picky-function"), &event);
    assert_eq!(path, "/2018-06-01/runtime/invocation/1/error");
    assert!(answer.contains("a message of this batch is poison"), "{answer}");
    let event = records(&["aGVsbG8=", "cG9pc29u"]);
    let Outcome { path, answer, printed } = invoke(env!("CARGO_BIN_EXE_picky-kinesis"), &event);
    assert_eq!(path, "/2018-06-01/runtime/invocation/1/error");
    assert!(answer.contains("this record is poison"), "{answer}");
    assert_eq!(printed, "hello\npoison\n");
}

#[test]
fn the_slow_function_tells_that_it_took_a_second() {
    let event = json!({"Records": [{"messageId": "1", "body": "hello"}]});
    let Outcome { answer, printed, .. } = invoke(env!("CARGO_BIN_EXE_slow-function"), &event);
    assert_eq!(answer, "null");
    let times = printed.trim_end().strip_prefix("ran from ");
    let (begin, end) = times.and_then(|times| times.split_once(" to ")).expect(&printed);
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
