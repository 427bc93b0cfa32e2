"""How an export's columns fit a table: which are delivered, and what the table can hold of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from batch_exports.destinations.existing_table import check_columns
from batch_exports.destinations.postgres.table import Table, TableColumn, TableName
from batch_exports.destinations.postgres.types import holds, made_type, rounds
from batch_exports.errors import Terminal
from batch_exports.models import Column, Projection
from batch_exports.transform.capabilities import Capabilities

_INTEGERS = {"int2": 2**15, "int4": 2**31}
# 4714-11-24 BC, in years as astronomers count them; the end lies beyond Arrow's.
_YEARS = (-4712, 294_276)
# A row is put together in one piece of memory, which may have 1 GiB at the most (MaxAllocSize).
_ROW_BYTES = 2**30 - 2**20


@dataclass(frozen=True)
class Fit:
    """The columns that go into the table, with the `typname` of each; `missing` ones have no
    place in it. Rows of an interval lie within its bounds in the `range_column`; None where the
    table has no such column."""

    columns: tuple[Column, ...]
    types: tuple[str, ...]
    missing: tuple[Column, ...]
    range_column: str | None
    capabilities: Capabilities

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def fit(projection: Projection, table: Table, name: TableName, *, merge: bool) -> Fit:
    """Raises `Terminal` for a table that cannot take the export's rows, whatever they hold."""
    places = {column.name: table.column(column.name) for column in projection.columns}
    check_columns(
        projection,
        table,
        name,
        type_problems=type_problems(projection, table),
        needed=projection.identity if merge else projection.model.key,
        made_type=made_type,
    )
    if merge and not any(index == set(projection.model.key) for index in table.unique):
        key = ", ".join(f'"{column}"' for column in projection.model.key)
        raise Terminal(
            f"{name} has no unique index on ({key}), which merging needs.",
            remedy=f"Add one: ALTER TABLE {name} ADD PRIMARY KEY ({key});",
        )
    fitting = [(c, place) for c in projection.columns if (place := places[c.name]) is not None]
    return Fit(
        tuple(column for column, _ in fitting),
        tuple(place.type for _, place in fitting),
        tuple(column for column in projection.columns if places[column.name] is None),
        _range_column(projection, table) if not merge else None,
        _capabilities([place for _, place in fitting]),
    )


def _range_column(projection: Projection, table: Table) -> str | None:
    name = projection.membership_column
    return name if name and table.column(name) else None


def type_problems(projection: Projection, table: Table) -> list[str]:
    """In words, each column whose type would change values."""
    problems = []
    for column in projection.columns:
        place = table.column(column.name)
        if place is None:
            continue
        if not holds(place.type, column.type) or (
            place.type == "numeric" and rounds(place.length, column.type)
        ):
            problems.append(
                f"The column {column.name!r} is {place.shown}, which cannot hold "
                f"{made_type(column)}."
            )
        elif place.type == "timestamptz" and place.length not in (None, 6):
            problems.append(f"The column {column.name!r} is {place.shown}: it cuts microseconds.")
    return problems


def _capabilities(places: Sequence[TableColumn]) -> Capabilities:
    texts = ("varchar", "_varchar")
    return Capabilities(
        parses_json=True,
        jsonb=any(place.type == "jsonb" for place in places),
        holds_nul=False,
        years=_YEARS,
        characters={p.name: p.length for p in places if p.type in texts and p.length is not None},
        integers={
            p.name: (-_INTEGERS[p.type], _INTEGERS[p.type] - 1)
            for p in places
            if p.type in _INTEGERS
        },
        row_bytes=_ROW_BYTES,
        required=frozenset(place.name for place in places if place.required),
    )
