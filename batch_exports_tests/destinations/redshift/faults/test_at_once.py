"""Several runs at once: of one interval, and of intervals that overlap."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest

from batch_exports.destinations.delivery import Delivery
from batch_exports.destinations.s3.lock import IntervalLock
from batch_exports.errors import Transient
from batch_exports.interval import DataInterval
from batch_exports_tests.destinations.redshift.faults.trial import Trial, to
from batch_exports_tests.destinations.redshift.faults.ways import (
    APPEND,
    KEY,
    MERGE,
    RANGE,
    Way,
)
from batch_exports_tests.destinations.rows import HOUR, stream
from batch_exports_tests.destinations.suite import wait_until

TryOut = Callable[[Way], Trial]
RUNS = ("run-one", "run-two")
TWO_HOURS = DataInterval(HOUR.start - timedelta(hours=1), HOUR.end)


@pytest.mark.parametrize("way", [RANGE, APPEND], ids=str)
def test_two_runs_that_stage_on_s3(try_out: TryOut, way: Way) -> None:
    """The second learns that another run is alive, and leaves it alone."""
    trial = try_out(way)
    trial.lease_seconds = 4  # renewed each second

    def start_second() -> None:
        with pytest.raises(Transient, match=r"Run run-latest is delivering this interval"):
            trial.deliver("run-second")

    trial.deliver(amid=start_second)
    trial.assert_delivered()


@pytest.mark.parametrize("way", [RANGE, KEY.by("INSERT")], ids=str)
def test_a_run_that_another_overtakes(
    try_out: TryOut, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    """On S3 the first fell silent and was taken for dead; without S3 they meet at the table. What
    the first has read may be older by now."""
    monkeypatch.setattr(IntervalLock, "renew_until_released", lambda lock: lock._released.wait())
    trial = try_out(way)

    def overtake() -> None:
        trial.deliver("run-second")

    with pytest.raises(Transient, match=r"another run delivered .* staged its rows"):
        trial.deliver("run-overtaken", amid=overtake)
    trial.assert_delivered("run-second")


def test_an_append_tried_again_while_it_runs(try_out: TryOut) -> None:
    """Both are one run, and its rows are appended once."""
    trial = try_out(APPEND.by("INSERT"))
    trial.deliver(amid=trial.deliver)
    trial.assert_delivered()


@pytest.mark.parametrize("way", [RANGE.by("INSERT"), MERGE.by("INSERT")], ids=str)
def test_a_run_that_waits_for_anothers_commit(try_out: TryOut, way: Way) -> None:
    """A third session holds the table; both runs have staged all when it lets go."""
    trial = try_out(way)
    with ThreadPoolExecutor(2) as threads:
        with trial.adapter.connect() as other, other.transaction():
            other.execute(f'LOCK TABLE "{trial.adapter.schema}"."events_rejects"')
            runs: list[Future[Delivery]] = [
                threads.submit(trial.deliver, run_id) for run_id in RUNS
            ]
            wait_until(lambda: len(waiting(trial)) == 2)
        ends = {run_id: run.exception() for run_id, run in zip(RUNS, runs, strict=True)}
    failed = [error for error in ends.values() if error]
    assert all(isinstance(error, Transient) for error in failed)
    assert len(failed) == (0 if way.mode == "merge" else 1)
    last = trial.state()["ledger"][0]["run_id"]
    assert ends[last] is None
    trial.assert_delivered(last)


def waiting(trial: Trial) -> list[int]:
    """The process numbers of runs that wait for a lock."""
    query = "SELECT pid FROM pg_locks WHERE NOT granted"
    return [row["pid"] for row in trial.execute(query) if row["pid"] in trial.sessions()]


@pytest.mark.parametrize("way", [RANGE, KEY.by("INSERT")], ids=str)
def test_an_interval_that_overlaps_one_under_way(try_out: TryOut, way: Way) -> None:
    """As after a change of rhythm; on S3 they have folders of their own."""
    trial = try_out(way)

    def overtake() -> None:
        to(trial.adapter, way).write(stream(trial.latest), TWO_HOURS, "run-two-hours")

    with pytest.raises(Transient, match=r"another run delivered .*or one that overlaps it"):
        trial.deliver("run-overtaken", amid=overtake)
    trial.assert_cleared()
    assert trial.state()["rows"] == trial.expected()
    trial.deliver()
    assert trial.state()["rows"] == trial.expected()
