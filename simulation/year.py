"""A year of a deployment, with all that goes wrong in one."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import dagster as dg

from simulation import exports
from simulation.incidents import BEGIN, Incident, incidents
from simulation.verification import differences, due_keys, states
from simulation.world import World, world

_DAY = timedelta(days=1)
# When something becomes due: days, the days of Berlin once their window without runs is over, the
# weeks of Mondays, digests. Nothing is, nor is asked for again, between.
_MIDNIGHT = timedelta(minutes=2)
_BEATS = (_MIDNIGHT, timedelta(hours=3, minutes=5))
_MONDAYS = (timedelta(hours=1, minutes=2), timedelta(hours=2, minutes=2))
_DIGESTS = timedelta(hours=6, minutes=1)
_WATCHED = timedelta(minutes=15)
# What has failed for hours is asked for again two hours later.
_AFTERWARDS = timedelta(hours=3)


@dataclass(frozen=True)
class Told:
    """What people were told of an export, and what they should have been."""

    incident: str
    export: str
    kinds: Sequence[str]
    expected: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """Of each incident the runs that began in it, by what asked for them and how they ended;
    `wrong` is all that is not as it should be."""

    incidents: Sequence[Incident]
    runs: Mapping[int, Counter[str]]
    told: Sequence[Told]
    totals: Mapping[str, int]
    wrong: Sequence[str]


def live(folder: Path, days: int, seed: int, progress: Callable[[str], None]) -> Outcome:
    """Run a new deployment in `folder` for so many days, and look at what came of it."""
    end = BEGIN + days * _DAY + timedelta(hours=12)
    with world(folder, BEGIN, seed, partial(exports.write, version=1, new_from="")) as it:
        script = incidents(days, has_disk=it.parts.has_disk)
        for moment in _moments(script, end):
            it.clock.move_to(moment)
            for incident in script:
                for step in incident.steps:
                    if step.moment == moment:
                        it.sources.grow(it.clock.now)
                        step.happen(it)
            is_quiet = moment - _MIDNIGHT != _midnight(moment) and not _touches(script, moment)
            it.work(turns=1 if is_quiet else 2)
            progress(f"{moment:%Y-%m-%d %H:%M}")
        return _outcome(it, script)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0)


def _touches(script: Sequence[Incident], moment: datetime) -> bool:
    return any(
        incident.begin <= moment <= max(step.moment for step in incident.steps) + _AFTERWARDS
        for incident in script
    )


def _moments(script: Sequence[Incident], end: datetime) -> Iterator[datetime]:
    """When to look, in order: at each beat, and as long as an incident lasts, often."""
    found = {step.moment for incident in script for step in incident.steps}
    for incident in script:
        last = max(step.moment for step in incident.steps)
        if last - incident.begin < _DAY:
            found |= set(_every(_WATCHED, incident.begin, last))
        found |= set(_every(_WATCHED, last, last + _AFTERWARDS))
    day = BEGIN
    while day < end:
        beats = (*_BEATS, _DIGESTS, *(_MONDAYS if day.weekday() == 0 else ()))
        found |= {day + beat for beat in beats}
        day += _DAY
    return iter(sorted(moment for moment in found if moment <= end))


def _every(step: timedelta, first: datetime, last: datetime) -> Iterator[datetime]:
    """On a grid that all have in common, some minutes past it."""
    moment = BEGIN + (first - BEGIN) // step * step + timedelta(minutes=5)
    while moment < last:
        if moment > first:
            yield moment
        moment += step


def _outcome(it: World, script: Sequence[Incident]) -> Outcome:
    found, now = it.exports(), it.clock.now
    due = {name: due_keys(export, now) for name, export in found.items()}
    wrong = [line for name, keys in due.items() for line in states(it, found[name], keys)]
    wrong += differences(it, found)
    records = it.instance.get_run_records()
    told = _told(it, script)
    wrong += [
        f"{each.incident}: of {each.export} was told {list(each.kinds)}, and should be "
        f"{list(each.expected)}"
        for each in told
        if list(each.kinds) != list(each.expected)
    ]
    wrong += [
        f"run {record.dagster_run.run_id} is {record.dagster_run.status.value}"
        for record in records
        if not record.dagster_run.is_finished
    ]
    runs = {number: _runs(records, incident) for number, incident in enumerate(script)}
    messages = it.messages()
    totals = {
        "partitions": sum(map(len, due.values())),
        "runs": len(records),
        "failed runs": sum(not record.dagster_run.is_success for record in records),
        "alerts": sum(message["type"] == "alert" for message in messages),
        "digests": sum(message["type"] == "digest" for message in messages),
    }
    return Outcome(script, runs, told, totals, wrong)


def _runs(records: Sequence[dg.RunRecord], incident: Incident) -> Counter[str]:
    """How many, by what asked for them and how they ended."""
    found = Counter[str]()
    for record in records:
        if record.start_time and incident.begin.timestamp() <= record.start_time <= (
            incident.end.timestamp()
        ):
            tags = record.dagster_run.tags
            asked = tags.get("batch_exports/trigger") or (
                "retry" if "dagster/parent_run_id" in tags else "schedule"
            )
            found[asked if record.dagster_run.is_success else f"{asked}, failed"] += 1
    return found


def _told(it: World, script: Sequence[Incident]) -> list[Told]:
    """What belongs to an incident is told while it lasts. All else is told without a reason."""
    alerts = [message for message in it.messages() if message["type"] == "alert"]
    found, used = list[Told](), set[str]()
    for incident in script:
        own: dict[str, list[str]] = {name: [] for name in incident.alerts}
        for alert in alerts:
            if incident.begin <= datetime.fromisoformat(alert["moment"]) <= incident.end:
                own.setdefault(alert["export"], []).append(alert["kind"])
                used.add(alert["id"])
        found += [
            Told(incident.name, name, kinds, incident.alerts.get(name, ()))
            for name, kinds in own.items()
        ]
    return found + [
        Told(f"nothing, at {alert['moment']}", alert["export"], [alert["kind"]], [])
        for alert in alerts
        if alert["id"] not in used
    ]
