"""A lake tried step by step: its files are found, and have what the export needs."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batch_exports.local.seaweedfs import Keys, Server
from batch_exports.probe import Finding, probe
from batch_exports.sources.lake import Lake
from batch_exports.sources.lake.probe import STEPS, Attempt
from batch_exports.sources.source import Selection
from batch_exports.transform.filters import PropertyFilter, RowFilter
from batch_exports_tests.sources.lake.lakes import event, lake, put, select, table
from batch_exports_tests.sources.lake.test_lake import s3_files

COLUMNS = select("uuid", "event", "properties", "_inserted_at")


def tried(source: Lake, selection: Selection = COLUMNS) -> dict[str, Finding]:
    attempt = Attempt(lambda: source, selection)
    return {result.step: result.finding for result in probe(STEPS, attempt)}


@pytest.mark.parametrize("name", ["b.parquet", "b.jsonl", "b.jsonl.gz", "b.jsonl.zst"])
def test_the_last_file_is_read(tmp_path: Path, name: str) -> None:
    put(tmp_path, "a.parquet", [event(0)])
    put(tmp_path, name, [event(number) for number in range(10)])
    assert tried(lake(tmp_path)) == {
        "files": Finding("passed", "2 files of events"),
        "columns": Finding("passed", f"lake:/events/{name}: it has the columns"),
    }


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_no_row_may_be_exported(tmp_path: Path, name: str) -> None:
    put(tmp_path, name, [event(number) for number in range(10)])
    plan = PropertyFilter("plan", "person", "exact", "none such")
    for filters in (RowFilter(("none such",)), RowFilter(properties=(plan,))):
        found = tried(lake(tmp_path), select(filters=filters))["columns"]
        assert found.verdict == "passed"
        assert found.text.endswith("it has the columns, and no row that is exported")


def test_no_folder_of_the_model(tmp_path: Path) -> None:
    found = tried(lake(tmp_path))
    assert found["files"].verdict == "failed"
    assert found["files"].text == "The lake lake: has no folder 'events'."
    assert found["columns"].verdict == "skipped"


def test_no_file(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    found = tried(lake(tmp_path))
    assert found["files"].verdict == "warning"
    assert found["columns"] == Finding("skipped", "there is no file")


@pytest.mark.parametrize("column", ["properties", "inserted_at"])
def test_a_parquet_file_without_a_column(tmp_path: Path, column: str) -> None:
    path = put(tmp_path, "a.parquet", [event(0)])
    pq.write_table(table([event(0)]).drop_columns([column]), path)
    found = tried(lake(tmp_path))["columns"]
    assert found.verdict == "failed"
    assert f"lake:/events/a.parquet has no column {column!r}" in found.text
    assert "Add the column" in found.remedy


def test_lines_without_a_member(tmp_path: Path) -> None:
    rows = [event(number) for number in range(10)]
    for row in rows:
        del row["properties"]
    put(tmp_path, "a.jsonl", rows)
    found = tried(lake(tmp_path), select("uuid", "properties", "ip", "elements"))["columns"]
    assert found.verdict == "warning"
    assert found.text == "lake:/events/a.jsonl: none of the first 10 rows has properties."
    assert "NULL" in found.remedy


def test_a_file_that_is_broken(tmp_path: Path) -> None:
    put(tmp_path, "a.parquet", [event(0)]).write_bytes(b"PAR1")
    assert "lake:/events/a.parquet cannot be read" in tried(lake(tmp_path))["columns"].text


def test_keys_that_may_not_read(s3_server: Server, bucket: str) -> None:
    stranger = Keys("ASTRANGERASTRANGERAB", "a-secret")
    source = Lake(s3_files(s3_server, stranger), f"{bucket}/lake", shown_as=f"s3://{bucket}/lake")
    found = tried(source)["files"]
    assert found.verdict == "failed"
    assert found.remedy == "Check the connection's keys."
    assert stranger.secret_access_key not in str(found)
