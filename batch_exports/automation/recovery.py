"""What of an export is asked for again without a person asking."""

from dataclasses import dataclass
from datetime import timedelta

PRIORITY = {"dagster/priority": "-1"}
"""Below that of schedules (0), https://docs.dagster.io/guides/operate/run-executors."""

TRIGGER_TAG = "batch_exports/trigger"


TICK_SECONDS = 300
"""Between two ticks that may ask for runs of changed intervals."""


@dataclass(frozen=True)
class Recovery:
    """Gaps are filled where they are no older than `fill_gaps`, and rows that come late are looked
    for in the intervals that ended within `lookback`, every `look_every`. Zero turns either off.

    No more than `runs` of the export are under way at a time for both.
    """

    fill_gaps: timedelta = timedelta(days=30)
    lookback: timedelta = timedelta(0)
    look_every: timedelta = timedelta(hours=1)
    runs: int = 10
