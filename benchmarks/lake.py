"""The rows that all contenders move: made-up events and persons, the same for each number."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from batch_exports.local.generator import ROW_GROUP_ROWS, write_lake
from batch_exports.local.person_generator import generate_persons

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
NOON = START + timedelta(hours=12)
_FILES = 4


def lay_lake(folder: Path, rows: int) -> Path:
    """Events that arrive on one day, and half as many persons in either half of it.

    Every other person of the afternoon is a newer version of one of the morning. Among the events
    there is nothing that any contender refuses. A lake that is there stays.
    """
    lake = folder / f"lake-{rows}"
    if lake.exists():
        return lake
    draft = folder / f"draft-{rows}"
    shutil.rmtree(draft, ignore_errors=True)
    write_lake(
        draft,
        rows,
        start=START,
        end=END,
        files=min(_FILES, -(-rows // ROW_GROUP_ROWS)),
        hostile_share=0,
    )
    (draft / "persons").mkdir()
    count = rows // 2
    for name, persons in {
        "1-morning": generate_persons(count, start=START, end=NOON),
        "2-afternoon": generate_persons(count, start=NOON, end=END, first=count // 2, version=1),
    }.items():
        with pq.ParquetWriter(draft / f"persons/{name}.parquet", persons.schema) as writer:
            for batch in persons:
                writer.write_batch(batch)
    draft.rename(lake)
    return lake
