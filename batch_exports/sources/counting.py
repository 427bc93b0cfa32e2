"""The rows of many intervals, counted at once where a source can."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from batch_exports.interval import DataInterval
from batch_exports.models import TIMESTAMP
from batch_exports.sources.source import Selection, Source


@runtime_checkable
class CountingSource(Protocol):
    """A source that counts many intervals for little more than one."""

    def counts(self, selection: Selection, intervals: Sequence[DataInterval]) -> list[int]:
        """The rows of each interval, in order; they may touch, overlap or lie apart. Raises as
        `Source` does."""
        ...


def count_each(
    source: Source, selection: Selection, intervals: Sequence[DataInterval]
) -> list[int]:
    """The rows of each interval, by one question where the source takes it. Raises as it does."""
    if isinstance(source, CountingSource):
        return source.counts(selection, intervals)
    return [source.count(selection, interval) for interval in intervals]


class Pieces:
    """Time, cut wherever an interval begins or ends, with the rows of each piece."""

    def __init__(self, intervals: Sequence[DataInterval]) -> None:
        """There is at least one interval."""
        self._intervals = intervals
        self._cuts = sorted({cut for each in intervals for cut in (each.start, each.end)})
        self._edges = microseconds(pa.array(self._cuts, TIMESTAMP))
        # The first piece lies before all cuts, the last after them.
        self._rows = np.zeros(len(self._cuts) + 1, np.int64)

    @property
    def span(self) -> DataInterval:
        """From the first begin to the last end."""
        return DataInterval(self._cuts[0], self._cuts[-1])

    def add(self, moments: pa.Array) -> None:
        """Rows, by their times of membership, which are not null."""
        found = np.searchsorted(self._edges, microseconds(moments), side="right")
        self._rows += np.bincount(found, minlength=len(self._rows))

    def add_within(self, bounds: pa.Array, rows: int) -> bool:
        """Rows of which the first and the last time are known. False, and nothing is added, where
        these two lie in several pieces."""
        first, last = np.searchsorted(self._edges, microseconds(bounds), side="right")
        if first == last:
            self._rows[first] += rows
        return bool(first == last)

    def counts(self) -> list[int]:
        """The rows of each interval, in the order in which they were given."""
        before = dict(zip(self._cuts, np.cumsum(self._rows[:-1]).tolist(), strict=True))
        return [before[each.end] - before[each.start] for each in self._intervals]


def microseconds(moments: pa.Array) -> NDArray[np.int64]:
    """Times as numbers, rounded down. Those without a zone are UTC."""
    whole = pc.floor_temporal(moments, unit="microsecond").cast(TIMESTAMP, safe=False)
    numbers: NDArray[np.int64] = whole.cast(pa.int64()).to_numpy()
    return numbers
