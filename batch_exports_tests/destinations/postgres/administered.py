"""A database as an administrator keeps it: nobody may do there what was not granted."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.destinations.made_up import made_up_rows
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.setup_sql import setup_sql
from batch_exports.destinations.postgres.table import Table, TableName, read_table
from batch_exports.interval import DataInterval
from batch_exports.local.postgres_programs import find_programs
from batch_exports.local.postgres_server import Server
from batch_exports.models import EVENTS, PERSONS, Model, Projection
from batch_exports_tests.destinations.rows import HOUR

PASSWORD = "it's a pass:word"


def documented(model: Model, *more: str) -> Projection:
    """The documented columns, and others."""
    columns = (*model.default_columns["postgres"], *more)
    return Projection(model, model.select(columns, "postgres"), model.membership[0])


BY_KEY, BY_RANGE = documented(EVENTS), documented(EVENTS, "_inserted_at")
MERGED = documented(PERSONS)


def unique() -> str:
    """A name that has to be quoted, and that psql must not take for a variable."""
    return f"A \"name' :password {uuid.uuid4().hex[:8]}"


@dataclass
class Database:
    """A database in which nobody may do anything that was not granted."""

    server: Server
    admin: psycopg.Connection
    name: str
    hour: int = field(default=0, init=False)

    def psql(self, script: str, *options: str) -> "subprocess.CompletedProcess[str]":
        """What an administrator's psql makes of the script."""
        url = self.server.url(self.server.admin).replace(f"/{self.server.database}?", "/")
        at, _, tls = url.rpartition("/")
        program = str(find_programs().folder / "psql")
        command = [program, f"{at}/{self.name}?{tls}", "--no-psqlrc", "-f", "-", *options]
        return subprocess.run(command, input=script, capture_output=True, text=True, check=False)

    def set_up(self, destination: PostgresDestination, user: str, *, with_tables: bool) -> None:
        script = setup_sql(destination, user, self.name, with_tables=with_tables)
        assert PASSWORD not in script
        done = self.psql(script, "-v", "ON_ERROR_STOP=1", "-v", f"password={PASSWORD}")
        assert done.returncode == 0, done.stderr

    def destination(
        self, user: str, mode: WriteMode, projection: Projection, **settings: Any
    ) -> PostgresDestination:
        connection = self.connection(user=user)
        given = {"name": TableName(unique(), 'a "table'), "export": "e", **settings}
        return PostgresDestination(
            connect=connection.connect,
            address=connection.uri,
            projection=projection,
            write_mode=mode,
            **given,
        )

    def connection(self, **settings: Any) -> PostgresConnectionResource:
        """What a run gets of a connection, verified unless told otherwise."""
        usual: dict[str, Any] = {
            "password": PASSWORD,
            "host": self.server.host,
            "port": self.server.port,
            "database": self.name,
            "ssl_mode": "verify-full",
            "ssl_root_cert": str(self.server.root_certificate),
        }
        return PostgresConnectionResource(**usual | settings)

    def deliver(self, destination: PostgresDestination) -> None:
        """An hour, then the same hour again, with all checks; one row is replaced."""
        start = HOUR.start + timedelta(hours=self.hour)
        self.hour += 1
        interval = DataInterval(start, start + timedelta(hours=1))
        rows = made_up_rows(destination.projection, start)
        identity = list(destination.projection.identity)

        @contextmanager
        def source_keys() -> Iterator[pa.RecordBatchReader]:
            keys = rows.select(identity)
            yield pa.RecordBatchReader.from_batches(keys.schema, [keys])

        times = 1 if destination.write_mode == "append" else 2
        for number in range(times):
            batches = pa.RecordBatchReader.from_batches(rows.schema, [rows])
            delivery = destination.write(batches, interval, f"run-{number}")
            assert (delivery.rows, delivery.replaced) == (2, 1)
        assert destination.inspect(interval, deep=True, source_keys=source_keys).rows == 2
        assert destination.keys(interval, source_keys).duplicates == 0
        assert destination.columns(interval, rows.schema).problems == ()
        if destination.write_mode == "merge":
            assert destination.versions(interval, source_keys).stale == 0

    def describe(self, name: TableName) -> Table:
        """The table, without what is of this one alone."""
        table = read_table(self.admin, name)
        assert table
        return replace(table, identity="")

    def execute(self, statement: str) -> None:
        self.admin.execute(statement.encode())


@contextmanager
def administered(server: Server) -> Iterator[Database]:
    """A database of its own, gone in the end."""
    name = f"A 'base' {uuid.uuid4().hex[:8]}"
    quoted = sql.Identifier(name)
    with ExitStack() as stack:
        owner = stack.enter_context(server.connect(autocommit=True))
        owner.execute(sql.SQL("CREATE DATABASE {}").format(quoted))
        stack.callback(owner.execute, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted))
        owner.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(quoted))
        admin = stack.enter_context(server.connect(dbname=name, autocommit=True))
        yield Database(server, admin, name)
