"""Columns of text, of lists of text, and whole rows: which take too many bytes."""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.models import JSON
from batch_exports.transform.capabilities import SuperLimits
from batch_exports.transform.json_arrays import GROWTH, json_arrays
from batch_exports.transform.super import document_too_large, string_too_long

_Numbers: TypeAlias = npt.NDArray[np.int64]

_OVERHEAD = 32  # more than Arrow takes for a number, or beside a text


def too_many_bytes(values: pa.Array, most: int) -> list[tuple[int, int]]:
    """Positions of text, or of lists of text as JSON arrays, of more than `most` bytes, each with
    how many they are."""
    if not pa.types.is_list(values.type):
        lengths = pc.binary_length(values)
        long = pc.indices_nonzero(pc.greater(lengths, most))
        return list(zip(long.to_pylist(), lengths.take(long).to_pylist(), strict=True))
    suspects = np.flatnonzero(_bytes_as_json(values) > most)
    arrays = json_arrays(values.take(pa.array(suspects, pa.int64())))
    return [(int(suspects[index]), size) for index, size in too_many_bytes(arrays, most)]


def lists_beyond_super(lists: pa.Array, limits: SuperLimits) -> Iterator[tuple[int, str]]:
    """Positions of lists of text that SUPER cannot hold, each with the first reason."""
    large = dict(too_many_bytes(lists, limits.document_bytes))
    longest: dict[int, int] = {}
    parents = pc.list_parent_indices(lists)
    for element, size in too_many_bytes(lists.flatten(), limits.string_bytes):
        position = parents[element].as_py()
        longest[position] = max(size, longest.get(position, 0))
    for position in sorted(large.keys() | longest.keys()):
        if position in large:
            yield position, document_too_large(large[position], limits)
        else:
            yield position, string_too_long(longest[position], limits)


def rows_beyond(batch: pa.RecordBatch, most: int) -> list[int]:
    """Positions of all rows whose values may have more than `most` bytes, and of few others."""
    sizes = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        sizes += _bytes_of_values(column.storage if column.type.equals(JSON) else column)
    positions: list[int] = np.flatnonzero(sizes > most).tolist()
    return positions


def _bytes_of_values(values: pa.Array) -> _Numbers:
    """A bound of the bytes that Arrow holds each value in."""
    if pa.types.is_list(values.type):
        return _sums(values, _bytes_of_values(values.flatten())) + _OVERHEAD
    if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
        return _numbers(pc.binary_length(values)) + _OVERHEAD
    return np.full(len(values), _OVERHEAD, np.int64)


def _bytes_as_json(lists: pa.Array) -> _Numbers:
    """A bound of the bytes that each list of text takes as a JSON array."""
    return _sums(lists, GROWTH * _numbers(pc.binary_length(lists.flatten())) + len("null,")) + 2


def _sums(lists: pa.Array, elements: _Numbers) -> _Numbers:
    """The sum of each list's elements, which stand as `lists.flatten()` gives them."""
    sums = np.concatenate([[0], np.cumsum(elements)])
    counts = _numbers(pc.list_value_length(lists))
    stops = np.cumsum(counts)
    return np.asarray(sums[stops] - sums[stops - counts], np.int64)


def _numbers(values: pa.Array) -> _Numbers:
    """The values, with 0 for NULL."""
    numbers: _Numbers = pc.fill_null(values, 0).to_numpy().astype(np.int64)
    return numbers
