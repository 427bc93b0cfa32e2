"""Made-up persons: unique, repeatable, of the promised size, and newer versions of them."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest

from batch_exports.local.person_generator import generate_persons
from batch_exports.local.person_schema import PERSONS

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(hours=6)


def generated(rows: int, *, seed: int = 0, first: int = 0, version: int = 0) -> pl.DataFrame:
    table = generate_persons(
        rows, start=START, end=END, seed=seed, first=first, version=version, batch_rows=3_000
    ).read_all()
    assert table.schema.equals(PERSONS)
    return pl.DataFrame(table)


def test_persons_are_unique_ordered_and_within_the_window() -> None:
    persons = generated(10_000)
    for column in ("distinct_id", "person_id", "properties"):
        assert persons[column].n_unique() == 10_000
    assert persons["inserted_at"].is_sorted()
    assert START <= persons["inserted_at"][0] <= persons["inserted_at"][-1] < END
    assert set(persons["is_deleted"]) == {False}
    assert persons.null_count().row(0) == (0,) * persons.width


def test_properties_are_json_of_half_a_kilobyte() -> None:
    persons = generated(2_000)
    assert 400 < persons["properties"].str.len_bytes().mean() < 600  # type: ignore[operator]
    assert all(isinstance(json.loads(text), dict) for text in persons["properties"])


def test_same_arguments_give_same_persons_and_other_seeds_others() -> None:
    assert generated(4_000).equals(generated(4_000))
    ids = [set(generated(4_000, seed=seed)["distinct_id"]) for seed in (1, 2)]
    assert not ids[0] & ids[1]


@pytest.mark.parametrize(("first", "rows"), [(2_000, 4_000), (1, 3_999), (9_999, 2), (12_345, 100)])
def test_newer_versions_of_a_share_of_them(first: int, rows: int) -> None:
    older, newer = generated(4_000), generated(rows, first=first, version=1)
    both = older.join(newer, on=["team_id", "distinct_id"], suffix="_newer")
    assert both.height == max(0, min(4_000, first + rows) - first)
    assert (both["person_id"] == both["person_id_newer"]).all()
    assert (both["created_at"] == both["created_at_newer"]).all()
    assert (both["properties"] != both["properties_newer"]).all()
    assert set(older["person_version"]) == {0}
    assert set(newer["person_version"]) == {1}


def test_it_streams() -> None:
    reader = generate_persons(10**9, start=START, end=START + timedelta(days=1), batch_rows=10)
    first: pa.RecordBatch = next(iter(reader))
    assert first.num_rows == 10


def test_none_and_too_many() -> None:
    assert generated(0).height == 0
    with pytest.raises(ValueError, match="later end"):
        generate_persons(11, start=START, end=START + timedelta(microseconds=10))
