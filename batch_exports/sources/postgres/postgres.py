"""A PostgreSQL database as a source: tables, and queries that users declare."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.interval import DataInterval
from batch_exports.models import Model, Query, Table
from batch_exports.sources.description import Description
from batch_exports.sources.postgres.counting import count_query, count_table
from batch_exports.sources.postgres.errors import reading_errors
from batch_exports.sources.postgres.relation import Relation, of_query, of_table
from batch_exports.sources.postgres.rows import asked_rows, filtered_rows, refuse_without_time
from batch_exports.sources.projection import project
from batch_exports.sources.source import Selection

# Names in a query are PostgreSQL's own first: nobody's tables or functions stand before these.
_SEARCH = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, ' || {} || ', pg_temp', true)"


@dataclass(frozen=True)
class Postgres:
    """`connect` opens a connection under an application name; `address` is where it leads, for
    people to read. `name` is the source's. Tables are in `schema`, under the model's name where
    `tables` does not tell another one. Sessions are named after the source, and the run where
    there is one.

    Each read, and each count, is a transaction that sees the database as it was when it began.
    """

    connect: Callable[[str], psycopg.Connection[Any]] = field(repr=False)
    address: str
    name: str
    schema: str = "public"
    tables: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""

    @contextmanager
    def read(
        self, selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatchReader, None, None]:
        with self.session(f"{interval.start:%Y-%m-%dT%H:%MZ}") as connection:
            batches = self._batches(connection, selection, interval)
            with closing(batches):
                yield pa.RecordBatchReader.from_batches(selection.schema, batches)

    def count(self, selection: Selection, interval: DataInterval) -> int:
        return self.counts(selection, [interval])[0]

    def counts(self, selection: Selection, intervals: Sequence[DataInterval]) -> list[int]:
        """The rows of each interval: of a table all at once, of a query one by one."""
        if not intervals:
            return []
        model = selection.model
        with (
            self.session(f"count {min(intervals).start:%Y-%m-%dT%H:%MZ}") as connection,
            self.errors(connection, model),
        ):
            if isinstance(model.origin, Query):
                return [self._count_query(connection, selection, each) for each in intervals]
            relation = self.relation(connection, model, intervals[0])
            relation.needed(selection)
            refuse_without_time(connection, relation, selection.membership)
            return count_table(connection, relation, selection, intervals)

    def describe(self, selection: Selection, interval: DataInterval) -> Description:
        model = selection.model
        with self.session("plan") as connection, self.errors(connection, model):
            relation = self.relation(connection, model, interval)
            query = asked_rows(relation, selection, [interval], relation.needed(selection))
            return Description(relation.where, query.as_string(connection))

    def _batches(
        self, connection: psycopg.Connection[Any], selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatch, None, None]:
        with self.errors(connection, selection.model):
            relation = self.relation(connection, selection.model, interval)
            names = relation.needed(selection)
            if relation.is_table:
                refuse_without_time(connection, relation, selection.membership)
            rows = filtered_rows(connection, relation, selection, [interval], names)
            with closing(rows):
                for batch in rows:
                    yield project(batch, selection, relation.where)

    def _count_query(
        self, connection: psycopg.Connection[Any], selection: Selection, interval: DataInterval
    ) -> int:
        relation = self.relation(connection, selection.model, interval)
        relation.needed(selection)
        return count_query(connection, relation, selection, interval)

    @contextmanager
    def session(self, label: str) -> Generator[psycopg.Connection[Any], None, None]:
        """A connection in a transaction of its own, which ends with the block."""
        connection = self.connect(f"batch_exports {self.name} {label} {self.run_id}")
        try:
            connection.autocommit = False
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection
        finally:
            connection.close()

    def relation(
        self, connection: psycopg.Connection[Any], model: Model, interval: DataInterval
    ) -> Relation:
        """Where the model's rows are. Raises psycopg's errors."""
        where = self.where(model)
        if isinstance(model.origin, Query):
            connection.execute(
                sql.SQL(_SEARCH).format(
                    sql.Literal(sql.Identifier(self.schema).as_string(connection))
                )
            )
            return of_query(connection, model.origin, interval, where)
        return of_table(connection, model, *self.table(model), where)

    def where(self, model: Model) -> str:
        """Where the model's rows are, for people to read."""
        if isinstance(model.origin, Query):
            return f"{self.address}, the query of {model.name}"
        return f"{self.address}, {'.'.join(self.table(model))}"

    def errors(
        self, connection: psycopg.Connection[Any], model: Model
    ) -> AbstractContextManager[None]:
        """Errors of the server, in our terms."""
        user, schema = connection.info.user, self.table(model)[0]
        return reading_errors(self.where(model), user=user, schema=schema)

    def table(self, model: Model) -> tuple[str, str]:
        """Schema and name of the model's table; of a query, the schema of its names comes first."""
        if isinstance(model.origin, Table):
            return model.origin.schema or self.schema, model.origin.name
        return self.schema, self.tables.get(model.name, model.name)
