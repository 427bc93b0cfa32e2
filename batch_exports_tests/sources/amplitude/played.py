"""The Export API, played by a server that answers as https://amplitude.com/docs/apis/analytics/export
documents: hours inclusive, 404 without data, 400 beyond the limit of size, 504 on a time-out."""

import base64
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from batch_exports.sources.amplitude import Api
from batch_exports.sources.amplitude.download import Download
from batch_exports_tests.sources.amplitude.rows import START, event, name, packed, zipped

HOURS = {hour: packed([event(60 * hour), event(60 * hour + 30)]) for hour in (0, 1, 2, 4)}
AUTHORISATION = "Basic " + base64.b64encode(b"key:secret").decode()

Fault = Callable[[BaseHTTPRequestHandler], None]


class Amplitude:
    """`requests` are the ranges that were asked for, in hours after the start. `hours` are the
    files of those with data, and a request of more than `most` of them is too large. Each of
    `faults` answers one request in the place of the server."""

    def __init__(self) -> None:
        self.requests: list[tuple[int, int]] = []
        self.faults: list[Fault] = []
        self.hours = HOURS
        self.most = 24
        amplitude = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                amplitude.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,)).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        asked = {key: value for key, (value,) in parse_qs(url.query).items()}
        first, last = (hours_after_start(asked[key]) for key in ("start", "end"))
        self.requests.append((first, last))
        if self.faults:
            self.faults.pop(0)(request)
            return
        found = {name(hour): rows for hour, rows in self.hours.items() if first <= hour <= last}
        if url.path != "/api/2/export" or request.headers["Authorization"] != AUTHORISATION:
            send(request, 401)
        elif not found:
            send(request, 404)
        elif len(found) > self.most:
            send(request, 400, b"Raw data export is too large")
        else:
            send(request, 200, zipped(found))


def hours_after_start(text: str) -> int:
    moment = datetime.strptime(text, "%Y%m%dT%H").replace(tzinfo=UTC)
    return (moment - START) // timedelta(hours=1)


def send(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    for key, value in headers.items():
        request.send_header(key.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def api(amplitude: Amplitude, timeout_seconds: float = 60) -> Api:
    download = Download(amplitude.endpoint, "key", "secret", timeout_seconds, pauses=(0.01, 0.01))
    return Api(download)
