"""What a backfill will take, by what the source and past deliveries tell."""

from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import instance_for_test

from batch_exports.backfills.estimate import Rows, count_rows, estimate
from batch_exports.backfills.history import History
from batch_exports.errors import Transient
from batch_exports.interval import DataInterval
from batch_exports.lookup import find_export
from batch_exports.sources.description import Description
from batch_exports_tests.deployment import Deployment

PAST = History(deliveries=4, rows=400, bytes=8_000, files=8, seconds=20, runs=4, other_seconds=40)
DAY = [f"2026-11-0{day}-{hour:02}:00" for day in range(1, 6) for hour in range(24)]


@dataclass
class OneByOne:
    """A source that counts one interval at a time: as many rows as its hour tells."""

    uncounted: str | None = None
    fails: bool = False
    asked: list[DataInterval] = field(default_factory=list)

    def describe(self, selection: Any, interval: DataInterval) -> Description:
        return Description("somewhere", uncounted=self.uncounted)

    def count(self, selection: Any, interval: DataInterval) -> int:
        if self.fails:
            raise Transient("It is away.", remedy="Wait.")
        self.asked.append(interval)
        return 10


@pytest.mark.parametrize(
    ("source", "keys", "past", "expected", "asked"),
    [
        (OneByOne(), DAY[:20], PAST, Rows(200, "counted at the source"), 20),
        (OneByOne(), DAY, PAST, Rows(1200, "counted in 24 of the 120 partitions"), 24),
        (OneByOne("too dear"), DAY[:8], PAST,
         Rows(800, "as in the last 4 deliveries: too dear"), 0),
        (OneByOne("too dear"), DAY[:8], History(), Rows(None, "too dear"), 0),
        (OneByOne(fails=True), DAY[:8], History(), Rows(None, "It is away."), 0),
        (OneByOne(), [], PAST, Rows(0, "nothing is to be delivered"), 0),
    ],
)  # fmt: skip
def test_rows(
    deployment: Deployment,
    source: Any,
    keys: list[str],
    past: History,
    expected: Rows,
    asked: int,
) -> None:
    deployment.define()
    export = find_export("events_archive").export
    assert count_rows(export, source, keys, past) == expected
    assert len(source.asked) == asked


CONCURRENCY: dict[str, Any] = {
    "concurrency": {
        "runs": {
            "max_concurrent_runs": 4,
            "tag_concurrency_limits": [{"key": "dagster/backfill", "limit": 3}],
        }
    }
}


def test_bytes_files_and_minutes() -> None:
    with instance_for_test(overrides=CONCURRENCY) as instance:
        taken = estimate(Rows(1200, ""), PAST, partitions=6, runs=6, instance=instance)
        assert (taken.bytes, taken.files, taken.at_once) == (24_000, 12, 3)
        # Rows take 60 s, and each of the six runs 10 s beside, three at a time.
        assert taken.minutes == pytest.approx((60 + 60) / 3 / 60)
        alone = estimate(Rows(1200, ""), PAST, partitions=6, runs=1, instance=instance)
        assert alone.minutes == pytest.approx((60 + 10) / 60)
        assert alone.at_once == 1
        unknown = estimate(Rows(5, ""), History(), partitions=6, runs=6, instance=instance)
        assert (unknown.bytes, unknown.files, unknown.minutes) == (None, None, None)
        unknown = estimate(Rows(None, ""), PAST, partitions=2, runs=2, instance=instance)
        assert unknown.bytes == 4_000


def test_an_instance_without_a_queue_has_no_limits() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert estimate(Rows(1, ""), PAST, partitions=2, runs=2, instance=instance).at_once == 1
