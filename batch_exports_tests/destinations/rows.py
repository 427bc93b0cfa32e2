"""Rows to deliver, and the form in which what landed is compared with them."""

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from batch_exports.interval import DataInterval
from batch_exports.models import EVENTS, Projection

Row = dict[str, Any]

HOUR = DataInterval(datetime(2026, 11, 1, 10, tzinfo=UTC), datetime(2026, 11, 1, 11, tzinfo=UTC))
NEXT_HOUR = DataInterval(HOUR.end, HOUR.end + timedelta(hours=1))

PROJECTION = Projection(
    EVENTS,
    EVENTS.select((*EVENTS.default_columns["s3"], "team_id"), "s3"),
    "inserted_at",
)


def make_rows(
    numbers: Iterable[int],
    interval: DataInterval = HOUR,
    *,
    label: str = "",
    columns: Mapping[str, Sequence[Any]] | None = None,
) -> pa.Table:
    """A row for each number, in `PROJECTION`'s schema; the same number and label, the same row.

    `columns` takes the place of made-up values. Raw bytes may stand for text that is not UTF-8.
    """
    made = [_row(number, interval, label) for number in numbers]
    given = columns or {}
    return pa.Table.from_arrays(
        [
            _column(field.type, given.get(field.name, [row[field.name] for row in made]))
            for field in PROJECTION.schema
        ],
        schema=PROJECTION.schema,
    )


def stream(
    rows: pa.Table, *, batch_rows: int = 10, then: Callable[[], object] | None = None
) -> pa.RecordBatchReader:
    """The rows in batches; `then` is called when the last has been taken, and may raise or wait."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield from rows.to_batches(batch_rows)
        if then:
            then()

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def as_rows(rows: pa.Table, *, replaced: str = "") -> list[Row]:
    """Rows in the order of their keys, with JSON read: no two spellings of a value differ.

    Characters of JSON columns that the regex `replaced` finds have become U+FFFD.
    """
    json_columns = {field.name for field in rows.schema if field.type.equals(pa.json_())}
    plain = [
        {
            name: read_json(value, replaced)
            if name in json_columns and value is not None
            else value
            for name, value in row.items()
        }
        for row in rows.to_pylist()
    ]
    return in_order(plain)


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: str(row["uuid"]))


def read_json(text: str, replaced: str = "") -> Any:
    """JSON with all digits of its numbers; of a key that recurs the last value counts."""
    value = json.loads(text, parse_float=Decimal)
    return _without(re.compile(replaced), value) if replaced else value


def _without(pattern: re.Pattern[str], value: Any) -> Any:
    match value:
        case str():
            return pattern.sub("\ufffd", value)
        case list():
            return [_without(pattern, item) for item in value]
        case dict():
            return {pattern.sub("\ufffd", k): _without(pattern, v) for k, v in value.items()}
        case _:
            return value


def _row(number: int, interval: DataInterval, label: str) -> Row:
    arrival = interval.start + timedelta(microseconds=number)
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{label} {number}")),
        "event": "$pageview" if number % 3 else "signed up",
        "distinct_id": f"{label} user {number % 7}",
        "timestamp": arrival - timedelta(days=number % 5, microseconds=1),
        "properties": json.dumps({"$ip": "198.51.100.7", "number": number, "label": label}),
        "person_id": None if number % 4 == 0 else f"person {number % 7}",
        "person_properties": None if number % 4 == 0 else '{"plan": "team", "seats": 7}',
        "elements_chain": "" if number % 2 else 'a:href="/"',
        "created_at": None if number % 5 == 0 else arrival,
        "_inserted_at": arrival,
        "team_id": 2**31 - 1 - number,
    }


def _column(type_: pa.DataType, values: Sequence[Any]) -> pa.Array:
    if type_.equals(pa.json_()):
        return pa.ExtensionArray.from_storage(type_, _text(values))
    return _text(values) if pa.types.is_string(type_) else pa.array(values, type_)


def _text(values: Sequence[Any]) -> pa.Array:
    raw = [value.encode() if isinstance(value, str) else value for value in values]
    binary = pa.array(raw, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(binary), binary.buffers())
