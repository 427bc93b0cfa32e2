"""JSON as PostgreSQL's jsonb can hold it.

jsonb refuses U+0000 in strings and keys, numbers that its type numeric cannot hold, and what is too
large for its own form (https://www.postgresql.org/docs/current/datatype-json.html). The rest keeps
its value, not its spelling: white space, the order of keys, and how a number was written are lost,
and of an object's repeated keys all but the last.
"""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.transform.json_text import longer_than, positions_mask, raw_array

# The limits of numeric: https://www.postgresql.org/docs/current/datatype-numeric.html
DIGITS_BEFORE_POINT = 131_072
DIGITS_AFTER_POINT = 16_383
_EXPONENT_END = 2**30 - 1  # of either sign, even of zero: INT_MAX / 2 in numeric.c

# Versions 13 to 18, with their usual max_stack_depth of 2 MB, were found to take 13,000 levels.
MOST_LEVELS = 6_000

# The limits of jsonb: JENTRY_OFFLENMASK of jsonb.h; and in memory the pairs of an object, which are
# fewer than the elements of an array may be, fill 1 GB at twice as many.
MOST_BYTES = 2**28 - 1
_MOST_PAIRS = 2**23
# What an element takes beside its text is 12 bytes at most: 4 that tell its length, and a number's
# 8, or a container's 4. So in text of this size not even "[0,0,…]" can go beyond the limits.
_SURELY_SMALL = 2**25
_ELEMENT_BYTES = 12

# What is worth a closer look: the escape of U+0000, unless its backslash is itself escaped; and an
# exponent with which a number of few digits leaves numeric's range, unless it stands in a string.
_SUSPECT = r"(?-u)\\u0000|[0-9][eE](?:-[0-9]{5}|\+?[0-9]{6})[0-9]*(?:[,}\]\s]|$)"
# Others leave it by their digits: by 6,385 or more after the point, if the exponent is -9999.
# Text that is nested too deep, or too large, is longer still.
_LONG = 6_385
_MANY_DIGITS = r"[0-9]{1000}"

# Escapes in reading order, so that an escaped backslash is never taken for the start of another.
_ESCAPE = re.compile(rb"\\(?:(?P<nul>u0000)|.)", re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_STRING_OR_NUMBER = re.compile(
    _STRING.pattern
    + rb"|(?P<whole>[0-9]++)(?:\.(?P<fraction>[0-9]++))?(?:[eE](?P<exponent>[-+]?[0-9]++))?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Fitted:
    """A column of JSON after `fit`: positions say where it changed, and what does not fit."""

    values: pa.Array
    replaced: list[int]
    beyond_numeric: list[int]
    too_deep: list[int]
    too_large: list[int]


def fit(values: pa.Array) -> Fitted:
    """Replace U+0000 by U+FFFD, and find what jsonb cannot hold. All values must be JSON or NULL.

    Text of more than 32 MiB is found too large if it might be, by a bound of what it takes.
    """
    long = longer_than(values, _LONG)
    texts = {p: values[p].as_buffer().to_pybytes() for p in _suspects(values, long)}
    mended = {p: mend_nul(text) for p, text in texts.items()}
    replaced = [p for p, text in texts.items() if mended[p] != text]
    if replaced:
        mask = positions_mask(replaced, len(values))
        values = pc.replace_with_mask(values, mask, raw_array([mended[p] for p in replaced]))
    return Fitted(
        values,
        replaced,
        beyond_numeric=[p for p, text in texts.items() if not _has_only_numerics(text)],
        too_deep=_too_deep(values, long),
        too_large=[p for p in long if _may_be_too_large(values[p].as_buffer())],
    )


def mend_nul(text: bytes) -> bytes:
    """JSON text of the same length with escapes of U+0000 replaced by `\\ufffd`."""
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape["nul"] else escape[0], text)


def _suspects(values: pa.Array, long: list[int]) -> list[int]:
    """Positions of all values that may hold U+0000, or a number beyond numeric, and of few others.

    Polars, because its search goes through text several times as fast as Arrow's.
    """
    texts = pl.Series(values)
    suspects = {*texts.str.contains(_SUSPECT).arg_true()}
    if long:
        digits = texts.gather(long).str.contains(_MANY_DIGITS)
        suspects |= {long[index] for index in digits.arg_true()}
    return sorted(suspects)


def _has_only_numerics(text: bytes) -> bool:
    return all(
        _is_numeric(number["whole"], number["fraction"] or b"", number["exponent"] or b"0")
        for number in _STRING_OR_NUMBER.finditer(text)
        if number["whole"]
    )


def _is_numeric(whole: bytes, fraction: bytes, exponent: bytes) -> bool:
    """Whether numeric holds the number: digits before the point count from the first that is not
    zero, those after it as they are written, which numeric remembers."""
    magnitude = exponent.lstrip(b"-+0")
    if len(magnitude) > 10:
        return False
    power = int(magnitude or b"0") * (-1 if exponent.startswith(b"-") else 1)
    digits = whole + fraction
    zeros = len(digits) - len(digits.lstrip(b"0"))
    before = len(whole) - zeros + power if zeros < len(digits) else 0
    return (
        abs(power) < _EXPONENT_END
        and before <= DIGITS_BEFORE_POINT
        and len(fraction) - power <= DIGITS_AFTER_POINT
    )


def _too_deep(values: pa.Array, long: list[int]) -> list[int]:
    if not long:
        return []
    brackets = pl.Series(values).gather(long).str.count_matches(r"[\[{]")
    suspects = [long[index] for index in (brackets > MOST_LEVELS).arg_true()]
    return [p for p in suspects if _levels(values[p].as_buffer().to_pybytes()) > MOST_LEVELS]


def _levels(text: bytes) -> int:
    # Without the bit that tells [ from {, and ] from }; no other bytes become brackets by it.
    folded = np.frombuffer(_STRING.sub(b"", text), np.uint8) & 0b1101_1111
    steps = (folded == ord("[")).astype(np.int8) - (folded == ord("]")).astype(np.int8)
    return int(np.cumsum(steps, dtype=np.int32).max())


def _may_be_too_large(value: pa.Buffer) -> bool:
    if value.size <= _SURELY_SMALL:
        return False
    text: bytes = value.to_pybytes()
    commas = text.count(b",")
    elements = 1 + commas + text.count(b":") + text.count(b"[") + text.count(b"{")
    size = len(text) + elements * _ELEMENT_BYTES
    return commas >= _MOST_PAIRS or size > MOST_BYTES
