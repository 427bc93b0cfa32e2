"""What ClickHouse offers: PostHog's tables, and what users declare."""

import pyarrow as pa

from batch_exports.drift.source_columns import source_columns
from batch_exports.local.clickhouse.server import Server
from batch_exports.models import TIMESTAMP, Column, Model, Query
from batch_exports.sources.clickhouse import ClickHouse
from batch_exports.sources.found_columns import FoundColumn
from batch_exports.sources.source import Selection
from batch_exports_tests.sources.clickhouse.adapter import address
from batch_exports_tests.sources.events import HOUR, select

_EVENTS = (
    "CREATE TABLE offered.events (uuid UUID, plain LowCardinality(String), "
    "`mat_$os` String DEFAULT '', os String MATERIALIZED '') ENGINE = Memory"
)


def test_what_posthog_makes_of_properties_is_no_column(clickhouse_server: Server) -> None:
    """PostHog adds such columns while it runs: `_materialized_column_name` of
    https://github.com/PostHog/posthog/blob/master/ee/clickhouse/materialized_columns/columns.py"""
    clickhouse_server.run("CREATE DATABASE offered")
    clickhouse_server.run(_EVENTS)
    source = ClickHouse(address(clickhouse_server, "offered"), "posthog", 1)
    found = source_columns(source, select(), HOUR)
    assert found
    assert found.columns == (
        FoundColumn("uuid", "UUID"),
        FoundColumn("plain", "LowCardinality(String)"),
    )


def test_columns_of_a_query(clickhouse_server: Server) -> None:
    query = Query("SELECT CAST('a' AS Nullable(String)) AS id, {data_interval_start} AS at")
    columns = (Column("id", pa.string(), ""), Column("at", TIMESTAMP, ""))
    model = Model("rows", "", columns, ("id",), ("at",), {}, origin=query)
    source = ClickHouse(address(clickhouse_server, "default"), "any", 1)
    found = source_columns(source, Selection(model, columns, "at"), HOUR)
    assert found
    assert [column.name for column in found.columns] == ["id", "at"]
    assert found.columns[0].type == "Nullable(String)"
