"""Deliveries to a Redshift table: staged by COPY or INSERT, then moved in one transaction."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pyarrow as pa

from batch_exports.destinations.delivery import (
    Delivery,
    KeyReader,
    Landed,
    LandedColumns,
    LandedCycles,
    LandedKeys,
    LandedVersions,
    Recorded,
)
from batch_exports.destinations.existing_table import OnMissingColumn, inspect_columns
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.rejects import rejects_of
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.copy import CopyLoader
from batch_exports.destinations.redshift.errors import redshift_errors
from batch_exports.destinations.redshift.fit import Fit, check_fit, fit, range_column, type_problems
from batch_exports.destinations.redshift.inspection import (
    inspect_keys,
    inspect_rows,
    inspect_versions,
    strangers,
)
from batch_exports.destinations.redshift.isolation import is_serializable, retried
from batch_exports.destinations.redshift.ledger import Entry, Ledger
from batch_exports.destinations.redshift.loading import Loader
from batch_exports.destinations.redshift.merged_ids_view import find_cycles, make_view
from batch_exports.destinations.redshift.preparation import Design, prepare
from batch_exports.destinations.redshift.presence import Presence, by_source_keys, in_range
from batch_exports.destinations.redshift.rejected_keys import Rejected
from batch_exports.destinations.redshift.settlement import Settlement, StagedRows
from batch_exports.destinations.redshift.sharded import ShardedLoad
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.destinations.redshift.staging import stage_rows
from batch_exports.destinations.redshift.straight import Cluster, Straight, stage_straight
from batch_exports.destinations.redshift.table import Table, read_table
from batch_exports.destinations.redshift.types import SemiStructuredType
from batch_exports.destinations.redshift.ways import choose_loader, held, super_limits
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.shard import Shard


@dataclass(frozen=True, kw_only=True)
class RedshiftDestination:
    """Where one export's rows go.

    `connect` opens a connection under an application name; `address` is where to, as in
    `redshift://host:port/database`. Rows are loaded by COPY `copy_from` an area on S3, or without
    one by INSERT; or `straight` from files that another export delivered, where these are as the
    table needs them. The last fields say how a missing table is made, and `resolved_view` names a
    view on merged IDs beside it.
    """

    connect: Callable[[str], psycopg.Connection[Any]]
    address: str
    name: TableName
    export: str
    projection: Projection
    copy_from: StageArea | None
    straight: Straight | None = None
    write_mode: WriteMode = "replace"
    on_unrepresentable: OnUnrepresentable = OnUnrepresentable.REPLACE
    on_missing_column: OnMissingColumn = "ignore"
    semi_structured_type: SemiStructuredType = "SUPER"
    dist_key: str | None = None
    sort_key: tuple[str, ...] = ()
    resolved_view: str | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(parses_json=True, holds_nul=False)

    @property
    def rejects(self) -> TableName:
        return TableName(self.name.schema, rejects_of(self.name.name))

    @property
    def design(self) -> Design:
        return Design(self.semi_structured_type, self.dist_key, self.sort_key)

    def uri(self, interval: DataInterval) -> str:
        return f"{self.address}/{self.name.schema}/{self.name.name}"

    def write(self, batches: pa.RecordBatchReader, interval: DataInterval, run_id: str) -> Delivery:
        """Stage the interval's rows, then move them into the table in one transaction.

        Tables that are missing are made before, and stay. Whatever ends the run before the commit
        leaves no row behind, and nothing on S3 that the next run of the interval does not sweep.
        Where only the commit's answer is lost, the next try replaces what was committed; in the
        mode `append` it finds this run's entry, and adds nothing.
        """
        with (
            self._connection(interval, run_id) as connection,
            held(self.copy_from, self.export, interval, run_id),
        ):
            settlement, staged = self._stage(connection, batches, interval, run_id)

            def settle() -> Entry:
                with connection.transaction():
                    return settlement.settle(connection, staged)

            entry = retried(settle)
        return replace(self._delivery(entry, interval), way=staged.way)

    def stage(
        self, batches: pa.RecordBatchReader, interval: DataInterval, run_id: str, shard: Shard
    ) -> Mapping[str, Any]:
        """Put the shard's rows as files into the interval's folder on S3, which COPY needs.

        They stay until the interval's next commit, which deletes them whosever they are.
        """
        with self._connection(interval, run_id) as connection:
            return self._sharded(connection, interval, run_id).stage(batches, shard)

    def commit(
        self, receipts: Sequence[Mapping[str, Any]], interval: DataInterval, run_id: str
    ) -> Delivery:
        with self._connection(interval, run_id) as connection:
            entry = self._sharded(connection, interval, run_id).commit(receipts)
        return self._delivery(entry, interval)

    def rehearse(self, batches: pa.RecordBatchReader, interval: DataInterval) -> Delivery:
        """All that `write` does, and undone: nothing of it stays, not even a table that was
        missing. It adds no column to a table that is there."""
        alone = replace(self, on_missing_column="ignore", straight=None)
        with (
            self._connection(interval, "test") as connection,
            held(self.copy_from, self.export, interval, "test"),
            connection.transaction(force_rollback=True),
        ):
            settlement, staged = alone._stage(connection, batches, interval, "test")
            entry = settlement.settle(connection, staged)
        return self._delivery(entry, interval)

    def delivery(self, interval: DataInterval) -> Delivery:
        with self._landed(interval) as (_, _, entry):
            return self._delivery(entry, interval)

    def recorded(self, intervals: Sequence[DataInterval]) -> Mapping[DataInterval, Recorded]:
        if not intervals:
            return {}
        with self._connection(intervals[0], "look") as connection:
            if read_table(connection, self._ledger.name) is None:
                return {}
            return self._ledger.recorded(connection, intervals)

    def inspect(
        self,
        interval: DataInterval,
        *,
        deep: bool = False,
        source_keys: KeyReader | None = None,
    ) -> Landed:
        """Rows are counted in the table in any case, where nothing in them tells the interval by
        the source's keys."""
        with self._landed(interval) as (connection, table, entry):
            delivery = self._delivery(entry, interval)
            presence = self._presence(connection, table, interval, source_keys)
            if presence is None:
                return Landed(delivery, None, strangers(entry))
            rows, problems = inspect_rows(connection, presence, entry)
            return Landed(delivery, rows, (*problems, *strangers(entry)))

    def columns(self, interval: DataInterval, expected: pa.Schema) -> LandedColumns:
        with self._landed(interval) as (_, table, entry):
            return inspect_columns(
                self.projection,
                table,
                left_out=entry.missing_columns,
                type_problems=type_problems(self.projection, table),
            )

    def keys(self, interval: DataInterval, source_keys: KeyReader) -> LandedKeys:
        with self._landed(interval) as (connection, table, _):
            presence = self._presence(connection, table, interval, source_keys)
            assert presence
            return inspect_keys(connection, presence)

    def versions(self, interval: DataInterval, source_keys: KeyReader) -> LandedVersions:
        with self._landed(interval) as (connection, table, _):
            presence = self._presence(connection, table, interval, source_keys)
            assert presence
            return inspect_versions(connection, presence)

    def cycles(self, interval: DataInterval) -> LandedCycles:
        with self._landed(interval) as (connection, _, _):
            return find_cycles(connection, self._view)

    @property
    def _view(self) -> TableName:
        assert self.resolved_view
        return TableName(self.name.schema, self.resolved_view)

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.name, self.export)

    @property
    def _merges(self) -> bool:
        return self.write_mode == "merge"

    def _stage(
        self,
        connection: psycopg.Connection[Any],
        batches: Iterable[pa.RecordBatch],
        interval: DataInterval,
        run_id: str,
    ) -> tuple[Settlement, StagedRows]:
        """Make what tables are missing, and bring the rows as far as the session's stages."""
        table = self._prepare(connection)
        loader = self._loader(connection, interval)
        fitting = self._fit(connection, table, loader)
        settlement = self._settlement(connection, fitting, interval, run_id)

        def stage(rows: Iterable[pa.RecordBatch]) -> StagedRows:
            return stage_rows(
                connection,
                rows,
                loader=loader,
                fit=fitting,
                projection=self.projection,
                policy=self.on_unrepresentable,
                export=self.export,
                interval=interval,
                run_id=run_id,
            )

        if self.straight is None or self.copy_from is None:
            return settlement, stage(batches)
        cluster = Cluster(connection, self.copy_from.authorization, self.name.schema)
        return settlement, stage_straight(
            cluster,
            batches,
            interval,
            straight=self.straight,
            fit=fitting,
            projection=self.projection,
            policy=self.on_unrepresentable,
            otherwise=stage,
        )

    def _sharded(
        self, connection: psycopg.Connection[Any], interval: DataInterval, run_id: str
    ) -> ShardedLoad:
        table = self._prepare(connection)
        loader = self._loader(connection, interval)
        assert isinstance(loader, CopyLoader), "rows wait in files: INSERT has none"
        fitting = self._fit(connection, table, loader)
        return ShardedLoad(
            connection=connection,
            settlement=self._settlement(connection, fitting, interval, run_id),
            loader=loader,
            fit=fitting,
            policy=self.on_unrepresentable,
        )

    def _prepare(self, connection: psycopg.Connection[Any]) -> Table:
        """The table, made if it is missing, with all that stands beside it."""
        table = prepare(connection, self.name, self.projection, self.design, self.on_missing_column)
        if self.resolved_view:
            make_view(connection, self.name, self._view)
        return table

    def _settlement(
        self,
        connection: psycopg.Connection[Any],
        fitting: Fit,
        interval: DataInterval,
        run_id: str,
    ) -> Settlement:
        return Settlement(
            ledger=self._ledger,
            rejects=self.rejects,
            projection=self.projection,
            range_column=fitting.range_column,
            missing_columns=[column.name for column in fitting.missing],
            interval=interval,
            run_id=run_id,
            mode=self.write_mode,
            serializable=is_serializable(connection),
            deliveries_before=self._ledger.overlapping(connection, interval),
        )

    def _loader(self, connection: psycopg.Connection[Any], interval: DataInterval) -> Loader:
        return choose_loader(connection, self.copy_from, self.export, interval)

    def _fit(self, connection: psycopg.Connection[Any], table: Table, loader: Loader) -> Fit:
        return fit(
            self.projection,
            table,
            self.name,
            merge=self._merges,
            row_bytes=loader.row_bytes,
            super_limits=super_limits(connection, loader),
        )

    @contextmanager
    def _connection(
        self, interval: DataInterval, run_id: str
    ) -> Generator[psycopg.Connection[Any], None, None]:
        area, began = self.copy_from, f"{interval.start:%Y-%m-%dT%H:%MZ}"
        with (
            self.connect(f"batch_exports {self.export} {began} {run_id}") as connection,
            redshift_errors(
                self.uri(interval),
                user=connection.info.user,
                schema=self.name.schema,
                authorization=area.authorization if area else None,
                stage=area.uri if area else "",
            ),
        ):
            connection.autocommit = True
            yield connection

    @contextmanager
    def _landed(
        self, interval: DataInterval
    ) -> Generator[tuple[psycopg.Connection[Any], Table, Entry], None, None]:
        """The table, and the ledger's entry of the interval. Raises `Terminal` without either."""
        with self._connection(interval, "check") as connection:
            table = read_table(connection, self.name)
            entry = (
                self._ledger.entry(connection, interval)
                if read_table(connection, self._ledger.name)
                else None
            )
            if table is None or entry is None:
                missing = (
                    f"{self._ledger.name} has no entry of it" if table else "there is no table"
                )
                raise Terminal(
                    f"Nothing was delivered to {self.name} for {interval}: {missing}.",
                    remedy="Materialize the partition.",
                )
            yield connection, table, entry

    def _presence(
        self,
        connection: psycopg.Connection[Any],
        table: Table,
        interval: DataInterval,
        source_keys: KeyReader | None,
    ) -> Presence | None:
        check_fit(self.projection, table, self.name, merge=self._merges)
        column = None if self._merges else range_column(self.projection, table)
        if column:
            return in_range(self.name, column, interval, self.projection)
        if source_keys is None:
            return None
        loader = self._loader(connection, interval)
        return by_source_keys(
            connection,
            self.name,
            self._fit(connection, table, loader),
            self.projection,
            source_keys,
            loader,
            merged_but=Rejected(self.rejects, self.export, interval) if self._merges else None,
        )

    def _delivery(self, entry: Entry, interval: DataInterval) -> Delivery:
        beside = f"{self.address}/{self.name.schema}"
        return Delivery(
            uri=self.uri(interval),
            record=f"{beside}/{self._ledger.name.name}",
            rows=entry.rows,
            rejected=entry.rejected,
            replaced=entry.replaced,
            bytes=entry.bytes,
            aside=f"{beside}/{self.rejects.name}" if entry.rejected or entry.replaced else None,
            changed=entry.changed if self._merges else None,
        )
