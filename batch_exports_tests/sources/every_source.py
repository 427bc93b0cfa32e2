"""What every source must pass, whatever its rows are and wherever they come from.

A source whose rows can be laid freely passes more, `suite.py`, which has all of this.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import pytest

from batch_exports.errors import Transient
from batch_exports.interval import DataInterval
from batch_exports.sources.source import Selection, Source
from batch_exports_tests.faults.proxy import FaultProxy
from batch_exports_tests.faults.rules import TcpFault
from batch_exports_tests.sources.events import HOUR, day


class AnyAdapter(Protocol):
    """What the tests must know of a source. Each test gets a fresh one, with nothing laid."""

    def lay_rows(self, rows: Mapping[DataInterval, int]) -> Selection:
        """Let the source have so many rows in each of these intervals, which are in order, and none
        elsewhere; where rows have times of their own, these are the interval's `moments`. A
        selection of all its columns."""
        ...

    def lay_much(self) -> Selection:
        """Let the source have more rows in `HOUR` than it gives at once; a server, more than it
        sends before anybody reads, and 8 MiB at least."""
        ...

    def source(self) -> Source: ...

    def held(self) -> Sequence[str] | None:
        """What the source has open at this moment, in whatever words; None where none can see."""
        ...


class AnyServerAdapter(AnyAdapter, Protocol):
    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens."""
        ...

    def source(self, port: int | None = None) -> "CountingSource":
        """`port` is that of a proxy on 127.0.0.1 to go through."""
        ...


@runtime_checkable
class CountingSource(Source, Protocol):
    """One that counts many intervals at once."""

    def counts(self, selection: Selection, intervals: Sequence[DataInterval]) -> list[int]: ...


# Days around those on which clocks change in Berlin, of 23 hours and of 25, and rows for each.
DAYS = {
    day(2026, 3, 28): 2,
    day(2026, 3, 29): 3,
    day(2026, 3, 30): 0,
    day(2026, 10, 24): 0,
    day(2026, 10, 25): 5,
    day(2026, 10, 26): 2,
}


class EverySource:
    """Subclasses override the fixture `adapter`."""

    @pytest.fixture
    def adapter(self) -> AnyAdapter:
        raise NotImplementedError

    def test_each_row_is_read_and_counted_in_one_interval(self, adapter: AnyAdapter) -> None:
        """That of its time: rows lie at the very start of days, and right before their end. An
        interval without rows has the columns."""
        selection = adapter.lay_rows(DAYS)
        source, expected = adapter.source(), list(DAYS.values())
        read = {interval: rows_of(source, selection, interval) for interval in DAYS}
        assert [len(rows) for rows in read.values()] == expected
        assert [source.count(selection, interval) for interval in DAYS] == expected
        by_key(selection, [row for rows in read.values() for row in rows])
        if when := selection.membership_column:
            for interval, rows in read.items():
                assert all(interval.start <= row[when] < interval.end for row in rows)
        if isinstance(source, CountingSource):
            many = [*reversed(DAYS), *DAYS]
            assert source.counts(selection, many) == expected[::-1] + expected
            assert source.counts(selection, []) == []

    def test_a_read_again_has_the_same_rows(self, adapter: AnyAdapter) -> None:
        """With the columns in whatever order, and with keys alone."""
        selection = adapter.lay_rows({HOUR: 5})
        source = adapter.source()
        first = by_key(selection, rows_of(source, selection, HOUR))
        assert by_key(selection, rows_of(source, selection, HOUR)) == first
        turned = Selection(selection.model, selection.columns[::-1], selection.membership)
        assert by_key(selection, rows_of(source, turned, HOUR)) == first
        keys = by_key(selection, rows_of(source, selection.keys_alone, HOUR))
        assert keys.keys() == first.keys()
        assert len(first) == 5

    def test_leaving_early_frees_what_was_held(self, adapter: AnyAdapter) -> None:
        """In peace, and by an error of whoever reads, which stays what it is."""
        selection = adapter.lay_much()
        source = adapter.source()
        with source.read(selection, HOUR) as rows:
            assert rows.read_next_batch().num_rows
            assert adapter.held() != []
        assert_freed(adapter)
        with pytest.raises(ZeroDivisionError), source.read(selection, HOUR) as rows:
            assert rows.read_next_batch().num_rows // 0
        assert_freed(adapter)


class EveryServer(EverySource):
    """What holds besides where a server sends the rows by a connection of its own."""

    @pytest.fixture
    def adapter(self) -> AnyServerAdapter:
        raise NotImplementedError

    def test_a_lost_connection_may_be_tried_again(self, adapter: AnyServerAdapter) -> None:
        """Halfway through the rows, which never look like all there are."""
        selection = adapter.lay_much()
        ways: tuple[Literal["reset", "close"], ...] = ("reset", "close")
        for do in ways:
            with FaultProxy(target=adapter.address) as proxy:
                lost = proxy.add(TcpFault(direction="down", do=do, after=4 * 2**20))
                with pytest.raises(Transient):
                    rows_of(adapter.source(proxy.port), selection, HOUR)
            assert lost.hits == 1
            assert_freed(adapter)

    def test_a_server_that_is_away_may_be_back(self, adapter: AnyServerAdapter) -> None:
        selection = adapter.lay_rows({HOUR: 1})
        with FaultProxy(target=adapter.address) as proxy:
            port = proxy.port
        with pytest.raises(Transient):
            rows_of(adapter.source(port), selection, HOUR)
        with pytest.raises(Transient):
            adapter.source(port).count(selection, HOUR)


def rows_of(source: Source, selection: Selection, interval: DataInterval) -> list[dict[str, Any]]:
    """What a read gives, in the selection's schema, with JSON as its values."""
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


def by_key(selection: Selection, rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """Rows by what tells them apart; no two have that in common."""
    found = {tuple(row[name] for name in selection.identity): row for row in rows}
    assert len(found) == len(rows)
    return found


def files_of(folder: Path) -> list[str]:
    """The files that this process has open in a folder, deleted ones as well."""
    return [path for path in _open_files() if path.startswith(f"{folder}/")]


def _open_files() -> Iterator[str]:
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            yield str(descriptor.readlink())
        except FileNotFoundError:  # it was the one that listed them
            continue


def assert_freed(adapter: AnyAdapter) -> None:
    deadline = time.monotonic() + 10
    while left := adapter.held():
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
