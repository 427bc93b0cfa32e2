"""Old runs deleted where nothing is read from them, and the logs of the others made shorter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from batch_exports.duration import spoken
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export
from batch_exports.history.run_logs import delete, long_ones, shorten
from batch_exports.history.superseded import is_superseded

_ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
_KEY = "batch_exports/pruned_until"
# A run that was looked for in vain, as it had not ended, is found by the next look.
_OVERLAP = timedelta(days=7)
_PAGE = 100
_DAY = timedelta(days=1)


@dataclass
class Pruned:
    """How many runs were `seen` that are old enough, `deleted`, and had their logs `shortened`."""

    seen: int = 0
    deleted: int = 0
    shortened: int = 0


def check_age(exports: Sequence[Export], age: timedelta) -> None:
    """Raises `ConfigurationError` for an age at which runs are still looked at, by what fills gaps
    and what looks for late rows."""
    for export in exports:
        longest = max(export.recovery.fill_gaps, export.recovery.lookback)
        if age <= longest:
            raise ConfigurationError(
                "older_than",
                f"{spoken(age)} is too short: {export.name} looks back {spoken(longest)}.",
                remedy=f"Give {(longest + _DAY).days} days or more.",
            )


def prune(instance: dg.DagsterInstance, before: datetime, *, only_count: bool = False) -> Pruned:
    """Runs that ended before that moment: those are deleted that later ones have superseded, and of
    the others the logs keep what tells of partitions.

    Which partitions are delivered, failed, checked and how: all that stays as it is. With
    `only_count` nothing is changed, and told is what would be. What was looked at once is not
    looked at again, but for the last week of it.
    """
    pruned, reached = Pruned(), _reached(instance)
    for page in _pages(instance, reached - _OVERLAP if reached else None, before):
        ids = [record.dagster_run.run_id for record in page]
        gone = [r.dagster_run.run_id for r in page if is_superseded(instance, r)]
        # No tag says of a run that its log is short: a tag would make it look as if it had ended
        # just now, and exports pause by runs that failed lately.
        long = sorted(long_ones(instance, [run for run in ids if run not in gone]))
        pruned.seen += len(ids)
        pruned.deleted += len(gone)
        pruned.shortened += len(long)
        if not only_count:
            for run in gone:
                delete(instance, run)
            if long:
                shorten(instance, long)
    if not only_count:
        moment = max(reached, before) if reached else before
        instance.daemon_cursor_storage.set_cursor_values({_KEY: moment.isoformat()})
    return pruned


def _reached(instance: dg.DagsterInstance) -> datetime | None:
    """Before when all runs were looked at."""
    found = instance.daemon_cursor_storage.get_cursor_values({_KEY})
    return datetime.fromisoformat(found[_KEY]) if found else None


def _pages(
    instance: dg.DagsterInstance, since: datetime | None, before: datetime
) -> Iterator[list[dg.RunRecord]]:
    """Newest first, each asked for before the one ahead of it is deleted, from where it goes on."""
    wanted = dg.RunsFilter(
        statuses=_ENDED,
        created_after=since.astimezone(UTC) if since else None,
        created_before=before.astimezone(UTC),
    )
    page = instance.get_run_records(wanted, limit=_PAGE)
    while page:
        following = instance.get_run_records(
            wanted, limit=_PAGE, cursor=page[-1].dagster_run.run_id
        )
        yield [record for record in page if record.update_timestamp.replace(tzinfo=UTC) < before]
        page = following
