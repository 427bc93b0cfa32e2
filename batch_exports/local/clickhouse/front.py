"""ClickHouse's HTTP interface before chDB, as far as clients that read need it.

https://clickhouse.com/docs/interfaces/http

Left out: sessions, compression of whole responses, data in the body of an INSERT, roles. A query
is ended when its client is gone, which is noticed as its rows are written.
"""

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from batch_exports.local.clickhouse.arrow_stream import framed
from batch_exports.local.clickhouse.query_log import Entry, QueryLog
from batch_exports.local.clickhouse.request import Request, login, parse

QUERY_LOG = "/query_log"
_READS = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
_CODE = re.compile(r"Code: (\d+)\.")
_AUTHENTICATION_FAILED = (
    "Code: 516. DB::Exception: {}: Authentication failed: password is "
    "incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)"
)
_TAG = "frontfrontfront1"  # random, at a real server


class Front(ThreadingHTTPServer):
    """Serves the data of one folder. One process at a time may have it."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int, user: str, password: str) -> None:
        self.login = (user, password)
        self.log = QueryLog()
        # Half a gigabyte that this process alone needs.
        chdb: Any = import_module("chdb")
        self._connect: Callable[[], Any] = lambda: chdb.connect(str(folder))
        self._engine = self._connect()  # the engine ends with its last connection
        super().__init__(("127.0.0.1", port), _Handler)

    def session(self, request: Request) -> Any:
        """A connection with the request's settings, which are its own."""
        session = self._connect()
        if request.settings:
            pairs = (f"{name} = {_quoted(value)}" for name, value in request.settings.items())
            session.query(f"SET {', '.join(pairs)}")
        if request.database:
            session.query(f"USE `{request.database}`")
        return session


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are written apart
    server: Front

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the query log has it."""

    def do_GET(self) -> None:
        match urlsplit(self.path).path:
            case "/ping":
                self._reply(200, b"Ok.\n")
            case path if path == QUERY_LOG:
                self._reply(200, self.server.log.dumps())
            case _:
                self._reply(404, b"There is no handle for it.\n")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        user, password = login(self.headers)
        if (user, password) != self.server.login:
            self._refuse(_AUTHENTICATION_FAILED.format(user), 403)
            return
        request = parse(self.path, self.headers, body)
        entry = self.server.log.begin(request.query_id, request.query, request.settings)
        try:
            self._answer(request, entry)
        except OSError:
            entry.state = "cancelled"
            self.close_connection = True
        except RuntimeError as error:  # chDB's
            entry.state = "failed"
            self._refuse(_message(error), 500)

    def _answer(self, request: Request, entry: Entry) -> None:
        session = self.server.session(request)
        try:
            if request.format == "ArrowStream" and _READS.match(request.query):
                self._stream(session, request, entry)
            else:
                done = session.query(request.query, request.format, params=request.parameters)
                self._reply(200, done.bytes() if done else b"", request.format)
                entry.state = "finished"
        finally:
            session.close()

    def _stream(self, session: Any, request: Request, entry: Entry) -> None:
        def empty() -> bytes:
            done = session.query(request.query, request.format, params=request.parameters)
            return bytes(done.bytes())

        result = session.send_query(request.query, request.format, params=request.parameters)
        try:
            parts = framed(result, empty, request.settings)
            first, rows = next(parts)
            self._begin(request.format)
            self._chunk(first)
            entry.rows += rows
            try:
                for part, rows in parts:
                    self._chunk(part)
                    entry.rows += rows
            except RuntimeError as error:
                entry.state = "failed"
                self._break_off(_message(error))
                return
            self.wfile.write(b"0\r\n\r\n")
            entry.state = "finished"
        finally:
            result.cancel()

    def _begin(self, format_: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-ClickHouse-Format", format_)
        self.send_header("X-ClickHouse-Exception-Tag", _TAG)
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _break_off(self, message: str) -> None:
        """An error after the first rows stands in the body, whose last chunk never comes."""
        text = message.encode()
        tag = _TAG.encode()
        marker = b"__exception__"
        self._chunk(
            b"\r\n%b\r\n%b\r\n%b\n%d %b\r\n%b\r\n" % (marker, tag, text, len(text), tag, marker)
        )
        self.close_connection = True

    def _refuse(self, message: str, status: int) -> None:
        code = _CODE.search(message)
        self._reply(status, message.encode(), code=code[1] if code else "1002")

    def _reply(self, status: int, body: bytes, format_: str = "", code: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if format_:
            self.send_header("X-ClickHouse-Format", format_)
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(body)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _message(error: RuntimeError) -> str:
    """As ClickHouse words it, from "Code:" on."""
    return str(error).removeprefix("Streaming query failed: ")
