//! Invocations: limits, concurrency, dry runs and events.

use super::*;

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
