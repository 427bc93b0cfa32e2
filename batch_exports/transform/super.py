"""JSON as Redshift's SUPER can hold it.

SUPER bounds the bytes of a document and of each string in it, and how deep it is nested
(https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html). A number in it is one of
SQL's: a decimal of up to 38 digits
(https://docs.aws.amazon.com/redshift/latest/dg/r_decimal_precision.html), or a double
(https://docs.aws.amazon.com/redshift/latest/dg/r_is_float.html); what is neither would be rounded.
The rest keeps its value, not its spelling.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from itertools import chain

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.transform.capabilities import SuperLimits
from batch_exports.transform.json_text import longer_than, positions_mask, raw_array
from batch_exports.transform.jsonb import mend_nul

# The limits of DECIMAL: https://docs.aws.amazon.com/redshift/latest/dg/r_Numeric_types201.html
MOST_DIGITS = 38
MOST_DIGITS_AFTER_POINT = 37

BEYOND_NUMBERS = f"has a number that is neither a decimal of {MOST_DIGITS} digits nor a double"

# What is worth a closer look, told at little cost: the escape of U+0000, unless its backslash is
# itself escaped; and any exponent, unless it stands in a string. Of these, and of what has a long
# run of digits, the numbers of so many digits that they may not fit a decimal; with an exponent,
# which makes them doubles, of more digits than every double keeps; with an exponent beyond theirs.
_NUL = r"\\u0000"
_END = r"(?:[,}\]\s]|$)"
_UNUSUAL = rf"(?-u){_NUL}|[0-9][eE][-+]?[0-9]+{_END}"
_SUSPECT = (
    rf"(?-u){_NUL}|[0-9.]{{{MOST_DIGITS + 1}}}"
    rf"|[0-9.]{{16}}[eE][-+]?[0-9]+{_END}|[0-9][eE][-+]?[0-9]{{3}}[0-9]*{_END}"
)
_STRIDE = (MOST_DIGITS + 1) // 3

_MOST_DIGITS_OF_DOUBLES = 767  # of the longest, written in full
_UNROUNDED = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_DECODER: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NUMBER = re.compile(
    rb"-?(?P<whole>[0-9]++)(?:\.(?P<fraction>[0-9]++))?(?P<exponent>[eE][-+]?[0-9]++)?"
)


@dataclass(frozen=True)
class Fitted:
    """A column of JSON after `fit`: positions say where it changed, and what does not fit, why."""

    values: pa.Array
    replaced: list[int]
    refused: list[tuple[int, str]]


def fit_super(values: pa.Array, limits: SuperLimits) -> Fitted:
    """Replace U+0000 by U+FFFD, and find what SUPER cannot hold. All values must be JSON or NULL.

    Of a document's faults only the first is told, in the order of size, nesting, strings, numbers.
    """
    texts = {p: values[p].as_buffer().to_pybytes() for p in _suspects(values)}
    mended = {p: mend_nul(text) for p, text in texts.items()}
    replaced = [p for p, text in texts.items() if mended[p] != text]
    if replaced:
        mask = positions_mask(replaced, len(values))
        values = pc.replace_with_mask(values, mask, raw_array([mended[p] for p in replaced]))
    refused: dict[int, str] = {}
    for position, reason in chain(
        _too_large(values, limits),
        _too_deep(values, limits),
        _of_long_strings(values, limits),
        ((p, BEYOND_NUMBERS) for p, text in texts.items() if not _has_only_numbers(text)),
    ):
        refused.setdefault(position, reason)
    return Fitted(values, replaced, sorted(refused.items()))


def document_too_large(size: int, limits: SuperLimits) -> str:
    """The reason for which a document of so many bytes is refused."""
    return f"has {size} bytes, and SUPER takes {limits.document_bytes}"


def string_too_long(size: int, limits: SuperLimits) -> str:
    """The reason for which a document with a string of so many bytes is refused."""
    return f"has a string of {size} bytes, and SUPER takes {limits.string_bytes}"


def _suspects(values: pa.Array) -> list[int]:
    """Positions of all values that may hold U+0000, or a number beyond SUPER's, and of few others.

    Polars, because its search goes through text several times as fast as Arrow's.
    """
    texts = pl.Series(values)
    unusual = {*texts.str.contains(_UNUSUAL).arg_true()} | {*_with_many_digits(values)}
    if not unusual:
        return []
    positions = sorted(unusual)
    return [positions[i] for i in texts.gather(positions).str.contains(_SUSPECT).arg_true()]


def _with_many_digits(values: pa.Array) -> list[int]:
    """Positions of values that may have a run of more digits than a decimal, with its point.

    A look at each thirteenth byte, of which such a run has three, costs a tenth of a search.
    """
    _, offsets, data = values.buffers()
    if not len(values) or data is None:
        return []
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    sample = np.frombuffer(data, np.uint8)[ends[0] : ends[-1] : _STRIDE]
    is_digit = sample - np.uint8(ord(".")) <= ord("9") - ord(".")
    runs = np.flatnonzero(is_digit[:-2] & is_digit[1:-1] & is_digit[2:]) * _STRIDE + ends[0]
    positions: list[int] = np.unique(np.searchsorted(ends, runs, side="right") - 1).tolist()
    return positions


def _text(values: pa.Array, position: int) -> bytes:
    text: bytes = values[position].as_buffer().to_pybytes()
    return text


def _too_large(values: pa.Array, limits: SuperLimits) -> Iterator[tuple[int, str]]:
    for position in longer_than(values, limits.document_bytes):
        yield position, document_too_large(len(values[position].as_buffer()), limits)


def _too_deep(values: pa.Array, limits: SuperLimits) -> Iterator[tuple[int, str]]:
    long = longer_than(values, 2 * limits.levels)  # brackets that open, and brackets that close
    if not long:
        return
    brackets = pl.Series(values).gather(long).str.count_matches(r"[\[{]")
    for index in (brackets > limits.levels).arg_true():
        levels = _levels(_text(values, long[index]))
        if levels > limits.levels:
            yield (
                long[index],
                f"is nested {levels} levels deep, and SUPER takes {limits.levels}",
            )


def _of_long_strings(values: pa.Array, limits: SuperLimits) -> Iterator[tuple[int, str]]:
    for position in longer_than(values, limits.string_bytes):
        strings = _STRING.findall(_text(values, position))
        # No string has more bytes than its spelling between the quotes.
        spelled = [string for string in strings if len(string) - 2 > limits.string_bytes]
        longest = max((len(_DECODER.decode(s).encode()) for s in spelled), default=0)
        if longest > limits.string_bytes:
            yield position, string_too_long(longest, limits)


def _levels(text: bytes) -> int:
    # Without the bit that tells [ from {, and ] from }; no other bytes become brackets by it.
    folded = np.frombuffer(_STRING.sub(b"", text), np.uint8) & 0b1101_1111
    steps = (folded == ord("[")).astype(np.int8) - (folded == ord("]")).astype(np.int8)
    return int(np.cumsum(steps, dtype=np.int32).max())


def _has_only_numbers(text: bytes) -> bool:
    """Whether SUPER holds each number in a document as it is."""
    bare = _STRING.sub(b'""', text)
    return all(_is_decimal(number) or _is_double(number[0]) for number in _NUMBER.finditer(bare))


def _is_decimal(number: re.Match[bytes]) -> bool:
    """Whether DECIMAL holds a number, of which zeros at either end are no digits."""
    if number["exponent"]:
        return False
    whole, fraction = number["whole"].lstrip(b"0"), (number["fraction"] or b"").rstrip(b"0")
    return len(fraction) <= MOST_DIGITS_AFTER_POINT and len(whole + fraction) <= MOST_DIGITS


def _is_double(text: bytes) -> bool:
    """Whether a number is what the double nearest to it is when written in as many digits, or in
    the fewest that tell it from other doubles."""
    number = float(text)
    if number == 0:
        return not re.search(rb"[1-9]", text.lower().partition(b"e")[0])
    if not math.isfinite(number):
        return False
    exact = Decimal(text.decode())
    digits = len(exact.normalize(_UNROUNDED).as_tuple().digits)
    if digits > _MOST_DIGITS_OF_DOUBLES:
        return False
    return exact in (Decimal(repr(number)), Decimal(f"{number:.{digits - 1}e}"))
