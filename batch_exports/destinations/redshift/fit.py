"""How an export's columns fit a table: which are delivered, and what the table can hold of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from batch_exports.destinations.existing_table import check_columns
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.table import Table, TableColumn
from batch_exports.destinations.redshift.types import Staged, holds, made_type, staged
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
    check_fit(projection, table, name, merge=merge)
    fitting = [(c, place) for c in projection.columns if (place := places[c.name]) is not None]
    return Fit(
        tuple(column for column, _ in fitting),
        tuple(staged(column, place.type) for column, place in fitting),
        frozenset(place.name for _, place in fitting if place.type == "super"),
        tuple(column for column in projection.columns if places[column.name] is None),
        None if merge else range_column(projection, table),
        _capabilities([place for _, place in fitting], row_bytes, super_limits),
    )


def check_fit(projection: Projection, table: Table, name: TableName, *, merge: bool) -> None:
    """Raises `Terminal` as `fit` does."""
    check_columns(
        projection,
        table,
        name,
        type_problems=type_problems(projection, table),
        needed=projection.identity if merge else projection.model.key,
        made_type=made_type,
    )


def range_column(projection: Projection, table: Table) -> str | None:
    """The membership column, by which rows of an interval are found, if the table has it."""
    name = projection.membership_column
    return name if name and table.column(name) else None


def type_problems(projection: Projection, table: Table) -> list[str]:
    """In words, each column whose type would change values."""
    return [
        f"The column {column.name!r} is {place.shown}, which cannot hold {made_type(column)}."
        for column in projection.columns
        if (place := table.column(column.name)) and not holds(place.type, column)
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
