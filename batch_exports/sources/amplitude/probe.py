"""The steps by which Amplitude is tried: that archives are there, or that the API lets us in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from batch_exports.probe import Finding, Step, passed, skipped, warning
from batch_exports.sources.amplitude.api import LAG, Api
from batch_exports.sources.amplitude.archives import Archives
from batch_exports.sources.amplitude.download import refusal
from batch_exports.sources.amplitude.names import Archive
from batch_exports.sources.source import Selection

# An hour that nobody expects to be empty, or to be under way still.
_AGO = LAG + timedelta(days=1)


@dataclass
class ArchivesAttempt:
    """`reach` makes the source, for which it may take credentials."""

    reach: Callable[[], Archives]
    selection: Selection
    found: Sequence[Archive] = field(default=(), init=False)

    @cached_property
    def source(self) -> Archives:
        return self.reach()


def find_archives(attempt: ArchivesAttempt) -> Finding:
    model = attempt.selection.model.name
    attempt.found = attempt.source.archives(model)
    if not attempt.found:
        return warning(
            f"There is no archive of {model}: every interval is empty.",
            remedy="See that Amplitude's export writes there.",
        )
    hours = [one.hour for one in attempt.found if one.hour]
    newest = f", the newest of {max(hours):%Y-%m-%d %H} h UTC" if hours else ""
    return passed(f"{len(attempt.found)} archives of {model}{newest}")


def read_row(attempt: ArchivesAttempt) -> Finding:
    if not attempt.found:
        return skipped("there is no archive")
    newest = attempt.found[-1]
    shown = attempt.source.shown(newest.path)
    if attempt.source.head(newest, attempt.selection) is None:
        return passed(f"{shown}: it has no row")
    return passed(f"{shown}: its rows can be read")


ARCHIVES_STEPS: Sequence[Step[ArchivesAttempt]] = (
    Step("archives", find_archives),
    Step("rows", read_row),
)


@dataclass
class ApiAttempt:
    """`reach` makes the source, for which it takes credentials. One request tells it all."""

    reach: Callable[[], Api]
    status: int = field(default=0, init=False)

    @cached_property
    def source(self) -> Api:
        return self.reach()


def reach_api(attempt: ApiAttempt) -> Finding:
    hour = (datetime.now(UTC) - _AGO).replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
    download = attempt.source.download
    attempt.status = download.status(hour)
    return passed(f"{download.endpoint} answers")


def authorise(attempt: ApiAttempt) -> Finding:
    if attempt.status == 200:
        return passed("the keys are taken, and there are events")
    if attempt.status == 404:
        return passed("the keys are taken; yesterday's hour has no events")
    if attempt.status == 400:
        return warning(
            "The keys are taken; yesterday's hour is too large for the API.",
            remedy="Read archives of Amplitude's export to S3.",
        )
    raise refusal(attempt.status, attempt.source.download.endpoint)


API_STEPS: Sequence[Step[ApiAttempt]] = (
    Step("reach", reach_api),
    Step("authorise", authorise),
)
