"""What an export's user must be allowed to do, by write mode, as the GRANTs that allow it.

https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT.html
"""

from collections.abc import Mapping

from psycopg import sql

from batch_exports.destinations.postgres.ledger import LEDGER
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.rejects import rejects_of
from batch_exports.destinations.postgres.rights import Right
from batch_exports.destinations.postgres.table import TableName

# The checks read; what is delivered again is deleted, or updated, first. To lock a table takes
# UPDATE or DELETE: of LOCK AWS names no privilege, and this is the rule of PostgreSQL 8 that
# Redshift comes from. MERGE takes what its clauses do.
# https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
# https://www.postgresql.org/docs/8.0/sql-lock.html
# https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html
_ON_TABLE: Mapping[WriteMode, tuple[str, ...]] = {
    "replace": ("SELECT", "INSERT", "DELETE"),
    "merge": ("SELECT", "INSERT", "UPDATE"),
    "append": ("SELECT", "INSERT", "DELETE"),
}
_ON_RECORDS = ("SELECT", "INSERT", "DELETE")


def right_on_database(database: str) -> Right:
    """All users have it, unless it was revoked from PUBLIC: rows are staged in temporary tables."""
    return Right(("TEMPORARY",), "DATABASE", sql.Identifier(database))


def rights_on_tables(table: TableName, mode: WriteMode) -> dict[TableName, Right]:
    """On tables that are not the user's own: the export's, and those that stand beside it."""
    privileges = {
        TableName(table.schema, LEDGER): _ON_RECORDS,
        TableName(table.schema, rejects_of(table.name)): _ON_RECORDS,
        table: _ON_TABLE[mode],
    }
    return {name: Right(held, "TABLE", name.sql) for name, held in privileges.items()}
