"""boto3 drives every operation of SQS, CloudFormation and STS on the local cloud.

What is right is what AWS documents: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

import hashlib
import json
import struct
import threading
import time
import unittest

from botocore.exceptions import ClientError, WaiterError

from support import ACCOUNT, REGION, SOON, TEMPLATES, OnTheLocalCloud

MIB = 1024 * 1024

# Errors of the SQS API that these tests can't bring about: encryption keys, signatures and IDs of message move
# tasks are no part of the local cloud, and no operation of a queue is left that its type doesn't support.
NEVER_RAISED = {
    "InvalidIdFormat",
    "InvalidSecurity",
    "KmsAccessDenied",
    "KmsDisabled",
    "KmsInvalidKeyUsage",
    "KmsInvalidState",
    "KmsNotFound",
    "KmsOptInRequired",
    "KmsThrottled",
    "UnsupportedOperation",
}


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def md5_of_attributes(attributes: dict) -> str:
    """As sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation describes it."""

    def with_length(data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + data

    data = b""
    for name in sorted(attributes):
        value = attributes[name]
        data += with_length(name.encode()) + with_length(value["DataType"].encode())
        if "BinaryValue" in value:
            data += b"\x02" + with_length(value["BinaryValue"])
        else:
            data += b"\x01" + with_length(value["StringValue"].encode())
    return md5(data)


class Queues(OnTheLocalCloud):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sqs = cls.desk.client("sqs")
        cls.driven = set()
        cls.raised = set()
        cls.sqs.meta.events.register("before-call.sqs", lambda model, **_: cls.driven.add(model.name))

    def queue(self, suffix: str = "", **attributes: str) -> str:
        name = self._testMethodName.removeprefix("test_")[:60] + suffix
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def attributes(self, queue: str) -> dict:
        return self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]

    def arn(self, queue: str) -> str:
        return self.attributes(queue)["QueueArn"]

    def counts(self, queue: str) -> tuple[int, int, int]:
        """Visible, in flight, delayed."""
        shown = self.attributes(queue)
        names = ["", "NotVisible", "Delayed"]
        return tuple(int(shown["ApproximateNumberOfMessages" + name]) for name in names)

    def send(self, queue: str, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=queue, MessageBody=body)

    def receive(self, queue: str, wait: int = 1, **options) -> list:
        received = self.sqs.receive_message(
            QueueUrl=queue, WaitTimeSeconds=wait, MessageSystemAttributeNames=["All"], **options
        )
        return received.get("Messages", [])

    def receive_all(self, queue: str, count: int, **options) -> list:
        messages = []
        while len(messages) < count:
            more = self.receive(queue, MaxNumberOfMessages=10, **options)
            self.assertTrue(more, f"{len(messages)} of {count} messages came")
            messages += more
        self.assertEqual(len(messages), count)
        return messages

    def refused(self, name: str, code: str, call, /, **parameters) -> None:
        """The call fails with `client.exceptions.name`, none if that is empty, and the query protocol's code."""
        expected = getattr(self.sqs.exceptions, name) if name else ClientError
        with self.assertRaises(expected) as caught:
            call(**parameters)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code)
        # SQS answers 403 to a second purge, and 404 to a move task whose queue is not there.
        status = {"PurgeQueueInProgress": 403, "ResourceNotFoundException": 404}.get(name, 400)
        self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], status)
        self.assertTrue(error["Message"])
        self.raised.add(name)


class Sqs(Queues):
    """Standard queues."""

    def test_a_queue_is_created_found_and_deleted(self):
        queue = self.queue(VisibilityTimeout="7")
        self.assertEqual(queue, f"{self.desk.url}/{ACCOUNT}/a_queue_is_created_found_and_deleted")
        self.assertEqual(self.queue(VisibilityTimeout="7"), queue)
        name = queue.rsplit("/")[-1]
        self.assertEqual(self.sqs.get_queue_url(QueueName=name)["QueueUrl"], queue)
        self.assertEqual(
            self.sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"], queue
        )
        self.refused(
            "QueueNameExists", "QueueAlreadyExists", self.queue, VisibilityTimeout="8"
        )
        self.sqs.delete_queue(QueueUrl=queue)
        nowhere = "AWS.SimpleQueueService.NonExistentQueue"
        self.refused("QueueDoesNotExist", nowhere, self.sqs.get_queue_url, QueueName=name)
        self.refused("QueueDoesNotExist", nowhere, self.sqs.receive_message, QueueUrl=queue)
        self.refused("QueueDoesNotExist", nowhere, self.sqs.send_message, QueueUrl=queue, MessageBody="a")
        self.refused("QueueDoesNotExist", nowhere, self.sqs.delete_queue, QueueUrl=queue)
        recently = "AWS.SimpleQueueService.QueueDeletedRecently"
        self.refused("QueueDeletedRecently", recently, self.sqs.create_queue, QueueName=name)
        self.desk.advance(61)
        self.assertEqual(self.sqs.create_queue(QueueName=name)["QueueUrl"], queue)

    def test_a_queue_name_has_letters_digits_hyphens_and_underscores(self):
        for name in ["a b", "ü", "x" * 81, "a.b"]:
            self.refused("", "InvalidParameterValue", self.sqs.create_queue, QueueName=name)
        self.sqs.create_queue(QueueName="x" * 80)

    def test_queues_are_listed_in_pages(self):
        queues = [self.queue(f"-{n}") for n in range(7)]
        prefix = "queues_are_listed_in_pages-"
        pages = self.sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix=prefix, PaginationConfig={"PageSize": 3}
        )
        pages = [page.get("QueueUrls", []) for page in pages]
        self.assertEqual([len(page) for page in pages], [3, 3, 1])
        self.assertEqual(sum(pages, []), queues)
        everything = self.sqs.list_queues(QueueNamePrefix=prefix)
        self.assertEqual(everything["QueueUrls"], queues)
        self.assertNotIn("NextToken", everything)
        self.assertNotIn("QueueUrls", self.sqs.list_queues(QueueNamePrefix="no-such-"))

    def test_attributes_are_set_and_read(self):
        queue = self.queue()
        defaults = {
            "DelaySeconds": "0",
            "MaximumMessageSize": str(MIB),
            "MessageRetentionPeriod": "345600",
            "ReceiveMessageWaitTimeSeconds": "0",
            "VisibilityTimeout": "30",
            "SqsManagedSseEnabled": "true",
            "ApproximateNumberOfMessages": "0",
            "ApproximateNumberOfMessagesNotVisible": "0",
            "ApproximateNumberOfMessagesDelayed": "0",
            "QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:attributes_are_set_and_read",
        }
        shown = self.attributes(queue)
        self.assertEqual(shown["CreatedTimestamp"], shown["LastModifiedTimestamp"])
        del shown["CreatedTimestamp"], shown["LastModifiedTimestamp"]
        self.assertEqual(shown, defaults)
        changed = {
            "DelaySeconds": "900",
            "MaximumMessageSize": "1024",
            "MessageRetentionPeriod": "60",
            "ReceiveMessageWaitTimeSeconds": "20",
            "VisibilityTimeout": "43200",
        }
        self.desk.advance(2)
        self.sqs.set_queue_attributes(QueueUrl=queue, Attributes=changed)
        shown = self.attributes(queue)
        self.assertEqual({name: shown[name] for name in changed}, changed)
        self.assertGreater(int(shown["LastModifiedTimestamp"]), int(shown["CreatedTimestamp"]))
        one = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["DelaySeconds"])
        self.assertEqual(one["Attributes"], {"DelaySeconds": "900"})
        self.assertNotIn("Attributes", self.sqs.get_queue_attributes(QueueUrl=queue))
        every = self.sqs.meta.service_model.shape_for("QueueAttributeName").enum
        named = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=every)
        self.assertEqual(named["Attributes"], self.attributes(queue))

        def set_one(name: str, value: str):
            self.sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: value})

        for name, value in [("DelaySeconds", "901"), ("VisibilityTimeout", "-1"), ("Policy", "{")]:
            self.refused(
                "InvalidAttributeValue", "InvalidAttributeValue", set_one, name=name, value=value
            )
        for name in ["Colour", "QueueArn"]:
            self.refused("InvalidAttributeName", "InvalidAttributeName", set_one, name=name, value="1")
        self.refused(
            "InvalidAttributeName",
            "InvalidAttributeName",
            self.sqs.get_queue_attributes,
            QueueUrl=queue,
            AttributeNames=["Colour"],
        )

    def test_a_message_comes_as_it_was_sent(self):
        queue = self.queue()
        body = "\t\r\n plain, <xml> & \"json\", ü, 漢字, \U0001f600"
        attributes = {
            "a.text": {"DataType": "String", "StringValue": "<ü>"},
            "a.number": {"DataType": "Number.float", "StringValue": "-1.5e3"},
            "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
        }
        trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
        before = time.time() * 1000
        sent = self.sqs.send_message(
            QueueUrl=queue,
            MessageBody=body,
            MessageAttributes=attributes,
            MessageSystemAttributes=trace,
            MessageGroupId="tenant-1",
        )
        self.assertEqual(sent["MD5OfMessageBody"], md5(body.encode()))
        self.assertEqual(sent["MD5OfMessageAttributes"], md5_of_attributes(attributes))
        self.assertEqual(sent["MD5OfMessageSystemAttributes"], md5_of_attributes(trace))

        [bare] = self.receive_all(queue, 1, VisibilityTimeout=0)
        self.assertEqual(bare["MessageId"], sent["MessageId"])
        self.assertEqual((bare["Body"], bare["MD5OfBody"]), (body, md5(body.encode())))
        self.assertNotIn("MessageAttributes", bare)
        system = bare["Attributes"]
        self.assertEqual(system["ApproximateReceiveCount"], "1")
        self.assertEqual(system["AWSTraceHeader"], trace["AWSTraceHeader"]["StringValue"])
        self.assertEqual(system["MessageGroupId"], "tenant-1")
        self.assertGreaterEqual(int(system["SentTimestamp"]), int(before))
        self.assertGreaterEqual(
            int(system["ApproximateFirstReceiveTimestamp"]), int(system["SentTimestamp"])
        )
        self.assertTrue(system["SenderId"])

        for names, expected in [
            (["All"], attributes),
            (["bytes"], {"bytes": attributes["bytes"]}),
            (["a.*"], {name: attributes[name] for name in ["a.text", "a.number"]}),
        ]:
            with self.subTest(names=names):
                [message] = self.receive_all(queue, 1, VisibilityTimeout=0, MessageAttributeNames=names)
                self.assertEqual(message["MessageAttributes"], expected)
                self.assertEqual(message["MD5OfMessageAttributes"], md5_of_attributes(expected))
        every = self.sqs.meta.service_model.shape_for("MessageSystemAttributeName").enum
        received = self.sqs.receive_message(
            QueueUrl=queue, WaitTimeSeconds=1, MessageSystemAttributeNames=[name for name in every if name != "All"]
        )
        [message] = received["Messages"]
        self.assertEqual(set(message["Attributes"]), set(system))
        self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        self.assertEqual(self.counts(queue), (0, 0, 0))

    def test_what_no_message_may_hold_is_refused(self):
        queue = self.queue()

        def send(body: str = "a", **options):
            self.sqs.send_message(QueueUrl=queue, MessageBody=body, **options)

        for body in ["\0", "a\x0b", "\ufffe", "\uffff"]:
            self.refused("InvalidMessageContents", "InvalidMessageContents", send, body=body)
        self.refused("", "MissingParameter", send, body="")
        for name, value in [
            ("AWS.a", {"DataType": "String", "StringValue": "a"}),
            ("a b", {"DataType": "String", "StringValue": "a"}),
            ("a", {"DataType": "Colour", "StringValue": "a"}),
            ("a", {"DataType": "Number", "StringValue": "a"}),
            ("a", {"DataType": "String", "StringValue": ""}),
        ]:
            self.refused("", "InvalidParameterValue", send, MessageAttributes={name: value})
        eleven = {f"n{n}": {"DataType": "String", "StringValue": "a"} for n in range(11)}
        self.refused("", "InvalidParameterValue", send, MessageAttributes=eleven)
        for seconds in [-1, 901]:
            self.refused("", "InvalidParameterValue", send, DelaySeconds=seconds)
        self.assertEqual(self.counts(queue), (0, 0, 0))

    def test_a_message_and_a_batch_hold_one_mebibyte(self):
        queue = self.queue()
        self.send(queue, "x" * MIB)
        [message] = self.receive_all(queue, 1)
        self.assertEqual(message["Body"], "x" * MIB)
        attribute = {"a": {"DataType": "String", "StringValue": "b"}}
        for body, attributes in [("x" * (MIB + 1), {}), ("x" * (MIB - 7), attribute)]:
            self.refused(
                "",
                "InvalidParameterValue",
                self.sqs.send_message,
                QueueUrl=queue,
                MessageBody=body,
                MessageAttributes=attributes,
            )
        halves = [{"Id": str(n), "MessageBody": "x" * (MIB // 2)} for n in range(2)]
        self.assertEqual(len(self.sqs.send_message_batch(QueueUrl=queue, Entries=halves)["Successful"]), 2)
        halves[1]["MessageBody"] += "x"
        self.refused(
            "BatchRequestTooLong",
            "AWS.SimpleQueueService.BatchRequestTooLong",
            self.sqs.send_message_batch,
            QueueUrl=queue,
            Entries=halves,
        )

    def test_a_batch_succeeds_in_part(self):
        queue = self.queue()
        attributes = {"n": {"DataType": "Number", "StringValue": "1"}}
        sent = self.sqs.send_message_batch(
            QueueUrl=queue,
            Entries=[
                {"Id": "good", "MessageBody": "a", "MessageAttributes": attributes},
                {"Id": "late", "MessageBody": "b", "DelaySeconds": 901},
                {"Id": "bad", "MessageBody": "\0"},
                {"Id": "fine", "MessageBody": "c"},
            ],
        )
        self.assertEqual([entry["Id"] for entry in sent["Successful"]], ["good", "fine"])
        self.assertEqual(sent["Successful"][0]["MD5OfMessageBody"], md5(b"a"))
        self.assertEqual(sent["Successful"][0]["MD5OfMessageAttributes"], md5_of_attributes(attributes))
        self.assertEqual(
            [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in sent["Failed"]],
            [("late", "InvalidParameterValue", True), ("bad", "InvalidMessageContents", True)],
        )
        handles = [message["ReceiptHandle"] for message in self.receive_all(queue, 2)]
        entries = [{"Id": str(n), "ReceiptHandle": handle} for n, handle in enumerate([*handles, "made-up"])]
        change = [{**entry, "VisibilityTimeout": 60} for entry in entries]
        change[0]["VisibilityTimeout"] = 43_201
        changed = self.sqs.change_message_visibility_batch(QueueUrl=queue, Entries=change)
        self.assertEqual([entry["Id"] for entry in changed["Successful"]], ["1"])
        self.assertEqual(
            [(entry["Id"], entry["Code"]) for entry in changed["Failed"]],
            [("0", "InvalidParameterValue"), ("2", "ReceiptHandleIsInvalid")],
        )
        deleted = self.sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
        self.assertEqual([entry["Id"] for entry in deleted["Successful"]], ["0", "1"])
        self.assertEqual(
            [(entry["Id"], entry["Code"]) for entry in deleted["Failed"]],
            [("2", "ReceiptHandleIsInvalid")],
        )
        self.assertEqual(self.counts(queue), (0, 0, 0))

    def test_a_batch_that_is_no_batch_is_refused(self):
        queue = self.queue()
        for name, ids in [
            ("EmptyBatchRequest", []),
            ("TooManyEntriesInBatchRequest", [str(n) for n in range(11)]),
            ("BatchEntryIdsNotDistinct", ["a", "b", "a"]),
            ("InvalidBatchEntryId", ["a", "b c"]),
            ("InvalidBatchEntryId", ["x" * 81]),
        ]:
            code = f"AWS.SimpleQueueService.{name}"
            for call, entry in [
                (self.sqs.send_message_batch, {"MessageBody": "a"}),
                (self.sqs.delete_message_batch, {"ReceiptHandle": "a"}),
                (self.sqs.change_message_visibility_batch, {"ReceiptHandle": "a", "VisibilityTimeout": 1}),
            ]:
                entries = [{"Id": id, **entry} for id in ids]
                self.refused(name, code, call, QueueUrl=queue, Entries=entries)
        self.assertEqual(self.counts(queue), (0, 0, 0))

    def test_a_receive_has_its_limits(self):
        queue = self.queue()
        for option, values in [
            ("MaxNumberOfMessages", [0, 11]),
            ("WaitTimeSeconds", [-1, 21]),
            ("VisibilityTimeout", [-1, 43_201]),
        ]:
            for value in values:
                self.refused(
                    "", "InvalidParameterValue", self.sqs.receive_message, QueueUrl=queue, **{option: value}
                )
        self.refused(
            "InvalidAddress",
            "InvalidAddress",
            self.sqs.receive_message,
            QueueUrl=f"{self.desk.url}/no-account",
        )
        self.send(queue, *"abcdefghijklmno")
        self.assertEqual(len(self.receive(queue)), 1)
        self.assertEqual(len(self.receive(queue, MaxNumberOfMessages=10)), 10)

    def test_a_long_poll_wakes_on_arrival(self):
        queue = self.queue()
        sender = threading.Timer(0.4, self.send, (queue, "a"))
        started = time.monotonic()
        sender.start()
        [message] = self.receive(queue, wait=20)
        self.assertEqual(message["Body"], "a")
        self.assertGreaterEqual(time.monotonic() - started, 0.4)
        self.assertLess(time.monotonic() - started, 5)
        sender.join()

    def test_a_long_poll_ends_by_the_clock(self):
        queue = self.queue(ReceiveMessageWaitTimeSeconds="20")
        mover = threading.Timer(0.4, self.desk.advance, (20,))
        started = time.monotonic()
        mover.start()
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=queue))
        self.assertGreaterEqual(time.monotonic() - started, 0.4)
        self.assertLess(time.monotonic() - started, 5)
        mover.join()

    def test_a_message_that_is_not_deleted_comes_back(self):
        queue = self.queue(VisibilityTimeout="5")
        self.send(queue, "a")
        [first] = self.receive_all(queue, 1)
        self.assertEqual(self.counts(queue), (0, 1, 0))
        self.assertEqual(self.receive(queue), [])
        self.desk.advance(6)
        [second] = self.receive_all(queue, 1)
        self.assertEqual(second["MessageId"], first["MessageId"])
        self.assertNotEqual(second["ReceiptHandle"], first["ReceiptHandle"])
        self.assertEqual(second["Attributes"]["ApproximateReceiveCount"], "2")
        first_received = "ApproximateFirstReceiveTimestamp"
        self.assertEqual(second["Attributes"][first_received], first["Attributes"][first_received])
        # The old handle deletes nothing, and says nothing.
        self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
        self.assertEqual(self.counts(queue), (0, 1, 0))
        self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"])
        self.assertEqual(self.counts(queue), (0, 0, 0))
        self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"])
        self.refused(
            "ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid",
            self.sqs.delete_message,
            QueueUrl=queue,
            ReceiptHandle="made-up",
        )

    def test_the_visibility_timeout_is_changed(self):
        queue = self.queue()
        self.send(queue, "a")
        [message] = self.receive_all(queue, 1)

        def change(timeout: int, handle: str = message["ReceiptHandle"]):
            self.sqs.change_message_visibility(
                QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=timeout
            )

        change(60)
        self.desk.advance(45)
        self.assertEqual(self.counts(queue), (0, 1, 0))
        change(0)
        self.assertEqual(self.counts(queue), (1, 0, 0))
        fifo = self.queue("-line.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        self.sqs.send_message(QueueUrl=fifo, MessageBody="a", MessageGroupId="g")
        [late] = self.receive(fifo, VisibilityTimeout=1)
        self.desk.advance(2)
        self.refused(
            "MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight",
            self.sqs.change_message_visibility,
            QueueUrl=fifo,
            ReceiptHandle=late["ReceiptHandle"],
            VisibilityTimeout=5,
        )
        # On a standard queue it would do: nobody has received it since.
        change(5)
        self.assertEqual(self.counts(queue), (0, 1, 0))
        change(0)
        [again] = self.receive_all(queue, 1)
        self.desk.advance(10)
        # Twelve hours count from the receive, ten seconds ago.
        for timeout in [-1, 43_200, 43_201]:
            self.refused(
                "",
                "InvalidParameterValue",
                change,
                timeout=timeout,
                handle=again["ReceiptHandle"],
            )
        self.refused(
            "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", change, timeout=1, handle="made-up"
        )

    def test_delayed_messages_come_later(self):
        queue = self.queue(DelaySeconds="20")
        self.send(queue, "the queue's delay")
        self.sqs.send_message(QueueUrl=queue, MessageBody="its own delay", DelaySeconds=10)
        self.sqs.send_message(QueueUrl=queue, MessageBody="no delay", DelaySeconds=0)
        self.assertEqual(self.counts(queue), (1, 0, 2))
        for body in ["no delay", "its own delay", "the queue's delay"]:
            [message] = self.receive_all(queue, 1, VisibilityTimeout=600)
            self.assertEqual(message["Body"], body)
            self.desk.advance(10)

    def test_old_messages_are_dropped(self):
        queue = self.queue(MessageRetentionPeriod="60")
        self.send(queue, "a")
        self.desk.advance(59)
        self.assertEqual(self.counts(queue), (1, 0, 0))
        self.desk.advance(2)
        self.assertEqual(self.counts(queue), (0, 0, 0))

    def test_dead_letters_are_put_aside_and_moved_back(self):
        dead = self.queue("-dead")
        policy = {"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": 2}
        queue = self.queue("-orders", RedrivePolicy=json.dumps(policy))
        other = self.queue("-other", RedrivePolicy=json.dumps(policy))
        self.assertEqual(json.loads(self.attributes(queue)["RedrivePolicy"]), policy)
        sources = self.sqs.get_paginator("list_dead_letter_source_queues").paginate(
            QueueUrl=dead, PaginationConfig={"PageSize": 1}
        )
        self.assertEqual([page["queueUrls"] for page in sources], [[queue], [other]])

        self.send(queue, "bad")
        for _ in range(2):
            [message] = self.receive_all(queue, 1, VisibilityTimeout=0)
        self.assertEqual(self.receive(queue), [])
        [letter] = self.receive_all(dead, 1, VisibilityTimeout=0)
        self.assertEqual(letter["MessageId"], message["MessageId"])
        self.assertEqual(letter["Attributes"]["DeadLetterQueueSourceArn"], self.arn(queue))
        self.assertEqual(letter["Attributes"]["SentTimestamp"], message["Attributes"]["SentTimestamp"])

        task = self.sqs.start_message_move_task(SourceArn=self.arn(dead))
        self.assertTrue(task["TaskHandle"])
        [done] = self.until_moved(self.arn(dead))
        self.assertEqual(done["ApproximateNumberOfMessagesMoved"], 1)
        self.assertEqual(done["SourceArn"], self.arn(dead))
        self.assertNotIn("TaskHandle", done)
        self.assertEqual(self.counts(dead), (0, 0, 0))
        [back] = self.receive_all(queue, 1)
        self.assertEqual((back["Body"], back["Attributes"]["ApproximateReceiveCount"]), ("bad", "1"))

    def until_moved(self, arn: str) -> list:
        for _ in range(100):
            tasks = self.sqs.list_message_move_tasks(SourceArn=arn)["Results"]
            if tasks[0]["Status"] != "RUNNING":
                self.assertEqual(tasks[0]["Status"], "COMPLETED")
                return tasks
            time.sleep(0.05)
        self.fail("the task still runs")

    def test_a_move_task_is_paced_and_cancelled(self):
        dead = self.queue("-dead")
        policy = {"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": 1}
        target = self.queue("-target", RedrivePolicy=json.dumps(policy))
        self.send(dead, *(str(n) for n in range(20)))
        start = {
            "SourceArn": self.arn(dead),
            "DestinationArn": self.arn(target),
            "MaxNumberOfMessagesPerSecond": 1,
        }
        task = self.sqs.start_message_move_task(**start)
        self.refused("", "InvalidParameterValue", self.sqs.start_message_move_task, **start)
        [running] = self.sqs.list_message_move_tasks(SourceArn=self.arn(dead), MaxResults=10)["Results"]
        self.assertEqual((running["Status"], running["TaskHandle"]), ("RUNNING", task["TaskHandle"]))
        self.assertEqual(running["DestinationArn"], self.arn(target))
        self.assertEqual(running["MaxNumberOfMessagesPerSecond"], 1)
        cancelled = self.sqs.cancel_message_move_task(TaskHandle=task["TaskHandle"])
        moved = cancelled["ApproximateNumberOfMessagesMoved"]
        self.assertLess(moved, 20)
        self.assertEqual(self.counts(target)[0], moved)
        self.assertEqual(self.counts(dead)[0], 20 - moved)
        missing = "ResourceNotFoundException"
        cancel = self.sqs.cancel_message_move_task
        self.refused(missing, missing, cancel, TaskHandle=task["TaskHandle"])
        self.refused("", "InvalidParameterValue", cancel, TaskHandle="made-up")
        nowhere = self.arn(dead) + "-nowhere"
        self.refused(missing, missing, self.sqs.start_message_move_task, SourceArn=nowhere)
        self.refused(missing, missing, self.sqs.list_message_move_tasks, SourceArn=nowhere)

    def test_who_may_use_a_dead_letter_queue(self):
        dead = self.queue("-dead")
        queue = self.queue("-orders")

        def give_up_to(arn: str, count: object = 3):
            policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": count})
            self.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})

        def allow(**policy):
            attributes = {"RedriveAllowPolicy": json.dumps(policy)}
            self.sqs.set_queue_attributes(QueueUrl=dead, Attributes=attributes)

        arn = self.arn(dead)
        allow(redrivePermission="denyAll")
        self.refused("", "InvalidParameterValue", give_up_to, arn=arn)
        allow(redrivePermission="byQueue", sourceQueueArns=[self.arn(queue)])
        give_up_to(arn)
        allow(redrivePermission="allowAll")
        give_up_to(arn, "1000")
        for bad in [0, 1001, "many"]:
            self.refused("", "InvalidParameterValue", give_up_to, arn=arn, count=bad)
        self.refused("", "InvalidParameterValue", give_up_to, arn=arn + "-nowhere")
        self.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": ""})
        self.assertNotIn("RedrivePolicy", self.attributes(queue))

    def test_a_queue_is_purged_once_a_minute(self):
        queue = self.queue()
        self.send(queue, "a", "b")
        self.receive(queue)
        self.sqs.purge_queue(QueueUrl=queue)
        self.assertEqual(self.counts(queue), (0, 0, 0))
        code = "AWS.SimpleQueueService.PurgeQueueInProgress"
        self.refused("PurgeQueueInProgress", code, self.sqs.purge_queue, QueueUrl=queue)
        self.desk.advance(60)
        self.sqs.purge_queue(QueueUrl=queue)

    def test_tags_are_kept(self):
        queue = self.sqs.create_queue(QueueName="tags_are_kept", tags={"a": "1", "b": "2"})["QueueUrl"]
        self.sqs.tag_queue(QueueUrl=queue, Tags={"b": "3", "ü": ""})
        self.sqs.untag_queue(QueueUrl=queue, TagKeys=["a", "nothing"])
        self.assertEqual(self.sqs.list_queue_tags(QueueUrl=queue)["Tags"], {"b": "3", "ü": ""})
        self.assertFalse(self.sqs.list_queue_tags(QueueUrl=self.queue("-none")).get("Tags"))

    def test_permissions_are_a_policy(self):
        queue = self.queue()
        permission = {
            "QueueUrl": queue,
            "Label": "partner",
            "AWSAccountIds": ["111122223333"],
            "Actions": ["SendMessage", "ReceiveMessage"],
        }
        self.sqs.add_permission(**permission)
        [statement] = json.loads(self.attributes(queue)["Policy"])["Statement"]
        self.assertEqual((statement["Sid"], statement["Effect"]), ("partner", "Allow"))
        self.assertEqual(statement["Resource"], self.arn(queue))
        self.refused("", "InvalidParameterValue", self.sqs.add_permission, **permission)
        for wrong in [{"Label": "a b"}, {"Label": "x" * 81}, {"Label": "b", "Actions": ["Nonsense"]}]:
            self.refused("", "InvalidParameterValue", self.sqs.add_permission, **{**permission, **wrong})
        many = {**permission, "Label": "many", "Actions": ["SendMessage"] * 8}
        self.refused("OverLimit", "OverLimit", self.sqs.add_permission, **many)
        self.sqs.remove_permission(QueueUrl=queue, Label="partner")
        self.assertNotIn("Policy", self.attributes(queue))
        self.refused(
            "", "InvalidParameterValue", self.sqs.remove_permission, QueueUrl=queue, Label="partner"
        )

    def test_a_lost_answer_makes_the_client_send_twice(self):
        queue = self.queue()
        self.desk.fault("lost-response", "SendMessage")
        sent = self.sqs.send_message(QueueUrl=queue, MessageBody="a")
        self.assertEqual(self.desk.faults(), [])
        copies = self.receive_all(queue, 2)
        self.assertEqual([message["Body"] for message in copies], ["a", "a"])
        ids = {message["MessageId"] for message in copies}
        self.assertEqual(len(ids), 2)
        self.assertIn(sent["MessageId"], ids)

    def test_a_throttled_client_tries_again(self):
        queue = self.queue()
        self.desk.fault("throttle", "SendMessage")
        impatient = self.desk.client("sqs", attempts=1)
        self.refused(
            "RequestThrottled", "RequestThrottled", impatient.send_message, QueueUrl=queue, MessageBody="a"
        )
        self.desk.fault("throttle", "SendMessage", 2)
        sent = self.sqs.send_message(QueueUrl=queue, MessageBody="b")
        self.assertEqual(sent["ResponseMetadata"]["RetryAttempts"], 2)
        [message] = self.receive_all(queue, 1)
        self.assertEqual(message["Body"], "b")

    def test_a_message_is_delivered_twice(self):
        queue = self.queue()
        self.send(queue, "a")
        self.desk.fault("duplicate-delivery", queue.rsplit("/")[-1])
        [first] = self.receive(queue)
        [second] = self.receive_all(queue, 1)
        self.assertEqual(first["MessageId"], second["MessageId"])
        self.assertNotEqual(first["ReceiptHandle"], second["ReceiptHandle"])

    def test_zz_every_operation_and_error_was_there(self):
        model = self.sqs.meta.service_model
        self.assertEqual(self.driven, set(model.operation_names))
        errors = {shape.name for shape in model.error_shapes}
        self.assertEqual(errors - self.raised, NEVER_RAISED)


class Fifo(Queues):
    """FIFO queues: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fifo-queues.html"""

    def queue(self, suffix: str = "", **attributes: str) -> str:
        return super().queue(f"{suffix}.fifo", FifoQueue="true", **attributes)

    def put(self, queue: str, group: str, body: str, **options) -> dict:
        """Sends, deduplicated by the body unless the options name an id."""
        options.setdefault("MessageDeduplicationId", body)
        return self.sqs.send_message(QueueUrl=queue, MessageGroupId=group, MessageBody=body, **options)

    def bodies(self, queue: str, most: int = 10, **options) -> list[str]:
        return [message["Body"] for message in self.receive(queue, MaxNumberOfMessages=most, **options)]

    def test_a_name_ends_in_fifo(self):
        queue = self.queue()
        self.assertTrue(queue.endswith(".fifo"))
        shown = self.attributes(queue)
        fifo = ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"]
        self.assertEqual([shown.get(name) for name in fifo], ["true", "false", "queue", "perQueue"])
        self.assertEqual(self.sqs.get_queue_url(QueueName=queue.rsplit("/")[-1])["QueueUrl"], queue)
        create = self.sqs.create_queue
        self.refused("", "InvalidParameterValue", create, QueueName="a.fifo")
        self.refused("", "InvalidParameterValue", create, QueueName="a", Attributes={"FifoQueue": "true"})
        self.refused("", "InvalidParameterValue", create, QueueName="x" * 76 + ".fifo", Attributes={"FifoQueue": "true"})

    def test_high_throughput_takes_two_attributes(self):
        """Deduplication per group must come with, or before, a quota per group."""
        queue = self.queue()

        def set_all(**attributes: str):
            self.sqs.set_queue_attributes(QueueUrl=queue, Attributes=attributes)

        per_group = {"FifoThroughputLimit": "perMessageGroupId"}
        for wrong in [
            per_group,
            {"DeduplicationScope": "group"},
            {"FifoThroughputLimit": "none"},
            {"ContentBasedDeduplication": "perhaps"},
        ]:
            self.refused("InvalidAttributeValue", "InvalidAttributeValue", set_all, **wrong)
        set_all(DeduplicationScope="messageGroup")
        set_all(**per_group)
        shown = self.attributes(queue)
        self.assertEqual((shown["DeduplicationScope"], shown["FifoThroughputLimit"]), ("messageGroup", "perMessageGroupId"))
        self.refused("InvalidAttributeValue", "InvalidAttributeValue", set_all, DeduplicationScope="queue")
        set_all(DeduplicationScope="queue", FifoThroughputLimit="perQueue")

    def test_a_send_names_its_group_and_its_id(self):
        queue = self.queue()
        sent = [int(self.put(queue, "g", body)["SequenceNumber"]) for body in "abc"]
        self.assertEqual(sent, sorted(set(sent)))
        messages = self.receive(queue, MaxNumberOfMessages=10)
        self.assertEqual([int(message["Attributes"]["SequenceNumber"]) for message in messages], sent)
        system = messages[0]["Attributes"]
        self.assertEqual((system["MessageGroupId"], system["MessageDeduplicationId"]), ("g", "a"))
        send = self.sqs.send_message
        self.refused("", "MissingParameter", send, QueueUrl=queue, MessageBody="x", MessageDeduplicationId="x")
        self.refused("", "InvalidParameterValue", send, QueueUrl=queue, MessageBody="x", MessageGroupId="g")
        self.refused("", "InvalidParameterValue", self.put, queue=queue, group="g", body="x", DelaySeconds=5)
        for bad in ["a b", "ü", "x" * 129]:
            self.refused("", "InvalidParameterValue", self.put, queue=queue, group=bad, body="x")
            self.refused(
                "", "InvalidParameterValue", self.put, queue=queue, group="g", body="x", MessageDeduplicationId=bad
            )
        standard = self.sqs.create_queue(QueueName="no-fifo")["QueueUrl"]
        self.refused("", "InvalidParameterValue", self.put, queue=standard, group="g", body="x")

    def test_a_group_in_flight_waits_and_others_go_on(self):
        queue = self.queue(VisibilityTimeout="30")
        for body in ["a1", "a2", "b1", "a3", "b2"]:
            self.put(queue, body[0], body)
        [first] = self.receive(queue, MaxNumberOfMessages=1)
        self.assertEqual(first["Body"], "a1")
        self.assertEqual(self.bodies(queue, 1), ["b1"])
        self.assertEqual(self.receive(queue), [])
        self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
        self.assertEqual(self.bodies(queue), ["a2", "a3"])
        self.desk.advance(31)
        # Group b came back first: it had been received before group a went on.
        self.assertEqual(self.bodies(queue), ["b1", "b2", "a2", "a3"])

    def test_order_holds_over_many_batches(self):
        queue = self.queue()
        bodies = [f"{n % 3}-{n:03}" for n in range(120)]
        for at in range(0, len(bodies), 10):
            entries = [
                {"Id": str(n), "MessageBody": body, "MessageGroupId": body[0], "MessageDeduplicationId": body}
                for n, body in enumerate(bodies[at : at + 10])
            ]
            sent = self.sqs.send_message_batch(QueueUrl=queue, Entries=entries)
            self.assertTrue(all(entry["SequenceNumber"] for entry in sent["Successful"]))
            self.assertEqual([entry["Id"] for entry in sent["Successful"]], [str(n) for n in range(10)])
        received = {"0": [], "1": [], "2": []}
        while messages := self.receive(queue, MaxNumberOfMessages=7):
            for message in messages:
                received[message["Attributes"]["MessageGroupId"]].append(message["Body"])
            entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
            self.assertNotIn("Failed", self.sqs.delete_message_batch(QueueUrl=queue, Entries=entries))
        for group, seen in received.items():
            self.assertEqual(seen, [body for body in bodies if body[0] == group])

    def test_a_repeated_send_is_the_first(self):
        queue = self.queue()
        first = self.put(queue, "g", "one", MessageDeduplicationId="order-1")
        [message] = self.receive(queue)
        self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        # Neither another body nor the deletion nor 299 seconds make it another message.
        self.desk.advance(299)
        again = self.put(queue, "g", "two", MessageDeduplicationId="order-1")
        for name in ["MessageId", "SequenceNumber"]:
            self.assertEqual(again[name], first[name])
        self.assertEqual(self.counts(queue), (0, 0, 0))
        self.desk.advance(2)
        self.assertNotEqual(self.put(queue, "g", "two", MessageDeduplicationId="order-1")["MessageId"], first["MessageId"])
        self.assertEqual(self.bodies(queue), ["two"])

    def test_content_is_the_body_only(self):
        queue = self.queue(ContentBasedDeduplication="true")

        def send(body: str, n: str, **options) -> str:
            attributes = {"n": {"DataType": "Number", "StringValue": n}}
            sent = self.sqs.send_message(
                QueueUrl=queue, MessageBody=body, MessageGroupId="g", MessageAttributes=attributes, **options
            )
            return sent["MessageId"]

        first = send("same", "1")
        self.assertEqual(send("same", "2"), first)
        self.assertNotEqual(send("same", "3", MessageDeduplicationId="its-own"), first)
        [message, _] = self.receive_all(queue, 2)
        digest = hashlib.sha256(b"same").hexdigest()
        self.assertEqual(message["Attributes"]["MessageDeduplicationId"], digest)

    def test_deduplication_is_of_the_queue_or_of_the_group(self):
        whole = self.queue()
        by_group = self.queue("-by-group", DeduplicationScope="messageGroup")
        for queue, count in [(whole, 1), (by_group, 2)]:
            for group in "aba":
                self.put(queue, group, "same")
            self.assertEqual(self.counts(queue)[0], count)

    def test_a_batch_fails_by_entry(self):
        queue = self.queue()

        def entry(id: str, **more) -> dict:
            fifo = {"MessageGroupId": "g", "MessageDeduplicationId": id}
            whole = {"Id": id, "MessageBody": id, **fifo, **more}
            return {name: value for name, value in whole.items() if value is not None}

        sent = self.sqs.send_message_batch(
            QueueUrl=queue,
            Entries=[
                entry("first"),
                entry("bad", MessageBody="\0"),
                entry("late", DelaySeconds=5),
                entry("again", MessageDeduplicationId="first"),
                entry("last"),
            ],
        )
        taken = {entry["Id"]: entry for entry in sent["Successful"]}
        self.assertEqual(list(taken), ["first", "again", "last"])
        self.assertEqual(taken["again"]["MessageId"], taken["first"]["MessageId"])
        self.assertEqual(taken["again"]["SequenceNumber"], taken["first"]["SequenceNumber"])
        self.assertEqual(
            [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in sent["Failed"]],
            [
                ("bad", "InvalidMessageContents", True),
                ("late", "InvalidParameterValue", True),
            ],
        )
        for missing in [{"MessageGroupId": None}, {"MessageDeduplicationId": None}]:
            entries = [entry("whole"), entry("other", **missing)]
            send = self.sqs.send_message_batch
            self.refused("", "InvalidParameterValue", send, QueueUrl=queue, Entries=entries)
        self.assertEqual(self.bodies(queue), ["first", "last"])

    def test_a_message_waits_for_the_earlier_ones_of_its_group(self):
        """As recorded on AWS in November 2025: what stands before the message in flight comes again."""
        for extended, expected in [(0, []), (1, ["a"]), (2, ["a", "b"])]:
            with self.subTest(extended=extended):
                queue = self.queue(f"-{extended}", VisibilityTimeout="10")
                for body in "abc":
                    self.put(queue, "g", body)
                handle = self.receive(queue, MaxNumberOfMessages=10)[extended]["ReceiptHandle"]
                self.sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=40)
                self.desk.advance(20)
                self.assertEqual(self.bodies(queue), expected)

    def test_a_receive_is_repeated_by_its_attempt_id(self):
        queue = self.queue()
        for body in "abc":
            self.put(queue, "g", body)
        attempt = {"MaxNumberOfMessages": 2, "ReceiveRequestAttemptId": "attempt-1"}
        first = self.receive(queue, **attempt)
        self.assertEqual([message["Body"] for message in first], ["a", "b"])
        self.assertEqual(self.receive(queue, **attempt), first)
        self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=first[0]["ReceiptHandle"])
        self.assertEqual(self.receive(queue, **attempt), [])

    def test_an_expired_handle_deletes_nothing_and_says_so(self):
        queue = self.queue(VisibilityTimeout="5")
        self.put(queue, "g", "a")
        [late] = self.receive(queue)
        self.desk.advance(6)
        self.refused(
            "", "InvalidParameterValue", self.sqs.delete_message, QueueUrl=queue, ReceiptHandle=late["ReceiptHandle"]
        )
        entries = [{"Id": "late", "ReceiptHandle": late["ReceiptHandle"]}]
        failed = self.sqs.delete_message_batch(QueueUrl=queue, Entries=entries)["Failed"]
        self.assertEqual([(entry["Id"], entry["Code"]) for entry in failed], [("late", "ReceiptHandleIsInvalid")])
        [again] = self.receive(queue)
        self.assertEqual(again["Attributes"]["ApproximateReceiveCount"], "2")

    def test_a_lost_answer_is_absorbed(self):
        queue = self.queue()
        self.desk.fault("lost-response", "SendMessage")
        sent = self.put(queue, "g", "a")
        self.assertEqual(sent["ResponseMetadata"]["RetryAttempts"], 1)
        self.assertEqual(self.desk.faults(), [])
        [message] = self.receive(queue, MaxNumberOfMessages=10)
        self.assertEqual(message["MessageId"], sent["MessageId"])

    def test_delays_are_the_queues(self):
        queue = self.queue(DelaySeconds="10")
        self.put(queue, "g", "a")
        self.assertEqual(self.counts(queue), (0, 0, 1))
        self.desk.advance(11)
        self.assertEqual(self.bodies(queue), ["a"])

    def test_dead_letters_keep_their_order_there_and_back(self):
        dead = self.queue("-dead")
        standard = self.sqs.create_queue(QueueName="a-standard-one")["QueueUrl"]

        def policy(target: str) -> dict:
            return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": self.arn(target), "maxReceiveCount": 1})}

        self.refused("", "InvalidParameterValue", self.queue, suffix="-wrong", **policy(standard))
        queue = self.queue("-orders", **policy(dead), VisibilityTimeout="5")
        for body in "abcd":
            self.put(queue, "g", body)
        self.assertEqual(self.bodies(queue, 2), ["a", "b"])
        self.desk.advance(6)
        # The first two go; the group goes on behind them.
        self.assertEqual(self.bodies(queue, VisibilityTimeout=60), ["c", "d"])
        letters = self.receive(dead, MaxNumberOfMessages=10, VisibilityTimeout=1)
        self.assertEqual([letter["Body"] for letter in letters], ["a", "b"])
        self.assertEqual({letter["Attributes"]["DeadLetterQueueSourceArn"] for letter in letters}, {self.arn(queue)})
        self.desk.advance(2)
        self.sqs.start_message_move_task(SourceArn=self.arn(dead))
        for _ in range(100):
            [task] = self.sqs.list_message_move_tasks(SourceArn=self.arn(dead))["Results"]
            if task["Status"] != "RUNNING":
                break
            time.sleep(0.05)
        self.assertEqual((task["Status"], task["ApproximateNumberOfMessagesMoved"]), ("COMPLETED", 2))
        self.desk.advance(61)
        # The other two were received once, so they are dead letters now.
        self.assertEqual(self.bodies(queue), ["a", "b"])

    def test_the_quota_holds_on_request(self):
        queue = self.queue()
        self.desk.fault("fifo-quota", queue.rsplit("/")[-1])
        impatient = self.desk.client("sqs", attempts=1)
        with self.assertRaises(impatient.exceptions.RequestThrottled) as caught:
            # More calls than any second may have: 300.
            for n in range(3000):
                impatient.send_message(
                    QueueUrl=queue, MessageBody="a", MessageGroupId="g", MessageDeduplicationId=str(n)
                )
        self.assertEqual(caught.exception.response["Error"]["Code"], "RequestThrottled")


JSON_TEMPLATE = {
    "Parameters": {"Name": {"Type": "String"}},
    "Resources": {
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Name}-dead"}}},
        "Orders": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": {"Fn::Join": ["-", [{"Ref": "Name"}, "orders"]]},
                "VisibilityTimeout": 7,
                "RedrivePolicy": {
                    "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]},
                    "maxReceiveCount": 3,
                },
            },
        },
    },
    "Outputs": {
        "Orders": {"Value": {"Ref": "Orders"}},
        "Name": {"Value": {"Fn::GetAtt": ["Orders", "QueueName"]}},
    },
}


class CloudFormation(OnTheLocalCloud):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stacks = cls.desk.client("cloudformation")
        cls.sqs = cls.desk.client("sqs")

    def wait(self, state: str, stack: str) -> None:
        self.stacks.get_waiter(f"stack_{state}_complete").wait(StackName=stack, WaiterConfig=SOON)

    def create(self, stack: str, template: str, **parameters: str) -> str:
        created = self.stacks.create_stack(
            StackName=stack,
            TemplateBody=template,
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        )
        return created["StackId"]

    def describe(self, stack: str) -> dict:
        [described] = self.stacks.describe_stacks(StackName=stack)["Stacks"]
        return described

    def outputs(self, stack: str) -> dict:
        return {output["OutputKey"]: output["OutputValue"] for output in self.describe(stack)["Outputs"]}

    def refused(self, code: str, text: str, call, /, **parameters) -> None:
        with self.assertRaises(ClientError) as caught:
            call(**parameters)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code)
        self.assertIn(text, error["Message"])

    def test_a_stack_from_its_creation_to_its_deletion(self):
        template = (TEMPLATES / "standard-queue.yaml").read_text()
        valid = self.stacks.validate_template(TemplateBody=template)
        self.assertEqual([(p["ParameterKey"], p["DefaultValue"]) for p in valid["Parameters"]], [("QueueName", "StandardQueue")])

        stack = self.create("Standard", template)
        self.assertRegex(stack, f"^arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/Standard/.+")
        self.wait("create", "Standard")
        described = self.describe("Standard")
        self.assertEqual((described["StackId"], described["StackStatus"]), (stack, "CREATE_COMPLETE"))
        self.assertEqual(described["Parameters"], [{"ParameterKey": "QueueName", "ParameterValue": "StandardQueue"}])
        queue = self.sqs.get_queue_url(QueueName="StandardQueue")["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:StandardQueue"
        self.assertEqual(self.outputs("Standard"), {"StandardQueueURL": queue, "StandardQueueARN": arn})

        events = self.stacks.describe_stack_events(StackName="Standard")["StackEvents"]
        steps = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]
        self.assertEqual(steps[0], ("Standard", "CREATE_IN_PROGRESS"))
        self.assertEqual(steps[-2:], [("StandardQueue", "CREATE_COMPLETE"), ("Standard", "CREATE_COMPLETE")])
        self.assertEqual(len({event["EventId"] for event in events}), len(events))
        [resource] = self.stacks.describe_stack_resources(StackName="Standard")["StackResources"]
        self.assertEqual(
            (resource["LogicalResourceId"], resource["ResourceType"], resource["PhysicalResourceId"]),
            ("StandardQueue", "AWS::SQS::Queue", queue),
        )
        listed = self.stacks.get_paginator("list_stacks").paginate(StackStatusFilter=["CREATE_COMPLETE"])
        self.assertIn(stack, [s["StackId"] for s in listed.search("StackSummaries[]")])

        self.refused("AlreadyExistsException", "Standard", self.create, stack="Standard", template=template)
        with self.assertRaises(self.stacks.exceptions.AlreadyExistsException):
            self.create("Standard", template)
        self.refused(
            "ValidationError",
            "No updates are to be performed.",
            self.stacks.update_stack,
            StackName="Standard",
            TemplateBody=template,
        )

        self.stacks.delete_stack(StackName="Standard")
        self.wait("delete", "Standard")
        self.refused("ValidationError", "does not exist", self.describe, stack="Standard")
        self.assertEqual(self.describe(stack)["StackStatus"], "DELETE_COMPLETE")
        with self.assertRaises(self.sqs.exceptions.QueueDoesNotExist):
            self.sqs.get_queue_url(QueueName="StandardQueue")
        # Deleting what is not there is no error.
        self.stacks.delete_stack(StackName="Standard")

    def test_a_template_in_json_with_functions_and_parameters(self):
        self.create("Functions", json.dumps(JSON_TEMPLATE), Name="alice")
        self.wait("create", "Functions")
        outputs = self.outputs("Functions")
        self.assertEqual(outputs["Name"], "alice-orders")
        shown = self.sqs.get_queue_attributes(QueueUrl=outputs["Orders"], AttributeNames=["All"])["Attributes"]
        self.assertEqual(shown["VisibilityTimeout"], "7")
        self.assertTrue(json.loads(shown["RedrivePolicy"])["deadLetterTargetArn"].endswith(":alice-dead"))
        self.stacks.delete_stack(StackName="Functions")
        self.wait("delete", "Functions")
        self.assertNotIn("QueueUrls", self.sqs.list_queues(QueueNamePrefix="alice-"))

    def test_a_stack_that_fails_is_rolled_back(self):
        template = json.loads(json.dumps(JSON_TEMPLATE))
        template["Resources"]["Orders"]["Properties"]["VisibilityTimeout"] = 43_201
        template["Resources"]["Orders"]["DependsOn"] = "Dead"
        self.create("Fails", json.dumps(template), Name="bob")
        with self.assertRaises(WaiterError):
            self.wait("create", "Fails")
        for _ in range(30):
            if self.describe("Fails")["StackStatus"] == "ROLLBACK_COMPLETE":
                break
            time.sleep(0.2)
        self.assertEqual(self.describe("Fails")["StackStatus"], "ROLLBACK_COMPLETE")
        events = self.stacks.describe_stack_events(StackName="Fails")["StackEvents"]
        [failure] = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
        self.assertEqual(failure["LogicalResourceId"], "Orders")
        self.assertIn("VisibilityTimeout", failure["ResourceStatusReason"])
        self.assertNotIn("QueueUrls", self.sqs.list_queues(QueueNamePrefix="bob-"))
        self.stacks.delete_stack(StackName="Fails")
        self.wait("delete", "Fails")

    def test_a_template_that_is_none_is_refused(self):
        def template(**changes) -> str:
            return json.dumps({**JSON_TEMPLATE, **changes})

        resource = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Nobody"}}}
        for text, body in [
            ("Parameters: [Name] must have values", template()),
            ("At least one Resources member must be defined", template(Resources={})),
            ("Unresolved resource dependencies [Nobody]", template(Resources={"A": resource})),
            ("", "Resources: ["),
        ]:
            self.refused("ValidationError", text, self.create, stack="None", template=body)
        self.refused("ValidationError", "", self.create, stack="1 bad name", template=template())
        self.refused("ValidationError", "does not exist", self.describe, stack="None")


class Sts(OnTheLocalCloud):
    def test_who_you_are(self):
        you = self.desk.client("sts").get_caller_identity()
        self.assertEqual(you["Account"], ACCOUNT)
        self.assertRegex(you["Arn"], f"^arn:aws:iam::{ACCOUNT}:user/")
        self.assertTrue(you["UserId"])
