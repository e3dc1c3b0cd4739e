"""One slice of SQS by a boto3 that speaks the query protocol: `query_client.py URL standard|fifo`. Prints what came of it
as JSON. It runs in a virtual environment of its own, see requirements-query.txt."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

REGION = "us-east-1"


def receive(sqs, queue: str) -> list[dict]:
    """Up to ten messages, with all their attributes."""
    everything = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2, **everything)
    return answer.get("Messages", [])


def standard(sqs) -> dict:
    queue = sqs.create_queue(QueueName="StandardQueue", Attributes={"VisibilityTimeout": "45"}, tags={"team": "a & b"})
    queue = queue["QueueUrl"]
    attributes = {
        "colour": {"DataType": "String", "StringValue": "blue"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\0\1\2"},
    }
    bodies = [f'{{"Message": {n}, "Field01": "<&>\r\n\té"}}' for n in range(5)]
    # Botocore compares the MD5s of what it sent with those of the answer.
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=attributes)
    received = []
    while messages := receive(sqs, queue):
        received += messages
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    described = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    late = [{"Id": "good", "MessageBody": "x", "DelaySeconds": 900}, {"Id": "bad", "MessageBody": "x", "DelaySeconds": 901}]
    batch = sqs.send_message_batch(QueueUrl=queue, Entries=late)
    try:
        sqs.get_queue_url(QueueName="nobody")
        missing = None
    except ClientError as error:
        missing = [type(error).__name__, error.response["Error"]["Code"]]
    return {
        "bodies": sorted(message["Body"] for message in received) == bodies,
        "attributes": all(message["MessageAttributes"] == attributes for message in received),
        "receives": [message["Attributes"]["ApproximateReceiveCount"] for message in received],
        "timeout": described["VisibilityTimeout"],
        "left": described["ApproximateNumberOfMessages"],
        "tags": sqs.list_queue_tags(QueueUrl=queue)["Tags"],
        "queues": [url.rsplit("/", 1)[1] for url in sqs.list_queues(QueueNamePrefix="Standard")["QueueUrls"]],
        "sent": [entry["Id"] for entry in batch["Successful"]],
        "failed": [[entry["Id"], entry["SenderFault"], entry["Code"]] for entry in batch["Failed"]],
        "missing": missing,
    }


def fifo(sqs) -> dict:
    settings = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    queue = sqs.create_queue(QueueName="FIFOQueue.fifo", Attributes=settings)["QueueUrl"]
    entries = [{"Id": f"e{n}", "MessageBody": str(n), "MessageGroupId": "Group1"} for n in range(5)]
    entries.append({"Id": "again", "MessageBody": "0", "MessageGroupId": "Group1"})
    sent = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    messages = receive(sqs, queue)
    handles = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
    deleted = sqs.delete_message_batch(QueueUrl=queue, Entries=handles)
    return {
        "sent": [entry["Id"] for entry in sent["Successful"]],
        "bodies": [message["Body"] for message in messages],
        "deleted": len(deleted["Successful"]),
        "left": len(receive(sqs, queue)),
    }


def main() -> None:
    url, name = sys.argv[1:]
    sqs = boto3.client(
        "sqs",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="reader",
        aws_secret_access_key="made-up",
    )
    if sqs.meta.service_model.metadata["protocol"] != "query":
        sys.exit(f"boto3 {boto3.__version__} doesn't call SQS by the query protocol")
    print(json.dumps({"standard": standard, "fifo": fifo}[name](sqs)))


if __name__ == "__main__":
    main()
