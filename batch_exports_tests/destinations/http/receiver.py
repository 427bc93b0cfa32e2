"""The batch APIs, played by a server that answers as their documentation has it.

- RudderStack, https://www.rudderstack.com/docs/api/http-api/: basic authentication by the write
  key, 401 for a wrong one before anything else, 400 for what is no call, 413 for a large body.
- Segment, https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/server/http-api:
  400 for what is too large, 200 for all else.
- PostHog, https://posthog.com/docs/api/capture: the key in the body.

All take gzip, and drop a call whose ID they had before.
"""

import base64
import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from batch_exports.destinations.http.endpoint import Endpoint
from batch_exports.destinations.http.forms import FORMS

KEY = "a-write-key"
Call = dict[str, Any]
Fault = Callable[[BaseHTTPRequestHandler], None]

_PATHS = {"rudderstack": "/v1/batch", "segment": "/v1/batch", "posthog": "/batch/"}


@dataclass
class Receiver:
    """`calls` are those that were taken, by their ID; `requests` how many calls each request had.

    Each of `faults` answers one request in the place of the server. `is_bad` finds calls that it
    refuses, and `most_bytes` is for bodies.
    """

    form: str = "rudderstack"
    most_bytes: int = 4_000_000
    is_bad: Callable[[Call], bool] = lambda _: False
    faults: list[Fault] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    requests: list[int] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    repeated: int = 0

    def __post_init__(self) -> None:
        receiver = self
        self._lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer is one packet, which nothing delays

            def do_GET(self) -> None:
                send(self, 200, b"alive")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.connections.add(self.client_address)
                with receiver._lock:
                    fault = receiver.faults.pop(0) if receiver.faults else None
                if fault:
                    fault(self)
                else:
                    send(self, *receiver.answer(self, body))

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Clients that hang up are part of what is tried."""

        self.server = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def endpoint(self, key: str = KEY) -> Endpoint:
        return Endpoint(FORMS[self.form], self.address, key)

    def answer(self, request: BaseHTTPRequestHandler, compressed: bytes) -> tuple[int, bytes]:
        basic = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
        if self.form != "posthog" and request.headers["Authorization"] != basic:
            return 401, b"invalid write key"
        if request.path != _PATHS[self.form] or request.headers["Content-Encoding"] != "gzip":
            return 404, b"not here"
        body = gzip.decompress(compressed)
        too_large = 400 if self.form == "segment" else 413
        if len(body) > self.most_bytes:
            return too_large, b"request size exceeds max limit"
        document = json.loads(body)
        if self.form == "posthog" and document["api_key"] != KEY:
            return 401, f"unknown key {document['api_key']}".encode()
        return self._taken(document["batch"])

    def _taken(self, calls: list[Call]) -> tuple[int, bytes]:
        with self._lock:
            self.requests.append(len(calls))
            if any(self.is_bad(call) for call in calls):
                return 400, b'{"error":\n"a bad call"}'
            for call in calls:
                name = call["uuid" if self.form == "posthog" else "messageId"]
                self.repeated += name in self.calls
                self.calls.setdefault(name, call)
        return 200, b"OK"

    def ids(self) -> list[str]:
        """Whom the calls are about, in order."""
        name = "distinct_id" if self.form == "posthog" else "userId"
        return sorted(call[name] for call in self.calls.values())


def send(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    for key, value in headers.items():
        request.send_header(key.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def answers(status: int, body: bytes = b"why", **headers: str) -> Fault:
    return lambda request: send(request, status, body, **headers)


def cut(request: BaseHTTPRequestHandler) -> None:
    """The line breaks before there is an answer."""
    request.close_connection = True


def cut_amid(request: BaseHTTPRequestHandler) -> None:
    """The line breaks amid the answer's body."""
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b"O")
    request.close_connection = True


def silence(request: BaseHTTPRequestHandler) -> None:
    """No answer, as long as anybody waits for it."""
    request.connection.recv(1)
    request.close_connection = True
