"""Answers of a query as record batches: by COPY of PostgreSQL, by a cursor of Redshift."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.sources.postgres.stream import stream
from batch_exports.sources.warehouse.dialect import Dialect

# The most that a cluster of one node gives at a time.
# https://docs.aws.amazon.com/redshift/latest/dg/fetch.html
_FETCH = sql.SQL("FETCH FORWARD 1000 FROM batch_exports_rows")
_FETCHED = 1000
_DECLARE = sql.SQL("DECLARE batch_exports_rows CURSOR FOR {}")
_CLOSE = sql.SQL("CLOSE batch_exports_rows")
# As many as it gives without more digits may be too few to tell a float.
# https://docs.aws.amazon.com/redshift/latest/dg/r_extra_float_digits.html
_ALL_DIGITS = sql.SQL("SET extra_float_digits TO 2")
_BATCH_BYTES = 4 * 2**20


def answers(
    connection: psycopg.Connection[Any],
    query: sql.Composable,
    schema: pa.Schema,
    dialect: Dialect,
    where: str,
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a query in batches of bounded bytes, in the transaction of the connection.

    Raises psycopg's errors, and `Terminal` naming `where`.
    """
    rows = (
        stream(connection, query, schema, where=where)
        if dialect.name == "postgres"
        else _fetched(connection, query, schema)
    )
    with closing(rows):
        yield from rows


def _fetched(
    connection: psycopg.Connection[Any], query: sql.Composable, schema: pa.Schema
) -> Generator[pa.RecordBatch, None, None]:
    connection.execute(_ALL_DIGITS)
    connection.execute(_DECLARE.format(query))
    gathered: list[pa.RecordBatch] = []
    size, fetched = 0, _FETCHED
    while fetched == _FETCHED:
        rows = connection.execute(_FETCH).fetchall()
        fetched = len(rows)
        if rows:
            columns = zip(*rows, strict=True)
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            gathered.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
            size += gathered[-1].nbytes
        if gathered and (size >= _BATCH_BYTES or fetched < _FETCHED):
            yield pa.concat_batches(gathered)
            gathered, size = [], 0
    connection.execute(_CLOSE)
