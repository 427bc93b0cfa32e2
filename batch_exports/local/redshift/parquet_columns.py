"""Columns of Parquet files: which go into which of the target's, and how.

https://docs.aws.amazon.com/redshift/latest/dg/c-spectrum-data-files.html and what users met, as in
https://github.com/G-Research/ParquetSharp/issues/252: types must be the same, not merely alike.
"""

from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.local.redshift.converted import Converted, Fault, faults_where
from batch_exports.local.redshift.copy_statement import Copy
from batch_exports.local.redshift.super_columns import documents_of, fit_documents
from batch_exports.local.redshift.target import TargetColumn
from batch_exports.local.redshift.text_columns import TOO_LONG, fit_text
from batch_exports.local.redshift.time_columns import FIRST_DAY, FIRST_MICROSECOND, LAST_DAY
from batch_exports.models import TIMESTAMP
from batch_exports.transform.json_text import longer_than
from batch_exports.transform.ranges import outside

_TEXT = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
# Parquet keeps integers of up to 32 bits in the same physical type.
_INT32 = ("int8", "int16", "int32", "uint8", "uint16")
_SAME: dict[str, tuple[str, ...]] = {
    "varchar": _TEXT,
    "char": _TEXT,
    "varbyte": _TEXT,
    "int2": _INT32,
    "int4": _INT32,
    "int8": ("int64",),
    "bool": ("bool",),
    "float4": ("float",),
    "float8": ("double",),
    "date": ("date32[day]",),
}


def fits(type_: pa.DataType, column: TargetColumn) -> bool:
    """Whether a column of a file may be loaded into the column at all."""
    type_ = _plain(type_)
    if column.type == "super":
        return True
    if column.type in ("timestamp", "timestamptz"):
        return bool(pa.types.is_timestamp(type_))
    if column.type == "numeric":
        return (
            pa.types.is_decimal(type_)
            and type_.scale == (column.scale or 0)
            and _width(type_.precision) == _width(column.precision or 18)
        )
    return str(type_) in _SAME[column.type]


def convert(values: pa.Array, column: TargetColumn, copy: Copy, large_strings: bool) -> Converted:
    """The values of a column that `fits`, and those that the target cannot hold."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return _CONVERSIONS[column.type](values, column, copy, large_strings)


def _plain(type_: pa.DataType) -> pa.DataType:
    # Arrow's own schema in a file, with its extensions such as JSON, is nothing to other readers.
    if isinstance(type_, pa.BaseExtensionType):
        type_ = type_.storage_type
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _width(precision: int) -> int:
    """The bytes of the shortest integer that holds so many digits: the length of a decimal."""
    return int((10**precision - 1).bit_length() // 8 + 1)


def _text(values: pa.Array, column: TargetColumn, copy: Copy, _: bool) -> Converted:
    return fit_text(values.cast(pa.binary()).view(pa.string()), column, copy)


def _binary(values: pa.Array, column: TargetColumn, _: Copy, __: bool) -> Converted:
    values = values.cast(pa.binary())
    long = longer_than(values, column.bytes)
    return Converted(values, [Fault(position, 1204, TOO_LONG) for position in long])


def _super(values: pa.Array, _: TargetColumn, __: Copy, large_strings: bool) -> Converted:
    return fit_documents(documents_of(values), large_strings)


def _integer(values: pa.Array, column: TargetColumn, _: Copy, __: bool) -> Converted:
    bits = 8 * int(column.type[3:])
    beyond = outside(values, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    faults = [Fault(position, 1222, "Integer value overflow error") for position in beyond]
    return Converted(values, faults)


def _decimal(values: pa.Array, column: TargetColumn, _: Copy, __: bool) -> Converted:
    precision, scale = column.precision or 18, column.scale or 0
    most = pa.scalar(Decimal((0, (9,) * precision, -scale)), pa.decimal128(38, scale))
    beyond = pc.greater(pc.abs(values), most)
    overflow = f"Overflow for NUMERIC({precision},{scale})"
    return Converted(values, faults_where(beyond, 1204, overflow))


def _instant(values: pa.Array, _: TargetColumn, __: Copy, ___: bool) -> Converted:
    """Wall clock in UTC: the zone of a column is lost, and none means UTC."""
    micros = values.cast(pa.timestamp("us", values.type.tz), safe=False).cast(pa.int64())
    beyond = outside(micros, FIRST_MICROSECOND, 2**63 - 1)
    faults = [Fault(position, 1206, "Timestamp out of range") for position in beyond]
    return Converted(micros.cast(TIMESTAMP), faults)


def _date(values: pa.Array, _: TargetColumn, __: Copy, ___: bool) -> Converted:
    days = values.cast(pa.int32())
    beyond = outside(days, FIRST_DAY, LAST_DAY)
    return Converted(values, [Fault(position, 1205, "Date out of range") for position in beyond])


def _same(values: pa.Array, _: TargetColumn, __: Copy, ___: bool) -> Converted:
    return Converted(values)


_CONVERSIONS: dict[str, Callable[[pa.Array, TargetColumn, Copy, bool], Converted]] = {
    "varchar": _text,
    "char": _text,
    "varbyte": _binary,
    "super": _super,
    "int2": _integer,
    "int4": _integer,
    "int8": _integer,
    "numeric": _decimal,
    "timestamp": _instant,
    "timestamptz": _instant,
    "bool": _same,
    "float4": _same,
    "float8": _same,
    "date": _date,
}
