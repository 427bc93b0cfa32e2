"""A source in plain Python: rows that arrive, vanish and change, and what must become of each."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa

from batch_exports.destinations.delivery import KeyReader
from batch_exports.interval import DataInterval
from batch_exports.models import JSON, Projection
from batch_exports_tests.destinations.property.values import Kind, Value, bad, fine, plain

Landed = tuple[Any, ...]
"""Values of a row, or of its key or versions, in the form that `values.comparable` gives."""
Finding = tuple[int, str, str, bytes | None]
"""A row of the table of rejects: interval, action, column, and the original if it is text."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGIN = datetime(2026, 11, 1, 10, tzinfo=UTC)
_HOUR = timedelta(hours=1)
INTERVALS = [DataInterval(_BEGIN + n * _HOUR, _BEGIN + (n + 1) * _HOUR) for n in range(4)]


@dataclass(frozen=True, eq=False)
class SourceRow:
    """One row. Equal rows are not the same one."""

    interval: int
    values: dict[str, Value]

    def rejected(self, policy: str, names: Sequence[str] = ()) -> bool:
        """Whether it is, for one of these columns' sake if any are named."""
        faults = {self.values[name].fault for name in names or self.values}
        return "rejected" in faults or (policy == "reject" and faults != {""})

    def replaced(self, policy: str) -> bool:
        return not self.rejected(policy) and any(v.fault for v in self.values.values())

    def findings(self, policy: str) -> Iterator[Finding]:
        for name, value in self.values.items():
            if value.fault:
                action = "rejected" if policy == "reject" else value.fault
                text = value.sent if isinstance(value.sent, bytes) else None
                yield self.interval, action, name, text

    def sent(self, names: Sequence[str]) -> tuple[Any, ...]:
        return tuple(self.values[name].sent for name in names)

    def landed(self, names: Sequence[str]) -> Landed:
        return tuple(self.values[name].landed for name in names)


@dataclass(frozen=True)
class Draft:
    """A row in numbers, each of which chooses among what a shape has to offer: `look` the values
    beside key and versions, each of `bad` a value that a table cannot hold."""

    interval: int
    key: int
    version: int = 0
    look: int = 0
    bad: tuple[int, ...] = ()


@dataclass(frozen=True)
class Shape:
    """Which rows there are of a model: their keys and versions are among these.

    `kind` is that of the destination. Where it `appends`, rows take no other's place.
    """

    kind: Kind
    projection: Projection = field(repr=False)
    keys: Sequence[tuple[Any, ...]]
    versions: Sequence[tuple[int, ...]] = ((),)
    appends: bool = False

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.projection.columns)

    @property
    def merges(self) -> bool:
        return bool(self.projection.model.versions)

    @property
    def mode(self) -> str:
        if self.appends:
            return "append"
        return "merge" if self.merges else "replace"

    @property
    def by_range(self) -> bool:
        return not self.merges and self.projection.membership_column is not None

    def key_of(self, landed: Landed) -> Landed:
        return tuple(landed[self.names.index(name)] for name in self.projection.model.key)

    def version_of(self, landed: Landed) -> Landed:
        return tuple(landed[self.names.index(name)] for name in self.projection.model.versions)

    def row(self, draft: Draft) -> SourceRow:
        columns = self.projection.columns
        values = {c.name: fine(c, draft.look + n * n, self.kind) for n, c in enumerate(columns)}
        key = self.keys[draft.key % len(self.keys)]
        version = self.versions[draft.version % len(self.versions)]
        model = self.projection.model
        for name, value in zip((*model.key, *model.versions), (*key, *version), strict=True):
            values[name] = plain(value)
        faulty = [(column.name, value) for column in columns for value in bad(column, self.kind)]
        values |= dict(faulty[number % len(faulty)] for number in draft.bad)
        return self.moved(SourceRow(draft.interval, values), draft.interval, draft.look)

    def changed(self, row: SourceRow, draft: Draft) -> SourceRow:
        """Another row in the place of one: it has the same key, and arrived when that did."""
        other = self.row(replace(draft, interval=row.interval))
        kept = {name: row.values[name] for name in self.projection.model.key}
        return SourceRow(row.interval, {**other.values, **kept})

    def moved(self, row: SourceRow, interval: int, moment: int = 0) -> SourceRow:
        """The row as it arrives in an interval, be it at its first or its last moment."""
        name = self.projection.membership_column
        if name is None:
            return SourceRow(interval, row.values)
        start = (INTERVALS[interval].start - _EPOCH) // timedelta(microseconds=1)
        arrival = start + [0, 1, 3_599_999_999][moment % 3]
        return SourceRow(interval, {**row.values, name: plain(arrival)})


@dataclass(frozen=True)
class Source:
    """What it has at the time."""

    shape: Shape
    rows: list[SourceRow] = field(default_factory=list)

    def of(self, interval: int) -> tuple[SourceRow, ...]:
        return tuple(row for row in self.rows if row.interval == interval)

    def read(self, interval: int) -> pa.Table:
        return to_arrow(self.of(interval), self.shape.projection.schema)

    def key_reader(self, interval: int) -> KeyReader:
        projection = self.shape.projection
        schema = pa.schema([projection.schema.field(name) for name in projection.identity])
        return lambda: nullcontext(to_arrow(self.of(interval), schema).to_reader(4))


def to_arrow(rows: Sequence[SourceRow], schema: pa.Schema) -> pa.Table:
    arrays = [_array(f.type, [row.values[f.name].sent for row in rows]) for f in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(type_: pa.DataType, values: list[Any]) -> pa.Array:
    if type_.equals(JSON):
        return pa.ExtensionArray.from_storage(type_, _text(pa.array(values, pa.binary())))
    if pa.types.is_string(type_):
        return _text(pa.array(values, pa.binary()))
    if pa.types.is_list(type_):
        lists = pa.array(values, pa.list_(pa.binary()))
        mask = lists.is_null()
        return pa.ListArray.from_arrays(lists.offsets, _text(lists.values), type_, mask=mask)
    return pa.array(values, type_)


def _text(binary: pa.Array) -> pa.Array:
    return pa.Array.from_buffers(pa.string(), len(binary), binary.buffers())


UUIDS = [*((f"0192e1f0-0000-7000-8000-00000000000{n}",) for n in range(9)), ("key\ufffd",)]
NAMES = [(team, name) for team in (1, 2) for name in ("key", "Key", "", "key\ufffd")]
