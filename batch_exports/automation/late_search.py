"""The search for late rows: as many intervals as a sensor's time allows."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import dagster as dg

from batch_exports.automation.late_data import Late, find_late
from batch_exports.automation.time_limit import TimeIsUp, within
from batch_exports.errors import BatchExportError
from batch_exports.export import Export
from batch_exports.interval import DataInterval

MOST_AT_ONCE = 512
"""Intervals that are counted by one question."""

# A sensor that takes longer than 60 s is given up by Dagster.
_BUDGET_SECONDS = 45.0


@dataclass
class Findings:
    """What differs, of so many intervals that were `looked` at. The next search goes on with the
    interval of the key `go_on`, if this one did not get to the end, and counts `at_once`.
    `problem` says in words what ended it; it `failed` where going on at once would help nothing."""

    looked: int = 0
    late: list[Late] = field(default_factory=list)
    go_on: str | None = None
    at_once: int = MOST_AT_ONCE
    problem: str = ""
    failed: bool = False


def search(
    context: dg.SensorEvaluationContext,
    export: Export,
    keys: Sequence[str],
    now: datetime,
    at_once: int,
) -> Findings:
    """What differs, of as many of the keys as time allows."""
    ends = time.monotonic() + _BUDGET_SECONDS
    found = Findings(at_once=at_once)
    for start in range(0, len(keys), at_once):
        part = keys[start : start + at_once]
        left = ends - time.monotonic()
        if left < _BUDGET_SECONDS / 2:
            found.go_on = part[0]
            return found
        intervals = {key: export.interval(key) for key in part}
        try:
            found.late += within(left, _comparison(context, export, intervals, now))
        except TimeIsUp:
            found.at_once, found.go_on = max(1, at_once // 4), part[0]
            found.failed = len(part) == 1
            found.problem = (
                f"Counting {len(part)} intervals took longer than {left:.0f} s and was given up. "
                f"The next look counts {found.at_once} at once. If it stays, give the source an "
                f"index on {export.selection.membership}, or the export a smaller lookback."
            )
            return found
        except BatchExportError as error:
            found.go_on, found.problem, found.failed = part[0], str(error), True
            return found
        found.looked += len(part)
    found.at_once = min(2 * at_once, MOST_AT_ONCE)
    return found


def _comparison(
    context: dg.SensorEvaluationContext,
    export: Export,
    intervals: Mapping[str, DataInterval],
    now: datetime,
) -> Callable[[], list[Late]]:
    """Raises `BatchExportError` where a resource cannot be made."""
    try:
        resources = context.resources
    except dg.DagsterResourceFunctionError as error:
        if isinstance(error.__cause__, BatchExportError):
            raise error.__cause__ from None
        raise
    source, destination = export.reader(resources), export.destination(resources)
    return lambda: find_late(export, source, destination, intervals, now)
