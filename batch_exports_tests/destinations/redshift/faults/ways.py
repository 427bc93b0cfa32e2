"""The ways that rows take into a table of Redshift, each by COPY or by INSERT."""

from dataclasses import dataclass, replace
from typing import Literal

from batch_exports_tests.destinations.postgres.faults import ways

Loading = Literal["COPY", "INSERT"]


@dataclass(frozen=True)
class Way(ways.Way):
    """One way: whether the table tells intervals by a range, by keys, or merges them."""

    loading: Loading = "COPY"

    def __str__(self) -> str:
        return f"{self.name} by {self.loading}"

    @property
    def earlier(self) -> range:
        """Numbers of the rows that an earlier run delivered. Where keys alone tell rows apart, the
        source still has all of them."""
        if not self.rerun:
            return range(0)
        return range(20, 60) if self.by_key else range(60)

    @property
    def beside(self) -> range:
        """Numbers of the neighbour's rows, which may have keys of the interval's as well."""
        return range(50, 90) if self.rerun and not self.by_key else range(1000, 1040)

    @property
    def by_key(self) -> bool:
        return self.mode == "replace" and self.projection.membership_column is None

    def by(self, loading: Loading) -> "Way":
        return replace(self, loading=loading)


def _of(way: ways.Way) -> Way:
    return Way(way.name, way.projection, way.mode, way.rerun)


RANGE = _of(ways.RANGE)
KEY = _of(ways.KEY)
MERGE = _of(ways.MERGE)
APPEND = _of(ways.APPEND)
WAYS = (RANGE, KEY, MERGE, APPEND)
BOTH = (RANGE, RANGE.by("INSERT"))
# Where a test takes long: each way once, and each loading.
FEW_WAYS = (RANGE, KEY.by("INSERT"), MERGE, APPEND.by("INSERT"))
EVERY_WAY = (*WAYS, *(way.by("INSERT") for way in WAYS))
