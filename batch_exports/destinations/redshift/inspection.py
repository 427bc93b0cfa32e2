"""The table compared with the ledger and the source: each function reads it anew."""

from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.delivery import LandedKeys, LandedVersions
from batch_exports.destinations.postgres.table import identifiers
from batch_exports.destinations.redshift.ledger import Entry
from batch_exports.destinations.redshift.moves import not_older
from batch_exports.destinations.redshift.presence import KEYS, Presence, same_key

_EXAMPLES = 10
_REMEDY = (
    "Empty the table and materialize its partitions again, with the membership column among the "
    "columns, by which rows are found in any case."
)


def inspect_rows(
    connection: psycopg.Connection[Any], presence: Presence, entry: Entry
) -> tuple[int, tuple[str, ...]]:
    """The rows found, and in words how they differ from the ledger's."""
    statement = sql.SQL("SELECT COUNT(*) FROM {}").format(presence.counted)
    row = connection.execute(statement, presence.values).fetchone()
    rows = int(row[0]) if row else 0
    problems = []
    if rows != entry.rows:
        problems.append(
            f"The table holds {rows} rows of the interval; the ledger says {entry.rows}."
        )
    return rows, tuple(problems)


def strangers(entry: Entry) -> tuple[str, ...]:
    """In words, what a delivery by keys alone could not do, or did to rows of others."""
    told = []
    if entry.left_behind:
        told.append(
            f"{entry.left_behind} rows of earlier deliveries of the interval are still in the "
            f"table, since the source has their keys no longer. {_REMEDY}"
        )
    if entry.taken_over:
        told.append(
            f"{entry.taken_over} rows of other deliveries had keys of this interval, and were "
            f"replaced by its rows. {_REMEDY}"
        )
    return tuple(told)


def inspect_keys(connection: psycopg.Connection[Any], presence: Presence) -> LandedKeys:
    """Null and duplicate keys among the interval's rows."""
    names = {
        "rows": presence.rows,
        "key": identifiers(presence.key),
        "null": sql.SQL(" OR ").join(
            sql.SQL("{} IS NULL").format(sql.Identifier(name)) for name in presence.key
        ),
        "examples": sql.Literal(_EXAMPLES),
    }
    names["grouped"] = sql.SQL("SELECT COUNT(*) AS times, {key} FROM {rows} GROUP BY {key}").format(
        **names
    )
    counts = sql.SQL(
        "SELECT COALESCE(SUM(times), 0), "
        "COALESCE(SUM(CASE WHEN {null} THEN times ELSE 0 END), 0), "
        "COALESCE(SUM(CASE WHEN {null} THEN 0 ELSE times - 1 END), 0) FROM ({grouped}) AS k"
    )
    row = connection.execute(counts.format(**names), presence.values).fetchone()
    rows, nulls, duplicates = map(int, row or (0, 0, 0))
    if not duplicates:
        return LandedKeys(rows, nulls, 0)
    repeated = sql.SQL(
        "SELECT {key} FROM ({grouped}) AS k WHERE times > 1 AND NOT ({null}) LIMIT {examples}"
    )
    found = connection.execute(repeated.format(**names), presence.values).fetchall()
    examples = [str(dict(zip(presence.key, values, strict=True))) for values in found]
    return LandedKeys(rows, nulls, duplicates, tuple(examples))


def inspect_versions(connection: psycopg.Connection[Any], presence: Presence) -> LandedVersions:
    """Rows of the table that are older than a staged row of their key."""
    table = presence.table
    names = {
        "table": table.sql,
        "staged": sql.Identifier(KEYS),
        "same": same_key(table.name, KEYS, presence.key),
        "key": identifiers(presence.key, of=KEYS),
        "not_older": not_older(table.name, KEYS, presence.versions),
        "examples": sql.Literal(_EXAMPLES),
    }
    counts = sql.SQL(
        "SELECT COUNT(*), COALESCE(SUM(CASE WHEN {not_older} THEN 0 ELSE 1 END), 0) "
        "FROM {staged} JOIN {table} ON {same}"
    )
    row = connection.execute(counts.format(**names)).fetchone()
    rows, stale = map(int, row or (0, 0))
    example = sql.SQL(
        "SELECT DISTINCT {key} FROM {staged} JOIN {table} ON {same} "
        "WHERE CASE WHEN {not_older} THEN 0 ELSE 1 END = 1 LIMIT {examples}"
    )
    found = connection.execute(example.format(**names)).fetchall() if stale else []
    keys = [str(dict(zip(presence.key, values, strict=True))) for values in found]
    return LandedVersions(rows, stale, tuple(keys))
