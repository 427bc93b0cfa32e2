"""The sample's archives of Amplitude's, read as any are: the click-stream, and merged IDs."""

import hashlib
import zipfile
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import fs

from batch_exports.interval import DataInterval
from batch_exports.local import sample_events
from batch_exports.local.amplitude_archives import write_archives
from batch_exports.local.sample_events import END, START
from batch_exports.models import AMPLITUDE_EVENTS, AMPLITUDE_MERGED_IDS, Model
from batch_exports.models.amplitude_event_time import EVENT_TIME
from batch_exports.sources.amplitude import Archives
from batch_exports.sources.source import Selection

ALL = DataInterval(START, END)


@pytest.fixture(scope="module")
def recorded() -> pl.DataFrame:
    return sample_events.sample_events()


@pytest.fixture(scope="module")
def folder(recorded: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "amplitude"
    write_archives(recorded, folder)
    return folder


@pytest.fixture(scope="module")
def events(folder: Path) -> pa.Table:
    return read(folder, AMPLITUDE_EVENTS)


@pytest.fixture(scope="module")
def merges(folder: Path) -> pa.Table:
    return read(folder, AMPLITUDE_MERGED_IDS)


def read(folder: Path, model: Model) -> pa.Table:
    selection = Selection(model, model.columns, model.membership[0])
    source = Archives(fs.LocalFileSystem(), str(folder), shown_as="sample")
    with source.read(selection, ALL) as batches:
        table = batches.read_all()
    assert source.count(selection, ALL) == table.num_rows
    return table


def test_events_are_the_click_stream_s(events: pa.Table, recorded: pl.DataFrame) -> None:
    steps = recorded.filter(
        pl.col("properties").str.contains('"$session_id":', literal=True),
        ~pl.col("event").is_in(["$autocapture", "$identify"]),
    )
    assert events.num_rows == 31_106
    ours = pl.DataFrame({n: events[n].to_pylist() for n in ("uuid", "server_upload_time")})
    theirs = steps.select("uuid", pl.col("inserted_at").alias("server_upload_time"))
    assert ours.sort("uuid").equals(theirs.sort("uuid"))


def test_event_times_keep_the_rule_on_clocks_of_all_kinds(events: pa.Table) -> None:
    (batch,) = events.combine_chunks().to_batches()
    assert not pc.any(EVENT_TIME.broken(batch)).as_py()
    behind = pc.subtract(events["server_received_time"], events["client_upload_time"])
    minutes = [round(value.total_seconds() / 60) for value in behind.to_pylist()]
    kinds = Counter((m >= 1) - (m <= -1) for m in minutes)
    assert kinds[1] > 600  # adjusted
    assert kinds[-1] > 200
    adjusted = pc.not_equal(events["event_time"], events["client_event_time"])
    assert pc.sum(adjusted).as_py() > 600


def test_ids_merge_once_their_users_log_in(events: pa.Table, merges: pa.Table) -> None:
    devices = events.group_by("device_id").aggregate([("amplitude_id", "count_distinct")])
    assert devices.num_rows == 796
    assert pc.max(devices["amplitude_id_count_distinct"]).as_py() == 2  # before and after a login
    seen = events["amplitude_id"].unique()
    assert len(seen) == 793  # three devices were not used without a login
    assert merges.num_rows == 65
    assert pc.sum(pc.is_in(merges["amplitude_id"], value_set=seen)).as_py() == 62
    chained = pc.is_in(merges["merged_amplitude_id"], value_set=merges["amplitude_id"])
    assert pc.sum(chained).as_py() == 1


def test_files_are_named_and_packed_as_amplitude_s(folder: Path) -> None:
    """https://amplitude.com/docs/data/destination-catalog/amazon-s3"""
    names = {path.name for path in folder.iterdir()}
    assert {"187520_2026-11-01_8.zip", "-189524_2026-11-01_8.json.gz"} <= names
    with zipfile.ZipFile(folder / "187520_2026-11-02_19.zip") as archive:
        first, *others = archive.namelist()
    assert first == "187520/187520_2026-11-02_19#1.json.gz"
    assert others


def test_the_same_bytes_again(folder: Path, recorded: pl.DataFrame, tmp_path: Path) -> None:
    write_archives(recorded, tmp_path / "again")
    assert digests(tmp_path / "again") == digests(folder)


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
