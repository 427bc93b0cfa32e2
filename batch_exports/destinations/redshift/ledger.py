"""The ledger: what was delivered of each interval, written in the data's own transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.delivery import Recorded
from batch_exports.destinations.ledger_span import recorded_in
from batch_exports.destinations.postgres.ledger import LEDGER
from batch_exports.destinations.postgres.table import TableName, identifiers
from batch_exports.interval import DataInterval

DEFINITION = """
CREATE TABLE {} (
    "table_name" VARCHAR(127) NOT NULL,
    "export" VARCHAR(512) NOT NULL,
    "interval_start" TIMESTAMP WITH TIME ZONE NOT NULL,
    "interval_end" TIMESTAMP WITH TIME ZONE NOT NULL,
    "membership" VARCHAR(127) NOT NULL,
    "run_id" VARCHAR(64) NOT NULL,
    "rows" BIGINT NOT NULL,
    "changed" BIGINT NOT NULL,
    "rejected" BIGINT NOT NULL,
    "replaced" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "content_sha256" VARCHAR(64) NOT NULL,
    "missing_columns" VARCHAR(65535) NOT NULL,
    "left_behind" BIGINT NOT NULL,
    "taken_over" BIGINT NOT NULL,
    "delivered_at" TIMESTAMP WITH TIME ZONE NOT NULL
)
"""


@dataclass(frozen=True)
class Entry:
    """One delivery. `rows` were taken in, and changed so many rows of the table; `bytes` and
    `content_sha256` are those of what was staged.

    Where rows are told apart by their keys alone: `left_behind` are rows of earlier deliveries of
    the interval whose keys the source no longer has, and which therefore could not be found;
    `taken_over` are rows that this delivery replaced and no earlier one of the interval wrote.
    """

    membership: str
    run_id: str
    rows: int
    changed: int
    rejected: int
    replaced: int
    bytes: int
    content_sha256: str
    missing_columns: Sequence[str] = field(default_factory=list)
    left_behind: int = 0
    taken_over: int = 0


_FIELDS = tuple(Entry.__dataclass_fields__)


def forget(connection: psycopg.Connection[Any], table: TableName) -> None:
    """Delete all entries of deliveries to a table."""
    statement = sql.SQL("DELETE FROM {} WHERE table_name = %s")
    connection.execute(statement.format(sql.Identifier(table.schema, LEDGER)), [table.name])


@dataclass(frozen=True)
class Ledger:
    """The entries of one export's deliveries to one table."""

    table: TableName
    export: str

    @property
    def name(self) -> TableName:
        return TableName(self.table.schema, LEDGER)

    def entry(self, connection: psycopg.Connection[Any], interval: DataInterval) -> Entry | None:
        """The interval's entry; None where it was never delivered."""
        statement = sql.SQL(
            "SELECT {} FROM {} WHERE table_name = %(table)s AND export = %(export)s "
            "AND interval_start = %(start)s AND interval_end = %(end)s"
        ).format(identifiers(_FIELDS), self.name.sql)
        row = connection.execute(statement, self._values(interval)).fetchone()
        if row is None:
            return None
        fields = dict(zip(_FIELDS, row, strict=True))
        return Entry(**{**fields, "missing_columns": json.loads(fields["missing_columns"])})

    def recorded(
        self, connection: psycopg.Connection[Any], intervals: Sequence[DataInterval]
    ) -> dict[DataInterval, Recorded]:
        """Those of the intervals that were delivered, by one query. There is at least one."""
        return recorded_in(connection, self.name, self.table, self.export, intervals)

    def other_exports(self, connection: psycopg.Connection[Any]) -> list[str]:
        """Those that have delivered to the table as well."""
        statement = sql.SQL("SELECT DISTINCT export FROM {} WHERE table_name = %s AND export <> %s")
        found = connection.execute(statement.format(self.name.sql), [self.table.name, self.export])
        return [export for (export,) in found]

    def adopting(self, former: str, rejects: TableName) -> str:
        """The statements that make this export's own what it delivered under a former name."""
        names = [_quoted(self.export), _quoted(former), _quoted(self.table.name)]
        return (
            f"UPDATE {self.name} SET export = {names[0]} WHERE export = {names[1]} "
            f"AND table_name = {names[2]}; "
            f"UPDATE {rejects} SET export = {names[0]} WHERE export = {names[1]};"
        )

    def told_within(self, connection: psycopg.Connection[Any], interval: DataInterval) -> int:
        """How many rows of the interval, or of ones within it, the table had after the last
        delivery of each: what was delivered, and what was left behind."""
        return self._told(
            connection, interval, "interval_start >= %(start)s AND interval_end <= %(end)s"
        )

    def told_elsewhere(self, connection: psycopg.Connection[Any], interval: DataInterval) -> int:
        """How many rows the table had of other intervals."""
        return self._told(
            connection, interval, "NOT (interval_start >= %(start)s AND interval_end <= %(end)s)"
        )

    def overlapping(
        self, connection: psycopg.Connection[Any], interval: DataInterval
    ) -> frozenset[tuple[Any, ...]]:
        """What tells the last deliveries of intervals that overlap this one from all others."""
        statement = sql.SQL(
            "SELECT interval_start, interval_end, run_id, delivered_at FROM {} "
            "WHERE table_name = %(table)s AND export = %(export)s "
            "AND interval_start < %(end)s AND interval_end > %(start)s"
        ).format(self.name.sql)
        return frozenset(connection.execute(statement, self._values(interval)).fetchall())

    def record(
        self, connection: psycopg.Connection[Any], interval: DataInterval, entry: Entry
    ) -> None:
        """Put the entry in the place of the interval's own, and of all that lie within it."""
        values = self._values(interval)
        within = sql.SQL(
            "DELETE FROM {} WHERE table_name = %(table)s AND export = %(export)s "
            "AND interval_start >= %(start)s AND interval_end <= %(end)s"
        )
        connection.execute(within.format(self.name.sql), values)
        statement = sql.SQL(
            "INSERT INTO {} (table_name, export, interval_start, interval_end, delivered_at, {}) "
            "VALUES (%(table)s, %(export)s, %(start)s, %(end)s, %(now)s, {})"
        ).format(
            self.name.sql,
            identifiers(_FIELDS),
            sql.SQL(", ").join(map(sql.Placeholder, _FIELDS)),
        )
        fields = {name: getattr(entry, name) for name in _FIELDS}
        fields["missing_columns"] = json.dumps(list(entry.missing_columns))
        connection.execute(statement, {**values, "now": datetime.now(UTC), **fields})

    def _told(self, connection: psycopg.Connection[Any], interval: DataInterval, where: str) -> int:
        statement = sql.SQL(
            'SELECT COALESCE(SUM("rows" + left_behind), 0) FROM {} '
            f"WHERE table_name = %(table)s AND export = %(export)s AND {where}"
        ).format(self.name.sql)
        row = connection.execute(statement, self._values(interval)).fetchone()
        return int(row[0]) if row else 0

    def _values(self, interval: DataInterval) -> dict[str, Any]:
        return {
            "table": self.table.name,
            "export": self.export,
            "start": interval.start,
            "end": interval.end,
        }


def _quoted(text: str) -> str:
    """As a literal, in which a backslash is the beginning of an escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
