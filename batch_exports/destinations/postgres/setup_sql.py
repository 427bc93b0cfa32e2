"""The SQL by which an administrator prepares a database for an export."""

from psycopg import sql

from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.preparation import create_tables
from batch_exports.destinations.postgres.rights import (
    right_on_database,
    right_on_schema,
    rights_on_tables,
)
from batch_exports.destinations.postgres.table import TableName
from batch_exports.errors import ConfigurationError


def setup_sql(
    destination: PostgresDestination, user: str, database: str, *, with_tables: bool
) -> str:
    """User, schema and rights, for psql; the password is its variable `password`.

    The user may make tables in the schema, unless the tables come with the SQL: then it gets no
    more than the write mode needs on each. They have the comment of tables that the export made:
    as these, they hold no rows but the export's. Raises `ConfigurationError` for an export that
    makes tables in any case.
    """
    if with_tables:
        _refuse_makers_of_tables(destination)
    on_database = right_on_database(database, destination.projection, destination.write_mode)
    on_schema = right_on_schema(destination.name.schema, create=not with_tables)
    parts = [
        f"-- The export {destination.export} to {destination.name}, write mode "
        f"{destination.write_mode}.\n"
        "-- For an administrator, in psql, in the database "
        f"{sql.Identifier(database).as_string()}.\n"
        "-- What is there already stays as it is: psql says that it exists, and goes on.",
        "-- The user. The password is a variable of psql, to be set before:\n"
        "-- \\prompt 'Password: ' password\n"
        f"CREATE USER {sql.Identifier(user).as_string()} PASSWORD :'password';\n"
        f"{on_database.grant(user)}",
        "-- The schema.\n"
        f"CREATE SCHEMA IF NOT EXISTS {sql.Identifier(destination.name.schema).as_string()};\n"
        f"{on_schema.grant(user)}",
        *(_tables(destination, user) if with_tables else [_made_by_export(destination)]),
    ]
    return "\n\n".join(parts)


def _refuse_makers_of_tables(destination: PostgresDestination) -> None:
    if destination.staged_by:
        field, _, number = destination.staged_by.partition(": ")
        what = "connections" if field == "parallelism" else "steps"
        raise ConfigurationError(
            field,
            f"{number} {what} stage rows in tables that the export makes.",
            remedy=f"Set {field}: 1, or let the user make tables: leave out --with-tables.",
        )
    if destination.on_missing_column == "add":
        raise ConfigurationError(
            "on_missing_column",
            "only a table's owner may add columns to it.",
            remedy="Set ignore or fail, or let the user make its tables: leave out --with-tables.",
        )


def _made_by_export(destination: PostgresDestination) -> str:
    names = ", ".join(f'"{name.name}"' for name in rights_on_tables(destination.name, "append"))
    return (
        f"-- The export makes its tables itself: {names}.\n"
        "-- CREATE may be left out where these are made by an administrator: the option\n"
        "-- --with-tables prints them, with the rights that the export needs on each."
    )


def _tables(destination: PostgresDestination, user: str) -> list[str]:
    """Each table in a transaction of its own, so that one that is there already stays as it is."""
    name, mode = destination.name, destination.write_mode
    rights = rights_on_tables(name, mode)
    return [
        "\n".join(
            [
                f"-- {_meaning(made, destination)}",
                "BEGIN;",
                *(f"{statement.as_string().strip()};" for statement in statements),
                "COMMIT;",
                rights[made].grant(user),
            ]
        )
        for made, statements in create_tables(
            name, destination.export, destination.projection, mode
        ).items()
    ]


def _meaning(made: TableName, destination: PostgresDestination) -> str:
    if made == destination.name:
        return "The export's rows."
    if made == destination.rejects:
        return "Rows that the table cannot hold, and originals of changed ones."
    return "What was delivered: one ledger for all exports to the schema."
