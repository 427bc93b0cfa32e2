"""How many rows a simulated deployment has, and how long it would take to deliver them."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from simulation.size import BEGIN, Size

SIZE = Size(exports=2, interval="every 5 minutes", rows_a_day=1e10, shards=1, workers=2, seed=1)


@pytest.mark.parametrize("interval", ["every 5 minutes", "hour", "day"])
def test_a_day_has_all_its_rows(interval: str) -> None:
    size = replace(SIZE, interval=interval)
    count = timedelta(days=1) // size.length
    rows = sum(size.rows(BEGIN + number * size.length) for number in range(count))
    assert rows * size.exports == pytest.approx(size.rows_a_day)


def test_shards_divide_what_is_not_read_or_checked() -> None:
    took = [replace(SIZE, shards=shards).run_seconds("a", BEGIN) for shards in (1, 2, 4, 8, 16)]
    assert took == sorted(took, reverse=True)
    saved = [before - after for before, after in pairwise(took[1:])]
    assert saved == sorted(saved, reverse=True)
