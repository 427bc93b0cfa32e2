"""Which Redshift types hold which Arrow types, and how a value gets there by way of a stage.

https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html
"""

from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa
from psycopg import sql

from batch_exports.destinations.spelled_type import spelled
from batch_exports.models import JSON, Column

SemiStructuredType = Literal["SUPER", "VARCHAR(65535)"]

MOST_VARCHAR_BYTES = 65_535
# The most that VARBYTE holds, and about what a SUPER value may have.
_DOCUMENT = "VARBYTE(16777216)"

# The kinds of Arrow types that exports move; for each the type of columns that we make, and the
# types (as `svv_columns.data_type`) of existing columns that hold every value without changing one.
# Values that a narrower one does not hold, such as text beyond VARCHAR(200), are rejected one by
# one.
_KINDS = {
    "text": ("VARCHAR(65535)", {"character varying"}),
    "int64": ("BIGINT", {"smallint", "integer", "bigint"}),
    "int32": ("INTEGER", {"smallint", "integer", "bigint"}),
    "double": ("DOUBLE PRECISION", {"double precision"}),
    "float": ("REAL", {"real", "double precision"}),
    "bool": ("BOOLEAN", {"boolean"}),
    "timestamp": ("TIMESTAMP WITH TIME ZONE", {"timestamp with time zone"}),
    "date": ("DATE", {"date"}),
    "decimal": ("NUMERIC", {"numeric"}),
    "document": ("SUPER", {"super", "character varying"}),
}
# What Parquet's columns of these Arrow types load into: integers of another width do not.
_STAGED = {
    "int64": "BIGINT",
    "int32": "INTEGER",
    "double": "DOUBLE PRECISION",
    "float": "REAL",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
}
# How the types above are written in SQL, beside their own names.
_WRITTEN = {
    "VARCHAR": "character varying",
    "TIMESTAMPTZ": "timestamp with time zone",
    "TIMESTAMP": "timestamp without time zone",
    "DECIMAL": "numeric",
}
_MOST_DIGITS = 38


@dataclass(frozen=True)
class Staged:
    """A column of a stage: its type there, and what it becomes in the table, as an expression."""

    name: str
    type: str
    value: sql.Composable


def made_type(column: Column, semi_structured: SemiStructuredType = "SUPER") -> str:
    """The type of the column in a table that we make, as in `CREATE TABLE`."""
    if "redshift" in column.types:
        return column.types["redshift"]
    kind = _kind(column.type)
    if kind == "document":
        return semi_structured
    return _decimal(column.type) if kind == "decimal" else _KINDS[kind][0]


def holds(data_type: str, column: Column) -> bool:
    """Whether a column of that `svv_columns.data_type` can hold the column's values unchanged.

    A TIMESTAMP has no zone, and holds moments only where it is agreed that they are UTC's.
    """
    if data_type == "timestamp without time zone":
        is_moment = _kind(column.type) == "timestamp"
        return is_moment and column.types.get("redshift") == "TIMESTAMP"
    return data_type in _KINDS[_kind(column.type)][1]


def data_type_of(written: str) -> str:
    """The `svv_columns.data_type` of a column whose type is written so in SQL."""
    asked = spelled(written)
    name = asked.name if asked else written
    return _WRITTEN.get(name, name.lower())


def can_be_made(written: str, column: Column) -> bool:
    """Whether a column of a table that is made can have the type, as written in SQL, and hold the
    column's values unchanged or refuse them one by one."""
    asked = spelled(written)
    if asked is None or "[]" in asked.name:
        return False
    data_type = data_type_of(written)
    if not holds(data_type, replace(column, types={"redshift": asked.name})):
        return False
    match data_type, asked.numbers:
        case _, ():
            return True
        case "character varying", (length,):
            return 1 <= length <= MOST_VARCHAR_BYTES
        case "numeric", (precision, *rest):
            return 1 <= precision <= _MOST_DIGITS and (rest[0] if rest else 0) <= precision
    return False


def types_to_make(column: Column) -> list[str]:
    """The types of which `can_be_made` says so, without numbers in parentheses."""
    names = {*(name.upper() for _, held in _KINDS.values() for name in held), *_WRITTEN}
    return sorted(name for name in names if can_be_made(name, column))


def staged(column: Column, data_type: str) -> Staged:
    """How the column's values are staged for a column of that `svv_columns.data_type`.

    SUPER takes no more than 65,535 bytes of text at once, but parses documents of 16 MB out of
    VARBYTE. Parquet's moments have no zone on Redshift; in the stage they are UTC's.
    """
    place = sql.Identifier(column.name)
    kind = _kind(column.type)
    if data_type == "super":
        return Staged(column.name, _DOCUMENT, sql.SQL("JSON_PARSE({})").format(place))
    if data_type == "timestamp with time zone":
        moment = sql.SQL("{} AT TIME ZONE 'UTC'").format(place)
        return Staged(column.name, _STAGED[kind], moment)
    if kind == "decimal":
        return Staged(column.name, _decimal(column.type), place)
    return Staged(column.name, _STAGED.get(kind, f"VARCHAR({MOST_VARCHAR_BYTES})"), place)


def passing(column: Column) -> Staged:
    """How values are staged that come with a file, and go no further: whatever they are."""
    kind = _kind(column.type)
    return staged(column, "super" if kind in ("text", "document") else "")


def _decimal(type_: pa.DataType) -> str:
    return f"NUMERIC({type_.precision},{type_.scale})"


def _kind(type_: pa.DataType) -> str:
    if type_.equals(JSON) or pa.types.is_list(type_):
        return "document"
    if pa.types.is_string(type_):
        return "text"
    if pa.types.is_timestamp(type_):
        return "timestamp"
    if pa.types.is_date32(type_):
        return "date"
    return "decimal" if pa.types.is_decimal(type_) else str(type_)
