"""The SQL for administrators, run by psql as it is printed: the export then delivers, with no
right too many."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.rights import (
    Right,
    right_on_database,
    right_on_schema,
    rights_on_tables,
)
from batch_exports.destinations.postgres.setup_sql import setup_sql
from batch_exports.destinations.postgres.table import TableName
from batch_exports.errors import ConfigurationError, Terminal
from batch_exports.local.postgres_server import Server
from batch_exports.models import Projection
from batch_exports_tests.destinations.postgres.administered import (
    BY_KEY,
    BY_RANGE,
    MERGED,
    Database,
    administered,
    unique,
)

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "postgres.md"
REMEDY = "Let an administrator run: "
EXPORTS: list[Any] = [
    pytest.param("replace", BY_RANGE, id="replace-by-range"),
    pytest.param("replace", BY_KEY, id="replace-by-key"),
    pytest.param("merge", MERGED, id="merge"),
    pytest.param("append", BY_RANGE, id="append"),
    pytest.param("append", BY_KEY, id="append-without-range"),
]


@pytest.fixture(scope="module")
def database(postgres_server: Server) -> Iterator[Database]:
    with administered(postgres_server) as database:
        yield database


@pytest.mark.parametrize("with_tables", [False, True])
@pytest.mark.parametrize(("mode", "projection"), EXPORTS)
def test_the_export_delivers(
    database: Database, mode: WriteMode, projection: Projection, with_tables: bool
) -> None:
    destination = database.destination(user := unique(), mode, projection)
    database.set_up(destination, user, with_tables=with_tables)
    database.deliver(destination)
    assert database.describe(destination.name).made_for == destination.export


@pytest.mark.parametrize("mode", ["replace", "merge", "append"])
def test_tables_are_those_that_the_export_makes(database: Database, mode: WriteMode) -> None:
    described = []
    for with_tables in (False, True):
        destination = database.destination(user := unique(), mode, MERGED)
        database.set_up(destination, user, with_tables=with_tables)
        database.deliver(destination)
        ledger = TableName(destination.name.schema, "_batch_exports_ledger")
        names = (destination.name, destination.rejects, ledger)
        described.append([database.describe(name) for name in names])
    assert described[0] == described[1]


@pytest.mark.parametrize(("mode", "projection"), EXPORTS)
def test_each_right_is_needed_to_use_tables(
    database: Database, mode: WriteMode, projection: Projection
) -> None:
    """Without it the run fails, and says which it lacks; with that one more it succeeds."""
    destination = database.destination(user := unique(), mode, projection)
    database.set_up(destination, user, with_tables=True)
    database.deliver(destination)
    if projection == BY_RANGE:  # no range finds a row from before there was that column
        table = destination.name.sql.as_string()
        database.execute(f"INSERT INTO {table} (uuid) VALUES ('from before')")
    rights = all_rights(database, destination)
    for right in rights:
        for privilege in right.privileges:
            assert_needed(database, destination, user, replace(right, privileges=(privilege,)))
            for again in rights:  # a remedy may give more than was taken
                database.execute(revoke(again, user, "ALL"))
                database.execute(again.grant(user))


@pytest.mark.parametrize("privilege", ["CREATE", "USAGE"])
def test_each_right_is_needed_to_make_tables(database: Database, privilege: str) -> None:
    destination = database.destination(user := unique(), "replace", BY_RANGE)
    database.set_up(destination, user, with_tables=False)
    right = right_on_schema(destination.name.schema, create=True)
    assert privilege in right.privileges
    assert_needed(database, destination, user, replace(right, privileges=(privilege,)))


def assert_needed(
    database: Database, destination: PostgresDestination, user: str, right: Right
) -> None:
    [privilege] = right.privileges
    database.execute(revoke(right, user, privilege))
    with pytest.raises(Terminal) as raised:
        database.deliver(destination)
    remedy = raised.value.remedy
    assert remedy.startswith(f"{REMEDY}GRANT "), f"without {right}: {raised.value}"
    assert privilege in remedy.partition(" ON ")[0]
    assert right.name.as_string() in remedy
    database.execute(remedy.removeprefix(REMEDY))
    database.deliver(destination)


def all_rights(database: Database, destination: PostgresDestination) -> list[Right]:
    """Those that come with the tables."""
    mode = destination.write_mode
    return [
        right_on_database(database.name, destination.projection, mode),
        right_on_schema(destination.name.schema, create=False),
        *rights_on_tables(destination.name, mode).values(),
    ]


def revoke(right: Right, user: str, privilege: str) -> str:
    name = sql.Identifier(user).as_string()
    return f"REVOKE {privilege} ON {right.kind} {right.name.as_string()} FROM {name}"


def test_a_second_time_changes_nothing(database: Database) -> None:
    destination = database.destination(user := unique(), "replace", BY_KEY)
    script = setup_sql(destination, user, database.name, with_tables=True)
    database.set_up(destination, user, with_tables=True)
    database.deliver(destination)
    before = indexes(database, destination)
    again = database.psql(script, "-v", "password=another")
    assert again.returncode == 0
    assert again.stderr.count("already exists") == 5  # a notice of the schema among them
    assert indexes(database, destination) == before
    database.deliver(destination)  # by the first password


def indexes(database: Database, destination: PostgresDestination) -> list[Any]:
    query = "SELECT indexdef FROM pg_indexes WHERE schemaname = %s ORDER BY indexdef"
    return database.admin.execute(query, [destination.name.schema]).fetchall()


def test_no_user_is_made_without_a_password(database: Database) -> None:
    destination = database.destination(user := unique(), "replace", BY_KEY)
    script = setup_sql(destination, user, database.name, with_tables=False)
    done = database.psql(script)
    assert 'syntax error at or near ":"' in done.stderr
    query = "SELECT count(*) FROM pg_roles WHERE rolname = %s"
    assert database.admin.execute(query, [user]).fetchone() == (0,)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"parallelism": 2}, "parallelism"),
        ({"shards": 2}, "shards"),
        ({"on_missing_column": "add"}, "on_missing_column"),
    ],
)
def test_who_makes_tables_in_any_case(
    database: Database, settings: dict[str, Any], field: str
) -> None:
    destination = database.destination("u", "replace", BY_KEY, **settings)
    with pytest.raises(ConfigurationError) as raised:
        setup_sql(destination, "u", database.name, with_tables=True)
    assert raised.value.field == field
    assert "CREATE ON SCHEMA" in setup_sql(destination, "u", database.name, with_tables=False)


def test_the_documentation_shows_what_is_printed(database: Database) -> None:
    name = TableName("posthog_exports", "events")
    destination = database.destination("posthog", "replace", BY_KEY, name=name)
    shown = re.search(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown
    assert shown[1] in setup_sql(destination, "posthog", "analytics", with_tables=False)
