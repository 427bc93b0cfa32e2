"""A ClickHouse whose rows are exported: PostHog's models, and what users declare."""

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import TIMESTAMP, Model, Query, Table
from batch_exports.sources.clickhouse import declared
from batch_exports.sources.clickhouse.counting import apart, span
from batch_exports.sources.clickhouse.queries import counting, reading
from batch_exports.sources.clickhouse.server import Connected, Server, Setting
from batch_exports.sources.clickhouse.statement import Statement, Value, bounds, micros
from batch_exports.sources.clickhouse.stream import stream
from batch_exports.sources.description import Description
from batch_exports.sources.membership import without_membership
from batch_exports.sources.projection import project
from batch_exports.sources.source import Selection

Ask: TypeAlias = Callable[[Statement], Generator[pa.RecordBatch, None, None]]


@dataclass(frozen=True)
class ClickHouse:
    """Reads the project `team_id` of a PostHog, and tables and queries of any ClickHouse.

    `name`, `run_id` and `export` stand in the comment that each query has in system.query_log,
    with model and interval. `settings` are ClickHouse's, for each query.
    """

    server: Server
    name: str
    team_id: int
    settings: Mapping[str, Setting] = field(default_factory=dict)
    run_id: str | None = None
    export: str | None = None

    @contextmanager
    def read(
        self, selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatchReader, None, None]:
        """Leaving the block ends the query on the server."""
        with closing(self._projected(selection, interval)) as batches:
            yield pa.RecordBatchReader.from_batches(selection.schema, batches)

    def count(self, selection: Selection, interval: DataInterval) -> int:
        return self.counts(selection, [interval])[0]

    def counts(self, selection: Selection, intervals: Sequence[DataInterval]) -> list[int]:
        """The rows of each interval, by one query for all that do not overlap.

        Filters by properties are applied here: then the filtered columns of each interval are read.
        A declared query has the bounds of one interval, and is counted for each.
        """
        if selection.filters.properties:
            found = {one: self._count_filtered(selection, one) for one in set(intervals)}
        else:
            found = {}
            for group in _groups(selection.model, intervals):
                found |= self._count(selection, group)
        return [found[interval] for interval in intervals]

    def describe(self, selection: Selection, interval: DataInterval) -> Description:
        where = self.where(selection.model)
        bound = {"team_id": self.team_id, **bounds(interval)}
        with self._asking(selection.model, [interval], bound) as ask:
            statement = reading(selection, partial(_described, ask), where)
        return Description(where, str(Statement(statement.text, {**bound, **statement.values})))

    def ask(self, statement: Statement, model: Model, interval: DataInterval) -> pa.Table:
        """What a small query of one's own answers; it may name the values that others do."""
        with self._asking(model, [interval], bounds(interval)) as ask:
            return pa.Table.from_batches(ask(statement))

    def where(self, model: Model) -> str:
        """Whose rows they are, for people to read."""
        return f"{self.server.uri} {model.name}"

    def _projected(
        self, selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatch, None, None]:
        with closing(self._rows(selection, interval)) as batches:
            for batch in batches:
                yield project(batch, selection, self.where(selection.model))

    def _count_filtered(self, selection: Selection, interval: DataInterval) -> int:
        alone = Selection(selection.model, (), selection.membership, selection.filters)
        with closing(self._rows(alone, interval)) as batches:
            return sum(batch.num_rows for batch in batches)

    def _rows(
        self, selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatch, None, None]:
        """The filtered rows, with the source's columns that the selection needs."""
        where = self.where(selection.model)
        with self._asking(selection.model, [interval], bounds(interval)) as ask:
            statement = reading(selection, partial(_described, ask), where)
            with closing(ask(statement)) as batches:
                for batch in batches:
                    if selection.model.origin:
                        _check_members(batch, selection, interval, where)
                    kept = selection.filters.matching(batch)
                    if kept.num_rows:
                        yield kept

    def _count(
        self, selection: Selection, group: Sequence[DataInterval]
    ) -> Mapping[DataInterval, int]:
        where = self.where(selection.model)
        with self._asking(selection.model, group, span(group)) as ask:
            if selection.model.origin:
                types = _described(ask, selection.model.origin)
                declared.needed(selection, types, where)
            table = pa.Table.from_batches(ask(counting(selection)))
        segments, rows = (table.column(name).to_pylist() for name in ("segment", "rows"))
        found = dict(zip(segments, rows, strict=True))
        if without := found.get(None):
            raise without_membership(f"{without} rows", selection.membership, where)
        if outside := found.get(declared.OUTSIDE):
            raise _outside(outside, selection, group[0], where)
        return {interval: found.get(micros(interval.start), 0) for interval in group}

    @contextmanager
    def _asking(
        self, model: Model, intervals: Sequence[DataInterval], values: Mapping[str, Value]
    ) -> Iterator[Ask]:
        """A connection to ask by, with values that all queries may name."""
        first, last = intervals[0], intervals[-1]
        comment = {
            "source": self.name,
            "model": model.name,
            "interval": str(DataInterval(first.start, last.end)),
            "export": self.export,
            "run_id": self.run_id,
        }
        settings = {
            **self.settings,
            "log_comment": json.dumps({name: one for name, one in comment.items() if one}),
        }
        where = self.where(model)

        def ask(
            connected: Connected, statement: Statement
        ) -> Generator[pa.RecordBatch, None, None]:
            bound = {"team_id": self.team_id, **values, **statement.values}
            return stream(connected, Statement(statement.text, bound), settings, where)

        with self.server.connected(where) as connected:
            yield partial(ask, connected)


def _groups(model: Model, intervals: Sequence[DataInterval]) -> list[list[DataInterval]]:
    if isinstance(model.origin, Query):
        return [[interval] for interval in dict.fromkeys(intervals)]
    return apart(intervals)


def _described(ask: Ask, origin: Table | Query) -> dict[str, str]:
    table = pa.Table.from_batches(ask(declared.describe(origin)))
    names, types = (table.column(name).to_pylist() for name in ("name", "type"))
    return dict(zip(names, types, strict=True))


def _check_members(
    batch: pa.RecordBatch, selection: Selection, interval: DataInterval, where: str
) -> None:
    moments = batch.column(selection.membership)
    if moments.null_count:
        raise without_membership(f"{moments.null_count} rows", selection.membership, where)
    inside = pc.and_(
        pc.greater_equal(moments, pa.scalar(interval.start, TIMESTAMP)),
        pc.less(moments, pa.scalar(interval.end, TIMESTAMP)),
    )
    if outside := len(inside) - (pc.sum(inside).as_py() or 0):
        raise _outside(outside, selection, interval, where)


def _outside(rows: int, selection: Selection, interval: DataInterval, where: str) -> Terminal:
    return Terminal(
        f"{where}: the query gave {rows} rows whose {selection.membership} is outside {interval}.",
        remedy="Let it select by {data_interval_start} and {data_interval_end} the rows of the "
        "interval alone.",
    )
