"""What every source must pass. A new one needs an adapter, and a subclass of a suite.

`Suite` is for all sources; `ServerSuite` adds what holds where a server answers queries.
"""

import json
import time
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol

import pyarrow as pa
import pytest

from batch_exports.errors import Terminal, Transient
from batch_exports.interval import DataInterval
from batch_exports.models import EVENTS, Model
from batch_exports.sources.source import Selection, Source
from batch_exports.transform.filters import PropertyFilter, RowFilter
from batch_exports_tests.faults.proxy import FaultProxy
from batch_exports_tests.faults.rules import TcpFault
from batch_exports_tests.sources.events import (
    HOUR,
    NAMES,
    START,
    TICK,
    day,
    event,
    large,
    minutes,
    select,
    table,
)
from batch_exports_tests.sources.kinds import ALL_KINDS, KINDS, extremes


class Adapter(Protocol):
    """What the suite must know of a source. Each test gets a fresh one, with nothing laid."""

    @property
    def unheld(self) -> frozenset[str]:
        """Names of the `EXTREMES` that the store itself cannot hold."""
        ...

    def lay(self, model: Model, rows: pa.Table) -> None:
        """Store rows as the source is to find them. Columns have the source's names and the
        model's types, JSON as text; those that are missing are so in the store too. A model with
        an `origin` gets a table of its name; values are stored as they are, or it fails."""
        ...

    def source(self) -> Source: ...


class ServerSource(Source, Protocol):
    def counts(self, selection: Selection, intervals: Sequence[DataInterval]) -> list[int]: ...


class ServerAdapter(Adapter, Protocol):
    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens."""
        ...

    def source(self, port: int | None = None) -> ServerSource:
        """`port` is that of a proxy on 127.0.0.1 to go through."""
        ...

    def running(self) -> list[str]:
        """What the server does at this moment for sessions of the source, in whatever words."""
        ...


MEMBERSHIP = {
    "an hour": HOUR,
    "a day of 23 hours": day(2026, 3, 29),
    "a day of 25 hours": day(2026, 10, 25),
}
FILTERS: dict[str, tuple[RowFilter, list[int]]] = {
    "include": (RowFilter(include_events=("click", "none such")), [1, 6]),
    "exclude": (RowFilter(exclude_events=("click", "$pageview")), [2, 3, 4, 7, 8, 9]),
    "both": (RowFilter(include_events=NAMES[:3], exclude_events=("Click",)), [0, 1, 5, 6]),
    "unicode": (RowFilter(include_events=("signed up é",)), [4, 9]),
    "quotes": (RowFilter(include_events=("'; --", '"', "\\", "%s", "{a}")), []),
    "property": (RowFilter(properties=(PropertyFilter("n", "event", "gt", 6),)), [7, 8, 9]),
    "of the person": (
        RowFilter(properties=(PropertyFilter("plan", "person", "exact", "pro"),)),
        [0, 2, 4, 6, 8],
    ),
    "all": (
        RowFilter(
            include_events=("click", "Click"),
            exclude_events=("none such",),
            properties=(
                PropertyFilter("n", "event", "lt", 7),
                PropertyFilter("text", "event", "icontains", "É\n"),
            ),
        ),
        [1, 2, 6],
    ),
}


class Suite:
    """Subclasses override the fixture `adapter`."""

    @pytest.fixture
    def adapter(self) -> Adapter:
        raise NotImplementedError

    @pytest.mark.parametrize("interval", MEMBERSHIP.values(), ids=MEMBERSHIP)
    def test_an_interval_has_its_start_and_not_its_end(
        self, adapter: Adapter, interval: DataInterval
    ) -> None:
        moments = (
            interval.start - TICK,
            interval.start,
            interval.start + (interval.end - interval.start) / 2,
            interval.end - TICK,
            interval.end,
        )
        rows = [event(number, inserted_at=moment) for number, moment in enumerate(moments)]
        adapter.lay(EVENTS, table(EVENTS, rows))
        assert_read(adapter.source(), select(), interval, [1, 2, 3])

    @pytest.mark.parametrize(("filters", "expected"), FILTERS.values(), ids=FILTERS)
    def test_filters(self, adapter: Adapter, filters: RowFilter, expected: list[int]) -> None:
        adapter.lay(EVENTS, table(EVENTS, map(event, range(12))))
        assert_read(adapter.source(), select(filters=filters), minutes(0, 10), expected)

    def test_an_empty_interval_has_the_columns(self, adapter: Adapter) -> None:
        adapter.lay(EVENTS, table(EVENTS, map(event, range(3))))
        selection = select("uuid", "properties")
        with adapter.source().read(selection, minutes(10, 20)) as rows:
            assert rows.schema == selection.schema
            assert rows.read_all().num_rows == 0
        assert adapter.source().count(selection, minutes(10, 20)) == 0

    def test_columns_come_as_they_are_selected(self, adapter: Adapter) -> None:
        """In their order, under their own names, and taken out of others where need be."""
        adapter.lay(EVENTS, table(EVENTS, [event(3)]))
        selection = select("ip", "_inserted_at", "set", "uuid", "properties", "timestamp", "event")
        (row,) = rows_of(adapter.source(), selection, HOUR)
        given = event(3)
        assert list(row) == [column.name for column in selection.columns]
        assert row == {
            "ip": "::3",
            "_inserted_at": START + timedelta(minutes=3),
            "set": {"plan": "pro"},
            "uuid": given["uuid"],
            "properties": json.loads(given["properties"]),
            "timestamp": given["timestamp"],
            "event": given["event"],
        }

    def test_another_column_may_place_rows(self, adapter: Adapter) -> None:
        adapter.lay(EVENTS, table(EVENTS, map(event, range(100))))
        selection = select(membership="timestamp")
        assert_read(adapter.source(), selection, minutes(0, 5), range(90, 95))

    def test_a_row_without_a_time_belongs_to_no_interval(self, adapter: Adapter) -> None:
        adapter.lay(EVENTS, table(EVENTS, [event(0), event(1, inserted_at=None)]))
        with pytest.raises(Terminal, match="no inserted_at"):
            rows_of(adapter.source(), select(), HOUR)
        with pytest.raises(Terminal, match="no inserted_at"):
            adapter.source().count(select(), HOUR)

    def test_a_column_that_is_missing_is_named(self, adapter: Adapter) -> None:
        adapter.lay(KINDS, table(KINDS, extremes(adapter.unheld)).drop_columns(["moment"]))
        with pytest.raises(Terminal, match="no column 'moment'") as refused:
            rows_of(adapter.source(), ALL_KINDS, HOUR)
        assert "arrived" in refused.value.remedy

    def test_values_survive(self, adapter: Adapter) -> None:
        rows = extremes(adapter.unheld)
        adapter.lay(KINDS, table(KINDS, rows))
        found = {row["id"]: row for row in rows_of(adapter.source(), ALL_KINDS, HOUR)}
        for row in table(KINDS, rows).to_pylist():  # with single floats rounded to such
            read = found.pop(row["id"])
            assert read.pop("json") == parsed(row.pop("json")), row["id"]
            # Their representation tells -0.0 and NaN.
            assert repr(read) == repr(row)
        assert not found


class ServerSuite(Suite):
    """What holds for a server besides."""

    @pytest.fixture
    def adapter(self) -> ServerAdapter:
        raise NotImplementedError

    @pytest.mark.parametrize("name", ["include", "property"])
    def test_many_intervals_are_counted_as_one_by_one(
        self, adapter: ServerAdapter, name: str
    ) -> None:
        """Whether they touch, overlap, lie apart, are repeated, or have no row."""
        adapter.lay(EVENTS, table(EVENTS, map(event, range(40))))
        bounds = [(20, 25), (0, 5), (5, 10), (0, 40), (22, 30), (500, 501), (0, 5), (-9, 0)]
        intervals = [minutes(*each) for each in bounds]
        selection = select(filters=FILTERS[name][0])
        source = adapter.source()
        counts = source.counts(selection, intervals)
        assert counts == [source.count(selection, interval) for interval in intervals]
        assert counts == [len(rows_of(source, selection, interval)) for interval in intervals]
        assert counts[3] > 0
        assert source.counts(selection, []) == []

    def test_the_query_is_told_with_its_bounds(self, adapter: ServerAdapter) -> None:
        adapter.lay(EVENTS, table(EVENTS, map(event, range(3))))
        told = adapter.source().describe(select(filters=FILTERS["include"][0]), HOUR)
        assert told.query
        assert "none such" in told.query
        micros = int(HOUR.end.timestamp() * 1_000_000)
        assert f"{HOUR.end:%Y-%m-%d %H:%M}" in told.query or str(micros) in told.query
        assert told.uncounted is None

    def test_leaving_early_ends_the_query(self, adapter: ServerAdapter) -> None:
        """In peace, and by an error of whoever reads."""
        adapter.lay(EVENTS, large(20_000))
        selection = select("uuid", "properties")
        with adapter.source().read(selection, HOUR) as rows:
            assert rows.read_next_batch().num_rows
            assert adapter.running()
        assert_idle(adapter)
        with pytest.raises(ZeroDivisionError), adapter.source().read(selection, HOUR) as rows:
            assert rows.read_next_batch().num_rows // 0
        assert_idle(adapter)

    def test_a_lost_connection_may_be_tried_again(self, adapter: ServerAdapter) -> None:
        """Halfway through the rows, which never look like all there are."""
        adapter.lay(EVENTS, large(20_000))
        ways: tuple[Literal["reset", "close"], ...] = ("reset", "close")
        for do in ways:
            with FaultProxy(target=adapter.address) as proxy:
                lost = proxy.add(TcpFault(direction="down", do=do, after=4 * 2**20))
                with pytest.raises(Transient):
                    rows_of(adapter.source(proxy.port), select("uuid", "properties"), HOUR)
            assert lost.hits == 1
            assert_idle(adapter)

    def test_a_server_that_is_away_may_be_back(self, adapter: ServerAdapter) -> None:
        with FaultProxy(target=adapter.address) as proxy:
            port = proxy.port
        with pytest.raises(Transient):
            rows_of(adapter.source(port), select(), HOUR)


def rows_of(source: Source, selection: Selection, interval: DataInterval) -> list[dict[str, Any]]:
    """What a read gives, with JSON as its values."""
    with source.read(selection, interval) as rows:
        assert rows.schema == selection.schema
        found = rows.read_all()
    json_columns = {column.name for column in selection.columns if column.is_json}
    return [
        {name: parsed(value) if name in json_columns else value for name, value in row.items()}
        for row in found.to_pylist()
    ]


def parsed(text: str | None) -> Any:
    """JSON's values, numbers with every digit, whatever their spelling."""
    if text is None:
        return None
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def assert_read(
    source: Source, selection: Selection, interval: DataInterval, expected: Sequence[int]
) -> None:
    """The events of those numbers are read, and as many are counted."""
    found = sorted(row["uuid"] for row in rows_of(source, selection, interval))
    assert found == sorted(event(number)["uuid"] for number in expected)
    assert source.count(selection, interval) == len(expected)


def assert_idle(adapter: ServerAdapter) -> None:
    deadline = time.monotonic() + 10
    while left := adapter.running():
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
