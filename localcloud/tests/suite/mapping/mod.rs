//! Event source mappings, with functions that run in this process: what reaches a function, how often, in which order,
//! and what happens to what it fails.

mod changes;
mod failures;
mod filter;
mod queue;
mod real;
mod retries;
mod settings;
mod stream;

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
use tokio::sync::watch;

const ROLE: &str = "arn:aws:iam::000000000000:role/reader";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:work";
const BASE: &str = "https://sqs.us-east-1.amazonaws.com";
/// No wait of a test takes longer, by the machine's time.
const LIMIT: Duration = Duration::from_secs(60);

/// A function: from an event to its answer, or that it failed.
type Handler = Box<dyn Fn(&Value) -> Result<Value, ()> + Send + Sync>;

/// The functions and the roles of a lab: one function.
struct World {
    handler: Handler,
    timeout: Mutex<u32>,
    /// While it is, no invocation ends.
    is_held: watch::Sender<bool>,
    events: Mutex<Vec<Value>>,
    running: AtomicUsize,
    most_running: AtomicUsize,
    denied: Mutex<BTreeSet<String>>,
    is_gone: Mutex<bool>,
    throttles: AtomicUsize,
}

impl Functions for World {
    fn find(&self, function: &str) -> Option<Function> {
        let name = function.strip_suffix(":$LATEST").unwrap_or(function);
        let known = name == "work" || name == FUNCTION;
        (known && !*self.is_gone.lock().expect("a lock")).then(|| Function {
            arn: function.to_owned(),
            role: ROLE.to_owned(),
            timeout: *self.timeout.lock().expect("a lock"),
        })
    }

    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> Invocation<'a> {
        assert!(function.starts_with(FUNCTION), "{function}");
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
            let mut held = self.is_held.subscribe();
            held.wait_for(|held| !held).await.expect("a world");
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
    /// The clock goes on by this, again and again, while the test waits for something.
    step: Duration,
}

impl Lab {
    /// Its clock stands still until the test moves it.
    fn new(handler: impl Fn(&Value) -> Result<Value, ()> + Send + Sync + 'static) -> Self {
        Self::with(Pace::Stopped, Duration::ZERO, handler)
    }

    /// While the test waits for something, one second after another is over: a shard is read once in each, and what
    /// failed is tried again.
    fn going(handler: impl Fn(&Value) -> Result<Value, ()> + Send + Sync + 'static) -> Self {
        Self::with(Pace::Stopped, Duration::from_secs(1), handler)
    }

    /// Its clock is impatient.
    fn patient(handler: impl Fn(&Value) -> Result<Value, ()> + Send + Sync + 'static) -> Self {
        let patience = Duration::from_millis(40);
        Self::with(Pace::Patient(patience), Duration::ZERO, handler)
    }

    fn with(
        pace: Pace,
        step: Duration,
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
            is_held: watch::Sender::new(false),
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
            step,
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

    /// Moves the clock to where what happens to the stream is done.
    async fn active(&self) {
        let changes = Duration::from_millis(localcloud::kinesis::CHANGES);
        self.clock.advance(changes);
        self.until_in(Duration::ZERO, "the stream is active", async || {
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

    /// Waits until something holds.
    async fn until(&self, what: &str, holds: impl AsyncFnMut() -> bool) {
        self.until_in(self.step, what, holds).await;
    }

    /// The same, while the clock goes on by `step` whenever no function runs.
    async fn until_in(&self, step: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !holds().await {
            assert!(
                began.elapsed() < LIMIT,
                "in vain: {what}: the batches were {:?}, the clock has gone on by {:?}",
                self.batches(),
                self.clock.moved()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
            if !step.is_zero() {
                self.clock.until_idle(Duration::from_millis(20)).await;
                self.clock.advance(step);
            }
        }
    }

    /// From now on no invocation ends, until [`Self::release`].
    fn hold(&self) {
        self.world.is_held.send_replace(true);
    }

    fn release(&self) {
        self.world.is_held.send_replace(false);
    }

    /// Waits until so many invocations run at a time.
    async fn are_running(&self, invocations: usize) {
        let what = format!("{invocations} invocations at a time");
        let running = async || self.world.running.load(Ordering::SeqCst) == invocations;
        self.until(&what, running).await;
    }

    /// Waits until the pollers have got so many records for the function, done with or not.
    async fn have_been_polled(&self, records: u64) {
        let polled = |mapping: &Value| mapping["polled"].as_u64().expect("a number");
        let are_polled = async || {
            let mappings = self.mappings.status();
            mappings.iter().map(polled).sum::<u64>() == records
        };
        self.until(&format!("{records} records are polled"), are_polled)
            .await;
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

    async fn has_run_in(&self, step: Duration, invocations: usize) {
        let what = format!("{invocations} invocations");
        let have_run = async || self.batches().len() >= invocations;
        self.until_in(step, &what, have_run).await;
    }

    fn set_denied(&self, actions: &[&str]) {
        *self.world.denied.lock().expect("a lock") =
            actions.iter().map(|&action| action.to_owned()).collect();
    }

    /// Time for what should not happen. However long, nothing that should happens in it.
    async fn quiet(&self) {
        tokio::time::sleep(Duration::from_millis(200)).await;
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
