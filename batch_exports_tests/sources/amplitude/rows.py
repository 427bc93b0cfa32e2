"""Rows as Amplitude writes them, archives of them, and selections to read them by."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from batch_exports.interval import DataInterval
from batch_exports.models import AMPLITUDE_EVENTS, AMPLITUDE_MERGED_IDS
from batch_exports.sources.source import Selection, Source

START = datetime(2026, 11, 1, tzinfo=UTC)


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


def event(minutes: float, **given: Any) -> dict[str, Any]:
    """An event that reached Amplitude's servers so many minutes after the start."""
    moment = START + timedelta(minutes=minutes)
    return {
        "$insert_id": "i",
        "$schema": 13,
        "uuid": f"{minutes:07.1f}",
        "amplitude_id": 2**53 + 1,
        "event_type": "click",
        "event_time": text(moment - timedelta(seconds=9)),
        "client_event_time": text(moment - timedelta(seconds=9)),
        "client_upload_time": text(moment - timedelta(seconds=3)),
        "server_received_time": text(moment),
        "server_upload_time": text(moment),
        "sample_rate": None,
    } | given


def lines(rows: Iterable[Mapping[str, Any] | str]) -> bytes:
    return "".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in rows).encode()


def packed(rows: Iterable[Mapping[str, Any] | str]) -> bytes:
    return gzip.compress(lines(rows), mtime=0)


def name(hour: int, part: int = 1) -> str:
    """Of a file of events of so many hours after the start."""
    moment = START + timedelta(hours=hour)
    return f"187520_{moment:%Y-%m-%d}_{moment.hour}#{part}.json.gz"


def zipped(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for member, data in members.items():
            archive.writestr(f"187520/{member}", data)
    return file.getvalue()


def events(*columns: str) -> Selection:
    chosen = AMPLITUDE_EVENTS.select(columns or ("uuid",), "s3")
    return Selection(AMPLITUDE_EVENTS, chosen, "server_upload_time")


MERGED_IDS = Selection(AMPLITUDE_MERGED_IDS, AMPLITUDE_MERGED_IDS.columns, "merge_server_time")


def minutes(start: float, end: float) -> DataInterval:
    return DataInterval(START + timedelta(minutes=start), START + timedelta(minutes=end))


def read(source: Source, selection: Selection, interval: DataInterval) -> list[dict[str, Any]]:
    """The rows, of which there must be as many as the source counts."""
    with source.read(selection, interval) as batches:
        assert batches.schema.equals(selection.schema)
        rows: list[dict[str, Any]] = pa.Table.from_batches(batches, batches.schema).to_pylist()
    assert source.count(selection, interval) == len(rows)
    return rows


def uuids(source: Source, interval: DataInterval) -> Sequence[float]:
    """The minutes by which the events of an interval are called."""
    return sorted(float(row["uuid"]) for row in read(source, events(), interval))
