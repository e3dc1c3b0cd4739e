"""The AWS CLI on the local cloud: the pages' commands, stacks, messages, records, errors."""

import base64
import json
import re
import subprocess
import unittest

from support import PROJECT, REGION, TARGET, TEMPLATES, Desk, environment

CLIENTS = TARGET / "foreign/clients/bin"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.desk = Desk()
        cls.addClassCleanup(cls.desk.stop)
        cls.environment = environment(
            AWS_ENDPOINT_URL=cls.desk.url,
            AWS_DEFAULT_REGION=REGION,
            AWS_ACCESS_KEY_ID="reader",
            AWS_SECRET_ACCESS_KEY="made-up",
        )

    def run_aws(self, service: str, *arguments: str) -> subprocess.CompletedProcess:
        # Version 1, the one on PyPI, passes over AWS_ENDPOINT_URL for SQS alone: its customization
        # overridesslcommonname.py puts queue.amazonaws.com there.
        endpoint = ["--endpoint-url", self.desk.url] if service == "sqs" else []
        return subprocess.run(
            [CLIENTS / "aws", service, *arguments, *endpoint],
            env=self.environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def aws(self, *arguments: str):
        """What the command answers, None if nothing."""
        done = self.run_aws(*arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, text: str, *arguments: str) -> None:
        done = self.run_aws(*arguments)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(text, done.stderr)

    def test_a_stack_and_its_queue(self):
        stack = ["--stack-name", "Foreign"]
        template = ["--template-body", f"file://{TEMPLATES}/standard-queue.yaml"]
        parameter = ["--parameters", "ParameterKey=QueueName,ParameterValue=Foreign"]
        self.aws("cloudformation", "validate-template", *template)
        created = self.aws("cloudformation", "create-stack", *stack, *template, *parameter)
        self.aws("cloudformation", "wait", "stack-create-complete", *stack)
        [described] = self.aws("cloudformation", "describe-stacks", *stack)["Stacks"]
        self.assertEqual((described["StackId"], described["StackStatus"]), (created["StackId"], "CREATE_COMPLETE"))
        events = self.aws("cloudformation", "describe-stack-events", *stack)["StackEvents"]
        self.assertEqual(events[0]["ResourceStatus"], "CREATE_COMPLETE")
        self.refused("(AlreadyExistsException)", "cloudformation", "create-stack", *stack, *template)

        url = self.aws("sqs", "get-queue-url", "--queue-name", "Foreign")["QueueUrl"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        self.assertEqual(outputs["StandardQueueURL"], url)
        self.send_receive_and_delete(["--queue-url", url])

        self.aws("cloudformation", "delete-stack", *stack)
        self.aws("cloudformation", "wait", "stack-delete-complete", *stack)
        self.refused("does not exist", "cloudformation", "describe-stacks", *stack)
        self.refused(
            "(AWS.SimpleQueueService.NonExistentQueue)", "sqs", "get-queue-url", "--queue-name", "Foreign"
        )

    def send_receive_and_delete(self, queue: list[str]) -> None:
        attributes = '{"n": {"DataType": "Number", "StringValue": "1"}}'
        sent = self.aws(
            "sqs", "send-message", *queue, "--message-body", "Grüße", "--message-attributes", attributes
        )
        entries = '[{"Id": "1", "MessageBody": "a"}, {"Id": "2", "MessageBody": "b", "DelaySeconds": 901}]'
        batch = self.aws("sqs", "send-message-batch", *queue, "--entries", entries)
        self.assertEqual([entry["Id"] for entry in batch["Successful"]], ["1"])
        self.assertEqual([entry["Code"] for entry in batch["Failed"]], ["InvalidParameterValue"])
        self.assertEqual(self.waiting(queue), ("2", "0"))

        polls = ["--max-number-of-messages", "10", "--wait-time-seconds", "5", "--message-attribute-names", "All"]
        received = self.aws("sqs", "receive-message", *queue, *polls)["Messages"]
        bodies = {message["MessageId"]: message["Body"] for message in received}
        self.assertEqual(bodies[sent["MessageId"]], "Grüße")
        self.assertEqual(len(bodies), 2)
        self.assertEqual(self.waiting(queue), ("0", "2"))
        first, second = (["--receipt-handle", message["ReceiptHandle"]] for message in received)
        self.aws("sqs", "change-message-visibility", *queue, *first, "--visibility-timeout", "0")
        self.aws("sqs", "delete-message", *queue, *second)
        self.assertEqual(self.waiting(queue), ("1", "0"))
        self.aws("sqs", "purge-queue", *queue)
        self.assertEqual(self.waiting(queue), ("0", "0"))
        self.refused(
            "(ReceiptHandleIsInvalid)", "sqs", "delete-message", *queue, "--receipt-handle", "made-up"
        )

    def waiting(self, queue: list[str]) -> tuple[str, str]:
        """The messages to be received, and those in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        shown = self.aws("sqs", "get-queue-attributes", *queue, "--attribute-names", *names)["Attributes"]
        return shown[names[0]], shown[names[1]]

    def test_a_fifo_queue(self):
        template = ["--template-body", f"file://{TEMPLATES}/fifo-queue.yaml"]
        self.aws("cloudformation", "create-stack", "--stack-name", "Fifo", *template)
        self.aws("cloudformation", "wait", "stack-create-complete", "--stack-name", "Fifo")
        queue = ["--queue-url", self.aws("sqs", "get-queue-url", "--queue-name", "FIFOQueue.fifo")["QueueUrl"]]
        group = ["--message-group-id", "Group1"]
        first = self.aws("sqs", "send-message", *queue, *group, "--message-body", "a")
        again = self.aws("sqs", "send-message", *queue, *group, "--message-body", "a")
        self.assertEqual(again["SequenceNumber"], first["SequenceNumber"])
        self.refused("(MissingParameter)", "sqs", "send-message", *queue, "--message-body", "b")
        entries = (
            "Id=1,MessageBody=b,MessageGroupId=Group1 Id=2,MessageBody=c,MessageGroupId=Group2 "
            "Id=3,MessageBody=d,MessageGroupId=Group1,DelaySeconds=5"
        )
        batch = self.aws("sqs", "send-message-batch", *queue, "--entries", *entries.split())
        self.assertEqual([entry["Id"] for entry in batch["Successful"]], ["1", "2"])
        self.assertEqual([entry["Code"] for entry in batch["Failed"]], ["InvalidParameterValue"])
        receive = ["sqs", "receive-message", *queue, "--attribute-names", "All"]
        seen = [self.aws(*receive)["Messages"][0] for _ in range(2)]
        self.assertEqual([message["Body"] for message in seen], ["a", "c"])
        self.assertEqual(seen[1]["Attributes"]["MessageGroupId"], "Group2")
        # Both groups are in flight.
        self.assertIsNone(self.aws(*receive))
        self.aws("sqs", "delete-message", *queue, "--receipt-handle", seen[0]["ReceiptHandle"])
        self.assertEqual(self.aws(*receive)["Messages"][0]["Body"], "b")
        self.aws("cloudformation", "delete-stack", "--stack-name", "Fifo")
        self.aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", "Fifo")

    def test_a_stack_and_its_stream(self):
        stack = ["--stack-name", "Stream"]
        template = ["--template-body", f"file://{TEMPLATES}/kinesis-stream.yaml"]
        parameter = ["--parameters", "ParameterKey=StreamName,ParameterValue=Foreign"]
        self.aws("cloudformation", "validate-template", *template)
        self.aws("cloudformation", "create-stack", *stack, *template, *parameter)
        self.aws("cloudformation", "wait", "stack-create-complete", *stack)
        [described] = self.aws("cloudformation", "describe-stacks", *stack)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        stream = ["--stream-name", outputs["StreamName"]]
        self.aws("kinesis", "wait", "stream-exists", *stream)
        summary = self.aws("kinesis", "describe-stream-summary", *stream)["StreamDescriptionSummary"]
        self.assertEqual((summary["StreamARN"], summary["OpenShardCount"]), (outputs["StreamARN"], 1))
        self.assertEqual(self.aws("kinesis", "list-streams")["StreamNames"], ["Foreign"])
        self.put_and_get(stream)

        self.aws("cloudformation", "delete-stack", *stack)
        self.aws("cloudformation", "wait", "stack-delete-complete", *stack)
        self.aws("kinesis", "wait", "stream-not-exists", *stream)
        self.refused("(ResourceNotFoundException)", "kinesis", "describe-stream", *stream)

    def put_and_get(self, stream: list[str]) -> None:
        record = ["--partition-key", "alice", "--data", "Grüße"]
        put = self.aws("kinesis", "put-record", *stream, *record)
        self.assertEqual(put["ShardId"], "shardId-000000000000")
        many = self.aws("kinesis", "put-records", *stream, "--records", "Data=a,PartitionKey=a", "Data=b,PartitionKey=b")
        self.assertEqual((many["FailedRecordCount"], len(many["Records"])), (0, 2))
        shard = [*stream, "--shard-id", put["ShardId"]]
        self.assertEqual(self.got(shard, "TRIM_HORIZON"), ["Grüße", "a", "b"])
        number = ["--starting-sequence-number", put["SequenceNumber"]]
        self.assertEqual(self.got(shard, "AFTER_SEQUENCE_NUMBER", *number), ["a", "b"])
        self.assertEqual(self.got(shard, "AT_TIMESTAMP", "--timestamp", "2020-01-01"), ["Grüße", "a", "b"])
        self.assertEqual(self.got(shard, "LATEST"), [])
        split = ["--shard-to-split", put["ShardId"], "--new-starting-hash-key", str(1 << 127)]
        self.aws("kinesis", "split-shard", *stream, *split)
        self.aws("kinesis", "wait", "stream-exists", *stream)
        self.assertEqual(len(self.aws("kinesis", "list-shards", *stream)["Shards"]), 3)
        self.refused("(ResourceNotFoundException)", "kinesis", "put-record", "--stream-name", "none", *record)
        self.refused(
            "(InvalidArgumentException)", "kinesis", "get-records", "--shard-iterator", "made-up"
        )

    def got(self, shard: list[str], kind: str, *options: str) -> list[str]:
        iterator = self.aws("kinesis", "get-shard-iterator", *shard, "--shard-iterator-type", kind, *options)
        records = self.aws("kinesis", "get-records", "--shard-iterator", iterator["ShardIterator"])["Records"]
        return [base64.b64decode(record["Data"]).decode() for record in records]

    def test_lists_come_in_pages(self):
        for n in range(3):
            self.aws("sqs", "create-queue", "--queue-name", f"pages-{n}")
        listing = ["sqs", "list-queues", "--queue-name-prefix", "pages-"]
        self.assertEqual(len(self.aws(*listing, "--page-size", "1")["QueueUrls"]), 3)
        first = self.aws(*listing, "--page-size", "1", "--max-items", "2")
        rest = self.aws(*listing, "--page-size", "1", "--starting-token", first["NextToken"])
        names = [url.rsplit("/")[-1] for url in first["QueueUrls"] + rest["QueueUrls"]]
        self.assertEqual(names, ["pages-0", "pages-1", "pages-2"])


class Pages(unittest.TestCase):
    def test_the_commands_of_the_pages(self):
        """The shell blocks that use the AWS CLI, page after page in one shell."""
        desk = Desk()
        self.addCleanup(desk.stop)
        script = "set -eux\n"
        for page in sorted((PROJECT / "book").glob("*.md")):
            blocks = [block for block in BLOCK.findall(page.read_text()) if re.search("^aws ", block, re.MULTILINE)]
            script += "".join(blocks)
        self.assertIn("aws cloudformation create-stack", script)
        script = script.replace("http://127.0.0.1:4566", desk.url)
        # Where cargo puts things can be chosen.
        script = script.replace("target/", f"{TARGET}/")
        variables = environment()
        variables["PATH"] = f"{CLIENTS}:{variables['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script], env=variables, cwd=PROJECT, capture_output=True, text=True, timeout=300
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("StandardQueueURL", done.stdout)
