"""Which PostgreSQL types hold which Arrow types."""

import pyarrow as pa

from batch_exports.destinations.spelled_type import spelled
from batch_exports.models import JSON, Column

# The kinds of Arrow types that exports move; for each the type of columns that we make, and the
# types (as `pg_type.typname`) of existing columns that hold every value without changing one.
# Values that a narrower one does not hold, such as text beyond VARCHAR(200), are rejected one by
# one. REAL for a double, TIMESTAMP without a zone and CHAR(n) would change values in silence.
_KINDS = {
    "json": ("JSONB", {"jsonb", "json", "text", "varchar"}),
    "text": ("TEXT", {"text", "varchar"}),
    "int64": ("BIGINT", {"int2", "int4", "int8"}),
    "int32": ("INTEGER", {"int2", "int4", "int8"}),
    "double": ("DOUBLE PRECISION", {"float8"}),
    "float": ("REAL", {"float4", "float8"}),
    "decimal": ("NUMERIC", {"numeric"}),
    "bool": ("BOOLEAN", {"bool"}),
    "timestamp": ("TIMESTAMP WITH TIME ZONE", {"timestamptz"}),
    "date": ("DATE", {"date"}),
    "texts": ("TEXT[]", {"_text", "_varchar"}),
}

# How the types above are written in SQL.
_WRITTEN = {
    "JSONB": "jsonb",
    "JSON": "json",
    "TEXT": "text",
    "VARCHAR": "varchar",
    "CHARACTER VARYING": "varchar",
    "SMALLINT": "int2",
    "INTEGER": "int4",
    "BIGINT": "int8",
    "REAL": "float4",
    "DOUBLE PRECISION": "float8",
    "NUMERIC": "numeric",
    "DECIMAL": "numeric",
    "BOOLEAN": "bool",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "TIMESTAMPTZ": "timestamptz",
    "DATE": "date",
    "TEXT[]": "_text",
    "VARCHAR[]": "_varchar",
}
_MOST_CHARACTERS = 10_485_760
_MOST_DIGITS = 1000


def made_type(column: Column) -> str:
    """The type of the column in a table that we make, as in `CREATE TABLE`."""
    if "postgres" in column.types:
        return column.types["postgres"]
    if pa.types.is_decimal(column.type):
        return f"NUMERIC({column.type.precision}, {column.type.scale})"
    return _KINDS[_kind(column.type)][0]


def holds(typname: str, type_: pa.DataType) -> bool:
    """Whether a column of that `pg_type.typname` can hold values of the Arrow type unchanged."""
    return typname in _KINDS[_kind(type_)][1]


def can_be_made(written: str, type_: pa.DataType) -> bool:
    """Whether a column of a table that is made can have the type, as written in SQL, and hold
    values of the Arrow type unchanged or refuse them one by one."""
    asked = spelled(written)
    if asked is None or not holds(_WRITTEN.get(asked.name, ""), type_):
        return False
    match asked.name.removesuffix("[]"), asked.numbers:
        case _, ():
            return True
        case (("VARCHAR" | "CHARACTER VARYING"), (length,)):
            return 1 <= length <= _MOST_CHARACTERS
        case (("NUMERIC" | "DECIMAL"), (precision, *rest)):
            scale = rest[0] if rest else 0
            modifier = (precision << 16 | scale) + 4
            return scale <= precision <= _MOST_DIGITS and not rounds(modifier, type_)
    return False


def types_to_make(type_: pa.DataType) -> list[str]:
    """The types of which `can_be_made` says so, without numbers in parentheses."""
    return [written for written in _WRITTEN if can_be_made(written, type_)]


def rounds(modifier: int | None, type_: pa.DataType) -> bool:
    """Whether a NUMERIC of that modifier has fewer digits, before the point or after, than the
    Arrow type: values would be refused, or rounded in silence.

    The modifier is made as `make_numeric_typmod` of PostgreSQL's src/backend/utils/adt/numeric.c
    makes it.
    """
    if modifier is None or not pa.types.is_decimal(type_):
        return False
    precision, scale = (modifier - 4) >> 16, (((modifier - 4) & 0x7FF) ^ 0x400) - 0x400
    whole = precision - scale
    return bool(scale < type_.scale or whole < type_.precision - type_.scale)


def _kind(type_: pa.DataType) -> str:
    if type_.equals(JSON):
        return "json"
    if pa.types.is_string(type_):
        return "text"
    if pa.types.is_timestamp(type_):
        return "timestamp"
    if pa.types.is_date32(type_):
        return "date"
    if pa.types.is_decimal(type_):
        return "decimal"
    if pa.types.is_list(type_) and pa.types.is_string(type_.value_type):
        return "texts"
    return str(type_)
