"""What a warehouse's errors mean to the user of a source."""

import re
from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from batch_exports.destinations.postgres.errors import postgres_errors
from batch_exports.destinations.redshift.authorization import Authorization
from batch_exports.destinations.redshift.errors import redshift_errors
from batch_exports.errors import Terminal
from batch_exports.sources.warehouse.grants import Grants
from batch_exports.sources.warehouse.synced_table import SyncedTable

# PostgreSQL's text of SQLSTATE 42501 (aclchk.c), which Redshift has as well.
_OF_SCHEMA = re.compile(r"permission denied for schema (.+)")


@contextmanager
def warehouse_errors(
    address: str,
    user: str,
    synced: SyncedTable,
    *,
    authorization: Authorization | None = None,
    stage: str = "",
) -> Generator[None, None, None]:
    """Raise psycopg's errors as ours, with the place, and what a right that is missing is granted
    by; never a credential or a row. `authorization` and `stage` are those of UNLOAD."""
    where = f"{address} {synced.table}"
    told = (
        postgres_errors(where, user=user, schema=synced.state_schema)
        if synced.dialect.name == "postgres"
        else redshift_errors(
            where,
            user=user,
            schema=synced.state_schema,
            authorization=authorization,
            stage=stage,
        )
    )
    with told:
        try:
            yield
        except psycopg.Error as error:
            if remedy := _missing(error, user, synced):
                said = (error.diag.message_primary or "").rstrip(".")
                raise Terminal(
                    f"{where}: {said} (SQLSTATE {error.sqlstate}).", remedy=remedy
                ) from None
            raise


def _missing(error: psycopg.Error, user: str, synced: SyncedTable) -> str | None:
    """What to do about a right or a schema that is missing; None for another error."""
    grants = Grants(user, synced.table, synced.state_schema)
    said = error.diag.message_primary or ""
    if error.sqlstate == "3F000" and synced.state_schema in said:
        statements = [grants.create_state_schema, grants.use_state_schema]
    elif error.sqlstate == "42501":
        statements = [_grant(said, grants)]
    else:
        return None
    return "Let an administrator run: " + " ".join(f"{one};" for one in statements)


def _grant(said: str, grants: Grants) -> str:
    if found := _OF_SCHEMA.search(said):
        of_state = found[1].strip('"') == grants.state_schema
        return grants.use_state_schema if of_state else grants.use_schema
    if grants.table.name in said or "batch_exports_" not in said:
        return grants.read_table
    return grants.use_state
