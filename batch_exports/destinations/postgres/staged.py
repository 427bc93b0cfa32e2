"""Rows of a shard, in tables of their own until the interval is committed."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.destinations.postgres import rejects
from batch_exports.destinations.postgres.fit import Fit
from batch_exports.destinations.postgres.load import Loaded, Rows, Target, load
from batch_exports.destinations.postgres.rejects import Rejects
from batch_exports.destinations.postgres.stages import drop, leftovers, stage_like, stage_prefix
from batch_exports.destinations.postgres.table import TableName, exists
from batch_exports.destinations.receipts import Receipt, content_of, gone
from batch_exports.destinations.sift import Sift
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports.transform.prefetch import prefetch
from batch_exports.transform.shard import Shard


class PostgresReceipt(Receipt, frozen=True, kw_only=True):
    """`table` has the rows, and `rejects` those put aside, where there are any. `began` tells which
    transactions were committed when the shard began, as `Ledger.moment` does."""

    table: str
    rejects: str | None
    began: str


@dataclass(frozen=True)
class StagedShards:
    """The shards' tables, all there and complete, in the order of the shards."""

    schema: str
    receipts: Sequence[PostgresReceipt]

    @property
    def rows(self) -> list[sql.Identifier]:
        return [sql.Identifier(self.schema, receipt.table) for receipt in self.receipts]

    @property
    def rejects(self) -> list[sql.Identifier]:
        names = [receipt.rejects for receipt in self.receipts]
        return [sql.Identifier(self.schema, name) for name in names if name]

    @property
    def loaded(self) -> Loaded:
        return Loaded(
            sum(receipt.rows for receipt in self.receipts),
            sum(receipt.bytes for receipt in self.receipts),
            content_of(self.receipts),
        )


@dataclass(frozen=True, kw_only=True)
class ShardStage:
    """Where one shard's rows go, and in what form."""

    connection: psycopg.Connection[Any]
    name: TableName
    rejects: TableName
    fit: Fit
    projection: Projection
    policy: OnUnrepresentable
    export: str
    interval: DataInterval
    run_id: str

    def fill(self, batches: Iterable[pa.RecordBatch], shard: Shard) -> dict[str, Any]:
        """Put all rows into new tables, in one transaction: whatever ends it leaves none of them.

        The answer are those fields of the receipt that tell what was staged. Raises psycopg's
        errors, `Terminal` for a row that the server refuses, and what `batches` raise.
        """
        name = f"{stage_prefix(self.name, label(self.export, self.interval))}{_own(self.run_id)}"
        table, aside_table = (f"{name}_{shard.index}{ending}" for ending in ("", "r"))
        with (
            self.connection.transaction(),
            Rejects() as aside,
            prefetch(batches, ahead=2) as read,
        ):
            rows = sql.Identifier(self.name.schema, table)
            self.connection.execute(stage_like(rows, self.name, self.fit.names))
            sift = Sift(self.fit.capabilities, self.policy, self.projection.model.key, aside.keep)
            loaded = load(
                [Target(self.connection, rows)],
                Rows(
                    sift.clean(batch.select(self.fit.names) for batch in read),
                    self.fit.names,
                    self.fit.types,
                    self.projection.model.key,
                ),
            )
            has_aside = bool(sift.rejected or sift.replaced)
            if has_aside:
                self._put_aside(aside, sql.Identifier(self.name.schema, aside_table))
        return {
            "rows": loaded.rows,
            "rejected": sift.rejected,
            "replaced": sift.replaced,
            "bytes": loaded.bytes,
            "sha256": loaded.sha256,
            "table": table,
            "rejects": aside_table if has_aside else None,
        }

    def _put_aside(self, aside: Rejects, table: sql.Identifier) -> None:
        self.connection.execute(stage_like(table, self.rejects, rejects.COLUMNS))
        found = (
            rejects.reject_rows(
                batch, self.projection.identity, self.export, self.interval, self.run_id
            )
            for batch in aside.replay()
        )
        columns = Rows(found, rejects.COLUMNS, rejects.TYPES, rejects.COLUMNS[:1])
        load([Target(self.connection, table)], columns)


def label(export: str, interval: DataInterval) -> str:
    """What stages of an interval are named after."""
    return f"{export} {interval}"


def has_vanished(
    connection: psycopg.Connection[Any], schema: str, receipts: Sequence[PostgresReceipt]
) -> bool:
    """Whether no shard's table is there any more, as after their commit."""
    return not any(exists(connection, TableName(schema, one.table)) for one in receipts)


def open_staged(
    connection: psycopg.Connection[Any],
    schema: str,
    receipts: Sequence[PostgresReceipt],
    interval: DataInterval,
) -> StagedShards:
    """The shards' tables. Raises `Terminal` where one is gone, or has not the rows it had: a server
    that crashes empties unlogged tables."""
    missing = []
    for receipt in receipts:
        names = [receipt.table, *([receipt.rejects] if receipt.rejects else [])]
        if not all(exists(connection, TableName(schema, name)) for name in names):
            missing.append(receipt.shard)
    if missing:
        raise gone(interval, missing)
    for receipt in receipts:
        statement = sql.SQL("SELECT count(*) FROM {}")
        table = sql.Identifier(schema, receipt.table)
        found = connection.execute(statement.format(table)).fetchone()
        if found is None or found[0] != receipt.rows:
            raise Terminal(
                f"Shard {receipt.shard} of {interval} staged {receipt.rows} rows, of which "
                f"{found[0] if found else 'none'} are there. Nothing was delivered.",
                remedy="The server has crashed since, or somebody changed the table. Materialize "
                "the partition again, all of it.",
            )
    return StagedShards(schema, receipts)


def sweep(connection: psycopg.Connection[Any], table: TableName, stages_label: str) -> None:
    """Drop all that was staged for an interval and is not committed, by whichever run."""
    drop(connection, leftovers(connection, table, stage_prefix(table, stages_label)))


def _own(run_id: str) -> str:
    """A shard that is staged again, maybe while its first try still runs, has another table."""
    return f"{hashlib.sha256(run_id.encode()).hexdigest()[:8]}_{secrets.token_hex(4)}"
