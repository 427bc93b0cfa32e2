"""Repeatable chance: whole columns that depend on a label and a length alone.

The bytes come from SHAKE-256 rather than from a library's random generator, so that they are the
same on every machine and under every version of every library.
"""

import hashlib

import polars as pl
import pyarrow as pa


def integers(label: str, rows: int) -> pl.Series:
    """Unsigned 64-bit integers, evenly distributed."""
    return pl.Series(label, pa.UInt64Array.from_buffers(pa.uint64(), rows, _bytes(label, 8 * rows)))


def below(label: str, rows: int, limit: int) -> pl.Series:
    """Integers 0 <= n < `limit`, as Int64."""
    return (integers(label, rows) % limit).cast(pl.Int64)


def fractions(label: str, rows: int) -> pl.Series:
    """Floats 0 <= x < 1."""
    return (integers(label, rows) // 2**11).cast(pl.Float64) / 2**53


def uuids(label: str, rows: int) -> pl.Series:
    """Texts in the form of version-4 UUIDs, 120 of their bits by chance."""
    width = pa.binary(16)
    drawn = pa.FixedSizeBinaryArray.from_buffers(width, rows, _bytes(label, 16 * rows))
    digits = pl.Series(label, drawn.cast(pa.binary())).bin.encode("hex").str
    pieces = [digits.slice(0, 8), digits.slice(8, 4), digits.slice(13, 3), digits.slice(17, 3)]
    return pl.select(pl.format("{}-{}-4{}-8{}-{}", *pieces, digits.slice(20, 12)).alias(label))[
        label
    ]


def _bytes(label: str, count: int) -> list[pa.Buffer | None]:
    """Arrow's buffers for an array without nulls."""
    return [None, pa.py_buffer(hashlib.shake_256(label.encode()).digest(count))]
