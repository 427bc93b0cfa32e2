"""The sample lake: as many events as recorded, shaped as PostHog's, the same every time."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch_exports.local import lake
from batch_exports.local.errors import LocalError
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.hostile import HOSTILE
from batch_exports.local.person_schema import PERSONS
from batch_exports.local.sample_events import END, SAMPLE, START
from batch_exports.local.session_schema import SESSIONS

RECORDED = pl.read_parquet(SAMPLE / "clickstream.parquet")
PURCHASES = pl.read_parquet(SAMPLE / "purchases.parquet")


@pytest.fixture(scope="module")
def events(laid: Path) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(path) for path in files(laid))


def files(folder: Path, model: str = "events") -> list[Path]:
    return sorted(folder.glob(f"{model}/*/*.parquet"))


@pytest.mark.parametrize(
    ("model", "schema"), [("events", EVENTS), ("persons", PERSONS), ("sessions", SESSIONS)]
)
def test_files_have_the_schema_and_prunable_row_groups(
    laid: Path, model: str, schema: pa.Schema
) -> None:
    assert len(files(laid, model)) == 9
    arrivals = pl.concat(pl.read_parquet(path)["inserted_at"] for path in files(laid, model))
    assert arrivals.is_sorted()
    assert START <= arrivals[0] <= arrivals[-1] < END
    for path in files(laid, model):
        assert pq.read_schema(path).equals(schema)
        metadata = pq.read_metadata(path)
        assert metadata.num_row_groups >= metadata.num_rows / 1000


def test_every_recorded_row_is_there_and_every_added_one_accounted_for(
    events: pl.DataFrame,
) -> None:
    clicks = RECORDED["event"].is_in(["add_to_cart", "wishlist_add"]).sum()
    logins = RECORDED.filter(
        pl.col("event").is_in(["account_page", "shipping_details", "payment_details"])
    ).select("user_id", "platform")
    counts = dict(events["event"].value_counts().iter_rows())
    assert counts["$autocapture"] == clicks
    assert counts["$identify"] == logins.unique().height
    assert counts["$feature_interaction"] == len(HOSTILE)
    added = clicks + logins.unique().height + len(HOSTILE)
    assert events.height == RECORDED.height + PURCHASES.height + added


def test_sessions_keep_their_times_of_day_order_and_gaps(events: pl.DataFrame) -> None:
    told = events.filter(~pl.col("event").is_in(["$autocapture", "$identify"])).with_columns(
        pl.col("properties").str.json_path_match("$['$session_id']").alias("session_id")
    )
    told = told.filter(pl.col("session_id").is_not_null())
    of_day = pl.col("timestamp").dt.time()
    expected = RECORDED.select("session_id", of_day).sort("session_id", "timestamp")
    assert told.select("session_id", of_day).sort("session_id", "timestamp").equals(expected)
    days = told.group_by("session_id").agg(pl.col("timestamp").dt.date().n_unique())
    assert days["timestamp"].max() == 1


def test_purchases_keep_quantity_and_sum(events: pl.DataFrame) -> None:
    told = events.filter(pl.col("distinct_id").str.starts_with("cdnow_"))["properties"]
    sums = told.map_elements(lambda text: json.loads(text)["revenue"], pl.Float64)
    quantities = told.map_elements(lambda text: json.loads(text)["quantity"], pl.Int64)
    assert sorted(sums) == sorted(PURCHASES["amount"].cast(pl.Float64))
    assert sorted(quantities) == sorted(PURCHASES["quantity"])


def test_arrival(events: pl.DataFrame) -> None:
    assert events["inserted_at"].is_sorted()
    assert START <= events["inserted_at"].min() <= events["inserted_at"].max() < END
    lag = events["inserted_at"] - events["timestamp"]
    assert 0.025 < (lag >= timedelta(hours=1)).mean() < 0.04
    assert (lag >= timedelta(days=1)).sum() == 5
    assert timedelta(0) < lag.min() < lag.max() <= timedelta(hours=30)
    assert events.filter(pl.col("created_at") < pl.col("timestamp")).is_empty()
    first_hours = events.filter(pl.col("inserted_at") < START + timedelta(hours=5))
    assert first_hours.is_empty()


def test_sessions_arrive_in_order(events: pl.DataFrame) -> None:
    session = pl.col("properties").str.json_path_match("$['$session_id']")
    told = events.with_columns(session_id=session).filter(pl.col("session_id").is_not_null())
    ordered = told.sort("session_id", "timestamp", "inserted_at")
    earlier = ordered["inserted_at"] < ordered["inserted_at"].shift()
    assert not (earlier & (ordered["session_id"] == ordered["session_id"].shift())).any()


def test_people(events: pl.DataFrame) -> None:
    assert events["uuid"].n_unique() == events.height
    persons = events.group_by("distinct_id").agg(pl.col("person_id").n_unique())
    assert persons["person_id"].max() == 1
    assert events["person_id"].n_unique() == 600 + PURCHASES["customer_id"].n_unique() + 1


def test_json_columns_are_json(events: pl.DataFrame) -> None:
    for column in ("properties", "person_properties", "set", "set_once"):
        assert all(isinstance(json.loads(text), dict) for text in events[column].drop_nulls())
    for properties, given in events.filter(pl.col("set").is_not_null()).select(
        "properties", "set"
    ).iter_rows():  # fmt: skip
        assert json.loads(properties)["$set"] == json.loads(given)
    assert set(HOSTILE.values()) <= set(events["properties"])


def test_laying_again_gives_the_same_bytes_and_a_laid_lake_stays(
    laid: Path, tmp_path: Path
) -> None:
    lake.lay_lake(tmp_path / "lake")
    assert digests(tmp_path / "lake") == digests(laid)
    before = files(laid)[0].stat().st_mtime_ns
    lake.lay_lake(laid)
    assert files(laid)[0].stat().st_mtime_ns == before


def digests(folder: Path) -> list[str]:
    paths = sorted(folder.rglob("*.parquet"))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_sample_of_another_version_is_replaced(tmp_path: Path) -> None:
    lake.start(tmp_path)
    for folder, marker, stray in (
        ("lake", "laid-by", "events/stray.parquet"),
        ("amplitude", ".laid-by", "187520_2026-11-01_1.zip"),
    ):
        (tmp_path / folder / marker).write_text("older code")
        (tmp_path / folder / stray).touch()
        assert not lake.status(tmp_path).up
        lake.start(tmp_path)
        assert lake.status(tmp_path).up
        assert not (tmp_path / folder / stray).exists()
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "amplitude"}


def test_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(LocalError, match="no sample lake"):
        lake.lay_lake(tmp_path)
    assert (tmp_path / "mine.txt").exists()
