//! The input and the output of each operation: its members by their names in JSON, and where they differ, in the query
//! protocol. The operations themselves take and return JSON.
//!
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html>, and for the query
//! protocol <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html>.

use crate::wire::query::shapes::Shape::{self, List, Map, Number, Structure, Text};
use crate::wire::query::shapes::{member, named, Member, Operation};

/// The operations there are, in the order of the alphabet.
pub const OPERATIONS: &[Operation] = &[
    operation(
        "AddPermission",
        &[
            QUEUE_URL,
            member("Label", Text),
            named("AWSAccountIds", "AWSAccountId", List(&Text)),
            named("Actions", "ActionName", List(&Text)),
        ],
        None,
    ),
    operation(
        "CancelMessageMoveTask",
        &[member("TaskHandle", Text)],
        Some(&[member("ApproximateNumberOfMessagesMoved", Number)]),
    ),
    operation(
        "ChangeMessageVisibility",
        &[QUEUE_URL, RECEIPT_HANDLE, VISIBILITY_TIMEOUT],
        None,
    ),
    operation(
        "ChangeMessageVisibilityBatch",
        &[
            QUEUE_URL,
            named(
                "Entries",
                "ChangeMessageVisibilityBatchRequestEntry",
                List(&Structure(&[ID, RECEIPT_HANDLE, VISIBILITY_TIMEOUT])),
            ),
        ],
        Some(&[
            named(
                "Successful",
                "ChangeMessageVisibilityBatchResultEntry",
                List(&Structure(&[ID])),
            ),
            FAILED,
        ]),
    ),
    operation(
        "CreateQueue",
        &[
            member("QueueName", Text),
            ATTRIBUTES,
            named("tags", "Tag", TAGS),
        ],
        Some(&[QUEUE_URL]),
    ),
    operation("DeleteMessage", &[QUEUE_URL, RECEIPT_HANDLE], None),
    operation(
        "DeleteMessageBatch",
        &[
            QUEUE_URL,
            named(
                "Entries",
                "DeleteMessageBatchRequestEntry",
                List(&Structure(&[ID, RECEIPT_HANDLE])),
            ),
        ],
        Some(&[
            named(
                "Successful",
                "DeleteMessageBatchResultEntry",
                List(&Structure(&[ID])),
            ),
            FAILED,
        ]),
    ),
    operation("DeleteQueue", &[QUEUE_URL], None),
    operation(
        "GetQueueAttributes",
        &[QUEUE_URL, ATTRIBUTE_NAMES],
        Some(&[ATTRIBUTES]),
    ),
    operation(
        "GetQueueUrl",
        &[
            member("QueueName", Text),
            member("QueueOwnerAWSAccountId", Text),
        ],
        Some(&[QUEUE_URL]),
    ),
    operation(
        "ListDeadLetterSourceQueues",
        &[QUEUE_URL, NEXT_TOKEN, MAX_RESULTS],
        Some(&[named("queueUrls", "QueueUrl", List(&Text)), NEXT_TOKEN]),
    ),
    operation(
        "ListMessageMoveTasks",
        &[member("SourceArn", Text), MAX_RESULTS],
        Some(&[named(
            "Results",
            "ListMessageMoveTasksResultEntry",
            List(&Structure(&[
                member("TaskHandle", Text),
                member("Status", Text),
                member("SourceArn", Text),
                member("DestinationArn", Text),
                member("MaxNumberOfMessagesPerSecond", Number),
                member("ApproximateNumberOfMessagesMoved", Number),
                member("ApproximateNumberOfMessagesToMove", Number),
                member("FailureReason", Text),
                member("StartedTimestamp", Number),
            ])),
        )]),
    ),
    operation(
        "ListQueueTags",
        &[QUEUE_URL],
        Some(&[named("Tags", "Tag", TAGS)]),
    ),
    operation(
        "ListQueues",
        &[member("QueueNamePrefix", Text), NEXT_TOKEN, MAX_RESULTS],
        Some(&[named("QueueUrls", "QueueUrl", List(&Text)), NEXT_TOKEN]),
    ),
    operation("PurgeQueue", &[QUEUE_URL], None),
    operation(
        "ReceiveMessage",
        &[
            QUEUE_URL,
            ATTRIBUTE_NAMES,
            named(
                "MessageSystemAttributeNames",
                "MessageSystemAttributeName",
                List(&Text),
            ),
            named("MessageAttributeNames", "MessageAttributeName", List(&Text)),
            member("MaxNumberOfMessages", Number),
            VISIBILITY_TIMEOUT,
            member("WaitTimeSeconds", Number),
            member("ReceiveRequestAttemptId", Text),
        ],
        Some(&[named(
            "Messages",
            "Message",
            List(&Structure(&[
                member("MessageId", Text),
                RECEIPT_HANDLE,
                member("MD5OfBody", Text),
                member("Body", Text),
                ATTRIBUTES,
                member("MD5OfMessageAttributes", Text),
                MESSAGE_ATTRIBUTES,
            ])),
        )]),
    ),
    operation(
        "RemovePermission",
        &[QUEUE_URL, member("Label", Text)],
        None,
    ),
    operation(
        "SendMessage",
        &[
            QUEUE_URL,
            MESSAGE_BODY,
            DELAY_SECONDS,
            MESSAGE_ATTRIBUTES,
            MESSAGE_SYSTEM_ATTRIBUTES,
            MESSAGE_DEDUPLICATION_ID,
            MESSAGE_GROUP_ID,
        ],
        Some(&[
            MESSAGE_ID,
            MD5_OF_BODY,
            MD5_OF_ATTRIBUTES,
            MD5_OF_SYSTEM_ATTRIBUTES,
            SEQUENCE_NUMBER,
        ]),
    ),
    operation(
        "SendMessageBatch",
        &[
            QUEUE_URL,
            named(
                "Entries",
                "SendMessageBatchRequestEntry",
                List(&Structure(&[
                    ID,
                    MESSAGE_BODY,
                    DELAY_SECONDS,
                    MESSAGE_ATTRIBUTES,
                    MESSAGE_SYSTEM_ATTRIBUTES,
                    MESSAGE_DEDUPLICATION_ID,
                    MESSAGE_GROUP_ID,
                ])),
            ),
        ],
        Some(&[
            named(
                "Successful",
                "SendMessageBatchResultEntry",
                List(&Structure(&[
                    ID,
                    MESSAGE_ID,
                    MD5_OF_BODY,
                    MD5_OF_ATTRIBUTES,
                    MD5_OF_SYSTEM_ATTRIBUTES,
                    SEQUENCE_NUMBER,
                ])),
            ),
            FAILED,
        ]),
    ),
    operation("SetQueueAttributes", &[QUEUE_URL, ATTRIBUTES], None),
    operation(
        "StartMessageMoveTask",
        &[
            member("SourceArn", Text),
            member("DestinationArn", Text),
            member("MaxNumberOfMessagesPerSecond", Number),
        ],
        Some(&[member("TaskHandle", Text)]),
    ),
    operation("TagQueue", &[QUEUE_URL, named("Tags", "Tag", TAGS)], None),
    operation(
        "UntagQueue",
        &[QUEUE_URL, named("TagKeys", "TagKey", List(&Text))],
        None,
    ),
];

const QUEUE_URL: Member = member("QueueUrl", Text);
const ID: Member = member("Id", Text);
const RECEIPT_HANDLE: Member = member("ReceiptHandle", Text);
const VISIBILITY_TIMEOUT: Member = member("VisibilityTimeout", Number);
const NEXT_TOKEN: Member = member("NextToken", Text);
const MAX_RESULTS: Member = member("MaxResults", Number);
const ATTRIBUTE_NAMES: Member = named("AttributeNames", "AttributeName", List(&Text));
const ATTRIBUTES: Member = named("Attributes", "Attribute", Map("Name", "Value", &Text));
const TAGS: Shape = Map("Key", "Value", &Text);

const MESSAGE_ID: Member = member("MessageId", Text);
const MESSAGE_BODY: Member = member("MessageBody", Text);
const DELAY_SECONDS: Member = member("DelaySeconds", Number);
const MESSAGE_DEDUPLICATION_ID: Member = member("MessageDeduplicationId", Text);
const MESSAGE_GROUP_ID: Member = member("MessageGroupId", Text);
const MD5_OF_BODY: Member = member("MD5OfMessageBody", Text);
const MD5_OF_ATTRIBUTES: Member = member("MD5OfMessageAttributes", Text);
const MD5_OF_SYSTEM_ATTRIBUTES: Member = member("MD5OfMessageSystemAttributes", Text);
const SEQUENCE_NUMBER: Member = member("SequenceNumber", Text);

const MESSAGE_ATTRIBUTES: Member = named(
    "MessageAttributes",
    "MessageAttribute",
    Map("Name", "Value", &ATTRIBUTE_VALUE),
);
const MESSAGE_SYSTEM_ATTRIBUTES: Member = named(
    "MessageSystemAttributes",
    "MessageSystemAttribute",
    Map("Name", "Value", &ATTRIBUTE_VALUE),
);
const ATTRIBUTE_VALUE: Shape = Structure(&[
    member("StringValue", Text),
    member("BinaryValue", Text),
    named("StringListValues", "StringListValue", List(&Text)),
    named("BinaryListValues", "BinaryListValue", List(&Text)),
    member("DataType", Text),
]);

const FAILED: Member = named(
    "Failed",
    "BatchResultErrorEntry",
    List(&Structure(&[
        ID,
        member("SenderFault", Text),
        member("Code", Text),
        member("Message", Text),
    ])),
);

const fn operation(
    name: &'static str,
    input: &'static [Member],
    output: Option<&'static [Member]>,
) -> Operation {
    Operation {
        name,
        input,
        output,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_operation_is_described() {
        let described: Vec<_> = super::OPERATIONS.iter().map(|it| it.name).collect();
        assert_eq!(described, crate::sqs::OPERATIONS);
    }
}
