"""The breaker: an export whose runs fail one after the other is paused, until one succeeds.

Whether it is paused is read from what the instance has recorded: no state is kept beside the runs
themselves, and what is said here outlives any restart. What people say by hand, `pause` and
`resume`, is kept in the instance's key-value store, where Dagster's daemon keeps its cursors.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from batch_exports.export import Export

EXPORT_TAG = "batch_exports/export"
"""The tag of all runs of an export's own job: those of its schedule and of sensors."""

WILL_RETRY_TAG = "dagster/will_retry"
# A run whose process died is tried again twice: runs that a later one replaces do not count.
_RUNS_A_FAILURE = 3


@dataclass(frozen=True)
class Pause:
    """Why an export is paused; as text also how it goes on.

    `failures` runs in a row have failed, the first at `since` and the last one with the ID `run`.
    One that people have paused has their reason as `held`, and neither failures nor a run.
    """

    export: str
    since: datetime
    failures: int = 0
    run: str | None = None
    held: str | None = None

    @property
    def way_back(self) -> str:
        resume = f"`batch-exports resume {self.export}`"
        if self.held is not None:
            return f"{resume} ends the pause."
        return (
            "Mend what the log of the last run shows, then materialize any partition of it, or run "
            f"{resume}."
        )

    @property
    def reason(self) -> str:
        since = f"since {self.since:%Y-%m-%d %H:%M} UTC"
        if self.held is not None:
            return f"{self.export} is paused by hand {since}: {self.held}"
        return f"{self.export} is paused: its last {self.failures} runs failed, {since}."

    def __str__(self) -> str:
        return f"{self.reason} {self.way_back}"


def pause_of(instance: dg.DagsterInstance, export: Export) -> Pause | None:
    """Why nothing of the export is to be started now; None where it may be.

    It costs three small queries, however many runs and partitions the export has.
    """
    said = _said(instance, [export.name]).get(export.name)
    if said and said.held is not None:
        return Pause(export.name, said.at, held=said.held)
    if not export.pause_after:
        return None
    failed = failures_in_a_row(instance, export, limit=export.pause_after)
    if len(failed) < export.pause_after:
        return None
    since = failed[-1].update_timestamp.replace(tzinfo=UTC)
    return Pause(export.name, since, len(failed), failed[0].dagster_run.run_id)


def failures_in_a_row(
    instance: dg.DagsterInstance, export: Export, *, limit: int
) -> Sequence[dg.RunRecord]:
    """The export's failed runs since it last delivered or was resumed, newest first.

    Those that Dagster tries again by itself do not count, nor do those of backfills: they try what
    has failed before.
    """
    records = instance.get_run_records(
        dg.RunsFilter(
            tags={EXPORT_TAG: export.name},
            statuses=[dg.DagsterRunStatus.FAILURE],
            updated_after=_since(instance, export),
            exclude_subruns=True,
        ),
        limit=limit * _RUNS_A_FAILURE,
    )
    final = [r for r in records if r.dagster_run.tags.get(WILL_RETRY_TAG) != "true"]
    return final[:limit]


def held_by_hand(instance: dg.DagsterInstance, exports: Collection[str]) -> Collection[str]:
    """Which of them, by one query."""
    return {name for name, said in _said(instance, exports).items() if said.held is not None}


def hold(instance: dg.DagsterInstance, export: str, reason: str, moment: datetime) -> None:
    """Pause the export by hand, until `resume`."""
    _say(instance, export, _Said(moment, reason))


def resume(instance: dg.DagsterInstance, export: str, moment: datetime) -> None:
    """End any pause of the export: failures before `moment` count no more."""
    _say(instance, export, _Said(moment, None))


@dataclass(frozen=True)
class _Said:
    """What people said last: to hold the export for a reason, or without one to go on."""

    at: datetime
    held: str | None


def _since(instance: dg.DagsterInstance, export: Export) -> datetime | None:
    """When failures begin to count anew: with the last delivery, however it was started, and when
    people said so."""
    delivered = instance.get_latest_materialization_event(export.key)
    said = _said(instance, [export.name]).get(export.name)
    moments = [datetime.fromtimestamp(delivered.timestamp, UTC)] if delivered else []
    return max([*moments, *([said.at] if said else [])], default=None)


def _key(export: str) -> str:
    return f"batch_exports/pause/{export}"


def _said(instance: dg.DagsterInstance, exports: Collection[str]) -> Mapping[str, _Said]:
    keys = {_key(name): name for name in exports}
    found = instance.daemon_cursor_storage.get_cursor_values({*keys})
    told = {keys[key]: json.loads(text) for key, text in found.items()}
    return {
        name: _Said(datetime.fromisoformat(each["at"]), each["held"]) for name, each in told.items()
    }


def _say(instance: dg.DagsterInstance, export: str, said: _Said) -> None:
    text = json.dumps({"at": said.at.isoformat(), "held": said.held})
    instance.daemon_cursor_storage.set_cursor_values({_key(export): text})
