"""The book's programs, unchanged, against the local cloud and two engines that nobody here wrote.

AWS_ENDPOINT_URL is all that differs. Where an engine can't do what AWS documents, the program is listed below with
the reason: it must fail in just that way, so that a change is noticed.
"""

import re
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from support import PROGRAMS, PROJECT, TARGET, Desk, Server, environment, free_port

API = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/"
KINESIS_API = "https://docs.aws.amazon.com/kinesis/latest/APIReference/"
KINESIS = "https://docs.aws.amazon.com/streams/latest/dev/"
FIRST = [
    "whoami",
    "create",
    "send --count 20",
    "receive --count 20",
    "send --count 1",
    "crash",
    "set VisibilityTimeout=60",
    "create fifo-queue",
    "fifo --count 20",
    "send-same",
    "create kinesis-stream",
    "put --count 20",
    "get --count 20 --from start",
    "checkpoints --count 20",
    "put-one customer-7 created",
]
FUNCTIONS = [
    command
    for function, sends in [("sqs-function", "send"), ("kinesis-function", "put")]
    for command in [
        f"create {function}",
        f"deploy {function}",
        f"invoke {function}",
        f"allow {function}",
        f"trigger {function}",
        f"{sends} --count 10",
        f"logs {function} --count 1",
        f"adjust {function} --report",
    ]
]
LAST = ["cleanup"]
# The tour runs the others, and cleans up under their feet. `check` starts the other one, with a page.
NOT_ALONE = {"tour", "check-functions"}
# They wait for minutes or days, and only the local cloud has a clock to move.
TOO_LONG = {"half-a-batch", "old-iterator", "retention"}
# They need functions, a role that is denied something, and a clock to move: Moto runs functions in Docker only, and
# Ministack denies nothing and has no clock.
FUNCTION_EXPERIMENTS = {"blocked-shard", "least-privilege", "pause", "poison", "scaling", "who-deletes"}
NO_LIMITS = f"a shard has limits, here it takes and gives everything: {KINESIS}service-sizes-and-limits.html"
GROUPS = (
    r"A2 is in flight behind it and holds up nothing",
    "a message in flight holds up only those behind it in its group: recorded on AWS in November 2025",
)
PARENTS_KEEP = f"records from before a split or a merge stay in its parents: {KINESIS}kinesis-using-sdk-java-after-resharding.html"
# On both engines.
UNLIMITED = {
    "hot-keys": (r"refused: 0\n[\s\S]*one shard can't take them all", NO_LIMITS),
    "more-readers": (r"Readers: 5\. Calls: 10\. Throttled: 0", NO_LIMITS),
    "put-many": (r"Call 1: Ok, and 0 of 500 failed", NO_LIMITS),
    "reordered": (r"Failed at first: \[\]", NO_LIMITS),
}


def programs() -> list[str]:
    """The experiments: all programs but those that come first and last."""
    folders = ["snippets/src/bin", "snippets/exercises/src/bin", "snippets/deployment/src/bin"]
    found = {file.stem for folder in folders for file in (PROJECT / folder).glob("*.rs")}
    return sorted(found - NOT_ALONE - {command.split()[0] for command in FIRST + FUNCTIONS + LAST})


def run(command: str, url: str) -> str:
    """What the program prints, in a folder of its own. Its last line says how it ended."""
    program, *arguments = command.split()
    with TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [PROGRAMS / program, *arguments],
                env=environment(AWS_ENDPOINT_URL=url),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
            )
        except subprocess.TimeoutExpired as slow:
            return f"{(slow.stdout or b'').decode()}still running after 120 s"
    return f"{done.stdout}exit code {done.returncode}"


class Engine:
    """Runs every program and compares how it ends with what is expected."""

    # Program: (a pattern of what it prints when it fails, why the engine errs, by which document of AWS).
    differs: dict[str, tuple[str, str]] = {}
    # Experiments at a time. The local cloud has one clock, which each of them moves.
    at_once = 6
    has_clock = False
    runs_functions = True

    def test_the_programs_of_the_book(self):
        self.check(FIRST, 1)
        if self.runs_functions:
            self.check(FUNCTIONS, 1)
        experiments = programs()
        only_here = TOO_LONG | FUNCTION_EXPERIMENTS
        self.assertLessEqual(only_here, set(experiments))
        self.check([name for name in experiments if self.has_clock or name not in only_here], self.at_once)
        self.check(LAST, 1)

    def check(self, names: list[str], at_once: int) -> None:
        with ThreadPoolExecutor(at_once) as pool:
            ends = pool.map(lambda name: run(name, self.server.url), names)
            for name, printed in zip(names, ends):
                with self.subTest(program=name):
                    self.compare(name, printed)

    def compare(self, name: str, printed: str) -> None:
        passes = printed.endswith("exit code 0")
        failure, reason = self.differs.get(name, ("", ""))
        how = "passes" if passes else f"fails, as expected: {reason}" if reason else "fails"
        print(f"\n  {name}: {how}", end="", flush=True)
        if not reason:
            self.assertTrue(passes, f"{name} prints\n{printed}")
            return
        self.assertFalse(passes, f"{name} passes now: this engine has learnt it, take it off the list")
        self.assertRegex(printed, failure)


class LocalCloud(Engine, unittest.TestCase):
    at_once = 1
    has_clock = True

    @classmethod
    def setUpClass(cls):
        cls.server = Desk()
        cls.addClassCleanup(cls.server.stop)


class Ministack(Engine, unittest.TestCase):
    differs = {
        **UNLIMITED,
        "batch": (
            r"Ok: 10 sent, 0 failed",
            f"an entry's DelaySeconds is 0 to 900, 901 is taken all the same: {API}API_SendMessageBatchRequestEntry.html",
        ),
        "dead-letters": (
            r"Error: InvalidAction: The action StartMessageMoveTask is not valid",
            f"no message move tasks: {API}API_StartMessageMoveTask.html",
        ),
        "fan-out": (r"Error: everybody can poll as often as they like", NO_LIMITS),
        "groups": GROUPS,
        "old-handle": (
            r"Error: ReceiptHandleIsInvalid",
            f"deleting with an older handle of the message succeeds on AWS: {API}API_DeleteMessage.html",
        ),
        "reshard": (r"nothing is lost, nothing comes twice\n +left: \d+\n +right: 500", PARENTS_KEEP),
    }

    @classmethod
    def setUpClass(cls):
        port = free_port()
        cls.server = Server(
            [str(TARGET / "foreign/ministack/bin/ministack")],
            "/_ministack/health",
            port,
            GATEWAY_PORT=str(port),
            BIND_HOST="127.0.0.1",
            MINISTACK_HOST="127.0.0.1",
            SERVICES="sqs,kinesis,cloudformation,sts,lambda,iam,logs",
        )
        cls.addClassCleanup(cls.server.stop)


class Moto(Engine, unittest.TestCase):
    # In Docker only.
    runs_functions = False
    differs = {
        **UNLIMITED,
        "dead-letters": (
            r"Error: service error: unhandled error",
            f"no message move tasks: {API}API_StartMessageMoveTask.html",
        ),
        "deduplication": (
            r"assertion `left == right` failed",
            f"a repeated send is the first one, which its answer names: {API}API_SendMessage.html",
        ),
        "fan-out": (
            r"Error: response error: invalid input: malformed JSON error body",
            f"no subscriptions: {KINESIS_API}API_SubscribeToShard.html",
        ),
        "groups": GROUPS,
        "late-price": (
            r"Error: no number",
            f"a message of a FIFO queue has a SequenceNumber when All is asked for: {API}API_ReceiveMessage.html",
        ),
        "not-once": (
            r"Error: deleted too late, without an error",
            "deleting with an expired handle fails on a FIFO queue: "
            "https://repost.aws/knowledge-center/sqs-receipt-handle-error",
        ),
        "reshard": (r"children overtake their parents", PARENTS_KEEP),
        "same-consumer": (
            r"Error: response error: invalid input: malformed JSON error body",
            f"no subscriptions: {KINESIS_API}API_SubscribeToShard.html",
        ),
    }

    @classmethod
    def setUpClass(cls):
        port = free_port()
        cls.server = Server(
            [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)],
            "/moto-api/",
            port,
        )
        cls.addClassCleanup(cls.server.stop)
