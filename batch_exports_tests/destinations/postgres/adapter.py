"""PostgreSQL as the suite of all destinations sees it, and what other tests read of it."""

from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.rows import dict_row

from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.table import TableName
from batch_exports.interval import DataInterval
from batch_exports.local.postgres_server import Server
from batch_exports.models import Projection
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports_tests.destinations.rows import Row, as_rows

TABLE = "events"


@dataclass(frozen=True)
class PostgresAdapter:
    """A schema, and how to deliver to a table in it. `settings` are defaults of `destination`."""

    connection: dict[str, Any]
    schema: str
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def to(cls, server: Server, schema: str) -> "PostgresAdapter":
        """As the exporter, who has no more rights than the documentation grants."""
        parameters = {
            "user": server.exporter.user,
            "password": server.exporter.password,
            "host": server.host,
            "port": server.port,
            "database": server.database,
            "ssl_mode": "verify-full",
            "ssl_root_cert": str(server.root_certificate),
        }
        return cls(parameters, schema)

    @property
    def replaced(self) -> str:
        return "[\0\ud800-\udfff]"

    @property
    def refused(self) -> frozenset[str]:
        return frozenset()

    @property
    def killed_runs_leave_parts(self) -> bool:
        return bool(self.settings.get("parallelism", 1) > 1)

    def having(self, **settings: Any) -> "PostgresAdapter":
        return replace(self, settings={**self.settings, **settings})

    def connect(self, **parameters: Any) -> psycopg.Connection[Any]:
        connection = PostgresConnectionResource(**self.connection | parameters).connect("test")
        connection.autocommit = True
        return connection

    def destination(self, projection: Projection, **settings: Any) -> PostgresDestination:
        given = {"export": "events_table", "table": TABLE, **self.settings, **settings}
        given.pop("lease_seconds", None)
        connection = PostgresConnectionResource(**self.connection)
        given["on_unrepresentable"] = OnUnrepresentable(given.get("on_unrepresentable", "replace"))
        return PostgresDestination(
            connect=connection.connect,
            address=connection.uri,
            name=TableName(self.schema, given.pop("table")),
            projection=wide(projection),
            **given,
        )

    def execute(self, statement: str, *values: Any) -> list[Row]:
        """`{schema}` and `{table}` stand for the schema and the quoted table."""
        text = statement.format(schema=self.schema, table=f'"{self.schema}"."{TABLE}"')
        with self.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(text, values or None)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def read(self, destination: PostgresDestination, interval: DataInterval) -> list[Row]:
        """The interval's rows, which the membership column tells, by psycopg's text protocol."""
        projection = destination.projection
        column = projection.membership_column
        where = sql.SQL("true")
        if column:
            where = sql.SQL("{0} >= {1} AND {0} < {2}").format(
                sql.Identifier(column), sql.Literal(interval.start), sql.Literal(interval.end)
            )
        return self.rows(destination, where)

    def rows(self, destination: PostgresDestination, where: sql.Composable) -> list[Row]:
        """Rows of the table as the suite compares them."""
        fields = destination.projection.schema
        shown = [
            sql.SQL("{0}::text AS {0}" if f.type.equals(pa.json_()) else "{0}").format(
                sql.Identifier(f.name)
            )
            for f in fields
        ]
        statement = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(", ").join(shown), destination.name.sql, where
        )
        with self.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            if not _is_there(cursor, destination.name):
                return []
            found = cursor.execute(statement).fetchall()
        return as_rows(_table(found, fields))

    def originals(self, destination: PostgresDestination, interval: DataInterval) -> list[Row]:
        statement = sql.SQL(
            'SELECT column_name, original, "row" FROM {} '
            "WHERE export = %s AND interval_start = %s AND interval_end = %s"
        ).format(destination.rejects.sql)
        with self.connect() as connection:
            found = connection.execute(
                statement, [destination.export, interval.start, interval.end]
            ).fetchall()
        return [
            {**{name: _bytes(value) for name, value in row.items()}, column: original}
            for column, original, row in found
        ]

    def leftovers(self) -> list[str]:
        """Stages of several connections; all else of an unfinished run is its transaction's."""
        found = self.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace "
            "AND starts_with(relname, '_batch_exports_stage')"
        )
        return [row["relname"] for row in found]

    def has_begun(self) -> bool:
        """Whether a COPY of the killed run has taken some of its data."""
        found = self.execute(
            "SELECT c.bytes_processed AS n FROM pg_stat_progress_copy c "
            "JOIN pg_stat_activity a USING (pid) WHERE a.application_name LIKE %s",
            "%run-killed",
        )
        return any(row["n"] > 2**20 for row in found)

    def tamper(
        self, destination: PostgresDestination, interval: DataInterval, rows: pa.Table
    ) -> None:
        names = rows.schema.names
        with self.connect() as connection:
            connection.execute(sql.SQL("DELETE FROM {}").format(destination.name.sql))
            for name in names:
                connection.execute(
                    sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} text").format(
                        destination.name.sql, sql.Identifier(name)
                    )
                )
            for name in set(destination.projection.schema.names) - set(names):
                connection.execute(
                    sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(
                        destination.name.sql, sql.Identifier(name)
                    )
                )
            insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                destination.name.sql,
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join(sql.Placeholder() * len(names)),
            )
            values = [tuple(row.values()) for row in rows.to_pylist()]
            with connection.cursor() as cursor:
                cursor.executemany(insert, values)


def wide(projection: Projection) -> Projection:
    """Integers of all 64 bits: the documented INTEGER would not hold the suite's extremes."""
    columns = tuple(
        replace(column, types={"postgres": "BIGINT"}) if column.name == "team_id" else column
        for column in projection.columns
    )
    return replace(projection, columns=columns)


def _is_there(cursor: psycopg.Cursor[Any], name: TableName) -> bool:
    found = cursor.execute("SELECT to_regclass(%s) AS found", [str(name)]).fetchone()
    return bool(found and found["found"])


def _table(found: list[Row], fields: pa.Schema) -> pa.Table:
    """Rows as Arrow knows them, so that they are compared like those that were sent."""
    columns = [
        pa.ExtensionArray.from_storage(f.type, pa.array([r[f.name] for r in found], pa.string()))
        if f.type.equals(pa.json_())
        else pa.array([r[f.name] for r in found], f.type)
        for f in fields
    ]
    return pa.Table.from_arrays(columns, schema=fields)


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value
