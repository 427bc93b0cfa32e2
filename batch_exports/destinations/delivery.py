"""What every destination promises: one committed write of one data interval, and proof of it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from batch_exports.interval import DataInterval
from batch_exports.transform.capabilities import Capabilities
from batch_exports.transform.shard import Shard

KeyReader = Callable[[], AbstractContextManager[pa.RecordBatchReader]]
"""Opens the keys and versions of an interval's rows at the source, read anew."""


@dataclass(frozen=True)
class DeliveredFile:
    """One file of a delivery. `bytes` are those stored, `sha256` is of them, in hex."""

    uri: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Delivery:
    """One committed write: what the destination recorded about it.

    `rows` were delivered, of which `replaced` hold a value in a changed form; `rejected` were
    not. Originals of both lie at `aside`. `skipped` rows were left out, as the export says.
    `record` is where this record itself lies. `changed` is how many rows of a table the merge of
    these changed. `way` is how rows came that may come straight from files, or staged anew:
    "straight", or "staged" with the reason; only a write tells it. Each is None where it has no
    meaning.
    """

    uri: str
    record: str
    rows: int
    rejected: int
    replaced: int
    bytes: int
    files: tuple[DeliveredFile, ...] | None = None
    aside: str | None = None
    changed: int | None = None
    way: str | None = None
    skipped: int = 0

    @property
    def source_rows(self) -> int:
        return self.rows + self.rejected + self.skipped


@dataclass(frozen=True)
class Recorded:
    """A delivery in short: how many rows the source had, and when it was made, in UTC."""

    source_rows: int
    delivered_at: datetime


@dataclass(frozen=True)
class Landed:
    """What the destination holds for an interval, read from it anew.

    `rows` is counted in the data itself; None where they were not, and `compared` says what was
    instead. `problems` name each difference between the record and the data, in words.
    """

    delivery: Delivery
    rows: int | None
    problems: tuple[str, ...] = ()
    compared: str = ""


@dataclass(frozen=True)
class LandedColumns:
    """The columns found in the data, and in words how they differ from those expected.

    `warnings` tell of columns that were knowingly left out, `required` which take no NULL.
    """

    types: Mapping[str, str]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()


@dataclass(frozen=True)
class LandedKeys:
    """Rows without a key, and keys that stand twice, with a few of each."""

    rows: int
    nulls: int
    duplicates: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class LandedVersions:
    """Rows of the source compared with the destination's rows of the same keys.

    `stale` ones are older than the source's, with a few of them in `examples`.
    """

    rows: int
    stale: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class LandedCycles:
    """`ids` are how many merged IDs lead nowhere; `examples` are cycles, in words."""

    ids: int
    examples: tuple[str, ...] = ()


class Destination(Protocol):
    """Holds deliveries of one export.

    All methods raise `Terminal` or `Transient` errors. The reading ones read the destination
    anew; they raise `Terminal` where the interval was never delivered. A destination that cannot
    tell by itself which rows belong to an interval finds them by `source_keys`.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What it can hold, for the code that prepares rows."""
        ...

    def write(self, batches: pa.RecordBatchReader, interval: DataInterval, run_id: str) -> Delivery:
        """Deliver the interval's rows, all or nothing, in the place of what was there before."""
        ...

    def delivery(self, interval: DataInterval) -> Delivery:
        """What is recorded of the interval's delivery."""
        ...

    def recorded(self, intervals: Sequence[DataInterval]) -> Mapping[DataInterval, Recorded]:
        """What is recorded of those of the intervals that were delivered, all read at once."""
        ...

    def inspect(
        self,
        interval: DataInterval,
        *,
        deep: bool = False,
        source_keys: KeyReader | None = None,
    ) -> Landed:
        """Compare the delivery's record with the data; `deep` reads every row.

        Without `source_keys` a destination that needs them counts no rows.
        """
        ...

    def columns(self, interval: DataInterval, expected: pa.Schema) -> LandedColumns: ...

    def keys(self, interval: DataInterval, source_keys: KeyReader) -> LandedKeys:
        """Look for rows without a key, and for keys that stand twice."""
        ...

    def uri(self, interval: DataInterval) -> str:
        """Where the interval's data lies, or would lie."""
        ...


class MergingDestination(Destination, Protocol):
    """Keeps the newest row of each key, whichever intervals its versions came in."""

    def versions(self, interval: DataInterval, source_keys: KeyReader) -> LandedVersions:
        """Look for rows that are older than the source's."""
        ...


class ShardedDestination(Destination, Protocol):
    """Takes an interval's rows in shards, which several machines may stage at once."""

    def stage(
        self, batches: pa.RecordBatchReader, interval: DataInterval, run_id: str, shard: Shard
    ) -> Mapping[str, Any]:
        """Bring the shard's rows to where they wait for the commit, visible to nobody.

        All shards of a delivery are staged under one `run_id`. What is answered is the receipt that
        `commit` needs: plain data, small, and without secrets. A shard may be staged again.
        """
        ...

    def commit(
        self, receipts: Sequence[Mapping[str, Any]], interval: DataInterval, run_id: str
    ) -> Delivery:
        """Deliver what all shards have staged, as `write` does; `run_id` is told in the record.

        Committing again is harmless. Whatever else was staged for the interval is swept away: of
        runs that died, and of others, which then fail. Raises `Terminal` where the receipts are not
        those of one delivery, and where what they tell of is not there any more.
        """
        ...


class ResolvingDestination(Destination, Protocol):
    """Has a view in which merged IDs are resolved."""

    def cycles(self, interval: DataInterval) -> LandedCycles:
        """Look for merges that lead in a circle, among those of all intervals."""
        ...
