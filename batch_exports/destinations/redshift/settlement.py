"""Staged rows moved into the table: one transaction with the rejects and the ledger's entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift import moves, rejects
from batch_exports.destinations.redshift.isolation import lock
from batch_exports.destinations.redshift.ledger import Entry, Ledger
from batch_exports.destinations.redshift.loading import Loaded, Stage, insert_from
from batch_exports.destinations.redshift.moves import Moved
from batch_exports.destinations.redshift.table import count_rows
from batch_exports.errors import Terminal, Transient
from batch_exports.interval import DataInterval
from batch_exports.models import Projection


@dataclass(frozen=True)
class StagedRows:
    """What one delivery has staged. `rejects` is a stage of rows that were put aside, and
    `rejected_keys` one of the keys of those that are not delivered; None where there are none.
    `way` is that of `Delivery`."""

    rows: Stage
    loaded: Loaded
    rejected: int
    replaced: int
    rejects: Stage | None
    rejected_keys: Stage | None
    way: str | None = None


def refuse_others(connection: psycopg.Connection[Any], ledger: Ledger, rejects: TableName) -> None:
    """Raises `Terminal` for a table with deliveries of another export, which would be replaced."""
    if others := ledger.other_exports(connection):
        raise Terminal(
            f"{ledger.table} has deliveries of the export {others[0]!r}, which this one would "
            "replace.",
            remedy="Give each export a table of its own. If the export was renamed, run: "
            f"{ledger.adopting(others[0], rejects)}",
        )


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """One delivery from its stages on. It can be run again as long as these are there.

    `deliveries_before` are those that the ledger told of when the run began.
    """

    ledger: Ledger
    rejects: TableName
    projection: Projection
    range_column: str | None
    missing_columns: Sequence[str]
    interval: DataInterval
    run_id: str
    mode: WriteMode
    serializable: bool
    deliveries_before: frozenset[tuple[Any, ...]]

    @property
    def name(self) -> TableName:
        return self.ledger.table

    def settle(self, connection: psycopg.Connection[Any], staged: StagedRows) -> Entry:
        """All statements of the transaction, which the caller begins and ends.

        Raises psycopg's errors, `Terminal` for a table that another export replaces rows of, and
        `Transient` where a count is not what it should be.
        """
        # The table of rejects is the export's alone: its lock keeps other runs from the table.
        # Where others' reads and writes can end this transaction, they have to wait as well.
        tables = [self.rejects]
        lock(connection, [*tables, self.name, self.ledger.name] if self.serializable else tables)
        if done := self._earlier(connection):
            return done
        before = count_rows(connection, self.name.sql)
        moved = self._move(connection, staged)
        self._compare(staged, moved, count_rows(connection, self.name.sql) - before)
        rejects.forget(connection, self.rejects, self.ledger.export, self.interval)
        if staged.rejects:
            connection.execute(insert_from(staged.rejects, self.rejects.sql))
        left_behind, taken_over = self._strangers(connection, moved, before)
        entry = Entry(
            membership=self.projection.membership,
            run_id=self.run_id,
            rows=staged.loaded.rows,
            changed=moved.changed,
            rejected=staged.rejected,
            replaced=staged.replaced,
            bytes=staged.loaded.bytes,
            content_sha256=staged.loaded.sha256,
            missing_columns=self.missing_columns,
            left_behind=left_behind,
            taken_over=taken_over,
        )
        self.ledger.record(connection, self.interval, entry)
        return entry

    def _earlier(self, connection: psycopg.Connection[Any]) -> Entry | None:
        """The entry of a delivery that is done already, if this is one: a second append of one
        run."""
        if self.mode == "append":
            earlier = self.ledger.entry(connection, self.interval)
            return earlier if earlier and earlier.run_id == self.run_id else None
        if self.mode == "replace":
            refuse_others(connection, self.ledger, self.rejects)
        if self.mode == "replace" and self.deliveries_before != self.ledger.overlapping(
            connection, self.interval
        ):
            raise Transient(
                f"{self.name}: another run delivered {self.interval}, or one that overlaps it, "
                "while this one staged its rows.",
                remedy="It is tried again. End runs of the former rhythm once it was changed.",
            )
        return None

    def _move(self, connection: psycopg.Connection[Any], staged: StagedRows) -> Moved:
        model, rows = self.projection.model, staged.rows
        if self.mode == "append":
            return moves.append(connection, self.name, rows)
        if self.mode == "merge":
            return moves.merge(connection, self.name, rows, model.key, model.versions)
        deleted = by_key = 0
        if self.range_column:
            deleted = moves.delete_range(connection, self.name, self.range_column, self.interval)
        # Rows that came before the column did are found by their keys alone.
        unplaced = self.range_column
        for stage in (rows, staged.rejected_keys):
            if stage and (not unplaced or moves.has_rows_without(connection, self.name, unplaced)):
                by_key += moves.delete_by_key(
                    connection, self.name, stage, model.key, without=unplaced
                )
        inserted = moves.append(connection, self.name, rows).inserted
        return Moved(inserted=inserted, deleted=deleted + by_key, changed=inserted)

    def _compare(self, staged: StagedRows, moved: Moved, grown: int) -> None:
        """Staged rows, rows moved, and the growth of the table are told by three counts."""
        told = None
        if self.mode != "merge" and moved.inserted != staged.loaded.rows:
            told = f"{staged.loaded.rows} rows were staged, and {moved.inserted} inserted"
        elif grown != moved.inserted - moved.deleted:
            told = (
                f"{moved.inserted} rows were inserted and {moved.deleted} deleted, but the table "
                f"has {grown} rows more than before"
            )
        if told:
            raise Transient(
                f"{self.name}: {told}. Nothing was delivered.", remedy="It is tried again."
            )

    def _strangers(
        self, connection: psycopg.Connection[Any], moved: Moved, before: int
    ) -> tuple[int, int]:
        """Where only keys tell rows apart: rows that earlier deliveries left, and rows taken from
        others, by what the ledger tells of both."""
        if self.mode != "replace" or self.range_column:
            return 0, 0
        told = self.ledger.told_within(connection, self.interval)
        elsewhere = self.ledger.told_elsewhere(connection, self.interval)
        # Where users deleted rows, there are not as many left as the ledger tells.
        unexplained = max(before - moved.deleted - elsewhere, 0)
        return min(max(told - moved.deleted, 0), unexplained), max(moved.deleted - told, 0)
