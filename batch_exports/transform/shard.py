"""Shards: the rows of an interval dealt out by their keys, the same way on every machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.transform.block import sliced

Hashes = npt.NDArray[np.uint64]

_LONGEST = 1024
_AT_ONCE_BYTES = 2**20
_MULTIPLIER = 0x9E3779B97F4A7C15
# The powers of an odd number modulo 2**64: each byte of a text counts by its place.
_WEIGHTS = np.multiply.accumulate(np.full(_LONGEST, 0x100000001B3, np.uint64))
_NULL = np.uint64(0x5BD1E9955BD1E995)


@dataclass(frozen=True)
class Shard:
    """The shard `index`, counted from 0, of `of`."""

    index: int
    of: int

    def __str__(self) -> str:
        return f"shard {self.index} of {self.of}"


def rows_of(
    batches: pa.RecordBatchReader, key: Sequence[str], shard: Shard
) -> pa.RecordBatchReader:
    """The rows whose key belongs to the shard, in their order."""

    def kept() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield batch.filter(pa.array(shards(batch, key, shard.of) == shard.index))

    return pa.RecordBatchReader.from_batches(batches.schema, kept())


def shards(batch: pa.RecordBatch, key: Sequence[str], of: int) -> Hashes:
    """Of each row the index of its shard: the hash of its key, modulo their number.

    Equal keys have equal hashes, whichever of Arrow's types for such values they come in. All sums
    and products are of unsigned numbers modulo 2**64. What each column counts for:

    - integers, booleans, dates (in days) and moments (in microseconds since 1970): the value, as
      64 bits of two's complement;
    - text and bytes: the sum of (byte + 1) * 0x100000001B3**n over the bytes, n counted from 1,
      plus the length in bytes. Of more than 1,024 bytes the first 1,024 and the length count;
    - floats: the 64 bits of the value as a double, of which all zeros, and all NaN, are one;
    - decimals: the text of the value with 38 digits after the point;
    - NULL: 0x5BD1E9955BD1E995.

    The hash begins as 0. For each column, what it counts for is added, and the sum is mixed as
    SplitMix64 does it: https://prng.di.unimi.it/splitmix64.c
    """
    found = [np.empty(0, np.uint64)]
    for piece in sliced(batch.select(list(key)), _AT_ONCE_BYTES):
        hashes = np.zeros(piece.num_rows, np.uint64)
        for column in piece.columns:
            hashes = _mixed(hashes + _counted(column))
        found.append(hashes % np.uint64(of))
    return np.concatenate(found)


def _mixed(hashes: Hashes) -> Hashes:
    hashes = hashes + np.uint64(_MULTIPLIER)
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _counted(values: pa.Array) -> Hashes:
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type):
        return np.full(len(values), _NULL)
    if _is_text(values.type):
        counted = _of_bytes(values)
    elif pa.types.is_decimal(values.type):
        counted = _of_bytes(values.cast(pa.decimal256(76, 38)).cast(pa.string()))
    elif pa.types.is_floating(values.type):
        counted = _of_floats(values)
    else:
        counted = _of_whole(values)
    return np.where(values.is_null().to_numpy(zero_copy_only=False), _NULL, counted)


def _of_whole(values: pa.Array) -> Hashes:
    if pa.types.is_date(values.type):
        values = values.cast(pa.date32()).cast(pa.int32())
    elif pa.types.is_timestamp(values.type):
        # Finer moments than microseconds share a shard with others: no cast may fail for them.
        unit = pa.timestamp("us", values.type.tz)
        values = values.cast(unit, safe=False).cast(pa.int64())
    type_ = pa.uint64() if pa.types.is_uint64(values.type) else pa.int64()
    numbers: npt.NDArray[Any] = pc.fill_null(values.cast(type_), 0).to_numpy(zero_copy_only=False)
    return numbers.view(np.uint64)


def _of_floats(values: pa.Array) -> Hashes:
    doubles = pc.fill_null(values.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False)
    # -0.0 + 0.0 is 0.0, and of NaN there are many.
    one_of_each: npt.NDArray[Any] = np.where(np.isnan(doubles), np.nan, doubles + 0.0)
    return one_of_each.view(np.uint64)


def _of_bytes(values: pa.Array) -> Hashes:
    values = _as_binary(values)
    lengths = pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False)
    counted: Hashes = lengths.astype(np.uint64)
    if len(lengths) and lengths.max() > _LONGEST:
        values = pc.binary_slice(values, 0, _LONGEST)
    _, offsets, data = values.buffers()
    if data is None or len(values) == 0:
        return counted
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    text, sizes = np.frombuffer(data, np.uint8), np.diff(ends)
    longest_first = np.argsort(-sizes, kind="stable")
    places, sums = ends[:-1][longest_first], np.zeros(len(values), np.uint64)
    reaching = len(sizes) - np.searchsorted(np.sort(sizes), np.arange(sizes.max()), side="right")
    for number, rows in enumerate(reaching):
        sums[:rows] += (text[places[:rows] + number] + np.uint64(1)) * _WEIGHTS[number]
    counted[longest_first] += sums
    return counted


def _as_binary(values: pa.Array) -> pa.Array:
    if pa.types.is_fixed_size_binary(values.type):
        values = values.cast(pa.binary())
    if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):
        text = pa.types.is_string_view(values.type)
        values = values.cast(pa.large_string() if text else pa.large_binary())
    return values.cast(pa.large_binary())


def _is_text(type_: pa.DataType) -> bool:
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return any(test(type_) for test in tests)
