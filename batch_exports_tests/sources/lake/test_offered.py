"""What a lake offers is told by the file that was written last, of which little is read."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from batch_exports.drift.source_columns import needed_columns, source_columns
from batch_exports.errors import Terminal
from batch_exports.sources.found_columns import FoundColumn
from batch_exports.sources.json_members import SAMPLE_BYTES, sample_members
from batch_exports_tests.sources.lake.lakes import event, lake, minutes, put, select

HOUR = minutes(0, 60)


def written(path: Path, second: int) -> None:
    os.utime(path, (second, second))


def test_parquet_by_the_newest_footer(tmp_path: Path) -> None:
    written(put(tmp_path, "z.parquet", [event(1)]), 1)
    written(put(tmp_path, "a.jsonl", [event(2)]), 2)
    newest = put(tmp_path, "b.parquet", [event(3)])
    written(newest, 3)
    found = source_columns(lake(tmp_path), select(), HOUR)
    assert found
    assert not found.sampled
    assert found.columns[0] == FoundColumn("uuid", "string", nullable=True)
    assert found.by_name()["inserted_at"].type == "timestamp[us, tz=UTC]"
    assert {"uuid", "inserted_at"} <= (needed_columns(lake(tmp_path), select()) or set())
    newest.write_bytes(b"no Parquet")
    with pytest.raises(Terminal, match=r"lake:/events/b\.parquet cannot be read"):
        source_columns(lake(tmp_path), select(), HOUR)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_members_of_lines(tmp_path: Path, name: str) -> None:
    put(tmp_path, name, [event(1), {"uuid": 5, "on": True, "event": None, "tags": []}])
    found = source_columns(lake(tmp_path), select(), HOUR)
    assert found
    assert found.sampled
    kinds = {column.name: column.type for column in found.columns}
    assert kinds["uuid"] == "number or string"
    assert (kinds["on"], kinds["tags"], kinds["properties"]) == ("boolean", "array", "object")
    assert kinds["event"] == "string"


def test_a_folder_without_files_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    assert source_columns(lake(tmp_path), select(), HOUR) is None


def test_no_more_than_a_sample_is_read() -> None:
    line = b'{"a": "' + b"x" * 100_000 + b'"}\n'
    stream = pa.BufferReader(line * 100)
    assert [column.name for column in sample_members(stream, "here").columns] == ["a"]
    assert stream.tell() == SAMPLE_BYTES
    (one,) = sample_members(pa.BufferReader(b'{"last": -1, "odd": "\\ud800"}'), "here").columns[:1]
    assert one == FoundColumn("last", "number")
    assert sample_members(pa.BufferReader(b'{"a": "' + b"x" * 2 * SAMPLE_BYTES), "x").columns == ()
    with pytest.raises(Terminal, match="here, line 2"):
        sample_members(pa.BufferReader(b"{}\n[1]\n"), "here")
