"""Events as every source must give them, and intervals to read them by."""

import json
import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from batch_exports.interval import DataInterval
from batch_exports.models import EVENTS, Model
from batch_exports.sources.source import Selection
from batch_exports.transform.filters import RowFilter

START = datetime(2026, 11, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
_BERLIN = ZoneInfo("Europe/Berlin")
NAMES = ("$pageview", "click", "Click", "click ", "signed up é")


def event(number: int, **given: Any) -> dict[str, Any]:
    """An event by the source's names, that arrives `number` minutes after the start."""
    return {
        "uuid": str(uuid.UUID(int=number)),
        "event": NAMES[number % len(NAMES)],
        "distinct_id": f"user {number % 7}",
        "timestamp": START + timedelta(minutes=number - 90),
        "properties": json.dumps(
            {"n": number, "$ip": f"::{number % 9}", "$set": {"plan": "pro"}, "text": "é\n\"'\\😀"}
        ),
        "person_id": str(uuid.UUID(int=2**64 + number)),
        "person_properties": json.dumps({"plan": ("pro", "free")[number % 2]}),
        "elements_chain": "",
        "created_at": START + timedelta(minutes=number, microseconds=1),
        "inserted_at": START + timedelta(minutes=number),
        "team_id": 1,
    } | given


def table(model: Model, rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows by the source's names, in the model's types, JSON as text. Optional columns that no row
    has are left out."""
    rows = list(rows)
    given = {name for row in rows for name in row}
    fields = [
        pa.field(c.source_name, pa.string() if c.is_json else c.type)
        for c in model.columns
        if c.source_name in given
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


@cache
def large(rows: int) -> pa.Table:
    """Events of about 3,000 bytes each that hardly compress, all within the first hour."""
    chance = random.Random(1)
    return table(
        EVENTS,
        (
            event(
                number,
                inserted_at=START + TICK * number,
                properties=json.dumps({"noise": chance.randbytes(1400).hex()}),
            )
            for number in range(rows)
        ),
    )


def select(
    *columns: str, membership: str = "inserted_at", filters: RowFilter | None = None
) -> Selection:
    chosen = EVENTS.select(columns or ("uuid",), "s3")
    return Selection(EVENTS, chosen, membership, filters or RowFilter())


def minutes(start: float, end: float) -> DataInterval:
    return DataInterval(START + timedelta(minutes=start), START + timedelta(minutes=end))


HOUR = minutes(0, 60)


def moments(interval: DataInterval, rows: int) -> list[datetime]:
    """So many times within an interval, from its start to the last microsecond."""
    span = interval.end - interval.start - TICK
    return [interval.start + span * number / max(rows - 1, 1) for number in range(rows)]


Lay = Callable[[Model, pa.Table], None]


def lay_events(lay: Lay, rows: Mapping[DataInterval, int]) -> Selection:
    """Lay so many events in each of the intervals. A selection of all their columns."""
    times = [moment for interval, number in rows.items() for moment in moments(interval, number)]
    events = (event(number, inserted_at=moment) for number, moment in enumerate(times))
    lay(EVENTS, table(EVENTS, events))
    return select(*(column.name for column in EVENTS.columns))


def lay_large(lay: Lay, rows: int) -> Selection:
    """Lay so many `large` events. A selection of what makes them large."""
    lay(EVENTS, large(rows))
    return select("uuid", "properties")


def day(year: int, month: int, number: int) -> DataInterval:
    """A day of Berlin's, which summer time makes of 23, 24 or 25 hours."""
    midnight = datetime(year, month, number, tzinfo=_BERLIN)
    return DataInterval.of(midnight, midnight + timedelta(days=1))
