"""How an export's columns fit a table: which are delivered, and what the table can hold of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.table import Table, TableColumn
from batch_exports.destinations.redshift.types import Staged, holds, made_type, staged
from batch_exports.errors import Terminal
from batch_exports.models import Column, Projection
from batch_exports.transform.capabilities import Capabilities, SuperLimits

_INTEGERS = {"smallint": 2**15, "integer": 2**31}
# Parquet is read as Spectrum reads it, whose dates have years of four digits.
_YEARS = (1, 9999)


@dataclass(frozen=True)
class Fit:
    """The columns that go into the table, with how each is staged; `missing` ones have no place in
    it. Rows of an interval lie within its bounds in the `range_column`; None where the table has
    no such column, or rows are merged."""

    columns: tuple[Column, ...]
    stage: tuple[Staged, ...]
    supers: frozenset[str]
    missing: tuple[Column, ...]
    range_column: str | None
    capabilities: Capabilities

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def fit(
    projection: Projection,
    table: Table,
    name: TableName,
    *,
    merge: bool,
    row_bytes: int | None,
    super_limits: SuperLimits,
) -> Fit:
    """`row_bytes` and `super_limits` are those of the way that rows take, and of the cluster.

    Raises `Terminal` for a table that cannot take the export's rows, whatever they hold.
    """
    places = {column.name: table.column(column.name) for column in projection.columns}
    if problems := [*type_problems(projection, table), *_unfilled(projection, table)]:
        raise Terminal(
            f"{name}: {' '.join(problems)}",
            remedy="Change the table, or leave the column out of the export's columns.",
        )
    needed = projection.identity if merge else projection.model.key
    if missing := [column for column in needed if places.get(column) is None]:
        raise Terminal(
            f"{name} has no column {missing[0]!r}, by which rows are told apart.",
            remedy=f"Add it: {_add(projection, name, missing[0])}",
        )
    fitting = [(c, place) for c in projection.columns if (place := places[c.name]) is not None]
    membership = projection.membership_column
    return Fit(
        tuple(column for column, _ in fitting),
        tuple(staged(column, place.type) for column, place in fitting),
        frozenset(place.name for _, place in fitting if place.type == "super"),
        tuple(column for column in projection.columns if places[column.name] is None),
        membership if not merge and membership and table.column(membership) else None,
        _capabilities([place for _, place in fitting], row_bytes, super_limits),
    )


def type_problems(projection: Projection, table: Table) -> list[str]:
    """In words, each column whose type would change values."""
    return [
        f"The column {column.name!r} is {place.shown}, which cannot hold {made_type(column)}."
        for column in projection.columns
        if (place := table.column(column.name)) and not holds(place.type, column)
    ]


def _unfilled(projection: Projection, table: Table) -> list[str]:
    delivered = {column.name for column in projection.columns}
    return [
        f"The column {place.name!r} takes no NULL and has no default, and is not exported."
        for place in table.columns
        if place.required and not place.filled and place.name not in delivered
    ]


def _capabilities(
    places: Sequence[TableColumn], row_bytes: int | None, super_limits: SuperLimits
) -> Capabilities:
    return Capabilities(
        parses_json=True,
        holds_nul=False,
        years=_YEARS,
        bytes={p.name: p.length for p in places if p.length is not None},
        supers={p.name: super_limits for p in places if p.type == "super"},
        integers={
            p.name: (-_INTEGERS[p.type], _INTEGERS[p.type] - 1)
            for p in places
            if p.type in _INTEGERS
        },
        decimals={
            p.name: (p.precision, p.scale)
            for p in places
            if p.type == "numeric" and p.precision is not None and p.scale is not None
        },
        required=frozenset(place.name for place in places if place.required),
        row_bytes=row_bytes,
    )


def _add(projection: Projection, name: TableName, missing: str) -> str:
    column = next(column for column in projection.columns if column.name == missing)
    return f'ALTER TABLE {name} ADD COLUMN "{missing}" {made_type(column)};'
