"""What a user may do at a server, asked before a delivery tries to.

The questions are those of PostgreSQL 8, which Redshift understands as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, LiteralString

import psycopg

from batch_exports.destinations.postgres.rights import Right, right_on_schema
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.server_attempt import ServerAttempt
from batch_exports.errors import Terminal
from batch_exports.probe import Finding, passed, skipped

_EXISTS = """
SELECT true FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""
_OWNS = """
SELECT pg_get_userbyid(c.relowner) = current_user
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


def use_schema(attempt: ServerAttempt[Any]) -> Finding:
    schema = attempt.destination.name.schema
    with attempt.session() as connection:
        found = connection.execute(
            "SELECT has_schema_privilege(nspname::text, 'USAGE') FROM pg_namespace "
            "WHERE nspname = %s",
            [schema],
        ).fetchone()
    if found is None:
        raise Terminal(
            f"There is no schema {schema!r} in the database.",
            remedy=f"Correct the export's schema, or create it: {setup_sql(attempt)}",
        )
    if not found[0]:
        right = right_on_schema(schema, create=False)
        raise lacking(attempt, f"The schema {schema!r} may not be used.", [right])
    return passed(f"schema {schema!r} may be used")


def make_tables(attempt: ServerAttempt[Any], names: Sequence[TableName]) -> Finding:
    """Those of `names` that are not there yet, by the first delivery."""
    schema = attempt.destination.name.schema
    with attempt.session() as connection:
        missing = [str(name) for name in names if not _exists(connection, name)]
        may = holds(connection, "SELECT has_schema_privilege(%s, 'CREATE')", schema)
    if may:
        there = f"the first delivery makes {', '.join(missing)}" if missing else "all are there"
        return passed(f"tables may be made; {there}")
    if missing:
        raise lacking(
            attempt,
            f"No table may be made in {schema!r}, and there is no {', '.join(missing)}.",
            [_create(schema)],
            f" or make the tables: {setup_sql(attempt, '--with-tables')}",
        )
    return passed("no table may be made, and none needs to be: all are there")


def make_more_tables(attempt: ServerAttempt[Any], why: str, more: str) -> None:
    """Raises `Terminal` for a user who may make none, and has to in any case."""
    schema = attempt.destination.name.schema
    with attempt.session() as connection:
        may = holds(connection, "SELECT has_schema_privilege(%s, 'CREATE')", schema)
    if not may:
        raise lacking(
            attempt, f"{why}, and none may be made in {schema!r}.", [_create(schema)], more
        )


def use_tables(attempt: ServerAttempt[Any], rights: Mapping[TableName, Right]) -> Finding:
    """Those that are there."""
    lacked, used = [], list[str]()
    with attempt.session() as connection:
        for name, right in rights.items():
            if not _exists(connection, name):
                continue
            used.append(str(name))
            privileges = tuple(
                privilege
                for privilege in right.privileges
                if not holds(
                    connection,
                    "SELECT has_table_privilege(%s, %s)",
                    name.sql.as_string(),
                    privilege,
                )
            )
            if privileges:
                lacked.append(replace(right, privileges=privileges))
    if lacked:
        what = "; ".join(f"{' and '.join(r.privileges)} on {r.name.as_string()}" for r in lacked)
        raise lacking(attempt, f"The user may not {what}.", lacked)
    return passed(f"{', '.join(used)} may be used") if used else skipped("none is there yet")


def make_temporary_tables(attempt: ServerAttempt[Any], right: Right) -> Finding:
    """`right` is what takes them, on the database."""
    with attempt.session() as connection:
        if not holds(connection, "SELECT has_database_privilege(current_database(), 'TEMPORARY')"):
            text = f"No temporary table may be made in the database {connection.info.dbname!r}."
            raise lacking(attempt, text, [replace(right, privileges=("TEMPORARY",))])
    return passed("they may be made, for staged rows and for the checks")


def owns(connection: psycopg.Connection[Any], name: TableName) -> bool:
    return holds(connection, _OWNS, name.schema, name.name)


def holds(connection: psycopg.Connection[Any], question: LiteralString, *values: str) -> bool:
    row = connection.execute(question, values).fetchone()
    return bool(row and row[0])


def lacking(
    attempt: ServerAttempt[Any], text: str, rights: Sequence[Right], more: str = ""
) -> Terminal:
    """The failure of a user without these rights."""
    with attempt.session() as connection:
        grants = " ".join(right.grant(connection.info.user) for right in rights)
    return Terminal(text, remedy=f"Let an administrator run: {grants}{more}")


def setup_sql(attempt: ServerAttempt[Any], *options: str) -> str:
    command = " ".join(["batch-exports", "setup-sql", attempt.destination.export, *options])
    return f"`{command}` prints the SQL."


def _exists(connection: psycopg.Connection[Any], name: TableName) -> bool:
    return holds(connection, _EXISTS, name.schema, name.name)


def _create(schema: str) -> Right:
    return replace(right_on_schema(schema, create=True), privileges=("CREATE",))
