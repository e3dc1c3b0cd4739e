//! The resource types of the lab's templates. Each is made, changed and deleted by its service's own operations.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SQS.html>.

use super::function::text;
use crate::sqs::Sqs;
use crate::wire::error::ApiError;
use crate::{ACCOUNT, REGION};
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;

/// A type of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Queue,
    QueuePolicy,
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
    pub base: &'a str,
}

type Properties = Map<String, Value>;

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
    pub const ALL: [Self; 2] = [Self::Queue, Self::QueuePolicy];

    pub fn named(type_name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.type_name() == type_name)
    }

    pub fn type_name(self) -> &'static str {
        match self {
            Self::Queue => "AWS::SQS::Queue",
            Self::QueuePolicy => "AWS::SQS::QueuePolicy",
        }
    }

    /// What `Fn::GetAtt` can ask for.
    pub fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::Queue => &["Arn", "QueueName", "QueueUrl"],
            Self::QueuePolicy => &["Id"],
        }
    }

    /// Whether the tags of a stack go to its resources of this type.
    pub fn takes_tags(self) -> bool {
        match self {
            Self::Queue => true,
            Self::QueuePolicy => false,
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
        };
        if let Some(name) = properties.keys().find(|name| !known(name)) {
            return Err(Failure::Properties(format!(
                "#: extraneous key [{name}] is not permitted"
            )));
        }
        match self {
            Self::Queue => tags(properties).map(drop),
            Self::QueuePolicy => policy(properties).map(drop),
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
    let name = name.unwrap_or_else(|| {
        // A queue's name has at most 80 characters; the random end must stay.
        let ending = if fifo { ".fifo" } else { "" };
        let cut = generated.len().saturating_sub(80 - ending.len());
        let (start, random) = generated.rsplit_once('-').unwrap_or(("", generated));
        let start = &start[..start.len().saturating_sub(cut)];
        format!("{start}-{random}{ending}")
    });
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
            ("Arn", format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")),
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
    for fixed in ["QueueName", "FifoQueue"] {
        // Differs from AWS: replacement: an update that would replace a resource fails and is rolled back.
        if old.get(fixed) != new.get(fixed) {
            return Err(Failure::Properties(format!(
                "#/{fixed}: a new value needs a new queue in place of the old one, and replacement is not in this lab. \
                 Delete the stack and create it again"
            )));
        }
    }
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

fn unless_gone(outcome: Result<(), Failure>) -> Result<(), Failure> {
    match outcome {
        Err(Failure::Service(error)) if error.shape == "QueueDoesNotExist" => Ok(()),
        outcome => outcome,
    }
}

/// A property as the text that SQS takes: policies are JSON.
fn attribute(value: &Value) -> String {
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
