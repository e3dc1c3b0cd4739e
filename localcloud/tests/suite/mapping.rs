//! Event source mappings, with functions that run in this process: what reaches a function, how often, in which order,
//! and what happens to what it fails.

use crate::support::functions::{create_function, create_role, lambda};
use crate::support::iam_raw;
use bytes::Bytes;
use hyper::{Method, Uri};
use localcloud::clock::{Clock, Pace};
use localcloud::events::Events;
use localcloud::faults::Faults;
use localcloud::kinesis::Kinesis;
use localcloud::lambda::mapping::{Access, Function, Functions, Invocation, Mappings};
use localcloud::lambda::{Call, Invoked};
use localcloud::sqs::Sqs;
use localcloud::wire::error::ApiError;
use localcloud::LocalCloud;
use serde_json::{json, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ROLE: &str = "arn:aws:iam::000000000000:role/reader";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:work";
const BASE: &str = "https://sqs.us-east-1.amazonaws.com";
const PATIENCE: Duration = Duration::from_millis(40);

/// What a function answers to an event: its answer, or that it failed.
type Handler = Box<dyn Fn(&Value) -> Result<Value, ()> + Send + Sync>;

/// The functions and the roles of a lab: one function.
struct World {
    handler: Handler,
    timeout: Mutex<u32>,
    /// How long an invocation takes, by the machine's time.
    takes: Duration,
    events: Mutex<Vec<Value>>,
    running: AtomicUsize,
    most_running: AtomicUsize,
    denied: Mutex<BTreeSet<String>>,
    is_gone: Mutex<bool>,
    throttles: AtomicUsize,
}

impl Functions for World {
    fn find(&self, function: &str) -> Option<Function> {
        let known = function == "work" || function == FUNCTION;
        (known && !*self.is_gone.lock().expect("a lock")).then(|| Function {
            arn: FUNCTION.to_owned(),
            role: ROLE.to_owned(),
            timeout: *self.timeout.lock().expect("a lock"),
        })
    }

    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> Invocation<'a> {
        assert_eq!(function, FUNCTION);
        Box::pin(async move {
            let one_less = |left: usize| left.checked_sub(1);
            if self
                .throttles
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                .is_ok()
            {
                return Err(ApiError::sender(
                    "TooManyRequestsException",
                    "Rate Exceeded.",
                ));
            }
            let event: Value = serde_json::from_slice(&payload).expect("an event");
            let number = {
                let mut events = self.events.lock().expect("a lock");
                events.push(event.clone());
                events.len()
            };
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_running.fetch_max(running, Ordering::SeqCst);
            tokio::time::sleep(self.takes).await;
            self.running.fetch_sub(1, Ordering::SeqCst);
            let answer = (self.handler)(&event);
            Ok(Invoked {
                error: answer.is_err().then(|| "Unhandled".to_owned()),
                payload: answer.map_or_else(|()| "{}".into(), |answer| answer.to_string().into()),
                request_id: format!("request-{number}"),
                log_tail: String::new(),
            })
        })
    }
}

impl Access for World {
    fn allows(&self, role: &str, action: &str, resource: &str) -> bool {
        assert_eq!(role, ROLE);
        assert!(resource.starts_with("arn:aws:"), "{resource}");
        !self.denied.lock().expect("a lock").contains(action)
    }
}

struct Lab {
    clock: Clock,
    sqs: Sqs,
    kinesis: Kinesis,
    mappings: Mappings,
    world: Arc<World>,
}

impl Lab {
    /// Waits that nobody ends are skipped.
    fn new(handler: impl Fn(&Value) -> Result<Value, ()> + Send + Sync + 'static) -> Self {
        Self::with(Pace::Patient(PATIENCE), Duration::ZERO, handler)
    }

    fn with(
        pace: Pace,
        takes: Duration,
        handler: impl Fn(&Value) -> Result<Value, ()> + Send + Sync + 'static,
    ) -> Self {
        let clock = Clock::with_pace(pace);
        let events = Events::new(clock.clone());
        let faults = Faults::new(events.clone());
        let sqs = Sqs::new(clock.clone(), events.clone(), faults.clone(), 1);
        let kinesis = Kinesis::new(clock.clone(), events.clone(), faults.clone());
        let world = Arc::new(World {
            handler: Box::new(handler),
            timeout: Mutex::new(3),
            takes,
            events: Mutex::default(),
            running: AtomicUsize::default(),
            most_running: AtomicUsize::default(),
            denied: Mutex::default(),
            is_gone: Mutex::default(),
            throttles: AtomicUsize::default(),
        });
        let mappings = Mappings::new(
            clock.clone(),
            events,
            sqs.clone(),
            kinesis.clone(),
            world.clone(),
            world.clone(),
            1,
        );
        Self {
            clock,
            sqs,
            kinesis,
            mappings,
            world,
        }
    }

    async fn sqs(&self, operation: &str, input: Value) -> Value {
        let input = input.to_string();
        let output = self.sqs.call(operation, input.as_bytes(), BASE).await;
        let output = output.unwrap_or_else(|error| panic!("{operation} {input}: {error}"));
        serde_json::from_slice(&output).unwrap_or_default()
    }

    async fn queue(&self, name: &str, attributes: Value) -> String {
        let input = json!({ "QueueName": name, "Attributes": attributes });
        let created = self.sqs("CreateQueue", input).await;
        created["QueueUrl"].as_str().expect("a URL").to_owned()
    }

    /// Up to ten messages in one go, so that they can be received in one.
    async fn send(&self, queue: &str, bodies: &[&str]) {
        let entries: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(id, body)| json!({ "Id": id.to_string(), "MessageBody": body }))
            .collect();
        self.sqs(
            "SendMessageBatch",
            json!({ "QueueUrl": queue, "Entries": entries }),
        )
        .await;
    }

    async fn send_in_groups(&self, queue: &str, messages: &[(&str, &str)]) {
        let entries: Vec<_> = messages
            .iter()
            .enumerate()
            .map(|(id, (group, body))| {
                json!({
                    "Id": id.to_string(),
                    "MessageBody": body,
                    "MessageGroupId": group,
                    "MessageDeduplicationId": body.get(..20).unwrap_or(body),
                })
            })
            .collect();
        self.sqs(
            "SendMessageBatch",
            json!({ "QueueUrl": queue, "Entries": entries }),
        )
        .await;
    }

    /// Messages that are visible, and in flight.
    async fn counts(&self, queue: &str) -> (u32, u32) {
        let input = json!({ "QueueUrl": queue, "AttributeNames": ["All"] });
        let answer = self.sqs("GetQueueAttributes", input).await;
        let count = |name: &str| {
            let count = answer["Attributes"][name].as_str();
            count.and_then(|text| text.parse().ok()).expect("a number")
        };
        (
            count("ApproximateNumberOfMessages"),
            count("ApproximateNumberOfMessagesNotVisible"),
        )
    }

    async fn is_empty(&self, queue: &str) {
        self.until("the queue is empty", async || {
            self.counts(queue).await == (0, 0)
        })
        .await;
    }

    async fn stream(&self, shards: u32) {
        let input = json!({ "StreamName": "s", "ShardCount": shards });
        self.ask("CreateStream", input).await;
        self.active().await;
    }

    async fn active(&self) {
        self.until("the stream is active", async || {
            let summary = self
                .ask("DescribeStreamSummary", json!({ "StreamName": "s" }))
                .await;
            summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"
        })
        .await;
    }

    async fn ask(&self, operation: &str, input: Value) -> Value {
        let output = self.kinesis.ask(operation, input.clone()).await;
        output.unwrap_or_else(|error| panic!("{operation} {input}: {error}"))
    }

    /// Records with these keys and texts in one go.
    async fn put(&self, records: &[(&str, &str)]) {
        let records: Vec<_> = records
            .iter()
            .map(|(key, data)| json!({ "PartitionKey": key, "Data": base64(data) }))
            .collect();
        let put = self
            .ask(
                "PutRecords",
                json!({ "StreamName": "s", "Records": records }),
            )
            .await;
        assert_eq!(put["FailedRecordCount"], 0);
    }

    /// A call of the REST API; `rest` is what follows the collection's path.
    async fn call(&self, method: &str, rest: &str, body: Value) -> Result<Value, ApiError> {
        self.answer(method, rest, body)
            .await
            .map(|(_, answer)| answer)
    }

    async fn answer(
        &self,
        method: &str,
        rest: &str,
        body: Value,
    ) -> Result<(u16, Value), ApiError> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let uri = format!("/2015-03-31/event-source-mappings{rest}");
        let uri: Uri = uri.parse().expect("a URI");
        let call = Call::find(&method, &uri).expect("a call of Lambda's");
        assert!(call.is_for_mappings());
        let answer = self
            .mappings
            .call(&call, body.to_string().as_bytes())
            .await?;
        let body = serde_json::from_slice(&answer.body).expect("JSON");
        Ok((answer.status, body))
    }

    /// Maps a queue or the stream to the function; gives the UUID.
    async fn map(&self, source: &str, settings: Value) -> String {
        let created = self.call("POST", "/", with_source(source, settings)).await;
        let created = created.expect("a mapping");
        created["UUID"].as_str().expect("an id").to_owned()
    }

    async fn refused(&self, source: &str, settings: Value) -> (String, String) {
        let error = self.call("POST", "/", with_source(source, settings)).await;
        let error = error.expect_err("a refusal");
        (error.code, error.message)
    }

    async fn get(&self, uuid: &str) -> Value {
        let got = self.call("GET", &format!("/{uuid}"), Value::Null).await;
        got.expect("a mapping")
    }

    async fn is_in_state(&self, uuid: &str, state: &str) {
        self.until(state, async || self.get(uuid).await["State"] == state)
            .await;
    }

    /// Waits by the machine's time.
    async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !holds().await {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "in vain: {what}: {:?}",
                self.batches()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The texts of each batch so far.
    fn batches(&self) -> Vec<Vec<String>> {
        let events = self.world.events.lock().expect("a lock");
        events.iter().map(texts).collect()
    }

    /// How often the function got each text.
    fn runs(&self) -> BTreeMap<String, usize> {
        let mut runs = BTreeMap::new();
        for text in self.batches().into_iter().flatten() {
            *runs.entry(text).or_default() += 1;
        }
        runs
    }

    async fn has_run(&self, invocations: usize) {
        let what = format!("{invocations} invocations");
        self.until(&what, async || self.batches().len() >= invocations)
            .await;
    }

    /// The same for what happens by the lab's clock, which goes on by `step` all the while.
    async fn has_run_in(&self, step: Duration, invocations: usize) {
        let what = format!("{invocations} invocations");
        let goes_on = async || {
            self.clock.advance(step);
            self.batches().len() >= invocations
        };
        self.until(&what, goes_on).await;
    }

    fn set_denied(&self, actions: &[&str]) {
        *self.world.denied.lock().expect("a lock") =
            actions.iter().map(|&action| action.to_owned()).collect();
    }

    /// Time enough for what should not happen.
    async fn quiet(&self) {
        tokio::time::sleep(PATIENCE * 5).await;
    }
}

fn with_source(source: &str, settings: Value) -> Value {
    let mut input = json!({ "FunctionName": "work", "EventSourceArn": arn(source) });
    for (name, value) in settings.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    input
}

/// `stream/s` is the stream, anything else a queue.
fn arn(source: &str) -> String {
    let service = if source.starts_with("stream/") {
        "kinesis"
    } else {
        "sqs"
    };
    format!("arn:aws:{service}:us-east-1:000000000000:{source}")
}

fn texts(event: &Value) -> Vec<String> {
    let records = event["Records"].as_array().expect("records");
    records.iter().map(text).collect()
}

fn text(record: &Value) -> String {
    match record["body"].as_str() {
        Some(body) => body.to_owned(),
        None => {
            let data = record["kinesis"]["data"].as_str().expect("data");
            let data = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, data);
            String::from_utf8(data.expect("base64")).expect("text")
        }
    }
}

fn base64(text: &str) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text)
}

fn succeed(_: &Value) -> Result<Value, ()> {
    Ok(Value::Null)
}

/// Fails the whole event when there is poison in it.
fn choke(event: &Value) -> Result<Value, ()> {
    match texts(event).iter().any(|text| text.contains("poison")) {
        true => Err(()),
        false => Ok(Value::Null),
    }
}

/// Reports the poison, and nothing else.
fn report(event: &Value) -> Result<Value, ()> {
    let records = event["Records"].as_array().expect("records").iter();
    let poison = records.filter(|record| text(record).contains("poison"));
    let failures: Vec<_> = poison
        .map(|record| match record["messageId"].as_str() {
            Some(id) => json!({ "itemIdentifier": id }),
            None => json!({ "itemIdentifier": record["kinesis"]["sequenceNumber"] }),
        })
        .collect();
    Ok(json!({ "batchItemFailures": failures }))
}

const TEN: [&str; 10] = ["0", "1", "2", "poison", "4", "5", "6", "7", "8", "9"];

fn ten_records() -> Vec<(&'static str, &'static str)> {
    TEN.iter().map(|text| ("key", *text)).collect()
}

const REPORTS: &str = "ReportBatchItemFailures";

// The operations.

#[tokio::test]
async fn a_mapping_of_a_queue_is_described_as_aws_does() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({})).await;
    let created = lab.answer("POST", "", with_source("q", json!({}))).await;
    let (status, created) = created.expect("a mapping");
    assert_eq!(status, 202);
    let uuid = created["UUID"].as_str().expect("an id");
    assert_eq!(uuid.len(), 36);
    assert!(created["LastModified"].is_f64());
    let mut expected = json!({
        "UUID": uuid,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": arn("q"),
        "EventSourceMappingArn": format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"),
        "FunctionArn": FUNCTION,
        "FunctionResponseTypes": [],
        "LastModified": created["LastModified"],
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    });
    assert_eq!(created, expected);
    expected["State"] = "Enabled".into();
    assert_eq!(lab.get(uuid).await, expected);
}

#[tokio::test]
async fn a_mapping_of_a_stream_is_described_as_aws_does() {
    let lab = Lab::new(succeed);
    lab.stream(1).await;
    let settings = json!({ "StartingPosition": "LATEST", "FunctionResponseTypes": [REPORTS] });
    let uuid = lab.map("stream/s", settings).await;
    let got = lab.get(&uuid).await;
    assert_eq!(
        got,
        json!({
            "UUID": uuid,
            "BatchSize": 100,
            "BisectBatchOnFunctionError": false,
            "DestinationConfig": { "OnFailure": {} },
            "EventSourceArn": arn("stream/s"),
            "EventSourceMappingArn": format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"),
            "FunctionArn": FUNCTION,
            "FunctionResponseTypes": [REPORTS],
            "LastModified": got["LastModified"],
            "LastProcessingResult": "No records processed",
            "MaximumBatchingWindowInSeconds": 0,
            "MaximumRecordAgeInSeconds": -1,
            "MaximumRetryAttempts": -1,
            "ParallelizationFactor": 1,
            "StartingPosition": "LATEST",
            "State": "Enabled",
            "StateTransitionReason": "User action",
            "TumblingWindowInSeconds": 0,
        })
    );
}

#[tokio::test]
async fn without_the_permission_a_mapping_is_denied() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({})).await;
    lab.stream(1).await;
    for action in ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] {
        lab.set_denied(&[&format!("sqs:{action}")]);
        let message = format!(
            "The function execution role does not have permissions to call {action} on SQS"
        );
        let refusal = ("InvalidParameterValueException".to_owned(), message);
        assert_eq!(lab.refused("q", json!({})).await, refusal);
    }
    let from = json!({ "StartingPosition": "LATEST" });
    for action in [
        "GetRecords",
        "GetShardIterator",
        "DescribeStream",
        "ListShards",
        "ListStreams",
    ] {
        lab.set_denied(&[&format!("kinesis:{action}")]);
        let message = format!(
            "Cannot access stream {}. Please ensure the role can perform the GetRecords, GetShardIterator, \
             DescribeStream, ListShards, and ListStreams Actions on your stream in IAM.",
            arn("stream/s")
        );
        let refusal = ("InvalidParameterValueException".to_owned(), message);
        assert_eq!(lab.refused("stream/s", from.clone()).await, refusal);
    }
    lab.set_denied(&["sqs:SendMessage"]);
    let mut settings = from.clone();
    settings["DestinationConfig"] = json!({ "OnFailure": { "Destination": arn("q") } });
    let (_, message) = lab.refused("stream/s", settings).await;
    assert_eq!(
        message,
        "The function execution role does not have permissions to call SendMessage on SQS"
    );
    lab.map("q", json!({})).await;
    lab.map("stream/s", from).await;
}

#[tokio::test]
async fn a_function_may_not_take_longer_than_its_messages_are_hidden() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({ "VisibilityTimeout": "60" })).await;
    *lab.world.timeout.lock().expect("a lock") = 180;
    let message = "Queue visibility timeout: 60 seconds is less than Function timeout: 180 seconds";
    assert_eq!(lab.refused("q", json!({})).await.1, message);
    *lab.world.timeout.lock().expect("a lock") = 60;
    lab.map("q", json!({})).await;
}

#[tokio::test]
async fn a_pair_is_mapped_once() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({})).await;
    lab.stream(1).await;
    let from = json!({ "StartingPosition": "LATEST" });
    let (queue, stream) = (
        lab.map("q", json!({})).await,
        lab.map("stream/s", from.clone()).await,
    );
    let error = lab
        .call("POST", "", with_source("q", json!({})))
        .await
        .expect_err("a refusal");
    assert_eq!(
        (error.code.as_str(), error.status),
        ("ResourceConflictException", 409)
    );
    assert_eq!(
        error.message,
        format!(
            "An event source mapping with SQS arn (\" {} \") and function (\" work \") already exists. \
             Please update or delete the existing mapping with UUID {queue}",
            arn("q")
        )
    );
    let (code, message) = lab.refused("stream/s", from).await;
    assert_eq!(code, "ResourceConflictException");
    assert!(message.ends_with(&stream), "{message}");
    lab.call("DELETE", &format!("/{queue}"), Value::Null)
        .await
        .expect("it goes");
    lab.until("gone", async || {
        lab.call("GET", &format!("/{queue}"), Value::Null)
            .await
            .is_err()
    })
    .await;
    lab.map("q", json!({})).await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({})).await;
    for method in ["GET", "PUT", "DELETE"] {
        let error = lab
            .call(method, "/no-such-id", json!({}))
            .await
            .expect_err("nothing");
        assert_eq!(
            (error.code.as_str(), error.status),
            ("ResourceNotFoundException", 404)
        );
        assert_eq!(error.message, "The resource you requested does not exist.");
    }
    let (code, message) = lab.refused("q", json!({ "FunctionName": "other" })).await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(
        message,
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:other"
    );
    let (code, message) = lab.refused("nowhere", json!({})).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(
        message.contains("AWS.SimpleQueueService.NonExistentQueue"),
        "{message}"
    );
    let (_, message) = lab
        .refused("stream/nowhere", json!({ "StartingPosition": "LATEST" }))
        .await;
    assert_eq!(
        message,
        format!("Stream not found: {}", arn("stream/nowhere"))
    );
    let (_, message) = lab
        .refused(
            "",
            json!({ "EventSourceArn": "arn:aws:sns:us-east-1:000000000000:t" }),
        )
        .await;
    assert!(
        message.starts_with("Unrecognized event source"),
        "{message}"
    );
}

#[tokio::test]
async fn limits_hold_and_parameters_fit_their_source() {
    let lab = Lab::new(succeed);
    lab.queue("q", json!({})).await;
    lab.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    lab.stream(1).await;
    for (source, settings, says) in [
        ("q", json!({ "BatchSize": 0 }), "'0' at 'batchSize'"),
        (
            "q",
            json!({ "BatchSize": 10_001 }),
            "less than or equal to 10000",
        ),
        (
            "q",
            json!({ "BatchSize": 11 }),
            "Maximum batch window in seconds must be greater than 0",
        ),
        (
            "q",
            json!({ "MaximumBatchingWindowInSeconds": 301 }),
            "maximumBatchingWindowInSeconds",
        ),
        (
            "q",
            json!({ "ScalingConfig": { "MaximumConcurrency": 1 } }),
            "maximumConcurrency",
        ),
        (
            "q",
            json!({ "ScalingConfig": { "MaximumConcurrency": 1001 } }),
            "maximumConcurrency",
        ),
        (
            "q",
            json!({ "StartingPosition": "LATEST" }),
            "StartingPosition is not valid for SQS event sources.",
        ),
        (
            "q",
            json!({ "BisectBatchOnFunctionError": true }),
            "Unsupported BisectBatchOnFunctionError parameter",
        ),
        (
            "q",
            json!({ "MaximumRetryAttempts": 1 }),
            "Unsupported MaximumRetryAttempts parameter",
        ),
        (
            "q",
            json!({ "FunctionResponseTypes": ["Other"] }),
            "functionResponseTypes",
        ),
        (
            "q",
            json!({ "FilterCriteria": { "Filters": [{ "Pattern": "{" }] } }),
            "Invalid filter pattern definition.",
        ),
        (
            "q",
            json!({ "FilterCriteria": { "Filters": [{ "Pattern": "{\"messageId\": [\"m\"]}" }] } }),
            "names body, not messageId",
        ),
        (
            "stream/s",
            json!({
                "StartingPosition": "LATEST",
                "FilterCriteria": { "Filters": [{ "Pattern": "{\"data\": [\"plain\"]}" }] },
            }),
            "Filter pattern must be JSON.",
        ),
        (
            "q",
            json!({ "TumblingWindowInSeconds": 30 }),
            "not in this lab",
        ),
        (
            "q.fifo",
            json!({ "MaximumBatchingWindowInSeconds": 1 }),
            "Batching window is not supported for FIFO queues",
        ),
        ("q.fifo", json!({ "BatchSize": 11 }), "10 for FIFO queues"),
        (
            "stream/s",
            json!({}),
            "'startingPosition' failed to satisfy constraint: Member must not be null",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "NOW" }),
            "[LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "AT_TIMESTAMP" }),
            "StartingPositionTimestamp",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "StartingPositionTimestamp": 1 }),
            "Timestamp only valid with StartingPosition AT_TIMESTAMP",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "BatchSize": 10_001 }),
            "10000",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "ParallelizationFactor": 11 }),
            "parallelizationFactor",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "MaximumRecordAgeInSeconds": 59 }),
            "between 60 and 604800",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "MaximumRetryAttempts": 10_001 }),
            "maximumRetryAttempts",
        ),
        (
            "stream/s",
            json!({ "StartingPosition": "LATEST", "ScalingConfig": { "MaximumConcurrency": 2 } }),
            "Unsupported ScalingConfig parameter",
        ),
    ] {
        let (code, message) = lab.refused(source, settings.clone()).await;
        assert!(
            message.contains(says),
            "{source} {settings}: {code}: {message}"
        );
    }
    lab.map(
        "q",
        json!({ "BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1 }),
    )
    .await;
    lab.map(
        "stream/s",
        json!({ "StartingPosition": "LATEST", "BatchSize": 10_000 }),
    )
    .await;
}

#[tokio::test]
async fn mappings_are_listed_by_function_and_source_page_by_page() {
    let lab = Lab::new(succeed);
    let mut uuids = BTreeSet::new();
    for name in ["a", "b", "c"] {
        lab.queue(name, json!({})).await;
        uuids.insert(lab.map(name, json!({ "Enabled": false })).await);
    }
    let list = async |query: String| {
        let listed = lab.call("GET", &query, Value::Null).await.expect("a list");
        let found = listed["EventSourceMappings"]
            .as_array()
            .expect("a list")
            .clone();
        let found: Vec<_> = found
            .iter()
            .map(|mapping| mapping["UUID"].as_str().expect("an id").to_owned())
            .collect();
        (found, listed["NextMarker"].as_str().map(str::to_owned))
    };
    assert_eq!(list("/".into()).await.0.len(), 3);
    assert_eq!(list("?FunctionName=work".into()).await.0.len(), 3);
    assert_eq!(list("?FunctionName=other".into()).await.0.len(), 0);
    assert_eq!(
        list(format!("?EventSourceArn={}", arn("b"))).await.0.len(),
        1
    );
    let (mut found, marker) = list("?MaxItems=2".into()).await;
    assert_eq!(found.len(), 2);
    let (rest, end) = list(format!("?MaxItems=2&Marker={}", marker.expect("more"))).await;
    found.extend(rest);
    assert_eq!(
        (found.into_iter().collect::<BTreeSet<_>>(), end),
        (uuids, None)
    );
}

#[tokio::test]
async fn a_mapping_is_disabled_changed_and_enabled() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let uuid = lab.map("q", json!({ "Enabled": false })).await;
    assert_eq!(lab.get(&uuid).await["State"], "Disabled");
    lab.send(&queue, &["a", "b", "c"]).await;
    lab.quiet().await;
    assert_eq!(lab.counts(&queue).await, (3, 0));
    let update = async |changes: Value| lab.call("PUT", &format!("/{uuid}"), changes).await;
    let changed = update(json!({ "BatchSize": 2 })).await.expect("a change");
    assert_eq!(
        (&changed["BatchSize"], &changed["State"]),
        (&json!(2), &json!("Updating"))
    );
    let changed = update(json!({ "Enabled": true })).await.expect("a change");
    assert_eq!(
        (&changed["BatchSize"], &changed["State"]),
        (&json!(2), &json!("Enabling"))
    );
    lab.is_empty(&queue).await;
    assert_eq!(lab.batches().iter().map(Vec::len).max(), Some(2));
    assert_eq!(
        update(json!({ "Enabled": false })).await.expect("a change")["State"],
        "Disabling"
    );
    lab.is_in_state(&uuid, "Disabled").await;
    let runs = lab.batches().len();
    lab.send(&queue, &["d"]).await;
    lab.quiet().await;
    assert_eq!(
        (lab.batches().len(), lab.counts(&queue).await),
        (runs, (1, 0))
    );
    let refusal = update(json!({ "BatchSize": 11 }))
        .await
        .expect_err("a refusal");
    assert_eq!(refusal.code, "InvalidParameterValueException");
    assert_eq!(lab.get(&uuid).await["BatchSize"], 2);
}

#[tokio::test]
async fn a_change_waits_for_the_batch_under_way() {
    let lab = Lab::with(Pace::Patient(PATIENCE), Duration::from_millis(300), succeed);
    let queue = lab.queue("q", json!({})).await;
    let uuid = lab.map("q", json!({})).await;
    lab.send(&queue, &["a"]).await;
    lab.has_run(1).await;
    let path = format!("/{uuid}");
    let changed = lab
        .call("PUT", &path, json!({ "BatchSize": 5 }))
        .await
        .expect("a change");
    assert_eq!(changed["State"], "Updating");
    let error = lab
        .call("DELETE", &path, Value::Null)
        .await
        .expect_err("a refusal");
    assert_eq!(
        (error.code.as_str(), error.status),
        ("ResourceInUseException", 400)
    );
    lab.is_in_state(&uuid, "Enabled").await;
    lab.is_empty(&queue).await;
    assert_eq!(lab.batches().len(), 1);
    let deleted = lab
        .call("DELETE", &path, Value::Null)
        .await
        .expect("it goes");
    assert_eq!(deleted["State"], "Deleting");
    lab.until("gone", async || {
        lab.call("GET", &path, Value::Null).await.is_err()
    })
    .await;
}

// Queues.

#[tokio::test]
async fn a_change_hands_over_what_was_received_for_a_batch() {
    let disables = ("PUT", json!({ "Enabled": false }));
    let updates = ("PUT", json!({ "BatchSize": 50 }));
    for (method, change) in [disables, updates, ("DELETE", Value::Null)] {
        let lab = Lab::with(Pace::Machine, Duration::ZERO, succeed);
        let dead = lab.queue("dead", json!({})).await;
        let policy = json!({ "deadLetterTargetArn": arn("dead"), "maxReceiveCount": 1 });
        let attributes = json!({ "RedrivePolicy": policy.to_string() });
        let queue = lab.queue("q", attributes).await;
        let settings = json!({ "BatchSize": 100, "MaximumBatchingWindowInSeconds": 60 });
        let uuid = lab.map("q", settings).await;
        lab.send(&queue, &["a", "b"]).await;
        lab.until("the batch waits for more", async || {
            lab.counts(&queue).await == (0, 2)
        })
        .await;
        let changed = lab.call(method, &format!("/{uuid}"), change).await;
        changed.expect("a change");
        lab.is_empty(&queue).await;
        assert_eq!(
            lab.runs(),
            BTreeMap::from([("a".into(), 1), ("b".into(), 1)])
        );
        assert_eq!(lab.counts(&dead).await, (0, 0));
    }
}

#[tokio::test]
async fn a_message_arrives_as_aws_shows_it_and_is_deleted() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let sent = lab
        .sqs(
            "SendMessage",
            json!({
                "QueueUrl": queue,
                "MessageBody": "hello",
                "MessageAttributes": {
                    "Text": { "DataType": "String", "StringValue": "x" },
                    "Bytes": { "DataType": "Binary", "BinaryValue": "AQI=" },
                },
            }),
        )
        .await;
    lab.map("q", json!({})).await;
    lab.is_empty(&queue).await;
    let events = lab.world.events.lock().expect("a lock").clone();
    assert_eq!(events.len(), 1);
    let record = &events[0]["Records"][0];
    let attributes = record["attributes"].as_object().expect("attributes");
    for name in ["SentTimestamp", "ApproximateFirstReceiveTimestamp"] {
        let time = attributes[name].as_str().expect("text");
        assert_eq!(time.len(), 13, "{name}: {time}");
    }
    let expected = json!({ "Records": [{
        "messageId": sent["MessageId"],
        "receiptHandle": record["receiptHandle"],
        "body": "hello",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": attributes["SentTimestamp"],
            "SenderId": "AIDALOCALCLOUDREADER",
            "ApproximateFirstReceiveTimestamp": attributes["ApproximateFirstReceiveTimestamp"],
        },
        "messageAttributes": {
            "Text": { "dataType": "String", "stringValue": "x", "stringListValues": [], "binaryListValues": [] },
            "Bytes": { "dataType": "Binary", "binaryValue": "AQI=", "stringListValues": [], "binaryListValues": [] },
        },
        "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn("q"),
        "awsRegion": "us-east-1",
    }]});
    assert_eq!(events[0], expected);
}

#[tokio::test]
async fn one_bad_message_repeats_its_whole_batch() {
    let lab = Lab::with(Pace::Machine, Duration::ZERO, choke);
    let queue = lab.queue("q", json!({ "VisibilityTimeout": "30" })).await;
    lab.send(&queue, &TEN).await;
    lab.map("q", json!({})).await;
    for round in 1..=3 {
        lab.has_run(round).await;
        lab.until("all are in flight", async || {
            lab.counts(&queue).await == (0, 10)
        })
        .await;
        lab.clock.advance(Duration::from_secs(30));
    }
    lab.has_run(4).await;
    let runs = lab.runs();
    assert!(TEN.iter().all(|text| runs[*text] == 4), "{runs:?}");
}

#[tokio::test]
async fn with_reported_failures_only_the_bad_message_is_repeated() {
    let lab = Lab::with(Pace::Machine, Duration::ZERO, report);
    let queue = lab.queue("q", json!({ "VisibilityTimeout": "30" })).await;
    lab.send(&queue, &TEN).await;
    lab.map("q", json!({ "FunctionResponseTypes": [REPORTS] }))
        .await;
    for round in 1..=3 {
        lab.has_run(round).await;
        lab.until("the poison is in flight", async || {
            lab.counts(&queue).await == (0, 1)
        })
        .await;
        lab.clock.advance(Duration::from_secs(30));
    }
    lab.has_run(4).await;
    for (text, runs) in lab.runs() {
        assert_eq!(runs, if text == "poison" { 4 } else { 1 }, "{text}");
    }
}

#[tokio::test]
async fn reported_failures_count_only_when_the_mapping_asks_for_them() {
    let lab = Lab::new(report);
    let queue = lab.queue("q", json!({})).await;
    lab.send(&queue, &TEN).await;
    lab.map("q", json!({})).await;
    lab.is_empty(&queue).await;
    assert!(lab.runs().values().all(|runs| *runs == 1));
}

#[tokio::test]
async fn an_odd_report_fails_the_batch_or_passes_it_as_aws_says() {
    for (answer, fails) in [
        (json!({ "batchItemFailures": [] }), false),
        (json!({ "batchItemFailures": null }), false),
        (json!({}), false),
        (Value::Null, false),
        (
            json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }),
            true,
        ),
        (
            json!({ "batchItemFailures": [{ "itemIdentifier": null }] }),
            true,
        ),
        (
            json!({ "batchItemFailures": [{ "itemIdentifier": "unknown" }] }),
            true,
        ),
        (json!({ "batchItemFailures": [{ "id": "unknown" }] }), true),
    ] {
        let answer_again = answer.clone();
        let lab = Lab::with(Pace::Machine, Duration::ZERO, move |_| {
            Ok(answer_again.clone())
        });
        let queue = lab.queue("q", json!({})).await;
        lab.send(&queue, &["a", "b"]).await;
        lab.map("q", json!({ "FunctionResponseTypes": [REPORTS] }))
            .await;
        lab.has_run(1).await;
        if !fails {
            lab.is_empty(&queue).await;
        }
        lab.clock.advance(Duration::from_secs(30));
        lab.quiet().await;
        let runs = if fails { 2 } else { 1 };
        let expected = BTreeMap::from([("a".into(), runs), ("b".into(), runs)]);
        let what = format!("each has run {runs} times after {answer}");
        lab.until(&what, async || lab.runs() == expected).await;
    }
}

#[tokio::test]
async fn poison_goes_to_the_dead_letter_queue_when_it_was_received_too_often() {
    let lab = Lab::new(choke);
    let dead = lab.queue("dead", json!({})).await;
    let policy = json!({ "deadLetterTargetArn": arn("dead"), "maxReceiveCount": 3 });
    let queue = lab
        .queue("q", json!({ "RedrivePolicy": policy.to_string() }))
        .await;
    lab.send(&queue, &["poison"]).await;
    lab.map("q", json!({})).await;
    // The retries end, so they are awaited and an impatient clock skips them.
    lab.until("it is dead", async || lab.counts(&dead).await == (1, 0))
        .await;
    assert_eq!(lab.runs()["poison"], 3);
    let moved = lab.clock.moved();
    assert!(
        moved >= Duration::from_secs(89),
        "three visibility timeouts: {moved:?}"
    );
    lab.quiet().await;
    assert!(lab.clock.moved() - moved < Duration::from_secs(31));
}

#[tokio::test]
async fn a_poller_that_waits_for_ever_moves_no_impatient_clock() {
    let lab = Lab::new(choke);
    let queue = lab.queue("q", json!({})).await;
    lab.stream(1).await;
    let moved = lab.clock.moved();
    lab.map("q", json!({})).await;
    lab.map("stream/s", json!({ "StartingPosition": "TRIM_HORIZON" }))
        .await;
    lab.quiet().await;
    assert_eq!(lab.clock.moved(), moved, "nothing to do");
    lab.send(&queue, &["poison"]).await;
    lab.put(&[("k", "poison")]).await;
    lab.has_run(2).await;
    lab.quiet().await;
    let moved = lab.clock.moved() - moved;
    assert!(
        moved <= Duration::from_secs(2),
        "retries without end: {moved:?}"
    );
}

#[tokio::test]
async fn a_slow_function_keeps_an_impatient_clock_where_it_is() {
    let lab = Lab::with(Pace::Patient(PATIENCE), PATIENCE * 8, succeed);
    let queue = lab.queue("q", json!({})).await;
    let other = lab.queue("other", json!({})).await;
    lab.map("q", json!({})).await;
    lab.send(&queue, &["a"]).await;
    lab.has_run(1).await;
    // A long poll of somebody else's, which nobody ends, and twice as long as messages of the queue are hidden.
    for _ in 0..3 {
        lab.sqs(
            "ReceiveMessage",
            json!({ "QueueUrl": other, "WaitTimeSeconds": 20 }),
        )
        .await;
    }
    lab.is_empty(&queue).await;
    assert_eq!(lab.runs()["a"], 1);
}

#[tokio::test]
async fn a_window_fills_a_batch_of_more_than_ten_or_ends() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({ "VisibilityTimeout": "300" })).await;
    let uuid = lab
        .map(
            "q",
            json!({ "BatchSize": 25, "MaximumBatchingWindowInSeconds": 60 }),
        )
        .await;
    for _ in 0..3 {
        lab.send(&queue, &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])
            .await;
    }
    lab.has_run(1).await;
    let full = lab.clock.moved();
    assert!(
        full < Duration::from_secs(60),
        "the full batch waits for nothing"
    );
    assert_eq!(lab.batches()[0].len(), 25);
    lab.has_run(2).await;
    assert_eq!(lab.batches()[1].len(), 5);
    let waited = lab.clock.moved() - full;
    assert!(
        waited >= Duration::from_secs(59),
        "the rest waits for the window's end: {waited:?}"
    );
    lab.is_empty(&queue).await;
    assert_eq!(lab.get(&uuid).await["MaximumBatchingWindowInSeconds"], 60);
}

#[tokio::test]
async fn a_window_longer_than_the_visibility_timeout_repeats_messages() {
    let lab = Lab::with(Pace::Machine, Duration::ZERO, succeed);
    let queue = lab.queue("q", json!({ "VisibilityTimeout": "30" })).await;
    lab.map(
        "q",
        json!({ "BatchSize": 20, "MaximumBatchingWindowInSeconds": 40 }),
    )
    .await;
    lab.send(&queue, &["a"]).await;
    for _ in 0..2 {
        lab.until("it is received", async || {
            lab.counts(&queue).await == (0, 1)
        })
        .await;
        lab.clock.advance(Duration::from_secs(30));
    }
    lab.has_run(1).await;
    assert_eq!(lab.batches(), [["a", "a"]]);
}

#[tokio::test]
async fn an_event_is_no_larger_than_six_megabytes() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let large = "x".repeat(1_000_000);
    for _ in 0..10 {
        lab.send(&queue, &[&large]).await;
    }
    lab.map(
        "q",
        json!({ "BatchSize": 100, "MaximumBatchingWindowInSeconds": 5 }),
    )
    .await;
    lab.is_empty(&queue).await;
    let sizes: Vec<_> = lab.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 10);
    assert!(
        sizes.iter().all(|size| *size <= 6) && sizes.len() <= 3,
        "{sizes:?}"
    );
}

#[tokio::test]
async fn a_fifo_queue_is_processed_in_the_order_of_each_group() {
    let lab = Lab::with(Pace::Patient(PATIENCE), Duration::from_millis(1), succeed);
    let queue = lab.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    for n in 0..10 {
        let bodies: Vec<_> = ["a", "b", "c"]
            .iter()
            .map(|group| (*group, format!("{group}{n}")))
            .collect();
        let messages: Vec<_> = bodies
            .iter()
            .map(|(group, body)| (*group, body.as_str()))
            .collect();
        lab.send_in_groups(&queue, &messages).await;
    }
    lab.map("q.fifo", json!({ "BatchSize": 2 })).await;
    lab.is_empty(&queue).await;
    let all: Vec<_> = lab.batches().into_iter().flatten().collect();
    assert_eq!(all.len(), 30);
    for group in ["a", "b", "c"] {
        let seen: Vec<_> = all
            .iter()
            .filter(|body| body.starts_with(group))
            .cloned()
            .collect();
        let expected: Vec<_> = (0..10).map(|n| format!("{group}{n}")).collect();
        assert_eq!(seen, expected);
    }
    let attributes =
        lab.world.events.lock().expect("a lock")[0]["Records"][0]["attributes"].clone();
    for name in ["MessageGroupId", "MessageDeduplicationId", "SequenceNumber"] {
        assert!(attributes[name].is_string(), "{name}");
    }
}

#[tokio::test]
async fn a_failure_holds_its_fifo_group_back_and_no_other() {
    // It stops at the poison and reports it and what follows it.
    let stop = |event: &Value| {
        let records = event["Records"].as_array().expect("records").iter();
        let from = records.skip_while(|record| !text(record).contains("poison"));
        let failures: Vec<_> = from
            .map(|record| json!({ "itemIdentifier": record["messageId"] }))
            .collect();
        Ok(json!({ "batchItemFailures": failures }))
    };
    let lab = Lab::with(Pace::Machine, Duration::ZERO, stop);
    let queue = lab.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    lab.send_in_groups(&queue, &[("a", "a0"), ("a", "a1-poison"), ("a", "a2")])
        .await;
    lab.map("q.fifo", json!({ "FunctionResponseTypes": [REPORTS] }))
        .await;
    lab.until("a1 and a2 are left", async || {
        lab.counts(&queue).await == (0, 2)
    })
    .await;
    lab.send_in_groups(&queue, &[("a", "a3"), ("b", "b0")])
        .await;
    lab.until("b0 is through, a3 waits", async || {
        lab.counts(&queue).await == (1, 2)
    })
    .await;
    assert_eq!(lab.batches(), [vec!["a0", "a1-poison", "a2"], vec!["b0"]]);
    lab.clock.advance(Duration::from_secs(30));
    lab.has_run(3).await;
    assert_eq!(lab.batches()[2], ["a1-poison", "a2", "a3"]);
}

#[tokio::test]
async fn a_fifo_batch_too_large_for_one_event_stops_at_the_event_that_fails() {
    let lab = Lab::with(Pace::Machine, Duration::ZERO, choke);
    let queue = lab.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    for n in 0..8 {
        let start = if n == 0 { "poison" } else { "fine" };
        let body = format!("{start}-{n}-{}", "x".repeat(1_000_000));
        lab.send_in_groups(&queue, &[("a", &body)]).await;
    }
    lab.map("q.fifo", json!({})).await;
    lab.has_run(1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let batches = lab.batches();
    assert_eq!((batches.len(), batches[0].len()), (1, 6), "of eight");
    assert_eq!(lab.counts(&queue).await, (0, 8));
}

#[tokio::test]
async fn so_many_batches_run_at_a_time() {
    for (scaling, most) in [(json!({}), 5), (json!({ "MaximumConcurrency": 2 }), 2)] {
        let lab = Lab::with(Pace::Patient(PATIENCE), Duration::from_millis(40), succeed);
        let queue = lab.queue("q", json!({})).await;
        for _ in 0..2 {
            lab.send(&queue, &["a", "b", "c", "d", "e", "f", "g", "h"])
                .await;
        }
        let uuid = lab
            .map("q", json!({ "BatchSize": 1, "ScalingConfig": scaling }))
            .await;
        lab.is_empty(&queue).await;
        assert_eq!(lab.batches().len(), 16);
        assert_eq!(lab.world.most_running.load(Ordering::SeqCst), most);
        let shown = lab.get(&uuid).await["ScalingConfig"].clone();
        assert_eq!(shown, if most == 2 { scaling } else { Value::Null });
    }
}

#[tokio::test]
async fn filtered_messages_are_deleted_and_never_seen() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let pattern = json!({ "body": { "price": [{ "numeric": [">", 100] }] } }).to_string();
    let criteria = json!({ "Filters": [{ "Pattern": pattern }] });
    let uuid = lab.map("q", json!({ "FilterCriteria": criteria })).await;
    lab.send(&queue, &["{\"price\": 50}", "{\"price\": 150}", "plain"])
        .await;
    lab.has_run(1).await;
    lab.is_empty(&queue).await;
    assert_eq!(lab.batches(), [["{\"price\": 150}"]]);
    assert_eq!(lab.get(&uuid).await["FilterCriteria"], criteria);
}

#[tokio::test]
async fn a_message_that_does_not_fit_the_kind_of_the_pattern_is_dropped() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let pattern = json!({ "body": [{ "anything-but": ["no"] }] }).to_string();
    let criteria = json!({ "Filters": [{ "Pattern": pattern }] });
    lab.map("q", json!({ "FilterCriteria": criteria })).await;
    lab.send(&queue, &["{\"price\": 150}", "plain", "no"]).await;
    lab.has_run(1).await;
    lab.is_empty(&queue).await;
    assert_eq!(lab.batches(), [["plain"]]);
}

#[tokio::test]
async fn without_its_permission_a_mapping_stops_to_poll_and_says_so() {
    let lab = Lab::new(succeed);
    let queue = lab.queue("q", json!({})).await;
    let uuid = lab.map("q", json!({})).await;
    lab.send(&queue, &["a"]).await;
    lab.is_empty(&queue).await;
    lab.set_denied(&["sqs:ReceiveMessage"]);
    lab.send(&queue, &["b"]).await;
    let problem = "PROBLEM: The function execution role does not have permissions to call ReceiveMessage on SQS";
    let says = async |result: Value| {
        let what = format!("it says {result}");
        lab.until(&what, async || {
            lab.get(&uuid).await["LastProcessingResult"] == result
        })
        .await;
    };
    says(json!(problem)).await;
    assert_eq!((lab.batches().len(), lab.counts(&queue).await), (1, (1, 0)));
    lab.set_denied(&[]);
    lab.clock.advance(Duration::from_secs(1));
    lab.is_empty(&queue).await;
    says(Value::Null).await;
    *lab.world.is_gone.lock().expect("a lock") = true;
    lab.send(&queue, &["c"]).await;
    says(json!("PROBLEM: Function not found")).await;
    assert_eq!(
        lab.get(&uuid).await["State"],
        "Enabled",
        "the mapping outlives its function"
    );
}

// Streams.

#[tokio::test]
async fn a_record_arrives_as_aws_shows_it() {
    let lab = Lab::new(succeed);
    lab.stream(1).await;
    let input = json!({ "StreamName": "s", "PartitionKey": "key", "Data": base64("hello") });
    let put = lab.ask("PutRecord", input).await;
    let uuid = lab
        .map("stream/s", json!({ "StartingPosition": "TRIM_HORIZON" }))
        .await;
    lab.has_run(1).await;
    let event = lab.world.events.lock().expect("a lock")[0].clone();
    let arrived = event["Records"][0]["kinesis"]["approximateArrivalTimestamp"].clone();
    let expected = json!({ "Records": [{
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "key",
            "sequenceNumber": put["SequenceNumber"],
            "data": "aGVsbG8=",
            "approximateArrivalTimestamp": arrived,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("shardId-000000000000:{}", put["SequenceNumber"].as_str().expect("a number")),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": ROLE,
        "awsRegion": "us-east-1",
        "eventSourceARN": arn("stream/s"),
    }]});
    assert_eq!(event, expected);
    assert!(arrived.is_f64());
    lab.until("it says so", async || {
        lab.get(&uuid).await["LastProcessingResult"] == "OK"
    })
    .await;
}

#[tokio::test]
async fn a_mapping_begins_where_it_is_told_to() {
    let lab = Lab::new(succeed);
    lab.stream(1).await;
    lab.put(&[("k", "early")]).await;
    lab.clock.advance(Duration::from_secs(60));
    let time = lab.clock.now() as f64 / 1000.0;
    lab.put(&[("k", "late")]).await;
    for (settings, expected) in [
        (
            json!({ "StartingPosition": "TRIM_HORIZON" }),
            vec!["early", "late", "new"],
        ),
        (
            json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": time }),
            vec!["late", "new", "new"],
        ),
        (json!({ "StartingPosition": "LATEST" }), vec!["new"]),
    ] {
        lab.world.events.lock().expect("a lock").clear();
        let uuid = lab.map("stream/s", settings).await;
        lab.put(&[("k", "new")]).await;
        let all = async || lab.batches().concat().len() >= expected.len();
        lab.until(&format!("{expected:?}"), all).await;
        lab.quiet().await;
        assert_eq!(lab.batches().concat(), expected);
        lab.call("DELETE", &format!("/{uuid}"), Value::Null)
            .await
            .expect("it goes");
        lab.until("gone", async || {
            lab.call("GET", &format!("/{uuid}"), Value::Null)
                .await
                .is_err()
        })
        .await;
    }
    let later =
        json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": time + 3600.0 });
    let (code, _) = lab.refused("stream/s", later).await;
    assert_eq!(code, "InvalidParameterValueException");
}

#[tokio::test]
async fn records_come_in_order_in_batches_of_their_size() {
    let lab = Lab::with(Pace::Patient(PATIENCE), Duration::from_millis(1), succeed);
    lab.stream(1).await;
    let texts: Vec<_> = (0..25).map(|n| n.to_string()).collect();
    let records: Vec<_> = texts.iter().map(|text| ("k", text.as_str())).collect();
    lab.put(&records).await;
    lab.map(
        "stream/s",
        json!({ "StartingPosition": "TRIM_HORIZON", "BatchSize": 10 }),
    )
    .await;
    lab.has_run(3).await;
    assert_eq!(
        lab.batches().iter().map(Vec::len).collect::<Vec<_>>(),
        [10, 10, 5]
    );
    assert_eq!(lab.batches().concat(), texts);
    assert_eq!(lab.world.most_running.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_window_gathers_records() {
    let lab = Lab::with(Pace::Machine, Duration::ZERO, succeed);
    lab.stream(1).await;
    let settings = json!({ "StartingPosition": "LATEST", "BatchSize": 3, "MaximumBatchingWindowInSeconds": 300 });
    lab.map("stream/s", settings).await;
    lab.put(&[("k", "a")]).await;
    lab.clock.advance(Duration::from_secs(2));
    tokio::time::sleep(Duration::from_millis(50)).await;
    lab.put(&[("k", "b"), ("k", "c"), ("k", "d")]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    lab.clock.advance(Duration::from_secs(2));
    lab.has_run(1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        lab.batches(),
        [["a", "b", "c"]],
        "a full batch waits for nothing, the rest for its window"
    );
    lab.has_run_in(Duration::from_secs(100), 2).await;
    assert_eq!(lab.batches()[1], ["d"]);
}

#[tokio::test]
async fn one_bad_record_blocks_its_shard_without_end() {
    let lab = Lab::with(Pace::Machine, Duration::ZERO, choke);
    lab.stream(1).await;
    lab.put(&ten_records()).await;
    lab.map("stream/s", json!({ "StartingPosition": "TRIM_HORIZON" }))
        .await;
    lab.has_run(1).await;
    lab.put(&[("key", "after")]).await;
    for _ in 0..5 {
        let runs = lab.batches().len();
        lab.has_run_in(Duration::from_secs(10), runs + 1).await;
    }
    let runs = lab.runs();
    assert!(
        TEN.iter().all(|text| runs[*text] >= 6) && !runs.contains_key("after"),
        "{runs:?}"
    );
    let age = lab.mappings.status()[0]["iterator_age_ms"]
        .as_u64()
        .expect("an age");
    assert!(age >= 30_000, "the iterator's age rises: {age}");
    // The record is forgotten after a day, the stream's retention; then the shard goes on.
    lab.clock.advance(Duration::from_secs(25 * 3600));
    lab.put(&[("key", "next day")]).await;
    lab.until("it goes on", async || {
        lab.clock.advance(Duration::from_secs(1));
        lab.runs().contains_key("next day")
    })
    .await;
    assert!(
        lab.mappings.status()[0]["iterator_age_ms"]
            .as_u64()
            .expect("an age")
            < 3_600_000
    );
}

#[tokio::test]
async fn after_its_retries_a_batch_is_given_up_whole() {
    let lab = Lab::new(choke);
    lab.stream(1).await;
    lab.put(&ten_records()).await;
    lab.map(
        "stream/s",
        json!({ "StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 2 }),
    )
    .await;
    lab.has_run(3).await;
    lab.put(&[("key", "after")]).await;
    lab.until("it goes on", async || lab.runs().contains_key("after"))
        .await;
    for (text, runs) in lab.runs() {
        assert_eq!(runs, if text == "after" { 1 } else { 3 }, "{text}");
    }
}

#[tokio::test]
async fn bisecting_isolates_the_bad_record_and_costs_no_retry() {
    let lab = Lab::new(choke);
    lab.stream(1).await;
    lab.put(&ten_records()).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 2,
        "BisectBatchOnFunctionError": true,
    });
    lab.map("stream/s", settings).await;
    lab.has_run(9).await;
    let batches: Vec<_> = lab.batches().iter().map(|batch| batch.join(" ")).collect();
    assert_eq!(
        batches,
        [
            "0 1 2 poison 4 5 6 7 8 9",
            "0 1 2 poison 4",
            "0 1 2",
            "poison 4",
            "poison",
            "poison",
            "poison",
            "4",
            "5 6 7 8 9",
        ]
    );
}

#[tokio::test]
async fn a_reported_record_is_where_the_batch_goes_on() {
    let lab = Lab::new(report);
    lab.stream(1).await;
    lab.put(&ten_records()).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 2,
        "FunctionResponseTypes": [REPORTS],
    });
    let uuid = lab.map("stream/s", settings).await;
    lab.has_run(3).await;
    let rest = "poison 4 5 6 7 8 9";
    let batches: Vec<_> = lab.batches().iter().map(|batch| batch.join(" ")).collect();
    assert_eq!(batches, ["0 1 2 poison 4 5 6 7 8 9", rest, rest]);
    lab.put(&[("key", "after")]).await;
    lab.until("it goes on", async || lab.runs().contains_key("after"))
        .await;
    assert_eq!(lab.batches().len(), 4);
    lab.call("DELETE", &format!("/{uuid}"), Value::Null)
        .await
        .expect("it goes");
}

#[tokio::test]
async fn with_both_the_batch_is_split_where_the_report_says() {
    let lab = Lab::new(report);
    lab.stream(1).await;
    lab.put(&ten_records()).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 1,
        "BisectBatchOnFunctionError": true,
        "FunctionResponseTypes": [REPORTS],
    });
    lab.map("stream/s", settings).await;
    lab.has_run(9).await;
    let batches: Vec<_> = lab.batches().iter().map(|batch| batch.join(" ")).collect();
    assert_eq!(
        batches,
        [
            "0 1 2 poison 4 5 6 7 8 9",
            "poison 4 5 6 7 8 9",
            "poison 4 5 6",
            "poison 4",
            "poison",
            "poison",
            "4",
            "5 6",
            "7 8 9",
        ]
    );
}

#[tokio::test]
async fn what_is_given_up_is_told_to_the_destination() {
    let lab = Lab::new(choke);
    let failed = lab.queue("failed", json!({})).await;
    lab.stream(1).await;
    lab.put(&[("key", "good"), ("key", "poison")]).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 1,
        "DestinationConfig": { "OnFailure": { "Destination": arn("failed") } },
    });
    let uuid = lab.map("stream/s", settings).await;
    assert_eq!(
        lab.get(&uuid).await["DestinationConfig"]["OnFailure"]["Destination"],
        arn("failed")
    );
    lab.until("it is told", async || lab.counts(&failed).await == (1, 0))
        .await;
    let received = lab
        .sqs(
            "ReceiveMessage",
            json!({ "QueueUrl": failed, "WaitTimeSeconds": 1 }),
        )
        .await;
    let body = received["Messages"][0]["Body"].as_str().expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let records = lab.world.events.lock().expect("a lock")[0]["Records"].clone();
    let time = |value: &Value| {
        let time = value.as_str().expect("a time").to_owned();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
        time
    };
    let info = &body["KinesisBatchInfo"];
    assert_eq!(
        body,
        json!({
            "requestContext": {
                "requestId": "request-2",
                "functionArn": FUNCTION,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 2,
            },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "version": "1.0",
            "timestamp": time(&body["timestamp"]),
            "KinesisBatchInfo": {
                "shardId": "shardId-000000000000",
                "startSequenceNumber": records[0]["kinesis"]["sequenceNumber"],
                "endSequenceNumber": records[1]["kinesis"]["sequenceNumber"],
                "approximateArrivalOfFirstRecord": time(&info["approximateArrivalOfFirstRecord"]),
                "approximateArrivalOfLastRecord": time(&info["approximateArrivalOfLastRecord"]),
                "batchSize": 2,
                "streamArn": arn("stream/s"),
            },
        })
    );
}

#[tokio::test]
async fn a_record_that_is_too_old_is_given_up_unseen() {
    let lab = Lab::with(Pace::Machine, Duration::ZERO, choke);
    let failed = lab.queue("failed", json!({})).await;
    lab.stream(1).await;
    lab.put(&[("key", "old")]).await;
    lab.clock.advance(Duration::from_secs(61));
    lab.put(&[("key", "poison")]).await;
    let settings = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRecordAgeInSeconds": 60,
        "DestinationConfig": { "OnFailure": { "Destination": arn("failed") } },
    });
    lab.map("stream/s", settings).await;
    lab.has_run(1).await;
    assert_eq!(lab.batches(), [["poison"]]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    lab.clock.advance(Duration::from_secs(61));
    lab.until("both are told", async || {
        lab.counts(&failed).await == (2, 0)
    })
    .await;
    assert_eq!(lab.batches(), [["poison"]]);
    let input = json!({ "QueueUrl": failed, "WaitTimeSeconds": 1, "MaxNumberOfMessages": 10 });
    let received = lab.sqs("ReceiveMessage", input).await;
    let messages = received["Messages"].as_array().expect("messages").iter();
    let told: BTreeSet<_> = messages
        .map(|message| {
            let body: Value =
                serde_json::from_str(message["Body"].as_str().expect("a body")).expect("JSON");
            assert_eq!(body["requestContext"]["condition"], "RecordAgeExceeded");
            (
                body["requestContext"]["approximateInvokeCount"].as_u64(),
                body["responseContext"].is_null(),
            )
        })
        .collect();
    assert_eq!(told, BTreeSet::from([(Some(0), true), (Some(1), false)]));
}

#[tokio::test]
async fn a_throttled_function_loses_no_record_and_no_retry() {
    let lab = Lab::with(Pace::Machine, Duration::ZERO, succeed);
    lab.world.throttles.store(2, Ordering::SeqCst);
    lab.stream(1).await;
    lab.put(&[("key", "a")]).await;
    lab.map(
        "stream/s",
        json!({ "StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 0 }),
    )
    .await;
    lab.has_run_in(Duration::from_secs(1), 1).await;
    assert_eq!(lab.world.throttles.load(Ordering::SeqCst), 0);
    assert_eq!(lab.batches(), [["a"]]);
}

#[tokio::test]
async fn parallel_lanes_keep_the_order_of_each_key() {
    let lab = Lab::with(Pace::Patient(PATIENCE), Duration::from_millis(5), succeed);
    lab.stream(1).await;
    let keys: Vec<_> = (0..20).map(|key| format!("k{key}")).collect();
    let texts: Vec<_> = (0..5)
        .flat_map(|n| keys.iter().map(move |key| (key, format!("{key}-{n}"))))
        .collect();
    let records: Vec<_> = texts
        .iter()
        .map(|(key, text)| (key.as_str(), text.as_str()))
        .collect();
    lab.put(&records).await;
    let settings =
        json!({ "StartingPosition": "TRIM_HORIZON", "BatchSize": 3, "ParallelizationFactor": 4 });
    lab.map("stream/s", settings).await;
    lab.until("all are through", async || {
        lab.batches().concat().len() == 100
    })
    .await;
    let all = lab.batches().concat();
    for key in &keys {
        let seen: Vec<_> = all
            .iter()
            .filter(|text| text.starts_with(&format!("{key}-")))
            .cloned()
            .collect();
        let expected: Vec<_> = (0..5).map(|n| format!("{key}-{n}")).collect();
        assert_eq!(seen, expected);
    }
    let most = lab.world.most_running.load(Ordering::SeqCst);
    assert!((2..=4).contains(&most), "{most} at a time");
}

#[tokio::test]
async fn shards_that_are_split_while_it_runs_are_followed_parents_first() {
    let is_stuck = Arc::new(AtomicBool::new(true));
    let handler = {
        let is_stuck = is_stuck.clone();
        move |_: &Value| match is_stuck.load(Ordering::SeqCst) {
            true => Err(()),
            false => Ok(Value::Null),
        }
    };
    let lab = Lab::with(Pace::Patient(PATIENCE), Duration::from_millis(1), handler);
    lab.stream(1).await;
    lab.map(
        "stream/s",
        json!({ "StartingPosition": "LATEST", "BatchSize": 2 }),
    )
    .await;
    let put = async |from: usize| {
        let texts: Vec<_> = (from..from + 20)
            .map(|n| (format!("k{}", n % 4), n.to_string()))
            .collect();
        let records: Vec<_> = texts
            .iter()
            .map(|(key, text)| (key.as_str(), text.as_str()))
            .collect();
        lab.put(&records).await;
    };
    put(0).await;
    let input =
        json!({ "StreamName": "s", "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING" });
    lab.ask("UpdateShardCount", input).await;
    lab.active().await;
    put(20).await;
    let merge = json!({
        "StreamName": "s",
        "ShardToMerge": "shardId-000000000001",
        "AdjacentShardToMerge": "shardId-000000000002",
    });
    lab.ask("MergeShards", merge).await;
    lab.active().await;
    put(40).await;
    for _ in 0..3 {
        // Time enough to find the new shards.
        lab.clock.advance(Duration::from_secs(2));
        lab.quiet().await;
    }
    assert!(
        lab.runs()
            .keys()
            .all(|text| ["0", "1"].contains(&text.as_str())),
        "children wait for their parents: {:?}",
        lab.runs()
    );
    is_stuck.store(false, Ordering::SeqCst);
    lab.world.events.lock().expect("a lock").clear();
    lab.clock.advance(Duration::from_secs(60));
    lab.until("all are through", async || {
        lab.batches().concat().len() >= 60
    })
    .await;
    let all: Vec<usize> = lab
        .batches()
        .concat()
        .iter()
        .map(|text| text.parse().expect("a number"))
        .collect();
    assert_eq!(all.len(), 60);
    for key in 0..4 {
        let seen: Vec<_> = all.iter().copied().filter(|n| n % 4 == key).collect();
        let expected: Vec<_> = (0..60).filter(|n| n % 4 == key).collect();
        assert_eq!(seen, expected, "key k{key}");
    }
}

#[tokio::test]
async fn filtered_records_are_passed_over() {
    let lab = Lab::new(succeed);
    lab.stream(1).await;
    let patterns = [
        json!({ "data": { "city": ["Bern"] } }),
        json!({ "$or": [{ "data": { "vip": [true] } }, { "data": { "age": [99] } }] }),
    ];
    let filters: Vec<_> = patterns
        .iter()
        .map(|pattern| json!({ "Pattern": pattern.to_string() }))
        .collect();
    let settings =
        json!({ "StartingPosition": "TRIM_HORIZON", "FilterCriteria": { "Filters": filters } });
    lab.map("stream/s", settings).await;
    lab.put(&[
        ("k", "{\"city\":\"Bern\"}"),
        ("k", "{\"city\":\"Rome\"}"),
        ("k", "{\"vip\":true}"),
        ("k", "{\"age\":99.0}"),
        ("k", "plain"),
    ])
    .await;
    lab.has_run(1).await;
    lab.quiet().await;
    assert_eq!(lab.batches(), [["{\"city\":\"Bern\"}", "{\"vip\":true}"]]);
}

#[tokio::test]
async fn an_enabled_mapping_goes_on_where_it_was_disabled() {
    let lab = Lab::new(succeed);
    lab.stream(1).await;
    let uuid = lab
        .map("stream/s", json!({ "StartingPosition": "LATEST" }))
        .await;
    let enable = async |enabled: bool| {
        let changes = json!({ "Enabled": enabled });
        lab.call("PUT", &format!("/{uuid}"), changes)
            .await
            .expect("a change");
        lab.is_in_state(&uuid, if enabled { "Enabled" } else { "Disabled" })
            .await;
    };
    lab.put(&[("k", "a")]).await;
    lab.has_run(1).await;
    enable(false).await;
    lab.put(&[("k", "b")]).await;
    // Longer than an iterator lives.
    lab.clock.advance(Duration::from_secs(600));
    lab.quiet().await;
    enable(true).await;
    lab.has_run(2).await;
    assert_eq!(lab.batches(), [["a"], ["b"]]);
}

#[tokio::test]
async fn what_waited_for_a_batch_when_it_was_changed_comes_once() {
    let lab = Lab::with(Pace::Machine, Duration::ZERO, succeed);
    lab.stream(1).await;
    let settings = json!({ "StartingPosition": "LATEST", "BatchSize": 3, "MaximumBatchingWindowInSeconds": 300 });
    let uuid = lab.map("stream/s", settings).await;
    lab.put(&[("k", "a"), ("k", "b")]).await;
    lab.clock.advance(Duration::from_secs(2));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let path = format!("/{uuid}");
    let changed = lab.call("PUT", &path, json!({ "BatchSize": 4 })).await;
    changed.expect("a change");
    lab.is_in_state(&uuid, "Enabled").await;
    lab.put(&[("k", "c"), ("k", "d")]).await;
    lab.has_run_in(Duration::from_secs(2), 1).await;
    assert_eq!(lab.batches(), [["a", "b", "c", "d"]]);
}

#[tokio::test]
async fn what_was_tried_in_vain_when_it_was_disabled_comes_once_more() {
    let lab = Lab::with(Pace::Machine, Duration::ZERO, choke);
    lab.stream(1).await;
    let settings = json!({ "StartingPosition": "LATEST", "BatchSize": 1 });
    let uuid = lab.map("stream/s", settings).await;
    lab.put(&[("k", "poison"), ("k", "b")]).await;
    lab.clock.advance(Duration::from_secs(1));
    lab.has_run(1).await;
    for enabled in [false, true] {
        let changes = json!({ "Enabled": enabled });
        lab.call("PUT", &format!("/{uuid}"), changes)
            .await
            .expect("a change");
        lab.is_in_state(&uuid, if enabled { "Enabled" } else { "Disabled" })
            .await;
    }
    lab.has_run(2).await;
    assert_eq!(lab.batches(), [["poison"], ["poison"]]);
}

#[tokio::test]
async fn without_its_permission_a_mapping_of_a_stream_stops_to_read() {
    let lab = Lab::new(succeed);
    lab.stream(1).await;
    let uuid = lab
        .map("stream/s", json!({ "StartingPosition": "LATEST" }))
        .await;
    lab.set_denied(&["kinesis:GetRecords"]);
    lab.put(&[("k", "a")]).await;
    lab.until("it says so", async || {
        let got = lab.get(&uuid).await;
        let result = got["LastProcessingResult"].as_str().unwrap_or_default();
        result.starts_with("PROBLEM: Cannot access stream arn:aws:kinesis")
    })
    .await;
    lab.quiet().await;
    assert!(lab.batches().is_empty());
    lab.set_denied(&[]);
    lab.clock.advance(Duration::from_secs(1));
    lab.has_run(1).await;
}

// Over HTTP, with a function that is a process and a role that has policies.

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

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "in vain: {what}");
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
    eventually("the queue is empty", || {
        crate::support::counts(&cloud, &queue) == (0, 0, 0)
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
    eventually("it is gone", || {
        lambda(&cloud, "GET", &path, &Value::Null).status == 404
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
    eventually("the function is done with it", || {
        lambda(&cloud, "GET", &path, &Value::Null).json()["LastProcessingResult"] == "OK"
    });
}
