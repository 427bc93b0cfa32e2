"""Texts as PostgreSQL writes values, as values of an Arrow type, a column at a time."""

from collections.abc import Callable

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from batch_exports.errors import Terminal
from batch_exports.models import JSON, TIMESTAMP, type_name
from batch_exports.transform.lists import with_elements

_SHOWN = 60
_LISTS = pa.schema([("list", pa.list_(pa.string()))])


def values_of(texts: pa.Array, type_: pa.DataType, name: str, where: str) -> pa.Array:
    """The values of a column's texts, which `reading.asked` asked for.

    Raises `Terminal` naming column and value where a value has no place in the Arrow type, such as
    the time `infinity`, one before the year 1 or after 9999, or a NaN among decimals.
    """
    if pa.types.is_list(type_):
        lists = _cast(texts, _lists, "list of values", name, where)
        elements = values_of(lists.flatten(), type_.value_type, name, where)
        return with_elements(lists, elements)
    if type_.equals(JSON):
        return pa.ExtensionArray.from_storage(JSON, texts)
    if pa.types.is_string(type_):
        return texts
    if pa.types.is_binary(type_):
        return pl.Series(texts).str.decode("hex").to_arrow().cast(type_)
    return _cast(texts, lambda some: _parsed(some, type_), type_name(type_), name, where)


def _parsed(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(type_):
        texts = texts.cast(TIMESTAMP)
    return texts.cast(type_)


def _lists(texts: pa.Array) -> pa.Array:
    """JSON arrays of text and null, as lists."""
    if len(texts) == 0:
        return pa.nulls(0, _LISTS.field(0).type)
    rows = pc.binary_join_element_wise('{"list":', pc.fill_null(texts, "null"), "}\n", "")
    lines = pc.binary_join(pa.ListArray.from_arrays([0, len(rows)], rows), "")[0].as_buffer()
    table = arrow_json.read_json(
        pa.BufferReader(lines),
        arrow_json.ReadOptions(use_threads=False, block_size=lines.size + 1),
        arrow_json.ParseOptions(explicit_schema=_LISTS),
    )
    return table.column(0).combine_chunks()


def _cast(
    texts: pa.Array, convert: Callable[[pa.Array], pa.Array], what: str, name: str, where: str
) -> pa.Array:
    try:
        return convert(texts)
    except pa.ArrowInvalid:
        value = _first_bad(texts, convert)
    raise Terminal(
        f"{where}: the column {name!r} has {value!r}, which is no {what}.",
        remedy="Change the value, cast the column in a query, or leave it out of the export's "
        "columns.",
    )


def _first_bad(texts: pa.Array, convert: Callable[[pa.Array], pa.Array]) -> str:
    """The first text that is no value, by halves."""
    while len(texts) > 1:
        half = texts.slice(0, len(texts) // 2)
        try:
            convert(half)
        except pa.ArrowInvalid:
            texts = half
        else:
            texts = texts.slice(len(half))
    text = str(texts[0].as_py())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
