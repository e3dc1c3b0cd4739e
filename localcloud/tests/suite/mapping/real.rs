//! Over HTTP, with a function that is a process and a role that has policies.

use super::*;

const MAPPINGS: &str = "/2015-03-31/event-source-mappings/";

/// A function `work` with a role that may only write logs, refused first and accepted once it has the policy.
fn denied_then_mapped(cloud: &LocalCloud, input: &Value, denial: &str, policy: &str) -> String {
    let role = create_role(cloud, "reader", &["AWSLambdaBasicExecutionRole"]);
    create_function(cloud, "work", json!({ "Role": role }));
    let refused = lambda(cloud, "POST", MAPPINGS, input);
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.header("x-amzn-errortype"),
        Some("InvalidParameterValueException")
    );
    assert_eq!(refused.json()["message"], denial);
    let arn = format!("arn:aws:iam::aws:policy/service-role/{policy}");
    let attached = iam_raw(
        cloud,
        "AttachRolePolicy",
        &[("RoleName", "reader"), ("PolicyArn", &arn)],
    );
    assert_eq!(attached.status, 200);
    let created = lambda(cloud, "POST", MAPPINGS, input);
    assert_eq!(created.status, 202, "{created:?}");
    created.json()["UUID"].as_str().expect("an id").to_owned()
}

/// Waits until something is as it should be.
fn eventually<T: PartialEq + std::fmt::Debug>(what: &str, wanted: T, mut seen: impl FnMut() -> T) {
    let began = Instant::now();
    loop {
        let now = seen();
        if now == wanted {
            return;
        }
        assert!(
            began.elapsed() < LIMIT,
            "in vain: {what} is {now:?}, not {wanted:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_real_function_empties_a_queue_when_its_role_may() {
    let cloud = crate::support::start_patient();
    let queue = crate::support::create_queue(&cloud, "q", json!({}));
    let input = json!({ "FunctionName": "work", "EventSourceArn": arn("q") });
    let denial =
        "The function execution role does not have permissions to call ReceiveMessage on SQS";
    let uuid = denied_then_mapped(&cloud, &input, denial, "AWSLambdaSQSQueueExecutionRole");
    for body in ["a", "b", "c"] {
        crate::support::send(&cloud, &queue, body);
    }
    eventually("the number of messages", (0, 0, 0), || {
        crate::support::counts(&cloud, &queue)
    });
    let status = crate::support::exchange(
        &cloud,
        &crate::support::request("GET", "/lab/status", &[], b""),
    );
    let status = status.expect("an answer").json();
    assert_eq!(status["mappings"][0]["uuid"], uuid);
    // The mapping outlives its function.
    assert_eq!(
        lambda(&cloud, "DELETE", "/2015-03-31/functions/work", &Value::Null).status,
        204
    );
    let path = format!("{MAPPINGS}{uuid}");
    assert_eq!(
        lambda(&cloud, "GET", &path, &Value::Null).json()["State"],
        "Enabled"
    );
    assert_eq!(lambda(&cloud, "DELETE", &path, &Value::Null).status, 202);
    eventually("the status of the mapping", 404, || {
        lambda(&cloud, "GET", &path, &Value::Null).status
    });
}

#[test]
fn a_real_function_gets_the_records_of_a_stream_when_its_role_may() {
    let cloud = crate::support::start_patient();
    crate::support::create_stream(&cloud, "s", 1);
    let input = json!({
        "FunctionName": "work",
        "EventSourceArn": arn("stream/s"),
        "StartingPosition": "TRIM_HORIZON",
    });
    let denial = format!(
        "Cannot access stream {}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, \
         ListShards, and ListStreams Actions on your stream in IAM.",
        arn("stream/s")
    );
    let uuid = denied_then_mapped(&cloud, &input, &denial, "AWSLambdaKinesisExecutionRole");
    let record = json!({ "StreamName": "s", "PartitionKey": "k", "Data": "aGVsbG8=" });
    crate::support::kinesis(&cloud, "PutRecord", record);
    let path = format!("{MAPPINGS}{uuid}");
    eventually("the mapping's result", json!("OK"), || {
        lambda(&cloud, "GET", &path, &Value::Null).json()["LastProcessingResult"].clone()
    });
}
