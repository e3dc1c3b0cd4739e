//! A function's log.

use super::*;

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
