"""ClickHouse gives what every source gives."""

from pathlib import Path

import pytest

from batch_exports.errors import Terminal
from batch_exports.local.clickhouse.server import Server
from batch_exports_tests.sources.clickhouse.adapter import ClickHouseAdapter
from batch_exports_tests.sources.events import HOUR, table
from batch_exports_tests.sources.every_source import parsed, rows_of
from batch_exports_tests.sources.kinds import ALL_KINDS, KINDS, extremes
from batch_exports_tests.sources.suite import ServerSuite


class TestClickHouse(ServerSuite):
    @pytest.fixture
    def adapter(self, clickhouse_server: Server, tmp_path: Path) -> ClickHouseAdapter:
        return ClickHouseAdapter(clickhouse_server, tmp_path)

    def test_a_row_without_a_time_belongs_to_no_interval(self, adapter: ClickHouseAdapter) -> None:
        """Events always have the time of Kafka; rows of other tables may have none."""
        rows = [{**row, "arrived": None} for row in extremes(adapter.unheld)[:2]]
        adapter.lay(KINDS, table(KINDS, [*rows, *extremes(adapter.unheld)[2:4]]))
        with pytest.raises(Terminal, match="2 rows have no arrived"):
            rows_of(adapter.source(), ALL_KINDS, HOUR)
        with pytest.raises(Terminal, match="2 rows have no arrived"):
            adapter.source().count(ALL_KINDS, HOUR)

    def test_values_survive(self, adapter: ClickHouseAdapter) -> None:
        """No Array may be NULL: it is empty."""
        rows = [{**row, "texts": row["texts"] or []} for row in extremes(adapter.unheld)]
        adapter.lay(KINDS, table(KINDS, rows))
        found = {row["id"]: row for row in rows_of(adapter.source(), ALL_KINDS, HOUR)}
        for row in table(KINDS, rows).to_pylist():  # with single floats rounded to such
            read = found.pop(row["id"])
            assert read.pop("json") == parsed(row.pop("json")), row["id"]
            assert repr(read) == repr(row)
        assert not found
