"""Documents for SUPER columns: what they may hold.

https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
"""

import re

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.local.redshift.converted import Converted, Fault, without
from batch_exports.local.redshift.target import LONGEST_TEXT
from batch_exports.local.redshift.text_columns import BAD_UTF8
from batch_exports.transform.json_text import longer_than, raw_array, unquote
from batch_exports.transform.text import mend_utf8

LONGEST_LARGE_STRING = 16_000_000
"""Bytes of a string in SUPER where the account has large strings."""

MOST_BYTES = 16 * 2**20
"""Bytes of a document."""

MOST_LEVELS = 1000
"""Levels of arrays and objects in a document."""

# White space beside a sign: of JSON's own, or, now and then, of a string.
_SPACE = r"[\[{,:]\s|\s[\]},:]"
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def fit_documents(values: pa.Array, large_strings: bool) -> Converted:
    """JSON text, which may hold bytes that are not UTF-8, as SUPER takes it."""
    mended, bad = mend_utf8(values)
    faults = [Fault(position, 1220, BAD_UTF8) for position in bad]
    large = longer_than(mended, MOST_BYTES)
    faults += [
        Fault(p, 1224, f"SUPER value exceeds the limit of {MOST_BYTES} bytes") for p in large
    ]
    most = LONGEST_LARGE_STRING if large_strings else LONGEST_TEXT
    too_long = f"String in SUPER exceeds the limit of {most} bytes"
    faults += [Fault(p, 1224, too_long) for p in _with_long_strings(mended, most)]
    too_deep = f"SUPER value exceeds the limit of {MOST_LEVELS} nested levels"
    faults += [Fault(p, 1224, too_deep) for p in _deep(mended)]
    return Converted(_compact(without(mended, faults)), faults)


def documents_of(values: pa.Array) -> pa.Array:
    """JSON text of any column of a Parquet file: a string becomes a string, whatever it holds.

    Maps become objects. Times and binary values become strings.
    """
    rows = values.to_pylist(maps_as_pydicts="strict")
    lines = _ENCODER.encode_lines(rows).split(b"\n")[:-1]
    return pc.if_else(pc.is_null(values), None, raw_array(lines))


def _compact(values: pa.Array) -> pa.Array:
    """The same documents without white space around their parts."""
    spaced = pc.fill_null(pc.match_substring_regex(values, _SPACE), False)
    positions = pc.indices_nonzero(spaced)
    if not len(positions):
        return values
    texts = values.take(positions).cast(pa.binary()).to_pylist()
    try:
        formatted = msgspec.json.format(b"[" + b",".join(texts) + b"]", indent=-1)
    except RecursionError:  # at just about MOST_LEVELS
        return values
    return pc.replace_with_mask(values, spaced, raw_array(_RAWS.decode(formatted)))


def _with_long_strings(values: pa.Array, most: int) -> list[int]:
    texts = ((p, values[p].as_buffer().to_pybytes()) for p in longer_than(values, most))
    return [
        position
        for position, text in texts
        if any(len(unquote(s[0])) > most for s in _STRING.finditer(text) if len(s[0]) > most)
    ]


def _deep(values: pa.Array) -> list[int]:
    long = longer_than(values, MOST_LEVELS)
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
