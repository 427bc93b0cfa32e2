"""The ways that rows take into a table, and what each must leave there."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

import pyarrow as pa

from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.interval import DataInterval
from batch_exports.models import PERSONS, Projection
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, Row, make_rows, read_json

KEYED = replace(PROJECTION, columns=tuple(c for c in PROJECTION.columns if c.name[0] != "_"))
MERGED = Projection(PERSONS, PERSONS.select((), "postgres"), "inserted_at")
_NOT_JSON = '{"cut": "of'


@dataclass(frozen=True)
class Way:
    """One way: whether the table tells intervals by a range, by keys, or merges them."""

    name: str
    projection: Projection
    mode: WriteMode = "replace"
    rerun: bool = False
    """The interval was delivered before, and its neighbour has rows of the same keys."""
    parallelism: int = 1

    def __str__(self) -> str:
        return f"{self.name}-{self.parallelism}"

    def with_connections(self, count: int) -> "Way":
        return replace(self, parallelism=count)

    def rows(
        self,
        numbers: Iterable[int],
        version: Callable[[int], int],
        interval: DataInterval = HOUR,
    ) -> pa.Table:
        """A row of 2 KB for each number, its key; each 20th cannot be held, and is rejected."""
        numbers = list(numbers)
        properties = [
            _NOT_JSON if n % 20 == 19 else json.dumps({"version": version(n), "text": "x" * 2000})
            for n in numbers
        ]
        if self.projection.model is PERSONS:
            return _persons(numbers, version, properties, interval)
        labels = [f"version {version(n)}" for n in numbers]
        columns = {"properties": properties, "event": labels}
        return make_rows(numbers, interval, columns=columns).select(self.projection.schema.names)

    def result(self, earlier: list[Row], neighbour: list[Row], latest: list[Row]) -> list[Row]:
        """What is there once the interval's `latest` rows came after its `earlier` ones."""
        match self.mode:
            case "replace":
                return self.in_order([*neighbour, *latest])
            case "append":
                return self.in_order([*earlier, *neighbour, *latest])
        versions = self.projection.model.versions
        rows = sorted([*earlier, *neighbour, *latest], key=lambda r: [r[v] for v in versions])
        return self.in_order({self._key(row): row for row in rows}.values())

    def in_order(self, rows: Iterable[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: (self._key(row), str(row["properties"])))

    def _key(self, row: Row) -> str:
        return str([row[name] for name in self.projection.model.key])


RANGE = Way("range", PROJECTION, rerun=True)
FIRST = Way("first", KEYED)
KEY = Way("key", KEYED, rerun=True)
MERGE = Way("merge", MERGED, "merge", rerun=True)
APPEND = Way("append", PROJECTION, "append")
_ONE_CONNECTION = (RANGE, FIRST, KEY, MERGE, APPEND)
WAYS = (*_ONE_CONNECTION, *(way.with_connections(2) for way in _ONE_CONNECTION))
# Where a test takes long: each way once, with as many connections as lead to another place.
FEW_WAYS = (RANGE, FIRST, KEY.with_connections(2), MERGE, APPEND.with_connections(2))


def held(rows: pa.Table) -> list[Row]:
    """Those that a table can hold, with their JSON read."""
    names = [field.name for field in rows.schema if field.type.equals(pa.json_())]
    plain = [row for row in rows.to_pylist() if row["properties"] != _NOT_JSON]
    return [
        {name: read_json(v) if name in names and v is not None else v for name, v in row.items()}
        for row in plain
    ]


def _persons(
    numbers: list[int],
    version: Callable[[int], int],
    properties: list[str],
    interval: DataInterval,
) -> pa.Table:
    columns = {
        "team_id": [2] * len(numbers),
        "distinct_id": [f"user {n}" for n in numbers],
        "person_id": [f"person {n % 7}" for n in numbers],
        "properties": properties,
        "person_distinct_id_version": [1] * len(numbers),
        "person_version": [version(n) for n in numbers],
        "created_at": [interval.start + timedelta(seconds=n) for n in numbers],
    }
    arrays = [
        pa.ExtensionArray.from_storage(f.type, pa.array(columns[f.name], pa.string()))
        if f.type.equals(pa.json_())
        else pa.array(columns[f.name], f.type)
        for f in MERGED.schema
    ]
    return pa.Table.from_arrays(arrays, schema=MERGED.schema)
