//! The resource types of the lab's templates. Each is made, changed and deleted by its service's own operations.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SQS.html> and
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Kinesis.html>; `roles`, `logs` and
//! `mappings` have those of IAM, CloudWatch Logs and Lambda.

use super::function::text;
use super::{logs, mappings, roles};
use crate::account;
use crate::iam::Iam;
use crate::kinesis::Kinesis;
use crate::lambda::mapping::Mappings;
use crate::logs::Logs;
use crate::sqs::Sqs;
use crate::wire::error::ApiError;
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A type of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Queue,
    QueuePolicy,
    Stream,
    StreamConsumer,
    Role,
    Policy,
    ManagedPolicy,
    LogGroup,
    EventSourceMapping,
}

/// A resource that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// Its physical id, which is what `Ref` gives.
    pub id: String,
    /// What `Fn::GetAtt` gives.
    pub attributes: BTreeMap<&'static str, String>,
}

/// Why a resource could not be made, changed or deleted.
#[derive(Debug)]
pub enum Failure {
    /// The service's own error.
    Service(ApiError),
    /// Something of this name was there before the stack.
    AlreadyExists(String),
    /// The properties are not those of the type.
    Properties(String),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Service(error)
    }
}

/// The services, and the URL by which the stack's creator reached them: queue URLs begin with it.
pub struct Services<'a> {
    pub sqs: &'a Sqs,
    pub kinesis: &'a Kinesis,
    pub iam: &'a Iam,
    pub logs: &'a Logs,
    pub mappings: &'a Mappings,
    pub base: &'a str,
}

pub type Properties = Map<String, Value>;

const DEFAULT_RETENTION_HOURS: u64 = 24;
const RETENTION_HOURS: std::ops::RangeInclusive<u64> = 24..=8760;
pub const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The attributes of a queue that a template sets, and what they are when it doesn't.
const QUEUE_ATTRIBUTES: [(&str, &str); 13] = [
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("DelaySeconds", "0"),
    ("FifoThroughputLimit", "perQueue"),
    ("KmsDataKeyReusePeriodSeconds", "300"),
    ("KmsMasterKeyId", ""),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedriveAllowPolicy", ""),
    ("RedrivePolicy", ""),
    ("SqsManagedSseEnabled", "true"),
    ("VisibilityTimeout", "30"),
];

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::Queue,
        Self::QueuePolicy,
        Self::Stream,
        Self::StreamConsumer,
        Self::Role,
        Self::Policy,
        Self::ManagedPolicy,
        Self::LogGroup,
        Self::EventSourceMapping,
    ];

    pub fn named(type_name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.type_name() == type_name)
    }

    pub fn type_name(self) -> &'static str {
        match self {
            Self::Queue => "AWS::SQS::Queue",
            Self::QueuePolicy => "AWS::SQS::QueuePolicy",
            Self::Stream => "AWS::Kinesis::Stream",
            Self::StreamConsumer => "AWS::Kinesis::StreamConsumer",
            Self::Role => "AWS::IAM::Role",
            Self::Policy => "AWS::IAM::Policy",
            Self::ManagedPolicy => "AWS::IAM::ManagedPolicy",
            Self::LogGroup => "AWS::Logs::LogGroup",
            Self::EventSourceMapping => "AWS::Lambda::EventSourceMapping",
        }
    }

    /// The service as CloudFormation names it when it passes on its error.
    pub fn service(self) -> &'static str {
        match self {
            Self::Queue | Self::QueuePolicy => "Sqs",
            Self::Stream | Self::StreamConsumer => "Kinesis",
            Self::Role | Self::Policy | Self::ManagedPolicy => "Iam",
            Self::LogGroup => "CloudWatchLogs",
            Self::EventSourceMapping => "Lambda",
        }
    }

    /// What the caller has to acknowledge before a stack may have this resource.
    pub fn capability(self, properties: &Value) -> Option<&'static str> {
        let own_name = match self {
            Self::Role => "RoleName",
            Self::ManagedPolicy => "ManagedPolicyName",
            Self::Policy => return Some("CAPABILITY_IAM"),
            _ => return None,
        };
        Some(match properties.get(own_name) {
            Some(_) => "CAPABILITY_NAMED_IAM",
            None => "CAPABILITY_IAM",
        })
    }

    /// What `Fn::GetAtt` can ask for.
    pub fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::Queue => &["Arn", "QueueName", "QueueUrl"],
            Self::QueuePolicy => &["Id"],
            Self::Stream => &["Arn"],
            Self::StreamConsumer => &[
                "ConsumerARN",
                "ConsumerCreationTimestamp",
                "ConsumerName",
                "ConsumerStatus",
                "StreamARN",
            ],
            Self::Role => &["Arn", "RoleId"],
            Self::Policy => &["Id"],
            Self::ManagedPolicy => &["PolicyArn", "PolicyId"],
            Self::LogGroup => &["Arn"],
            Self::EventSourceMapping => &["EventSourceMappingArn", "Id"],
        }
    }

    /// Whether the tags of a stack go to its resources of this type.
    pub fn takes_tags(self) -> bool {
        match self {
            Self::Queue | Self::Stream | Self::StreamConsumer => true,
            Self::QueuePolicy
            | Self::Role
            | Self::Policy
            | Self::ManagedPolicy
            | Self::LogGroup
            | Self::EventSourceMapping => false,
        }
    }

    /// Whether the properties are those of the type, as far as names and shapes go. Values are the service's business.
    pub fn check(self, properties: &Properties) -> Result<(), Failure> {
        let known = |name: &str| match self {
            Self::Queue => {
                matches!(name, "QueueName" | "FifoQueue" | "Tags")
                    || QUEUE_ATTRIBUTES.iter().any(|(known, _)| *known == name)
            }
            Self::QueuePolicy => matches!(name, "PolicyDocument" | "Queues"),
            Self::Stream => matches!(
                name,
                "Name" | "RetentionPeriodHours" | "ShardCount" | "StreamModeDetails" | "Tags"
            ),
            Self::StreamConsumer => matches!(name, "ConsumerName" | "StreamARN" | "Tags"),
            Self::Role => roles::ROLE.contains(&name),
            Self::Policy => roles::POLICY.contains(&name),
            Self::ManagedPolicy => roles::MANAGED_POLICY.contains(&name),
            Self::LogGroup => logs::PROPERTIES.contains(&name),
            Self::EventSourceMapping => mappings::is_known(name),
        };
        if let Some(name) = properties.keys().find(|name| !known(name)) {
            return Err(Failure::Properties(format!(
                "#: extraneous key [{name}] is not permitted"
            )));
        }
        match self {
            Self::Queue => tags(properties).map(drop),
            Self::QueuePolicy => policy(properties).map(drop),
            Self::Stream => {
                tags(properties)?;
                match number(properties, "RetentionPeriodHours")? {
                    Some(hours) if !RETENTION_HOURS.contains(&hours) => {
                        Err(Failure::Properties(format!(
                            "#/RetentionPeriodHours: {hours} is not between {} and {}",
                            RETENTION_HOURS.start(),
                            RETENTION_HOURS.end()
                        )))
                    }
                    _ => number(properties, "ShardCount").map(drop),
                }
            }
            Self::StreamConsumer => {
                tags(properties)?;
                required(properties, "ConsumerName")?;
                required(properties, "StreamARN").map(drop)
            }
            Self::Role => roles::check_role(properties),
            Self::Policy => roles::check_policy(properties),
            Self::ManagedPolicy => roles::check_managed_policy(properties),
            Self::LogGroup => logs::check(properties),
            Self::EventSourceMapping => mappings::check(properties),
        }
    }

    /// Makes the resource. `name` is for a type whose name the template leaves open.
    pub async fn create(
        self,
        services: &Services<'_>,
        properties: &Properties,
        name: &str,
    ) -> Result<Provisioned, Failure> {
        match self {
            Self::Queue => create_queue(services, properties, name).await,
            Self::QueuePolicy => {
                let (document, queues) = policy(properties)?;
                for queue in &queues {
                    set(services, queue, [("Policy", document.as_str())]).await?;
                }
                Ok(Provisioned {
                    id: name.to_owned(),
                    attributes: BTreeMap::from([("Id", name.to_owned())]),
                })
            }
            Self::Stream => create_stream(services, properties, name).await,
            Self::StreamConsumer => create_consumer(services, properties).await,
            Self::Role => roles::create_role(services, properties, name),
            Self::Policy => roles::create_policy(services, properties, name),
            Self::ManagedPolicy => roles::create_managed_policy(services, properties, name),
            Self::LogGroup => logs::create(services, properties, name),
            Self::EventSourceMapping => mappings::create(services, properties).await,
        }
    }

    /// Changes the resource from one set of properties to another.
    pub async fn update(
        self,
        services: &Services<'_>,
        resource: &Provisioned,
        old: &Properties,
        new: &Properties,
    ) -> Result<(), Failure> {
        match self {
            Self::Queue => update_queue(services, &resource.id, old, new).await,
            Self::Stream => update_stream(services, resource, old, new).await,
            Self::StreamConsumer => {
                fixed(&["ConsumerName", "StreamARN"], "consumer", old, new)?;
                update_tags(services, &resource.id, old, new).await
            }
            Self::Role => roles::update_role(services, &resource.id, old, new),
            Self::Policy => roles::update_policy(services, old, new),
            Self::ManagedPolicy => roles::update_managed_policy(services, &resource.id, old, new),
            Self::LogGroup => logs::update(services, &resource.id, old, new),
            Self::EventSourceMapping => mappings::update(services, &resource.id, old, new).await,
            Self::QueuePolicy => {
                let ((_, old), (document, new)) = (policy(old)?, policy(new)?);
                for queue in &new {
                    set(services, queue, [("Policy", document.as_str())]).await?;
                }
                for queue in old.iter().filter(|queue| !new.contains(queue)) {
                    set(services, queue, [("Policy", "")]).await?;
                }
                Ok(())
            }
        }
    }

    /// Deletes the resource; one that is gone already counts as deleted.
    pub async fn delete(
        self,
        services: &Services<'_>,
        resource: &Provisioned,
        properties: &Properties,
    ) -> Result<(), Failure> {
        match self {
            Self::Queue => {
                let input = json!({ "QueueUrl": resource.id });
                unless_gone(call(services, "DeleteQueue", input).await.map(drop))
            }
            Self::QueuePolicy => {
                for queue in policy(properties)?.1 {
                    unless_gone(set(services, &queue, [("Policy", "")]).await)?;
                }
                Ok(())
            }
            Self::Stream => {
                let name = json!({ "StreamName": resource.id });
                let mut input = name.clone();
                input["EnforceConsumerDeletion"] = true.into();
                let deleted = services.kinesis.ask("DeleteStream", input).await;
                unless_gone(deleted.map(drop).map_err(Failure::from))?;
                gone(services, "DescribeStreamSummary", name).await;
                Ok(())
            }
            Self::StreamConsumer => {
                let arn = json!({ "ConsumerARN": resource.id });
                let deleted = services
                    .kinesis
                    .ask("DeregisterStreamConsumer", arn.clone());
                unless_gone(deleted.await.map(drop).map_err(Failure::from))?;
                gone(services, "DescribeStreamConsumer", arn).await;
                Ok(())
            }
            Self::Role => roles::delete_role(services, &resource.id, properties),
            Self::Policy => roles::delete_policy(services, properties),
            Self::ManagedPolicy => roles::delete_managed_policy(services, &resource.id, properties),
            Self::LogGroup => logs::delete(services, &resource.id),
            Self::EventSourceMapping => mappings::delete(services, &resource.id).await,
        }
    }
}

async fn create_queue(
    services: &Services<'_>,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    let fifo = properties.get("FifoQueue").and_then(text).as_deref() == Some("true");
    let name = properties.get("QueueName").and_then(text);
    let ending = if fifo { ".fifo" } else { "" };
    let name = name.unwrap_or_else(|| cut(generated, 80 - ending.len()) + ending);
    let found = call(services, "GetQueueUrl", json!({ "QueueName": name })).await;
    if found.is_ok() {
        return Err(Failure::AlreadyExists(name));
    }
    let mut attributes: BTreeMap<_, _> = QUEUE_ATTRIBUTES
        .iter()
        .filter_map(|(name, _)| Some((*name, attribute(properties.get(*name)?))))
        .collect();
    if fifo {
        attributes.insert("FifoQueue", "true".to_owned());
    }
    let input = json!({ "QueueName": name, "Attributes": attributes, "tags": tags(properties)? });
    let output = call(services, "CreateQueue", input).await?;
    let url = output["QueueUrl"].as_str().unwrap_or_default().to_owned();
    Ok(Provisioned {
        id: url.clone(),
        attributes: BTreeMap::from([
            ("Arn", account::arn("sqs", &name)),
            ("QueueName", name),
            ("QueueUrl", url),
        ]),
    })
}

async fn update_queue(
    services: &Services<'_>,
    url: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    fixed(&["QueueName", "FifoQueue"], "queue", old, new)?;
    let changed: BTreeMap<_, _> = QUEUE_ATTRIBUTES
        .iter()
        .filter(|(name, _)| old.get(*name) != new.get(*name))
        .map(|(name, default)| {
            let value = new.get(*name).map(attribute);
            (*name, value.unwrap_or_else(|| (*default).to_owned()))
        })
        .collect();
    if !changed.is_empty() {
        let input = json!({ "QueueUrl": url, "Attributes": changed });
        call(services, "SetQueueAttributes", input).await?;
    }
    let (old, new) = (tags(old)?, tags(new)?);
    let gone: Vec<_> = old.keys().filter(|key| !new.contains_key(*key)).collect();
    if !gone.is_empty() {
        let input = json!({ "QueueUrl": url, "TagKeys": gone });
        call(services, "UntagQueue", input).await?;
    }
    if !new.is_empty() && old != new {
        call(
            services,
            "TagQueue",
            json!({ "QueueUrl": url, "Tags": new }),
        )
        .await?;
    }
    Ok(())
}

/// A generated name in `longest` characters. Its random end stays.
pub fn cut(generated: &str, longest: usize) -> String {
    let over = generated.len().saturating_sub(longest);
    let (start, random) = generated.rsplit_once('-').unwrap_or(("", generated));
    let start = &start[..start.len().saturating_sub(over)];
    format!("{start}-{random}")
}

/// Whether the properties that only a new resource could change stay as they are.
pub fn fixed(
    names: &[&str],
    what: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    for fixed in names {
        // Differs from AWS: replacement: an update that would replace a resource fails and is rolled back.
        if old.get(*fixed) != new.get(*fixed) {
            return Err(Failure::Properties(format!(
                "#/{fixed}: a new value needs a new {what} in place of the old one, and replacement is not in this lab. \
                 Delete the stack and create it again"
            )));
        }
    }
    Ok(())
}

async fn create_stream(
    services: &Services<'_>,
    properties: &Properties,
    generated: &str,
) -> Result<Provisioned, Failure> {
    let name = properties.get("Name").and_then(text);
    let name = name.unwrap_or_else(|| cut(generated, 128));
    let summary = json!({ "StreamName": name });
    if services
        .kinesis
        .ask("DescribeStreamSummary", summary)
        .await
        .is_ok()
    {
        return Err(Failure::AlreadyExists(name));
    }
    let mut input = json!({ "StreamName": name, "Tags": tags(properties)? });
    if input["Tags"] == json!({}) {
        input["Tags"] = Value::Null;
    }
    match (
        properties.get("StreamModeDetails"),
        number(properties, "ShardCount")?,
    ) {
        (Some(mode), Some(_)) if mode["StreamMode"] == "ON_DEMAND" => {
            let message = "ShardCount is not expected when StreamMode=ON_DEMAND";
            return Err(Failure::Properties(message.to_owned()));
        }
        (Some(mode), shards) => {
            input["StreamModeDetails"] = mode.clone();
            input["ShardCount"] = json!(shards);
        }
        (None, Some(shards)) => input["ShardCount"] = shards.into(),
        // AWS makes a stream on demand when the template says nothing.
        (None, None) => input["StreamModeDetails"] = json!({ "StreamMode": "ON_DEMAND" }),
    }
    services.kinesis.ask("CreateStream", input).await?;
    let arn = stream_ready(services, &name).await?;
    let hours = number(properties, "RetentionPeriodHours")?.unwrap_or(DEFAULT_RETENTION_HOURS);
    set_retention(services, &name, DEFAULT_RETENTION_HOURS, hours).await?;
    Ok(Provisioned {
        id: name,
        attributes: BTreeMap::from([("Arn", arn)]),
    })
}

async fn update_stream(
    services: &Services<'_>,
    resource: &Provisioned,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    fixed(&["Name"], "stream", old, new)?;
    let (name, arn) = (&resource.id, &resource.attributes["Arn"]);
    if old.get("StreamModeDetails") != new.get("StreamModeDetails") {
        let on_demand = json!({ "StreamMode": "ON_DEMAND" });
        let input = json!({
            "StreamARN": arn,
            "StreamModeDetails": new.get("StreamModeDetails").unwrap_or(&on_demand),
        });
        services.kinesis.ask("UpdateStreamMode", input).await?;
        stream_ready(services, name).await?;
    }
    let shards = number(new, "ShardCount")?;
    if shards.is_some() && shards != number(old, "ShardCount")? {
        let input = json!({
            "StreamName": name,
            "TargetShardCount": shards,
            "ScalingType": "UNIFORM_SCALING",
        });
        services.kinesis.ask("UpdateShardCount", input).await?;
        stream_ready(services, name).await?;
    }
    let hours = |properties| {
        let hours = number(properties, "RetentionPeriodHours");
        hours.map(|hours| hours.unwrap_or(DEFAULT_RETENTION_HOURS))
    };
    set_retention(services, name, hours(old)?, hours(new)?).await?;
    update_tags(services, arn, old, new).await
}

async fn set_retention(
    services: &Services<'_>,
    name: &str,
    old: u64,
    new: u64,
) -> Result<(), Failure> {
    let operation = match new {
        hours if hours > old => "IncreaseStreamRetentionPeriod",
        hours if hours < old => "DecreaseStreamRetentionPeriod",
        _ => return Ok(()),
    };
    let input = json!({ "StreamName": name, "RetentionPeriodHours": new });
    services.kinesis.ask(operation, input).await?;
    Ok(())
}

async fn create_consumer(
    services: &Services<'_>,
    properties: &Properties,
) -> Result<Provisioned, Failure> {
    let name = required(properties, "ConsumerName")?;
    let stream = required(properties, "StreamARN")?;
    let input = json!({ "ConsumerName": name, "StreamARN": stream });
    let known = services
        .kinesis
        .ask("DescribeStreamConsumer", input.clone())
        .await;
    if known.is_ok() {
        return Err(Failure::AlreadyExists(name));
    }
    let mut tagged = input.clone();
    let tags = tags(properties)?;
    if !tags.is_empty() {
        tagged["Tags"] = json!(tags);
    }
    let registered = services
        .kinesis
        .ask("RegisterStreamConsumer", tagged)
        .await?;
    let arn = registered["Consumer"]["ConsumerARN"].as_str();
    let arn = arn.unwrap_or_default().to_owned();
    let status = |output: &Value| {
        let status = &output["ConsumerDescription"]["ConsumerStatus"];
        status.as_str().unwrap_or_default().to_owned()
    };
    let description = ready(services, "DescribeStreamConsumer", &input, status).await?;
    let made = description["ConsumerDescription"]["ConsumerCreationTimestamp"].to_string();
    Ok(Provisioned {
        id: arn.clone(),
        attributes: BTreeMap::from([
            ("ConsumerARN", arn),
            ("ConsumerCreationTimestamp", made),
            ("ConsumerName", name),
            ("ConsumerStatus", "ACTIVE".to_owned()),
            ("StreamARN", stream),
        ]),
    })
}

/// The ARN of the stream, once it is active.
async fn stream_ready(services: &Services<'_>, name: &str) -> Result<String, Failure> {
    let status = |output: &Value| {
        let status = &output["StreamDescriptionSummary"]["StreamStatus"];
        status.as_str().unwrap_or_default().to_owned()
    };
    let input = json!({ "StreamName": name });
    let summary = ready(services, "DescribeStreamSummary", &input, status).await?;
    let arn = summary["StreamDescriptionSummary"]["StreamARN"].as_str();
    Ok(arn.unwrap_or_default().to_owned())
}

/// What `operation` says once the resource is active.
async fn ready(
    services: &Services<'_>,
    operation: &str,
    input: &Value,
    status: impl Fn(&Value) -> String,
) -> Result<Value, Failure> {
    loop {
        let output = services.kinesis.ask(operation, input.clone()).await?;
        if !matches!(status(&output).as_str(), "CREATING" | "UPDATING") {
            return Ok(output);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Waits until `operation` finds nothing.
async fn gone(services: &Services<'_>, operation: &str, input: Value) {
    while services.kinesis.ask(operation, input.clone()).await.is_ok() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Makes the tags of a stream or a consumer those of `new`.
async fn update_tags(
    services: &Services<'_>,
    arn: &str,
    old: &Properties,
    new: &Properties,
) -> Result<(), Failure> {
    let (old, new) = (tags(old)?, tags(new)?);
    let gone: Vec<_> = old.keys().filter(|key| !new.contains_key(*key)).collect();
    if !gone.is_empty() {
        let input = json!({ "ResourceARN": arn, "TagKeys": gone });
        services.kinesis.ask("UntagResource", input).await?;
    }
    if !new.is_empty() && old != new {
        let input = json!({ "ResourceARN": arn, "Tags": new });
        services.kinesis.ask("TagResource", input).await?;
    }
    Ok(())
}

async fn set<const N: usize>(
    services: &Services<'_>,
    url: &str,
    attributes: [(&str, &str); N],
) -> Result<(), Failure> {
    let attributes = BTreeMap::from(attributes);
    let input = json!({ "QueueUrl": url, "Attributes": attributes });
    call(services, "SetQueueAttributes", input).await.map(drop)
}

async fn call(services: &Services<'_>, operation: &str, input: Value) -> Result<Value, Failure> {
    let input = input.to_string();
    let output = services
        .sqs
        .call(operation, input.as_bytes(), services.base)
        .await?;
    Ok(serde_json::from_slice(&output).unwrap_or_default())
}

pub fn unless_gone(outcome: Result<(), Failure>) -> Result<(), Failure> {
    match outcome {
        Err(Failure::Service(error))
            if matches!(
                error.shape.as_str(),
                "QueueDoesNotExist" | "ResourceNotFoundException" | "NoSuchEntity"
            ) =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}

/// A property that is a whole number, written as one or as text.
pub fn number(properties: &Properties, name: &str) -> Result<Option<u64>, Failure> {
    let Some(value) = properties.get(name) else {
        return Ok(None);
    };
    let number = text(value).and_then(|text| text.parse().ok());
    let malformed = || Failure::Properties(format!("#/{name}: expected a whole number"));
    number.ok_or_else(malformed).map(Some)
}

pub fn required(properties: &Properties, name: &str) -> Result<String, Failure> {
    let value = properties.get(name).and_then(text);
    value.ok_or_else(|| Failure::Properties(format!("#: required key [{name}] not found")))
}

/// A property as the text that SQS takes: policies are JSON.
pub fn attribute(value: &Value) -> String {
    text(value).unwrap_or_else(|| value.to_string())
}

/// `[{"Key": k, "Value": v}, …]` as a map.
fn tags(properties: &Properties) -> Result<BTreeMap<String, String>, Failure> {
    let malformed = || Failure::Properties("#/Tags: expected a list of Key and Value".to_owned());
    let list = match properties.get("Tags") {
        None => return Ok(BTreeMap::new()),
        Some(list) => list.as_array().ok_or_else(malformed)?,
    };
    let pair = |tag: &Value| Some((text(tag.get("Key")?)?, text(tag.get("Value")?)?));
    list.iter()
        .map(|tag| pair(tag).ok_or_else(malformed))
        .collect()
}

/// The document of a queue policy as JSON, and the URLs of its queues.
fn policy(properties: &Properties) -> Result<(String, Vec<String>), Failure> {
    let required = |name: &str| Failure::Properties(format!("#: required key [{name}] not found"));
    let document = properties
        .get("PolicyDocument")
        .ok_or_else(|| required("PolicyDocument"))?;
    let queues = properties.get("Queues").ok_or_else(|| required("Queues"))?;
    let urls = queues
        .as_array()
        .and_then(|queues| queues.iter().map(text).collect())
        .ok_or_else(|| Failure::Properties("#/Queues: expected a list of queue URLs".to_owned()))?;
    Ok((attribute(document), urls))
}
