"""What a model's rows are in a database: a table or a query, and its columns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import Model, Query
from batch_exports.models.origin import INTERVAL_END, INTERVAL_START
from batch_exports.sources.postgres.server_columns import ServerColumn, describe
from batch_exports.sources.projection import columns_to_read
from batch_exports.sources.source import Selection

_MOMENTS = ("timestamptz", "timestamp")
_BOUNDS = re.compile(f"({re.escape(INTERVAL_START)}|{re.escape(INTERVAL_END)})")


@dataclass(frozen=True)
class Relation:
    """`rows` is what stands after FROM. `columns` are those of the server, each by the name that
    the model has for it at its source. A table has rows of all intervals, a query those of one."""

    rows: sql.Composable
    columns: Mapping[str, ServerColumn]
    where: str
    is_table: bool

    def needed(self, selection: Selection) -> list[str]:
        """The columns that a selection needs, by the model's names.

        Raises `Terminal` for one that is missing, and for a membership column without moments.
        """
        try:
            names = columns_to_read(selection, self.columns, self.where)
        except Terminal as error:
            remedy = "Add the column to the table" if self.is_table else "Correct the query"
            raise Terminal(
                error.message,
                remedy=f"There is {', '.join(self.columns)}. {remedy}, or leave the column out of "
                "the export's columns and filters.",
            ) from None
        member = self.columns[selection.membership]
        if member.type not in _MOMENTS or member.is_array:
            raise Terminal(
                f"{self.where}: the membership column {member.name!r} is {member.shown}.",
                remedy="It places rows in intervals, and must be a timestamp: cast it in a query.",
            )
        return names

    def column(self, name: str) -> sql.Identifier:
        return sql.Identifier(self.columns[name].name)

    def select(self, names: list[str], condition: sql.Composable) -> sql.Composed:
        """Those columns, by the model's names, of the rows that meet a condition."""
        chosen = (
            sql.SQL("{} AS {}").format(self.column(name), sql.Identifier(name)) for name in names
        )
        return sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(", ").join(chosen), self.rows, condition
        )

    def selected(self, names: list[str]) -> list[ServerColumn]:
        """The columns of `select`."""
        return [replace(self.columns[name], name=name) for name in names]


def of_table(
    connection: psycopg.Connection[Any], model: Model, schema: str, name: str, where: str
) -> Relation:
    """Raises psycopg's errors."""
    table = sql.Identifier(schema, name)
    columns = describe(connection, sql.SQL("SELECT * FROM {}").format(table))
    return Relation(table, _by_source_name(model, columns), where, is_table=True)


def of_query(
    connection: psycopg.Connection[Any], query: Query, interval: DataInterval, where: str
) -> Relation:
    """The query with the interval's bounds. Raises psycopg's errors."""
    bounds = {INTERVAL_START: interval.start, INTERVAL_END: interval.end}
    bound = sql.Composed(
        [
            sql.Literal(bounds[part]) if part in bounds else sql.SQL(cast(LiteralString, part))
            for part in _BOUNDS.split(query.text)
        ]
    )
    columns = {column.name: column for column in describe(connection, bound)}
    rows = sql.SQL("(\n{}\n) AS declared").format(bound)
    return Relation(rows, columns, where, is_table=False)


def _by_source_name(model: Model, columns: list[ServerColumn]) -> dict[str, ServerColumn]:
    """A table that an export delivered has the columns by the names that they were delivered under,
    which stand for those of the source where these are absent."""
    known = {column.name: column for column in columns}
    delivered = {
        column.source_name: known[column.name] for column in model.columns if column.name in known
    }
    return delivered | known
