"""The steps by which a table of a warehouse is tried: RudderStack's three, then what a sync reads.

https://www.rudderstack.com/docs/sources/reverse-etl/amazon-redshift/
"""

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import pyarrow as pa
from psycopg import sql

from batch_exports.destinations.postgres.table import TableName
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.probe import Finding, Step, passed, skipped, warning
from batch_exports.sources.warehouse import catalog
from batch_exports.sources.warehouse.difference import REASONS
from batch_exports.sources.warehouse.grants import Grants
from batch_exports.sources.warehouse.sample import sample
from batch_exports.sources.warehouse.unloading import unloaded
from batch_exports.sources.warehouse.warehouse_table import WarehouseTable

_ROWS = 100
_PRIVILEGES = "SELECT has_schema_privilege(%s, 'USAGE'), has_schema_privilege(%s, 'CREATE')"
_MAY_READ = "SELECT has_table_privilege(%s, 'SELECT')"
# As RudderStack's own: a table with a number and a text.
_PROBE = "CREATE TABLE {} (c1 INT, c2 VARCHAR(255))"


@dataclass
class Attempt:
    """`reach` makes the source, for which it may take credentials."""

    reach: Callable[[], WarehouseTable]

    @cached_property
    def source(self) -> WarehouseTable:
        return self.reach()

    @cached_property
    def user(self) -> str:
        with self.source.session("test") as connection:
            return connection.info.user

    @property
    def grants(self) -> Grants:
        synced = self.source.synced
        return Grants(self.user, synced.table, synced.state_schema)


def verify_connection(attempt: Attempt) -> Finding:
    with attempt.source.session("test") as connection:
        info = connection.info
        return passed(f"user {info.user!r}, database {info.dbname!r}, {attempt.source.address}")


def list_schemas(attempt: Attempt) -> Finding:
    schema = attempt.source.synced.table.schema
    with attempt.source.session("test") as connection:
        found = catalog.schemas(connection)
    if schema not in found:
        raise Terminal(
            f"There is no schema {schema!r}.",
            remedy=f"Correct the source's schema. There is: {', '.join(found) or 'none'}.",
        )
    return passed(f"{len(found)} schemas, {schema!r} among them")


def access_state_schema(attempt: Attempt) -> Finding:
    """A table is made there, written and read, and undone."""
    synced, grants = attempt.source.synced, attempt.grants
    with attempt.source.session("test") as connection:
        if synced.state_schema not in catalog.schemas(connection):
            raise Terminal(
                f"There is no schema {synced.state_schema!r}.",
                remedy=_run(grants.create_state_schema, grants.use_state_schema),
            )
        row = connection.execute(_PRIVILEGES, [synced.state_schema] * 2).fetchone()
        if row is None or not all(row):
            raise Terminal(
                f"The schema {synced.state_schema!r} may not be used, or no table made in it.",
                remedy=_run(grants.use_state_schema),
            )
        made = TableName(synced.state_schema, f"batch_exports_test_{secrets.token_hex(4)}")
        connection.execute(sql.SQL(_PROBE).format(made.sql))
        connection.execute(sql.SQL("INSERT INTO {} VALUES (1, 'a')").format(made.sql))
        connection.execute(sql.SQL("SELECT c1, c2 FROM {}").format(made.sql)).fetchall()
        connection.rollback()
    return passed(f"a table was made in {synced.state_schema!r}, written, read, and undone")


def find_identifiers(attempt: Attempt) -> Finding:
    synced, grants = attempt.source.synced, attempt.grants
    with attempt.source.session("test") as connection:
        usage = connection.execute(_PRIVILEGES, [synced.table.schema] * 2).fetchone()
        if usage is None or not usage[0]:
            raise Terminal(
                f"The schema {synced.table.schema!r} may not be used.",
                remedy=_run(grants.use_schema),
            )
        there = catalog.columns(connection, synced.table, synced.dialect)
        allowed = connection.execute(_MAY_READ, [synced.table.sql.as_string()]).fetchone()
        if allowed is None or not allowed[0]:
            raise Terminal(f"{synced.table} may not be read.", remedy=_run(grants.read_table))
    found = synced.mapping.fit_identifiers(there, synced.table)
    told = ", ".join(f"{what} is {column.name!r}" for what, column in found.items())
    return passed(f"{synced.table}: {told}")


def find_key(attempt: Attempt) -> Finding:
    synced = attempt.source.synced
    with attempt.source.session("test") as connection:
        there = catalog.columns(connection, synced.table, synced.dialect)
    key = synced.mapping.fit_key(there, synced.table)
    return passed(", ".join(f"{column.name!r} {column.type}" for column in key))


def read_rows(attempt: Attempt) -> Finding:
    found = sample(attempt.source, _ROWS)
    traits = f"{len(found.mapped.traits)}/{len(found.columns)} columns are traits"
    rows = found.events.num_rows + len(found.invalid)
    if not found.invalid:
        return passed(f"{traits}; all of the first {rows} rows are valid")
    why = ", ".join(f"{n}: {REASONS[reason]}" for reason, n in Counter(found.invalid).items())
    return warning(
        f"{traits}; of the first {rows} rows {len(found.invalid)} are invalid ({why}).",
        remedy="Correct them in the table: they are left out, and the check source_rows fails.",
    )


def unload(attempt: Attempt) -> Finding:
    """A row to the stage, read from there, and deleted."""
    source = attempt.source
    if source.stage is None:
        return skipped("no stage: a cursor fetches the rows")
    now = datetime.now(UTC)
    folder = source.stage.folder(
        source.synced.source, DataInterval(now, now + timedelta(seconds=1))
    )
    schema = pa.schema([("one", pa.string())])
    query = sql.SQL("SELECT CAST('1' AS VARCHAR(1)) AS one")
    with source.session("test") as connection:
        rows = list(unloaded(connection, query, schema, folder, 1))
    return passed(f"{len(rows)} row went to {source.stage.uri}, was read there, and is deleted")


def steps(state_schema: str) -> Sequence[Step[Attempt]]:
    """RudderStack's name of the third says RudderStack Schema, where ours is the schema's own."""
    return (
        Step("Verifying Connection", verify_connection),
        Step("Able to List Schema", list_schemas),
        Step(f"Able to Access {state_schema} Schema", access_state_schema),
        Step("Identifiers", find_identifiers),
        Step("Primary Key", find_key),
        Step("Trial SELECT", read_rows),
        Step("Trial UNLOAD", unload),
    )


def _run(*statements: str) -> str:
    return "Let an administrator run: " + " ".join(f"{one};" for one in statements)
