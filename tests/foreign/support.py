"""Servers to test against, each on a free loopback port and ended with the tests that use it."""

import atexit
import json
import os
import re
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

PROJECT = Path(__file__).parents[2]
TARGET = Path(os.environ["FOREIGN_TARGET"])
PROGRAMS = TARGET / "debug"
REGION = "us-east-1"
TEMPLATES = PROJECT / "templates"
ACCOUNT = "000000000000"
# For what the local cloud does soon, and AWS in its time.
SOON = {"Delay": 0.2, "MaxAttempts": 100}


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without any AWS account in it, and without a way to one."""
    away = ("AWS_", "LAB_", "RUST_BACKTRACE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(away)}
    nowhere = str(TARGET / "foreign/no-such-file")
    return {
        **kept,
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        # AWS speaks HTTPS, loopback doesn't: nothing listens on this port.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
        **variables,
    }


class Server:
    """A server process. `health` is the path that answers 200 once it is ready."""

    def __init__(self, command: list[str], health: str, port: int | None = None, **variables: str):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env=environment(**variables),
            cwd=TARGET / "foreign",
        )
        # For ^C and whatever else ends this process before the tests do.
        atexit.register(self.stop)
        deadline = time.monotonic() + 60
        while not self.answers(port, health):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not start: {self.printed()}")
            time.sleep(0.05)

    def answers(self, port: int | None, health: str) -> bool:
        if port is None:
            found = re.search(r"http://127\.0\.0\.1:\d+", self.printed())
            if not found:
                return False
            self.url = found[0]
        else:
            self.url = f"http://127.0.0.1:{port}"
        try:
            with urllib.request.urlopen(self.url + health, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def printed(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Desk(Server):
    """The local cloud, with the clock and the faults of its desk."""

    def __init__(self):
        super().__init__([str(PROGRAMS / "lab"), "--port", "0", "--no-book"], "/lab/health")

    def client(self, service: str, attempts: int | None = None):
        """A boto3 client with made-up credentials. Botocore's own retries, or so many `attempts`."""
        retries = {} if attempts is None else {"retries": {"total_max_attempts": attempts}}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="reader",
            aws_secret_access_key="made-up",
            config=Config(**retries),
        )

    def advance(self, seconds: float) -> None:
        self.ask("POST", "/lab/clock", {"advance_ms": round(seconds * 1000)})

    def fault(self, kind: str, target: str, count: int = 1) -> None:
        self.ask("POST", "/lab/faults", {"kind": kind, "target": target, "count": count})

    def faults(self) -> list:
        return self.ask("GET", "/lab/faults")

    def ask(self, method: str, path: str, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


class OnTheLocalCloud(unittest.TestCase):
    """Tests that share one desk."""

    @classmethod
    def setUpClass(cls):
        cls.desk = Desk()
        cls.addClassCleanup(cls.desk.stop)


def free_port() -> int:
    """A port that is free now: for servers that can't be asked to take any free one and say which."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
