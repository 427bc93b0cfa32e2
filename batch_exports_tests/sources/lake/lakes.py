"""Small lakes to read: events as rows, files in every form, and selections of them."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from batch_exports.interval import DataInterval
from batch_exports.models import EVENTS
from batch_exports.sources.lake import Lake
from batch_exports.sources.source import Selection
from batch_exports.transform.filters import RowFilter

START = datetime(2026, 11, 1, tzinfo=UTC)
TIME = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [
        ("uuid", pa.string()),
        ("event", pa.string()),
        ("distinct_id", pa.string()),
        ("timestamp", TIME),
        ("properties", pa.string()),
        ("person_properties", pa.string()),
        ("inserted_at", TIME),
        ("team_id", pa.int64()),
    ]
)
CODECS = {".jsonl": None, ".jsonl.gz": "gzip", ".jsonl.zst": "zstd"}


def event(number: int, **given: Any) -> dict[str, Any]:
    """An event that arrives `number` minutes after the start, and happened 90 before that."""
    return {
        "uuid": f"{number:04}",
        "event": ["$pageview", "click", "signed up", None][number % 4],
        "distinct_id": f"user {number % 7}",
        "timestamp": START + timedelta(minutes=number - 90),
        "properties": f'{{"n":{number},"spelled":1.10,"$ip":"::{number % 9}","text":"é\\n\\"😀"}}',
        "person_properties": f'{{"plan":"{["pro", "free"][number % 2]}"}}' if number % 3 else None,
        "inserted_at": START + timedelta(minutes=number),
        "team_id": 2**53 + number,
    } | given


def table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """JSON lines, with JSON columns as JSON and not as quoted text."""
    return "".join(line(row) + "\n" for row in rows).encode()


def line(row: dict[str, Any]) -> str:
    def shown(name: str, value: Any) -> str:
        if name.endswith("properties") and value is not None:
            return str(value)
        return json.dumps(value.isoformat() if isinstance(value, datetime) else value)

    members = (f"{json.dumps(name)}: {shown(name, value)}" for name, value in row.items())
    return "{" + ", ".join(members) + "}"


def put(root: Path, name: str, rows: Sequence[dict[str, Any]], **settings: Any) -> Path:
    """Write rows under `root`/events in the form that the name's ending asks for."""
    path = root / "events" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".parquet"):
        pq.write_table(table(rows), path, **settings)
    else:
        codec = next(codec for ending, codec in reversed(CODECS.items()) if name.endswith(ending))
        path.write_bytes(pa.compress(lines(rows), codec, asbytes=True) if codec else lines(rows))
    return path


def lake(root: Path) -> Lake:
    return Lake(fs.LocalFileSystem(), str(root), shown_as="lake:")


def select(
    *columns: str, membership: str = "inserted_at", filters: RowFilter | None = None
) -> Selection:
    chosen = EVENTS.select(columns or ("uuid",), "s3")
    return Selection(EVENTS, chosen, membership, filters or RowFilter())


def minutes(start: float, end: float) -> DataInterval:
    return DataInterval(START + timedelta(minutes=start), START + timedelta(minutes=end))


def read(source: Lake, selection: Selection, interval: DataInterval) -> list[dict[str, Any]]:
    with source.read(selection, interval) as batches:
        assert batches.schema.equals(selection.schema)
        rows: list[dict[str, Any]] = batches.read_all().to_pylist()
    assert source.count(selection, interval) == len(rows)
    return rows


def uuids(source: Lake, selection: Selection, interval: DataInterval) -> list[str]:
    return sorted(row["uuid"] for row in read(source, selection, interval))
