"""Numbers and booleans that a file holds as text."""

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.local.redshift.converted import Converted, faults_where, lost, without
from batch_exports.local.redshift.target import TargetColumn

_INTEGERS = {"int2": pl.Int16, "int4": pl.Int32, "int8": pl.Int64}
_DIGITS = r"^\s*[+-]?[0-9]+\s*$"
_TRUTHS = ["true", "t", "yes", "y", "1"]
_LIES = ["false", "f", "no", "n", "0"]


def numbers_of(text: pa.Array, column: TargetColumn) -> Converted:
    """Text as the numbers or booleans of the column; blank text is NULL, as COPY loads it."""
    text = pc.ascii_trim_whitespace(text)
    text = pc.if_else(pc.equal(text, ""), None, text)
    if column.type in _INTEGERS:
        return _integers(text, column.type)
    if column.type == "numeric":
        return _decimals(text, column.precision or 18, column.scale or 0)
    if column.type == "bool":
        return _booleans(text)
    return _floats(text, column.type)


def _integers(text: pa.Array, type_: str) -> Converted:
    values = _cast(text, _INTEGERS[type_])
    missing = lost(text, values)
    digits = pc.match_substring_regex(text, _DIGITS)
    faults = faults_where(pc.and_(missing, digits), 1222, "Integer value overflow error")
    invalid = pc.and_(missing, pc.invert(digits))
    return Converted(values, faults + faults_where(invalid, 1207, "Invalid digit, Type: Integer"))


def _floats(text: pa.Array, type_: str) -> Converted:
    values = _cast(text, pl.Float64)
    faults = faults_where(lost(text, values), 1208, "Invalid digit, Type: Float")
    if type_ == "float4":
        single = values.cast(pa.float32())
        beyond = pc.and_(pc.is_inf(single), pc.is_finite(values))
        faults += faults_where(beyond, 1204, "Overflow for REAL")
        values = single
    return Converted(values, faults)


def _decimals(text: pa.Array, precision: int, scale: int) -> Converted:
    """Decimals, of which digits beyond the scale are cut off.

    https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html#copy-roundec
    """
    parts = pc.extract_regex(
        text, r"^(?P<sign>[+-]?)0*(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?$"
    )
    faults = faults_where(lost(text, parts), 1209, "Invalid digit, Type: Decimal")
    sign, whole, fraction = (
        pc.fill_null(pc.struct_field(parts, name), "") for name in ("sign", "whole", "fraction")
    )
    overflow = pc.greater(pc.utf8_length(whole), precision - scale)
    faults += faults_where(overflow, 1204, f"Overflow for NUMERIC({precision},{scale})")
    fraction = pc.utf8_rpad(pc.utf8_slice_codeunits(fraction, 0, scale), scale, "0")
    number = pc.binary_join_element_wise(sign, "0", whole, ".", fraction, "0", "")
    kept = without(pc.if_else(pc.is_null(text), None, number), faults)
    # One digit more in front and behind than the type has: both are zero.
    wide = kept.cast(pa.decimal256(precision + 2, scale + 1))
    return Converted(wide.cast(pa.decimal128(precision, scale)), faults)


def _booleans(text: pa.Array) -> Converted:
    lower = pc.utf8_lower(text)
    true = pc.is_in(lower, value_set=pa.array(_TRUTHS))
    known = pc.or_(true, pc.is_in(lower, value_set=pa.array(_LIES)))
    values = pc.if_else(known, true, None)
    return Converted(values, faults_where(lost(text, values), 1210, "Invalid value, Type: Boolean"))


def _cast(text: pa.Array, type_: type[pl.DataType]) -> pa.Array:
    """The numbers of text, NULL where it is none."""
    return pl.Series(text).cast(type_, strict=False).to_arrow()
