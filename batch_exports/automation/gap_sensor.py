"""The sensor that fills gaps: one for all exports of a deployment."""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.target import ExecutableDefinition

from batch_exports.automation.active_backfills import active_backfills
from batch_exports.automation.gaps import GRACE, Gaps, Progress, find_gaps, first_look
from batch_exports.automation.holds import stopped_schedules, why_held
from batch_exports.automation.in_turn import in_turn
from batch_exports.automation.no_run_windows import find_hold
from batch_exports.automation.recovery import PRIORITY, TRIGGER_TAG
from batch_exports.duration import spoken
from batch_exports.export import Export

EVERY_SECONDS = 60
# A sensor that takes longer than 60 s is given up by Dagster.
_BUDGET_SECONDS = 30.0
# What the daemon submits in about half a minute.
_MOST_REQUESTS = 25
# After a standstill the scheduler catches up with the newest intervals by itself.
_STANDSTILL = timedelta(minutes=5)
_SHOWN = 5


@dataclass(frozen=True)
class Cursor:
    """What one tick tells the next: when it was, how far each export was looked through, and with
    which export to begin."""

    tick: datetime | None = None
    progress: Mapping[str, Progress] = field(default_factory=dict)
    first: str = ""

    def written(self) -> str:
        """Short, as Dagster keeps it with each tick."""
        told: dict[str, Any] = {
            "tick": round(self.tick.timestamp()) if self.tick else None,
            "first": self.first,
            "exports": {
                name: [round(each.reached.timestamp()), *each.missing]
                for name, each in self.progress.items()
            },
        }
        return json.dumps(told, separators=(",", ":"))

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        if not text:
            return cls()
        told = json.loads(text)
        progress = {
            name: Progress(datetime.fromtimestamp(reached, UTC), tuple(missing))
            for name, (reached, *missing) in told["exports"].items()
        }
        tick = None if told["tick"] is None else datetime.fromtimestamp(told["tick"], UTC)
        return cls(tick, progress, told["first"])


def build_gap_sensor(
    exports: Sequence[Export], jobs: Sequence[ExecutableDefinition]
) -> dg.SensorDefinition:
    """Asks for what is due and was not delivered, of all exports. Their jobs are among `jobs`."""
    watched = {each.name: each for each in exports if each.recovery.fill_gaps}
    names = {each.job_name for each in watched.values()}

    @dg.sensor(
        name="fill_gaps",
        jobs=[job for job in jobs if job.name in names],
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for intervals that are due, and have no delivery and no run: after a "
        "standstill longer than schedules catch up with, and after runs that failed.",
    )
    def fill_gaps(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return fill(context, watched, datetime.now(UTC))

    return fill_gaps


def fill(
    context: dg.SensorEvaluationContext, exports: Mapping[str, Export], now: datetime
) -> dg.SensorResult:
    """One tick, at `now`: what it found is in its log, and where it asks for nothing, its reason.

    As many exports are looked through as time allows; the next tick begins with the others.
    """
    cursor = Cursor.read(context.cursor)
    if cursor.tick and now - cursor.tick > _STANDSTILL:
        return dg.SensorResult(
            skip_reason=f"Nothing has been looked at for {spoken(now - cursor.tick)}. Schedules "
            "catch up first; gaps are filled from the next tick on.",
            cursor=Cursor(now, cursor.progress, cursor.first).written(),
        )
    assert context.repository_def
    backfills = active_backfills(context.instance, context.repository_def)
    stopped = stopped_schedules(context)
    progress = {name: each for name, each in cursor.progress.items() if name in exports}
    requests, told, first = list[dg.RunRequest](), list[str](), ""
    ends = time.monotonic() + _BUDGET_SECONDS
    for name in in_turn(cursor.first, exports):
        if time.monotonic() > ends or len(requests) >= _MOST_REQUESTS:
            first = name
            break
        export = exports[name]
        if name not in progress:
            progress[name] = first_look(context.instance, export, now)
        gaps = find_gaps(
            context.instance, export, progress[name], now, backfills, context.repository_def
        )
        progress[name] = gaps.progress
        held = _held(context, export, gaps, now, stopped)
        wanted = {} if held else dict(list(gaps.wanted.items())[: _MOST_REQUESTS - len(requests)])
        requests += [_request(export, key, last) for key, last in wanted.items()]
        told += _told(export, gaps, wanted, held)
    for line in told:
        context.log.info(line)
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "\n".join(told) or "There are no gaps.",
        cursor=Cursor(now, progress, first).written(),
    )


def _held(
    context: dg.SensorEvaluationContext,
    export: Export,
    gaps: Gaps,
    now: datetime,
    stopped: Collection[str],
) -> str | None:
    if not gaps.wanted:
        return None
    if held := why_held(context.instance, export, now, stopped):
        return held
    if find_hold(export.no_run_windows, now - GRACE):
        return "a window without runs is just over, and its schedule asks for what that held back"
    return None


def _request(export: Export, key: str, last: str) -> dg.RunRequest:
    """One for each run that failed before it: the same one is not run twice."""
    return dg.RunRequest(
        run_key=f"gap {export.name} {key} after {last}",
        job_name=export.job_name,
        partition_key=key,
        tags={TRIGGER_TAG: "gap", **PRIORITY},
    )


def _told(export: Export, gaps: Gaps, wanted: Collection[str], held: str | None) -> list[str]:
    """What was found, and what is done about it."""
    lines, age = list[str](), spoken(export.recovery.fill_gaps)
    if gaps.unseen:
        lines.append(
            f"{export.name}: what ended before {gaps.unseen:%Y-%m-%d %H:%M} UTC was not looked at, "
            f"as gaps older than {age} (fill_gaps) are left to you: backfill what is missing."
        )
    if gaps.left:
        lines.append(
            f"{export.name}: {_listed(gaps.left)} left to you, being older than {age} (fill_gaps): "
            "backfill them."
        )
    if gaps.missing:
        parts = [f"requested {len(wanted)} (limit {export.recovery.runs} under way)"]
        if gaps.under_way:
            parts.append(f"{gaps.under_way} under way")
        if gaps.unfed:
            parts.append(f"{len(gaps.unfed)} wait for the files that they load")
        if gaps.waiting:
            soonest = min(gaps.waiting.values())
            parts.append(
                f"{len(gaps.waiting)} failed before and wait, until {soonest:%Y-%m-%d %H:%M} UTC "
                "at least"
            )
        if held:
            parts[0] = f"requested none: {held}"
        lines.append(f"{export.name}: {_listed(gaps.missing)}; {'; '.join(parts)}")
    return lines


def _listed(keys: Sequence[str]) -> str:
    """How many, and the first of them."""
    more = ", ..." if len(keys) > _SHOWN else ""
    gaps = "gap" if len(keys) == 1 else "gaps"
    return f"{len(keys)} {gaps} ({', '.join(keys[:_SHOWN])}{more})"
