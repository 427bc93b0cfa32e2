"""The step by which an export's deliveries are tried: that those of an interval are there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batch_exports.errors import Transient
from batch_exports.interval import DataInterval
from batch_exports.probe import Finding, Step, passed, warning
from batch_exports.sources.delivered.delivered import DeliveredFiles
from batch_exports.sources.source import Selection


@dataclass(frozen=True)
class Attempt:
    """`reach` makes the source, for which it may take credentials. `interval` is one whose files
    should have been delivered."""

    reach: Callable[[], DeliveredFiles]
    selection: Selection
    interval: DataInterval


def find_deliveries(attempt: Attempt) -> Finding:
    source = attempt.reach()
    try:
        deliveries = source.deliveries(attempt.interval)
        rows = source.count(attempt.selection, attempt.interval)
    except Transient as error:
        return warning(error.message, remedy=error.remedy)
    return passed(f"{len(deliveries)} deliveries of {attempt.interval}, {rows} rows of them")


STEPS: Sequence[Step[Attempt]] = (Step("deliveries", find_deliveries),)
