"""Servers for tests to break, and schemas there."""

import uuid
from pathlib import Path

from psycopg import sql

from batch_exports.local import postgres_server
from batch_exports.local.postgres_server import Server
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter


def cluster(folder: Path) -> Path:
    """The data directory of the server of `folder`."""
    return folder / "data" / "cluster"


def allow_plain_connections(folder: Path) -> Server:
    """Without TLS the bytes on the wire are known, and a fault can strike at one of them."""
    with (cluster(folder) / "pg_hba.conf").open("a") as hba:
        hba.write("host all all 127.0.0.1/32 scram-sha-256\n")
    postgres_server.stop(folder)
    server = postgres_server.start(folder)
    with server.connect(autocommit=True) as admin:
        admin.execute("SET scram_iterations = 1")  # hundreds of times is a password proven here
        for login in (server.admin, server.exporter):
            names = sql.Identifier(login.user), sql.Literal(login.password)
            admin.execute(sql.SQL("ALTER USER {} PASSWORD {}").format(*names))
    return server


def new_schema(server: Server) -> PostgresAdapter:
    """A fresh schema, granted to the exporter as is documented, and reached without TLS."""
    schema = f"test_{uuid.uuid4().hex[:12]}"
    names = {"schema": sql.Identifier(schema), "user": sql.Identifier(server.exporter.user)}
    with server.connect(autocommit=True) as admin:
        for statement in (
            "CREATE SCHEMA {schema}",
            "GRANT CREATE ON SCHEMA {schema} TO {user}",
            "GRANT USAGE ON SCHEMA {schema} TO {user}",
        ):
            admin.execute(sql.SQL(statement).format(**names))
    adapter = PostgresAdapter.to(server, schema)
    plain = {"ssl_mode": "disable", "ssl_root_cert": None}
    return PostgresAdapter({**adapter.connection, **plain}, schema)
