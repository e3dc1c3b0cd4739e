"""SQS by the query protocol, with which clients called it before it spoke JSON: an older boto3, and curl.

What is right is what AWS documents:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html
"""

import json
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from support import TARGET, OnTheLocalCloud, environment

PYTHON = TARGET / "foreign/query/bin/python"
CLIENT = Path(__file__).with_name("query_client.py")


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment())
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


class Boto3(OnTheLocalCloud):
    def slice(self, name: str) -> dict:
        return json.loads(run([str(PYTHON), str(CLIENT), self.desk.url, name]))

    def test_standard_queue(self):
        self.assertEqual(
            self.slice("standard"),
            {
                "bodies": True,
                "attributes": True,
                "receives": ["1"] * 5,
                "timeout": "45",
                "left": "0",
                "tags": {"team": "a & b"},
                "queues": ["StandardQueue"],
                "sent": ["good"],
                "failed": [["bad", True, "InvalidParameterValue"]],
                "missing": ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"],
            },
        )

    def test_fifo_queue(self):
        self.assertEqual(
            self.slice("fifo"),
            {
                "sent": ["e0", "e1", "e2", "e3", "e4", "again"],
                "bodies": ["0", "1", "2", "3", "4"],
                "deleted": 5,
                "left": 0,
            },
        )


@unittest.skipUnless(shutil.which("curl"), "there is no curl")
class Curl(OnTheLocalCloud):
    def call(self, path: str, **parameters: str) -> str:
        data = [part for item in parameters.items() for part in ("--data-urlencode", "=".join(item))]
        return run(["curl", "--silent", "--show-error", "--noproxy", "*", *data, self.desk.url + path])

    def test_queue_by_its_url(self):
        created = self.call("/", Action="CreateQueue", Version="2012-11-05", QueueName="curled")
        queue = re.search("<QueueUrl>(.*)</QueueUrl>", created)[1]
        path = queue.removeprefix(self.desk.url)
        sent = self.call(path, Action="SendMessage", MessageBody="from <curl> & é")
        received = self.call(path, Action="ReceiveMessage", WaitTimeSeconds="2")
        self.assertIn("<Body>from &lt;curl&gt; &amp; é</Body>", received)
        message_id = re.compile("<MessageId>(.*?)</MessageId>")
        self.assertEqual(message_id.search(received)[1], message_id.search(sent)[1])
        handle = re.search("<ReceiptHandle>(.*)</ReceiptHandle>", received)[1]
        deleted = self.call(path, Action="DeleteMessage", ReceiptHandle=handle)
        self.assertRegex(deleted, r"^<DeleteMessageResponse [^>]*><ResponseMetadata>")
