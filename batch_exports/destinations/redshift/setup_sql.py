"""The SQL by which an administrator prepares a database for an export, and the policies for COPY.

https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT.html
"""

from collections.abc import Mapping
from typing import Literal

from psycopg import sql

from batch_exports.destinations.postgres.rights import Right, right_on_schema
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.authorization import DefaultRole, Role
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.redshift.merged_ids_view import resolving_view
from batch_exports.destinations.redshift.policies import Policy
from batch_exports.destinations.redshift.preparation import create_tables
from batch_exports.destinations.redshift.rights import right_on_database, rights_on_tables
from batch_exports.errors import ConfigurationError

Login = Literal["password", "temporary", "identity"]

# Redshift takes no such password, so that no user has it by mistake: one needs a digit.
_PASSWORD = "<password>"


def setup_sql(
    destination: RedshiftDestination,
    user: str,
    database: str,
    login: Login,
    policies: Mapping[str, Policy],
    *,
    with_tables: bool,
) -> str:
    """User, schema and rights, and in comments the policies, for psql or the query editor.

    `login` is how the user proves who it is: by a `password`, which is put in before; by
    `temporary` ones of AWS; or as the AWS `identity` itself. The user may make tables in the
    schema, unless the tables come with the SQL: then it gets no more than the write mode needs on
    each. Raises `ConfigurationError` for an export that adds columns in any case.
    """
    if with_tables and destination.on_missing_column == "add":
        raise ConfigurationError(
            "on_missing_column",
            "only a table's owner may add columns to it.",
            remedy="Set ignore or fail, or let the user make its tables: leave out --with-tables.",
        )
    parts = [
        _head(destination, database),
        _user(user, login) + right_on_database(database).grant(user),
        "-- The schema.\n"
        f"CREATE SCHEMA IF NOT EXISTS {sql.Identifier(destination.name.schema).as_string()};\n"
        f"{right_on_schema(destination.name.schema, create=not with_tables).grant(user)}",
        *(_tables(destination, user) if with_tables else [_made_by_export(destination)]),
        *_assume_role(destination, user),
        *(_commented(name, policy) for name, policy in policies.items()),
    ]
    return "\n\n".join(parts)


def _head(destination: RedshiftDestination, database: str) -> str:
    way = "COPY" if destination.copy_from else "INSERT"
    return (
        f"-- The export {destination.export} to {destination.name}, mode {way}, write mode "
        f"{destination.write_mode}.\n"
        f"-- For a superuser, in the database {sql.Identifier(database).as_string()}.\n"
        "-- Of a user or a table that is there already Redshift says that it exists: leave its "
        "CREATE out."
    )


def _user(user: str, login: Login) -> str:
    create = f"CREATE USER {sql.Identifier(user).as_string()}"
    if login == "password":
        return (
            f"-- The user. Put a password in the place of {_PASSWORD}: 8 to 64 characters, with a "
            "capital\n-- and a small letter and a digit, without ' \" \\ / @ and spaces.\n"
            f"{create} PASSWORD '{_PASSWORD}';\n"
        )
    if login == "temporary":
        told = "-- The user, who logs in with temporary passwords alone."
        return f"{told}\n{create} PASSWORD DISABLE;\n"
    return (
        "-- The user of the AWS identity: IAMR: and the name of its role, or IAM: and the name of\n"
        "-- an IAM user. Put that name in. It is made by its first login, if not here.\n"
        f"{create} PASSWORD DISABLE;\n"
    )


def _made_by_export(destination: RedshiftDestination) -> str:
    names = ", ".join(f'"{name.name}"' for name in rights_on_tables(destination.name, "append"))
    return (
        f"-- The export makes its tables itself: {names}.\n"
        "-- CREATE may be left out where these are made by an administrator: the option\n"
        "-- --with-tables prints them, with the rights that the export needs on each."
    )


def _tables(destination: RedshiftDestination, user: str) -> list[str]:
    name = destination.name
    rights = rights_on_tables(name, destination.write_mode)
    made = create_tables(name, destination.projection, destination.design)
    tables = [
        f"-- {_meaning(table, destination)}\n{statement.as_string()};\n{rights[table].grant(user)}"
        for table, statement in made.items()
    ]
    if destination.resolved_view is None:
        return tables
    view = TableName(name.schema, destination.resolved_view)
    text = resolving_view(name, view).as_string().strip()
    grant = Right(("SELECT",), "TABLE", view.sql).grant(user)
    return [*tables, f"-- Each merged ID with the one that it has in the end.\n{text};\n{grant}"]


def _meaning(made: TableName, destination: RedshiftDestination) -> str:
    if made == destination.name:
        return "The export's rows."
    if made == destination.rejects:
        return "Rows that the table cannot hold, and originals of changed ones."
    return "What was delivered: one ledger for all exports to the schema."


def _assume_role(destination: RedshiftDestination, user: str) -> list[str]:
    """Everyone may name every role of the cluster, until that is revoked from PUBLIC. Of a chain of
    roles the right is to the whole.

    https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT-usage-notes.html
    """
    authorization = destination.copy_from.authorization if destination.copy_from else None
    if isinstance(authorization, DefaultRole):
        on = "DEFAULT"
    elif isinstance(authorization, Role):
        on = f"'{authorization.arn}'"
    else:
        return []
    grant = f"GRANT ASSUMEROLE ON {on} TO {sql.Identifier(user).as_string()} FOR COPY;"
    return [f"-- The role, where ASSUMEROLE was revoked from PUBLIC:\n-- {grant}"]


def _commented(name: str, policy: Policy) -> str:
    hint = [policy.hint] if policy.hint else []
    head = f"IAM policy {policy.whose} (alone: --policy {name})."
    lines = [head, *hint, *policy.text.splitlines()]
    return "\n".join(f"-- {line}" for line in lines)
