"""One sync of a table: what changed since the sync before, found and kept in one transaction."""

import hashlib
import uuid
from collections.abc import Iterable
from typing import Any

import psycopg

from batch_exports.interval import DataInterval
from batch_exports.sources.warehouse import difference
from batch_exports.sources.warehouse.catalog import columns
from batch_exports.sources.warehouse.state import OPERATION, REASON, Sync
from batch_exports.sources.warehouse.synced_table import SyncedTable


def sync(connection: psycopg.Connection[Any], synced: SyncedTable, interval: DataInterval) -> Sync:
    """The interval's sync: the one that there is, or a new one, which the caller commits.

    An interval that is not later than the newest sync's was passed over: what happened until then
    that sync has found, and it gets one of no rows. Raises psycopg's errors, and `Terminal` for a
    table that the mapping does not fit.
    """
    state = synced.state
    state.lock(connection)
    if found := state.find(connection, interval):
        return found
    number = state.next_number(connection)
    newest = state.newest(connection)
    if newest is not None and interval.start <= newest.interval.start:
        made = Sync(
            number,
            interval,
            batch_id(synced.source, interval),
            "covered",
            f"covered by {newest.interval}",
        )
    else:
        made = _Comparison(connection, synced, interval, number, newest).run()
    state.record(connection, made)
    return made


def batch_id(source: str, interval: DataInterval) -> str:
    """What a source's sync of an interval is known by, however often it is made."""
    bounds = f"{interval.start.isoformat()}/{interval.end.isoformat()}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"batch_exports/{source}/{bounds}"))


class _Comparison:
    """The statements of one sync, in their order."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        synced: SyncedTable,
        interval: DataInterval,
        number: int,
        newest: Sync | None,
    ) -> None:
        self._connection, self._synced, self._interval = connection, synced, interval
        self._number, self._newest = number, newest
        self._state, self._dialect = synced.state, synced.dialect
        there = columns(connection, synced.table, synced.dialect)
        self._mapped = synced.mapping.fit(there, synced.table)
        both = f"{synced.sha256} {self._mapped.sha256}"
        self._generation = hashlib.sha256(both.encode()).hexdigest()[:8]
        self._snapshot = self._state.snapshot(number)

    def run(self) -> Sync:
        state, mapped, number = self._state, self._mapped, self._number
        why = self._why_full()
        self._begin_generation()
        self._take_snapshot()
        delta = state.delta(self._generation)
        if why:
            self._execute(difference.keep_all(delta, self._snapshot, mapped, number))
        else:
            assert self._newest
            before = state.snapshot(self._newest.number)
            self._execute(
                difference.keep_changed(
                    delta, self._snapshot, before, mapped, self._dialect, number
                )
            )
        generations = [self._generation, *self._keep_vanished()]
        self._replace_snapshot()
        return self._told(why, dict.fromkeys(generations))

    def _why_full(self) -> str:
        """Why all rows are told; empty where those that changed are enough."""
        newest = self._newest
        if newest is None:
            return "the first sync"
        if newest.mapping_sha256 != self._synced.sha256:
            return "the table or its mapping changed"
        if newest.schema_sha256 != self._mapped.sha256:
            return "the table's columns changed"
        return "mode: full" if self._synced.mode == "full" else ""

    def _begin_generation(self) -> None:
        if self._state.mapping(self._connection, self._generation) is None:
            self._state.keep_mapping(self._connection, self._generation, self._mapped)
            self._made = True
        else:
            self._made = False

    def _take_snapshot(self) -> None:
        state, mapped, snapshot = self._state, self._mapped, self._snapshot
        self._execute(difference.take_snapshot(snapshot, self._synced.table, mapped, self._dialect))
        delta, rejects = state.delta(self._generation), state.rejects(self._generation)
        if self._made:
            self._execute(difference.make_changes(delta, snapshot, mapped, what=OPERATION))
            self._execute(difference.make_changes(rejects, snapshot, mapped, what=REASON))
        self._execute(difference.keep_rejects(rejects, snapshot, mapped, self._number))

    def _keep_vanished(self) -> list[str]:
        """In the tables of the sync before, whose columns they have; their generation."""
        newest = self._newest
        if self._synced.mode != "mirror" or newest is None:
            return []
        was = self._state.mapping(self._connection, newest.generation)
        assert was
        self._execute(
            difference.keep_vanished(
                self._state.delta(newest.generation),
                self._snapshot,
                self._state.snapshot(newest.number),
                was,
                self._mapped,
                self._dialect,
                self._number,
            )
        )
        return [newest.generation]

    def _replace_snapshot(self) -> None:
        newest = self._newest
        if newest is not None:
            before = self._state.snapshot(newest.number)
            if newest.generation == self._generation:
                self._execute(difference.carry_over(self._snapshot, before, self._mapped))
            self._execute(difference.drop_table(before))
        self._execute(difference.drop_invalid(self._snapshot))

    def _told(self, why: str, generations: Iterable[str]) -> Sync:
        operations = {"insert": 0, "update": 0, "delete": 0}
        parts = []
        for generation in generations:
            found = self._count(
                difference.count_in(self._state.delta(generation), OPERATION, self._number)
            )
            for operation, rows in found.items():
                operations[operation] += rows
            if rows := sum(found.values()):
                parts.append((generation, rows))
        rejects = self._state.rejects(self._generation)
        return Sync(
            self._number,
            self._interval,
            batch_id(self._synced.source, self._interval),
            "full" if why else "delta",
            why,
            self._generation,
            self._synced.sha256,
            self._mapped.sha256,
            parts,
            operations["insert"],
            operations["update"],
            operations["delete"],
            self._count(difference.count_in(rejects, REASON, self._number)),
        )

    def _count(self, query: Any) -> dict[str, int]:
        return {what: int(rows) for what, rows in self._connection.execute(query).fetchall()}

    def _execute(self, statement: Any) -> None:
        self._connection.execute(statement)
