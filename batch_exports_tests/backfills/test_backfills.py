"""Backfills as Dagster's daemon works them off: order, ranges, tags, progress, cancel, resume."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import instance_for_test

from batch_exports.backfills import dagster_backfill
from batch_exports.backfills.choice import choose, in_runs
from batch_exports.backfills.progress import progress
from batch_exports.backfills.proposal import Way, propose
from batch_exports.backfills.resumption import propose_again
from batch_exports.checks import CHECKS
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export
from batch_exports.local.seaweedfs import Server
from batch_exports.lookup import Found, find_export
from batch_exports_tests.backfills.daemon import AT_ONCE, QUEUED, daemon
from batch_exports_tests.deployment import Deployment, check_key

NOW = datetime(2026, 11, 1, 6, 5, tzinfo=UTC)
HOURS = [f"2026-11-01-{hour:02}:00" for hour in range(6)]


@pytest.fixture
def make(
    tmp_path: Path, s3_server: Server, bucket: str, monkeypatch: pytest.MonkeyPatch, request: Any
) -> Iterator[Deployment]:
    """Six hours with as many events as their number tells, on an instance of its own."""
    with instance_for_test(overrides=request.param) as instance:
        made = Deployment(tmp_path, s3_server, bucket, instance, monkeypatch)
        events = [{"hour": hour + 0.1} for hour in range(6) for _ in range(hour)]
        made.put_events("a", *events)
        made.define()
        yield made


def proposed(deployment: Deployment, keys: list[str], way: Way, **options: Any) -> Any:
    found = find_export("events_archive")
    given = {"only_missing": True, "now": NOW, **options}
    return propose(deployment.instance, found, keys, way, **given)


def runs(deployment: Deployment) -> list[dg.DagsterRun]:
    """In the order in which they came."""
    return list(deployment.instance.get_runs())[::-1]


@pytest.mark.parametrize("make", [AT_ONCE], indirect=True)
def test_a_backfill_is_done_in_its_order_with_ranges_in_one_run(make: Deployment) -> None:
    first = proposed(make, [HOURS[5], *HOURS[1:4]], Way())
    assert "unknown yet" in first.text
    asked = proposed(make, [*HOURS[1:4], HOURS[5]], Way(newest_first=True, single_run=True))
    assert asked.runs == [[HOURS[5]], HOURS[1:4]]
    backfill = asked.launch(make.instance)
    with daemon(make.instance) as dagster:
        dagster.look()
        dagster.look()
    alone, ranged = runs(make)
    assert alone.tags["dagster/partition"] == HOURS[5]
    assert ranged.tags["dagster/asset_partition_range_start"] == HOURS[1]
    for run in (alone, ranged):
        assert run.tags["dagster/priority"] == "-10"
        assert run.tags["batch_exports/backfill"] == "events_archive"
    for key, rows in zip([*HOURS[1:4], HOURS[5]], (1, 2, 3, 5), strict=True):
        assert make.metadata(key)["dagster/partition_row_count"] == rows
        assert verdicts(make, key) == dict.fromkeys(CHECKS, True)
    done = progress(make.instance, backfill, NOW)
    assert (done.state, done.done, done.failed, done.rows) == ("completed", 4, 0, 11)
    assert done.has_succeeded
    told = proposed(make, HOURS, Way(), only_missing=False)
    assert told.choice.again == 4
    assert told.estimate.rows.number == 15
    assert told.estimate.files == 6
    assert told.estimate.bytes
    assert told.estimate.minutes


def verdicts(deployment: Deployment, key: str) -> dict[str, bool]:
    """Of the checks of a partition, as Dagster keeps them."""
    storage = deployment.instance.event_log_storage
    found = {}
    for name in CHECKS:
        for record in storage.get_asset_check_execution_history(check_key(name), limit=20):
            event = record.event.dagster_event if record.event else None
            if event and event.event_type_value == "ASSET_CHECK_EVALUATION":
                evaluation = event.asset_check_evaluation_data
                found |= {name: evaluation.passed} if evaluation.partition == key else {}
    return found


@pytest.mark.parametrize("make", [QUEUED], indirect=True)
def test_cancelled_and_resumed(make: Deployment) -> None:
    make.run(HOURS[2])
    asked = proposed(make, HOURS, Way(newest_first=True))
    assert asked.choice.delivered == 1
    assert [run[0] for run in asked.runs] == [HOURS[n] for n in (5, 4, 3, 1, 0)]
    backfill = asked.launch(make.instance)
    assert "backfill" in proposed(make, HOURS, Way()).choice.left_out[HOURS[0]]
    with daemon(make.instance) as dagster:
        dagster.look()
        queued = runs(make)[1:]
        assert [run.tags["dagster/partition"] for run in queued] == [
            HOURS[n] for n in (5, 4, 3, 1, 0)
        ]
        assert {run.status for run in queued} == {dg.DagsterRunStatus.QUEUED}
        again = proposed(make, HOURS, Way(), only_missing=False)
        assert again.choice.keys == [HOURS[2]]
        assert set(again.choice.left_out.values()) == {f"run {run.run_id[:8]}" for run in queued}
        dagster.start(queued[0])
        with pytest.raises(ConfigurationError, match="is under way"):
            propose_again(make.instance, backfill, NOW)
        under_way = progress(make.instance, backfill, datetime.now(UTC))
        assert (under_way.done, under_way.left, under_way.rows) == (1, 4, 5)
        assert under_way.minutes_left
        dagster_backfill.cancel(make.instance, dagster_backfill.find(make.instance, backfill))
        dagster.look()
        dagster.look()
    ended = progress(make.instance, backfill, NOW)
    assert (ended.state, ended.done, ended.left) == ("cancelled", 1, 4)
    assert not ended.has_succeeded
    resumed = propose_again(make.instance, backfill, NOW)
    assert [run[0] for run in resumed.runs] == [HOURS[n] for n in (4, 3, 1, 0)]
    second = dagster_backfill.find(make.instance, resumed.launch(make.instance, resumes=backfill))
    assert second.tags["batch_exports/resumes"] == backfill


def test_what_is_not_due_is_left_out(deployment: Deployment) -> None:
    deployment.define("delay_seconds: 600")
    found: Found = find_export("events_archive")
    export: Export = found.export
    now = datetime(2026, 11, 1, 5, 5, tzinfo=UTC)
    choice = choose(deployment.instance, export, HOURS[:5], only_missing=True, now=now)
    assert choice.keys == HOURS[:4]
    assert choice.left_out == {HOURS[4]: "not due before 2026-11-01T05:10:00Z"}
    assert in_runs(export.partitions, [HOURS[0], *HOURS[2:5]], 2) == [
        [HOURS[0]],
        HOURS[2:4],
        [HOURS[4]],
    ]
