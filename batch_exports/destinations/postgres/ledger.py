"""The ledger: what was delivered of each interval, written in the data's own transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from batch_exports.destinations.postgres.table import TableName, identifiers
from batch_exports.interval import DataInterval

LEDGER = "_batch_exports_ledger"

DEFINITION = """
CREATE TABLE {} (
    table_name TEXT NOT NULL,
    export TEXT NOT NULL,
    interval_start TIMESTAMP WITH TIME ZONE NOT NULL,
    interval_end TIMESTAMP WITH TIME ZONE NOT NULL,
    membership TEXT NOT NULL,
    run_id TEXT NOT NULL,
    rows BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    replaced BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    content_sha256 TEXT NOT NULL,
    missing_columns TEXT[] NOT NULL,
    delivered_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    table_identity TEXT NOT NULL,
    transaction_id XID8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (table_name, export, interval_start, interval_end)
)
"""


@dataclass(frozen=True)
class Entry:
    """One delivery. `rows` were taken in, and changed so many rows of the table; `bytes` and
    `content_sha256` are those of the COPY stream."""

    membership: str
    run_id: str
    rows: int
    changed: int
    rejected: int
    replaced: int
    bytes: int
    content_sha256: str
    missing_columns: Sequence[str] = field(default_factory=list)


_FIELDS = tuple(Entry.__dataclass_fields__)


@dataclass(frozen=True)
class Clause:
    """A part of a statement, with the values of its placeholders."""

    text: sql.Composed
    values: dict[str, Any]


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
        with connection.cursor(row_factory=class_row(Entry)) as cursor:
            return cursor.execute(statement, self._values(interval)).fetchone()

    def other_exports(self, connection: psycopg.Connection[Any]) -> list[str]:
        """Those that have delivered to the table as well."""
        statement = sql.SQL("SELECT DISTINCT export FROM {} WHERE table_name = %s AND export <> %s")
        found = connection.execute(statement.format(self.name.sql), [self.table.name, self.export])
        return [export for (export,) in found]

    def may_hold_rows_of(
        self, connection: psycopg.Connection[Any], interval: DataInterval, membership: str
    ) -> bool:
        """Whether rows of the interval may have been delivered before, be it in intervals of
        another rhythm or by another membership column."""
        statement = sql.SQL(
            "SELECT EXISTS (SELECT FROM {} WHERE table_name = %(table)s AND export = %(export)s "
            "AND (interval_start < %(end)s AND interval_end > %(start)s "
            "OR membership <> %(membership)s))"
        ).format(self.name.sql)
        values = {**self._values(interval), "membership": membership}
        row = connection.execute(statement, values).fetchone()
        return bool(row and row[0])

    def own_writers(self, interval: DataInterval, identity: str) -> Clause:
        """A subquery of the transactions that delivered this interval, or one within it, to the
        very table that has this identity."""
        return self._writers(
            "AND export = %(export)s AND interval_start >= %(start)s AND interval_end <= %(end)s",
            interval,
            identity,
        )

    def other_writers(self, interval: DataInterval, identity: str) -> Clause:
        """A subquery of those that delivered what is no part of this interval."""
        return self._writers(
            "AND (export <> %(export)s OR interval_start >= %(end)s OR interval_end <= %(start)s)",
            interval,
            identity,
        )

    def rows_written(
        self, connection: psycopg.Connection[Any], interval: DataInterval, identity: str
    ) -> int:
        """How many rows the `own_writers` wrote."""
        statement = sql.SQL(
            "SELECT coalesce(sum(rows), 0) FROM {} WHERE table_name = %(table)s "
            "AND table_identity = %(identity)s AND export = %(export)s "
            "AND interval_start >= %(start)s AND interval_end <= %(end)s"
        ).format(self.name.sql)
        values = {**self._values(interval), "identity": identity}
        row = connection.execute(statement, values).fetchone()
        return int(row[0]) if row else 0

    def record(
        self,
        connection: psycopg.Connection[Any],
        interval: DataInterval,
        entry: Entry,
        identity: str,
    ) -> None:
        """Put the entry in the place of the interval's own, and of all that lie within it."""
        values = self._values(interval)
        within = sql.SQL(
            "DELETE FROM {} WHERE table_name = %(table)s AND export = %(export)s "
            "AND interval_start >= %(start)s AND interval_end <= %(end)s"
        )
        connection.execute(within.format(self.name.sql), values)
        statement = sql.SQL(
            "INSERT INTO {} (table_name, export, interval_start, interval_end, table_identity, {}) "
            "VALUES (%(table)s, %(export)s, %(start)s, %(end)s, %(identity)s, {})"
        ).format(
            self.name.sql,
            identifiers(_FIELDS),
            sql.SQL(", ").join(map(sql.Placeholder, _FIELDS)),
        )
        fields = {name: getattr(entry, name) for name in _FIELDS}
        connection.execute(statement, {**values, "identity": identity, **fields})

    def _writers(self, condition: str, interval: DataInterval, identity: str) -> Clause:
        # xmin, which tells who wrote a row, has the lower half of a transaction's number.
        text = sql.SQL(
            "SELECT transaction_id::xid FROM {} WHERE table_name = %(table)s "
            f"AND table_identity = %(identity)s {condition}"
        ).format(self.name.sql)
        return Clause(text, {**self._values(interval), "identity": identity})

    def _values(self, interval: DataInterval) -> dict[str, Any]:
        return {
            "table": self.table.name,
            "export": self.export,
            "start": interval.start,
            "end": interval.end,
        }
