"""What lies beyond the limits of a destination's columns: where, and in words why."""

from collections.abc import Iterator
from typing import TypeAlias

import pyarrow as pa

from batch_exports.transform.capabilities import Capabilities
from batch_exports.transform.decimal_digits import beyond_decimal
from batch_exports.transform.ranges import bounds_of_years, days_of_years, not_finite, outside
from batch_exports.transform.sizes import too_many_bytes
from batch_exports.transform.text import too_long

NOT_FINITE = "is not a finite number"

Refused: TypeAlias = Iterator[tuple[int, str]]
"""The position of each value that is refused, and the reason."""


def too_many_characters(column: str, texts: pa.Array, capabilities: Capabilities) -> Refused:
    """Texts of more characters than the column takes."""
    limit = capabilities.characters.get(column)
    if limit is not None:
        for position, length in too_long(texts, limit):
            yield position, f"has {length} characters, and the column takes {limit}"


def too_large(column: str, values: pa.Array, capabilities: Capabilities) -> Refused:
    """Texts, or lists of text, of more bytes than the column takes."""
    limit = capabilities.bytes.get(column)
    if limit is not None:
        for position, size in too_many_bytes(values, limit):
            yield position, f"has {size} bytes, and the column takes {limit}"


def out_of_range(column: str, values: pa.Array, capabilities: Capabilities) -> Refused:
    """Numbers and times that the column cannot hold."""
    if pa.types.is_timestamp(values.type) and capabilities.years:
        first, last = capabilities.years
        for position in outside(values.cast(pa.int64()), *bounds_of_years(first, last)):
            yield position, f"lies outside the years {first} to {last}"
    elif pa.types.is_date32(values.type) and capabilities.years:
        first, last = capabilities.years
        for position in outside(values.cast(pa.int32()), *days_of_years(first, last)):
            yield position, f"lies outside the years {first} to {last}"
    elif pa.types.is_integer(values.type) and column in capabilities.integers:
        least, greatest = capabilities.integers[column]
        for position in outside(values, least, greatest):
            yield position, f"lies outside {least} to {greatest}"
    elif pa.types.is_floating(values.type) and not capabilities.holds_nan:
        for position in not_finite(values):
            yield position, NOT_FINITE
    elif pa.types.is_decimal(values.type) and column in capabilities.decimals:
        precision, scale = capabilities.decimals[column]
        for position, (before, after) in beyond_decimal(values, precision, scale):
            yield (
                position,
                f"has {before} digits before its point and {after} after it, "
                f"and the column takes {precision - scale} and {scale}",
            )
