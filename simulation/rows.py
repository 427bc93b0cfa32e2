"""What users do in a simulated year: the same for the same seed, and known for any day."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

_NAMES = ("$pageview", "$pageview", "$pageview", "purchase", "$identify")
_VISITORS = 20
_BURST = 250
_DAY = timedelta(days=1)

EVENT_COLUMNS = (
    "uuid", "event", "distinct_id", "person_id", "team_id", "timestamp", "created_at",
    "inserted_at", "properties", "person_properties", "elements_chain", "ip", "set", "set_once",
)  # fmt: skip
PERSON_COLUMNS = (
    "team_id", "distinct_id", "person_id", "properties", "person_distinct_id_version",
    "person_version", "created_at", "is_deleted", "inserted_at",
)  # fmt: skip


@dataclass(frozen=True)
class Day:
    """What arrives on one day, UTC: rows in the order of `EVENT_COLUMNS` and `PERSON_COLUMNS`.

    `arrived` at some time of the day, and `late` with that time as well, but are shown later.
    """

    events: list[tuple[Any, ...]]
    late: list[tuple[Any, ...]]
    persons: list[tuple[Any, ...]]


def day_of(seed: int, day: date) -> Day:
    chance = random.Random(f"{seed} {day}")
    events = [_event(chance, day) for _ in range(chance.randint(4, 9))]
    late = [_event(chance, day) for _ in range(3)]
    changed = sorted(chance.sample(range(_VISITORS), 3))
    return Day(events, late, [_person(chance, day, number) for number in changed])


def burst_of(seed: int, day: date) -> list[tuple[Any, ...]]:
    """Half a megabyte of events that do not compress."""
    chance = random.Random(f"{seed} {day} burst")
    position = EVENT_COLUMNS.index("properties")
    found = list[tuple[Any, ...]]()
    for _ in range(_BURST):
        event = _event(chance, day)
        properties = json.dumps({"noise": chance.randbytes(1000).hex()})
        found.append((*event[:position], properties, *event[position + 1 :]))
    return found


def days(first: datetime, last: datetime) -> Iterator[date]:
    """Those of which some part lies between both (UTC)."""
    day = first.date()
    while datetime.combine(day, time(), UTC) < last:
        yield day
        day += _DAY


def _event(chance: random.Random, day: date) -> tuple[Any, ...]:
    moment = _moment(chance, day)
    visitor = f"visitor-{chance.randrange(_VISITORS)}"
    name = chance.choice(_NAMES)
    properties = {
        "$ip": "192.0.2.7",
        "price": chance.randrange(10_000) / 100,
        "text": "Grüße, 世界",
    }
    return (
        str(UUID(int=chance.getrandbits(128), version=4)), name, visitor, f"p-{visitor}", 1,
        moment - timedelta(seconds=chance.randrange(60)), moment, moment, json.dumps(properties),
        "{}", "", "192.0.2.7", '{"plan": "free"}', None,
    )  # fmt: skip


def _person(chance: random.Random, day: date, number: int) -> tuple[Any, ...]:
    moment = _moment(chance, day)
    properties = {"seen": str(day), "visits": chance.randrange(1000)}
    return (
        1, f"visitor-{number}", f"p-visitor-{number}", json.dumps(properties), 1,
        day.toordinal(), datetime(2024, 1, 1, tzinfo=UTC), False, moment,
    )  # fmt: skip


def _moment(chance: random.Random, day: date) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(seconds=chance.randrange(86_400))
