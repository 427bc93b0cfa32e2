"""Names of Amplitude's archives, which tell what they hold, and of which hour.

https://amplitude.com/docs/data/destination-catalog/amazon-s3: `187520_2020-01-25_17#1.json.gz` has
events of a project, `-189524_2020-01-25_17.json.gz` merged IDs of an organisation; 17 is the hour
in UTC at which Amplitude's servers took the rows in, without a leading zero before ten. The zips
of the Export API, whatever their own name, hold files of events that are named so; those of days
before 2014-11-12 without an hour (https://amplitude.com/docs/apis/analytics/export).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import AMPLITUDE_EVENTS, AMPLITUDE_MERGED_IDS
from batch_exports.sources.amplitude.hours import HOUR

_NAME = re.compile(r"(-?)\d+_(\d{4}-\d\d-\d\d)(_\d{1,2})?(?:#\d+)?(?:\.json|\.json\.gz|\.zip)")


@dataclass(frozen=True)
class Archive:
    """A file by its name. `hour` is None where that does not tell it."""

    path: str
    model: str
    hour: datetime | None

    @property
    def is_zip(self) -> bool:
        return self.path.endswith(".zip")

    def may_hold(self, interval: DataInterval, margin: timedelta) -> bool:
        """Whether it may have rows of the interval, if it has none further than `margin` from its
        hour."""
        if self.hour is None:
            return True
        return self.hour - margin < interval.end and interval.start < self.hour + HOUR + margin


def archive(path: str, where: str) -> Archive | None:
    """None for what is no archive: hidden files, and markers of hours that are complete.

    Raises `Terminal` for a file of no known kind, shown as `where`.
    """
    name = PurePosixPath(path).name
    if name.startswith((".", "_")) or "complete" in name.lower():
        return None
    if told := _NAME.fullmatch(name):
        merged, day, hour = told.groups()
        model = AMPLITUDE_MERGED_IDS if merged else AMPLITUDE_EVENTS
        return Archive(path, model.name, _hour(day + hour, where) if hour else None)
    if name.endswith(".zip"):
        return Archive(path, AMPLITUDE_EVENTS.name, None)
    raise Terminal(
        f"{where} is no archive of Amplitude's, by its name.",
        remedy="Names are like 187520_2020-01-25_17#1.json.gz, -189524_2020-01-25_17.json.gz or "
        "any.zip. Move other files away, or begin their names with . or _.",
    )


def _hour(text: str, where: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d_%H").replace(tzinfo=UTC)
    except ValueError as error:
        raise Terminal(
            f"{where} names no hour: {error}.", remedy="Restore the name that Amplitude gave it."
        ) from error
