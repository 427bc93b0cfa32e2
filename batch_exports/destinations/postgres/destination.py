"""Deliveries to a table: rows, rejects and the ledger's entry in one transaction."""

from collections.abc import Callable, Generator, Mapping, Sequence
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
    LandedKeys,
    LandedVersions,
    Recorded,
)
from batch_exports.destinations.existing_table import OnMissingColumn, inspect_columns
from batch_exports.destinations.postgres.errors import postgres_errors
from batch_exports.destinations.postgres.fit import Fit, fit, type_problems
from batch_exports.destinations.postgres.inspection import (
    inspect_keys,
    inspect_rows,
    inspect_versions,
)
from batch_exports.destinations.postgres.ledger import Entry, Ledger
from batch_exports.destinations.postgres.lock import interval_lock
from batch_exports.destinations.postgres.preparation import WriteMode, prepare
from batch_exports.destinations.postgres.presence import Presence, find_presence
from batch_exports.destinations.postgres.rejects import rejects_of
from batch_exports.destinations.postgres.staged import (
    PostgresReceipt,
    ShardStage,
    has_vanished,
    label,
    open_staged,
    sweep,
)
from batch_exports.destinations.postgres.stages import Stages
from batch_exports.destinations.postgres.table import Table, TableName, read_table
from batch_exports.destinations.postgres.transfer import Transfer
from batch_exports.destinations.receipts import as_json, check_receipts, content_of, header
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.shard import Shard


@dataclass(frozen=True, kw_only=True)
class PostgresDestination:
    """Where one export's rows go.

    `connect` opens a connection under an application name; `address` is where
    to, as in `postgresql://host:port/database`. With a `parallelism` above one, so many
    connections fill tables of their own, out of which the one transaction then moves the rows; an
    interval that comes in `shards` fills as many.
    """

    connect: Callable[[str], psycopg.Connection[Any]]
    address: str
    name: TableName
    export: str
    projection: Projection
    write_mode: WriteMode = "replace"
    on_unrepresentable: OnUnrepresentable = OnUnrepresentable.REPLACE
    on_missing_column: OnMissingColumn = "ignore"
    parallelism: int = 1
    shards: int = 1

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(parses_json=True, jsonb=True, holds_nul=False)

    @property
    def staged_by(self) -> str:
        """The setting by which rows are staged in tables that a delivery makes; empty without."""
        if self.shards > 1:
            return f"shards: {self.shards}"
        return f"parallelism: {self.parallelism}" if self.parallelism > 1 else ""

    @property
    def rejects(self) -> TableName:
        return TableName(self.name.schema, rejects_of(self.name.name))

    def uri(self, interval: DataInterval) -> str:
        return f"{self.address}/{self.name.schema}/{self.name.name}"

    def write(self, batches: pa.RecordBatchReader, interval: DataInterval, run_id: str) -> Delivery:
        """Put the interval's rows into the table, in one transaction.

        Tables that are missing are made before, and stay. Whatever ends the run before the commit
        leaves no row behind. Where only the commit's answer is lost, the next try replaces what
        was committed; in the mode `append` it finds this run's entry, and adds nothing.
        """
        with self._connection(interval, run_id) as connection:
            entry = self._deliver(connection, batches, interval, run_id)
        return self._delivery(entry, interval)

    def stage(
        self, batches: pa.RecordBatchReader, interval: DataInterval, run_id: str, shard: Shard
    ) -> Mapping[str, Any]:
        """Put the shard's rows into an unlogged table of its own, and rejects into another.

        They stay until the interval's next commit, which drops them whosever they are.
        """
        with self._connection(interval, run_id) as connection:
            table = self._prepare(connection)
            if self.write_mode == "replace":
                self._refuse_others(connection)
            began, fitting = self._ledger.moment(connection), self._fit(table)
            stage = ShardStage(
                connection=connection,
                name=self.name,
                rejects=self.rejects,
                fit=fitting,
                projection=self.projection,
                policy=self.on_unrepresentable,
                export=self.export,
                interval=interval,
                run_id=run_id,
            )
            receipt = PostgresReceipt(
                **header(self.export, interval, run_id, shard, self._form(fitting)),
                **stage.fill(batches, shard),
                began=began,
            )
        return as_json(receipt)

    def commit(
        self, receipts: Sequence[Mapping[str, Any]], interval: DataInterval, run_id: str
    ) -> Delivery:
        """Move what the shards have staged into the table, in one transaction.

        Where only its answer was lost, the next try finds the shards' tables gone, and their very
        content in the ledger.
        """
        with self._connection(interval, run_id) as connection:
            table = self._prepare(connection)
            fitting = self._fit(table)
            form = self._form(fitting)
            parts = check_receipts(receipts, PostgresReceipt, self.export, interval, form)
            with connection.transaction():
                entry = self._commit(connection, parts, table, fitting, interval, run_id)
                sweep(connection, self.name, label(self.export, interval))
        return self._delivery(entry, interval)

    def rehearse(self, batches: pa.RecordBatchReader, interval: DataInterval) -> Delivery:
        """All that `write` does, and undone: nothing of it stays, not even a table that was
        missing. One connection does it, which adds no column to a table that is there."""
        alone = replace(self, parallelism=1, on_missing_column="ignore")
        with (
            self._connection(interval, "test") as connection,
            connection.transaction(force_rollback=True),
        ):
            entry = alone._deliver(connection, batches, interval, "test")
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
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
        """Rows are counted in the table in any case. Where nothing in them tells the interval,
        `deep` asks the source for their keys, and not the ledger who wrote them."""
        with self._landed(interval) as (connection, table, entry):
            delivery = self._delivery(entry, interval)
            presence = self._presence(connection, table, entry, interval, source_keys, deep=deep)
            if presence is None:
                return Landed(delivery, rows=None)
            return Landed(delivery, *inspect_rows(connection, presence, entry))

    def columns(self, interval: DataInterval, expected: pa.Schema) -> LandedColumns:
        with self._landed(interval) as (_, table, entry):
            return inspect_columns(
                self.projection,
                table,
                left_out=entry.missing_columns,
                type_problems=type_problems(self.projection, table),
            )

    def keys(self, interval: DataInterval, source_keys: KeyReader) -> LandedKeys:
        with self._landed(interval) as (connection, table, entry):
            presence = self._presence(connection, table, entry, interval, source_keys)
            assert presence
            return inspect_keys(connection, presence)

    def versions(self, interval: DataInterval, source_keys: KeyReader) -> LandedVersions:
        with self._landed(interval) as (connection, table, entry):
            presence = self._presence(connection, table, entry, interval, source_keys)
            assert presence
            return inspect_versions(connection, presence)

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.name, self.export)

    def _fit(self, table: Table) -> Fit:
        return fit(self.projection, table, self.name, merge=self.write_mode == "merge")

    def _deliver(
        self,
        connection: psycopg.Connection[Any],
        batches: pa.RecordBatchReader,
        interval: DataInterval,
        run_id: str,
    ) -> Entry:
        table = self._prepare(connection)
        transfer = self._transfer(connection, table, self._fit(table), interval, run_id)
        with transfer.stages, connection.transaction():
            return self._begin(connection, interval, run_id) or transfer.deliver(batches)

    def _commit(
        self,
        connection: psycopg.Connection[Any],
        parts: Sequence[PostgresReceipt],
        table: Table,
        fitting: Fit,
        interval: DataInterval,
        run_id: str,
    ) -> Entry:
        if done := self._begin(connection, interval, run_id):
            return done
        if has_vanished(connection, self.name.schema, parts):
            done = self._ledger.entry(connection, interval)
            if done and done.content_sha256 == content_of(parts):
                return done
        staged = open_staged(connection, self.name.schema, parts, interval)
        transfer = self._transfer(connection, table, fitting, interval, run_id)
        return transfer.deliver_staged(staged)

    def _prepare(self, connection: psycopg.Connection[Any]) -> Table:
        return prepare(
            connection,
            self.name,
            self.export,
            self.projection,
            self.write_mode,
            self.on_missing_column,
        )

    def _transfer(
        self,
        connection: psycopg.Connection[Any],
        table: Table,
        fitting: Fit,
        interval: DataInterval,
        run_id: str,
    ) -> Transfer:
        stages = Stages(
            lambda: self._connect(interval, run_id),
            self.name,
            fitting.names,
            label=label(self.export, interval),
            count=self.parallelism,
        )
        return Transfer(
            connection=connection,
            stages=stages,
            ledger=self._ledger,
            rejects=self.rejects,
            table=table,
            fit=fitting,
            projection=self.projection,
            interval=interval,
            run_id=run_id,
            mode=self.write_mode,
            policy=self.on_unrepresentable,
        )

    def _form(self, fitting: Fit) -> str:
        """All that the shards' tables and the export's must have in common."""
        columns = zip(fitting.names, fitting.types, strict=True)
        told = ", ".join(f"{name} {type_}" for name, type_ in columns)
        return f"{self.name} ({told})"

    @contextmanager
    def _connection(
        self, interval: DataInterval, run_id: str
    ) -> Generator[psycopg.Connection[Any], None, None]:
        with (
            self._connect(interval, run_id) as connection,
            postgres_errors(self.uri(interval), user=connection.info.user, schema=self.name.schema),
        ):
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise Terminal(
                    f"The database is encoded in {encoding}, which cannot hold every character.",
                    remedy="Export to a database that was created with ENCODING 'UTF8'.",
                )
            yield connection

    def _connect(self, interval: DataInterval, run_id: str) -> psycopg.Connection[Any]:
        """A connection whose transactions begin and end with their blocks.

        Whatever the database has as its default, each statement there sees what was committed
        before it: by the run that held a lock, above all.
        """
        began = f"{interval.start:%Y-%m-%dT%H:%MZ}"
        connection = self.connect(f"batch_exports {self.export} {began} {run_id}")
        connection.autocommit = True
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        return connection

    def _begin(
        self, connection: psycopg.Connection[Any], interval: DataInterval, run_id: str
    ) -> Entry | None:
        """Take the interval's lock. The entry of a delivery that is done already, if this is one:
        a second append of one run. Raises `Terminal` for a table that another export replaces
        rows of."""
        connection.execute("SET TRANSACTION READ WRITE")
        # A crash of the server must not take with it what was told as delivered.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', true) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        interval_lock(connection, self.name, self.export, interval)
        if self.write_mode == "append":
            earlier = self._ledger.entry(connection, interval)
            return earlier if earlier and earlier.run_id == run_id else None
        if self.write_mode == "replace":
            self._refuse_others(connection)
        return None

    def _refuse_others(self, connection: psycopg.Connection[Any]) -> None:
        if others := self._ledger.other_exports(connection):
            raise Terminal(
                f"{self.name} has deliveries of the export {others[0]!r}, which this one would "
                "replace.",
                remedy="Give each export a table of its own. If the export was renamed, run: "
                f"{self._ledger.adopting(others[0], self.rejects)}",
            )

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
        entry: Entry,
        interval: DataInterval,
        source_keys: KeyReader | None,
        *,
        deep: bool = False,
    ) -> Presence | None:
        merge = self.write_mode == "merge"
        by_writer = not merge and not (deep and source_keys)
        return find_presence(
            connection,
            self.name,
            self._fit(table),
            self.projection,
            self._ledger.other_writers(interval, table.identity),
            interval,
            source_keys,
            written=self._ledger.written(connection, interval, table.identity)
            if by_writer
            else None,
            rejects=self.rejects if entry.rejected else None,
            export=self.export,
            merge=merge,
        )

    def _delivery(self, entry: Entry, interval: DataInterval) -> Delivery:
        uri = self.uri(interval)
        beside = f"{self.address}/{self.name.schema}"
        return Delivery(
            uri=uri,
            record=f"{beside}/{self._ledger.name.name}",
            rows=entry.rows,
            rejected=entry.rejected,
            replaced=entry.replaced,
            bytes=entry.bytes,
            aside=f"{beside}/{self.rejects.name}" if entry.rejected or entry.replaced else None,
            changed=entry.changed if self.write_mode == "merge" else None,
        )
