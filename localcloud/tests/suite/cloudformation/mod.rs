//! CloudFormation: stacks come, change and go, and what is wrong is answered in AWS's words. Here is the cloud that the
//! tests share, wired by hand, without its HTTP door.

mod change_sets;
mod event_source_mappings;
mod exports;
mod parameters;
mod queues;
mod roles;
mod stacks;
mod streams;
mod templates;
mod updates;

use bytes::Bytes;
use localcloud::clock::Clock;
use localcloud::cloudformation::CloudFormation;
use localcloud::events::Events;
use localcloud::faults::Faults;
use localcloud::iam::Iam;
use localcloud::kinesis::Kinesis;
use localcloud::lambda::mapping::{Function, Functions, Invocation, Mappings};
use localcloud::logs::Logs;
use localcloud::sqs::Sqs;
use localcloud::wire::error::ApiError;
use localcloud::wire::query::Form;
use serde_json::{json, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MAX_WAIT: Duration = Duration::from_secs(60);
const BASE: &str = "http://127.0.0.1:4566";
const LAB_TEMPLATE: &str = include_str!("../../../../templates/standard-queue.yaml");
const FIFO_TEMPLATE: &str = include_str!("../../../../templates/fifo-queue.yaml");
const STREAM_TEMPLATE: &str = include_str!("../../../../templates/kinesis-stream.yaml");

/// A cloud without its door.
struct Cloud {
    clock: Clock,
    sqs: Sqs,
    kinesis: Kinesis,
    iam: Iam,
    logs: Logs,
    mappings: Mappings,
    cloudformation: CloudFormation,
}

/// One function, `work`, that is never run.
struct OneFunction;

impl Functions for OneFunction {
    fn find(&self, function: &str) -> Option<Function> {
        function.ends_with(":work").then(|| Function {
            arn: function.to_owned(),
            role: "arn:aws:iam::000000000000:role/reader".to_owned(),
            timeout: 3,
        })
    }

    fn invoke<'a>(&'a self, function: &'a str, _payload: Bytes) -> Invocation<'a> {
        Box::pin(async move { panic!("{function} is run") })
    }
}

impl Cloud {
    fn new() -> Self {
        let clock = Clock::new();
        let events = Events::new(clock.clone());
        let faults = Faults::new(events.clone());
        let sqs = Sqs::new(clock.clone(), events.clone(), faults.clone(), 1);
        let kinesis = Kinesis::new(clock.clone(), events.clone(), faults.clone());
        let iam = Iam::new(clock.clone(), faults, 1);
        let logs = Logs::new(clock.clone(), events.clone());
        let mappings = Mappings::new(
            clock.clone(),
            events,
            sqs.clone(),
            kinesis.clone(),
            Arc::new(OneFunction),
            Arc::new(iam.clone()),
            1,
        );
        Self {
            cloudformation: CloudFormation::new(
                clock.clone(),
                sqs.clone(),
                kinesis.clone(),
                iam.clone(),
                logs.clone(),
                mappings.clone(),
                1,
            ),
            clock,
            sqs,
            kinesis,
            iam,
            logs,
            mappings,
        }
    }

    async fn call(&self, action: &str, form: &[(&str, &str)]) -> Result<String, ApiError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let form = Form::parse(body.as_bytes());
        self.cloudformation.call(action, &form, BASE).await
    }

    async fn ok(&self, action: &str, form: &[(&str, &str)]) -> String {
        self.call(action, form)
            .await
            .unwrap_or_else(|error| panic!("{action}: {error}"))
    }

    async fn error(&self, action: &str, form: &[(&str, &str)]) -> String {
        match self.call(action, form).await {
            Ok(answer) => panic!("{action} answered {answer}"),
            Err(error) => error.to_string(),
        }
    }

    /// Creates the stack and waits until nothing is in progress; answers its status.
    async fn create(&self, name: &str, template: &str) -> String {
        let form = [("StackName", name), ("TemplateBody", template)];
        self.create_with(&form).await
    }

    async fn create_with(&self, form: &[(&str, &str)]) -> String {
        let created = self.ok("CreateStack", form).await;
        self.settle(&first(&created, "StackId")).await
    }

    async fn update(&self, name: &str, template: &str) -> String {
        let form = [("StackName", name), ("TemplateBody", template)];
        let updated = self.ok("UpdateStack", &form).await;
        self.settle(&first(&updated, "StackId")).await
    }

    async fn delete(&self, name: &str) -> String {
        let id = first(&self.describe(name).await, "StackId");
        self.ok("DeleteStack", &[("StackName", name)]).await;
        self.settle(&id).await
    }

    async fn stream(&self, name: &str) -> Option<Value> {
        let input = json!({ "StreamName": name });
        let summary = self
            .kinesis
            .ask("DescribeStreamSummary", input)
            .await
            .ok()?;
        Some(summary["StreamDescriptionSummary"].clone())
    }

    /// Waits until nothing is in progress; answers the stack's status.
    async fn settle(&self, id: &str) -> String {
        let started = Instant::now();
        loop {
            let status = first(&self.describe(id).await, "StackStatus");
            if !status.ends_with("_IN_PROGRESS") {
                return status;
            }
            assert!(
                started.elapsed() < MAX_WAIT,
                "{id} is still {status}\n{:?}",
                self.events(id).await
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn describe(&self, name: &str) -> String {
        self.ok("DescribeStacks", &[("StackName", name)]).await
    }

    async fn output(&self, stack: &str, name: &str) -> String {
        let described = self.describe(stack).await;
        let (keys, values) = (all(&described, "OutputKey"), all(&described, "OutputValue"));
        let at = keys.iter().position(|key| key == name).expect("an output");
        values[at].clone()
    }

    /// `resource status` for each event, oldest first.
    async fn events(&self, name: &str) -> Vec<String> {
        let events = self.ok("DescribeStackEvents", &[("StackName", name)]).await;
        let (resources, statuses) = (
            all(&events, "LogicalResourceId"),
            all(&events, "ResourceStatus"),
        );
        let pairs = resources.iter().zip(&statuses);
        let mut events: Vec<_> = pairs
            .map(|(name, status)| format!("{name} {status}"))
            .collect();
        events.reverse();
        events
    }

    async fn reasons(&self, name: &str) -> String {
        let events = self.ok("DescribeStackEvents", &[("StackName", name)]).await;
        all(&events, "ResourceStatusReason").join("\n")
    }

    async fn sqs(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        let input = input.to_string();
        let output = self.sqs.call(operation, input.as_bytes(), BASE).await?;
        Ok(serde_json::from_slice(&output).unwrap_or_default())
    }

    async fn attributes(&self, queue: &str) -> Value {
        let input = json!({ "QueueUrl": url(queue), "AttributeNames": ["All"] });
        let output = self.sqs("GetQueueAttributes", input).await;
        output.unwrap_or_else(|error| panic!("{queue}: {error}"))["Attributes"].take()
    }

    async fn has_queue(&self, name: &str) -> bool {
        let input = json!({ "QueueName": name });
        self.sqs("GetQueueUrl", input).await.is_ok()
    }
}

fn url(queue: &str) -> String {
    format!("{BASE}/000000000000/{queue}")
}

/// The texts of all elements of this name.
fn all(xml: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let texts = xml.split(&start).skip(1);
    let texts = texts.filter_map(|rest| Some(rest.split_once(&end)?.0));
    texts
        .map(|text| text.replace("&quot;", "\"").replace("&apos;", "'"))
        .collect()
}

fn first(xml: &str, name: &str) -> String {
    let found = all(xml, name).into_iter().next();
    found.unwrap_or_else(|| panic!("no {name} in {xml}"))
}

fn queues(properties: &[(&str, &str)]) -> String {
    let mut template = "Resources:\n".to_owned();
    for (name, properties) in properties {
        template +=
            &format!("  {name}:\n    Type: AWS::SQS::Queue\n    Properties: {{{properties}}}\n");
    }
    template
}
