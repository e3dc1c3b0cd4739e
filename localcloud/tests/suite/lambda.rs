//! Functions: created, changed and deleted as AWS does it, and run as real processes over the Runtime API: kept warm,
//! killed when they take too long, reported when they crash, gone with the local cloud.

use crate::support::functions::*;
use crate::support::*;
use localcloud::LocalCloud;
use serde_json::{json, Map, Value};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const FUNCTIONS: &str = "/2015-03-31/functions";

/// A call that fails, and how: the status, the error's type and the message.
fn refusal(cloud: &LocalCloud, method: &str, path: &str, input: &Value) -> (u16, String, String) {
    let answer = lambda(cloud, method, path, input);
    assert!(answer.status >= 400, "{method} {path}: {answer:?}");
    let kind = answer.header("x-amzn-errortype").unwrap_or_default();
    let message = answer.json()["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (answer.status, kind.to_owned(), message)
}

fn lines(log: &str) -> Vec<&str> {
    log.lines().collect()
}

/// No wait of a test takes longer.
const LIMIT: Duration = Duration::from_secs(60);
/// What a function takes to be created or changed, by the clock.
const CHANGE: Duration = Duration::from_millis(300);

fn is_alive(pid: u64) -> bool {
    // A zombie has nothing in its memory any more.
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .is_ok_and(|status| status.contains("VmRSS"))
}

fn assert_ends(pid: u64) {
    let since = Instant::now();
    while is_alive(pid) {
        assert!(since.elapsed() < LIMIT, "{pid} lives on");
        thread::sleep(Duration::from_millis(10));
    }
}

fn pid(answer: &Value) -> u64 {
    answer["pid"].as_u64().expect("a process id")
}

#[test]
fn a_function_is_created_pending_and_becomes_active() {
    let cloud = start_stopped();
    create_role(&cloud, "function", &[]);
    let created = lambda(
        &cloud,
        "POST",
        FUNCTIONS,
        &function(
            "f",
            json!({"Tags": {"lab": "yes"}, "Architectures": ["arm64"], "Timeout": null}),
        ),
    );
    assert_eq!(created.status, 201);
    let created = created.json();
    assert_eq!(created["State"], "Pending");
    let early = invoke_with(&cloud, "f", &[], &json!({}));
    assert_eq!(
        (early.status, early.header("x-amzn-errortype")),
        (409, Some("ResourceConflictException"))
    );

    cloud.clock().advance(CHANGE);
    let shown = settled(&cloud, "f");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    for (field, value) in [
        ("FunctionArn", json!(arn)),
        ("Runtime", json!("provided.al2023")),
        ("Role", json!(ROLE)),
        ("Handler", json!("bootstrap")),
        ("Timeout", json!(3)),
        ("MemorySize", json!(128)),
        ("Version", json!("$LATEST")),
        ("Architectures", json!(["arm64"])),
        ("PackageType", json!("Zip")),
        (
            "LoggingConfig",
            json!({"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}),
        ),
        ("Environment", Value::Null),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    let version = shown["RuntimeVersionConfig"]["RuntimeVersionArn"].as_str();
    assert!(
        version.is_some_and(|arn| arn.starts_with("arn:aws:lambda:us-east-1::runtime:")),
        "{shown}"
    );
    assert_eq!(shown["CodeSha256"].as_str().map(str::len), Some(44));
    assert!(shown["LastModified"]
        .as_str()
        .is_some_and(|time| time.ends_with("+0000")));

    for name in [
        "f",
        arn,
        "000000000000:function:f",
        "f:$LATEST",
        &arn.replace(':', "%3A"),
    ] {
        let got = lambda(&cloud, "GET", &format!("{FUNCTIONS}/{name}"), &Value::Null);
        assert_eq!(got.status, 200, "{name}: {got:?}");
        let shown = match name.ends_with("$LATEST") {
            true => format!("{arn}:$LATEST"),
            false => arn.to_owned(),
        };
        assert_eq!(got.json()["Configuration"]["FunctionArn"], shown);
        assert_eq!(got.json()["Tags"], json!({"lab": "yes"}));
    }
    let bytes = request("GET", "/lab/status", &[], b"");
    let status = exchange(&cloud, &bytes).expect("an answer").json();
    assert_eq!(status["functions"][0]["name"], "f");
}

#[test]
fn functions_are_listed_page_by_page_and_deleted() {
    let cloud = start();
    for name in ["a", "b", "c"] {
        create_function(&cloud, name, json!({}));
    }
    let list = |query: &str| {
        let path = format!("{FUNCTIONS}/{query}");
        lambda(&cloud, "GET", &path, &Value::Null).json()
    };
    let names = |page: &Value| -> Vec<String> {
        let functions = page["Functions"].as_array().expect("a list").iter();
        functions
            .map(|f| f["FunctionName"].as_str().expect("a name").to_owned())
            .collect()
    };
    let first = list("?MaxItems=2");
    assert_eq!(names(&first), ["a", "b"]);
    let second = list(&format!(
        "?MaxItems=2&Marker={}",
        first["NextMarker"].as_str().expect("more")
    ));
    assert_eq!(names(&second), ["c"]);
    assert_eq!(second["NextMarker"], Value::Null);

    let deleted = lambda(&cloud, "DELETE", &format!("{FUNCTIONS}/b"), &Value::Null);
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    assert_eq!(names(&list("")), ["a", "c"]);
    let (status, kind, message) =
        refusal(&cloud, "DELETE", &format!("{FUNCTIONS}/b"), &Value::Null);
    assert_eq!((status, kind.as_str()), (404, "ResourceNotFoundException"));
    assert_eq!(
        message,
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:b"
    );
}

#[test]
fn what_aws_refuses_is_refused() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    let (status, kind, message) = refusal(&cloud, "POST", FUNCTIONS, &function("f", json!({})));
    assert_eq!((status, kind.as_str()), (409, "ResourceConflictException"));
    assert_eq!(message, "Function already exist: f");
    let link = "../outside";
    for (with, kind, part) in [
        (
            json!({"FunctionName": "no spaces"}),
            "ValidationException",
            "functionName",
        ),
        (
            json!({"FunctionName": ""}),
            "ValidationException",
            "functionName",
        ),
        (json!({"Role": "admin"}), "ValidationException", "role"),
        (
            json!({"Role": "arn:aws:iam::000000000000:role/absent"}),
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            json!({"Runtime": "python3.13"}),
            "InvalidParameterValueException",
            "python3.13",
        ),
        (
            json!({"Runtime": "PYTHON3.9"}),
            "InvalidParameterValueException",
            "Value PYTHON3.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [",
        ),
        (
            json!({"Architectures": ["x86_64", "arm64"]}),
            "ValidationException",
            "Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must have length less \
             than or equal to 1",
        ),
        (
            json!({"Architectures": ["X86_64"]}),
            "ValidationException",
            "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
        ),
        (
            json!({"Environment": {"Variables": {"SMALL": "ok", "LONG": "x".repeat(4096)}}}),
            "InvalidParameterValueException",
            "exceeded the 4KB limit. String measured: {\"LONG\":\"xxx",
        ),
        (
            json!({"Handler": null}),
            "InvalidParameterValueException",
            "mandatory",
        ),
        (
            json!({"Timeout": 0}),
            "ValidationException",
            "greater than or equal to 1",
        ),
        (
            json!({"Timeout": 901}),
            "ValidationException",
            "less than or equal to 900",
        ),
        (json!({"MemorySize": 127}), "ValidationException", "128"),
        (
            json!({"MemorySize": 4_294_967_424_u64}),
            "ValidationException",
            "10240",
        ),
        (
            json!({"Architectures": ["riscv"]}),
            "ValidationException",
            "x86_64",
        ),
        (
            json!({"Environment": {"Variables": {"AWS_REGION": "eu-west-1"}}}),
            "InvalidParameterValueException",
            "AWS_REGION",
        ),
        (
            json!({"Environment": {"Variables": {"LONG": "x".repeat(4096)}}}),
            "InvalidParameterValueException",
            "4KB",
        ),
        (
            json!({"Environment": {"Variables": {"A=B": "x"}}}),
            "ValidationException",
            "A=B",
        ),
        (
            json!({"LoggingConfig": {"LogFormat": "XML"}}),
            "ValidationException",
            "logFormat",
        ),
        (
            json!({"LoggingConfig": {"ApplicationLogLevel": "DEBUG"}}),
            "InvalidParameterValueException",
            "JSON",
        ),
        (
            json!({"Layers": ["arn:layer"]}),
            "InvalidParameterValueException",
            "Layers",
        ),
        (
            json!({"Publish": true}),
            "InvalidParameterValueException",
            "Publish",
        ),
        (
            json!({"Tags": (0..51).map(|n| (n.to_string(), "x".into())).collect::<Map<_, _>>()}),
            "InvalidParameterValueException",
            "Number of tags exceeds",
        ),
        (
            json!({"Tags": {"x".repeat(129): "x"}}),
            "ValidationException",
            "less than or equal to 128",
        ),
        (
            json!({"Tags": {"": "x"}}),
            "ValidationException",
            "greater than or equal to 1",
        ),
        (
            json!({"Tags": {"x": "é".repeat(257)}}),
            "ValidationException",
            "less than or equal to 256",
        ),
        (
            json!({"Code": {"S3Bucket": "b", "S3Key": "k"}}),
            "InvalidParameterValueException",
            "ZipFile",
        ),
        (
            json!({"Code": {"ZipFile": "bm8gemlw"}}),
            "InvalidParameterValueException",
            "Could not unzip",
        ),
        (
            json!({"Code": {"ZipFile": "&"}}),
            "InvalidParameterValueException",
            "base64",
        ),
        (
            json!({"Code": {"ZipFile": zip_of(&[(link, b"x")])}}),
            "InvalidParameterValueException",
            "leads out",
        ),
    ] {
        let input = function("new", with.clone());
        let (status, got, message) = refusal(&cloud, "POST", FUNCTIONS, &input);
        let with: String = with.to_string().chars().take(200).collect();
        assert_eq!((status, got.as_str()), (400, kind), "{with}: {message}");
        assert!(message.contains(part), "{with}: {message}");
    }
    let (status, kind, _) = refusal(&cloud, "GET", "/2015-03-31/functions/new", &Value::Null);
    assert_eq!(
        (status, kind.as_str()),
        (404, "ResourceNotFoundException"),
        "a refusal leaves nothing"
    );
    let (status, kind, message) = refusal(
        &cloud,
        "GET",
        "/2015-03-31/functions/f?Qualifier=7",
        &Value::Null,
    );
    assert_eq!((status, kind.as_str()), (404, "ResourceNotFoundException"));
    assert!(message.ends_with(":f:7"), "{message}");
    let (status, kind, message) = refusal(&cloud, "GET", "/2018-10-31/layers", &Value::Null);
    assert_eq!((status, kind.as_str()), (400, "UnknownOperationException"));
    let start = "lambda GET /2018-10-31/layers is not in this lab";
    assert!(message.starts_with(start), "{message}");
    let garbage = exchange(&cloud, &request("POST", FUNCTIONS, &[], b"{")).expect("an answer");
    assert_eq!(
        garbage.header("x-amzn-errortype"),
        Some("InvalidRequestContentException")
    );
}

#[test]
fn a_function_is_named_as_the_operation_takes_it() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    let arn = "arn:aws:lambda:us-east-1:000000000000:function";
    let get = |rest: &str| ("GET", format!("{FUNCTIONS}/{rest}"));
    let delete = |rest: &str| ("DELETE", format!("{FUNCTIONS}/{rest}"));
    let invoke = |rest: &str| ("POST", format!("{FUNCTIONS}/{rest}"));
    let concurrency = |rest: &str| ("PUT", format!("/2017-10-31/functions/{rest}/concurrency"));
    let not_found = |rest: &str| {
        (
            404,
            "ResourceNotFoundException",
            format!("Function not found: {arn}:{rest}"),
        )
    };
    let invalid = |message: &str| (400, "InvalidParameterValueException", message.to_owned());
    let two =
        "The derived qualifier from the function name does not match the specified qualifier.";
    let whole = "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
                 operation. Please specify either a function name or an unqualified function ARN.";
    let elsewhere = "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')";
    for ((method, path), expected) in [
        (get("none"), not_found("none")),
        (get("none?Qualifier=$LATEST"), not_found("none:$LATEST")),
        (get("f?Qualifier=$latest"), not_found("f:$latest")),
        (get("f:1221"), not_found("f:1221")),
        (get("f:$LATEST?Qualifier=1"), invalid(two)),
        (
            get("arn:aws:lambda:eu-west-1:000000000000:function:f"),
            (404, "ResourceNotFoundException", elsewhere.to_owned()),
        ),
        (
            get("111111111111:function:f"),
            (403, "AccessDeniedException", String::new()),
        ),
        (invoke("none/invocations"), not_found("none:$LATEST")),
        (invoke("f/invocations?Qualifier=7"), not_found("f:7")),
        (delete("none"), not_found("none")),
        (delete("none?Qualifier=1233"), not_found("none")),
        (
            delete("f?Qualifier=alias"),
            invalid("Deletion of aliases is not currently supported."),
        ),
        (
            delete("f:$LATEST"),
            invalid("$LATEST version cannot be deleted without deleting the function."),
        ),
        (concurrency("none"), not_found("none:$LATEST")),
        (concurrency("f:$LATEST"), invalid(whole)),
    ] {
        let (status, kind, message) = refusal(&cloud, method, &path, &Value::Null);
        assert_eq!(
            (status, kind.as_str(), message),
            expected,
            "{method} {path}"
        );
    }
    let (status, kind, message) = refusal(
        &cloud,
        "GET",
        &format!("{FUNCTIONS}/f!?Qualifier=v!"),
        &Value::Null,
    );
    assert_eq!((status, kind.as_str()), (400, "ValidationException"));
    assert!(
        message.starts_with("2 validation errors detected: Value 'v!' at 'qualifier'"),
        "{message}"
    );
    assert!(
        message.contains("; Value 'f!' at 'functionName' failed"),
        "{message}"
    );
    let (_, kind, message) = refusal(
        &cloud,
        "POST",
        FUNCTIONS,
        &function(&"x".repeat(65), json!({})),
    );
    assert_eq!(kind, "InvalidParameterValueException");
    assert!(message.ends_with("less than or equal to 64"), "{message}");
    let gone = lambda(
        &cloud,
        "DELETE",
        &format!("{FUNCTIONS}/f?Qualifier=1233"),
        &Value::Null,
    );
    assert_eq!(
        gone.status, 204,
        "a version that isn't there is as good as deleted"
    );
    assert_eq!(settled(&cloud, "f")["State"], "Active");
}

#[test]
fn each_process_has_credentials_of_its_own_for_its_functions_role() {
    let cloud = start();
    let identity = |key: &str| {
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20261123/us-east-1/sts/aws4_request, Signature=0"
        );
        let body = b"Action=GetCallerIdentity&Version=2011-06-15";
        let answer = exchange(
            &cloud,
            &request("POST", "/", &[("authorization", &credential)], body),
        );
        answer.expect("an answer").body
    };
    let mut keys = Vec::new();
    for (name, session) in [("first", "first"), ("s", "s@lambda_function")] {
        create_function(&cloud, name, json!({}));
        let (answer, ..) = invoke(&cloud, name, json!({}));
        let key = answer["env"]["AWS_ACCESS_KEY_ID"]
            .as_str()
            .expect("a key")
            .to_owned();
        assert!(key.starts_with("ASIA") && key.len() == 20, "{key}");
        let arn = format!("<Arn>arn:aws:sts::000000000000:assumed-role/function/{session}</Arn>");
        let caller = identity(&key);
        assert!(caller.contains(&arn), "{caller}");
        assert!(
            caller.contains("<UserId>AROA") && caller.contains(&format!(":{session}</UserId>")),
            "{caller}"
        );
        keys.push(key);
    }
    // Another process of the same function.
    invoke(&cloud, "first", json!({"exit": 1}));
    let (answer, ..) = invoke(&cloud, "first", json!({}));
    keys.push(
        answer["env"]["AWS_ACCESS_KEY_ID"]
            .as_str()
            .expect("a key")
            .to_owned(),
    );
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3);
    assert!(identity("test").contains("<Arn>arn:aws:iam::000000000000:user/reader</Arn>"));
}

#[test]
fn a_list_shows_no_state_and_an_empty_environment_is_there() {
    let cloud = start();
    create_function(&cloud, "f", json!({"Environment": {"Variables": {}}}));
    assert_eq!(
        settled(&cloud, "f")["Environment"],
        json!({"Variables": {}})
    );
    let listed = lambda(&cloud, "GET", FUNCTIONS, &Value::Null).json()["Functions"][0].clone();
    for absent in ["State", "LastUpdateStatus", "RuntimeVersionConfig"] {
        assert_eq!(listed[absent], Value::Null, "{absent}");
    }
    assert_eq!(listed["FunctionName"], "f");
    let path = format!("{FUNCTIONS}?FunctionVersion=invalid");
    let (_, kind, message) = refusal(&cloud, "GET", &path, &Value::Null);
    assert_eq!(kind, "ValidationException");
    assert!(
        message.ends_with("Member must satisfy enum value set: [ALL]"),
        "{message}"
    );
}

#[test]
fn a_warm_process_is_used_again_and_a_change_makes_a_new_one() {
    let cloud = start_stopped();
    create_role(&cloud, "function", &["AWSLambdaBasicExecutionRole"]);
    let blue = json!({"Environment": {"Variables": {"COLOUR": "blue"}}});
    lambda(&cloud, "POST", FUNCTIONS, &function("f", blue));
    cloud.clock().advance(CHANGE);
    let (first, error, log) = invoke(&cloud, "f", json!({"n": 1}));
    assert_eq!(error, None, "{first}");
    assert_eq!(first["event"], json!({"n": 1}));
    assert_eq!(first["env"]["COLOUR"], "blue");
    assert!(log.contains("Init Duration: "), "{log}");
    for count in 2..6 {
        let (again, _, log) = invoke(&cloud, "f", json!({}));
        assert_eq!((pid(&again), &again["count"]), (pid(&first), &json!(count)));
        assert!(!log.contains("Init Duration"), "{log}");
    }
    let path = format!("{FUNCTIONS}/f/configuration");
    let red = json!({"Environment": {"Variables": {"COLOUR": "red"}}, "Timeout": 7});
    let updated = lambda(&cloud, "PUT", &path, &red);
    assert_eq!(
        (updated.status, &updated.json()["LastUpdateStatus"]),
        (200, &json!("InProgress"))
    );
    let (status, kind, message) = refusal(&cloud, "PUT", &path, &red);
    assert_eq!((status, kind.as_str()), (409, "ResourceConflictException"));
    assert!(message.contains("An update is in progress"), "{message}");
    assert_ends(pid(&first));
    cloud.clock().advance(CHANGE);
    let shown = settled(&cloud, "f");
    assert_eq!(
        (&shown["Timeout"], &shown["MemorySize"]),
        (&json!(7), &json!(128))
    );
    let (after, ..) = invoke(&cloud, "f", json!({}));
    assert_eq!(
        (&after["count"], &after["env"]["COLOUR"]),
        (&json!(1), &json!("red"))
    );

    let path = format!("{FUNCTIONS}/f/code");
    let stale = json!({"ZipFile": function_zip(), "RevisionId": "stale"});
    assert_eq!(refusal(&cloud, "PUT", &path, &stale).0, 412);
    let script = zip_of(&[("bootstrap", b"#!/bin/sh\nexit 5\n")]);
    let updated = lambda(&cloud, "PUT", &path, &json!({"ZipFile": script})).json();
    assert_ne!(updated["CodeSha256"], shown["CodeSha256"]);
    assert_ne!(updated["RevisionId"], shown["RevisionId"]);
    let (failed, error, _) = invoke(&cloud, "f", json!({}));
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(failed["errorType"], "Runtime.ExitError");

    lambda(&cloud, "DELETE", &format!("{FUNCTIONS}/f"), &Value::Null);
    assert_ends(pid(&after));
}

#[test]
fn a_process_finds_what_lambda_promises_and_nothing_of_the_readers() {
    let cloud = start();
    std::env::set_var("SECRET_OF_THE_READER", "x");
    create_function(&cloud, "f", json!({"MemorySize": 256, "Timeout": 60}));
    let now = || {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        since_epoch.expect("a clock").as_millis() as u64
    };
    let before = now();
    let (answer, ..) = invoke(&cloud, "f", json!({}));
    let after = now();
    let env = &answer["env"];
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", &cloud.endpoint()),
        ("_HANDLER", "bootstrap"),
        ("TZ", ":UTC"),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    let stream = env["AWS_LAMBDA_LOG_STREAM_NAME"]
        .as_str()
        .expect("a stream");
    let (date, unique) = stream.split_once("/[$LATEST]").expect("a version");
    assert_eq!((date.len(), unique.len()), (10, 32), "{stream}");
    assert_eq!(env["SECRET_OF_THE_READER"], Value::Null);
    assert_eq!(env["CARGO_MANIFEST_DIR"], Value::Null);
    let deadline = answer["deadline"].as_u64().expect("a time");
    assert!(
        (before + 60_000..=after + 60_000).contains(&deadline),
        "{before} {deadline} {after}"
    );
    assert_eq!(
        answer["arn"],
        "arn:aws:lambda:us-east-1:000000000000:function:f"
    );
    assert!(answer["trace"]
        .as_str()
        .is_some_and(|trace| trace.starts_with("Root=1-")));
    assert!(
        std::path::Path::new(env["LAMBDA_TASK_ROOT"].as_str().expect("a folder"))
            .join("bootstrap")
            .exists()
    );
}

#[test]
fn lines_come_in_order_between_start_and_report() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    invoke(&cloud, "f", json!({}));
    for _ in 0..20 {
        let (_, _, log) = invoke(&cloud, "f", json!({"print": 5, "partial": true}));
        let lines = lines(&log);
        let id = lines[0]
            .strip_prefix("START RequestId: ")
            .and_then(|rest| rest.strip_suffix(" Version: $LATEST"));
        let id = id.expect("a start");
        let mut expected = vec![lines[0].to_owned()];
        expected.extend((0..5).flat_map(|n| [format!("out {n}"), format!("err {n}")]));
        expected.push("no newline".to_owned());
        expected.push(format!("END RequestId: {id}"));
        assert_eq!(&lines[..lines.len() - 1], expected);
        let report = lines.last().expect("a report");
        let fields: Vec<&str> = report.trim_end().split('\t').collect();
        assert_eq!(fields[0], format!("REPORT RequestId: {id}"));
        assert!(
            fields[1].starts_with("Duration: ") && fields[1].ends_with(" ms"),
            "{report}"
        );
        assert!(fields[2].starts_with("Billed Duration: "), "{report}");
        assert_eq!(fields[3], "Memory Size: 128 MB");
        #[cfg(target_os = "linux")]
        assert!(
            fields[4].starts_with("Max Memory Used: ") && !fields[4].contains(" 0 MB"),
            "{report}"
        );
    }
}

#[test]
fn the_tail_is_the_last_four_kilobytes() {
    let cloud = start();
    create_function(&cloud, "f", json!({"Timeout": 30}));
    let (_, _, log) = invoke(&cloud, "f", json!({"print": 20_000}));
    assert_eq!(log.len(), 4096);
    assert!(
        log.contains("err 19999") && log.contains("REPORT RequestId") && !log.contains("START"),
        "{log}"
    );
    let quiet = invoke_with(&cloud, "f", &[], &json!({}));
    assert_eq!(quiet.header("x-amz-log-result"), None);
    assert_eq!(quiet.header("x-amz-executed-version"), Some("$LATEST"));
}

#[test]
fn logs_in_json_are_platform_events() {
    let cloud = start();
    create_function(
        &cloud,
        "f",
        json!({"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"}}),
    );
    let (answer, _, log) = invoke(&cloud, "f", json!({}));
    assert_eq!(answer["env"]["AWS_LAMBDA_LOG_FORMAT"], "JSON");
    assert_eq!(answer["env"]["AWS_LAMBDA_LOG_LEVEL"], "DEBUG");
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(events.len(), 2, "{log}");
    assert_eq!(events[0]["type"], "platform.start");
    assert_eq!(events[0]["record"]["version"], "$LATEST");
    let record = &events[1]["record"];
    assert_eq!(
        (&events[1]["type"], &record["status"]),
        (&json!("platform.report"), &json!("success"))
    );
    assert_eq!(record["requestId"], events[0]["record"]["requestId"]);
    assert_eq!(record["metrics"]["memorySizeMB"], 128);
    assert!(
        record["metrics"]["initDurationMs"]
            .as_f64()
            .is_some_and(|ms| ms > 0.0),
        "{log}"
    );
    let (_, _, log) = invoke(&cloud, "f", json!({"exit": 4}));
    assert!(
        log.contains(r#""status":"error""#) && log.contains(r#""errorType":"Runtime.ExitError""#),
        "{log}"
    );
}

/// The messages of all streams of a group, and how many streams there are.
fn logged(cloud: &LocalCloud, group: &str) -> (Vec<String>, usize) {
    let input = json!({ "logGroupName": group });
    let streams = logs(cloud, "DescribeLogStreams", input.clone());
    let events = logs(cloud, "FilterLogEvents", input);
    let messages = events["events"].as_array().expect("a list").iter();
    (
        messages
            .map(|event| event["message"].as_str().expect("text").to_owned())
            .collect(),
        streams["logStreams"].as_array().expect("a list").len(),
    )
}

#[test]
fn each_process_has_a_log_stream() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    let (answer, _, log) = invoke(&cloud, "f", json!({"print": 2}));
    let (messages, streams) = logged(&cloud, "/aws/lambda/f");
    assert_eq!(streams, 1);
    assert_eq!(messages[0], "starting");
    assert_eq!(messages[1..], lines(&log));
    let streams = logs(
        &cloud,
        "DescribeLogStreams",
        json!({"logGroupName": "/aws/lambda/f"}),
    );
    assert_eq!(
        streams["logStreams"][0]["logStreamName"],
        answer["env"]["AWS_LAMBDA_LOG_STREAM_NAME"]
    );
    invoke(&cloud, "f", json!({"exit": 1}));
    invoke(&cloud, "f", json!({}));
    let (messages, streams) = logged(&cloud, "/aws/lambda/f");
    assert_eq!(streams, 2);
    let of = |start: &str| {
        messages
            .iter()
            .filter(|line| line.starts_with(start))
            .count()
    };
    assert_eq!((of("START "), of("END "), of("REPORT ")), (3, 3, 3));

    create_function(
        &cloud,
        "elsewhere",
        json!({"LoggingConfig": {"LogGroup": "mine"}}),
    );
    invoke(&cloud, "elsewhere", json!({}));
    assert_eq!(logged(&cloud, "mine").1, 1);
}

#[test]
fn a_line_may_end_in_the_name_of_its_stream() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    let (answer, _, log) = invoke(&cloud, "f", json!({"stream": true}));
    let stream = answer["env"]["AWS_LAMBDA_LOG_STREAM_NAME"].as_str();
    let line = format!("in {}", stream.expect("a stream"));
    assert!(lines(&log).contains(&line.as_str()), "{log}");
}

#[test]
fn what_the_role_may_not_log_is_lost() {
    let cloud = start();
    let role = create_role(&cloud, "silent", &[]);
    create_function(&cloud, "f", json!({ "Role": role }));
    let groups = || logs(&cloud, "DescribeLogGroups", json!({}))["logGroups"].clone();
    let (_, error, log) = invoke(&cloud, "f", json!({"print": 1}));
    assert_eq!(error, None);
    assert!(log.contains("out 0"), "its caller has the lines: {log}");
    assert_eq!(groups(), json!([]));

    // May write to its group, but not make it.
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
        "Action":["logs:CreateLogStream","logs:PutLogEvents"],
        "Resource":"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*"}}"#;
    let input = [
        ("RoleName", "silent"),
        ("PolicyName", "logs"),
        ("PolicyDocument", policy),
    ];
    assert_eq!(iam_raw(&cloud, "PutRolePolicy", &input).status, 200);
    invoke(&cloud, "f", json!({}));
    assert_eq!(groups(), json!([]));
    logs(
        &cloud,
        "CreateLogGroup",
        json!({"logGroupName": "/aws/lambda/f"}),
    );
    let (_, _, log) = invoke(&cloud, "f", json!({}));
    assert_eq!(logged(&cloud, "/aws/lambda/f").0, lines(&log));
}

#[test]
fn a_function_that_takes_too_long_is_killed() {
    let cloud = start();
    create_function(&cloud, "f", json!({"Timeout": 1}));
    let since = Instant::now();
    let (answer, error, log) = invoke(&cloud, "f", json!({"sleep": 600_000}));
    assert!(since.elapsed() >= Duration::from_secs(1));
    assert_eq!(error.as_deref(), Some("Unhandled"));
    let id = lines(&log)[0].strip_prefix("START RequestId: ");
    let id = id.and_then(|rest| rest.strip_suffix(" Version: $LATEST"));
    let id = id.expect("a start");
    let message = format!("RequestId: {id} Error: Task timed out after 1.00 seconds");
    assert_eq!(
        answer,
        json!({"errorType": "Sandbox.Timedout", "errorMessage": message})
    );
    let line = format!("Z {id} Task timed out after 1.00 seconds");
    assert!(lines(&log).iter().any(|it| it.ends_with(&line)), "{log}");
    assert!(
        log.contains("\tDuration: 1000.00 ms\tBilled Duration: ")
            && log.trim_end().ends_with("Status: timeout"),
        "{log}"
    );
    assert_eq!(processes(&cloud), json!({"running": 0, "warm": 0}));
}

#[test]
fn a_process_that_ends_is_reported_and_replaced() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    for (event, reason) in [
        (
            json!({"exit": 1}),
            "Runtime exited with error: exit status 1",
        ),
        (
            json!({"exit": 0}),
            "Runtime exited without providing a reason",
        ),
        (
            json!({"abort": 1}),
            "Runtime exited with error: signal: aborted",
        ),
    ] {
        let (answer, error, log) = invoke(&cloud, "f", event);
        assert_eq!(error.as_deref(), Some("Unhandled"));
        assert_eq!(answer["errorType"], "Runtime.ExitError");
        let message = answer["errorMessage"].as_str().expect("a message");
        assert!(
            message.starts_with("RequestId: ") && message.ends_with(&format!(" Error: {reason}")),
            "{message}"
        );
        assert!(
            log.contains(message) && log.contains("Error Type: Runtime.ExitError"),
            "{log}"
        );
    }
    let (answer, error, log) = invoke(&cloud, "f", json!({}));
    assert_eq!((error, &answer["count"]), (None, &json!(1)));
    assert!(log.contains("Init Duration"), "{log}");
    let (answer, error, _) = invoke(&cloud, "f", json!({"leave": true}));
    assert_eq!(error, None, "it answered before it ended: {answer}");
}

#[test]
fn an_error_of_the_function_is_passed_on_and_the_process_kept() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    let (before, ..) = invoke(&cloud, "f", json!({}));
    let (answer, error, log) = invoke(&cloud, "f", json!({"error": true}));
    assert_eq!(
        answer,
        json!({"errorType": "Asked", "errorMessage": "as asked"})
    );
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert!(!log.contains("Status:"), "{log}");
    let (after, ..) = invoke(&cloud, "f", json!({}));
    assert_eq!((pid(&after), &after["count"]), (pid(&before), &json!(3)));
}

#[test]
fn a_start_that_fails_is_reported() {
    let cloud = start();
    let with = |start: &str| json!({"Environment": {"Variables": {"START": start}}});
    create_function(&cloud, "exits", with("exit"));
    let (answer, error, log) = invoke(&cloud, "exits", json!({}));
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(answer["errorType"], "Runtime.ExitError");
    assert!(
        answer["errorMessage"]
            .as_str()
            .is_some_and(|text| text.ends_with("exit status 3")),
        "{answer}"
    );
    assert!(log.contains("Error Type: Runtime.ExitError"), "{log}");
    create_function(&cloud, "reports", with("error"));
    let (answer, error, _) = invoke(&cloud, "reports", json!({}));
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(
        answer,
        json!({"errorType": "NoLuck", "errorMessage": "no luck"})
    );
    create_function(&cloud, "hangs", with("hang"));
    let (answer, error, _) = invoke(&cloud, "hangs", json!({}));
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(answer["errorType"], "Sandbox.Timedout");
    assert!(
        answer["errorMessage"]
            .as_str()
            .is_some_and(|text| text.ends_with(" Error: Task timed out after 10.00 seconds")),
        "{answer}"
    );
}

#[test]
fn a_program_that_cannot_run_here_says_how_to_build_one() {
    let cloud = start();
    let mut foreign = b"\x7fELF\x02\x01\x01".to_vec();
    foreign.resize(64, 0);
    for (file, part) in [
        (("bootstrap", foreign.as_slice()), "cargo build --release"),
        (
            ("other", b"#!/bin/sh\n".as_slice()),
            "Couldn't find valid bootstrap(s)",
        ),
    ] {
        let name = file.0;
        create_function(&cloud, name, json!({"Code": {"ZipFile": zip_of(&[file])}}));
        let (answer, error, log) = invoke(&cloud, name, json!({}));
        assert_eq!(error.as_deref(), Some("Unhandled"));
        assert_eq!(answer["errorType"], "Runtime.InvalidEntrypoint");
        assert!(
            answer["errorMessage"]
                .as_str()
                .is_some_and(|text| text.contains(part)),
            "{answer}"
        );
        assert!(log.contains(part), "{log}");
    }
}

#[test]
fn events_and_answers_have_their_limits() {
    let cloud = start();
    create_function(&cloud, "f", json!({"Timeout": 30}));
    let large = json!("x".repeat(6_291_555));
    let refused = invoke_with(&cloud, "f", &[], &large);
    assert_eq!(
        (refused.status, refused.header("x-amzn-errortype")),
        (413, Some("RequestTooLargeException"))
    );
    let event = ("x-amz-invocation-type", "Event");
    let refused = invoke_with(&cloud, "f", &[event], &json!("x".repeat(1024 * 1024)));
    assert_eq!(
        (refused.status, refused.header("x-amzn-errortype")),
        (413, Some("RequestTooLargeException"))
    );
    let path = format!("{FUNCTIONS}/f/invocations");
    let refused = exchange(&cloud, &request("POST", &path, &[], b"not json")).expect("an answer");
    assert_eq!(
        (refused.status, refused.header("x-amzn-errortype")),
        (400, Some("InvalidRequestContentException"))
    );
    let empty = exchange(&cloud, &request("POST", &path, &[], b"")).expect("an answer");
    assert_eq!(empty.json()["event"], json!({}));
    let fits = invoke(&cloud, "f", json!({"large": 6_291_554}));
    assert_eq!(
        (fits.1, fits.0.as_str().map(str::len)),
        (None, Some(6_291_554))
    );
    let (answer, error, _) = invoke(&cloud, "f", json!({"large": 6_291_555}));
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(answer["errorType"], "Function.ResponseSizeTooLarge");
    let (_, error, _) = invoke(&cloud, "f", json!({}));
    assert_eq!(error, None, "the process goes on");
    let unknown = invoke_with(&cloud, "nobody", &[], &json!({}));
    assert_eq!(
        (unknown.status, unknown.header("x-amzn-errortype")),
        (404, Some("ResourceNotFoundException"))
    );
}

#[test]
fn more_than_the_concurrency_is_throttled() {
    let cloud = start();
    create_function(&cloud, "f", json!({"Timeout": 30}));
    let path = "/2017-10-31/functions/f/concurrency";
    let put = lambda(
        &cloud,
        "PUT",
        path,
        &json!({"ReservedConcurrentExecutions": 2}),
    );
    assert_eq!(
        (put.status, put.json()),
        (200, json!({"ReservedConcurrentExecutions": 2}))
    );
    let got = lambda(
        &cloud,
        "GET",
        "/2019-09-30/functions/f/concurrency",
        &Value::Null,
    );
    assert_eq!(got.json(), json!({"ReservedConcurrentExecutions": 2}));
    let folder = Folder::new("released");
    let released = folder.path("now");
    let (answers, refused) = thread::scope(|scope| {
        let slow: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| invoke(&cloud, "f", json!({ "until": released }))))
            .collect();
        let since = Instant::now();
        while processes(&cloud)["running"] != 2 {
            assert!(since.elapsed() < LIMIT, "{}", processes(&cloud));
            thread::sleep(Duration::from_millis(10));
        }
        let refused = invoke_with(&cloud, "f", &[], &json!({}));
        std::fs::write(&released, "").expect("a file");
        (
            slow.into_iter()
                .map(|call| call.join().expect("an answer"))
                .collect::<Vec<_>>(),
            refused,
        )
    });
    assert_eq!(
        (refused.status, refused.header("x-amzn-errortype")),
        (429, Some("TooManyRequestsException"))
    );
    assert_ne!(
        pid(&answers[0].0),
        pid(&answers[1].0),
        "a process works on one event at a time"
    );
    assert_eq!(
        invoke(&cloud, "f", json!({})).1,
        None,
        "there is room again"
    );

    let none = json!({"ReservedConcurrentExecutions": 0});
    assert_eq!(lambda(&cloud, "PUT", path, &none).status, 200);
    assert_eq!(invoke_with(&cloud, "f", &[], &json!({})).status, 429);
    let (_, kind, _) = refusal(
        &cloud,
        "PUT",
        path,
        &json!({"ReservedConcurrentExecutions": 901}),
    );
    assert_eq!(kind, "InvalidParameterValueException");
    assert_eq!(lambda(&cloud, "DELETE", path, &Value::Null).status, 204);
    assert_eq!(invoke(&cloud, "f", json!({})).1, None);
}

/// How many processes of the first function run, and how many are warm.
fn processes(cloud: &LocalCloud) -> Value {
    let status = exchange(cloud, &request("GET", "/lab/status", &[], b"")).expect("an answer");
    let function = &status.json()["functions"][0];
    json!({"running": function["running"], "warm": function["warm"]})
}

/// A folder for a test's files. It ends with this value.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("localcloud-test-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn path(&self, file: &str) -> String {
        let path = self.0.join(file);
        path.to_str().expect("a path").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_dry_run_does_nothing() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    let dry = invoke_with(
        &cloud,
        "f",
        &[("x-amz-invocation-type", "DryRun")],
        &json!({}),
    );
    assert_eq!((dry.status, dry.body.as_str()), (204, ""));
    let (answer, ..) = invoke(&cloud, "f", json!({}));
    assert_eq!(answer["count"], 1);
}

#[test]
fn an_event_is_taken_at_once_and_tried_three_times() {
    let cloud = start_stopped();
    create_role(&cloud, "function", &[]);
    let folder = Folder::new("attempts");
    let attempts = folder.path("attempts");
    let script = format!("#!/bin/sh\necho run >> {attempts}\nexit 1\n");
    let code = json!({"Code": {"ZipFile": zip_of(&[("bootstrap", script.as_bytes())])}});
    lambda(&cloud, "POST", FUNCTIONS, &function("f", code));
    cloud.clock().advance(CHANGE);
    let event = ("x-amz-invocation-type", "Event");
    let taken = invoke_with(&cloud, "f", &[event], &json!({}));
    assert_eq!((taken.status, taken.body.as_str()), (202, ""));
    let count = || {
        let attempts = std::fs::read_to_string(&attempts);
        attempts.unwrap_or_default().lines().count()
    };
    let since = Instant::now();
    // A minute after the first attempt, two after the second.
    for (attempt, seconds) in [(1, 0), (2, 60), (3, 180)] {
        while count() < attempt {
            let moved = cloud.clock().moved();
            assert!(since.elapsed() < LIMIT, "{} attempts in {moved:?}", count());
            cloud.clock().advance(Duration::from_secs(1));
            thread::sleep(Duration::from_millis(5));
        }
        let moved = cloud.clock().moved();
        assert!(
            moved >= Duration::from_secs(seconds),
            "{attempt}: {moved:?}"
        );
    }
    for _ in 0..20 {
        cloud.clock().advance(Duration::from_secs(60));
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(count(), 3);
}

#[test]
#[cfg(target_os = "linux")]
fn no_process_outlives_the_cloud() {
    let cloud = start();
    create_function(&cloud, "f", json!({}));
    let (answer, _, log) = invoke(&cloud, "f", json!({"child": true}));
    let child = lines(&log)
        .iter()
        .find_map(|line| line.strip_prefix("child "))
        .expect("a child");
    let child: u64 = child.parse().expect("a number");
    let folder = answer["env"]["LAMBDA_TASK_ROOT"]
        .as_str()
        .expect("a folder")
        .to_owned();
    assert!(is_alive(pid(&answer)) && is_alive(child));
    drop(cloud);
    assert_ends(pid(&answer));
    assert_ends(child);
    assert!(!std::path::Path::new(&folder).exists(), "nor does its code");
}

/// Not a test of its own: a cloud in a process that another test can kill.
#[test]
#[ignore = "the process that the next test kills"]
fn a_cloud_to_kill() {
    let cloud = start();
    create_function(&cloud, "f", json!({"Timeout": 60}));
    let (answer, ..) = invoke(&cloud, "f", json!({}));
    println!("\npid {}", pid(&answer));
    invoke(&cloud, "f", json!({"sleep": 50_000}));
}

#[test]
#[cfg(target_os = "linux")]
fn no_process_outlives_a_cloud_that_is_killed() {
    let mut cloud = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--ignored",
            "--exact",
            "lambda::a_cloud_to_kill",
            "--nocapture",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let output = BufReader::new(cloud.stdout.take().expect("output"));
    let line = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("pid ")?.to_owned()));
    let pid: u64 = line.expect("a process id").parse().expect("a number");
    thread::sleep(Duration::from_millis(300));
    assert!(is_alive(pid), "busy with the second event");
    cloud.kill().expect("SIGKILL");
    let _ = cloud.wait();
    assert_ends(pid);
}
