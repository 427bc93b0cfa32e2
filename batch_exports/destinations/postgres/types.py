"""Which PostgreSQL types hold which Arrow types."""

import pyarrow as pa

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
    "decimal128(38, 9)": ("NUMERIC(38, 9)", {"numeric"}),
    "bool": ("BOOLEAN", {"bool"}),
    "timestamp": ("TIMESTAMP WITH TIME ZONE", {"timestamptz"}),
    "texts": ("TEXT[]", {"_text", "_varchar"}),
}


def made_type(column: Column) -> str:
    """The type of the column in a table that we make, as in `CREATE TABLE`."""
    return column.types.get("postgres") or _KINDS[_kind(column.type)][0]


def holds(typname: str, type_: pa.DataType) -> bool:
    """Whether a column of that `pg_type.typname` can hold values of the Arrow type unchanged."""
    return typname in _KINDS[_kind(type_)][1]


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
    if pa.types.is_list(type_) and pa.types.is_string(type_.value_type):
        return "texts"
    return str(type_)
