"""Rows as the VALUES of INSERT statements for Redshift, built column by column.

A literal in quotes has no type until it meets its column, so the values of a column need not be
alike. How a literal spells a backslash depends on the server, and on Redshift no E'' settles it:
who sends the statement must have asked. In VARBYTE, text becomes its bytes in UTF-8.

https://docs.aws.amazon.com/redshift/latest/dg/r_Literals.html
https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.transform.block import sliced

# What is encoded at once: more leaves the processor's cache, less pays more often for a call.
_SLICE_BYTES = 2 * 2**20

# What stands before values, their texts (NULL for NULL), and what stands behind them.
_Literals: TypeAlias = tuple[bytes, pa.Array, bytes]


@dataclass(frozen=True)
class Values:
    """Rows of an INSERT: `(v,v,…),(v,v,…)`, to stand behind VALUES, in UTF-8."""

    rows: int
    text: bytes


def encode_values(
    batch: pa.RecordBatch, *, most_bytes: int, backslash_escapes: bool
) -> Iterator[Values]:
    """The rows of a batch, as many at once as `most_bytes` of text hold.

    The batch is as `redshift_rows.for_parquet` makes it; binary values must be UTF-8, and text must
    not have U+0000 (see `clean`). `backslash_escapes` tells whether the server takes a backslash in
    a plain literal for an escape, so that it must be doubled.

    A byte of text takes at most two. Raises ValueError for a row that is longer than `most_bytes`
    by itself, and TypeError for a column of a type that has no literal.
    """
    parts: list[memoryview] = []
    size = rows = 0
    for piece in _slices(batch):
        text, ends = _rows(piece, backslash_escapes=backslash_escapes)
        start = 0
        while start < piece.num_rows:
            # The comma before the first row is dropped, and does not count.
            room = most_bytes + 1 - size
            end = int(np.searchsorted(ends, ends[start] + room, side="right")) - 1
            if end > start:
                parts.append(text[ends[start] : ends[end]])
                size, rows, start = size + len(parts[-1]), rows + end - start, end
            elif rows:
                yield _values(rows, parts)
                parts, size, rows = [], 0, 0
            else:
                length = ends[start + 1] - ends[start] - 1
                raise ValueError(f"A row takes {length} bytes, and a statement {most_bytes}.")
    if rows:
        yield _values(rows, parts)


def _values(rows: int, parts: Sequence[memoryview]) -> Values:
    return Values(rows, b"".join([parts[0][1:], *parts[1:]]))


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in slices whose texts stay far below 2 GiB, however unequal its rows are."""
    for piece in sliced(batch, _SLICE_BYTES):
        if piece.nbytes > 2 * _SLICE_BYTES and piece.num_rows > 1:
            yield from _slices(piece)
        else:
            yield piece


def _rows(
    batch: pa.RecordBatch, *, backslash_escapes: bool
) -> tuple[memoryview, npt.NDArray[np.int64]]:
    """All rows as `,(v,v,…)`, and where each begins, and the last one ends."""
    pieces: list[Any] = []
    before = b",("
    for field, values in zip(batch.schema, batch.columns, strict=True):
        opening, literals, closing = _literals(field, values, backslash_escapes=backslash_escapes)
        if literals.null_count:
            quoted = pc.binary_join_element_wise(opening, literals, closing, b"")
            opening, literals, closing = b"", pc.fill_null(quoted, b"NULL"), b""
        pieces += [before + opening, literals]
        before = closing + b","
    joined = pc.binary_join_element_wise(*pieces, before[:-1] + b")", b"")
    _, offsets, data = joined.buffers()
    return memoryview(data), np.frombuffer(offsets, np.int32)[: len(joined) + 1].astype(np.int64)


def _literals(field: pa.Field, values: pa.Array, *, backslash_escapes: bool) -> _Literals:
    type_ = values.type
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        return b"'", _escaped(values.cast(pa.binary()), backslash_escapes=backslash_escapes), b"'"
    for known, literals in _NUMBERS.items():
        if known(type_):
            opening, texts, closing = literals(values)
            return opening, texts.cast(pa.binary()), closing
    raise TypeError(f"{field.name}: no way to write {type_} as a literal is known.")


def _escaped(texts: pa.Array, *, backslash_escapes: bool) -> pa.Array:
    for character in b"'\\" if backslash_escapes else b"'":
        if _has(texts, character):
            texts = pc.replace_substring(texts, bytes([character]), bytes([character]) * 2)
    return texts


def _has(texts: pa.Array, character: int) -> bool:
    """Whether the texts have it, at the speed of memory."""
    _, offsets, data = texts.buffers()
    if not len(texts) or data is None:
        return False
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bytes([character]) in memoryview(data)[ends[0] : ends[-1]].tobytes()


def _booleans(values: pa.Array) -> _Literals:
    return b"", pc.if_else(values, "TRUE", "FALSE"), b""


def _integers(values: pa.Array) -> _Literals:
    return b"", values.cast(pa.string()), b""


def _floats(values: pa.Array) -> _Literals:
    """The shortest text that reads back as the same number, in quotes: bare, 0.1 would be a DECIMAL
    on its way, and -0 an integer."""
    texts = values.cast(pa.string())
    if not pc.all(pc.is_finite(values)).as_py():
        texts = pc.if_else(pc.is_nan(values), "NaN", texts)
        infinity = pc.if_else(pc.greater(values, 0), "Infinity", "-Infinity")
        texts = pc.if_else(pc.is_inf(values), infinity, texts)
    return b"'", texts, b"'::float8" if pa.types.is_float64(values.type) else b"'::float4"


def _decimals(values: pa.Array) -> _Literals:
    """All digits, and no exponent, with which the number would be a float on its way."""
    scale = values.type.scale
    if scale <= 0:
        return b"", values.cast(pa.decimal128(38, 0)).cast(pa.string()), b""
    # The same integers, of which the last ones are the digits behind the point.
    whole = pa.decimal128(38, 0)
    counts = pa.Array.from_buffers(whole, len(values), values.buffers(), offset=values.offset)
    texts = counts.cast(pa.string())
    sign = pc.if_else(pc.starts_with(texts, "-"), "-", "")
    digits = pc.ascii_lpad(pc.ascii_ltrim(texts, "-"), scale + 1, "0")
    before = pc.utf8_slice_codeunits(digits, 0, -scale)
    behind = pc.utf8_slice_codeunits(digits, -scale)
    return b"", pc.binary_join_element_wise(sign, before, ".", behind, ""), b""


def _times(values: pa.Array) -> _Literals:
    return b"'", values.cast(pa.string()), b"'"


def _is_moment(type_: pa.DataType) -> bool:
    return bool(type_.equals(pa.timestamp("us")))


_NUMBERS: dict[Callable[[pa.DataType], bool], Callable[[pa.Array], _Literals]] = {
    pa.types.is_boolean: _booleans,
    pa.types.is_integer: _integers,
    pa.types.is_float32: _floats,
    pa.types.is_float64: _floats,
    pa.types.is_decimal128: _decimals,
    _is_moment: _times,
    pa.types.is_date32: _times,
}
