"""Whether the user may do there what a delivery does, up to a delivery that is undone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.destinations.made_up import made_up_rows
from batch_exports.destinations.postgres.attempt import Attempt, moment
from batch_exports.destinations.postgres.fit import fit
from batch_exports.destinations.postgres.lock import interval_lock
from batch_exports.destinations.postgres.preparation import add_column
from batch_exports.destinations.postgres.rights import (
    Right,
    right_on_database,
    right_on_schema,
    rights_on_tables,
)
from batch_exports.destinations.postgres.table import exists, read_table
from batch_exports.errors import Terminal
from batch_exports.probe import Finding, passed, skipped, warning
from batch_exports.transform.capabilities import OnUnrepresentable


def use_schema(attempt: Attempt) -> Finding:
    schema = attempt.destination.name.schema
    with attempt.session() as connection:
        found = connection.execute(
            "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %s",
            [schema],
        ).fetchone()
    if found is None:
        raise Terminal(
            f"There is no schema {schema!r} in the database.",
            remedy=f"Correct the export's schema, or create it: {_setup_sql(attempt)}",
        )
    if not found[0]:
        right = right_on_schema(schema, create=False)
        raise _lacking(attempt, f"The schema {schema!r} may not be used.", [right])
    return passed(f"schema {schema!r} may be used")


def make_tables(attempt: Attempt) -> Finding:
    destination = attempt.destination
    names = rights_on_tables(destination.name, destination.write_mode)
    with attempt.session() as connection:
        missing = [str(name) for name in names if not exists(connection, name)]
        may = _holds(
            connection,
            "SELECT has_schema_privilege(%s, 'CREATE')",
            destination.name.schema,
        )
    if may:
        there = f"the first delivery makes {', '.join(missing)}" if missing else "all are there"
        return passed(f"tables may be made; {there}")
    create = replace(right_on_schema(destination.name.schema, create=True), privileges=("CREATE",))
    if missing:
        raise _lacking(
            attempt,
            f"No table may be made in {destination.name.schema!r}, and there is no "
            f"{', '.join(missing)}.",
            [create],
            f" or make the tables: {_setup_sql(attempt, '--with-tables')}",
        )
    if destination.parallelism > 1:
        raise _lacking(
            attempt,
            f"parallelism: {destination.parallelism} stages rows in tables, and none may be made "
            f"in {destination.name.schema!r}.",
            [create],
            " or set parallelism: 1.",
        )
    return passed("no table may be made, and none needs to be: all are there")


def use_tables(attempt: Attempt) -> Finding:
    destination = attempt.destination
    lacking, used = [], list[str]()
    with attempt.session() as connection:
        for name, right in rights_on_tables(destination.name, destination.write_mode).items():
            if not exists(connection, name):
                continue
            used.append(str(name))
            privileges = tuple(
                privilege
                for privilege in right.privileges
                if not _holds(
                    connection,
                    "SELECT has_table_privilege(%s, %s)",
                    name.sql.as_string(),
                    privilege,
                )
            )
            if privileges:
                lacking.append(replace(right, privileges=privileges))
    if lacking:
        what = "; ".join(f"{' and '.join(r.privileges)} on {r.name.as_string()}" for r in lacking)
        raise _lacking(attempt, f"The user may not {what}.", lacking)
    return passed(f"{', '.join(used)} may be used") if used else skipped("none is there yet")


def fit_table(attempt: Attempt) -> Finding:
    destination = attempt.destination
    name, projection = destination.name, destination.projection
    with attempt.session() as connection:
        table = read_table(connection, name)
        if table is None:
            return skipped(f"{name} is not there yet")
        fitting = fit(projection, table, name, merge=destination.write_mode == "merge")
        owner = _holds(
            connection,
            "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = %s::regclass",
            name.sql.as_string(),
        )
        user = connection.info.user
    if not fitting.missing:
        return passed(f"{name} has all {len(fitting.columns)} columns")
    lacks = f"{name} lacks {', '.join(repr(column.name) for column in fitting.missing)}"
    adding = " ".join(f"{add_column(name, c).as_string()};" for c in fitting.missing)
    if destination.on_missing_column == "ignore":
        return warning(f"{lacks}: left out of deliveries.", remedy=f"To have it, run: {adding}")
    if destination.on_missing_column == "fail":
        raise Terminal(
            f"{lacks}, and on_missing_column is fail.",
            remedy=f"Leave it out of the export's columns, or run: {adding}",
        )
    if not owner:
        raise Terminal(
            f"{lacks}, which only its owner may add.",
            remedy="Let an administrator run: "
            f"ALTER TABLE {name.sql.as_string()} OWNER TO {sql.Identifier(user).as_string()};",
        )
    return passed(f"{lacks}: the next delivery adds it")


def make_temporary_tables(attempt: Attempt) -> Finding:
    destination = attempt.destination
    with attempt.session() as connection:
        database = connection.info.dbname
        right = right_on_database(database, destination.projection, destination.write_mode)
        if "TEMPORARY" not in right.privileges:
            return skipped(f"the mode {destination.write_mode} needs none")
        if not _holds(connection, "SELECT has_database_privilege(current_database(), 'TEMPORARY')"):
            lacking = replace(right, privileges=("TEMPORARY",))
            text = f"No temporary table may be made in the database {database!r}."
            raise _lacking(attempt, text, [lacking])
    return passed("they may be made, for staged rows and for the checks")


def lock(attempt: Attempt) -> Finding:
    destination = attempt.destination
    with attempt.session() as connection, connection.transaction(force_rollback=True):
        interval_lock(connection, destination.name, destination.export, moment())
    return passed("an advisory lock was taken, and given back")


def deliver(attempt: Attempt) -> Finding:
    interval = moment()
    tolerant = replace(attempt.destination, on_unrepresentable=OnUnrepresentable.REPLACE)
    rows = made_up_rows(tolerant.projection, interval.start)
    batches = pa.RecordBatchReader.from_batches(rows.schema, [rows])
    delivery = tolerant.rehearse(batches, interval)
    if delivery.rejected:
        return warning(
            f"{delivery.rejected} of {rows.num_rows} made-up rows would have been rejected.",
            remedy="A column of the table is narrower than the documented one: see its rejects "
            "after the first delivery.",
        )
    return passed(f"{delivery.rows} made-up rows went into the table, and were undone")


def _holds(connection: psycopg.Connection[Any], question: LiteralString, *values: str) -> bool:
    row = connection.execute(question, values).fetchone()
    return bool(row and row[0])


def _lacking(attempt: Attempt, text: str, rights: Sequence[Right], more: str = "") -> Terminal:
    """The failure of a user without these rights."""
    with attempt.session() as connection:
        grants = " ".join(right.grant(connection.info.user) for right in rights)
    return Terminal(text, remedy=f"Let an administrator run: {grants}{more}")


def _setup_sql(attempt: Attempt, *options: str) -> str:
    command = " ".join(["batch-exports", "setup-sql", attempt.destination.export, *options])
    return f"`{command}` prints the SQL."
