"""Values as Amplitude writes them, where that is not as the table's columns have them."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.sources.json_lines import Block, column_of
from batch_exports.transform.json_text import raw_array

_SCALAR = r"^(true|false|-?[0-9][0-9.eE+-]*)$"
_INTEGER = r"^-?[0-9]+$"


def amplitude_column(texts: list[Any], name: str, type_: pa.DataType, block: Block) -> pa.Array:
    """A column of raw JSON texts; raises `Terminal` naming the line of a value of another type.

    `paying` is documented as boolean in archives and as text in tables, so that text takes
    booleans and numbers as they are written. Times of merges are documented as whole numbers
    without a unit: they are taken for milliseconds since 1970, in which Amplitude counts its
    sessions; text is taken as well.
    """
    if pa.types.is_string(type_):
        texts = _quoted_scalars(texts)
    elif pa.types.is_timestamp(type_):
        texts = _times_of_integers(texts)
    return column_of(texts, name, type_, block)


def _quoted_scalars(texts: list[Any]) -> list[Any]:
    raw = raw_array(texts)
    unquoted = pc.invert(pc.or_(pc.starts_with(raw, '"'), pc.equal(raw, "null")))
    if not pc.any(unquoted).as_py():
        return texts
    return _replaced(raw, pc.match_substring_regex(raw, _SCALAR), _quoted(raw))


def _times_of_integers(texts: list[Any]) -> list[Any]:
    raw = raw_array(texts)
    integers = pc.match_substring_regex(raw, _INTEGER)
    if not pc.any(integers).as_py():
        return texts
    counts = pc.if_else(integers, raw, "0").cast(pa.int64())
    return _replaced(raw, integers, _quoted(counts.cast(pa.timestamp("ms")).cast(pa.string())))


def _quoted(text: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', text, '"', "")


def _replaced(raw: pa.Array, where: pa.Array, by: pa.Array) -> list[Any]:
    texts: list[Any] = pc.if_else(where, by, raw).cast(pa.binary()).to_pylist()
    return texts
