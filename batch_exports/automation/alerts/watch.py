"""One look at all exports: what is new since the last, and what is to be told of it."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import dagster as dg

from batch_exports.automation.alerts.alert import Alert
from batch_exports.automation.alerts.endings import Ending, newest_ending, read_endings
from batch_exports.automation.alerts.episodes import (
    Health,
    after_ending,
    after_lateness,
    after_pause,
)
from batch_exports.automation.alerts.lateness import is_delivered, newest_expected
from batch_exports.automation.alerts.outbox import Letter
from batch_exports.automation.breaker import pause_of
from batch_exports.automation.holds import schedule_name
from batch_exports.export import Export


@dataclass(frozen=True)
class Cursor:
    """What one tick tells the next: up to where endings were read, each export's health, and the
    letters that have not arrived."""

    after: int
    health: Mapping[str, Health] = field(default_factory=dict)
    letters: Sequence[Letter] = ()

    def written(self) -> str:
        told: dict[str, Any] = {
            "after": self.after,
            "health": {name: each.written() for name, each in self.health.items()},
            "letters": [letter.written() for letter in self.letters],
        }
        return json.dumps(told, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> "Cursor":
        told = json.loads(text)
        return cls(
            told["after"],
            {name: Health.read(each) for name, each in told["health"].items()},
            [Letter.read(each) for each in told["letters"]],
        )


@dataclass(frozen=True)
class Look:
    """What was found. The cursor's letters are those of before."""

    cursor: Cursor
    endings: Sequence[Ending]
    alerts: Sequence[Alert]


def look(
    instance: dg.DagsterInstance,
    exports: Mapping[str, Export],
    cursor: Cursor | None,
    now: datetime,
    stopped: Collection[str],
) -> Look:
    """`stopped` are the names of schedules that do not run: their exports are never late.

    The first look takes things as they are: runs that ended before it are not told of.
    """
    if cursor is None:
        cursor = Cursor(newest_ending(instance))
    endings, after = read_endings(instance, exports, cursor.after)
    health = {name: cursor.health.get(name) or Health(now) for name in exports}
    alerts = list[Alert]()
    for ending in endings:
        health[ending.export], news = after_ending(health[ending.export], ending)
        alerts += news
    failed = {ending.export: ending for ending in endings if ending.failed}
    for name, export in exports.items():
        before, news = health[name], list[Alert]()
        if name in failed or before.paused or name not in cursor.health:
            pause = pause_of(instance, export)
            health[name], news = after_pause(before, name, pause, failed.get(name), now)
        if any(each.kind == "paused" for each in news):  # that says it all
            alerts = [each for each in alerts if (each.export, each.kind) != (name, "failed")]
        alerts += news
        if schedule_name(export) not in stopped:
            health[name], news = _lateness(instance, export, health[name], now)
            alerts += news
    return Look(Cursor(after, health, cursor.letters), endings, _one_recovery(alerts))


def _lateness(
    instance: dg.DagsterInstance, export: Export, health: Health, now: datetime
) -> tuple[Health, list[Alert]]:
    """An export that fails is late as well, which is no news."""
    if health.late is not None:
        # A newer one is as good: what that leaves out is a gap.
        newer = newest_expected(export, now)
        wanted = {health.late, newer[0] if newer else health.late}
        if not any(is_delivered(instance, export, key) for key in wanted):
            return health, []
        return after_lateness(health, export.name, None, None, now)
    if health.fails or (health.fresh_until and now < health.fresh_until):
        return health, []
    expected = newest_expected(export, now)
    if expected is None:
        return health, []
    key, due, until = expected
    if due < health.first_seen or is_delivered(instance, export, key):
        return replace(health, fresh_until=until), []
    return after_lateness(health, export.name, key, due, now)


def _one_recovery(alerts: Sequence[Alert]) -> list[Alert]:
    """That an export delivers again is told once, whatever had kept it from that."""
    told = {alert.export: alert for alert in alerts if alert.kind == "recovered"}
    return [a for a in alerts if a.kind != "recovered" or told[a.export] is a]
