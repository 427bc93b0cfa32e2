"""The records of many intervals, read some at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from batch_exports.interval import DataInterval

# No more than the client keeps connections for.
_AT_ONCE = 8
_Record = TypeVar("_Record")


def read_at_once(
    read: Callable[[DataInterval], _Record | None], intervals: Sequence[DataInterval]
) -> Iterator[tuple[DataInterval, _Record]]:
    """Those of the intervals that have a record, in order. Raises what `read` raises."""
    with ThreadPoolExecutor(_AT_ONCE, "records") as pool:
        try:
            for interval, record in zip(intervals, pool.map(read, intervals), strict=True):
                if record is not None:
                    yield interval, record
        finally:
            pool.shutdown(cancel_futures=True)
