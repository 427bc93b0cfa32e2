"""What a delivery to Redshift would do, as the table is now."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import ClientCursor, sql

from batch_exports.destinations.existing_table import columns_to_add
from batch_exports.destinations.planned import Planned, Step
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift import moves
from batch_exports.destinations.redshift.authorization import DefaultRole, Role
from batch_exports.destinations.redshift.cluster import most_string_bytes
from batch_exports.destinations.redshift.copy import copying
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.redshift.errors import redshift_errors
from batch_exports.destinations.redshift.fit import Fit, fit
from batch_exports.destinations.redshift.insert import inserting
from batch_exports.destinations.redshift.loading import Stage, creating, insert_from
from batch_exports.destinations.redshift.merged_ids_view import resolving_view
from batch_exports.destinations.redshift.preparation import add_column, create_tables
from batch_exports.destinations.redshift.staging import row_stage
from batch_exports.destinations.redshift.straight import obstacle
from batch_exports.destinations.redshift.table import Table, TableColumn, read_table
from batch_exports.destinations.redshift.types import data_type_of, made_type
from batch_exports.destinations.spelled_type import is_same
from batch_exports.errors import BatchExportError, Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import Column
from batch_exports.transform.capabilities import SuperLimits


def plan(destination: RedshiftDestination, interval: DataInterval) -> Planned:
    """Raises what keeps the cluster from being asked."""
    with (
        destination.connect(f"batch_exports {destination.export} plan") as connection,
        redshift_errors(
            destination.uri(interval),
            user=connection.info.user,
            schema=destination.name.schema,
            authorization=None,
            stage="",
        ),
    ):
        connection.autocommit = True
        return _Plan(destination, interval, connection).told()


class _Plan:
    def __init__(
        self,
        destination: RedshiftDestination,
        interval: DataInterval,
        connection: psycopg.Connection[Any],
    ) -> None:
        self._destination, self._interval = destination, interval
        self._connection = connection
        self._table = read_table(connection, destination.name)

    def told(self) -> Planned:
        destination, table = self._destination, self._table
        semi = destination.semi_structured_type
        made = {c.name: made_type(c, semi) for c in destination.projection.columns}
        found = {c.name: c.shown for c in table.columns if c.name in made} if table else made
        place = destination.uri(self._interval)
        try:
            added = self._added()
            fitting = self._fit(self._with(added))
        except Terminal as error:
            return Planned(place, found, (), (), str(error))
        way, loading = self._loading(fitting)
        left_out = [f"{c.name} is not there: the column is left out" for c in fitting.missing]
        types = [
            f"{name} is {found[name]} there, and would be made as {made[name]}"
            for name in found
            if not is_same(found[name], made[name])
        ]
        return Planned(
            place,
            {name: found.get(name, made[name]) for name in fitting.names},
            [*self._preparing(added), *loading, *self._moving(fitting)],
            [*left_out, *types],
            way=way,
        )

    def _added(self) -> list[Column]:
        if self._table is None:
            return []
        destination = self._destination
        return columns_to_add(
            destination.projection, self._table, destination.name, destination.on_missing_column
        )

    def _with(self, added: Sequence[Column]) -> Table:
        """The table as the delivery would find it."""
        semi, projection = self._destination.semi_structured_type, self._destination.projection
        made = projection.columns if self._table is None else added
        columns = list(self._table.columns) if self._table else []
        return Table([*columns, *(_made(column.name, made_type(column, semi)) for column in made)])

    def _fit(self, table: Table) -> Fit:
        destination = self._destination
        return fit(
            destination.projection,
            table,
            destination.name,
            merge=destination.write_mode == "merge",
            row_bytes=None,
            super_limits=SuperLimits(string_bytes=most_string_bytes(self._connection)),
        )

    def _preparing(self, added: Sequence[Column]) -> Iterator[Step]:
        """What is missing, made."""
        destination = self._destination
        wanted = create_tables(destination.name, destination.projection, destination.design)
        for name, statement in wanted.items():
            if read_table(self._connection, name) is None:
                yield self._step(f"make {name}, which is missing", statement)
        for column in added:
            adding = add_column(destination.name, column, destination.design)
            yield self._step(f"add the column {column.name}", adding)
        if destination.resolved_view:
            view = TableName(destination.name.schema, destination.resolved_view)
            yield self._step(
                f"make the view {view}, unless it is there", resolving_view(destination.name, view)
            )

    def _loading(self, fitting: Fit) -> tuple[str, list[Step]]:
        """Into the stage, and why by that way."""
        destination, stage = self._destination, row_stage(fitting)
        area = destination.copy_from
        making = self._step("make a stage", creating(stage))
        if area is None:
            begin = self._step("load the rows, as many a statement as fit", inserting(stage))
            return "staged by INSERT", [making, Step(begin.what, f"{begin.text}...")]
        authorization: sql.Composable = sql.SQL("<the authorization>")
        if isinstance(area.authorization, Role | DefaultRole):
            authorization = area.authorization.clause()
        if (way := self._straight()).startswith("straight"):
            assert destination.straight
            copies = [
                self._step("load the files", copying(stage, one.manifest, authorization))
                for one in destination.straight.files(self._interval)
                if one.files
            ]
            return way, [making, *copies]
        folder = area.folder(destination.export, self._interval).uri
        manifest = f"{folder}<run>/{stage.name}/manifest"
        return way, [
            making,
            Step("upload the rows as Parquet files, deleted afterwards", folder),
            self._step("load the files", copying(stage, manifest, authorization)),
        ]

    def _straight(self) -> str:
        """Whether files that another export delivered are loaded as they are."""
        straight, projection = self._destination.straight, self._destination.projection
        if straight is None:
            return "staged by COPY"
        try:
            found = obstacle(straight.files(self._interval), projection)
        except BatchExportError as error:
            return f"not known: {error.message}"
        if found:
            return f"staged by COPY: {found}"
        return "straight from the files, unless a value does not fit the table"

    def _moving(self, fitting: Fit) -> Iterator[Step]:
        name, stage = self._destination.name, row_stage(fitting)
        model = self._destination.projection.model
        match self._destination.write_mode:
            case "merge":
                newest, older, merge = moves.merging(name, stage, model.key, model.versions)
                yield self._step("keep the newest of each key", newest)
                yield self._step("leave out what is as new in the table", older)
                yield self._step("merge: insert new keys, update older versions", merge)
                return
            case "replace":
                yield self._deleting(fitting, stage)
        yield self._step("move the rows", insert_from(stage, name.sql))

    def _deleting(self, fitting: Fit, stage: Stage) -> Step:
        name, key = self._destination.name, self._destination.projection.model.key
        if fitting.range_column:
            where = moves.in_range(name, fitting.range_column)
            bounds = [self._interval.start, self._interval.end]
            what = "delete what the interval has there"
            return self._step(what, sql.SQL("DELETE {}").format(where), bounds)
        by_key = sql.SQL("DELETE {}").format(moves.by_key(name, stage, key))
        return self._step("delete rows of the same keys", by_key)

    def _step(self, what: str, statement: sql.Composed, values: Any = None) -> Step:
        if values:
            return Step(what, ClientCursor(self._connection).mogrify(statement, values))
        return Step(what, statement.as_string(self._connection))


def _made(name: str, written: str) -> TableColumn:
    """A column of a table that is made. What it holds of each value is not asked."""
    return TableColumn(name, data_type_of(written), written, None, None, None, False, False)
