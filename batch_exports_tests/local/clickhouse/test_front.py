"""The front answers ClickHouse's own client as ClickHouse does."""

import time
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from batch_exports.local.clickhouse import server
from batch_exports.local.errors import LocalError
from batch_exports_tests.conftest import _reaped

NASTY = ["it's", 'a "b"', "\\", "\t\n\r\0", "{x:String}", "é😀", "%s", ""]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    folder = tmp_path_factory.mktemp("clickhouse")
    with _reaped(server.__name__, folder):
        yield server.start(folder)


@pytest.fixture
def client(started: server.Server) -> Iterator[Client]:
    with connected(started) as client:
        yield client


def connected(to: server.Server, password: str = "") -> Client:
    return clickhouse_connect.get_client(
        host="127.0.0.1",
        port=to.port,
        username=to.user,
        password=password or to.password,
        autogenerate_session_id=False,
        dedicated_pool=True,
    )


@pytest.mark.parametrize("long", [False, True], ids=["in the URL", "in a form"])
def test_values_are_bound(client: Client, long: bool) -> None:
    """A client sends many of them as a form, lest the URL grow too long."""
    values = NASTY * (200 if long else 1)
    found = client.query("SELECT {a:Array(String)}, {b:Int64}", {"a": values, "b": 2**62})
    assert found.result_rows == [(values, 2**62)]


def test_settings_are_the_query_s_own(client: Client, started: server.Server) -> None:
    ask = "SELECT getSetting('max_block_size'), getSetting('log_comment')"
    settings = {"max_block_size": 77, "log_comment": '{"a": "it\'s"}'}
    assert client.query(ask, settings=settings).result_rows == [(77, '{"a": "it\'s"}')]
    assert client.query(ask).result_rows[0][1] == ""
    entry = [one for one in started.query_log() if one.settings.get("log_comment")][-1]
    assert (entry.log_comment, entry.state) == ('{"a": "it\'s"}', "finished")


def test_rows_come_in_blocks_as_one_arrow_stream(client: Client) -> None:
    with client.query_arrow_stream(
        "SELECT number FROM numbers(10000)", settings={"max_block_size": 1000}
    ) as batches:
        sizes = [one.num_rows for one in batches]
    assert sizes == [1000] * 10
    assert client.query_arrow("SELECT 1 AS one WHERE 0").schema == pa.schema(
        [pa.field("one", pa.uint8(), nullable=False)]
    )


def test_errors_have_their_number(client: Client, started: server.Server) -> None:
    for statement, code in (("SELECT nothing", 47), ("SELECT * FROM posthog.nowhere", 81)):
        with pytest.raises(DatabaseError) as raised:
            client.query_arrow(statement)
        assert raised.value.code == code
    with pytest.raises(DatabaseError) as raised:
        connected(started, "wrong")
    assert raised.value.code == 516
    with pytest.raises(LocalError, match="Code: 62"):
        started.run("SELECT 1 FROM")


def test_a_query_ends_when_its_client_is_gone(client: Client, started: server.Server) -> None:
    statement = "SELECT number, repeat('x', 1000) FROM numbers(100000000) -- left"
    response = client.raw_stream(statement, fmt="ArrowStream")
    assert response.read(1000)
    (entry,) = [one for one in started.query_log() if "-- left" in one.query]
    assert entry.state == "running"
    response.close()
    deadline = time.monotonic() + 10
    while entry.state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)
        (entry,) = [one for one in started.query_log() if "-- left" in one.query]
    assert entry.state == "cancelled"
    assert entry.rows < 100_000_000
    assert client.command("SELECT count() FROM system.processes") == 1


def test_a_server_comes_back_with_its_data(tmp_path: Path) -> None:
    first = server.start(tmp_path / "a")
    try:
        assert server.start(tmp_path / "a") == first
        first.run("CREATE DATABASE kept")
        server.stop(tmp_path / "a")
        server.stop(tmp_path / "a")
        again = server.start(tmp_path / "a")
        assert "kept" in again.run("SHOW DATABASES")
        assert first.password not in (tmp_path / "a" / "log").read_text()
    finally:
        server.stop(tmp_path / "a")
