"""What a check looks at, and what comes of it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import dagster as dg
import pyarrow as pa

from batch_exports.destinations.delivery import Destination, LandedColumns
from batch_exports.errors import Terminal
from batch_exports.export import Export
from batch_exports.interval import DataInterval
from batch_exports.sources.source import Source


@dataclass(frozen=True)
class Outcome:
    """The result of a check for one interval. A warning does not pass, and fails nothing."""

    passed: bool
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR


@dataclass(frozen=True)
class Examination:
    """What the checks of an interval may look at. `instance` is Dagster's, which keeps what was
    approved."""

    export: Export
    source: Source
    destination: Destination
    interval: DataInterval
    deep: bool
    instance: dg.DagsterInstance

    @cached_property
    def landed_columns(self) -> LandedColumns:
        """The columns of what landed, read once for all checks that look at them."""
        return self.destination.columns(self.interval, self.export.selection.schema)

    def source_keys(self) -> AbstractContextManager[pa.RecordBatchReader]:
        """Read anew by which keys the source knows the interval's rows, and in which versions."""
        return self.source.read(self.export.selection.keys_alone, self.interval)


Check = Callable[[Examination], Outcome]


def outcome_of(check: Check, it: Examination) -> Outcome:
    """The check's outcome; what cannot be checked, as it was never delivered, does not pass."""
    try:
        return check(it)
    except Terminal as error:
        return Outcome(False, str(error), {"remedy": dg.MetadataValue.md(error.remedy)})
