"""What an export's user must be allowed to do, by write mode, as the GRANTs that allow it.

https://www.postgresql.org/docs/current/ddl-priv.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from batch_exports.destinations.postgres.ledger import LEDGER
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.rejects import rejects_of
from batch_exports.destinations.postgres.table import TableName
from batch_exports.models import Projection

# The checks read; what is delivered again is deleted, or updated, first.
_ON_TABLE: Mapping[WriteMode, tuple[str, ...]] = {
    "replace": ("SELECT", "INSERT", "DELETE"),
    "merge": ("SELECT", "INSERT", "UPDATE"),
    "append": ("SELECT", "INSERT"),
}
_ON_RECORDS = ("SELECT", "INSERT", "DELETE")


@dataclass(frozen=True)
class Right:
    """Privileges on one object."""

    privileges: tuple[str, ...]
    kind: Literal["DATABASE", "SCHEMA", "TABLE"]
    name: sql.Identifier

    def grant(self, user: str) -> str:
        """The statement that gives them to `user`."""
        return (
            f"GRANT {', '.join(self.privileges)} ON {self.kind} {self.name.as_string()} "
            f"TO {sql.Identifier(user).as_string()};"
        )


def right_on_database(database: str, projection: Projection, mode: WriteMode) -> Right:
    """All users have it, unless it was revoked from PUBLIC.

    Temporary tables take staged rows, and in checks the source's keys, by which an interval's rows
    are found where no column tells.
    """
    none_needed = mode == "append" and projection.membership_column is not None
    privileges = ("CONNECT",) if none_needed else ("CONNECT", "TEMPORARY")
    return Right(privileges, "DATABASE", sql.Identifier(database))


def right_on_schema(schema: str, *, create: bool) -> Right:
    """`create` allows to make tables, all of which are then the user's own."""
    privileges = ("USAGE", "CREATE") if create else ("USAGE",)
    return Right(privileges, "SCHEMA", sql.Identifier(schema))


def rights_on_tables(table: TableName, mode: WriteMode) -> dict[TableName, Right]:
    """On tables that are not the user's own: the export's, and those that stand beside it."""
    privileges = {
        TableName(table.schema, LEDGER): _ON_RECORDS,
        TableName(table.schema, rejects_of(table.name)): _ON_RECORDS,
        table: _ON_TABLE[mode],
    }
    return {name: Right(held, "TABLE", name.sql) for name, held in privileges.items()}
