"""The sensor that judges the freshness of exports: one for all of a deployment, without any run."""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg

from batch_exports.automation.breaker import held_by_hand
from batch_exports.automation.freshness import Freshness, Verdict, look
from batch_exports.automation.freshness_report import evaluation
from batch_exports.automation.holds import schedule_name, stopped_schedules
from batch_exports.automation.in_turn import in_turn
from batch_exports.export import Export

EVERY_SECONDS = 60
# A sensor that takes longer than 60 s is given up by Dagster.
_BUDGET_SECONDS = 30.0
# How late an export is that stays late is told anew so often.
_AGAIN = timedelta(hours=1)


@dataclass(frozen=True)
class Told:
    """What is known of an export, and when its check was last told."""

    freshness: Freshness
    at: datetime


@dataclass(frozen=True)
class Cursor:
    """What one tick tells the next: what is known of each export, and with which to begin."""

    known: Mapping[str, Told] = field(default_factory=dict)
    first: str = ""

    def written(self) -> str:
        """Short, as Dagster keeps it with each tick."""
        exports = {
            name: [
                round(told.freshness.since.timestamp()),
                round(told.freshness.reached.timestamp()),
                told.freshness.verdict,
                round(told.at.timestamp()),
            ]
            for name, told in self.known.items()
        }
        return json.dumps({"first": self.first, "exports": exports}, separators=(",", ":"))

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        if not text:
            return cls()
        told = json.loads(text)
        known = {name: _read(*each) for name, each in told["exports"].items()}
        return cls(known, told["first"])


def build_freshness_sensor(exports: Sequence[Export]) -> dg.SensorDefinition:
    """For exports that say within which time they are to be fresh."""
    judged = {export.name: export for export in exports if export.fresh_within is not None}

    @dg.sensor(
        name="freshness",
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells by the check `freshness` of an export whether its newest interval was "
        "delivered in time. It starts no run.",
    )
    def freshness(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return tick(context, judged, datetime.now(UTC))

    return freshness


def tick(
    context: dg.SensorEvaluationContext, exports: Mapping[str, Export], now: datetime
) -> dg.SensorResult:
    """One tick, at `now`. Told is each verdict that changes, each interval that is newer than those
    delivered before, and once an hour that an export is late still.

    As many exports are looked at as time allows; the next tick begins with the others.
    """
    cursor = Cursor.read(context.cursor)
    known = {name: each for name, each in cursor.known.items() if name in exports}
    stopped = stopped_schedules(context)
    held = held_by_hand(context.instance, exports)
    evaluations, first = list[dg.AssetCheckEvaluation](), ""
    ends = time.monotonic() + _BUDGET_SECONDS
    for name in in_turn(cursor.first, exports):
        if time.monotonic() > ends:
            first = name
            break
        export, before = exports[name], known.get(name)
        idle = _idle(export, stopped, held)
        found = look(
            context.instance,
            export,
            before.freshness if before else None,
            now,
            idle=idle is not None,
        )
        is_news = before is None or _is_news(before, found, now)
        known[name] = Told(found, now if is_news or before is None else before.at)
        if is_news:
            evaluations.append(evaluation(context.instance, export, found, now, idle))
    return dg.SensorResult(
        asset_events=evaluations,
        skip_reason=_reason(known),
        cursor=Cursor(known, first).written(),
    )


def _is_news(before: Told, found: Freshness, now: datetime) -> bool:
    was = before.freshness
    if found.verdict != was.verdict:
        return True
    if found.verdict == "idle":
        return False
    return found.reached != was.reached or (found.verdict == "late" and now - before.at >= _AGAIN)


def _idle(export: Export, stopped: Collection[str], held: Collection[str]) -> str | None:
    """Why nobody expects deliveries; None where they are expected, also of an export that has
    paused itself."""
    if schedule_name(export) in stopped:
        return "its schedule is stopped"
    return "it is paused by hand" if export.name in held else None


def _reason(known: Mapping[str, Told]) -> str:
    late = sorted(name for name, told in known.items() if told.freshness.verdict == "late")
    return f"Late: {', '.join(late)}." if late else "No export is late."


def _read(since: int, reached: int, verdict: Verdict, at: int) -> Told:
    moments = [datetime.fromtimestamp(seconds, UTC) for seconds in (since, reached, at)]
    return Told(Freshness(moments[0], moments[1], verdict), moments[2])
