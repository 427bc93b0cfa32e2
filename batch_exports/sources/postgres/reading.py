"""How a column is asked for, so that its text tells its value without loss, and read again."""

from collections.abc import Callable, Mapping

import pyarrow as pa
from psycopg import sql

from batch_exports.errors import Terminal
from batch_exports.models import JSON, TIMESTAMP, type_name
from batch_exports.sources.postgres.server_columns import ServerColumn

_INTEGERS = ("int2", "int4", "int8")
_TEXTS = ("text", "varchar", "bpchar", "name")
# The types on the server whose every value an Arrow type holds, or whose text tells where it does
# not; with the type to cast to where the text of the server's own would tell another value: the
# text of a REAL is the shortest that leads back to a REAL, and means another DOUBLE; times without
# a zone are of the session's, which is UTC.
_HELD: tuple[tuple[Callable[[pa.DataType], bool], tuple[str, ...], str | None], ...] = (
    (pa.types.is_boolean, ("bool",), None),
    (pa.types.is_integer, (*_INTEGERS, "numeric"), None),
    (pa.types.is_decimal, (*_INTEGERS, "numeric"), None),
    (pa.types.is_float64, ("float8", "float4", "int2", "int4"), "float8"),
    (pa.types.is_float32, ("float4", "int2"), "float4"),
    (pa.types.is_timestamp, ("timestamptz", "timestamp"), "timestamptz"),
    (pa.types.is_date32, ("date",), None),
    (pa.types.is_binary, ("bytea",), None),
)
_NATURAL: Mapping[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int32(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "json": JSON,
    "jsonb": JSON,
    "timestamptz": TIMESTAMP,
    "timestamp": TIMESTAMP,
    "date": pa.date32(),
    "bytea": pa.binary(),
}
_MOST_DIGITS = 38


def natural_type(column: ServerColumn) -> pa.DataType:
    """The Arrow type that holds a column's values: text for whatever has none of its own.

    Arrays and rows are JSON, since their type tells nothing of dimensions. A NUMERIC without
    digits, or with more than 38, is text.
    """
    if column.is_array or column.is_row:
        return JSON
    if column.digits:
        precision, scale = column.digits
        if precision <= _MOST_DIGITS and 0 <= scale <= precision:
            return pa.decimal128(precision, scale)
    return _NATURAL.get(column.type, pa.string())


def asked(column: ServerColumn, type_: pa.DataType, where: str) -> sql.Composable:
    """The expression whose text `text_values.values_of` reads as that Arrow type.

    Raises `Terminal` where the server's type may have values that the Arrow type cannot tell.
    """
    name = sql.Identifier(column.name)
    if pa.types.is_list(type_):
        if column.is_array and (cast := _cast(column.type, type_.value_type)) is not None:
            given = sql.SQL("{}{}").format(name, sql.SQL(f"::{cast}[]" if cast else ""))
            return sql.SQL("pg_catalog.to_json({}::text[])::text").format(given)
    elif type_.equals(JSON):
        if column.is_array or column.is_row:
            return sql.SQL("pg_catalog.to_json({})::text").format(name)
        if column.type in ("json", "jsonb", *_TEXTS):
            return sql.SQL("{}::text").format(name)
    elif pa.types.is_binary(type_) and column.type == "bytea" and not column.is_array:
        return sql.SQL("pg_catalog.encode({}, 'hex')").format(name)
    elif not column.is_array and (cast := _cast(column.type, type_)) is not None:
        return sql.SQL("{}{}::text").format(name, sql.SQL(f"::{cast}" if cast else ""))
    elif pa.types.is_string(type_):  # an array, as PostgreSQL writes it
        return sql.SQL("{}::text").format(name)
    raise Terminal(
        f"{where}: the column {column.name!r} is {column.shown}, and was expected as "
        f"{type_name(type_)}.",
        remedy="Give the column a type that holds no other values, cast it in a query, or leave "
        "it out of the export's columns.",
    )


def _cast(type_: str, wanted: pa.DataType) -> str | None:
    """What to cast values to first, "" for nothing; None where they may not fit."""
    if pa.types.is_string(wanted):
        return ""
    if wanted.equals(JSON):
        return "" if type_ in ("json", "jsonb", *_TEXTS) else None
    for is_kind, types, cast in _HELD:
        if is_kind(wanted):
            return (cast or "") if type_ in types else None
    return None
