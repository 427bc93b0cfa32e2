"""A table of a warehouse, of which each data interval has what a sync found changed."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg.pq import TransactionStatus

from batch_exports.destinations.redshift.isolation import retried
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.sources.description import Description
from batch_exports.sources.rejections import Rejections
from batch_exports.sources.source import Selection
from batch_exports.sources.warehouse import difference
from batch_exports.sources.warehouse.errors import warehouse_errors
from batch_exports.sources.warehouse.events import Events
from batch_exports.sources.warehouse.mapping import MappedTable
from batch_exports.sources.warehouse.reading import answers
from batch_exports.sources.warehouse.state import Sync, exists
from batch_exports.sources.warehouse.sync import sync
from batch_exports.sources.warehouse.synced_table import SyncedTable
from batch_exports.sources.warehouse.unloading import unloaded

_CANCEL_SECONDS = 5


@dataclass(frozen=True)
class WarehouseTable:
    """`connect` takes a name for the session, `address` is what it leads to, for people. With a
    `stage`, rows come by way of files that UNLOAD of Redshift writes there."""

    synced: SyncedTable
    connect: Callable[[str], psycopg.Connection[Any]]
    address: str
    stage: StageArea | None = None
    run_id: str = ""

    @contextmanager
    def read(
        self, selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatchReader, None, None]:
        """Sync the table, unless the interval was synced before; then stream what that found."""
        with self.session(str(interval)) as connection:
            found = self._synced(connection, interval)
            batches = self._events(connection, selection, found)
            with closing(batches):
                yield pa.RecordBatchReader.from_batches(selection.schema, batches)

    def count(self, selection: Selection, interval: DataInterval) -> int:
        """Count what the interval's sync found, which is made first where there is none."""
        return self.counts(selection, [interval])[0]

    def counts(self, selection: Selection, intervals: Sequence[DataInterval]) -> list[int]:
        """Count what each interval's sync found, by one query for each mapping that there was."""
        if not intervals:
            return []
        with self.session(f"{intervals[0]} count") as connection:
            state = self.synced.state
            state.make(connection)
            syncs = state.within(connection, intervals)
            connection.rollback()
            for interval in sorted(set(intervals) - syncs.keys()):
                syncs[interval] = self._synced(connection, interval)
            wanted = [syncs[interval] for interval in intervals]
            rows = dict.fromkeys((one.number for one in wanted), 0)
            for generation in dict.fromkeys(g for one in wanted for g, _ in one.parts):
                query = difference.count_by(state.delta(generation), list(rows))
                for number, found in connection.execute(query).fetchall():
                    rows[number] += found
        return [rows[one.number] for one in wanted]

    def describe(self, selection: Selection, interval: DataInterval) -> Description:
        """Without a sync, since that would change its state."""
        state, place = self.synced.state, f"{self.address} {self.synced.table}"
        with self.session(f"{interval} plan") as connection:
            found = state.find(connection, interval) if exists(connection, state.mappings) else None
            if found is None:
                return Description(
                    place,
                    note="The interval is not synced yet: the table is compared with what it was "
                    f"at the sync before, which {state.syncs} tells.",
                    uncounted="a sync would have to find what changed",
                )
            queries = [
                Events(self._mapping(connection, generation), self.synced.dialect, selection)
                .query(state.delta(generation), found.number, ordered=True)
                .as_string(connection)
                for generation, _ in found.parts
            ]
        return Description(
            place,
            ";\n".join(queries) or None,
            note=f"Synced at {found.sent_at:%Y-%m-%dT%H:%M:%SZ}.",
            # Of other intervals, which a caller may have as well, it may be that none is synced.
            uncounted=f"its sync found {found.rows}",
        )

    def rejections(self, selection: Selection, interval: DataInterval) -> Rejections:
        """What the interval's sync found invalid, with some of the keys; nothing where it was never
        synced."""
        state = self.synced.state
        with self.session(f"{interval} rejections") as connection:
            state.make(connection)
            found = state.find(connection, interval)
            if found is None or not found.rejected:
                return Rejections()
            mapped = self._mapping(connection, found.generation)
            where = state.rejects(found.generation)
            query = difference.some_keys(where, mapped, self.synced.dialect, found.number)
            keys = connection.execute(query).fetchall()
        return Rejections(
            {difference.REASONS[reason]: rows for reason, rows in found.rejected.items()},
            [", ".join("NULL" if part is None else part for part in key) for key in keys],
            str(where),
        )

    @contextmanager
    def session(self, label: str) -> Generator[psycopg.Connection[Any], None, None]:
        """A connection whose errors are ours, and whose query ends with the block."""
        connection = self.connect(f"batch_exports {self.synced.source} {label} {self.run_id}")
        try:
            with self._errors(connection):
                yield connection
        finally:
            _end(connection)

    def _errors(self, connection: psycopg.Connection[Any]) -> AbstractContextManager[None]:
        stage = self.stage
        return warehouse_errors(
            self.address,
            connection.info.user,
            self.synced,
            authorization=stage.authorization if stage else None,
            stage=stage.uri if stage else "",
        )

    def _synced(self, connection: psycopg.Connection[Any], interval: DataInterval) -> Sync:
        state = self.synced.state
        state.make(connection)
        if found := state.find(connection, interval):
            connection.rollback()
            return found
        connection.rollback()

        def transaction() -> Sync:
            try:
                made = sync(connection, self.synced, interval)
                connection.commit()
            except BaseException:
                with suppress(psycopg.Error):
                    connection.rollback()
                raise
            return made

        return retried(transaction)

    def _events(
        self, connection: psycopg.Connection[Any], selection: Selection, found: Sync
    ) -> Generator[pa.RecordBatch, None, None]:
        for generation, rows in found.parts:
            mapped = self._mapping(connection, generation)
            batches = self._part(connection, selection, found, generation, mapped)
            read = 0
            # A reader of the rows must not take the errors for its own.
            with self._errors(connection), closing(batches):
                for batch in batches:
                    read += batch.num_rows
                    yield batch
            if read != rows:
                raise Terminal(
                    f"{self.synced.state.delta(generation)} has {read} rows of the sync of "
                    f"{found.interval}, and had {rows} when it was made.",
                    remedy="Give the rows back that were deleted there, or sync anew: drop the "
                    "source's tables of state.",
                )

    def _part(
        self,
        connection: psycopg.Connection[Any],
        selection: Selection,
        found: Sync,
        generation: str,
        mapped: MappedTable,
    ) -> Generator[pa.RecordBatch, None, None]:
        dialect, stage = self.synced.dialect, self.stage
        events = Events(mapped, dialect, selection, unloaded=stage is not None)
        delta = self.synced.state.delta(generation)
        query = events.query(delta, found.number, ordered=stage is None)
        if stage is not None:
            folder = stage.folder(self.synced.source, found.interval)
            rows = unloaded(
                connection, query, events.answers, folder, dict(found.parts)[generation]
            )
        else:
            where = f"{self.address} {self.synced.table}"
            rows = answers(connection, query, events.answers, dialect, where)
        with closing(rows):
            for batch in rows:
                yield events.of(batch, found)

    def _mapping(self, connection: psycopg.Connection[Any], generation: str) -> MappedTable:
        state = self.synced.state
        mapped = state.mapping(connection, generation)
        if mapped is None:
            raise Terminal(
                f"{state.mappings} does not have the mapping {generation} any more.",
                remedy="Give it back, or sync anew: drop the source's tables of state.",
            )
        return mapped


def _end(connection: psycopg.Connection[Any]) -> None:
    """Whatever it still does on the server ends."""
    with suppress(psycopg.Error):
        if connection.info.transaction_status is TransactionStatus.ACTIVE:
            connection.cancel_safe(timeout=_CANCEL_SECONDS)
    connection.close()
