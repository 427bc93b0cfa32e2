"""What is kept of syncs, in a schema of the warehouse: a ledger, mappings, tables of rows."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import psycopg
from psycopg import errors, sql

from batch_exports.destinations.postgres.table import TableName, identifiers
from batch_exports.interval import DataInterval
from batch_exports.sources.warehouse.dialect import Dialect
from batch_exports.sources.warehouse.mapping import MappedTable

SYNC, OPERATION, REASON = (
    "_batch_exports_sync",
    "_batch_exports_operation",
    "_batch_exports_reason",
)
"""Columns beside those of the table."""

# So much of a source's name that PostgreSQL's 63 bytes have room for the rest.
_STEM_CHARACTERS = 28
_CHUNK = 16_000  # characters of a mapping: fewer than 65,535 bytes, whatever they are
_SYNCS = """
CREATE TABLE IF NOT EXISTS {} (
    number BIGINT NOT NULL,
    interval_start TIMESTAMP WITH TIME ZONE NOT NULL,
    interval_end TIMESTAMP WITH TIME ZONE NOT NULL,
    batch_id VARCHAR(64) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    why VARCHAR(256) NOT NULL,
    generation VARCHAR(16) NOT NULL,
    mapping_sha256 VARCHAR(64) NOT NULL,
    schema_sha256 VARCHAR(64) NOT NULL,
    parts VARCHAR(1024) NOT NULL,
    inserted BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    rejected VARCHAR(1024) NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE NOT NULL
)
"""
_MAPPINGS = """
CREATE TABLE IF NOT EXISTS {} (
    generation VARCHAR(16) NOT NULL,
    part INTEGER NOT NULL,
    mapping {} NOT NULL
)
"""
_EXISTS = """
SELECT true FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


@dataclass(frozen=True)
class Sync:
    """One comparison of the table with what it was before.

    `kind` is `full` for all rows, `delta` for those that changed, `covered` for an interval whose
    changes a later one's sync has found; `why` says why. `parts` are how many rows of the sync the
    tables of which generation hold. `rejected` counts invalid rows by their reason.
    """

    number: int
    interval: DataInterval
    batch_id: str
    kind: Literal["full", "delta", "covered"]
    why: str
    generation: str = ""
    mapping_sha256: str = ""
    schema_sha256: str = ""
    parts: Sequence[tuple[str, int]] = ()
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    sent_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def rows(self) -> int:
        return sum(rows for _, rows in self.parts)


_FIELDS = tuple(name for name in Sync.__dataclass_fields__ if name != "interval")
_COLUMNS = ("interval_start", "interval_end", *_FIELDS)


@dataclass(frozen=True)
class State:
    """The state of one source. Tables of rows are those of a generation, which is all syncs of one
    mapping and the same types."""

    schema: str
    source: str
    dialect: Dialect

    @property
    def syncs(self) -> TableName:
        return self._table("syncs")

    @property
    def mappings(self) -> TableName:
        return self._table("mappings")

    def snapshot(self, sync: int) -> TableName:
        """The valid rows of the table as a sync found it."""
        return self._table(f"snapshot_{sync}")

    def delta(self, generation: str) -> TableName:
        """The rows that syncs found changed."""
        return self._table(f"{generation}_delta")

    def rejects(self, generation: str) -> TableName:
        """The rows that syncs found invalid."""
        return self._table(f"{generation}_rejects")

    def _table(self, what: str) -> TableName:
        """Names are in lower case, as Redshift keeps them: others get a digest of their letters."""
        stem = self.source
        if stem != stem.lower() or len(stem) > _STEM_CHARACTERS:
            digest = hashlib.sha256(stem.encode()).hexdigest()[:8]
            stem = f"{stem.lower()[: _STEM_CHARACTERS - 9]}_{digest}"
        return TableName(self.schema, f"batch_exports_{stem}_{what}")

    def make(self, connection: psycopg.Connection[Any]) -> None:
        """The ledger and the mappings, where they are missing, in a transaction of their own."""
        if exists(connection, self.mappings):
            connection.rollback()
            return
        try:
            connection.execute(sql.SQL(_SYNCS).format(self.syncs.sql))
            text = sql.SQL(self.dialect.text)
            connection.execute(sql.SQL(_MAPPINGS).format(self.mappings.sql, text))
            connection.commit()
        except (errors.UniqueViolation, errors.DuplicateTable):
            connection.rollback()  # another run has made them meanwhile

    def lock(self, connection: psycopg.Connection[Any]) -> None:
        """Until the transaction ends no other one syncs the source."""
        connection.execute(sql.SQL(self.dialect.lock).format(self.syncs.sql))

    def find(self, connection: psycopg.Connection[Any], interval: DataInterval) -> Sync | None:
        """The interval's sync; None where it was never synced."""
        where = sql.SQL("interval_start = {} AND interval_end = {}").format(
            _moment(interval.start), _moment(interval.end)
        )
        found = self._select(connection, where)
        return found[0] if found else None

    def newest(self, connection: psycopg.Connection[Any]) -> Sync | None:
        """The last sync that read the table."""
        found = self._select(connection, sql.SQL("kind <> 'covered'"), limit=1)
        return found[0] if found else None

    def within(
        self, connection: psycopg.Connection[Any], intervals: Sequence[DataInterval]
    ) -> dict[DataInterval, Sync]:
        """The syncs of these intervals, of those that were synced."""
        first = min(interval.start for interval in intervals)
        last = max(interval.end for interval in intervals)
        where = sql.SQL("interval_start >= {} AND interval_end <= {}").format(
            _moment(first), _moment(last)
        )
        return {sync.interval: sync for sync in self._select(connection, where)}

    def next_number(self, connection: psycopg.Connection[Any]) -> int:
        query = sql.SQL("SELECT COALESCE(MAX(number), 0) + 1 FROM {}").format(self.syncs.sql)
        row = connection.execute(query).fetchone()
        assert row
        return int(row[0])

    def record(self, connection: psycopg.Connection[Any], sync: Sync) -> None:
        values = [
            _moment(sync.interval.start),
            _moment(sync.interval.end),
            *(_literal(getattr(sync, name)) for name in _FIELDS),
        ]
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                self.syncs.sql, identifiers(_COLUMNS), sql.SQL(", ").join(values)
            )
        )

    def keep_mapping(
        self, connection: psycopg.Connection[Any], generation: str, mapped: MappedTable
    ) -> None:
        """In parts, since a text of Redshift's has its end."""
        text = mapped.to_json()
        statement = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s)").format(self.mappings.sql)
        for part, start in enumerate(range(0, len(text), _CHUNK)):
            connection.execute(statement, [generation, part, text[start : start + _CHUNK]])

    def mapping(self, connection: psycopg.Connection[Any], generation: str) -> MappedTable | None:
        """By what a generation's rows become events; None for one that was never begun."""
        query = sql.SQL("SELECT mapping FROM {} WHERE generation = %s ORDER BY part")
        rows = connection.execute(query.format(self.mappings.sql), [generation]).fetchall()
        return MappedTable.from_json("".join(text for (text,) in rows)) if rows else None

    def _select(
        self, connection: psycopg.Connection[Any], where: sql.Composable, limit: int | None = None
    ) -> list[Sync]:
        """The last ones first."""
        query = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY number DESC").format(
            identifiers(_COLUMNS), self.syncs.sql, where
        )
        if limit:
            query += sql.SQL(f" LIMIT {limit}")
        return [_sync(*row) for row in connection.execute(query).fetchall()]


def exists(connection: psycopg.Connection[Any], table: TableName) -> bool:
    return connection.execute(_EXISTS, [table.schema, table.name]).fetchone() is not None


def _sync(start: datetime, end: datetime, *rest: Any) -> Sync:
    fields = dict(zip(_FIELDS, rest, strict=True))
    fields["parts"] = tuple((generation, rows) for generation, rows in json.loads(fields["parts"]))
    fields["rejected"] = json.loads(fields["rejected"])
    fields["sent_at"] = fields["sent_at"].astimezone(UTC)
    return Sync(interval=DataInterval.of(start, end), **fields)


def _literal(value: Any) -> sql.Composable:
    if isinstance(value, datetime):
        return _moment(value)
    return sql.Literal(value if isinstance(value, int | str) else json.dumps(value))


def _moment(moment: datetime) -> sql.Composed:
    return sql.SQL("CAST({} AS TIMESTAMP WITH TIME ZONE)").format(sql.Literal(moment.isoformat()))
