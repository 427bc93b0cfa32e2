"""The sensor of an export that delivers intervals again whose rows have changed since."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from batch_exports.automation.holds import stopped_schedules, why_held
from batch_exports.automation.late_data import Late, within_lookback
from batch_exports.automation.late_report import SOURCE_ROWS_TAG, Sums, observation, run_tags, told
from batch_exports.automation.late_search import MOST_AT_ONCE, Findings, search
from batch_exports.automation.partition_runs import Attempts, attempts_of
from batch_exports.automation.recovery import PRIORITY, TICK_SECONDS, TRIGGER_TAG
from batch_exports.automation.under_way import not_under_way
from batch_exports.duration import spoken
from batch_exports.export import Export


@dataclass(frozen=True)
class Cursor:
    """What one tick tells the next: when to look again, with the interval of which key to go on,
    none where the look got to the end, how many to count at once, and the sums of what was found
    so far."""

    next_look: datetime | None = None
    go_on: str | None = None
    at_once: int = MOST_AT_ONCE
    sums: Sums = field(default_factory=Sums)

    def written(self) -> str:
        told = {
            "next_look": self.next_look.isoformat() if self.next_look else None,
            "go_on": self.go_on,
            "at_once": self.at_once,
            "intervals": self.sums.intervals,
            "rows": dict(self.sums.rows),
        }
        return json.dumps(told)

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        if not text:
            return cls()
        told = json.loads(text)
        next_look = told["next_look"] and datetime.fromisoformat(told["next_look"])
        sums = Sums(told["intervals"], told["rows"])
        return cls(next_look, told["go_on"], told["at_once"], sums)


def build_late_sensor(export: Export, job: Any) -> dg.SensorDefinition:
    """Looks for changes of an export whose job this is."""
    back = spoken(export.recovery.lookback)

    @dg.sensor(
        name=f"{export.name}_late_data",
        job=job,
        minimum_interval_seconds=TICK_SECONDS,
        required_resource_keys=export.resources,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Counts the intervals of the last {back} at both ends, and delivers those "
        "again of which the source has more rows, or fewer, than were delivered.",
    )
    def late_data(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return look(context, export, datetime.now(UTC))

    return late_data


def look(context: dg.SensorEvaluationContext, export: Export, now: datetime) -> dg.SensorResult:
    """One tick, at `now`: count both ends of the intervals within the look-back, newest first, as
    far as time allows. Where something is left to do the next tick goes on; else those before the
    next look ask nobody anything."""
    cursor = Cursor.read(context.cursor)
    if cursor.next_look and now < cursor.next_look:
        return dg.SensorResult(
            skip_reason=f"The next look is at {cursor.next_look:%Y-%m-%d %H:%M} UTC.",
            cursor=context.cursor,
        )
    stopped = stopped_schedules(context)
    if held := why_held(context.instance, export, now, stopped):
        return dg.SensorResult(skip_reason=f"Not looked at: {held}", cursor=context.cursor)
    keys = within_lookback(export, now)
    if cursor.go_on in keys:
        keys = keys[keys.index(cursor.go_on) :]
    free, running = not_under_way(context, export, keys)
    findings = search(context, export, free, now, cursor.at_once)
    tried = attempts_of(context.instance, export.job_name, [each.key for each in findings.late])
    ready = _ready(findings.late, tried, now)
    wanted = ready[: max(0, export.recovery.runs - running)]
    new = [late for late in wanted if not _runs_for(late, tried[late.key])]
    sums = cursor.sums.with_more(new)
    is_done = findings.failed or (findings.go_on is None and wanted == ready)
    next_look = now + export.recovery.look_every if is_done else None
    lines = _lines(export, findings, wanted, tried, now, running)
    for line in lines:
        context.log.info(line)
    return dg.SensorResult(
        run_requests=[_request(export, late, tried[late.key]) for late in wanted],
        skip_reason=None if wanted else "\n".join(lines),
        asset_events=[observation(export, new, sums)] if new else [],
        cursor=Cursor(next_look, findings.go_on, findings.at_once, sums).written(),
    )


def _ready(late: Sequence[Late], tried: Mapping[str, Attempts], now: datetime) -> list[Late]:
    """Those that may be asked for now, oldest first."""
    return [
        each
        for each in sorted(late, key=lambda each: each.interval)
        if not tried[each.key].waits(now) and not _is_settled(each, tried[each.key])
    ]


def _is_settled(late: Late, tried: Attempts) -> bool:
    """Whether a run for just this number of rows has ended well, and brought no other result."""
    return any(run.is_success for run in _runs_for(late, tried))


def _runs_for(late: Late, tried: Attempts) -> list[dg.DagsterRun]:
    return [run for run in tried.runs if run.tags.get(SOURCE_ROWS_TAG) == str(late.source_rows)]


def _request(export: Export, late: Late, tried: Attempts) -> dg.RunRequest:
    """One for each number of rows, and each run that failed before it."""
    return dg.RunRequest(
        run_key=f"late {export.name} {late.key} {late.source_rows} after {tried.last}",
        partition_key=late.key,
        tags={TRIGGER_TAG: "late data", **run_tags(late), **PRIORITY},
    )


def _lines(
    export: Export,
    findings: Findings,
    wanted: Sequence[Late],
    tried: Mapping[str, Attempts],
    now: datetime,
    running: int,
) -> list[str]:
    """What was found, and what is done about it."""
    late = findings.late
    first = f"{findings.looked} intervals counted at both ends; {len(late)} differ"
    if late:
        first += f"; requested {len(wanted)} (limit {export.recovery.runs} under way)"
    first += f"; {running} under way" if running else ""
    lines = [
        f"{first}.",
        *(told(each) for each in sorted(late, key=lambda each: each.interval)[:20]),
    ]
    if waiting := [each.key for each in late if tried[each.key].waits(now)]:
        lines.append(f"Failed before, and wait: {', '.join(waiting[:20])}.")
    if settled := [each.key for each in late if _is_settled(each, tried[each.key])]:
        lines.append(
            f"Delivered again, and still different: {', '.join(settled[:20])}. They are not asked "
            "for again; see their row_count check."
        )
    if findings.problem:
        lines.append(findings.problem)
    if findings.go_on:
        lines.append(f"The next look goes on with {findings.go_on}.")
    return lines
