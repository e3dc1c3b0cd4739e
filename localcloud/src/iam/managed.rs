//! The managed policies of AWS's own that the lab uses.

use super::evaluate::Document;
use super::request::{id, Written};
use super::state::Policy;
use crate::clock::Millis;
use crate::ids::Random;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const LOGS: [&str; 3] = [
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
];

/// A managed policy of AWS's own, see <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html>.
pub struct OfAws {
    name: &'static str,
    description: &'static str,
    version: &'static str,
    created_at: Millis,
    changed_at: Millis,
    actions: &'static [&'static str],
}

pub const OF_AWS: [OfAws; 3] = [
    OfAws {
        name: "AWSLambdaBasicExecutionRole",
        description: "Provides write permissions to CloudWatch Logs.",
        version: "v1",
        created_at: 1_428_591_780_000,
        changed_at: 1_428_591_780_000,
        actions: &[],
    },
    OfAws {
        name: "AWSLambdaKinesisExecutionRole",
        description: "Provides list and read access to Kinesis streams and write permissions to CloudWatch logs.",
        version: "v2",
        created_at: 1_428_592_440_000,
        changed_at: 1_542_658_140_000,
        actions: &[
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
            "kinesis:ListStreams",
            "kinesis:SubscribeToShard",
        ],
    },
    OfAws {
        name: "AWSLambdaSQSQueueExecutionRole",
        description: "Provides receive message, delete message, and read attribute access to SQS queues, and write permissions to CloudWatch logs.",
        version: "v1",
        created_at: 1_529_013_000_000,
        changed_at: 1_529_013_000_000,
        actions: &[
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ],
    },
];

/// AWS's managed policies by their ARNs.
// Differs from AWS: managed-policies: of AWS's own there are three, those for functions that read queues and streams.
pub fn of_aws(random: &mut Random) -> BTreeMap<String, Policy> {
    let mut policies = BTreeMap::new();
    for it in OF_AWS {
        let actions: Vec<_> = it.actions.iter().chain(&LOGS).collect();
        let statement = format!(
            "{{\"Effect\": \"Allow\", \"Action\": {}, \"Resource\": \"*\"}}",
            json!(actions)
        );
        let text = format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{statement}]}}");
        let Ok(document) = Document::permissions(&text) else {
            continue;
        };
        let path = "/service-role/";
        let arn = format!("arn:aws:iam::aws:policy{path}{}", it.name);
        let policy = Policy {
            name: it.name.to_owned(),
            arn: arn.clone(),
            path: path.to_owned(),
            id: id(random, "ANPA"),
            description: Some(it.description.to_owned()),
            version: it.version,
            created_at: it.created_at,
            changed_at: it.changed_at,
            written: Written {
                text,
                document: Arc::new(document),
            },
        };
        policies.insert(arn, policy);
    }
    policies
}
