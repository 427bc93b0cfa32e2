"""Whether an interval has as many rows as are usual for its time of the week.

What is usual is told by the destination's own records of past deliveries, by their median and the
median of the distances from it (MAD): neither moves for a few weeks in which something was wrong.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import dagster as dg

from batch_exports.checks.examination import Examination, Outcome
from batch_exports.checks.past_weeks import WEEKS, past_weeks
from batch_exports.destinations.delivery import Recorded
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval

LEAST_WEEKS = 3
"""With fewer, nothing is known of what is usual."""

# Of normally distributed numbers, the standard deviation is so many times the MAD.
_DEVIATIONS_A_MAD = 1.4826
# A few weeks may be alike by chance: so much of the median is no deviation.
_LEAST_SHARE = 0.05


@dataclass(frozen=True)
class Usual:
    """Numbers of rows from `lowest` to `highest` are usual; they are spread about the median by
    `deviation`, and there were `always_some` where no week had none."""

    median: float
    deviation: float
    lowest: float
    highest: float
    always_some: bool

    def allows(self, rows: int) -> bool:
        if rows == 0 and self.always_some:
            return False
        return self.lowest <= rows <= self.highest


def usual_rows(history: Sequence[int], tolerance: float) -> Usual | None:
    """What is usual, by the rows of past weeks; None where these are too few.

    A number is unusual whose modified z-score is above the tolerance:
    https://www.itl.nist.gov/div898/handbook/eda/section3/eda35h.htm. Where weeks are more alike
    than numbers that are counted can be, the deviation is that of counts, the root of the median,
    or a twentieth of the median.
    """
    if len(history) < LEAST_WEEKS:
        return None
    middle = float(median(history))
    spread = _DEVIATIONS_A_MAD * median(abs(rows - middle) for rows in history)
    deviation = max(spread, math.sqrt(middle), _LEAST_SHARE * middle, 1.0)
    return Usual(
        middle,
        deviation,
        max(0.0, middle - tolerance * deviation),
        middle + tolerance * deviation,
        always_some=min(history) > 0,
    )


def check_volume(it: Examination) -> Outcome:
    """As many rows as are usual for this time of the week (else a warning)."""
    tolerance = it.export.volume_tolerance
    assert tolerance is not None, "an export without a tolerance has no such check"
    past = past_weeks(it.export, it.interval)
    recorded = it.destination.recorded([it.interval, *past])
    if it.interval not in recorded:
        raise Terminal(
            f"Nothing was delivered for {it.interval}.", remedy="Materialize the partition."
        )
    rows = recorded[it.interval].source_rows
    history = [recorded[each].source_rows for each in past if each in recorded]
    usual = usual_rows(history, tolerance)
    metadata: dict[str, Any] = {
        "rows": rows,
        "weeks": len(history),
        "history": dg.MetadataValue.md(_table(past, recorded)),
    }
    if usual is None:
        return Outcome(
            True,
            f"Rows: {rows}. Too little history to tell whether that is usual: of the last {WEEKS} "
            f"weeks {len(history)} have a delivery of this time, and {LEAST_WEEKS} are needed.",
            metadata,
        )
    return Outcome(
        usual.allows(rows),
        _told(rows, usual, len(history)),
        {
            **metadata,
            "usual_rows": usual.median,
            "lowest_usual_rows": round(usual.lowest, 1),
            "highest_usual_rows": round(usual.highest, 1),
            "deviations": round((rows - usual.median) / usual.deviation, 2),
        },
        dg.AssetCheckSeverity.WARN,
    )


def _told(rows: int, usual: Usual, weeks: int) -> str:
    told = (
        f"Rows: {rows}; usual at this time of the week are {usual.median:g}, from "
        f"{math.ceil(usual.lowest)} to {math.floor(usual.highest)}, by the last {weeks} weeks"
    )
    if usual.allows(rows):
        return f"{told}."
    if rows == 0:
        return f"{told}, of which none had no rows. See whether events still come in."
    fewer = "Fewer" if rows < usual.median else "More"
    return f"{told}. {fewer} than usual: see whether that is as it should be."


def _table(past: Sequence[DataInterval], recorded: Mapping[DataInterval, Recorded]) -> str:
    lines = [
        f"| {each.start:%Y-%m-%d %H:%M} | "
        f"{recorded[each].source_rows if each in recorded else 'not delivered'} |"
        for each in past
    ]
    return "\n".join(["| began, UTC | rows |", "| --- | --- |", *lines])
