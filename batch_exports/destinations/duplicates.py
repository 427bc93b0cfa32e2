"""Rows without a key, and keys that stand twice, found in memory that does not grow with rows."""

from collections.abc import Callable, Iterable, Sequence

import polars as pl
import polars.selectors as cs
import pyarrow as pa

from batch_exports.destinations.delivery import LandedKeys

# 16 MB of hashes a pass; more rows take more passes over the key columns.
ROWS_A_PASS = 2_000_000
_EXAMPLES = 10


def audit_keys(
    read: Callable[[], Iterable[pa.RecordBatch]], key: Sequence[str], rows: int
) -> LandedKeys:
    """Audit the key columns that `read` streams anew at each call; `rows` is about how many."""
    passes = max(1, -(-rows // ROWS_A_PASS))
    seen = nulls = duplicates = 0
    examples = list[str]()
    for number in range(passes):
        suspects, seen, nulls = _repeated_hashes(read(), key, number, passes)
        if suspects.is_empty():
            continue
        # Equal hashes are not equal keys yet.
        repeated = _repeated_keys(read(), key, suspects)
        duplicates += int(repeated["count"].sum()) - len(repeated)
        shown = repeated.head(_EXAMPLES).select(key).with_columns(cs.temporal().cast(pl.String))
        examples += [str(row) for row in shown.to_dicts()]
    return LandedKeys(seen, nulls, duplicates, tuple(examples[:_EXAMPLES]))


def _keyed(batch: pa.RecordBatch, key: Sequence[str]) -> pl.DataFrame:
    frame = pl.from_arrow(pa.Table.from_batches([batch]))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(key).drop_nulls()


def _repeated_hashes(
    batches: Iterable[pa.RecordBatch], key: Sequence[str], number: int, passes: int
) -> tuple[pl.Series, int, int]:
    """The hashes that stand twice among this pass' share of all; rows, and those without a key."""
    kept = [pl.Series("hash", [], pl.UInt64)]
    rows = nulls = 0
    for batch in batches:
        hashes = _keyed(batch, key).hash_rows()
        rows += batch.num_rows
        nulls += batch.num_rows - len(hashes)
        kept.append(hashes.filter(hashes % passes == number).alias("hash"))
    ordered = pl.concat(kept).sort()
    return ordered.filter(ordered == ordered.shift(1)).unique(), rows, nulls


def _repeated_keys(
    batches: Iterable[pa.RecordBatch], key: Sequence[str], suspects: pl.Series
) -> pl.DataFrame:
    rows = []
    for batch in batches:
        frame = _keyed(batch, key)
        rows.append(frame.filter(frame.hash_rows().is_in(suspects.implode())))
    counted = pl.concat(rows).group_by(key).agg(pl.len().alias("count"))
    return counted.filter(pl.col("count") > 1)
