"""One delivery within its transaction: the way that rows take into the table."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.destinations.postgres import rejects, staging
from batch_exports.destinations.postgres.fit import Fit
from batch_exports.destinations.postgres.ledger import Entry, Ledger
from batch_exports.destinations.postgres.load import Loaded, Rows, Target, load
from batch_exports.destinations.postgres.lock import record_lock, table_lock
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.rejects import Rejects
from batch_exports.destinations.postgres.staged import StagedShards
from batch_exports.destinations.postgres.stages import Stages
from batch_exports.destinations.postgres.staging import Stage
from batch_exports.destinations.postgres.table import Table, TableName
from batch_exports.destinations.receipts import overtaken
from batch_exports.destinations.sift import Sift
from batch_exports.errors import Transient
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports.transform.prefetch import prefetch

_Feed = Iterator[pa.RecordBatch] | StagedShards


@dataclass(frozen=True)
class _Begun:
    """What was so before the first row: what was committed, and how many blocks there were."""

    moment: str
    blocks: int | None
    unknown_rows: bool


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """All that one delivery needs; `connection` is in the transaction that holds its lock."""

    connection: psycopg.Connection[Any]
    ledger: Ledger
    rejects: TableName
    table: Table
    fit: Fit
    projection: Projection
    interval: DataInterval
    run_id: str
    mode: WriteMode
    policy: OnUnrepresentable
    stages: Stages

    @property
    def name(self) -> TableName:
        return self.ledger.table

    def deliver(self, batches: Iterable[pa.RecordBatch]) -> Entry:
        """Rows, rejects and the ledger's entry. Raises psycopg's errors and those of `batches`."""
        begun = self._begin()
        with Rejects() as aside, prefetch(batches, ahead=2) as read:
            sift = Sift(self.fit.capabilities, self.policy, self.projection.model.key, aside.keep)
            clean = sift.clean(b.select(self.fit.names) for b in read)
            loaded, changed = self._load(clean, begun.unknown_rows)
            self._write_rejects(aside)
        return self._record(begun, loaded, changed, sift.rejected, sift.replaced)

    def deliver_staged(self, staged: StagedShards) -> Entry:
        """The same of rows that shards have staged.

        Raises `Terminal` where other runs delivered of the interval since they began.
        """
        began, receipts = {receipt.began for receipt in staged.receipts}, staged.receipts
        if any(self.ledger.is_overtaken(self.connection, self.interval, each) for each in began):
            raise overtaken(self.interval)
        begun = self._begin()
        loaded, changed = self._load(staged, begun.unknown_rows)
        rejects.forget(self.connection, self.rejects, self.ledger.export, self.interval)
        for table in staged.rejects:
            found = Stage([table], rejects.COLUMNS, rejects.COLUMNS[:1])
            staging.append(self.connection, self.rejects.sql, found)
        rejected, replaced = (
            sum(getattr(r, n) for r in receipts) for n in ("rejected", "replaced")
        )
        return self._record(begun, loaded, changed, rejected, replaced)

    def _begin(self) -> _Begun:
        moment = self.ledger.moment(self.connection)
        return _Begun(moment, self._blocks(), self._has_unknown_rows())

    def _record(
        self, begun: _Begun, loaded: Loaded, changed: int, rejected: int, replaced: int
    ) -> Entry:
        entry = Entry(
            membership=self.projection.membership,
            run_id=self.run_id,
            rows=loaded.rows,
            changed=changed,
            rejected=rejected,
            replaced=replaced,
            bytes=loaded.bytes,
            content_sha256=loaded.sha256,
            missing_columns=[column.name for column in self.fit.missing],
            # The last block there was may have taken rows as well.
            first_block=None if begun.blocks is None else max(begun.blocks - 1, 0),
            end_block=self._blocks(),
            unknown_rows=begun.unknown_rows,
        )
        if self.mode == "replace":
            self._refuse_overtaken(begun.moment)
        self.ledger.record(self.connection, self.interval, entry, self.table.identity)
        return entry

    def _refuse_overtaken(self, began: str) -> None:
        """Rows that came while this one had begun were not there to be replaced."""
        record_lock(self.connection, self.name, self.ledger.export)
        if self.ledger.is_overtaken(self.connection, self.interval, began):
            raise Transient(
                f"{self.name}: an interval that overlaps {self.interval} was delivered meanwhile.",
                remedy="It is tried again. End runs of the former rhythm once it was changed.",
            )

    def _load(self, clean: _Feed, unknown_rows: bool) -> tuple[Loaded, int]:
        """What was sent, and how many rows of the table it changed."""
        match self.mode:
            case "append":
                return self._straight(clean)
            case "merge":
                return self._staged(clean, self._merge)
        if self.fit.range_column:
            self._delete_range(self.fit.range_column)
            if not self._has_rows_without(self.fit.range_column):
                return self._straight(clean)
        all_gone = self._delete_written()
        if all_gone and not unknown_rows and self._finds_all_rows():
            return self._straight(clean)
        return self._staged(clean, self._replace_by_key)

    def _straight(self, clean: _Feed) -> tuple[Loaded, int]:
        """Into the table itself, or where several connections load, through their stages."""
        if isinstance(clean, StagedShards) or self.stages.parallel:
            return self._staged(clean, self._append)
        loaded = load([Target(self.connection, self.name.sql)], self._rows(clean))
        return loaded, loaded.rows

    def _staged(self, clean: _Feed, move: Callable[[Stage], int]) -> tuple[Loaded, int]:
        """Into stages, and out of them into the table by `move`, one run at a time."""
        tables: Sequence[sql.Composable]
        if isinstance(clean, StagedShards):
            tables, loaded = clean.rows, clean.loaded
        else:
            targets = self.stages.open(self.connection)
            tables, loaded = [t.table for t in targets], load(targets, self._rows(clean))
        table_lock(self.connection, self.name)
        return loaded, move(Stage(tables, self.fit.names, self.projection.model.key))

    def _rows(self, batches: Iterable[pa.RecordBatch]) -> Rows:
        return Rows(batches, self.fit.names, self.fit.types, self.projection.model.key)

    def _append(self, stage: Stage) -> int:
        return staging.append(self.connection, self.name.sql, stage)

    def _merge(self, stage: Stage) -> int:
        versions = self.projection.model.versions
        return staging.merge(self.connection, self.name.sql, stage, versions)

    def _replace_by_key(self, stage: Stage) -> int:
        others = self.ledger.other_writers(self.interval, self.table.identity)
        return staging.replace_by_key(self.connection, self.name.sql, stage, others)

    def _delete_written(self) -> bool:
        written = self.ledger.written(self.connection, self.interval, self.table.identity)
        return staging.delete_written(self.connection, self.name.sql, written)

    def _has_unknown_rows(self) -> bool:
        """Whether rows may be there of which no entry tells, or that a second append leaves so."""
        if self.mode == "append" and self.ledger.entry(self.connection, self.interval):
            return True
        return self.ledger.has_lost_track(self.connection)

    def _finds_all_rows(self) -> bool:
        """Whether no other row of the interval can be in the table: users may have put such into
        one of their own."""
        return self.table.made_for == self.ledger.export and self.ledger.finds_all_rows(
            self.connection, self.interval, self.projection.membership, self.table.identity
        )

    def _delete_range(self, column: str) -> None:
        """All rows whose membership column lies in the interval.

        To delete nothing takes the right to delete, which a first delivery does not need.
        """
        where = staging.in_range(self.name.sql, column)
        bounds = [self.interval.start, self.interval.end]
        probe = sql.SQL("SELECT EXISTS (SELECT {})").format(where)
        found = self.connection.execute(probe, bounds).fetchone()
        if found and found[0]:
            self.connection.execute(sql.SQL("DELETE {}").format(where), bounds)

    def _has_rows_without(self, column: str) -> bool:
        """Whether rows came before the column did: no range finds them again, but their keys do."""
        statement = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS NULL)").format(
            self.name.sql, sql.Identifier(column)
        )
        found = self.connection.execute(statement).fetchone()
        return bool(found and found[0])

    def _blocks(self) -> int | None:
        """How many blocks the table has; None for one that is made of others."""
        row = self.connection.execute(
            "SELECT pg_relation_size(oid) / current_setting('block_size')::bigint FROM pg_class "
            "WHERE oid = to_regclass(%s) AND relkind = 'r'",
            [str(self.name)],
        ).fetchone()
        return int(row[0]) if row else None

    def _write_rejects(self, aside: Rejects) -> None:
        rejects.forget(self.connection, self.rejects, self.ledger.export, self.interval)
        rows = (
            rejects.reject_rows(
                batch, self.projection.identity, self.ledger.export, self.interval, self.run_id
            )
            for batch in aside.replay()
        )
        load(
            [Target(self.connection, self.rejects.sql)],
            Rows(rows, rejects.COLUMNS, rejects.TYPES, rejects.COLUMNS[:1]),
        )
