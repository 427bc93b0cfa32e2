"""What a delivery to PostgreSQL would do, as the table is now."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import ClientCursor, sql

from batch_exports.destinations.existing_table import columns_to_add
from batch_exports.destinations.planned import Planned, Step
from batch_exports.destinations.postgres import staging
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.errors import postgres_errors
from batch_exports.destinations.postgres.fit import fit
from batch_exports.destinations.postgres.ledger import Ledger
from batch_exports.destinations.postgres.load import copying
from batch_exports.destinations.postgres.preparation import add_column, create_tables
from batch_exports.destinations.postgres.stages import TEMPORARY, temporary_stage
from batch_exports.destinations.postgres.staging import Stage
from batch_exports.destinations.postgres.table import Table, exists, read_table
from batch_exports.destinations.postgres.types import made_type
from batch_exports.destinations.spelled_type import is_same
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval

_STRAIGHT = "straight into the table"
_STAGED = "staged, then moved into the table"


def plan(destination: PostgresDestination, interval: DataInterval) -> Planned:
    """By a session that may only read. Raises what keeps the server from being asked."""
    with (
        destination.connect(f"batch_exports {destination.export} plan") as connection,
        postgres_errors(
            destination.uri(interval),
            user=connection.info.user,
            schema=destination.name.schema,
        ),
    ):
        connection.read_only = True
        return _Plan(destination, interval, connection).told()


class _Plan:
    def __init__(
        self,
        destination: PostgresDestination,
        interval: DataInterval,
        connection: psycopg.Connection[Any],
    ) -> None:
        self._destination, self._interval = destination, interval
        self._connection = connection
        self._ledger = Ledger(destination.name, destination.export)
        self._table = read_table(connection, destination.name)

    def told(self) -> Planned:
        destination, table = self._destination, self._table
        made = {c.name: made_type(c) for c in destination.projection.columns}
        found = {c.name: c.shown for c in table.columns if c.name in made} if table else made
        place = destination.uri(self._interval)
        try:
            preparing, columns = self._preparing(), self._columns()
        except Terminal as error:
            return Planned(place, found, (), (), str(error))
        way, moving = self._moving(columns)
        left_out = [f"{n} is not there: the column is left out" for n in made if n not in columns]
        types = [
            f"{name} is {found[name]} there, and would be made as {made[name]}"
            for name in found
            if not is_same(found[name], made[name])
        ]
        return Planned(
            place,
            {name: found.get(name, made[name]) for name in columns},
            [*preparing, *moving],
            [*left_out, *types],
            way=way,
        )

    def _preparing(self) -> list[Step]:
        """What is missing, made. Raises `Terminal` where that is to fail."""
        destination = self._destination
        wanted = create_tables(
            destination.name, destination.export, destination.projection, destination.write_mode
        )
        steps = [
            self._step(f"make {name}, which is missing", statement)
            for name, statements in wanted.items()
            if not exists(self._connection, name)
            for statement in statements
        ]
        return steps + [
            self._step(f"add the column {column.name}", add_column(destination.name, column))
            for column in self._added
        ]

    @property
    def _added(self) -> Sequence[Any]:
        if self._table is None:
            return []
        destination = self._destination
        return columns_to_add(
            destination.projection, self._table, destination.name, destination.on_missing_column
        )

    def _columns(self) -> list[str]:
        """Those that are delivered. Raises `Terminal` for a table that cannot take the rows."""
        destination = self._destination
        names = [column.name for column in destination.projection.columns]
        if self._table is None:
            return names
        merge = destination.write_mode == "merge"
        fits = fit(destination.projection, self._table, destination.name, merge=merge)
        added = [column.name for column in self._added]
        return [name for name in names if name in fits.names or name in added]

    def _moving(self, columns: Sequence[str]) -> tuple[str, list[Step]]:
        match self._destination.write_mode:
            case "append":
                return self._loading(columns, [])
            case "merge":
                return self._merging(columns)
        range_column = self._destination.projection.membership_column
        if range_column in columns:
            assert range_column
            where = staging.in_range(self._destination.name.sql, range_column)
            bounds = [self._interval.start, self._interval.end]
            delete = sql.SQL("DELETE {}").format(where)
            return self._loading(
                columns, [self._step("delete what the interval has there", delete, bounds)]
            )
        return self._replacing(columns)

    def _loading(self, columns: Sequence[str], before: list[Step]) -> tuple[str, list[Step]]:
        """Into the table itself; with several connections by way of stages."""
        if self._destination.staged_by:
            return f"staged: {self._destination.staged_by}", [*before, *self._staging(columns)]
        load = self._step("load the rows", copying(self._destination.name.sql, columns))
        return _STRAIGHT, [*before, load]

    def _merging(self, columns: Sequence[str]) -> tuple[str, list[Step]]:
        stage = self._stage(columns)
        versions = self._destination.projection.model.versions
        merging = staging.merging(self._destination.name.sql, stage, versions, stage.rows)
        return f"{_STAGED}: rows are merged by their key", [
            *self._filling(columns),
            self._step("merge: insert new keys, update older versions", merging),
        ]

    def _replacing(self, columns: Sequence[str]) -> tuple[str, list[Step]]:
        """Where no column tells the interval: by who wrote the rows, else by their keys."""
        table = self._table
        if table is None or not exists(self._connection, self._ledger.name):
            return self._loading(columns, [])
        ledger, name = self._ledger, self._destination.name.sql
        written = ledger.written(self._connection, self._interval, table.identity)
        *_, last = written.conditions()
        delete = staging.deleting_written(name, last)
        before = [
            self._step("delete what deliveries of the interval wrote", delete, last.values)
        ] * bool(written.rows)
        if self._finds_all_rows(table):
            return self._loading(columns, before)
        others = ledger.other_writers(self._interval, table.identity)
        by_key = staging.deleting_by_key(name, self._stage(columns), others)
        return f"{_STAGED}: rows of these keys may be there", [
            *before,
            *self._filling(columns),
            self._step("delete rows of the same keys", by_key, others.values),
            self._step("move the rows", staging.appending(name, self._stage(columns))),
        ]

    def _finds_all_rows(self, table: Table) -> bool:
        return (
            table.made_for == self._destination.export
            and not self._ledger.has_lost_track(self._connection)
            and self._ledger.finds_all_rows(
                self._connection,
                self._interval,
                self._destination.projection.membership,
                table.identity,
            )
        )

    def _stage(self, columns: Sequence[str]) -> Stage:
        return Stage([TEMPORARY], columns, self._destination.projection.model.key)

    def _filling(self, columns: Sequence[str]) -> Iterator[Step]:
        create = temporary_stage(self._destination.name, columns)
        yield self._step("make a stage", create)
        yield self._step("load the rows into the stage", copying(TEMPORARY, columns))

    def _staging(self, columns: Sequence[str]) -> Iterator[Step]:
        yield from self._filling(columns)
        moving = staging.appending(self._destination.name.sql, self._stage(columns))
        yield self._step("move the rows", moving)

    def _step(self, what: str, statement: sql.Composed, values: Any = None) -> Step:
        if values:
            return Step(what, ClientCursor(self._connection).mogrify(statement, values))
        return Step(what, statement.as_string(self._connection))
