//! The processes of functions: what they find, how they start and end, and that none outlives the local cloud.

use super::*;

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
    assert_eq!(
        env["AWS_LAMBDA_LOG_FORMAT"],
        Value::Null,
        "only when it is JSON"
    );
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
            "lambda::processes::a_cloud_to_kill",
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
