"""Made-up events: ordered, unique, repeatable, of the promised size."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch_exports.local.event_schema import EVENTS
from batch_exports.local.generator import generate_events, write_lake
from batch_exports.local.hostile import HOSTILE

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(hours=6)


def generated(rows: int, seed: int = 0, hostile_share: float = 0.01) -> pa.Table:
    return generate_events(
        rows, start=START, end=END, seed=seed, batch_rows=3_000, hostile_share=hostile_share
    ).read_all()


def test_events_are_unique_ordered_and_within_the_window() -> None:
    table = generated(10_000)
    events = pl.DataFrame(table)
    assert table.schema.equals(EVENTS)
    assert events.height == events["uuid"].n_unique() == 10_000
    assert events["inserted_at"].is_sorted()
    assert START <= events["inserted_at"].min() <= events["inserted_at"].max() < END
    assert events.filter(pl.col("timestamp") >= pl.col("inserted_at")).is_empty()
    by_hour = events["inserted_at"].dt.hour().value_counts()["count"]
    assert by_hour.max() - by_hour.min() <= 2


def test_same_arguments_give_same_events_and_other_seeds_others() -> None:
    assert generated(4_000).equals(generated(4_000))
    ids = [set(generated(4_000, seed)["uuid"].to_pylist()) for seed in (1, 2)]
    assert not ids[0] & ids[1]


def test_json_size_nulls_and_hostile_share() -> None:
    events = pl.DataFrame(generated(10_000))
    for column in ("properties", "person_properties", "set", "set_once"):
        assert all(json.loads(text) for text in events[column].drop_nulls())
    hostile = events["properties"].is_in(list(HOSTILE.values()))
    assert 0.005 < hostile.mean() < 0.02
    assert 500 < events.filter(~hostile)["properties"].str.len_bytes().mean() < 1_000
    assert 0 < events["ip"].null_count() < 1_000
    assert (events["set"].is_not_null() == (events["event"] == "$identify")).all()
    none = pl.DataFrame(generated(10_000, hostile_share=0))
    assert not none["properties"].is_in(list(HOSTILE.values())).any()


def test_none_and_too_many() -> None:
    assert generated(0).num_rows == 0
    with pytest.raises(ValueError, match="later end"):
        generate_events(11, start=START, end=START + timedelta(microseconds=10))


def test_lake_in_files_and_row_groups(tmp_path: Path) -> None:
    write_lake(tmp_path, 130_000, start=START, end=END, files=2)
    metadata = [pq.read_metadata(path) for path in sorted(tmp_path.glob("events/*.parquet"))]
    groups = [[m.row_group(n).num_rows for n in range(m.num_row_groups)] for m in metadata]
    assert groups == [[60_000], [60_000, 10_000]]
    events = pl.read_parquet(tmp_path / "events")
    assert events["inserted_at"].is_sorted()
    assert events["uuid"].n_unique() == 130_000
