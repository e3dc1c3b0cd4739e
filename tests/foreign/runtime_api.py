"""A Runtime API for one event, as AWS documents it: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""

import http.server
import json
import queue

VERSION = "/2018-06-01/runtime/"


class RuntimeApi(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, event: dict):
        super().__init__(("127.0.0.1", 0), Handler)
        self.events, self.answers = queue.Queue(), queue.Queue()
        self.events.put(json.dumps(event).encode())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        assert self.path == VERSION + "invocation/next"
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        ids = {"Aws-Request-Id": "1", "Deadline-Ms": "9999999999999", "Invoked-Function-Arn": arn, "Trace-Id": "1"}
        self.answer(200, self.server.events.get(), {f"Lambda-Runtime-{name}": value for name, value in ids.items()})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.put((self.path.removeprefix(VERSION), json.loads(body)))
        self.answer(202, b"", {})

    def answer(self, status: int, body: bytes, headers: dict):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
