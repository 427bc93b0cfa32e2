"""What is wrong with an export, and since when: told when it begins and when it is over, not each
time that it is seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from batch_exports.automation.alerts.alert import Alert
from batch_exports.automation.alerts.endings import CheckResult, Ending
from batch_exports.automation.breaker import Pause

QUIET = timedelta(days=1)
"""How long further partitions that fail are no news."""

# Partitions that are remembered of one episode. Of more, it is over when these are well.
_MOST_PARTITIONS = 50
_DELIVERY = "delivery"
_LATENESS = "lateness"


@dataclass(frozen=True)
class Episode:
    """One thing that is wrong: since `since` with `partitions`; people were told at `told`."""

    since: datetime
    told: datetime
    partitions: tuple[str, ...]
    failures: int = 1


@dataclass(frozen=True)
class Health:
    """What is wrong with one export, first looked at `first_seen`: episodes by what they are of,
    the delivery, the lateness, or a check. `paused` is since when it is paused; `fresh_until` when
    to look again whether it is late."""

    first_seen: datetime
    episodes: Mapping[str, Episode] = field(default_factory=dict)
    paused: datetime | None = None
    fresh_until: datetime | None = None

    @property
    def fails(self) -> bool:
        return self.paused is not None or _DELIVERY in self.episodes

    @property
    def late(self) -> str | None:
        """The partition that people were told is late."""
        episode = self.episodes.get(_LATENESS)
        return episode.partitions[0] if episode else None

    def written(self) -> dict[str, Any]:
        """As JSON holds it; short, as Dagster keeps it with each tick."""
        told = {
            "first_seen": _seconds(self.first_seen),
            "paused": _seconds(self.paused),
            "fresh_until": _seconds(self.fresh_until),
            "episodes": {
                name: [_seconds(each.since), _seconds(each.told), each.failures, *each.partitions]
                for name, each in self.episodes.items()
            },
        }
        return {name: value for name, value in told.items() if value}

    @classmethod
    def read(cls, told: dict[str, Any]) -> "Health":
        episodes = {
            name: Episode(_moment(since), _moment(last), tuple(partitions), failures)
            for name, (since, last, failures, *partitions) in told.get("episodes", {}).items()
        }
        moments = {n: _moment(told[n]) for n in ("paused", "fresh_until") if n in told}
        return cls(_moment(told["first_seen"]), episodes, **moments)


def after_ending(health: Health, ending: Ending) -> tuple[Health, list[Alert]]:
    """What a run that has ended changes, and what is to be told of it."""
    alerts = list[Alert]()
    if ending.failed:
        health, news = _worse(health, _DELIVERY, ending.failed, ending.moment)
        if news:
            alerts.append(_failed(ending, health.episodes[_DELIVERY]))
    if ending.delivered:
        health, over = _better(health, _DELIVERY, ending.delivered)
        if over and health.paused is None:
            alerts.append(_over("recovered", ending, over))
    return _after_checks(health, ending, alerts)


def after_pause(
    health: Health, export: str, pause: Pause | None, ending: Ending | None, now: datetime
) -> tuple[Health, list[Alert]]:
    """Told when the export is paused, with the last `ending` that failed where one is known, and
    when it is no more. Of a pause by hand nothing is told: somebody knows."""
    if pause is not None and pause.held is None and health.paused is None:
        alert = Alert(
            str(uuid4()), "paused", export, now, run=pause.run, failures=pause.failures,
            since=pause.since, text=str(pause),
            partitions=tuple(ending.failed) if ending else (),
            failure=ending.failure if ending else None,
        )  # fmt: skip
        return replace(health, paused=pause.since), [alert]
    if pause is None and health.paused is not None:
        left = health.episodes.get(_DELIVERY)
        text = f"Partitions that failed are left: {', '.join(left.partitions)}." if left else ""
        episodes = {name: each for name, each in health.episodes.items() if name != _DELIVERY}
        alert = Alert(
            str(uuid4()), "recovered", export, now, since=health.paused,
            text=f"It is no longer paused. {text}".strip(),
        )  # fmt: skip
        return replace(health, paused=None, episodes=episodes), [alert]
    return health, []


def after_lateness(
    health: Health, export: str, late: str | None, due: datetime | None, now: datetime
) -> tuple[Health, list[Alert]]:
    """Told when the newest partition is `late`, which was due at `due`, and when it is no more."""
    if late is not None and health.late is None:
        text = f"{late} was due at {due:%Y-%m-%d %H:%M} UTC, and is not there." if due else ""
        alert = Alert(
            str(uuid4()), "late", export, now, partitions=(late,), since=due,
            text=f"{text} No run of it has failed: see its schedule, the daemon, and the queue.",
        )  # fmt: skip
        episode = Episode(due or now, now, (late,))
        return replace(health, episodes={**health.episodes, _LATENESS: episode}), [alert]
    if late is None and health.late is not None:
        health, over = _better(health, _LATENESS, [health.late])
        assert over
        alert = Alert(
            str(uuid4()), "recovered", export, now, partitions=over.partitions, since=over.since,
            text="It is late no more.",
        )  # fmt: skip
        return health, [alert]
    return health, []


def _after_checks(
    health: Health, ending: Ending, alerts: list[Alert]
) -> tuple[Health, list[Alert]]:
    by_check = dict[str, list[CheckResult]]()
    for result in ending.checks:
        by_check.setdefault(result.check, []).append(result)
    for check, results in by_check.items():
        subject = f"check {check}"
        if red := [each for each in results if each.red]:
            keys = [each.partition for each in red]
            health, news = _worse(health, subject, keys, ending.moment)
            if news:
                alerts.append(
                    Alert(
                        str(uuid4()), "check_failed", ending.export, ending.moment, tuple(keys),
                        ending.run, check, since=health.episodes[subject].since,
                        text=red[0].reason,
                    )
                )  # fmt: skip
        green = [each.partition for each in results if not each.red]
        health, over = _better(health, subject, green)
        if over:
            alerts.append(_over("check_passed", ending, over, check))
    return health, alerts


def _worse(
    health: Health, subject: str, partitions: Sequence[str], moment: datetime
) -> tuple[Health, bool]:
    """Whether that is news: the first of an episode, or of a partition that was well when people
    were told, a day ago or more."""
    old = health.episodes.get(subject)
    if old is None:
        kept = tuple(dict.fromkeys(partitions))[:_MOST_PARTITIONS]
        new = Episode(moment, moment, kept)
        return replace(health, episodes={**health.episodes, subject: new}), True
    unknown = [key for key in partitions if key not in old.partitions]
    news = bool(unknown) and moment - old.told >= QUIET
    new = Episode(
        old.since,
        moment if news else old.told,
        tuple(dict.fromkeys((*old.partitions, *unknown)))[-_MOST_PARTITIONS:],
        old.failures + 1,
    )
    return replace(health, episodes={**health.episodes, subject: new}), news


def _better(
    health: Health, subject: str, partitions: Sequence[str]
) -> tuple[Health, Episode | None]:
    """The episode, where these partitions were the last that were unwell."""
    old = health.episodes.get(subject)
    if old is None:
        return health, None
    well = {*partitions}
    left = tuple(key for key in old.partitions if key not in well)
    others = {name: each for name, each in health.episodes.items() if name != subject}
    if not left:
        return replace(health, episodes=others), old
    return replace(health, episodes={**others, subject: replace(old, partitions=left)}), None


def _failed(ending: Ending, episode: Episode) -> Alert:
    return Alert(
        str(uuid4()), "failed", ending.export, ending.moment, tuple(ending.failed), ending.run,
        failure=ending.failure, failures=episode.failures, since=episode.since,
    )  # fmt: skip


def _over(kind: Any, ending: Ending, episode: Episode, check: str | None = None) -> Alert:
    return Alert(
        str(uuid4()), kind, ending.export, ending.moment, tuple(ending.delivered), ending.run,
        check, since=episode.since,
    )  # fmt: skip


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
