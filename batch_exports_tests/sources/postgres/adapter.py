"""Tables of a PostgreSQL server, laid and read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.destinations.postgres.types import made_type
from batch_exports.interval import DataInterval
from batch_exports.local.postgres_server import Server
from batch_exports.models import Model
from batch_exports.sources.postgres.postgres import Postgres
from batch_exports.sources.source import Selection
from batch_exports_tests.sources.events import lay_events, lay_large


@dataclass(frozen=True)
class PostgresAdapter:
    """A schema, in which the exporter may read what is laid."""

    server: Server
    schema: str
    tables: Mapping[str, str] = field(default_factory=dict)
    unheld: frozenset[str] = frozenset({"text, NUL", "JSON, NUL", "JSON, lone surrogate"})

    @property
    def address(self) -> tuple[str, int]:
        return self.server.host, self.server.port

    def lay(self, model: Model, rows: pa.Table) -> None:
        known = {column.source_name: made_type(column) for column in model.columns}
        self.make(model.name, {name: known[name] for name in rows.column_names})
        copy = sql.SQL("COPY {} FROM STDIN").format(self.table(model.name))
        with self.admin() as admin, admin.cursor().copy(copy) as lines:
            for row in rows.to_pylist():
                lines.write_row(list(row.values()))

    def lay_rows(self, rows: Mapping[DataInterval, int]) -> Selection:
        return lay_events(self.lay, rows)

    def lay_much(self) -> Selection:
        return lay_large(self.lay, 10_000)

    def make(self, name: str, columns: Mapping[str, str]) -> None:
        """An empty table with columns of those types."""
        defined = [
            sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(type_))
            for column, type_ in columns.items()
        ]
        self.execute(sql.SQL("CREATE TABLE {} ({})"), name, sql.SQL(", ").join(defined))
        self.execute(
            sql.SQL("GRANT SELECT ON {} TO {}"), name, sql.Identifier(self.server.exporter.user)
        )

    def execute(self, statement: sql.SQL, table: str, *parts: sql.Composable) -> None:
        """Carry out a statement, as the administrator, whose first `{}` is a table's name."""
        with self.admin() as admin:
            admin.execute(statement.format(self.table(table), *parts))

    def table(self, name: str) -> sql.Identifier:
        return sql.Identifier(self.schema, name)

    def admin(self) -> psycopg.Connection:
        return self.server.connect()

    def source(self, port: int | None = None, **settings: int) -> Postgres:
        connection = PostgresConnectionResource(
            user=self.server.exporter.user,
            password=self.server.exporter.password,
            host=self.server.host,
            port=port or self.server.port,
            database=self.server.database,
            ssl_mode="verify-full",
            ssl_root_cert=str(self.server.root_certificate),
            **settings,
        )
        return Postgres(connection.connect, connection.uri, self._name, self.schema, self.tables)

    def held(self) -> list[str]:
        """The sessions of this source that the server has, whatever they do."""
        with self.admin() as admin:
            found = admin.execute(
                "SELECT application_name || ': ' || state || ': ' || query FROM pg_stat_activity "
                "WHERE application_name LIKE %s",
                [f"%{self._name}%"],
            )
            return [row[0] for row in found]

    @property
    def _name(self) -> str:
        return f"source_{self.schema}"
