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

from support import PROGRAMS, PROJECT, TARGET, Desk, Server, environment, free_port

API = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/"
ENDLESS = {"send": ["--count", "20"], "receive": ["--count", "20"]}
FIRST = ["whoami", "create", "send", "receive"]
LAST = ["cleanup"]


def programs() -> list[str]:
    """The experiments: all programs but those that come first and last."""
    found = {file.stem for file in (PROJECT / "snippets/src/bin").glob("*.rs")}
    return sorted(found - {*FIRST, *LAST})


def run(program: str, url: str) -> str:
    """What the program prints. Its last line says how it ended."""
    try:
        done = subprocess.run(
            [PROGRAMS / program, *ENDLESS.get(program, [])],
            env=environment(AWS_ENDPOINT_URL=url),
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

    def test_the_programs_of_the_book(self):
        self.check(FIRST, 1)
        self.check(programs(), self.at_once)
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

    @classmethod
    def setUpClass(cls):
        cls.server = Desk()
        cls.addClassCleanup(cls.server.stop)


class Ministack(Engine, unittest.TestCase):
    differs = {
        "batch": (
            r"Ok: 10 sent, 0 failed",
            f"an entry's DelaySeconds is 0 to 900, 901 is taken all the same: {API}API_SendMessageBatchRequestEntry.html",
        ),
        "dead-letters": (
            r"Error: InvalidAction: The action StartMessageMoveTask is not valid",
            f"no message move tasks: {API}API_StartMessageMoveTask.html",
        ),
        "old-handle": (
            r"Error: ReceiptHandleIsInvalid",
            f"deleting with an older handle of the message succeeds on AWS: {API}API_DeleteMessage.html",
        ),
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
            SERVICES="sqs,cloudformation,sts",
        )
        cls.addClassCleanup(cls.server.stop)


class Moto(Engine, unittest.TestCase):
    differs = {
        "dead-letters": (
            r"Error: service error: unhandled error",
            f"no message move tasks: {API}API_StartMessageMoveTask.html",
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
