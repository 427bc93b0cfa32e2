"""The ledger: what was delivered of each interval, written in the data's own transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from batch_exports.destinations.delivery import Recorded
from batch_exports.destinations.ledger_span import recorded_in
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
    first_block BIGINT,
    end_block BIGINT,
    unknown_rows BOOLEAN NOT NULL,
    PRIMARY KEY (table_name, export, interval_start, interval_end)
)
"""


@dataclass(frozen=True)
class Entry:
    """One delivery. `rows` were taken in, and changed so many rows of the table; `bytes` and
    `content_sha256` are those of the COPY stream. What it wrote lies in the table's blocks from
    `first_block` to before `end_block`; None where that is not known. `unknown_rows` says whether
    the table may have had rows of deliveries that no entry told of."""

    membership: str
    run_id: str
    rows: int
    changed: int
    rejected: int
    replaced: int
    bytes: int
    content_sha256: str
    missing_columns: Sequence[str] = field(default_factory=list)
    first_block: int | None = None
    end_block: int | None = None
    unknown_rows: bool = False


_FIELDS = tuple(Entry.__dataclass_fields__)


def forget(connection: psycopg.Connection[Any], table: TableName) -> None:
    """Delete all entries of deliveries to a table."""
    statement = sql.SQL("DELETE FROM {} WHERE table_name = %s")
    connection.execute(statement.format(sql.Identifier(table.schema, LEDGER)), [table.name])


@dataclass(frozen=True)
class Clause:
    """A part of a statement, with the values of its placeholders."""

    text: sql.Composed
    values: dict[str, Any]


@dataclass(frozen=True)
class Written:
    """So many rows were written by the transactions that the subquery `writers` gives, between two
    blocks of the table; None where these are not known."""

    rows: int
    blocks: tuple[int, int] | None
    writers: Clause

    def conditions(self) -> Iterator[Clause]:
        """What is true of these rows of a table `t`: where they were put, then ever further off.

        Rows go to the end of the table, or into space that VACUUM found in blocks before it, most
        of it in those that came since the last one. VACUUM FULL moves them anywhere.
        """
        written = Clause(sql.SQL("t.xmin IN ({})").format(self.writers.text), self.writers.values)
        if self.blocks is not None:
            first, end = self.blocks
            step = end - first
            while True:
                yield _between(written, first, end)
                if first == 0:
                    break
                step *= 4
                first = max(first - step, 0)
        yield written


def _between(clause: Clause, first: int, end: int) -> Clause:
    text = sql.SQL("t.ctid >= %(first)s::tid AND t.ctid < %(last)s::tid AND {}")
    bounds = {"first": f"({first},0)", "last": f"({end},0)"}
    return Clause(text.format(clause.text), {**clause.values, **bounds})


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
        statement = sql.SQL(
            "UPDATE {ledger} SET export = {new} WHERE export = {former} AND table_name = {table}; "
            "UPDATE {rejects} SET export = {new} WHERE export = {former};"
        )
        names = {"ledger": self.name.sql, "rejects": rejects.sql}
        texts = {"new": self.export, "former": former, "table": self.table.name}
        values = {name: sql.Literal(text) for name, text in texts.items()}
        return statement.format(**names, **values).as_string()

    def has_lost_track(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether the table may have rows of deliveries that no entry tells of, since the ledger
        was emptied: just now, or before the deliveries that it tells of."""
        statement = sql.SQL(
            "SELECT coalesce(bool_or(unknown_rows), EXISTS (SELECT FROM {})) FROM {} "
            "WHERE table_name = %s AND export = %s"
        ).format(self.table.sql, self.name.sql)
        row = connection.execute(statement, [self.table.name, self.export]).fetchone()
        return bool(row and row[0])

    def finds_all_rows(
        self,
        connection: psycopg.Connection[Any],
        interval: DataInterval,
        membership: str,
        identity: str,
    ) -> bool:
        """Whether every row of the entries' deliveries can be found by its writer.

        It cannot where the table came from a dump, and where rows of the interval may have come in
        intervals of another rhythm that reach beyond this one, or by another membership column.
        """
        statement = sql.SQL(
            "SELECT NOT EXISTS (SELECT FROM {} WHERE table_name = %(table)s "
            "AND export = %(export)s AND (table_identity <> %(identity)s "
            "OR membership <> %(membership)s OR interval_start < %(end)s "
            "AND interval_end > %(start)s AND NOT (interval_start >= %(start)s "
            "AND interval_end <= %(end)s)))"
        ).format(self.name.sql)
        values = {**self._values(interval), "membership": membership, "identity": identity}
        row = connection.execute(statement, values).fetchone()
        return bool(row and row[0])

    def written(
        self, connection: psycopg.Connection[Any], interval: DataInterval, identity: str
    ) -> Written:
        """What deliveries of the interval, or of ones within it, wrote to the very table that has
        this identity."""
        own = "AND export = %(export)s AND interval_start >= %(start)s AND interval_end <= %(end)s"
        statement = sql.SQL(
            "SELECT coalesce(sum(rows), 0), min(first_block), max(end_block), "
            "count(*) FILTER (WHERE first_block IS NULL) FROM {} "
            f"WHERE table_name = %(table)s AND table_identity = %(identity)s {own}"
        ).format(self.name.sql)
        values = {**self._values(interval), "identity": identity}
        row = connection.execute(statement, values).fetchone()
        rows, first, end, unknown = row or (0, None, None, 0)
        blocks = None if unknown or first is None or end is None else (first, end)
        return Written(int(rows), blocks, self._writers(own, interval, identity))

    def other_writers(self, interval: DataInterval, identity: str) -> Clause:
        """A subquery of those that delivered what is no part of this interval."""
        return self._writers(
            "AND (export <> %(export)s OR interval_start >= %(end)s OR interval_end <= %(start)s)",
            interval,
            identity,
        )

    def moment(self, connection: psycopg.Connection[Any]) -> str:
        """Which transactions are committed by now, as `is_overtaken` takes it."""
        row = connection.execute("SELECT pg_current_snapshot()::text").fetchone()
        return str(row[0]) if row else ""

    def is_overtaken(
        self, connection: psycopg.Connection[Any], interval: DataInterval, since: str
    ) -> bool:
        """Whether a delivery of an interval that overlaps this one was committed since then."""
        statement = sql.SQL(
            "SELECT EXISTS (SELECT FROM {} WHERE table_name = %(table)s AND export = %(export)s "
            "AND interval_start < %(end)s AND interval_end > %(start)s "
            "AND NOT pg_visible_in_snapshot(transaction_id, %(since)s::pg_snapshot))"
        ).format(self.name.sql)
        values = {**self._values(interval), "since": since}
        row = connection.execute(statement, values).fetchone()
        return bool(row and row[0])

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
