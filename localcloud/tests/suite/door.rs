//! Strangers at the door: garbage, foreign names, bodies too large, clients too slow or too many. Each gets AWS's
//! own error or a clean refusal, and the queue has lost nothing.

use crate::support::*;
use localcloud::faults::{Fault, Kind};
use localcloud::LocalCloud;
use proptest::prelude::*;
use serde_json::{json, Value};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

/// A cloud with one queue and one message in it.
fn with_a_message() -> (LocalCloud, String) {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    send(&cloud, &queue, "kept");
    (cloud, queue)
}

fn assert_kept(cloud: &LocalCloud, queue: &str) {
    let messages = receive(cloud, queue);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["Body"], "kept");
}

#[test]
fn a_foreign_host_or_origin_is_refused() {
    let (cloud, queue) = with_a_message();
    let purge = json!({"QueueUrl": queue}).to_string();
    let target = ("x-amz-target", "AmazonSQS.PurgeQueue");
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "evil.example:4566"),
        ("host", "127.0.0.1.evil.example"),
        ("host", "127.0.0.1@evil.example"),
        ("host", ""),
        ("origin", "http://evil.example"),
        ("origin", "https://127.0.0.1.evil.example"),
        ("origin", "null"),
        ("origin", ""),
    ] {
        let bytes = request("POST", "/", &[target, (name, value)], purge.as_bytes());
        let answer = exchange(&cloud, &bytes).expect("an answer");
        assert_eq!(answer.status, 403, "{name}: {value}");
        for path in ["/lab/clock", "/lab/status", "/"] {
            let bytes = request("GET", path, &[(name, value)], b"");
            let answer = exchange(&cloud, &bytes).expect("an answer");
            assert_eq!(answer.status, 403, "{path} {name}: {value}");
        }
    }
    assert_kept(&cloud, &queue);
}

#[test]
fn loopback_names_and_our_own_pages_are_welcome() {
    let cloud = start();
    for (name, value) in [
        ("host", "127.0.0.1"),
        ("host", "127.0.0.1:4566"),
        ("host", "localhost:4566"),
        ("host", "LOCALHOST"),
        ("host", "[::1]:4566"),
        ("origin", "http://127.0.0.1:4566"),
        ("origin", "http://localhost:3000"),
    ] {
        let bytes = request("GET", "/lab/health", &[(name, value)], b"");
        let answer = exchange(&cloud, &bytes).expect("an answer");
        assert_eq!(answer.status, 200, "{name}: {value}");
    }
}

#[test]
fn a_page_served_from_another_port_may_ask_the_lab() {
    let cloud = start();
    let origin = ("origin", "http://localhost:3000");
    for (method, path, body) in [
        ("GET", "/lab/health", ""),
        ("GET", "/lab/nothing", ""),
        ("POST", "/lab/clock", "{\"advance_ms\":1}"),
        ("DELETE", "/lab/faults", ""),
        ("OPTIONS", "/lab/clock", ""),
        ("HEAD", "/lab/events", ""),
    ] {
        let bytes = request(method, path, &[origin], body.as_bytes());
        let answer = exchange(&cloud, &bytes).expect("an answer");
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, Some("http://localhost:3000"), "{method} {path}");
        assert_eq!(answer.header("vary"), Some("origin"), "{method} {path}");
    }
    let asked = ("access-control-request-method", "POST");
    let bytes = request("OPTIONS", "/lab/faults", &[origin, asked], b"");
    let answer = exchange(&cloud, &bytes).expect("an answer");
    assert_eq!(answer.status, 204);
    let allowed = |what: &str| answer.header(&format!("access-control-allow-{what}"));
    assert_eq!(allowed("methods"), Some("GET, POST, DELETE"));
    assert_eq!(allowed("headers"), Some("content-type, last-event-id"));

    let alone = exchange(&cloud, &request("GET", "/lab/health", &[], b"")).expect("an answer");
    assert_eq!(alone.header("access-control-allow-origin"), None);
    let foreign = ("origin", "http://evil.example");
    let bytes = request("OPTIONS", "/lab/clock", &[foreign, asked], b"");
    let refused = exchange(&cloud, &bytes).expect("an answer");
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("access-control-allow-origin"), None);
    // AWS's own part of the address is for programs.
    let bytes = request(
        "POST",
        "/",
        &[origin],
        b"Action=GetCallerIdentity&Version=2011-06-15",
    );
    let aws = exchange(&cloud, &bytes).expect("an answer");
    assert_eq!(
        (aws.status, aws.header("access-control-allow-origin")),
        (403, None)
    );
    let upload = request("POST", "/2015-03-31/functions", &[origin], b"{}");
    let upload = exchange(&cloud, &upload).expect("an answer");
    assert_eq!(upload.status, 403);
}

#[test]
fn the_feed_is_only_read() {
    let cloud = start();
    for method in ["HEAD", "POST", "PUT", "DELETE"] {
        let answer = exchange(&cloud, &request(method, "/lab/events", &[], b""));
        assert_eq!(answer.expect("an answer").status, 405, "{method}");
    }
}

#[test]
fn what_is_not_in_this_lab_says_so() {
    let cloud = start();
    let answer = sqs_raw(&cloud, "InventQueue", b"{}");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("not in this lab"), "{answer:?}");
    for target in ["DynamoDB_20120810.ListTables", "AmazonSQS", "", "."] {
        let bytes = request("POST", "/", &[("x-amz-target", target)], b"{}");
        let answer = exchange(&cloud, &bytes).expect("an answer");
        assert_eq!(answer.status, 400, "{target}");
        assert!(
            answer.body.contains("not in this lab"),
            "{target}: {answer:?}"
        );
    }
    for form in [
        "Action=ListUsers&Version=2010-05-08",
        "Action=AssumeRole&Version=2011-06-15",
        "Action=CreateGeneratedTemplate&Version=2010-05-15",
    ] {
        let bytes = request("POST", "/", &[], form.as_bytes());
        let answer = exchange(&cloud, &bytes).expect("an answer");
        assert_eq!(answer.status, 400, "{form}");
        assert!(
            answer.body.contains("not in this lab"),
            "{form}: {answer:?}"
        );
    }
}

/// Whether `GET /lab/health` over HTTP/2 is answered with 200. The frames are those of RFC 9113, the headers are
/// literals of RFC 7541.
fn http2_health(cloud: &LocalCloud, headers: &[(&str, &str)]) -> bool {
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = (payload.len() as u32).to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    };
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/lab/health"),
    ]
    .iter()
    .chain(headers)
    {
        block.extend([0, name.len() as u8]);
        block.extend(name.as_bytes());
        block.push(value.len() as u8);
        block.extend(value.as_bytes());
    }
    let mut stream = TcpStream::connect(cloud.address()).expect("it listens");
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .expect("a timeout");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let request = [preface, frame(4, 0, 0, &[]), frame(1, 0x05, 1, &block)].concat();
    stream.write_all(&request).expect("it reads");
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).expect("a whole frame");
        if head[3] == 1 {
            // 0x88 is `:status: 200` of the static table; it may follow a new size of the dynamic one.
            return payload.contains(&0x88);
        }
    }
}

#[test]
fn http2_is_for_loopback_names_too() {
    let cloud = start();
    for headers in [
        &[(":authority", "127.0.0.1:4566")][..],
        &[(":authority", "localhost")],
        &[("host", "localhost")],
        &[
            (":authority", "localhost"),
            ("origin", "http://localhost:3000"),
        ],
    ] {
        assert!(http2_health(&cloud, headers), "{headers:?}");
    }
    for headers in [
        &[][..],
        &[(":authority", "evil.example")],
        &[(":authority", "evil.example"), ("host", "127.0.0.1")],
        &[(":authority", "127.0.0.1"), ("host", "evil.example")],
        &[
            (":authority", "127.0.0.1"),
            ("origin", "http://evil.example"),
        ],
    ] {
        assert!(!http2_health(&cloud, headers), "{headers:?}");
    }
}

#[test]
fn bodies_have_a_limit() {
    let (cloud, queue) = with_a_message();
    let input = |size: usize| json!({"QueueUrl": queue, "MessageBody": "x".repeat(size)});
    let (code, message) = sqs_error(&cloud, "SendMessage", input(2 * 1024 * 1024));
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.contains("1048576"), "{message}");

    let answer = sqs_raw(
        &cloud,
        "SendMessage",
        input(17 * 1024 * 1024).to_string().as_bytes(),
    );
    assert_eq!(answer.status, 413);

    sqs(&cloud, "SendMessage", input(1024 * 1024));
    assert_eq!(counts(&cloud, &queue), (2, 0, 0));
}

#[test]
fn wrong_bodies_are_serialization_errors() {
    let (cloud, queue) = with_a_message();
    for operation in localcloud::sqs::OPERATIONS {
        for body in [
            "",
            "null",
            "[]",
            "5",
            "{",
            "\"text\"",
            "{\"QueueUrl\": 5}",
            "{\"QueueUrl\": \"\u{0}\"}",
            "{\"Entries\": {}}",
            "{\"Attributes\": [[]]}",
        ] {
            let answer = sqs_raw(&cloud, operation, body.as_bytes());
            let fine = answer.status == 400 || (operation == "ListQueues" && answer.status == 200);
            assert!(fine, "{operation} {body}: {answer:?}");
        }
        let answer = sqs_raw(&cloud, operation, &[0xff, 0xfe, 0x00]);
        assert_eq!(answer.status, 400, "{operation}");
    }
    assert_kept(&cloud, &queue);
}

#[test]
fn garbage_is_no_http_and_harms_nobody() {
    let (cloud, queue) = with_a_message();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\r\n\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\xff\x04",
    ] {
        let mut stream = TcpStream::connect(cloud.address()).expect("it listens");
        stream
            .set_read_timeout(Some(std::time::Duration::from_secs(60)))
            .expect("a timeout");
        stream.write_all(garbage).expect("it reads");
        stream
            .shutdown(std::net::Shutdown::Write)
            .expect("still open");
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer);
        let is_open = ended.is_err_and(|error| {
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        });
        assert!(!is_open, "{garbage:?} is still waited on after {answer:?}");
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{garbage:?}");
    }
    assert_kept(&cloud, &queue);
}

#[test]
fn slow_clients_and_five_hundred_connections_keep_nobody_out() {
    let (cloud, queue) = with_a_message();
    let slow: Vec<TcpStream> = (0..500)
        .map(|_| {
            let mut stream = TcpStream::connect(cloud.address()).expect("it listens");
            stream
                .write_all(b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{")
                .expect("it reads");
            stream
        })
        .collect();
    for n in 0..20 {
        send(&cloud, &queue, &n.to_string());
    }
    assert_eq!(counts(&cloud, &queue), (21, 0, 0));
    drop(slow);
}

#[test]
fn a_lost_response_is_work_done_without_an_answer() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    cloud.faults().add(Fault {
        kind: Kind::LostResponse,
        target: Some("SendMessage".to_owned()),
        count: 1,
    });
    let body = json!({"QueueUrl": queue, "MessageBody": "twice"}).to_string();
    let bytes = request(
        "POST",
        "/",
        &[("x-amz-target", "AmazonSQS.SendMessage")],
        body.as_bytes(),
    );
    assert!(exchange(&cloud, &bytes).is_none(), "no answer");
    assert_eq!(
        counts(&cloud, &queue),
        (1, 0, 0),
        "but the message is there"
    );
    assert_eq!(exchange(&cloud, &bytes).expect("an answer").status, 200);
    assert_eq!(
        counts(&cloud, &queue),
        (2, 0, 0),
        "and again after the retry"
    );
}

#[test]
fn throttling_answers_as_the_service_does() {
    let cloud = start();
    let queue = create_queue(&cloud, "q", json!({}));
    cloud.faults().add(Fault {
        kind: Kind::Throttle,
        target: Some("SendMessage".to_owned()),
        count: 1,
    });
    let input = json!({"QueueUrl": queue, "MessageBody": "x"});
    let (code, _) = sqs_error(&cloud, "SendMessage", input.clone());
    assert_eq!(code, "RequestThrottled");
    sqs(&cloud, "SendMessage", input);
    assert_eq!(counts(&cloud, &queue), (1, 0, 0));
}

#[test]
fn the_lab_answers_health_clock_faults_and_status() {
    let cloud = start();
    let ask = |method: &str, path: &str, body: &str| -> (u16, Value) {
        let bytes = request(method, path, &[], body.as_bytes());
        let answer = exchange(&cloud, &bytes).expect("an answer");
        (answer.status, answer.json())
    };
    assert_eq!(ask("GET", "/lab/health", "").0, 200);
    let before = ask("GET", "/lab/clock", "").1["now_ms"].as_u64();
    let (status, moved) = ask("POST", "/lab/clock", r#"{"advance_ms": 30000}"#);
    assert_eq!((status, moved["moved_ms"].as_u64()), (200, Some(30_000)));
    assert!(moved["now_ms"].as_u64() >= before.map(|before| before + 30_000));
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"advance_ms": -1}"#,
        r#"{"advance_ms": 99999999999999}"#,
    ] {
        assert_eq!(ask("POST", "/lab/clock", bad).0, 400, "{bad}");
    }
    let fault = r#"{"kind": "throttle", "target": "SendMessage", "count": 2}"#;
    assert_eq!(ask("POST", "/lab/faults", fault).0, 200);
    assert_eq!(ask("GET", "/lab/faults", "").1[0]["count"], 2);
    assert_eq!(
        ask("POST", "/lab/faults", r#"{"kind": "earthquake"}"#).0,
        400
    );
    assert_eq!(ask("DELETE", "/lab/faults", "").1, json!([]));
    for _ in 0..localcloud::faults::MAX_FAULTS {
        assert_eq!(ask("POST", "/lab/faults", fault).0, 200);
    }
    assert_eq!(ask("POST", "/lab/faults", fault).0, 400, "there is a bound");
    let queue = create_queue(&cloud, "q", json!({}));
    cloud.faults().clear();
    send(&cloud, &queue, "x");
    assert_eq!(
        ask("GET", "/lab/status", "").1["queues"],
        json!([{"name": "q", "visible": 1, "in_flight": 0, "delayed": 0}])
    );
    assert_eq!(ask("GET", "/lab/nothing", "").0, 404);
    assert_eq!(ask("PUT", "/lab/clock", "").0, 405);
}

#[test]
fn any_bytes_to_any_operation_get_an_answer() {
    crate::support::unless_green(
        "any_bytes_to_any_operation_get_an_answer",
        cases_of_any_bytes_to_any_operation_get_an_answer,
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    fn cases_of_any_bytes_to_any_operation_get_an_answer(
        operation in prop::sample::select(&localcloud::sqs::OPERATIONS[..]),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[{}\\[\\]\":,a-zA-Z0-9 ]{0,80}".prop_map(String::into_bytes),
            any::<(i64, String)>().prop_map(|(n, text)| json!({
                "QueueUrl": "http://x/000000000000/q", "QueueName": text, "MessageBody": text, "ReceiptHandle": text,
                "VisibilityTimeout": n, "DelaySeconds": n, "MaxNumberOfMessages": n, "MaxResults": n, "NextToken": text,
                "Attributes": {"Policy": text, "RedrivePolicy": text, "DelaySeconds": n.to_string()},
                "Entries": [{"Id": text, "MessageBody": text, "ReceiptHandle": text, "DelaySeconds": n}],
                "SourceArn": text, "TaskHandle": text, "Label": text, "Actions": [text], "AWSAccountIds": [text],
            }).to_string().into_bytes()),
        ],
    ) {
        let cloud = start();
        create_queue(&cloud, "q", json!({}));
        let answer = sqs_raw(&cloud, operation, &body);
        prop_assert!((200..500).contains(&answer.status), "{:?}", answer);
        prop_assert_eq!(sqs_raw(&cloud, "ListQueues", b"{}").status, 200);
    }
}
