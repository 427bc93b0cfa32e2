"""A connection to ClickHouse is to the server that is meant, or none."""

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from batch_exports.components.errors import InvalidComponent
from batch_exports.errors import BatchExportError, Terminal
from batch_exports.local.certificate import CHAIN, KEY, ROOT, issue
from batch_exports.local.clickhouse.server import Server
from batch_exports.models import EVENTS
from batch_exports.sources.clickhouse import ClickHouse
from batch_exports.sources.clickhouse import Server as Address
from batch_exports.sources.source import Selection
from batch_exports_tests.components.test_secrets import files_with
from batch_exports_tests.deployment import load
from batch_exports_tests.sources.clickhouse.conftest import (
    clickhouse_server,  # noqa: F401, a fixture
)
from batch_exports_tests.sources.events import HOUR

PASSWORD = "TEST_CLICKHOUSE_PASSWORD"
PLANTED = "planted-5ecret"
DOCUMENT = f"""\
type: batch_exports.ClickHouseConnection
attributes:
  name: cluster
  user: exporter
  password: {{env: {PASSWORD}}}
  host: db.example.com
  database: posthog
"""


@pytest.mark.parametrize(
    ("lines", "field", "words"),
    [
        ("  local: true", "local", "'db.example.com' is not this machine"),
        ("  port: 0", "port", "0 is too small"),
        ("  port: 70000", "port", "70000 is too large"),
        ("  connect_timeout_seconds: 0", "connect_timeout_seconds", "too small"),
        ("  ca_cert: /nowhere.pem", "ca_cert", "cannot be read"),
        ("  database: ''", "database", "is empty"),
        ("  databse: x", "databse", "Did you mean database?"),
    ],
)
def test_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, field: str, words: str
) -> None:
    monkeypatch.setenv(PASSWORD, PLANTED)
    text = DOCUMENT.replace("  database: posthog\n", "") if "database" in lines else DOCUMENT
    with pytest.raises(InvalidComponent) as refused:
        load(tmp_path, {"a/defs.yaml": f"{text}{lines}\n"}, monkeypatch)
    assert f"{field}: " in str(refused.value)
    assert words in str(refused.value)
    assert PLANTED not in str(refused.value)


def test_on_this_machine_there_is_no_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, PLANTED)
    local = DOCUMENT.replace("db.example.com", "127.0.0.1") + "  local: true\n  ca_cert: a.pem\n"
    with pytest.raises(InvalidComponent, match="of no use with local: true"):
        load(tmp_path, {"a/defs.yaml": local}, monkeypatch)


def test_without_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, PLANTED)
    monkeypatch.setitem(sys.modules, "clickhouse_connect", None)
    with pytest.raises(InvalidComponent, match=r"pip install 'batch-exports\[clickhouse\]'"):
        load(tmp_path, {"a/defs.yaml": DOCUMENT}, monkeypatch)


def test_the_password_is_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, PLANTED)
    definitions = load(tmp_path / "defs", {"a/defs.yaml": DOCUMENT}, monkeypatch)
    assert PLANTED not in repr(definitions)
    assert PLANTED not in repr(address(1, tmp_path))
    assert files_with(PLANTED, tmp_path) == []


def address(port: int, certificates: Path | None, host: str = "localhost") -> Address:
    root = str(certificates / ROOT) if certificates else None
    return Address(host, port, "exporter", PLANTED, "posthog", ca_cert=root)


@contextmanager
def encrypting(server: Server, certificates: Path, host: str = "127.0.0.1") -> Iterator[int]:
    """A port before the server that takes TLS alone."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / CHAIN, certificates / KEY)
    with closing(socket.create_server((host, 0))) as listener:

        def shake(line: socket.socket) -> None:
            with suppress(OSError), context.wrap_socket(line, server_side=True) as client:
                pair(client, server.port)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=shake, args=listener.accept()[:1], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def pair(client: socket.socket, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as behind:

        def up() -> None:
            with suppress(OSError):
                while data := client.recv(65536):
                    behind.sendall(data)
            with suppress(OSError):
                behind.shutdown(socket.SHUT_WR)

        threading.Thread(target=up, daemon=True).start()
        while data := behind.recv(65536):
            client.sendall(data)


def failure(place: Address) -> BatchExportError:
    selection = Selection(EVENTS, EVENTS.columns, "inserted_at")
    with pytest.raises(BatchExportError) as raised:
        ClickHouse(place, "posthog", 1).count(selection, HOUR)
    assert PLANTED not in str(raised.value)
    return raised.value


def test_a_server_has_to_prove_who_it_is(
    clickhouse_server: Server,  # noqa: F811
    tmp_path: Path,
) -> None:
    good, other = tmp_path / "good", tmp_path / "other"
    for folder in (good, other):
        folder.mkdir()
        issue(folder)
    with encrypting(clickhouse_server, good) as port:
        assert "code 516" in str(failure(address(port, good)))  # it got as far as the login
        for place in (address(port, None), address(port, other)):
            refused = failure(place)
            assert isinstance(refused, Terminal)
            assert "does not prove who it is" in refused.message
    with encrypting(clickhouse_server, good, "127.0.0.2") as port:
        refused = failure(address(port, good, host="127.0.0.2"))
        assert "does not prove who it is" in refused.message
