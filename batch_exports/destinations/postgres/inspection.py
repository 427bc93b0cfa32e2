"""The table compared with the ledger and the source: each function reads it anew."""

from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.delivery import LandedKeys, LandedVersions
from batch_exports.destinations.postgres.ledger import Entry
from batch_exports.destinations.postgres.presence import STAGED, Presence
from batch_exports.destinations.postgres.staging import same_key
from batch_exports.destinations.postgres.table import identifiers

_EXAMPLES = 10


def inspect_rows(
    connection: psycopg.Connection[Any], presence: Presence, entry: Entry
) -> tuple[int, tuple[str, ...]]:
    """The rows found, and in words how they differ from the ledger's."""
    rows = presence.count
    if rows is None:
        statement = sql.SQL("SELECT count(*) FROM {}").format(presence.counted)
        row = connection.execute(statement, presence.values).fetchone()
        rows = int(row[0]) if row else 0
    if rows == entry.rows:
        return rows, ()
    return rows, (f"The table holds {rows} rows of the interval; the ledger says {entry.rows}.",)


def inspect_keys(connection: psycopg.Connection[Any], presence: Presence) -> LandedKeys:
    """Null and duplicate keys among the interval's rows."""
    names = {
        "rows": presence.rows,
        "key": identifiers(presence.key, of="t"),
        "null": sql.SQL(" OR ").join(
            sql.SQL("t.{} IS NULL").format(sql.Identifier(name)) for name in presence.key
        ),
        "examples": sql.Literal(_EXAMPLES),
    }
    grouped = sql.SQL("SELECT count(*) AS times, {key} FROM {rows} GROUP BY {key}")
    counts = sql.SQL(
        "SELECT coalesce(sum(times), 0), coalesce(sum(times) FILTER (WHERE {null}), 0), "
        "coalesce(sum(times - 1) FILTER (WHERE NOT ({null})), 0) FROM ({grouped}) t"
    )
    names["grouped"] = grouped.format(**names)
    connection.execute("SET work_mem = '64MB'")
    row = connection.execute(counts.format(**names), presence.values).fetchone()
    rows, nulls, duplicates = map(int, row or (0, 0, 0))
    if not duplicates:
        return LandedKeys(rows, nulls, 0)
    repeated = sql.SQL(
        "SELECT {key} FROM ({grouped}) t WHERE times > 1 AND NOT ({null}) LIMIT {examples}"
    )
    found = connection.execute(repeated.format(**names), presence.values).fetchall()
    examples = [str(dict(zip(presence.key, values, strict=True))) for values in found]
    return LandedKeys(rows, nulls, duplicates, tuple(examples))


def inspect_versions(connection: psycopg.Connection[Any], presence: Presence) -> LandedVersions:
    """Rows of the table that are older than a staged row of their key."""
    versions = presence.versions
    names = {
        "table": presence.table,
        "staged": STAGED,
        "same": same_key(presence.key),
        "key": identifiers(presence.key, of="s"),
        "older": sql.SQL("(({}) < ({})) IS NOT FALSE").format(
            identifiers(versions, of="t"), identifiers(versions, of="s")
        ),
        "examples": sql.Literal(_EXAMPLES),
    }
    counts = sql.SQL(
        "SELECT count(*), count(*) FILTER (WHERE {older}) FROM {staged} s JOIN {table} t ON {same}"
    )
    row = connection.execute(counts.format(**names)).fetchone()
    rows, stale = row or (0, 0)
    example = sql.SQL(
        "SELECT DISTINCT {key} FROM {staged} s JOIN {table} t ON {same} WHERE {older} "
        "LIMIT {examples}"
    )
    found = connection.execute(example.format(**names)).fetchall() if stale else []
    keys = [str(dict(zip(presence.key, values, strict=True))) for values in found]
    return LandedVersions(rows, stale, tuple(keys))
