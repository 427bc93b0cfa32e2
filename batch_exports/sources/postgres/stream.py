"""The rows of a query, streamed out of PostgreSQL as Arrow's record batches.

COPY sends them as CSV, which pyarrow reads in C++: no value meets a line of Python. The library for
this, ADBC, decodes the binary form of COPY, in half the time. But it would bring connections of its
own, with a second way to set up TLS, time-outs and names, other errors, and no part in the
transaction of the connection that is there.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from batch_exports.errors import Terminal
from batch_exports.sources.postgres.reading import asked, natural_type
from batch_exports.sources.postgres.server_columns import ServerColumn, describe
from batch_exports.sources.postgres.text_values import values_of

BATCH_BYTES = 8 * 2**20
# Rows of few bytes are worth many more as they wait.
_BATCH_ROWS = 65_536
# A character that text hardly has: it is doubled within values, and JSON is full of usual quotes.
_QUOTE = "\x01"
# What is not NULL is in quotes, so that an empty text is told from NULL, which has nothing.
_COPY = """
COPY (SELECT {values} FROM (
{query}
) AS q) TO STDOUT (FORMAT csv, QUOTE {quote}, FORCE_QUOTE *, ENCODING 'UTF8')
"""
# Times, numbers and bytes are written in the form that is read here.
_SET = """
SELECT pg_catalog.set_config('TimeZone', 'UTC', true),
       pg_catalog.set_config('DateStyle', 'ISO, YMD', true),
       pg_catalog.set_config('extra_float_digits', '1', true),
       pg_catalog.set_config('bytea_output', 'hex', true)
"""
_PARSE = csv.ParseOptions(quote_char=_QUOTE, newlines_in_values=True, ignore_empty_lines=False)


def stream(
    connection: psycopg.Connection[Any],
    query: sql.Composable,
    schema: pa.Schema | None = None,
    *,
    where: str,
    columns: Sequence[ServerColumn] | None = None,
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a query, whose values stand in it as `sql.Literal`, in batches of about 8 MiB.

    The columns are those of `schema`, found by name; without one, those of the query with their
    `natural_type`. `columns` are the query's own, where `describe` has told them before.

    The connection is not in autocommit: what is set for the stream ends with the transaction.
    Closing the generator amid the rows cancels the query on the server, and fails the transaction.
    Raises psycopg's errors as they are, and `Terminal`, naming `where`, for a column or a value
    that the schema does not allow.
    """
    connection.execute(_SET)
    known = {column.name: column for column in columns or describe(connection, query)}
    if schema is None:
        schema = pa.schema([(name, natural_type(column)) for name, column in known.items()])
    if missing := [name for name in schema.names if name not in known]:
        raise Terminal(
            f"{where} has no column {missing[0]!r}.", remedy=f"It has {', '.join(known)}."
        )
    copy = sql.SQL(_COPY).format(
        values=sql.SQL(", ").join(asked(known[f.name], f.type, where) for f in schema),
        query=query,
        quote=sql.Literal(_QUOTE),
    )
    with closing(_blocks(connection, copy)) as blocks:
        for block in blocks:
            texts = _texts(block, len(schema))
            values = [
                values_of(column, field.type, field.name, where)
                for column, field in zip(texts, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(values, schema=schema)


def _blocks(
    connection: psycopg.Connection[Any], copy: sql.Composed
) -> Generator[bytes, None, None]:
    """Whole lines of a COPY, joined: the server sends each row in a message of its own.
    https://www.postgresql.org/docs/current/protocol-message-formats.html (CopyData)
    """
    with connection.cursor() as cursor, cursor.copy(copy) as rows:
        taken: list[bytes] = []
        size = 0
        for row in rows:
            taken.append(bytes(row))
            size += len(row)
            if size >= BATCH_BYTES or len(taken) == _BATCH_ROWS:
                yield b"".join(taken)
                taken, size = [], 0
        if taken:
            yield b"".join(taken)


def _texts(block: bytes, columns: int) -> list[pa.Array]:
    names = [str(number) for number in range(columns)]
    table = csv.read_csv(
        pa.BufferReader(block),
        # A block as a whole: no value is too long for it.
        csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
        _PARSE,
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return [column.combine_chunks() for column in table.columns]
