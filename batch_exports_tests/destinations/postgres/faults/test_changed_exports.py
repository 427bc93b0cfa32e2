"""An export's definition changed between two runs: its columns, its rhythm, its write mode."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports_tests.destinations.postgres.faults.trial import Trial
from batch_exports_tests.destinations.postgres.faults.ways import (
    FIRST,
    KEY,
    KEYED,
    MERGE,
    RANGE,
    Way,
    held,
)
from batch_exports_tests.destinations.rows import HOUR, NEXT_HOUR, PROJECTION, stream

TryOut = Callable[[Way], Trial]
MIDNIGHT = HOUR.start.replace(hour=0)
DAY = DataInterval(MIDNIGHT, MIDNIGHT + timedelta(days=1))


def change_columns(trial: Trial, projection: Projection) -> None:
    trial.way = replace(trial.way, projection=projection)
    trial.latest = trial.way.rows(range(20, 80), lambda _: 3)
    beside = range(50, 90) if trial.way.rerun else range(1000, 1040)
    trial.neighbour = trial.way.rows(beside, lambda n: 2 if n % 2 else 4, NEXT_HOUR)


@pytest.mark.parametrize("way", [FIRST, KEY, KEY.with_connections(2)], ids=str)
def test_a_column_that_tells_the_interval_is_added(try_out: TryOut, way: Way) -> None:
    """Rows that came before it have NULL there. The check misses them; a new run replaces them."""
    trial = try_out(way)
    trial.deliver("run-earlier")
    change_columns(trial, PROJECTION)
    trial.execute("ALTER TABLE {table} ADD COLUMN _inserted_at timestamptz")
    assert trial.problems(HOUR, trial.latest) != ()
    trial.deliver()
    trial.deliver_neighbour()
    trial.assert_delivered()


def test_a_column_that_tells_the_interval_is_left_out_for_a_while(try_out: TryOut) -> None:
    trial = try_out(RANGE)
    for projection, run_id in ((KEYED, "run-without"), (PROJECTION, "run-with")):
        change_columns(trial, projection)
        trial.deliver(run_id)
        trial.deliver_neighbour()
        trial.assert_delivered(run_id)


@pytest.mark.parametrize("way", [RANGE, KEY], ids=str)
def test_a_column_that_is_not_exported_any_more(try_out: TryOut, way: Way) -> None:
    """It stays, and has NULL where rows were delivered since."""
    trial = try_out(way)
    kept = tuple(column for column in way.projection.columns if column.name != "person_id")
    change_columns(trial, replace(way.projection, columns=kept))
    trial.deliver()
    trial.assert_delivered()
    query = "SELECT count(person_id) FROM {table} WHERE event = 'version 3'"
    assert trial.execute(query) == [{"count": 0}]


@pytest.mark.parametrize("on_missing_column", ["ignore", "fail", "add"])
def test_a_column_that_the_table_lacks(try_out: TryOut, on_missing_column: str) -> None:
    trial = try_out(RANGE)
    trial.execute("ALTER TABLE {table} DROP COLUMN person_id")
    trial.adapter = trial.adapter.having(on_missing_column=on_missing_column)
    with (
        pytest.raises(Terminal, match=r"has no column 'person_id'.*Add it")
        if on_missing_column == "fail"
        else nullcontext()
    ):
        trial.deliver()
    if on_missing_column == "add":
        trial.deliver_neighbour()
        trial.assert_delivered()
        return
    delivered = on_missing_column == "ignore"
    query = "SELECT count(*) FROM {table} WHERE event = 'version 3'"
    assert trial.execute(query) == [{"count": len(held(trial.latest)) if delivered else 0}]
    warnings = trial.destination().columns(HOUR, PROJECTION.schema).warnings
    assert any("'person_id' is left out" in warning for warning in warnings) == delivered


@pytest.mark.parametrize("way", [RANGE, KEY, MERGE, KEY.with_connections(2)], ids=str)
def test_hours_become_a_day_and_hours_again(try_out: TryOut, way: Way) -> None:
    trial = try_out(way)
    day = pa.concat_tables([trial.latest, trial.neighbour])
    for _ in range(2):
        trial.destination().write(stream(day), DAY, "run-day")
        assert trial.state()["rows"] == trial.expected()
        assert [entry["run_id"] for entry in trial.state()["ledger"]] == ["run-day"]
        assert trial.problems(DAY, day) == ()
        with pytest.raises(Terminal, match="has no entry of it"):
            trial.problems(HOUR, trial.latest)
        trial.deliver()
        trial.deliver_neighbour()
        assert trial.state()["rows"] == trial.expected()
        assert trial.problems(HOUR, trial.latest) == ()
        assert trial.problems(NEXT_HOUR, trial.neighbour) == ()


def test_rows_that_were_appended_are_replaced(try_out: TryOut) -> None:
    """However often they were, and though the ledger tells of the last time alone."""
    trial = try_out(replace(FIRST, mode="append"))
    trial.deliver("run-1")
    trial.deliver("run-2")
    assert trial.problems(HOUR, trial.latest) == ()
    trial.way = FIRST
    trial.deliver()
    trial.assert_delivered()
