"""PostgreSQL connections as a user writes them, to servers that a test has."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from psycopg import sql

from batch_exports.components.postgres_connection import PostgresConnection
from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.components.secret import Secret
from batch_exports.errors import BatchExportError
from batch_exports.local.postgres_server import Server

PASSWORD = "TEST_POSTGRES_PASSWORD"
DOCUMENT = f"""\
type: batch_exports.PostgresConnection
attributes:
  name: warehouse
  user: exporter
  password: {{env: {PASSWORD}}}
  host: db.example.com
  database: analytics
"""


@contextmanager
def resource(
    server: Server, *, password: str | None = None, **settings: Any
) -> Iterator[PostgresConnectionResource]:
    """What a run gets of a connection to `server`, as its exporter unless told otherwise."""
    given: dict[str, Any] = {
        "name": "warehouse",
        "user": server.exporter.user,
        "password": Secret(env=PASSWORD),
        "host": server.host,
        "port": server.port,
        "database": server.database,
        **settings,
    }
    component = PostgresConnection(**given)
    component.check()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(PASSWORD, password or server.exporter.password)
        with dg.build_resources({component.name: component.resource()}) as resources:
            yield resources.warehouse


@contextmanager
def trusted(
    server: Server, root: Path | None = None, **settings: Any
) -> Iterator[PostgresConnectionResource]:
    """The same with the certificate of the server's authority, or another one, to trust."""
    settings["ssl_root_cert"] = str(root or server.root_certificate)
    with resource(server, **settings) as connection:
        yield connection


def new_user(server: Server, password: str, **settings: str) -> str:
    """The name of a fresh user, with settings of its own."""
    user = sql.Identifier(name := f"test_{uuid.uuid4().hex[:12]}")
    with server.connect(autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE USER {} PASSWORD {}").format(user, sql.Literal(password)))
        for setting, value in settings.items():
            words = (user, sql.Identifier(setting), sql.Literal(value))
            admin.execute(sql.SQL("ALTER USER {} SET {} = {}").format(*words))
    return name


def failure(resource: AbstractContextManager[PostgresConnectionResource]) -> BatchExportError:
    """Why no connection comes about."""
    with resource as connection, pytest.raises(BatchExportError) as raised:
        connection.connect("a test")
    return raised.value
