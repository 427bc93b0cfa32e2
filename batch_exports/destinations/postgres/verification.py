"""A table's rows of an interval, compared with the ledger: how many, and who wrote them."""

from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.delivery import KeyReader
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.errors import postgres_errors
from batch_exports.destinations.postgres.ledger import Ledger
from batch_exports.destinations.postgres.table import read_table
from batch_exports.destinations.verified import Verified
from batch_exports.interval import DataInterval

_ROWS_ALONE = "the number of rows with the ledger; not their values"


def verify(
    destination: PostgresDestination, interval: DataInterval, source_keys: KeyReader
) -> Verified:
    """By the number of rows, and how many of them the deliveries' own transactions wrote.

    PostgreSQL never changes a row in its place: an UPDATE writes another with the number of its own
    transaction in `xmin`, https://www.postgresql.org/docs/current/ddl-system-columns.html. So rows
    that still have the delivery's are as it wrote them, to the byte. The ledger's hash is of the
    stream of COPY, which a table cannot be made to give again.

    Of merged rows later deliveries replace some, as they should: these are told by the source's
    keys, and their values not at all.
    """
    if destination.write_mode == "merge":
        merged = destination.inspect(interval, source_keys=source_keys)
        return Verified(
            "the source's keys with those in the table; not values, which later deliveries replace",
            merged.problems,
            merged.rows,
        )
    found = _count_written(destination, interval)
    # Rows that other transactions wrote, and no column tells, are known by the source's keys.
    landed = destination.inspect(interval, deep=found is None, source_keys=source_keys)
    if found is None:
        why = "the table is another one than was delivered to, such as one restored from a dump"
        return Verified(f"{_ROWS_ALONE}: {why}", landed.problems, landed.rows)
    written, unchanged = found
    problems = landed.problems
    if unchanged != written:
        problems += (
            f"Of {written} rows that were delivered, {written - unchanged} are not there as they "
            "were: they were changed or deleted since, or ALTER TABLE has rewritten the table.",
        )
    return Verified(
        "the number of rows with the ledger, and which transaction wrote each (xmin)",
        problems,
        landed.rows,
    )


def _count_written(
    destination: PostgresDestination, interval: DataInterval
) -> tuple[int, int] | None:
    """How many rows deliveries of the interval wrote to this very table, and how many of these it
    still has; None where they wrote to another, or there was none."""
    with (
        destination.connect(f"batch_exports {destination.export} verify") as connection,
        postgres_errors(
            destination.uri(interval), user=connection.info.user, schema=destination.name.schema
        ),
    ):
        connection.read_only = True
        table = read_table(connection, destination.name)
        ledger = Ledger(destination.name, destination.export)
        known = read_table(connection, ledger.name) is not None
        entry = ledger.entry(connection, interval) if known else None
        if table is None or entry is None:
            return None
        written = ledger.written(connection, interval, table.identity)
        if written.rows != entry.rows:
            return None
        unchanged = 0
        for condition in written.conditions():
            unchanged = _count(connection, destination, condition.text, condition.values)
            if unchanged == written.rows:
                break
        return written.rows, unchanged


def _count(
    connection: psycopg.Connection[Any],
    destination: PostgresDestination,
    condition: sql.Composed,
    values: dict[str, Any],
) -> int:
    statement = sql.SQL("SELECT count(*) FROM {} t WHERE {}").format(
        destination.name.sql, condition
    )
    row = connection.execute(statement, values).fetchone()
    return int(row[0]) if row else 0
