"""An export's columns beside those of a table that is there, whichever database describes it."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from batch_exports.destinations.delivery import LandedColumns
from batch_exports.errors import Terminal
from batch_exports.models import Column, Projection

OnMissingColumn = Literal["ignore", "fail", "add"]


class ExistingColumn(Protocol):
    """`shown` is its type as in SQL; one that is `required` takes no NULL, and one that is
    `filled` has a value of its own where none is given."""

    @property
    def name(self) -> str: ...

    @property
    def shown(self) -> str: ...

    @property
    def required(self) -> bool: ...

    @property
    def filled(self) -> bool: ...


class ExistingTable(Protocol):
    @property
    def columns(self) -> Sequence[ExistingColumn]: ...

    def column(self, name: str) -> ExistingColumn | None: ...


def columns_to_add(
    projection: Projection, table: ExistingTable, name: object, on_missing_column: OnMissingColumn
) -> list[Column]:
    """Columns that the table lacks and is to get. Raises `Terminal` for one that is to `fail`."""
    missing = [column for column in projection.columns if table.column(column.name) is None]
    if missing and on_missing_column == "fail":
        raise Terminal(
            f"{name} has no column {missing[0].name!r}.",
            remedy="Add it, leave it out of the export's columns, or set on_missing_column.",
        )
    return missing if on_missing_column == "add" else []


def check_columns(
    projection: Projection,
    table: ExistingTable,
    name: object,
    *,
    type_problems: Sequence[str],
    needed: Sequence[str],
    made_type: Callable[[Column], str],
) -> None:
    """Raises `Terminal` for a table that cannot take the export's rows, whatever they hold.

    `type_problems` tell each column that would change values; `needed` are those by which rows are
    told apart.
    """
    if problems := [*type_problems, *_unfilled(projection, table)]:
        raise Terminal(
            f"{name}: {' '.join(problems)}",
            remedy="Change the table, or leave the column out of the export's columns.",
        )
    if missing := [key for key in needed if table.column(key) is None]:
        column = next(column for column in projection.columns if column.name == missing[0])
        raise Terminal(
            f"{name} has no column {column.name!r}, by which rows are told apart.",
            remedy=f'Add it: ALTER TABLE {name} ADD COLUMN "{column.name}" {made_type(column)};',
        )


def inspect_columns(
    projection: Projection,
    table: ExistingTable,
    *,
    left_out: Sequence[str],
    type_problems: Sequence[str],
) -> LandedColumns:
    """Columns and types as the server describes them. Other columns than the export's are the
    user's own; one that was `left_out`, since the table had none, is told as a warning."""
    found = {column.name: column.shown for column in table.columns}
    lost = [
        f"The column {column.name!r} is missing, and was there at the delivery."
        for column in projection.columns
        if column.name not in found and column.name not in left_out
    ]
    warnings = [
        f"The column {name!r} is left out: the table had none at the delivery." for name in left_out
    ]
    names = {column.name for column in projection.columns}
    types = {name: type_ for name, type_ in found.items() if name in names}
    required = frozenset(column.name for column in table.columns if column.required)
    return LandedColumns(types, (*lost, *type_problems), tuple(warnings), required)


def _unfilled(projection: Projection, table: ExistingTable) -> list[str]:
    delivered = {column.name for column in projection.columns}
    return [
        f"The column {place.name!r} takes no NULL and has no default, and is not exported."
        for place in table.columns
        if place.required and not place.filled and place.name not in delivered
    ]
