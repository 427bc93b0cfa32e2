"""What became of the runs of a partition, and when another may be asked for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

PARTITION_TAG = "dagster/partition"

_FIRST_PAUSE = timedelta(minutes=15)
_LONGEST_PAUSE = timedelta(days=1)
_FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
# Runs that one look reads, the newest: what was tried before them counts for less.
_MOST_RUNS = 1_000


@dataclass(frozen=True)
class Attempts:
    """The `runs` of one partition by its export's job, newest first.

    `failures` are those that failed or were cancelled since the last success, the last of them at
    `failed_at`.
    """

    runs: Sequence[dg.DagsterRun] = ()
    failures: int = 0
    failed_at: datetime | None = None

    @property
    def last(self) -> str:
        """The newest run, for a key of the one after it."""
        return self.runs[0].run_id if self.runs else "no run"

    @property
    def again_at(self) -> datetime | None:
        """When it may be asked for again, where it failed: 15 minutes after the first failure,
        twice as long after each further one, a day at most."""
        if self.failed_at is None:
            return None
        doubled = _FIRST_PAUSE * (1 << min(self.failures - 1, 10))
        return self.failed_at + min(doubled, _LONGEST_PAUSE)

    def waits(self, now: datetime) -> bool:
        return self.again_at is not None and self.again_at > now


def attempts_of(
    instance: dg.DagsterInstance, job_name: str, keys: Sequence[str]
) -> Mapping[str, Attempts]:
    """The attempts at each of the partitions, by one query."""
    if not keys:
        return {}
    found = instance.get_run_records(
        dg.RunsFilter(job_name=job_name, tags={PARTITION_TAG: list(keys)}), limit=_MOST_RUNS
    )
    records = defaultdict[str, list[dg.RunRecord]](list)
    for record in found:
        records[record.dagster_run.tags[PARTITION_TAG]].append(record)
    return {key: _attempts(records[key]) for key in keys}


def _attempts(newest_first: Sequence[dg.RunRecord]) -> Attempts:
    ended = [record for record in newest_first if record.dagster_run.is_finished]
    failed = list[dg.RunRecord]()
    for record in ended:
        if record.dagster_run.status not in _FAILED:
            break
        failed.append(record)
    return Attempts(
        runs=[record.dagster_run for record in newest_first],
        failures=len(failed),
        failed_at=_end(failed[0]) if failed else None,
    )


def _end(record: dg.RunRecord) -> datetime:
    """A run that was ended before it started has no time of its end."""
    if record.end_time is not None:
        return datetime.fromtimestamp(record.end_time, UTC)
    return record.update_timestamp.replace(tzinfo=UTC)
