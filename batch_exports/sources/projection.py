"""From a source's columns to a model's: which to read, and how they become the model's types."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.errors import Terminal
from batch_exports.models import JSON, Column, type_name
from batch_exports.sources.source import Selection
from batch_exports.transform.json_text import member, plain_text
from batch_exports.transform.lists import with_elements

_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_floating(type_) or pa.types.is_integer(type_))


# Between these Arrow would convert, with other values than the source's.
_KINDS = (
    (pa.types.is_timestamp, "a timestamp"),
    (pa.types.is_integer, "an integer"),
    (_is_number, "a number"),
    (pa.types.is_boolean, "a boolean"),
    (pa.types.is_date, "a date"),
)


def columns_to_read(selection: Selection, available: Iterable[str], where: str) -> list[str]:
    """The source columns that a selection needs, out of those available at `where`.

    Raises `Terminal` naming the place for a column that is neither there nor derivable.
    """
    have = set(available)
    needed = {selection.membership: None, **dict.fromkeys(selection.filters.columns)}
    for column in selection.columns:
        if column.source_name in have:
            needed[column.source_name] = None
        elif column.member_of and column.member_of[0] in have:
            needed[column.member_of[0]] = None
        elif not column.optional:
            needed[column.source_name] = None
    if missing := [name for name in needed if name not in have]:
        raise Terminal(
            f"{where} has no column {missing[0]!r}, which the model {selection.model.name} needs.",
            remedy=f"It has {', '.join(sorted(have)) or 'no columns'}. Add the column to the "
            "files, or leave it out of the export's columns and filters.",
        )
    return list(needed)


def project(batch: pa.RecordBatch, selection: Selection, where: str) -> pa.RecordBatch:
    """The selection's columns, in its schema, from a batch of the source's columns."""
    return pa.RecordBatch.from_arrays(
        [_value(batch, column, where) for column in selection.columns], schema=selection.schema
    )


def derived(batch: pa.RecordBatch, column: Column, where: str) -> pa.Array:
    """The text of a column that is a member of another one, as its `member_of` tells."""
    assert column.member_of
    parent, name = column.member_of
    raw = member(conform(batch.column(parent), pa.string(), parent, where), name)
    return raw if column.is_json else plain_text(raw)


def conform(values: pa.Array, type_: pa.DataType, name: str, where: str) -> pa.Array:
    """Values in the model's type. Raises `Terminal` where a value would change by it.

    Text and lists may come as any of Arrow's types of them, and a number as any that holds it;
    a timestamp without a zone is UTC.
    """
    if values.type.equals(type_):
        return values
    try:
        return _converted(values, type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Terminal(
            f"{where}: the column {name!r} is {values.type}, and was expected as "
            f"{type_name(type_)}: {error}.",
            remedy="Write it in that type, or leave it out of the export's columns.",
        ) from error


def _value(batch: pa.RecordBatch, column: Column, where: str) -> pa.Array:
    if column.source_name in batch.schema.names:
        values = batch.column(column.source_name)
        return conform(values, column.type, column.source_name, where)
    if column.member_of and column.member_of[0] in batch.schema.names:
        return conform(derived(batch, column, where), column.type, column.name, where)
    return pa.nulls(batch.num_rows, column.type)


def _converted(values: pa.Array, type_: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), type_)
    if type_.equals(JSON):
        return pa.ExtensionArray.from_storage(JSON, _as_text(values))
    if pa.types.is_string(type_):
        return _as_text(values)
    if pa.types.is_list(type_):
        return _as_lists(values, type_.value_type)
    for known, name in _KINDS:
        if known(type_) and not known(values.type):
            raise pa.ArrowInvalid(f"not {name}")
    if pa.types.is_floating(values.type) and _rounds(values.type, type_):
        raise pa.ArrowInvalid("it would be rounded")
    if pa.types.is_timestamp(type_) and values.type.tz is None:
        return pc.assume_timezone(values.cast(pa.timestamp(type_.unit)), "UTC")
    return values.cast(type_)


def _rounds(binary: pa.DataType, type_: pa.DataType) -> bool:
    """Whether a number of that binary type may be no number of the other, and Arrow would round."""
    return bool(pa.types.is_decimal(type_) or type_.bit_width < binary.bit_width)


def _as_lists(values: pa.Array, type_: pa.DataType) -> pa.Array:
    if not any(known(values.type) for known in _LISTS):
        raise pa.ArrowInvalid("not a list")
    return with_elements(values, _converted(values.flatten(), type_))


def _as_text(values: pa.Array) -> pa.Array:
    if not (
        pa.types.is_string(values.type)
        or pa.types.is_large_string(values.type)
        or pa.types.is_string_view(values.type)
    ):
        raise pa.ArrowInvalid("not text")
    return values.cast(pa.string())
