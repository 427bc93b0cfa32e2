"""The sample's archives of Amplitude's: a zip an hour, as of its Export API, and merged IDs.

Names and forms are those of https://amplitude.com/docs/apis/analytics/export and
https://amplitude.com/docs/data/destination-catalog/amazon-s3.
"""

import gzip
import zipfile
from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow as pa

from batch_exports.local.sample_amplitude import (
    JSON_MEMBERS,
    ORGANISATION,
    PROJECT,
    sample_archived_events,
    sample_merges,
)
from batch_exports.transform.jsonlines import encode_lines

_FILE_ROWS = 500  # of events, so that busy hours have several files


def write_archives(events: pl.DataFrame, folder: Path) -> None:
    """Write the archives of the sample `events` into `folder`; the same bytes each time."""
    folder.mkdir(parents=True)
    for hour, rows in _by_hour(sample_archived_events(events)):
        with zipfile.ZipFile(folder / f"{_name(PROJECT, hour)}.zip", "w") as archive:
            for part, start in enumerate(range(0, rows.height, _FILE_ROWS), start=1):
                member = f"{PROJECT}/{_name(PROJECT, hour)}#{part}.json.gz"
                archive.writestr(zipfile.ZipInfo(member), _lines(rows[start : start + _FILE_ROWS]))
    for hour, rows in _by_hour(sample_merges(events)):
        (folder / f"{_name(-ORGANISATION, hour)}.json.gz").write_bytes(_lines(rows))


def _by_hour(rows: pl.DataFrame) -> list[tuple[datetime, pl.DataFrame]]:
    parts = rows.partition_by("hour", include_key=False, maintain_order=True, as_dict=True)
    return [(hour, part) for (hour,), part in parts.items()]


def _name(owner: int, hour: datetime) -> str:
    return f"{owner}_{hour:%Y-%m-%d}_{hour.hour}"


def _lines(rows: pl.DataFrame) -> bytes:
    columns = [_column(rows[name]) for name in rows.columns]
    batch = pa.RecordBatch.from_arrays(columns, names=rows.columns)
    return gzip.compress(encode_lines(batch).to_pybytes(), mtime=0)


def _column(values: pl.Series) -> pa.Array:
    """Text as Arrow's plain strings, and of members that are objects as JSON."""
    array = values.to_arrow()
    if values.name in JSON_MEMBERS:
        return pa.ExtensionArray.from_storage(pa.json_(), array.cast(pa.string()))
    return array.cast(pa.string()) if values.dtype == pl.String else array
