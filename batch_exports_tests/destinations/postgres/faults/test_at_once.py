"""Several runs at once: of one interval, of its neighbours, and of intervals that overlap."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pyarrow as pa
import pytest

from batch_exports.destinations.delivery import Delivery
from batch_exports.destinations.postgres.stages import Stages
from batch_exports.errors import Transient
from batch_exports.interval import DataInterval
from batch_exports_tests.destinations.postgres.faults.trial import Trial
from batch_exports_tests.destinations.postgres.faults.ways import (
    FEW_WAYS,
    FIRST,
    KEY,
    MERGE,
    RANGE,
    Way,
    held,
)
from batch_exports_tests.destinations.rows import HOUR, stream

TryOut = Callable[[Way], Trial]
HOURS = [
    DataInterval(HOUR.start + timedelta(hours=n), HOUR.end + timedelta(hours=n)) for n in range(4)
]
TWO_HOURS = DataInterval(HOUR.start - timedelta(hours=1), HOUR.end)


@pytest.mark.parametrize("way", FEW_WAYS, ids=str)
def test_two_runs_of_one_interval(try_out: TryOut, way: Way) -> None:
    """The second waits for the first. One that appends is the first, tried again."""
    trial = try_out(way)
    last = "run-first" if way.mode == "append" else "run-second"
    with ThreadPoolExecutor(1) as thread:

        def start_second() -> None:
            trial.await_copy()
            second.append(thread.submit(trial.deliver, last))
            trial.await_blocked(trial.server.exporter.user)

        second = list[Future[Delivery]]()
        trial.deliver("run-first", amid=start_second)
        second[0].result()
    trial.assert_delivered(last)


@pytest.mark.parametrize(
    ("way", "isolation"),
    [
        (RANGE, "serializable"),
        (FIRST, "read committed"),
        (FIRST.with_connections(2), "serializable"),
        (MERGE, "serializable"),
        (MERGE.with_connections(2), "read committed"),
    ],
    ids=str,
)
def test_neighbours_with_the_same_keys(try_out: TryOut, way: Way, isolation: str) -> None:
    """All begin in an empty schema, and run a second time at once."""
    trial = try_out(way)
    trial.execute("DROP TABLE {table}, {rejects}, {ledger}")
    for attempt in range(2):
        rows = [way.rows(range(60), partial(newer, attempt, n), HOURS[n]) for n in range(4)]
        with (
            trial.with_default("default_transaction_isolation", isolation),
            ThreadPoolExecutor(4) as threads,
        ):
            list(threads.map(partial(deliver_at_once, trial, threading.Barrier(4)), HOURS, rows))
        assert trial.state()["rows"] == way.result([], [], [r for t in rows for r in held(t)])
        assert [trial.problems(*each) for each in zip(HOURS, rows, strict=True)] == [()] * 4
        assert trial.adapter.leftovers() == []


def newer(attempt: int, hour: int, _: int) -> int:
    """A version greater than those of earlier hours, and of earlier attempts."""
    return 10 * attempt + hour


def deliver_at_once(
    trial: Trial, barrier: threading.Barrier, hour: DataInterval, rows: pa.Table
) -> None:
    destination = trial.destination()
    barrier.wait()
    destination.write(stream(rows), hour, "a run")


@pytest.mark.parametrize(
    ("first", "second"), [(HOUR, TWO_HOURS), (TWO_HOURS, HOUR)], ids=["wider", "narrower"]
)
@pytest.mark.parametrize("way", [RANGE, KEY.with_connections(2)], ids=str)
def test_an_interval_that_overlaps_one_under_way(
    try_out: TryOut, way: Way, first: DataInterval, second: DataInterval
) -> None:
    """As after a change of rhythm. The second waits, and then learns that it has to begin anew."""
    trial = try_out(way)
    with ThreadPoolExecutor(1) as thread:

        def deliver(interval: DataInterval, amid: Callable[[], object] = lambda: None) -> Delivery:
            return trial.destination().write(stream(trial.latest, then=amid), interval, "a run")

        runs = list[Future[Delivery]]()

        def overtake() -> None:
            trial.await_copy()
            runs.append(thread.submit(deliver, second))
            trial.await_blocked(trial.server.exporter.user)

        deliver(first, overtake)
        with pytest.raises(Transient, match=r"an interval that overlaps .* meanwhile"):
            runs[0].result()
    assert trial.state()["rows"] == trial.expected()
    deliver(second)
    assert trial.state()["rows"] == trial.expected()


def test_an_interval_that_overlaps_one_just_delivered(try_out: TryOut) -> None:
    """Neither has rows that the other would have to wait for."""
    trial = try_out(FIRST)

    def overtake() -> None:
        trial.destination().write(stream(trial.latest), TWO_HOURS, "run-two-hours")

    with pytest.raises(Transient, match=r"an interval that overlaps .* meanwhile"):
        trial.deliver("run-overtaken", amid=overtake)
    assert trial.state()["rows"] == trial.expected()
    trial.deliver()
    assert trial.state()["rows"] == trial.expected()


def test_stages_are_a_runs_own(try_out: TryOut) -> None:
    """Those of a run that is over drop no others' on their way out."""
    trial = try_out(RANGE)
    destination = trial.destination()

    def stages() -> Stages:
        return Stages(
            lambda: destination._connect(HOUR, "a run"),
            destination.name,
            ["uuid"],
            label="one interval",
            count=2,
        )

    with trial.adapter.connect() as connection:
        late, next_one = stages(), stages()
        with late:
            late.open(connection)
            next_one.open(connection)
        assert len(trial.adapter.leftovers()) == 2
        with next_one:
            pass
    assert trial.adapter.leftovers() == []
