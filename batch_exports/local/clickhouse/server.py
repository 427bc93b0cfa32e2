"""A ClickHouse on loopback, whose engine is chDB: start, stop, find again.

Everything about it stands in one folder: `server.json` (port, credentials, process), `data/` and
`log`. Tables that stay as they were inserted (merges are stopped) do so until it is stopped.
"""

import json
import os
import secrets
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import urllib3

from batch_exports.local.clickhouse.front import QUERY_LOG
from batch_exports.local.clickhouse.query_log import Entry, loads
from batch_exports.local.errors import LocalError
from batch_exports.local.ports import free_ports
from batch_exports.local.private import make_private_folder, write_private
from batch_exports.local.process import Process

DATA = "data"
START_SECONDS = 60.0
_HTTP = urllib3.PoolManager(retries=False)


@dataclass(frozen=True)
class Server:
    """How to reach it, and which process it is."""

    port: int
    user: str
    password: str
    process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, statement: str, database: str = "") -> str:
        """What the statement answers, as tab-separated text. Raises LocalError with its error."""
        answer = _HTTP.request(
            "POST",
            f"{self.url}/?database={database}",
            body=statement.encode(),
            headers=urllib3.make_headers(basic_auth=f"{self.user}:{self.password}"),
        )
        if answer.status != 200:
            raise LocalError(f"{statement}: {answer.data.decode()}")
        return answer.data.decode()

    def query_log(self) -> list[Entry]:
        """The queries since the start, oldest first."""
        return loads(_HTTP.request("GET", f"{self.url}{QUERY_LOG}").data)


def find(folder: Path) -> Server | None:
    """The server of `folder`, running or not; None where there never was one."""
    try:
        stored = json.loads((folder / "server.json").read_text())
    except FileNotFoundError:
        return None
    process = stored.pop("process")
    return Server(**stored, process=Process(**process) if process else None)


def start(folder: Path) -> Server:
    """Start the server of `folder`, or find it running; it outlives the calling process.

    Raises LocalError when it does not answer within START_SECONDS.
    """
    known = find(folder)
    if known and known.process and known.process.alive:
        return known
    make_private_folder(folder)
    server = known or Server(free_ports(1)[0], "exporter", secrets.token_urlsafe(20))
    _store(folder, server)
    command = [sys.executable, "-m", "batch_exports.local.clickhouse.process", str(folder)]
    server = replace(server, process=Process.spawn(command, os.environ, folder / "log"))
    _store(folder, server)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process and server.process.alive:
        if _answers(server):
            return server
        time.sleep(0.02)
    stop(folder)
    raise LocalError(f"ClickHouse did not start. Its log:\n{(folder / 'log').read_text()[-2000:]}")


def stop(folder: Path) -> None:
    """Stop the server of `folder`; its data stays. Stopping a stopped server does nothing."""
    server = find(folder)
    if server and server.process:
        server.process.kill()
        _store(folder, replace(server, process=None))


def _answers(server: Server) -> bool:
    try:
        return _HTTP.request("GET", f"{server.url}/ping").status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _store(folder: Path, server: Server) -> None:
    write_private(folder / "server.json", json.dumps(asdict(server), indent=2))
