"""Tables and queries of a ClickHouse that have nothing to do with PostHog."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from batch_exports.errors import Terminal
from batch_exports.local.clickhouse.server import Server
from batch_exports.models import JSON, TIMESTAMP, Column, Model, Query, Table
from batch_exports.sources.clickhouse import ClickHouse
from batch_exports.sources.source import Selection
from batch_exports_tests.sources.clickhouse.adapter import address
from batch_exports_tests.sources.events import HOUR, START, minutes
from batch_exports_tests.sources.every_source import rows_of

INSIDE = "at >= {data_interval_start} AND at < {data_interval_end}"
ROWS = "SELECT toString(number) AS id, toDateTime('2026-11-01', 'UTC') + number AS at FROM numbers"


def declared(origin: Table | Query, **types: pa.DataType) -> Selection:
    names = {"id": pa.string(), **types, "at": TIMESTAMP}
    columns = tuple(
        Column(name, type_, "", nullable=name not in ("id", "at")) for name, type_ in names.items()
    )
    model = Model("rows", "", columns, ("id",), ("at",), {}, origin=origin)
    return Selection(model, columns, "at")


@pytest.fixture
def source(clickhouse_server: Server) -> ClickHouse:
    clickhouse_server.run("CREATE DATABASE IF NOT EXISTS shop")
    return ClickHouse(address(clickhouse_server, "shop"), "shop", 1, run_id="a run")


def test_a_query_has_the_bounds_of_its_interval(source: ClickHouse) -> None:
    selection = declared(Query(f"SELECT * FROM ({ROWS}(100)) WHERE {INSIDE}"))
    interval = minutes(0.5, 1)
    found = rows_of(source, selection, interval)
    assert sorted(int(row["id"]) for row in found) == list(range(30, 60))
    assert source.counts(selection, [interval, HOUR, interval]) == [30, 100, 30]


def test_rows_outside_the_interval_are_an_error(source: ClickHouse) -> None:
    """They would be delivered twice, or never."""
    late = INSIDE.replace("at < {", "at <= {")
    selection = declared(Query(f"SELECT * FROM ({ROWS}(100)) WHERE {late}"))
    with pytest.raises(Terminal, match=r"gave 1 rows whose at is outside \["):
        rows_of(source, selection, minutes(0, 1))
    with pytest.raises(Terminal, match=r"gave 1 rows whose at is outside \["):
        source.count(selection, minutes(0, 1))


def test_an_error_amid_the_rows_is_no_short_read(source: ClickHouse) -> None:
    failing = f"SELECT * FROM ({ROWS}(200000)) WHERE throwIf(id = '150000', 'broken') = 0 AND "
    selection = declared(Query(failing + INSIDE))
    read = 0
    with (
        pytest.raises(Terminal, match="broken"),
        source.read(selection, minutes(0, 10_000)) as rows,
    ):
        for batch in rows:
            read += batch.num_rows
    assert read > 0


TYPES: dict[str, tuple[str, pa.DataType, Any]] = {
    "UUID": ("toUUID('019a7f3c-1111-7222-8333-123456789abc')", pa.string(),
             "019a7f3c-1111-7222-8333-123456789abc"),
    "enumeration": ("CAST('b' AS Enum8('a' = 1, 'b' = 2))", pa.string(), "b"),
    "few texts": ("CAST('x' AS LowCardinality(Nullable(String)))", pa.string(), "x"),
    "address": ("toIPv4('192.0.2.1')", pa.string(), "192.0.2.1"),
    "seconds": ("toDateTime('2026-11-01 01:02:03', 'Asia/Tokyo')", TIMESTAMP,
                datetime(2026, 10, 31, 16, 2, 3, tzinfo=UTC)),
    "milliseconds": ("toDateTime64('2026-11-01 01:02:03.004', 3, 'UTC')", TIMESTAMP,
                     datetime(2026, 11, 1, 1, 2, 3, 4000, tzinfo=UTC)),
    "day": ("toDate('2026-11-01')", pa.date32(), date(2026, 11, 1)),
    "far day": ("toDate32('1910-01-02')", pa.date32(), date(1910, 1, 2)),
    "unsigned": ("toUInt64(9223372036854775807)", pa.int64(), 2**63 - 1),
    "decimal": ("toDecimal64('-1.2345', 4)", pa.decimal128(10, 4), Decimal("-1.2345")),
    "whole decimal": ("toInt64(12)", pa.decimal128(20, 1), Decimal("12.0")),
    "document": ("'{\"a\":1.50}'", JSON, {"a": Decimal("1.50")}),
    "list of UUIDs": ("[toUUID('019a7f3c-1111-7222-8333-123456789abc')]", pa.list_(pa.string()),
                      ["019a7f3c-1111-7222-8333-123456789abc"]),
    "truth": ("true", pa.bool_(), True),
    "nothing": ("CAST(NULL AS Nullable(Int64))", pa.int64(), None),
}  # fmt: skip


@pytest.mark.parametrize(("given", "type_", "expected"), TYPES.values(), ids=TYPES)
def test_types(source: ClickHouse, given: str, type_: pa.DataType, expected: Any) -> None:
    query = f"SELECT 'a' AS id, {given} AS value, toDateTime('2026-11-01', 'UTC') AS at WHERE "
    (row,) = rows_of(source, declared(Query(query + INSIDE), value=type_), HOUR)
    assert row == {"id": "a", "value": expected, "at": START}


REFUSED: dict[str, tuple[str, pa.DataType]] = {
    "nanoseconds": ("now64(9)", TIMESTAMP),
    "128 bits": ("toInt128(1)", pa.int64()),
    "too large": ("toUInt64(18446744073709551615)", pa.int64()),
    "a number for text": ("1", pa.string()),
    "text for a number": ("'1'", pa.int64()),
    "a number for truth": ("1", pa.bool_()),
    "a fraction rounded": ("toDecimal64('1.25', 2)", pa.decimal128(10, 1)),
    "a state": ("initializeAggregation('sumState', 1)", pa.int64()),
}


@pytest.mark.parametrize(("given", "type_"), REFUSED.values(), ids=REFUSED)
def test_values_that_would_change(source: ClickHouse, given: str, type_: pa.DataType) -> None:
    query = f"SELECT 'a' AS id, {given} AS value, toDateTime('2026-11-01', 'UTC') AS at WHERE "
    with pytest.raises(Terminal, match="the column 'value' is"):
        rows_of(source, declared(Query(query + INSIDE), value=type_), HOUR)


def test_a_membership_that_is_no_time(source: ClickHouse) -> None:
    selection = declared(Query(f"SELECT 'a' AS id, '2026' AS at, {INSIDE}"))
    with pytest.raises(Terminal, match="membership column 'at' is String"):
        rows_of(source, selection, HOUR)


def test_names_of_tables_and_columns_are_quoted(
    source: ClickHouse, clickhouse_server: Server
) -> None:
    name = 'order`s "\\ {x:Int64}'
    quoted = name.replace("\\", "\\\\").replace("`", "\\`")
    clickhouse_server.run(
        f"CREATE TABLE shop.`{quoted}` (id String, `{quoted}` Int64, at DateTime64(6, 'UTC')) "
        "ENGINE = Memory"
    )
    clickhouse_server.run(
        f"INSERT INTO shop.`{quoted}` SELECT 'a', 7, toDateTime64('2026-11-01', 6, 'UTC')"
    )
    selection = declared(Table(name, "shop"), **{name: pa.int64()})
    assert rows_of(source, selection, HOUR) == [{"id": "a", name: 7, "at": START}]
    assert source.count(selection, HOUR) == 1


def test_a_query_says_whose_it_is(source: ClickHouse, clickhouse_server: Server) -> None:
    selection = declared(Query(f"SELECT * FROM ({ROWS}(5)) WHERE {INSIDE}"))
    limited = ClickHouse(source.server, "shop", 1, {"max_threads": 1}, run_id="a run")
    rows_of(limited, selection, HOUR)
    entry = clickhouse_server.query_log()[-1]
    assert entry.log_comment == (
        '{"source": "shop", "model": "rows", "interval": "[2026-11-01T00:00:00Z, '
        '2026-11-01T01:00:00Z)", "run_id": "a run"}'
    )
    assert entry.settings["max_threads"] == "1"
    assert "{interval_start:Int64}" in entry.query


def test_limits_end_a_query(source: ClickHouse) -> None:
    limited = ClickHouse(source.server, "shop", 1, {"max_rows_to_read": 10})
    with pytest.raises(Terminal, match="code 158") as raised:
        rows_of(limited, declared(Query(f"SELECT * FROM ({ROWS}(500)) WHERE {INSIDE}")), HOUR)
    assert "settings" in raised.value.remedy


def test_a_wrong_login(clickhouse_server: Server) -> None:
    server = address(clickhouse_server, "default")
    wrong = server.__class__(
        server.host, server.port, server.user, "wr0ng", server.database, secure=False
    )
    with pytest.raises(Terminal, match="user") as raised:
        ClickHouse(wrong, "shop", 1).count(declared(Table("one")), HOUR)
    assert "wr0ng" not in str(raised.value) + repr(wrong)


def test_a_table_that_is_not_there(source: ClickHouse) -> None:
    with pytest.raises(Terminal, match="code 60"):
        source.count(declared(Table("nowhere")), HOUR)
