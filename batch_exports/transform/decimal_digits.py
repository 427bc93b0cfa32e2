"""Columns of decimal numbers: which have more digits than can be held."""

from functools import partial

import pyarrow as pa

from batch_exports.transform.json_text import positions_failing


def beyond_decimal(
    values: pa.Array, precision: int, scale: int
) -> list[tuple[int, tuple[int, int]]]:
    """Positions of numbers that a DECIMAL(precision, scale) would refuse or round, each with how
    many digits it has before its point, and after it. Zeros at either end are no digits."""
    target = pa.decimal128(precision, scale)
    beyond = positions_failing(len(values), partial(_fits, values, target))
    return [(position, _digits(values[position].as_py())) for position in beyond]


def _fits(values: pa.Array, target: pa.DataType, start: int, stop: int) -> bool:
    try:
        values.slice(start, stop - start).cast(target)
    except pa.ArrowInvalid:
        return False
    return True


def _digits(number: object) -> tuple[int, int]:
    before, _, after = f"{number:f}".lstrip("-").partition(".")
    return len(before.lstrip("0")), len(after.rstrip("0"))
