"""The emulator's database in a PostgreSQL server: its catalog, its users and their rights."""

from hashlib import md5, sha256
from pathlib import Path
from typing import LiteralString

from psycopg import sql

from batch_exports.local.errors import LocalError
from batch_exports.local.postgres_cluster import EMULATED_DATABASE, Login
from batch_exports.local.postgres_server import Server

SCHEMA = "exports"
# In which a table that is a source has the state of its syncs.
STATE_SCHEMA = "_rudderstack"
_CATALOG = Path(__file__).with_name("catalog.sql")


def administrator(server: Server) -> Login:
    """Who may do everything in the emulator's database, as the first user of a cluster."""
    return _login(server, "awsuser")


def exporter(server: Server) -> Login:
    """Who may use both schemas and create tables there, as the documentation grants."""
    return _login(server, "redshift_exporter")


def install(server: Server) -> None:
    """Make the database, its users and its schemas, unless they are there.

    Raises LocalError when they were made by another version of the emulator.
    """
    catalog = _CATALOG.read_text()
    version = sha256(f"{catalog} {SCHEMA} {STATE_SCHEMA}".encode()).hexdigest()
    database = sql.Identifier(EMULATED_DATABASE)
    with server.connect(autocommit=True) as connection:
        found = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
            (EMULATED_DATABASE,),
        ).fetchone()
        if found and found[0] == version:
            return
        if found and found[0]:
            raise LocalError(
                f"the database {EMULATED_DATABASE} was made by another version of the Redshift "
                f"emulator: remove {server.folder} to start with an empty server"
            )
        # One without a comment was left half-made.
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
        # Clients of Redshift know no other form of password.
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET password_encryption = 'md5'").format(database)
        )
        _create_user(server, administrator(server), "SUPERUSER")
        _create_user(server, exporter(server), "NOSUPERUSER")
        _fill(server, catalog)
        comment = sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, version)
        connection.execute(comment)


def _login(server: Server, user: str) -> Login:
    # Derived, so that it need not be kept anywhere: whoever has the server's own has this one.
    secret = sha256(f"{server.admin.password} {user}".encode()).hexdigest()
    return Login(user, f"Rs1{secret[:40]}")


def _create_user(server: Server, login: Login, right: LiteralString) -> None:
    # The hash in place of the password: no log of statements shows it.
    secret = md5(f"{login.password}{login.user}".encode(), usedforsecurity=False).hexdigest()
    user = sql.Identifier(login.user)
    with server.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(user))
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(
                user, sql.SQL(right), f"md5{secret}"
            )
        )


def _fill(server: Server, catalog: str) -> None:
    user = sql.Identifier(exporter(server).user)
    with server.connect(dbname=EMULATED_DATABASE) as connection:
        connection.execute(catalog.encode())
        for schema in map(sql.Identifier, (SCHEMA, STATE_SCHEMA)):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
            grant = sql.SQL("GRANT CREATE, USAGE ON SCHEMA {} TO {}")
            connection.execute(grant.format(schema, user))
