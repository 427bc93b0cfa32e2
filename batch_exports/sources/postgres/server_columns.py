"""The columns that a query has on the server, with their types as the server knows them."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

# Whatever else a type is told by, arrays are of the category A:
# https://www.postgresql.org/docs/current/catalog-pg-type.html
_TYPES = """
SELECT oid, typname, typtype = 'c', typcategory = 'A'
FROM pg_catalog.pg_type WHERE oid = ANY (%s)
"""
_SHOWN = """
SELECT pg_catalog.format_type(oid, modifier)
FROM ROWS FROM (unnest(%s::oid[]), unnest(%s::int[])) AS given (oid, modifier)
"""
_RECORD = 2249


@dataclass(frozen=True)
class ServerColumn:
    """A column of a query's result.

    `type` is `pg_type.typname` of the values, that of arrays without its underscore; a domain has
    that of the type below it. `shown` is the type as people write it, such as `numeric(10,2)`.
    `digits` are precision and scale of a NUMERIC that has them.
    """

    name: str
    type: str
    shown: str
    is_array: bool = False
    is_row: bool = False
    digits: tuple[int, int] | None = None


def describe(connection: psycopg.Connection[Any], query: sql.Composable) -> list[ServerColumn]:
    """The columns of a query, whose values stand in it as `sql.Literal`. It is not carried out.

    Raises psycopg's errors.
    """
    shape = connection.execute(sql.SQL("SELECT * FROM (\n{}\n) AS q LIMIT 0").format(query))
    result = shape.pgresult
    assert result
    oids = [result.ftype(number) for number in range(result.nfields)]
    modifiers = [result.fmod(number) for number in range(result.nfields)]
    named = connection.execute(_SHOWN, [oids, modifiers]).fetchall()
    types = {oid: rest for oid, *rest in connection.execute(_TYPES, [oids]).fetchall()}
    columns = []
    for number, (oid, modifier, (shown,)) in enumerate(zip(oids, modifiers, named, strict=True)):
        name = result.fname(number)
        assert name is not None
        typname, is_row, is_array = types[oid]
        columns.append(
            ServerColumn(
                name.decode(),
                typname.removeprefix("_") if is_array else typname,
                shown,
                is_array,
                is_row or oid == _RECORD,
                _digits(modifier) if typname == "numeric" else None,
            )
        )
    return columns


def _digits(modifier: int) -> tuple[int, int] | None:
    """As `make_numeric_typmod` of PostgreSQL's src/backend/utils/adt/numeric.c packs them."""
    if modifier < 0:
        return None
    return (modifier - 4) >> 16, (((modifier - 4) & 0x7FF) ^ 0x400) - 0x400
