//! CloudFormation: stacks come, change and go, and what is wrong is answered in AWS's words.

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
use std::time::Duration;

const BASE: &str = "http://127.0.0.1:4566";
const LAB_TEMPLATE: &str = include_str!("../../../templates/standard-queue.yaml");
const FIFO_TEMPLATE: &str = include_str!("../../../templates/fifo-queue.yaml");
const STREAM_TEMPLATE: &str = include_str!("../../../templates/kinesis-stream.yaml");

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

    async fn settle(&self, id: &str) -> String {
        loop {
            let status = first(&self.describe(id).await, "StackStatus");
            if !status.ends_with("_IN_PROGRESS") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn describe(&self, name: &str) -> String {
        self.ok("DescribeStacks", &[("StackName", name)]).await
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

#[tokio::test]
async fn a_stack_lives_from_create_to_delete() {
    let cloud = Cloud::new();
    assert_eq!(cloud.create("Lab", LAB_TEMPLATE).await, "CREATE_COMPLETE");
    let stack = cloud.describe("Lab").await;
    assert_eq!(
        all(&stack, "OutputKey"),
        ["StandardQueueARN", "StandardQueueURL"]
    );
    assert_eq!(
        all(&stack, "OutputValue"),
        [
            "arn:aws:sqs:us-east-1:000000000000:StandardQueue".to_owned(),
            url("StandardQueue")
        ]
    );
    assert_eq!(first(&stack, "ParameterValue"), "StandardQueue");
    let id = first(&stack, "StackId");
    let uuid = id
        .strip_prefix("arn:aws:cloudformation:us-east-1:000000000000:stack/Lab/")
        .unwrap_or_default();
    assert_eq!(uuid.len(), 36, "{id}");
    let attributes = cloud.attributes("StandardQueue").await;
    assert_eq!(attributes["ReceiveMessageWaitTimeSeconds"], "0");
    assert_eq!(
        cloud.events("Lab").await,
        [
            "Lab CREATE_IN_PROGRESS",
            "StandardQueue CREATE_IN_PROGRESS",
            "StandardQueue CREATE_IN_PROGRESS",
            "StandardQueue CREATE_COMPLETE",
            "Lab CREATE_COMPLETE",
        ]
    );
    let reasons = cloud.reasons("Lab").await;
    assert_eq!(reasons, "Resource creation Initiated\nUser Initiated");

    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    assert!(!cloud.has_queue("StandardQueue").await);
    let error = cloud.error("DescribeStacks", &[("StackName", "Lab")]).await;
    assert_eq!(error, "ValidationError: Stack with id Lab does not exist");
    assert!(!first(&cloud.describe(&id).await, "DeletionTime").is_empty());
    let listed = cloud.ok("DescribeStacks", &[]).await;
    assert!(all(&listed, "StackName").is_empty());
    cloud.ok("DeleteStack", &[("StackName", "Lab")]).await;
    cloud.ok("DeleteStack", &[("StackName", &id)]).await;
}

#[tokio::test]
async fn a_name_belongs_to_one_stack_at_a_time() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "")]);
    cloud.create("Lab", &template).await;
    let form = [("StackName", "Lab"), ("TemplateBody", template.as_str())];
    let error = cloud.error("CreateStack", &form).await;
    assert_eq!(error, "AlreadyExistsException: Stack [Lab] already exists");
    let old = first(&cloud.describe("Lab").await, "StackId");
    cloud.delete("Lab").await;
    assert_eq!(cloud.create("Lab", &template).await, "CREATE_COMPLETE");
    assert_ne!(first(&cloud.describe("Lab").await, "StackId"), old);
}

#[tokio::test]
async fn resources_can_be_described_and_listed() {
    let cloud = Cloud::new();
    cloud.create("Lab", LAB_TEMPLATE).await;
    for (action, form) in [
        ("DescribeStackResources", vec![("StackName", "Lab")]),
        (
            "DescribeStackResources",
            vec![("PhysicalResourceId", &*url("StandardQueue"))],
        ),
        ("ListStackResources", vec![("StackName", "Lab")]),
        (
            "DescribeStackResource",
            vec![("StackName", "Lab"), ("LogicalResourceId", "StandardQueue")],
        ),
    ] {
        let answer = cloud.ok(action, &form).await;
        assert_eq!(all(&answer, "PhysicalResourceId"), [url("StandardQueue")]);
        assert_eq!(all(&answer, "ResourceType"), ["AWS::SQS::Queue"]);
        assert_eq!(all(&answer, "ResourceStatus"), ["CREATE_COMPLETE"]);
    }
    let form = [("StackName", "Lab"), ("LogicalResourceId", "No")];
    let error = cloud.error("DescribeStackResource", &form).await;
    assert_eq!(
        error,
        "ValidationError: Resource No does not exist for stack Lab"
    );
}

#[tokio::test]
async fn stacks_are_listed_by_status() {
    let cloud = Cloud::new();
    for name in ["One", "Two"] {
        cloud.create(name, &queues(&[("Q", "")])).await;
    }
    cloud.delete("One").await;
    let everything = cloud.ok("ListStacks", &[]).await;
    assert_eq!(all(&everything, "StackName"), ["Two", "One"]);
    let form = [("StackStatusFilter.member.1", "DELETE_COMPLETE")];
    assert_eq!(
        all(&cloud.ok("ListStacks", &form).await, "StackName"),
        ["One"]
    );
    let form = [("StackStatusFilter.member.1", "GONE")];
    let error = cloud.error("ListStacks", &form).await;
    assert!(
        error.contains("Value '[GONE]' at 'stackStatusFilter'"),
        "{error}"
    );
}

#[tokio::test]
async fn a_stack_that_is_unknown_is_named() {
    let cloud = Cloud::new();
    for (action, message) in [
        ("DescribeStacks", "Stack with id No does not exist"),
        ("DescribeStackEvents", "Stack [No] does not exist"),
        ("DescribeStackResources", "Stack with id No does not exist"),
        ("DescribeStackResource", "Stack 'No' does not exist"),
        ("ListStackResources", "Stack with id No does not exist"),
        ("GetTemplate", "Stack with id No does not exist"),
        ("GetTemplateSummary", "Stack with id No does not exist"),
        ("UpdateStack", "Stack [No] does not exist"),
    ] {
        let form = [("StackName", "No"), ("LogicalResourceId", "Q")];
        let error = cloud.error(action, &form).await;
        assert_eq!(error, format!("ValidationError: {message}"));
    }
    cloud.ok("DeleteStack", &[("StackName", "No")]).await;
}

#[tokio::test]
async fn a_failed_resource_rolls_the_stack_back() {
    let cloud = Cloud::new();
    let template = queues(&[
        ("First", "QueueName: first"),
        (
            "Second",
            "QueueName: second, DelaySeconds: 901, Tags: [{Key: after, Value: !Ref First}]",
        ),
    ]);
    assert_eq!(cloud.create("Lab", &template).await, "ROLLBACK_COMPLETE");
    assert_eq!(
        cloud.events("Lab").await,
        [
            "Lab CREATE_IN_PROGRESS",
            "First CREATE_IN_PROGRESS",
            "First CREATE_IN_PROGRESS",
            "First CREATE_COMPLETE",
            "Second CREATE_IN_PROGRESS",
            "Second CREATE_FAILED",
            "Lab ROLLBACK_IN_PROGRESS",
            "Second DELETE_COMPLETE",
            "First DELETE_IN_PROGRESS",
            "First DELETE_COMPLETE",
            "Lab ROLLBACK_COMPLETE",
        ]
    );
    let reasons = cloud.reasons("Lab").await;
    assert!(
        reasons.contains(
            "The following resource(s) failed to create: [Second]. Rollback requested by user."
        ),
        "{reasons}"
    );
    let expected =
        "Resource handler returned message: \"Invalid value for the parameter DelaySeconds. \
                    (Service: Sqs, Status Code: 400, Request ID: ";
    assert!(reasons.contains(expected), "{reasons}");
    assert!(
        reasons.contains(", HandlerErrorCode: InvalidRequest)"),
        "{reasons}"
    );
    assert!(!cloud.has_queue("first").await);
    let error = cloud
        .error(
            "UpdateStack",
            &[("StackName", "Lab"), ("TemplateBody", &template)],
        )
        .await;
    assert!(
        error.ends_with(" is in ROLLBACK_COMPLETE state and can not be updated."),
        "{error}"
    );
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
}

#[tokio::test]
async fn on_failure_decides_what_is_left() {
    let cloud = Cloud::new();
    let template = |n: u32| {
        let first = format!("QueueName: first{n}");
        queues(&[("First", &first), ("Second", "DelaySeconds: 901")])
    };
    let create = |name: &'static str, n: u32, option: (&'static str, &'static str)| {
        let (cloud, template) = (&cloud, template(n));
        async move {
            let form = [("StackName", name), ("TemplateBody", &template), option];
            cloud.create_with(&form).await
        }
    };
    let nothing = ("OnFailure", "DO_NOTHING");
    assert_eq!(create("Keep", 1, nothing).await, "CREATE_FAILED");
    assert!(cloud.has_queue("first1").await);
    let disabled = ("DisableRollback", "true");
    assert_eq!(create("Kept", 2, disabled).await, "CREATE_FAILED");
    assert!(cloud.has_queue("first2").await);
    assert_eq!(
        create("Drop", 3, ("OnFailure", "DELETE")).await,
        "DELETE_COMPLETE"
    );
    assert!(!cloud.has_queue("first3").await);
    let rollback = ("OnFailure", "ROLLBACK");
    assert_eq!(create("Back", 4, rollback).await, "ROLLBACK_COMPLETE");
    assert!(!cloud.has_queue("first4").await);
    let template = template(5);
    let form = [
        ("StackName", "Both"),
        ("TemplateBody", &template),
        nothing,
        disabled,
    ];
    let error = cloud.error("CreateStack", &form).await;
    assert!(error.contains("but not both"), "{error}");
    let form = [
        ("StackName", "X"),
        ("TemplateBody", &template),
        ("OnFailure", "PANIC"),
    ];
    let error = cloud.error("CreateStack", &form).await;
    assert!(error.contains("[ROLLBACK, DELETE, DO_NOTHING]"), "{error}");
}

#[tokio::test]
async fn a_queue_that_was_there_before_is_not_taken_over() {
    let cloud = Cloud::new();
    let input = json!({ "QueueName": "StandardQueue" });
    cloud.sqs("CreateQueue", input).await.expect("a queue");
    assert_eq!(cloud.create("Lab", LAB_TEMPLATE).await, "ROLLBACK_COMPLETE");
    let reasons = cloud.reasons("Lab").await;
    let expected =
        "\"Resource of type 'AWS::SQS::Queue' with identifier 'StandardQueue' already exists.\"";
    assert!(reasons.contains(expected), "{reasons}");
    assert!(cloud.has_queue("StandardQueue").await);
}

#[tokio::test]
async fn a_queue_name_is_free_again_after_a_minute() {
    let cloud = Cloud::new();
    cloud.create("Lab", LAB_TEMPLATE).await;
    cloud.delete("Lab").await;
    assert_eq!(cloud.create("Lab", LAB_TEMPLATE).await, "ROLLBACK_COMPLETE");
    let reasons = cloud.reasons("Lab").await;
    assert!(
        reasons.contains("You must wait 60 seconds after deleting a queue"),
        "{reasons}"
    );
    cloud.delete("Lab").await;
    cloud.clock.advance(Duration::from_secs(61));
    assert_eq!(cloud.create("Lab", LAB_TEMPLATE).await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn properties_reach_the_queue() {
    let cloud = Cloud::new();
    let template = r#"
Parameters:
  Tries: {Type: Number, Default: 3}
Resources:
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${AWS::StackName}-work"
      VisibilityTimeout: 7
      ReceiveMessageWaitTimeSeconds: "5"
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Dead.Arn
        maxReceiveCount: !Ref Tries
      Tags: [{Key: team, Value: lab}]
  Dead:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Join ["-", [!Ref AWS::StackName, dead]]
      RedriveAllowPolicy: {redrivePermission: allowAll}
  Open:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Work]
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: "*", Action: "sqs:*", Resource: !GetAtt Work.Arn}]
Outputs:
  Name: {Value: !GetAtt Work.QueueName, Export: {Name: !Sub "${AWS::Region}-name"}}
"#;
    let form = [
        ("StackName", "Lab"),
        ("TemplateBody", template),
        ("Tags.member.1.Key", "course"),
        ("Tags.member.1.Value", "queues"),
    ];
    assert_eq!(cloud.create_with(&form).await, "CREATE_COMPLETE");
    let attributes = cloud.attributes("Lab-work").await;
    assert_eq!(attributes["VisibilityTimeout"], "7");
    assert_eq!(attributes["ReceiveMessageWaitTimeSeconds"], "5");
    let redrive = attributes["RedrivePolicy"].as_str().unwrap_or_default();
    assert!(
        redrive.contains("us-east-1:000000000000:Lab-dead"),
        "{redrive}"
    );
    let policy = attributes["Policy"].as_str().unwrap_or_default();
    assert!(
        policy.contains("us-east-1:000000000000:Lab-work"),
        "{policy}"
    );
    let input = json!({ "QueueUrl": url("Lab-work") });
    let tags = cloud.sqs("ListQueueTags", input).await.expect("tags");
    assert_eq!(tags["Tags"], json!({ "course": "queues", "team": "lab" }));
    let stack = cloud.describe("Lab").await;
    assert_eq!(first(&stack, "OutputValue"), "Lab-work");
    assert_eq!(first(&stack, "ExportName"), "us-east-1-name");
    assert_eq!(first(&stack, "Key"), "course");
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    assert!(!cloud.has_queue("Lab-work").await && !cloud.has_queue("Lab-dead").await);
}

#[tokio::test]
async fn a_queue_without_a_name_gets_one() {
    let cloud = Cloud::new();
    let stack = "S".repeat(128);
    assert_eq!(
        cloud.create(&stack, &queues(&[("Q", "")])).await,
        "CREATE_COMPLETE"
    );
    assert_eq!(
        cloud.create("Lab", &queues(&[("Queue", "")])).await,
        "CREATE_COMPLETE"
    );
    let listed = cloud.sqs("ListQueues", json!({})).await.expect("queues");
    let urls: Vec<_> = listed["QueueUrls"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let mut names = urls
        .iter()
        .filter_map(|url| url.as_str()?.rsplit('/').next());
    let (short, long) = (
        names.next().unwrap_or_default(),
        names.next().unwrap_or_default(),
    );
    assert!(
        short.starts_with("Lab-Queue-") && short.len() == 22,
        "{short}"
    );
    assert_eq!(long.len(), 80, "{long}");
}

#[tokio::test]
async fn a_fifo_queue_comes_from_its_template_and_stays_one() {
    let cloud = Cloud::new();
    assert_eq!(cloud.create("Lab", FIFO_TEMPLATE).await, "CREATE_COMPLETE");
    let stack = cloud.describe("Lab").await;
    assert_eq!(all(&stack, "OutputKey"), ["FIFOQueueARN", "FIFOQueueURL"]);
    let attributes = cloud.attributes("FIFOQueue.fifo").await;
    assert_eq!(attributes["FifoQueue"], "true");
    assert_eq!(attributes["ContentBasedDeduplication"], "true");
    assert_eq!(attributes["DeduplicationScope"], "queue");
    assert_eq!(attributes["FifoThroughputLimit"], "perQueue");

    let high = "ContentBasedDeduplication: true\n      DeduplicationScope: messageGroup\n      \
                FifoThroughputLimit: perMessageGroupId";
    let high = FIFO_TEMPLATE.replace("ContentBasedDeduplication: true", high);
    assert_eq!(cloud.update("Lab", &high).await, "UPDATE_COMPLETE");
    let attributes = cloud.attributes("FIFOQueue.fifo").await;
    assert_eq!(attributes["DeduplicationScope"], "messageGroup");
    assert_eq!(attributes["FifoThroughputLimit"], "perMessageGroupId");

    let standard = high.replace("FifoQueue: true", "FifoQueue: false");
    assert_eq!(
        cloud.update("Lab", &standard).await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    let reasons = cloud.reasons("Lab").await;
    let expected = "#/FifoQueue: a new value needs a new queue in place of the old one";
    assert!(reasons.contains(expected), "{reasons}");
    assert_eq!(
        cloud.attributes("FIFOQueue.fifo").await["FifoQueue"],
        "true"
    );
}

#[tokio::test]
async fn a_fifo_queue_without_a_name_gets_one_that_ends_so() {
    let cloud = Cloud::new();
    for stack in ["Lab".to_owned(), "S".repeat(128)] {
        let template = queues(&[("Q", "FifoQueue: true")]);
        assert_eq!(cloud.create(&stack, &template).await, "CREATE_COMPLETE");
        let resources = [("StackName", stack.as_str())];
        let listed = cloud.ok("DescribeStackResources", &resources).await;
        let id = first(&listed, "PhysicalResourceId");
        let name = id.rsplit('/').next().unwrap_or_default();
        assert!(name.ends_with(".fifo") && name.len() <= 80, "{name}");
        assert_eq!(cloud.attributes(name).await["FifoQueue"], "true");
    }
    let named = queues(&[("Q", "QueueName: work, FifoQueue: true")]);
    assert_eq!(cloud.create("Wrong", &named).await, "ROLLBACK_COMPLETE");
}

#[tokio::test]
async fn a_property_that_a_queue_lacks_fails_the_resource() {
    let cloud = Cloud::new();
    for (property, complaint) in [
        ("Colour: red", "#: extraneous key [Colour] is not permitted"),
        ("Tags: red", "#/Tags: expected a list of Key and Value"),
    ] {
        let stack = "Lab";
        let template = queues(&[("Q", property)]);
        assert_eq!(cloud.create(stack, &template).await, "ROLLBACK_COMPLETE");
        let reasons = cloud.reasons(stack).await;
        let expected =
            format!("Properties validation failed for resource Q with message:\n{complaint}");
        assert!(reasons.contains(&expected), "{reasons}");
        cloud.delete(stack).await;
    }
}

#[tokio::test]
async fn an_update_changes_adds_and_removes() {
    let cloud = Cloud::new();
    let old = queues(&[
        ("A", "QueueName: a, DelaySeconds: 5, VisibilityTimeout: 9"),
        ("B", "QueueName: b"),
    ]);
    cloud.create("Lab", &old).await;
    let form = [("StackName", "Lab"), ("TemplateBody", old.as_str())];
    let error = cloud.error("UpdateStack", &form).await;
    assert_eq!(error, "ValidationError: No updates are to be performed.");
    let form = [("StackName", "Lab"), ("UsePreviousTemplate", "true")];
    let error = cloud.error("UpdateStack", &form).await;
    assert_eq!(error, "ValidationError: No updates are to be performed.");

    let new = queues(&[
        ("A", "QueueName: a, VisibilityTimeout: 10"),
        ("C", "QueueName: c"),
    ]);
    assert_eq!(cloud.update("Lab", &new).await, "UPDATE_COMPLETE");
    let attributes = cloud.attributes("a").await;
    assert_eq!(attributes["VisibilityTimeout"], "10");
    assert_eq!(attributes["DelaySeconds"], "0");
    assert!(cloud.has_queue("c").await && !cloud.has_queue("b").await);
    let template = cloud.ok("GetTemplate", &[("StackName", "Lab")]).await;
    assert!(template.contains("QueueName: c"));
    assert!(cloud.describe("Lab").await.contains("<LastUpdatedTime>"));
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    assert!(!cloud.has_queue("a").await && !cloud.has_queue("c").await);
}

#[tokio::test]
async fn a_failed_update_is_rolled_back() {
    let cloud = Cloud::new();
    cloud
        .create("Lab", &queues(&[("A", "QueueName: a, DelaySeconds: 5")]))
        .await;
    for broken in ["QueueName: z, DelaySeconds: 901", "Colour: red"] {
        let template = queues(&[
            ("A", "QueueName: a, DelaySeconds: 6"),
            ("B", "QueueName: !GetAtt A.QueueName"),
            ("C", broken),
        ]);
        let template = template.replace("!GetAtt A.QueueName", "b");
        assert_eq!(
            cloud.update("Lab", &template).await,
            "UPDATE_ROLLBACK_COMPLETE"
        );
        assert_eq!(cloud.attributes("a").await["DelaySeconds"], "5");
        assert!(!cloud.has_queue("b").await);
        let reasons = cloud.reasons("Lab").await;
        let expected = "The following resource(s) failed to create: [C]. ";
        assert!(reasons.contains(expected), "{reasons}");
        let kept = cloud.ok("GetTemplate", &[("StackName", "Lab")]).await;
        assert!(kept.contains("DelaySeconds: 5"), "{kept}");
        cloud.clock.advance(Duration::from_secs(61));
    }
    let renamed = queues(&[("A", "QueueName: other, DelaySeconds: 5")]);
    assert_eq!(
        cloud.update("Lab", &renamed).await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    let reasons = cloud.reasons("Lab").await;
    assert!(
        reasons.contains("replacement is not in this lab"),
        "{reasons}"
    );
    assert!(cloud.has_queue("a").await && !cloud.has_queue("other").await);
    let fine = queues(&[("A", "QueueName: a, DelaySeconds: 7")]);
    assert_eq!(cloud.update("Lab", &fine).await, "UPDATE_COMPLETE");
    assert_eq!(cloud.attributes("a").await["DelaySeconds"], "7");
}

#[tokio::test]
async fn an_update_can_keep_parameters_and_change_tags() {
    let cloud = Cloud::new();
    let value = ("Parameters.member.1.ParameterValue", "mine");
    let key = ("Parameters.member.1.ParameterKey", "QueueName");
    let form = [
        ("StackName", "Lab"),
        ("TemplateBody", LAB_TEMPLATE),
        key,
        value,
    ];
    assert_eq!(cloud.create_with(&form).await, "CREATE_COMPLETE");
    let form = [
        ("StackName", "Lab"),
        ("UsePreviousTemplate", "true"),
        key,
        ("Parameters.member.1.UsePreviousValue", "true"),
        ("Tags.member.1.Key", "k"),
        ("Tags.member.1.Value", "v"),
    ];
    let updated = cloud.ok("UpdateStack", &form).await;
    let id = first(&updated, "StackId");
    assert_eq!(cloud.settle(&id).await, "UPDATE_COMPLETE");
    let input = json!({ "QueueUrl": url("mine") });
    let tags = cloud.sqs("ListQueueTags", input).await.expect("tags");
    assert_eq!(tags["Tags"], json!({ "k": "v" }));
}

#[tokio::test]
async fn a_retained_queue_outlives_its_stack() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "QueueName: kept")]) + "    DeletionPolicy: Retain\n";
    cloud.create("Lab", &template).await;
    let id = first(&cloud.describe("Lab").await, "StackId");
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
    assert!(cloud.has_queue("kept").await);
    assert!(cloud
        .events(&id)
        .await
        .contains(&"Q DELETE_SKIPPED".to_owned()));
}

#[tokio::test]
async fn a_queue_deleted_behind_the_stacks_back_counts_as_deleted() {
    let cloud = Cloud::new();
    cloud.create("Lab", LAB_TEMPLATE).await;
    let input = json!({ "QueueUrl": url("StandardQueue") });
    cloud.sqs("DeleteQueue", input).await.expect("deleted");
    assert_eq!(cloud.delete("Lab").await, "DELETE_COMPLETE");
}

#[tokio::test]
async fn conditions_choose_resources_and_values() {
    let cloud = Cloud::new();
    let template = r#"
Parameters:
  Stage: {Type: String, AllowedValues: [test, live]}
Conditions:
  Live: !Equals [!Ref Stage, live]
  Test: !Not [!Condition Live]
  Never: !And [!Condition Live, !Condition Test]
  Always: !Or [!Condition Live, !Condition Test]
Resources:
  Main:
    Type: AWS::SQS::Queue
    Condition: Always
    Properties:
      QueueName: !Sub "${Stage}-main"
      VisibilityTimeout: !If [Live, 60, !Ref AWS::NoValue]
      DelaySeconds: !If [Live, !Ref "AWS::NoValue", 3]
  Extra:
    Type: AWS::SQS::Queue
    Condition: Live
    DependsOn: Main
    Properties: {QueueName: extra}
  Nothing: {Type: AWS::SQS::Queue, Condition: Never}
  Named:
    Type: AWS::SQS::Queue
    Properties: {Tags: [{Key: k, Value: !If [Live, !GetAtt Extra.QueueName, none]}]}
Outputs:
  Extra: {Condition: Live, Value: !Ref Extra}
  Main: {Value: !Ref Main}
"#;
    for (stage, visibility, delay, outputs) in [
        ("test", "30", "3", vec!["Main"]),
        ("live", "60", "0", vec!["Extra", "Main"]),
    ] {
        let form = [
            ("StackName", stage),
            ("TemplateBody", template),
            ("Parameters.member.1.ParameterKey", "Stage"),
            ("Parameters.member.1.ParameterValue", stage),
        ];
        assert_eq!(cloud.create_with(&form).await, "CREATE_COMPLETE");
        let attributes = cloud.attributes(&format!("{stage}-main")).await;
        assert_eq!(attributes["VisibilityTimeout"], visibility);
        assert_eq!(attributes["DelaySeconds"], delay);
        assert_eq!(all(&cloud.describe(stage).await, "OutputKey"), outputs);
        assert_eq!(cloud.has_queue("extra").await, stage == "live");
    }
    let form = [
        ("StackName", "Other"),
        ("TemplateBody", template),
        ("Parameters.member.1.ParameterKey", "Stage"),
        ("Parameters.member.1.ParameterValue", "dev"),
    ];
    let error = cloud.error("CreateStack", &form).await;
    assert_eq!(
        error,
        "ValidationError: Parameter 'Stage' must be one of AllowedValues"
    );
}

#[tokio::test]
async fn json_and_long_forms_mean_the_same() {
    let cloud = Cloud::new();
    let template = json!({
        "Parameters": { "Names": { "Type": "CommaDelimitedList", "Default": "a, b,c" } },
        "Resources": { "Q": { "Type": "AWS::SQS::Queue", "Properties": {
            "QueueName": { "Fn::Select": [1, { "Ref": "Names" }] },
        }}},
        "Outputs": {
            "Sub": { "Value": { "Fn::Sub": ["${Q.Arn}/${own}/${!Literal}", { "own": { "Fn::Join": ["+", { "Ref": "Names" }] } }] } },
            "Split": { "Value": { "Fn::Select": ["4", { "Fn::Split": [":", { "Fn::GetAtt": ["Q", "Arn"] }] }] } },
            "Pseudo": { "Value": { "Fn::Sub": "${AWS::Partition} ${AWS::AccountId} ${AWS::URLSuffix}" } },
        },
    });
    let text = serde_json::to_string_pretty(&template)
        .expect("JSON")
        .replace("  ", "\t");
    assert_eq!(cloud.create("Lab", &text).await, "CREATE_COMPLETE");
    assert_eq!(
        all(&cloud.describe("Lab").await, "OutputValue"),
        [
            "aws 000000000000 amazonaws.com",
            "000000000000",
            "arn:aws:sqs:us-east-1:000000000000:b/a+b+c/${Literal}",
        ]
    );
}

#[tokio::test]
async fn parameters_are_checked() {
    let cloud = Cloud::new();
    let create = |parameter: &str, value: Option<&str>| {
        let template = format!(
            "Parameters:\n  P: {{{parameter}}}\nResources:\n  Q: {{Type: AWS::SQS::Queue}}\n"
        );
        let value = value.map(str::to_owned);
        let cloud = &cloud;
        async move {
            let mut form = vec![("StackName", "Lab"), ("TemplateBody", &*template)];
            if let Some(value) = &value {
                form.push(("Parameters.member.1.ParameterKey", "P"));
                form.push(("Parameters.member.1.ParameterValue", value));
            }
            match cloud.call("CreateStack", &form).await {
                Ok(created) => {
                    let id = first(&created, "StackId");
                    cloud.settle(&id).await;
                    cloud.delete("Lab").await;
                    "fine".to_owned()
                }
                Err(error) => error.message,
            }
        }
    };
    for (parameter, value, answer) in [
        ("Type: String", None, "Parameters: [P] must have values"),
        ("Type: String, Default: x", None, "fine"),
        ("Type: Number", Some("many"), "Parameter 'P' must be a number."),
        ("Type: Number, MinValue: 2", Some("1"), "Parameter 'P' must be a number not less than 2"),
        ("Type: Number, MaxValue: 2", Some("3"), "Parameter 'P' must be a number not greater than 2"),
        ("Type: Number, MinValue: 2, MaxValue: 3", Some("2.5"), "fine"),
        ("Type: String, MinLength: 2", Some("x"), "Parameter 'P' must contain at least 2 characters"),
        ("Type: String, MaxLength: 2", Some("xyz"), "Parameter 'P' must contain at most 2 characters"),
        ("Type: String, AllowedPattern: '[a-z]+'", Some("abc1"), "Parameter 'P' must match pattern [a-z]+"),
        ("Type: String, AllowedPattern: '[a-z]+'", Some("abc"), "fine"),
        (
            "Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: letters only",
            Some("1"),
            "Parameter P failed to satisfy constraint: letters only",
        ),
        ("Type: CommaDelimitedList, AllowedValues: [a, b]", Some("a, b"), "fine"),
        ("Type: CommaDelimitedList, AllowedValues: [a, b]", Some("a,c"), "Parameter 'P' must be one of AllowedValues"),
        ("Type: Colour", Some("x"), "Template format error: Unrecognized parameter type: Colour. In this lab are: String, Number, CommaDelimitedList"),
        ("Default: x", None, "Template format error: Every Parameters object must contain a Type member."),
        ("Type: String, AllowedPattern: '('", Some("x"), "Template format error: [/Parameters/P/AllowedPattern] is not what a AllowedPattern can be."),
        ("Type: String, Colour: red", Some("x"), "Template format error: Invalid template parameter property 'Colour'"),
    ] {
        assert_eq!(create(parameter, value).await, answer, "{parameter}, {value:?}");
    }
    let long = "x".repeat(4097);
    let answer = create("Type: String", Some(&long)).await;
    assert_eq!(answer, "Parameter 'P' must contain at most 4096 characters");
    let form = [
        ("StackName", "Lab"),
        ("TemplateBody", LAB_TEMPLATE),
        ("Parameters.member.1.ParameterKey", "Colour"),
        ("Parameters.member.1.ParameterValue", "red"),
    ];
    let error = cloud.error("CreateStack", &form).await;
    assert_eq!(
        error,
        "ValidationError: Parameters: [Colour] do not exist in the template"
    );
}

#[tokio::test]
async fn a_secret_parameter_is_not_shown() {
    let cloud = Cloud::new();
    let template = "Parameters:\n  P: {Type: String, NoEcho: true, Default: secret}\nResources:\n  Q: {Type: AWS::SQS::Queue}\n";
    cloud.create("Lab", template).await;
    assert_eq!(
        first(&cloud.describe("Lab").await, "ParameterValue"),
        "****"
    );
}

#[tokio::test]
async fn a_wrong_call_is_refused() {
    let cloud = Cloud::new();
    let long = "x".repeat(129);
    for (name, constraint) in [
        (
            "1st",
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        ),
        (
            "a_b",
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        ),
        (&long, "Member must have length less than or equal to 128"),
    ] {
        let form = [("StackName", name), ("TemplateBody", LAB_TEMPLATE)];
        let error = cloud.error("CreateStack", &form).await;
        let expected = format!(
            "ValidationError: 1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: {constraint}"
        );
        assert_eq!(error, expected);
    }
    for (form, message) in [
        (
            vec![("TemplateBody", LAB_TEMPLATE)],
            "Value null at 'StackName'",
        ),
        (
            vec![("StackName", "Lab")],
            "Either Template URL or Template Body must be specified.",
        ),
        (
            vec![
                ("StackName", "Lab"),
                ("TemplateURL", "https://example.com/t"),
            ],
            "TemplateURL is not in this lab.",
        ),
        (
            vec![
                ("StackName", "Lab"),
                ("TemplateBody", LAB_TEMPLATE),
                ("RoleARN", "arn:aws:iam::1:role/x"),
            ],
            "RoleARN is not in this lab.",
        ),
        (
            vec![
                ("StackName", "Lab"),
                ("TemplateBody", LAB_TEMPLATE),
                ("EnableTerminationProtection", "true"),
            ],
            "EnableTerminationProtection is not in this lab.",
        ),
    ] {
        let error = cloud.error("CreateStack", &form).await;
        assert!(error.contains(message), "{error}");
    }
    let form = [("StackName", "Lab"), ("DisableRollback", "true")];
    let error = cloud.error("UpdateStack", &form).await;
    assert_eq!(
        error,
        "ValidationError: DisableRollback is not in this lab."
    );
    let error = cloud.error("DetectStackDrift", &[]).await;
    assert!(error.starts_with("UnknownOperationException: cloudformation DetectStackDrift"));
}

#[tokio::test]
async fn the_number_of_stacks_has_a_bound() {
    let cloud = Cloud::new();
    let template = queues(&[("Q", "")]);
    for n in 0..200 {
        cloud.create(&format!("Lab{n}"), &template).await;
    }
    let form = [("StackName", "More"), ("TemplateBody", template.as_str())];
    let error = cloud.error("CreateStack", &form).await;
    assert!(error.starts_with("LimitExceededException: "), "{error}");
    cloud.delete("Lab7").await;
    assert_eq!(cloud.create("More", &template).await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn a_template_is_shown_and_summed_up() {
    let cloud = Cloud::new();
    cloud.create("Lab", LAB_TEMPLATE).await;
    let template = cloud.ok("GetTemplate", &[("StackName", "Lab")]).await;
    let body = first(&template, "TemplateBody");
    assert_eq!(body, LAB_TEMPLATE);
    for form in [("StackName", "Lab"), ("TemplateBody", LAB_TEMPLATE)] {
        let summary = cloud.ok("GetTemplateSummary", &[form]).await;
        assert!(summary.contains("<ResourceTypes><member>AWS::SQS::Queue</member></ResourceTypes>"));
        assert_eq!(first(&summary, "ParameterType"), "String");
    }
    let valid = cloud
        .ok("ValidateTemplate", &[("TemplateBody", LAB_TEMPLATE)])
        .await;
    assert_eq!(first(&valid, "ParameterKey"), "QueueName");
    assert_eq!(first(&valid, "DefaultValue"), "StandardQueue");
}

/// The caller goes away at once, so that nothing has been made yet when the next call comes.
#[tokio::test]
async fn deletion_waits_for_creation() {
    let cloud = Cloud::new();
    let template = queues(&[("A", ""), ("B", ""), ("C", "")]);
    let form = [("StackName", "Lab"), ("TemplateBody", template.as_str())];
    tokio::select! {
        biased;
        _ = cloud.call("CreateStack", &form) => panic!("nobody has worked on it yet"),
        () = std::future::ready(()) => {}
    }
    let stack = cloud.describe("Lab").await;
    let id = first(&stack, "StackId");
    assert_eq!(first(&stack, "StackStatus"), "CREATE_IN_PROGRESS");
    let error = cloud.error("UpdateStack", &form).await;
    let expected = format!(
        "ValidationError: Stack:{id} is in CREATE_IN_PROGRESS state and can not be updated."
    );
    assert_eq!(error, expected);
    cloud.ok("DeleteStack", &[("StackName", "Lab")]).await;
    assert_eq!(cloud.settle(&id).await, "DELETE_COMPLETE");
    let events = cloud.events(&id).await;
    assert!(
        events.contains(&"Lab CREATE_COMPLETE".to_owned()),
        "{events:?}"
    );
    let left = cloud.sqs("ListQueues", json!({})).await.expect("queues");
    assert!(
        left["QueueUrls"].as_array().is_none_or(Vec::is_empty),
        "{left}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_is_never_worked_on_twice_at_a_time() {
    let cloud = Cloud::new();
    let many: Vec<_> = (0..30).map(|n| (format!("Q{n}"), "")).collect();
    let many: Vec<_> = many.iter().map(|(name, none)| (&**name, *none)).collect();
    let template = queues(&many);
    for _ in 0..30 {
        let form = [("StackName", "Lab"), ("TemplateBody", template.as_str())];
        tokio::select! {
            biased;
            _ = cloud.call("CreateStack", &form) => {}
            () = std::future::ready(()) => {}
        }
        let id = first(&cloud.describe("Lab").await, "StackId");
        cloud.ok("DeleteStack", &[("StackName", "Lab")]).await;
        assert_eq!(cloud.settle(&id).await, "DELETE_COMPLETE");
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let left = cloud.sqs("ListQueues", json!({})).await.expect("queues");
    assert!(
        left["QueueUrls"].as_array().is_none_or(Vec::is_empty),
        "{left}"
    );
}

#[tokio::test]
async fn the_stream_template_makes_a_stream_with_one_shard() {
    let cloud = Cloud::new();
    assert_eq!(
        cloud.create("KinesisStream", STREAM_TEMPLATE).await,
        "CREATE_COMPLETE"
    );
    let stack = cloud.describe("KinesisStream").await;
    assert!(
        stack.contains("<OutputKey>StreamName</OutputKey><OutputValue>KinesisStream<"),
        "{stack}"
    );
    assert!(stack.contains("<OutputKey>StreamARN</OutputKey><OutputValue>arn:aws:kinesis:us-east-1:000000000000:stream/KinesisStream<"), "{stack}");
    let summary = cloud.stream("KinesisStream").await.expect("it is there");
    assert_eq!(summary["StreamStatus"], "ACTIVE");
    assert_eq!(summary["OpenShardCount"], 1);

    // A second stack finds the name taken and leaves the stream alone.
    assert_eq!(
        cloud.create("other", STREAM_TEMPLATE).await,
        "ROLLBACK_COMPLETE"
    );
    assert_eq!(cloud.delete("KinesisStream").await, "DELETE_COMPLETE");
    assert!(cloud.stream("KinesisStream").await.is_none());
}

#[tokio::test]
async fn streams_and_consumers_are_made_changed_and_deleted() {
    let cloud = Cloud::new();
    let template = |shards: u32, hours: u32, tag: &str| {
        format!(
            r#"
Resources:
  Stream:
    Type: AWS::Kinesis::Stream
    Properties:
      Name: s
      ShardCount: {shards}
      RetentionPeriodHours: {hours}
      Tags: [{{Key: {tag}, Value: v}}]
  Consumer:
    Type: AWS::Kinesis::StreamConsumer
    Properties: {{ConsumerName: c, StreamARN: !GetAtt Stream.Arn}}
Outputs:
  Consumer: {{Value: !Ref Consumer}}
  Status: {{Value: !GetAtt Consumer.ConsumerStatus}}
"#
        )
    };
    for hours in [1, 8761] {
        let name = format!("kept-{hours}");
        assert_eq!(
            cloud.create(&name, &template(2, hours, "a")).await,
            "ROLLBACK_COMPLETE"
        );
        assert!(cloud.stream("s").await.is_none(), "nothing stays behind");
    }
    assert_eq!(
        cloud.create("s", &template(2, 48, "a")).await,
        "CREATE_COMPLETE"
    );
    let stack = cloud.describe("s").await;
    assert!(stack.contains(":stream/s/consumer/c:"), "{stack}");
    let summary = cloud.stream("s").await.expect("it is there");
    assert_eq!(
        (&summary["OpenShardCount"], &summary["RetentionPeriodHours"]),
        (&json!(2), &json!(48))
    );
    assert_eq!(summary["ConsumerCount"], 1);

    assert_eq!(
        cloud.update("s", &template(4, 24, "b")).await,
        "UPDATE_COMPLETE"
    );
    let summary = cloud.stream("s").await.expect("it is there");
    assert_eq!(
        (&summary["OpenShardCount"], &summary["RetentionPeriodHours"]),
        (&json!(4), &json!(24))
    );
    let tags = cloud
        .kinesis
        .ask("ListTagsForStream", json!({"StreamName": "s"}))
        .await;
    let tags = tags.expect("tags")["Tags"].clone();
    assert!(
        tags.as_array()
            .is_some_and(|tags| tags.iter().any(|tag| tag["Key"] == "b")
                && tags.iter().all(|tag| tag["Key"] != "a")),
        "{tags}"
    );

    // Too large a step: the service refuses and the stack goes back.
    assert_eq!(
        cloud.update("s", &template(9, 24, "b")).await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    assert_eq!(cloud.delete("s").await, "DELETE_COMPLETE");
    assert!(cloud.stream("s").await.is_none());

    let on_demand = "Resources: {S: {Type: AWS::Kinesis::Stream}}\nOutputs: {N: {Value: !Ref S}}\n";
    let name = "t".repeat(120);
    assert_eq!(cloud.create(&name, on_demand).await, "CREATE_COMPLETE");
    let stream = first(&cloud.describe(&name).await, "OutputValue");
    let summary = cloud.stream(&stream).await.expect("it is there");
    assert_eq!(summary["StreamModeDetails"]["StreamMode"], "ON_DEMAND");

    let both = "Resources: {S: {Type: AWS::Kinesis::Stream, Properties: \
                {ShardCount: 1, StreamModeDetails: {StreamMode: ON_DEMAND}}}}";
    assert_eq!(cloud.create("both", both).await, "ROLLBACK_COMPLETE");
    let events = cloud
        .ok("DescribeStackEvents", &[("StackName", "both")])
        .await;
    assert!(
        events.contains("ShardCount is not expected when StreamMode=ON_DEMAND"),
        "{events}"
    );
}

/// A role with its log group. A parameter decides whether the role may read queues.
const ROLE_TEMPLATE: &str = r#"
Parameters:
  Attach: {Type: String, Default: "no", AllowedValues: ["no", "yes"]}
  Retention: {Type: Number, Default: 7}
Conditions:
  MayRead: !Equals [!Ref Attach, "yes"]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Path: /lab/
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      ManagedPolicyArns:
        - arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
        - !If [MayRead, arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole, !Ref AWS::NoValue]
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/aws/lambda/${AWS::StackName}", RetentionInDays: !Ref Retention}
Outputs:
  RoleArn: {Value: !GetAtt Role.Arn}
  RoleName: {Value: !Ref Role}
  LogsArn: {Value: !GetAtt Logs.Arn}
  Logs: {Value: !Ref Logs}
"#;
const OF_SQS: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole";
const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:q";
const MAY: (&str, &str) = ("Capabilities.member.1", "CAPABILITY_IAM");
const MAY_NAME: (&str, &str) = ("Capabilities.member.1", "CAPABILITY_NAMED_IAM");

impl Cloud {
    /// Creates a stack that makes roles or policies.
    async fn create_roles(&self, name: &str, template: &str) -> String {
        let form = [("StackName", name), ("TemplateBody", template), MAY_NAME];
        self.create_with(&form).await
    }

    fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String, ApiError> {
        self.iam.call(action, &parameters.iter().copied().collect())
    }

    async fn output(&self, stack: &str, name: &str) -> String {
        let described = self.describe(stack).await;
        let (keys, values) = (all(&described, "OutputKey"), all(&described, "OutputValue"));
        let at = keys.iter().position(|key| key == name).expect("an output");
        values[at].clone()
    }
}

#[tokio::test]
async fn a_parameter_decides_what_a_role_may_do() {
    let cloud = Cloud::new();
    let form = [("StackName", "f"), ("TemplateBody", ROLE_TEMPLATE), MAY];
    assert_eq!(cloud.create_with(&form).await, "CREATE_COMPLETE");
    let role = cloud.output("f", "RoleArn").await;
    let name = cloud.output("f", "RoleName").await;
    assert!(name.starts_with("f-Role-"), "{name}");
    assert_eq!(role, format!("arn:aws:iam::000000000000:role/lab/{name}"));
    assert_eq!(cloud.output("f", "Logs").await, "/aws/lambda/f");
    assert_eq!(
        cloud.output("f", "LogsArn").await,
        "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*"
    );
    assert!(cloud.iam.can_be_assumed(&role, "lambda.amazonaws.com"));
    assert!(cloud.iam.allows(&role, "logs:PutLogEvents", "*"));
    let may_read = || cloud.iam.allows(&role, "sqs:ReceiveMessage", QUEUE_ARN);
    assert!(!may_read());

    for (attach, expected) in [("yes", true), ("no", false)] {
        let form = [
            ("StackName", "f"),
            ("UsePreviousTemplate", "true"),
            ("Parameters.member.1.ParameterKey", "Attach"),
            ("Parameters.member.1.ParameterValue", attach),
            ("Parameters.member.2.ParameterKey", "Retention"),
            ("Parameters.member.2.ParameterValue", "30"),
            MAY,
        ];
        cloud.ok("UpdateStack", &form).await;
        assert_eq!(cloud.settle("f").await, "UPDATE_COMPLETE");
        assert_eq!(may_read(), expected, "{attach}");
    }
    let groups = cloud.logs.call("DescribeLogGroups", b"{}").expect("groups");
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 30);

    assert_eq!(cloud.delete("f").await, "DELETE_COMPLETE");
    assert_eq!(cloud.iam.status(), json!([]));
    assert_eq!(cloud.logs.status(), json!([]));
}

#[tokio::test]
async fn a_policy_that_somebody_attached_keeps_the_role() {
    let cloud = Cloud::new();
    cloud.create_roles("f", ROLE_TEMPLATE).await;
    let name = cloud.output("f", "RoleName").await;
    let attached = [("RoleName", &*name), ("PolicyArn", OF_SQS)];
    cloud.iam("AttachRolePolicy", &attached).expect("attached");
    assert_eq!(cloud.delete("f").await, "DELETE_FAILED");
    let reasons = cloud.reasons("f").await;
    let expected =
        "Cannot delete entity, must detach all policies first. (Service: Iam, Status Code: 409";
    assert!(reasons.contains(expected), "{reasons}");
    cloud.iam("DetachRolePolicy", &attached).expect("detached");
    assert_eq!(cloud.delete("f").await, "DELETE_COMPLETE");
    assert_eq!(cloud.iam.status(), json!([]));
}

#[tokio::test]
async fn roles_need_an_acknowledgement() {
    let cloud = Cloud::new();
    let named = ROLE_TEMPLATE.replace("Path: /lab/", "RoleName: own");
    for (template, given, needed) in [
        (ROLE_TEMPLATE, None, Some("CAPABILITY_IAM")),
        (
            ROLE_TEMPLATE,
            Some("CAPABILITY_AUTO_EXPAND"),
            Some("CAPABILITY_IAM"),
        ),
        (&named, None, Some("CAPABILITY_NAMED_IAM")),
        (&named, Some("CAPABILITY_IAM"), Some("CAPABILITY_NAMED_IAM")),
        (&named, Some("CAPABILITY_NAMED_IAM"), None),
    ] {
        let mut form = vec![("StackName", "f"), ("TemplateBody", template)];
        form.extend(given.map(|given| ("Capabilities.member.1", given)));
        match needed {
            Some(needed) => assert_eq!(
                cloud.error("CreateStack", &form).await,
                format!("InsufficientCapabilitiesException: Requires capabilities : [{needed}]")
            ),
            None => assert_eq!(cloud.create_with(&form).await, "CREATE_COMPLETE"),
        }
    }
    let summary = cloud
        .ok("GetTemplateSummary", &[("TemplateBody", &*named)])
        .await;
    assert!(
        summary.contains("<member>CAPABILITY_NAMED_IAM</member>"),
        "{summary}"
    );
    assert_eq!(
        all(&summary, "CapabilitiesReason"),
        ["The following resource(s) require capabilities: [AWS::IAM::Role]"]
    );
    let queue = [("TemplateBody", LAB_TEMPLATE)];
    let summary = cloud.ok("ValidateTemplate", &queue).await;
    assert!(!summary.contains("Capabilities"), "{summary}");
}

#[tokio::test]
async fn policies_follow_their_roles() {
    const TEMPLATE: &str = r#"
Resources:
  Inline:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: one-queue
      PolicyDocument: {Statement: {Effect: Allow, Action: "sqs:Receive*", Resource: !GetAtt Q.Arn}}
      Roles: [!Ref Role]
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: delete-from-queues
      PolicyDocument: {Statement: {Effect: Allow, Action: "sqs:DeleteMessage", Resource: "*"}}
      Roles: [!Ref Role]
  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: q}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: r
      AssumeRolePolicyDocument: {Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}}
      Policies:
        - PolicyName: own
          PolicyDocument: {Statement: {Effect: Allow, Action: sqs:GetQueueAttributes, Resource: "*"}}
Outputs:
  Policy: {Value: !Ref Managed}
"#;
    const ROLE: &str = "arn:aws:iam::000000000000:role/r";
    let cloud = Cloud::new();
    assert_eq!(cloud.create_roles("f", TEMPLATE).await, "CREATE_COMPLETE");
    let may = |action: &str| cloud.iam.allows(ROLE, action, QUEUE_ARN);
    let all_three = || {
        [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ]
        .map(may)
    };
    assert_eq!(all_three(), [true; 3]);
    assert_eq!(
        cloud.output("f", "Policy").await,
        "arn:aws:iam::000000000000:policy/delete-from-queues"
    );
    let update = |template: String| {
        let cloud = &cloud;
        async move {
            let form = [("StackName", "f"), ("TemplateBody", &*template), MAY_NAME];
            cloud.ok("UpdateStack", &form).await;
            cloud.settle("f").await
        }
    };
    let less = TEMPLATE
        .replace("PolicyName: one-queue", "PolicyName: renamed")
        .replace("sqs:Receive*", "sqs:Send*")
        .replace("PolicyName: own", "PolicyName: own2")
        .replacen(
            "Resource: \"*\"}}\n      Roles: [!Ref Role]",
            "Resource: \"*\"}}",
            1,
        );
    assert_eq!(update(less.clone()).await, "UPDATE_COMPLETE");
    assert_eq!(all_three(), [false, false, true]);
    assert!(may("sqs:SendMessage"));
    let listed = cloud.iam("ListRolePolicies", &[("RoleName", "r")]);
    assert_eq!(all(&listed.expect("a list"), "member"), ["own2", "renamed"]);
    let another = less.replace("Action: \"sqs:DeleteMessage\"", "Action: \"sqs:*\"");
    assert_eq!(update(another).await, "UPDATE_ROLLBACK_COMPLETE");
    let reasons = cloud.reasons("f").await;
    assert!(
        reasons.contains("a managed policy has one version in this lab"),
        "{reasons}"
    );
    assert_eq!(cloud.delete("f").await, "DELETE_COMPLETE");
    assert_eq!(cloud.iam.status(), json!([]));
    let local = cloud.iam("ListPolicies", &[("Scope", "Local")]);
    assert!(all(&local.expect("a list"), "Arn").is_empty());
}

/// What fails halfway leaves nothing behind.
#[tokio::test]
async fn a_role_or_group_that_cannot_be_made_says_why() {
    let cloud = Cloud::new();
    cloud.iam("CreateRole", &[("RoleName", "own"), ("AssumeRolePolicyDocument", r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#)]).expect("a role");
    for (n, (from, to, reason)) in [
        ("Path: /lab/", "RoleName: own", "Resource of type 'AWS::IAM::Role' with identifier 'own' already exists."),
        ("Path: /lab/", "RoleNmae: own", "#: extraneous key [RoleNmae] is not permitted"),
        ("AWSLambdaBasicExecutionRole", "NoSuchPolicy", "Policy arn:aws:iam::aws:policy/service-role/NoSuchPolicy does not exist or is not attachable. (Service: Iam, Status Code: 404"),
        ("sts:AssumeRole}", "sqs:*}", "AssumeRole policy may only specify STS AssumeRole actions. (Service: Iam, Status Code: 400"),
        ("Default: 7", "Default: 8", "Value '8' at 'retentionInDays'"),
        ("/aws/lambda/${AWS::StackName}", "a b", "Value 'a b' at 'logGroupName'"),
    ]
    .into_iter()
    .enumerate()
    {
        let stack = format!("f{n}");
        let template = ROLE_TEMPLATE.replace(from, to);
        assert_ne!(template, ROLE_TEMPLATE);
        assert_eq!(cloud.create_roles(&stack, &template).await, "ROLLBACK_COMPLETE", "{to}");
        let reasons = cloud.reasons(&stack).await;
        assert!(reasons.contains(reason), "{to}\n{reasons}");
        assert_eq!(cloud.iam.status(), json!([{ "name": "own", "policies": [] }]));
        assert_eq!(cloud.logs.status(), json!([]));
    }
}

const MAPPING: &str = "
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: reader
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
      ManagedPolicyArns: [arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole]
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: q}}
  Trigger:
    Type: AWS::Lambda::EventSourceMapping
    DependsOn: Role
    Properties:
      EventSourceArn: !GetAtt Queue.Arn
      FunctionName: work
      BatchSize: '5'
      ScalingConfig: {MaximumConcurrency: 2}
Outputs:
  Trigger: {Value: !Ref Trigger}
  Id: {Value: !GetAtt Trigger.Id}
";

#[tokio::test]
async fn a_mapping_is_made_changed_and_deleted_with_its_stack() {
    let cloud = Cloud::new();
    let form = |template| {
        [
            ("StackName", "trigger"),
            ("TemplateBody", template),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ]
    };
    assert_eq!(cloud.create_with(&form(MAPPING)).await, "CREATE_COMPLETE");
    let uuid = first(&cloud.describe("trigger").await, "OutputValue");
    let shown = |uuid: &str| cloud.mappings.get(uuid).expect("the mapping");
    let mapping = shown(&uuid);
    assert_eq!(mapping["UUID"], uuid);
    assert_eq!(
        (&mapping["BatchSize"], &mapping["State"]),
        (&json!(5), &json!("Enabled"))
    );
    assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], 2);

    let changed = MAPPING
        .replace("BatchSize: '5'", "Enabled: 'false'")
        .replace("ScalingConfig: {MaximumConcurrency: 2}", "");
    let updated = cloud.ok("UpdateStack", &form(&changed)).await;
    let status = cloud.settle(&first(&updated, "StackId")).await;
    assert_eq!(status, "UPDATE_COMPLETE");
    let mapping = shown(&uuid);
    assert_eq!(
        (&mapping["BatchSize"], &mapping["State"]),
        (&json!(10), &json!("Disabled"))
    );
    assert!(mapping["ScalingConfig"].is_null());

    assert_eq!(cloud.delete("trigger").await, "DELETE_COMPLETE");
    assert!(cloud.mappings.get(&uuid).is_err());
}

#[tokio::test]
async fn a_mapping_whose_numbers_are_none_fails_its_stack() {
    for (number, name) in [
        (
            "MaximumConcurrency: abc",
            "ScalingConfig/MaximumConcurrency",
        ),
        ("MaximumConcurrency: -5", "ScalingConfig/MaximumConcurrency"),
        (
            "MaximumConcurrency: 2}\n      BatchSize: {a: b",
            "BatchSize",
        ),
    ] {
        let cloud = Cloud::new();
        let template = MAPPING.replace("BatchSize: '5'", "");
        let template = template.replace("MaximumConcurrency: 2", number);
        let form = [
            ("StackName", "trigger"),
            ("TemplateBody", template.as_str()),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ];
        assert_eq!(cloud.create_with(&form).await, "ROLLBACK_COMPLETE");
        let reasons = cloud.reasons("trigger").await;
        let reason = format!("#/{name}: expected a number");
        assert!(reasons.contains(&reason), "{number}\n{reasons}");
    }
}

#[tokio::test]
async fn a_mapping_that_the_role_does_not_allow_fails_its_stack() {
    let cloud = Cloud::new();
    let denied = MAPPING.replace(
        "AWSLambdaSQSQueueExecutionRole",
        "AWSLambdaBasicExecutionRole",
    );
    let form = [
        ("StackName", "trigger"),
        ("TemplateBody", denied.as_str()),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
    ];
    assert_eq!(cloud.create_with(&form).await, "ROLLBACK_COMPLETE");
    let events = cloud
        .ok("DescribeStackEvents", &[("StackName", "trigger")])
        .await;
    assert!(
        events.contains("The function execution role does not have permissions to call ReceiveMessage on SQS (Service: Lambda"),
        "{events}"
    );
    assert!(cloud.mappings.status().is_empty());
}
