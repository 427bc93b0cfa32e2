"""What a source must pass whose rows can be laid freely: all that `every_source.py` has, and more.
A new one needs an adapter, and a subclass of a suite.

`ServerSuite` adds what holds where a server answers queries.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import pyarrow as pa
import pytest

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import EVENTS, Model
from batch_exports.sources.source import Selection, Source
from batch_exports.transform.filters import PropertyFilter, RowFilter
from batch_exports_tests.sources.events import (
    HOUR,
    NAMES,
    START,
    event,
    minutes,
    select,
    table,
)
from batch_exports_tests.sources.every_source import (
    AnyAdapter,
    AnyServerAdapter,
    EveryServer,
    EverySource,
    parsed,
    rows_of,
)
from batch_exports_tests.sources.kinds import ALL_KINDS, KINDS, extremes


class Adapter(AnyAdapter, Protocol):
    """What the suite must know of a source besides."""

    @property
    def unheld(self) -> frozenset[str]:
        """Names of the `EXTREMES` that the store itself cannot hold."""
        ...

    def lay(self, model: Model, rows: pa.Table) -> None:
        """Store rows as the source is to find them. Columns have the source's names and the
        model's types, JSON as text; those that are missing are so in the store too. A model with
        an `origin` gets a table of its name; values are stored as they are, or it fails."""
        ...


class ServerAdapter(Adapter, AnyServerAdapter, Protocol): ...


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


class Suite(EverySource):
    """Subclasses override the fixture `adapter`."""

    @pytest.fixture
    def adapter(self) -> Adapter:
        raise NotImplementedError

    @pytest.mark.parametrize(("filters", "expected"), FILTERS.values(), ids=FILTERS)
    def test_filters(self, adapter: Adapter, filters: RowFilter, expected: list[int]) -> None:
        adapter.lay(EVENTS, table(EVENTS, map(event, range(12))))
        assert_read(adapter.source(), select(filters=filters), minutes(0, 10), expected)

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


class ServerSuite(Suite, EveryServer):
    """What holds for a server besides."""

    @pytest.fixture
    def adapter(self) -> ServerAdapter:
        raise NotImplementedError

    def test_many_intervals_are_counted_as_one_by_one(self, adapter: ServerAdapter) -> None:
        """Also where they overlap, lie far apart, and by what filters leave."""
        adapter.lay(EVENTS, table(EVENTS, map(event, range(40))))
        bounds = [(20, 25), (0, 5), (0, 40), (22, 30), (500, 501), (-9, 0)]
        intervals = [minutes(*each) for each in bounds]
        selection = select(filters=FILTERS["all"][0])
        source = adapter.source()
        counts = source.counts(selection, intervals)
        assert counts == [len(rows_of(source, selection, interval)) for interval in intervals]
        assert counts[2] > 0

    def test_the_query_is_told_with_its_bounds(self, adapter: ServerAdapter) -> None:
        adapter.lay(EVENTS, table(EVENTS, map(event, range(3))))
        told = adapter.source().describe(select(filters=FILTERS["include"][0]), HOUR)
        assert told.query
        assert "none such" in told.query
        micros = int(HOUR.end.timestamp() * 1_000_000)
        assert f"{HOUR.end:%Y-%m-%d %H:%M}" in told.query or str(micros) in told.query
        assert told.uncounted is None


def assert_read(
    source: Source, selection: Selection, interval: DataInterval, expected: Sequence[int]
) -> None:
    """The events of those numbers are read, and as many are counted."""
    found = sorted(row["uuid"] for row in rows_of(source, selection, interval))
    assert found == sorted(event(number)["uuid"] for number in expected)
    assert source.count(selection, interval) == len(expected)
