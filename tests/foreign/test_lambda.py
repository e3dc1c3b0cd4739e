"""boto3 drives the Lambda part of the lab on the local cloud: the denials, the success, every operation once. And the
functions, built as for AWS by cargo lambda, run on the local cloud and on the Runtime API of cargo lambda.

What is right is what AWS documents: https://docs.aws.amazon.com/lambda/latest/api/
"""

import base64
import io
import json
import socket
import subprocess
import sys
import time
import unittest
import zipfile

from support import ACCOUNT, PROGRAMS, PROJECT, REGION, SOON, TARGET, Server, environment, free_port
from test_permissions import OF_AWS, TRUST, OnTheLocalCloud, operations

CARGO_LAMBDA = TARGET / "foreign/cargo-lambda/bin/cargo-lambda"
BY_HAND = {"Records": [{"messageId": "1", "body": "by hand"}]}
DATA = base64.b64encode(b"by hand").decode()
RECORD = {"data": DATA, "kinesisSchemaVersion": "1.0", "partitionKey": "a", "sequenceNumber": "1"}
RECORD_BY_HAND = {"Records": [{"kinesis": {**RECORD, "approximateArrivalTimestamp": 1763856000.5}}]}


def zipped(program: str) -> bytes:
    """The program as a function's code."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        file.writestr(entry, (PROGRAMS / program).read_bytes())
    return written.getvalue()


class WithFunctions(OnTheLocalCloud):
    service = "lambda"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.iam, cls.logs = cls.desk.client("iam"), cls.desk.client("logs")
        cls.sqs, cls.kinesis = cls.desk.client("sqs"), cls.desk.client("kinesis")

    def role(self, name: str) -> str:
        """Makes a role that may write logs, and nothing else. Returns its ARN."""
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        self.iam.attach_role_policy(RoleName=name, PolicyArn=OF_AWS + "AWSLambdaBasicExecutionRole")
        return made["Role"]["Arn"]

    def function(self, name: str, code: bytes, **settings) -> dict:
        made = self.client.create_function(
            FunctionName=name,
            Role=self.role(name),
            Runtime="provided.al2023",
            Handler="bootstrap",
            Code={"ZipFile": code},
            **settings,
        )
        self.client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)
        return made

    def delete_function(self, name: str) -> None:
        """The function, its role and its log group."""
        self.client.delete_function(FunctionName=name)
        for policy in self.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            self.iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        self.iam.delete_role(RoleName=name)
        for group in self.logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]:
            self.logs.delete_log_group(logGroupName=group["logGroupName"])

    def queue(self, name: str, **attributes: str) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        shown = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, shown["Attributes"]["QueueArn"]

    def until(self, wanted, ask):
        """Asks until the answer is the wanted one: what Lambda does in its own time."""
        for _ in range(200):
            answer = ask()
            if answer == wanted:
                return
            time.sleep(0.1)
        self.assertEqual(answer, wanted)

    def enabled(self, mapping: dict) -> str:
        uuid = mapping["UUID"]
        self.until("Enabled", lambda: self.client.get_event_source_mapping(UUID=uuid)["State"])
        return uuid

    def unmapped(self, uuid: str) -> None:
        self.client.delete_event_source_mapping(UUID=uuid)
        self.until([], lambda: [m for m in self.client.list_event_source_mappings()["EventSourceMappings"] if m["UUID"] == uuid])

    def written(self, function: str, prefix: str) -> list[str]:
        """What the function has written and begins so. Its log group is made when it first writes."""
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
        try:
            lines = [event["message"].strip() for page in pages for event in page["events"]]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return sorted(line for line in lines if line.startswith(prefix))

    def nothing_is_left(self) -> None:
        self.assertEqual(self.client.list_functions()["Functions"], [])
        self.assertEqual(self.client.list_event_source_mappings()["EventSourceMappings"], [])
        self.assertEqual(self.iam.list_roles()["Roles"], [])
        self.assertEqual(self.logs.describe_log_groups()["logGroups"], [])


class Watch(Server):
    """The Runtime API of `cargo lambda watch`, for programs that are started by hand."""

    def __init__(self):
        self.address = ["--invoke-address", "127.0.0.1", "--invoke-port", str(free_port())]
        manifest = str(PROJECT / "snippets/functions/Cargo.toml")
        command = [str(CARGO_LAMBDA), "lambda", "watch", "--only-lambda-apis", "--manifest-path", manifest]
        super().__init__([*command, *self.address], "", int(self.address[-1]))

    def answers(self, port: int, health: str) -> bool:
        """It takes every path for an invocation, so none tells that it is ready."""
        self.url = f"http://127.0.0.1:{port}"
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", port)) == 0

    def invoke(self, function: str, event: dict) -> str:
        command = [CARGO_LAMBDA, "lambda", "invoke", *self.address, function, "--data-ascii", json.dumps(event)]
        done = subprocess.run(command, env=environment(), cwd=PROJECT, capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr


class Lab(WithFunctions):
    def test_a_queue_from_the_denial_to_the_cleanup(self):
        self.function("SQSFunction", zipped("sqs-function"))
        url, arn = self.queue("StandardQueue")
        create = self.client.create_event_source_mapping
        mapping = {"FunctionName": "SQSFunction", "EventSourceArn": arn, "BatchSize": 10}
        denial = "The function execution role does not have permissions to call ReceiveMessage on SQS"
        self.refused("InvalidParameterValueException", denial, create, **mapping)
        self.iam.attach_role_policy(RoleName="SQSFunction", PolicyArn=OF_AWS + "AWSLambdaSQSQueueExecutionRole")
        uuid = self.enabled(create(**mapping))
        sent = [f"message {n}" for n in range(10)]
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(sent)]
        self.assertEqual(len(self.sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]), 10)
        self.until(sent, lambda: self.written("SQSFunction", "message "))
        counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = {"QueueUrl": url, "AttributeNames": counts}
        self.until(dict.fromkeys(counts, "0"), lambda: self.sqs.get_queue_attributes(**asked)["Attributes"])
        self.assertEqual(len(self.written("SQSFunction", "START ")), len(self.written("SQSFunction", "REPORT ")))
        self.unmapped(uuid)
        self.sqs.delete_queue(QueueUrl=url)
        self.delete_function("SQSFunction")
        self.nothing_is_left()

    def test_a_stream_from_the_denial_to_the_cleanup(self):
        self.function("KinesisFunction", zipped("kinesis-function"))
        self.kinesis.create_stream(StreamName="KinesisStream", ShardCount=1)
        self.kinesis.get_waiter("stream_exists").wait(StreamName="KinesisStream", WaiterConfig=SOON)
        arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/KinesisStream"
        create = self.client.create_event_source_mapping
        mapping = {"FunctionName": "KinesisFunction", "EventSourceArn": arn, "StartingPosition": "TRIM_HORIZON"}
        denial = (
            f"Cannot access stream {arn}. Please ensure the role can perform the GetRecords, GetShardIterator, "
            "DescribeStream, ListShards, and ListStreams Actions on your stream in IAM."
        )
        self.refused("InvalidParameterValueException", denial, create, **mapping)
        self.iam.attach_role_policy(RoleName="KinesisFunction", PolicyArn=OF_AWS + "AWSLambdaKinesisExecutionRole")
        sent = [f"record {n}" for n in range(10)]
        records = [{"Data": data.encode(), "PartitionKey": "a"} for data in sent]
        self.assertEqual(self.kinesis.put_records(StreamName="KinesisStream", Records=records)["FailedRecordCount"], 0)
        uuid = self.enabled(create(**mapping))
        self.until(sent, lambda: self.written("KinesisFunction", "record "))
        self.unmapped(uuid)
        self.kinesis.delete_stream(StreamName="KinesisStream", EnforceConsumerDeletion=True)
        self.delete_function("KinesisFunction")
        self.nothing_is_left()

    def test_a_function_from_its_creation_to_its_deletion(self):
        made = self.function("f", zipped("sqs-function"), Timeout=5, Environment={"Variables": {"WHO": "me"}})
        self.assertEqual((made["State"], made["PackageType"], made["Version"]), ("Pending", "Zip", "$LATEST"))
        again = {"FunctionName": "f", "Role": made["Role"], "Code": {"ZipFile": zipped("sqs-function")}}
        again |= {"Runtime": "provided.al2023", "Handler": "bootstrap"}
        self.refused("ResourceConflictException", "already exist", self.client.create_function, **again)
        nobody = {**again, "FunctionName": "g", "Role": f"arn:aws:iam::{ACCOUNT}:role/nobody"}
        self.refused("InvalidParameterValueException", "cannot be assumed", self.client.create_function, **nobody)
        shown = self.client.get_function(FunctionName="f")["Configuration"]
        self.assertEqual((shown["Timeout"], shown["Environment"]["Variables"]), (5, {"WHO": "me"}))
        alone = self.client.get_function_configuration(FunctionName="f")
        del alone["ResponseMetadata"]
        self.assertEqual(alone, shown)
        self.assertEqual([f["FunctionName"] for f in self.client.list_functions()["Functions"]], ["f"])

        invoke = {"FunctionName": "f", "Payload": json.dumps(BY_HAND)}
        done = self.client.invoke(**invoke, LogType="Tail")
        self.assertEqual((done["StatusCode"], done["Payload"].read(), done.get("FunctionError")), (200, b"null", None))
        self.assertIn("by hand", base64.b64decode(done["LogResult"]).decode().splitlines())
        self.assertEqual(self.client.invoke(**invoke, InvocationType="DryRun")["StatusCode"], 204)
        self.assertEqual(self.client.invoke(**invoke, InvocationType="Event")["StatusCode"], 202)
        self.until(["by hand"] * 2, lambda: self.written("f", "by hand"))
        wrong = self.client.invoke(FunctionName="f", Payload=b"[]")
        self.assertEqual((wrong["StatusCode"], wrong["FunctionError"]), (200, "Unhandled"))
        self.assertIn("errorMessage", json.load(wrong["Payload"]))

        self.client.update_function_code(FunctionName="f", ZipFile=zipped("picky-function"))
        self.client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig=SOON)
        self.client.update_function_configuration(FunctionName="f", Environment={"Variables": {"REPORT": "yes"}})
        self.client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig=SOON)
        poison = {"Records": [{"messageId": "1", "body": "poison"}]}
        reported = self.client.invoke(FunctionName="f", Payload=json.dumps(poison))
        self.assertEqual(json.load(reported["Payload"]), {"batchItemFailures": [{"itemIdentifier": "1"}]})

        self.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
        kept = self.client.get_function_concurrency(FunctionName="f")["ReservedConcurrentExecutions"]
        self.assertEqual(kept, 0)
        impatient = self.desk.client("lambda", attempts=1)
        with self.assertRaises(impatient.exceptions.TooManyRequestsException):
            impatient.invoke(**invoke)
        self.client.delete_function_concurrency(FunctionName="f")
        self.assertEqual(self.client.invoke(**invoke)["StatusCode"], 200)
        self.delete_function("f")
        self.refused("ResourceNotFoundException", "not found", self.client.get_function, FunctionName="f")
        self.nothing_is_left()

    def test_a_mapping_is_changed(self):
        self.function("m", zipped("sqs-function"), Timeout=31)
        self.iam.attach_role_policy(RoleName="m", PolicyArn=OF_AWS + "AWSLambdaSQSQueueExecutionRole")
        url, arn = self.queue("short")
        create = self.client.create_event_source_mapping
        slow = "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"
        self.refused("InvalidParameterValueException", slow, create, FunctionName="m", EventSourceArn=arn)
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
        uuid = self.enabled(create(FunctionName="m", EventSourceArn=arn))
        self.refused("ResourceConflictException", uuid, create, FunctionName="m", EventSourceArn=arn)
        [listed] = self.client.list_event_source_mappings(FunctionName="m")["EventSourceMappings"]
        self.assertEqual((listed["UUID"], listed["BatchSize"]), (uuid, 10))
        changed = self.client.update_event_source_mapping(UUID=uuid, BatchSize=5, Enabled=False)
        self.assertEqual(changed["BatchSize"], 5)
        self.until("Disabled", lambda: self.client.get_event_source_mapping(UUID=uuid)["State"])
        self.sqs.send_message(QueueUrl=url, MessageBody="later")
        self.client.update_event_source_mapping(UUID=uuid, Enabled=True)
        self.until(["later"], lambda: self.written("m", "later"))
        self.unmapped(uuid)
        get = self.client.get_event_source_mapping
        self.refused("ResourceNotFoundException", "does not exist", get, UUID=uuid)
        self.sqs.delete_queue(QueueUrl=url)
        self.delete_function("m")
        self.nothing_is_left()

    def test_zz_every_operation_was_there(self):
        self.assertEqual(operations("lambda") | operations("lambda/mapping"), self.driven)


@unittest.skipUnless(sys.platform == "linux", "what is built for AWS runs on Linux only")
@unittest.skipUnless(CARGO_LAMBDA.exists(), "PyPI has no cargo-lambda for this system")
class Contract(WithFunctions):
    """What cargo lambda builds for AWS is what its Runtime API and the local cloud take."""

    events = {"sqs-function": BY_HAND, "kinesis-function": RECORD_BY_HAND}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = f"{CARGO_LAMBDA.parent}:{environment()['PATH']}"
        build = [CARGO_LAMBDA, "lambda", "build", "--release", "--locked", "--package", "functions", "--output-format", "zip"]
        built = subprocess.run(
            build,
            cwd=PROJECT,
            env=environment(PATH=path, CARGO_TARGET_DIR=str(TARGET)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if built.returncode:
            raise RuntimeError(built.stdout)
        cls.zips = {name: (TARGET / f"lambda/{name}/bootstrap.zip").read_bytes() for name in cls.events}

    def test_the_runtime_api_of_cargo_lambda(self):
        watch = Watch()
        self.addCleanup(watch.stop)
        for name, event in self.events.items():
            with self.subTest(function=name):
                self.assertEqual(self.by_hand(watch, name, event), ("null\n", "by hand\n"))

    def by_hand(self, watch: Watch, name: str, event: dict) -> tuple[str, str]:
        """Starts the unpacked program and invokes it. Returns what it answers and what it prints."""
        program = TARGET / f"foreign/{name}"
        with zipfile.ZipFile(io.BytesIO(self.zips[name])) as file:
            self.assertEqual(file.namelist(), ["bootstrap"])
            program.write_bytes(file.read("bootstrap"))
        program.chmod(0o755)
        variables = environment(
            AWS_LAMBDA_RUNTIME_API=f"{watch.url}/.rt/{name}",
            AWS_LAMBDA_FUNCTION_NAME=name,
            AWS_LAMBDA_FUNCTION_VERSION="$LATEST",
            AWS_LAMBDA_FUNCTION_MEMORY_SIZE="128",
            AWS_LAMBDA_LOG_GROUP_NAME=f"/aws/lambda/{name}",
            AWS_LAMBDA_LOG_STREAM_NAME="stream",
        )
        function = subprocess.Popen([program], env=variables, stdout=subprocess.PIPE, text=True)
        try:
            answer = watch.invoke(name, event)
        finally:
            function.kill()
            printed, _ = function.communicate()
        return answer, printed

    def test_the_local_cloud(self):
        for name, event in self.events.items():
            with self.subTest(function=name):
                self.function(name, self.zips[name])
                done = self.client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
                self.assertEqual((done["Payload"].read(), done.get("FunctionError")), (b"null", None))
                self.assertIn("by hand", base64.b64decode(done["LogResult"]).decode().splitlines())
                self.delete_function(name)
