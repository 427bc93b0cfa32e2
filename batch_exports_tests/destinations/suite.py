"""What every destination must pass. A new one needs an adapter, and a subclass of `Suite`."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

import pyarrow as pa
import pytest

from batch_exports.destinations.delivery import Delivery, Destination
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.interval import DataInterval
from batch_exports.local.hostile import HOSTILE
from batch_exports.models import EVENTS, TIMESTAMP, Projection
from batch_exports_tests.destinations.killed import deliver_half
from batch_exports_tests.destinations.rows import (
    HOUR,
    NEXT_HOUR,
    PROJECTION,
    Row,
    as_rows,
    make_rows,
    stream,
)


class Adapter(Protocol):
    """What the suite must know of a destination. It is handed to another process: pickled.

    `replaced` is a regex of the characters that JSON columns cannot hold and that become U+FFFD.
    `lease_seconds` is a setting: how long a killed run's hold on an interval may last.
    """

    replaced: str

    @property
    def refused(self) -> frozenset[str]:
        """Names of the hostile JSON that JSON columns cannot hold in any form."""
        ...

    def destination(self, projection: Projection, **settings: Any) -> Destination: ...

    def read(self, destination: Destination, interval: DataInterval) -> list[Row]:
        """All that a reader of the interval finds, by other means than the product's own."""
        ...

    def originals(self, destination: Destination, interval: DataInterval) -> list[Row]:
        """The rows kept aside, with text as bytes."""
        ...

    def leftovers(self) -> list[str]:
        """What is there beside complete deliveries: parts, locks, stages, strays."""
        ...

    def has_begun(self) -> bool:
        """Whether data of an unfinished delivery has reached the destination."""
        ...

    @property
    def killed_runs_leave_parts(self) -> bool:
        """Whether something of a killed run stays until the next one."""
        ...

    def tamper(self, destination: Destination, interval: DataInterval, rows: pa.Table) -> None:
        """Put these rows, maybe with more columns, in the place of what landed."""
        ...


class SourceFailed(Exception):
    """A source's failure, which the destination passes on."""


def fail() -> None:
    raise SourceFailed


class Suite:
    """Subclasses override the fixture `adapter`; each test gets a fresh place to deliver to."""

    @pytest.fixture
    def adapter(self) -> Adapter:
        raise NotImplementedError

    @pytest.fixture
    def destination(self, adapter: Adapter) -> Destination:
        return adapter.destination(PROJECTION)

    @pytest.fixture
    def landed(
        self, adapter: Adapter, destination: Destination
    ) -> Callable[[DataInterval], list[Row]]:
        return partial(adapter.read, destination)

    def test_every_row_lands(
        self,
        adapter: Adapter,
        destination: Destination,
        landed: Callable[[DataInterval], list[Row]],
    ) -> None:
        rows = make_rows(range(100))
        delivery = destination.write(stream(rows), HOUR, "run-1")
        assert landed(HOUR) == as_rows(rows)
        assert (delivery.rows, delivery.rejected, delivery.replaced) == (100, 0, 0)
        assert delivery.source_rows == 100
        assert delivery.uri == destination.uri(HOUR)
        assert adapter.leftovers() == []

    def test_an_interval_without_rows_is_a_delivery(
        self, adapter: Adapter, destination: Destination
    ) -> None:
        for look in (
            destination.inspect,
            partial(destination.columns, expected=PROJECTION.schema),
            partial(destination.keys, source_keys=no_source),
        ):
            with pytest.raises(Terminal, match=r"[Nn]othing was delivered.*Materialize"):
                look(HOUR)
        delivery = destination.write(stream(make_rows([])), HOUR, "run-1")
        assert (delivery.rows, delivery.bytes, delivery.files or ()) == (0, 0, ())
        assert adapter.read(destination, HOUR) == []
        assert_sound(destination, HOUR, 0)
        assert adapter.leftovers() == []

    @pytest.mark.parametrize("second", [range(20), range(120), range(200, 300), range(0)], ids=len)
    def test_writing_again_replaces(
        self, adapter: Adapter, destination: Destination, second: range
    ) -> None:
        destination.write(stream(make_rows(range(100))), HOUR, "run-1")
        rows = make_rows(second, label="second")
        delivery = destination.write(stream(rows), HOUR, "run-2")
        assert adapter.read(destination, HOUR) == as_rows(rows)
        assert_sound(destination, HOUR, len(second))
        assert delivery.rows == len(second)
        assert adapter.leftovers() == []

    def test_records_of_many_intervals_are_read_at_once(self, destination: Destination) -> None:
        """Of those that were delivered, the last deliveries, however old."""
        assert destination.recorded([HOUR, NEXT_HOUR]) == {}
        began = datetime.now(UTC) - timedelta(seconds=5)  # clocks differ
        destination.write(stream(make_rows(range(30))), HOUR, "run-1")
        destination.write(stream(make_rows([])), NEXT_HOUR, "run-2")
        destination.write(stream(make_rows(range(40))), HOUR, "run-3")
        never = DataInterval(NEXT_HOUR.end, NEXT_HOUR.end + timedelta(hours=1))
        both = DataInterval(HOUR.start, NEXT_HOUR.end)
        found = destination.recorded([never, NEXT_HOUR, both, HOUR])
        assert {each: record.source_rows for each, record in found.items()} == {
            HOUR: 40,
            NEXT_HOUR: 0,
        }
        for record in found.values():
            assert began < record.delivered_at < datetime.now(UTC) + timedelta(seconds=5)
            assert record.delivered_at.utcoffset() == timedelta(0)
        assert destination.recorded([]) == {}

    def test_neighbouring_intervals_do_not_touch_each_other(
        self, destination: Destination, landed: Callable[[DataInterval], list[Row]]
    ) -> None:
        first, second = make_rows(range(30)), make_rows(range(40), NEXT_HOUR, label="next")
        destination.write(stream(first), HOUR, "run-1")
        destination.write(stream(second), NEXT_HOUR, "run-2")
        assert (landed(HOUR), landed(NEXT_HOUR)) == (as_rows(first), as_rows(second))
        destination.write(stream(make_rows([])), HOUR, "run-3")
        assert (landed(HOUR), landed(NEXT_HOUR)) == ([], as_rows(second))
        assert_sound(destination, NEXT_HOUR, 40)

    @pytest.mark.parametrize("before", [0, 50])
    def test_a_failure_halfway_changes_nothing(
        self, adapter: Adapter, destination: Destination, before: int
    ) -> None:
        rows = make_rows(range(before))
        if before:
            destination.write(stream(rows), HOUR, "run-1")
        more = make_rows(range(1_000), label="more")
        with pytest.raises(SourceFailed):
            destination.write(stream(more, batch_rows=100, then=fail), HOUR, "run-2")
        assert adapter.read(destination, HOUR) == as_rows(rows)
        assert adapter.leftovers() == []
        if before:
            assert_sound(destination, HOUR, before)
        destination.write(stream(more), HOUR, "run-3")
        assert adapter.read(destination, HOUR) == as_rows(more)
        assert adapter.leftovers() == []

    def test_a_run_killed_halfway_is_made_good_by_the_next(self, adapter: Adapter) -> None:
        destination = adapter.destination(PROJECTION, lease_seconds=1)
        rows = make_rows(range(50))
        destination.write(stream(rows), HOUR, "run-1")
        with deliver_half(adapter, lease_seconds=1) as process:
            wait_until(adapter.has_begun)
            process.kill()
        assert bool(adapter.leftovers()) == adapter.killed_runs_leave_parts
        assert adapter.read(destination, HOUR) == as_rows(rows)
        again = make_rows(range(60), label="again")
        destination.write(stream(again), HOUR, "run-3")
        assert adapter.read(destination, HOUR) == as_rows(again)
        assert_sound(destination, HOUR, 60)
        assert adapter.leftovers() == []

    def test_two_runs_at_once_make_one_delivery(self, adapter: Adapter) -> None:
        halfway, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            halfway.set()
            assert go_on.wait(60)

        runs = {
            "run-first": stream(make_rows(range(70), label="first"), then=hold),
            "run-second": stream(make_rows(range(80), label="second")),
        }
        outcomes: dict[str, Delivery | BatchExportError] = {}

        def deliver(run_id: str) -> None:
            # Long enough for a busy machine: a run that seems dead would rightly be replaced.
            destination = adapter.destination(PROJECTION, lease_seconds=8)
            try:
                outcomes[run_id] = destination.write(runs[run_id], HOUR, run_id)
            except BatchExportError as error:
                outcomes[run_id] = error

        first, second = (threading.Thread(target=deliver, args=[run_id]) for run_id in runs)
        first.start()
        assert halfway.wait(60)
        second.start()
        second.join(5)  # it has failed by now, or it waits
        go_on.set()
        first.join()
        second.join()
        # Both in their turn, or one of them alone.
        failed = [outcome for outcome in outcomes.values() if isinstance(outcome, Exception)]
        assert len(failed) <= 1
        assert all(isinstance(error, Transient) and "run" in str(error) for error in failed)
        last = outcomes["run-second"]
        label, count = ("second", 80) if isinstance(last, Delivery) else ("first", 70)
        destination = adapter.destination(PROJECTION)
        assert adapter.read(destination, HOUR) == as_rows(make_rows(range(count), label=label))
        assert_sound(destination, HOUR, count)
        assert adapter.leftovers() == []

    def test_hostile_json_lands_as_it_is(self, adapter: Adapter, destination: Destination) -> None:
        texts: list[str | None] = [t for n, t in HOSTILE.items() if n not in adapter.refused]
        texts += [None, "{}", "[]", '""', "null", "0.1", ' {\n "a" :\r\n 1 } ']
        rows = make_rows(range(len(texts)), columns={"properties": texts})
        delivery = destination.write(stream(rows), HOUR, "run-1")
        assert adapter.read(destination, HOUR) == as_rows(rows, replaced=adapter.replaced)
        assert delivery.rejected == 0

    def test_json_that_cannot_be_held_is_kept_aside(
        self, adapter: Adapter, destination: Destination
    ) -> None:
        texts = [HOSTILE[name] for name in sorted(adapter.refused)]
        delivery = destination.write(
            stream(make_rows(range(len(texts)), columns={"properties": texts})), HOUR, "run-1"
        )
        assert (delivery.rows, delivery.rejected) == (0, len(texts))
        kept = adapter.originals(destination, HOUR) if texts else []
        assert [row["properties"] for row in kept] == [text.encode() for text in texts]

    def test_extreme_values_land_as_they_are(
        self, adapter: Adapter, destination: Destination
    ) -> None:
        texts = ["", None, " ", "null", "NULL", "\\N", "\t\n\r\x0b\x1b\x7f\x85\u2028", "'\"\\,{}"]
        texts += ["\ufeff", "日本語 👩‍👩‍👧‍👦 \u202e", "é" * 100]
        integers = [2**63 - 1, -(2**63), 0, None, 2**53 + 1, *range(len(texts) - 5)]
        instants = [0, 1, 999_999, None, 1_700_000_000_123_456, *range(len(texts) - 5)]
        rows = make_rows(
            range(len(texts)),
            columns={
                "distinct_id": texts,
                "elements_chain": texts,
                "team_id": integers,
                "timestamp": instants,
            },
        )
        destination.write(stream(rows), HOUR, "run-1")
        assert adapter.read(destination, HOUR) == as_rows(rows)

    def test_many_batches(self, adapter: Adapter, destination: Destination) -> None:
        rows = make_rows(range(1_000))
        destination.write(stream(rows, batch_rows=1), HOUR, "run-1")
        assert adapter.read(destination, HOUR) == as_rows(rows)

    def test_one_huge_row(self, adapter: Adapter, destination: Destination) -> None:
        huge = '{"text": "' + "é\\n" * 5_000_000 + '"}'  # 20 MB
        rows = make_rows(range(3), columns={"properties": ["{}", huge, "{}"]})
        delivery = destination.write(stream(rows), HOUR, "run-1")
        assert adapter.read(destination, HOUR) == as_rows(rows)
        assert delivery.rejected == 0
        assert_sound(destination, HOUR, 3)

    def test_many_rows(self, adapter: Adapter) -> None:
        columns = EVENTS.select(["uuid", "event", "_inserted_at"], "s3")
        narrow = Projection(EVENTS, columns, "inserted_at")
        keys = pa.array([f"{number:032x}" for number in range(100_000)])
        arrivals = pa.repeat(pa.scalar(HOUR.start, TIMESTAMP), 100_000)
        rows = pa.Table.from_arrays([keys, keys, arrivals], schema=narrow.schema)
        destination = adapter.destination(narrow)
        destination.write(stream(rows, batch_rows=16_384), HOUR, "run-1")
        assert adapter.read(destination, HOUR) == as_rows(rows)
        assert destination.inspect(HOUR, deep=True).rows == 100_000
        assert destination.keys(HOUR, no_source).rows == 100_000

    @pytest.mark.parametrize(
        ("policy", "counts"),
        [("replace", (4, 0, 2)), ("reject", (2, 2, 0))],
        ids=["replace", "reject"],
    )
    def test_originals_are_kept_byte_for_byte(
        self, adapter: Adapter, policy: str, counts: tuple[int, int, int]
    ) -> None:
        names = ["fine", b"\xff\x00\xfe", "fine too", b"caf\xe9"]
        rows = make_rows(range(4), columns={"distinct_id": names})
        destination = adapter.destination(PROJECTION, on_unrepresentable=policy)
        delivery = destination.write(stream(rows), HOUR, "run-1")
        assert (delivery.rows, delivery.rejected, delivery.replaced) == counts
        assert delivery.aside
        kept = adapter.originals(destination, HOUR)
        originals = {row["uuid"].decode(): row["distinct_id"] for row in kept}
        assert originals == {rows["uuid"][n].as_py(): names[n] for n in (1, 3)}
        found = {row["distinct_id"] for row in adapter.read(destination, HOUR)}
        nul = "\0" if destination.capabilities.holds_nul else "\ufffd"
        replacements = {f"\ufffd{nul}\ufffd", "caf\ufffd"} if policy == "replace" else set()
        assert found == {"fine", "fine too", *replacements}
        assert_sound(destination, HOUR, counts[0])
        destination.write(stream(make_rows(range(4))), HOUR, "run-2")
        assert adapter.leftovers() == []

    def test_a_value_may_fail_the_run(self, adapter: Adapter) -> None:
        destination = adapter.destination(PROJECTION, on_unrepresentable="fail")
        rows = make_rows(range(30), columns={"distinct_id": ["fine"] * 29 + [b"\xff"]})
        with pytest.raises(Terminal, match="distinct_id") as failure:
            destination.write(stream(rows), HOUR, "run-1")
        assert rows["uuid"][29].as_py() in str(failure.value)
        assert adapter.read(destination, HOUR) == []
        assert adapter.leftovers() == []

    def test_json_that_is_none(self, adapter: Adapter, destination: Destination) -> None:
        texts = ["{}", '{"cut": "of', "NaN"]
        rows = make_rows(range(3), columns={"properties": texts})
        delivery = destination.write(stream(rows), HOUR, "run-1")
        refused = 2 if destination.capabilities.parses_json else 0
        assert (delivery.rows, delivery.rejected) == (3 - refused, refused)
        if refused:
            kept = adapter.originals(destination, HOUR)
            assert [row["properties"] for row in kept] == [text.encode() for text in texts[1:]]

    @pytest.mark.parametrize("rows", [0, 1, 40])
    def test_what_is_sound_is_found_sound(self, destination: Destination, rows: int) -> None:
        destination.write(stream(make_rows(range(rows))), HOUR, "run-1")
        assert_sound(destination, HOUR, rows)

    @pytest.mark.parametrize("numbers", [range(39), range(41), range(0)], ids=["less", "more", "0"])
    def test_a_row_too_few_or_too_many_is_found(
        self, adapter: Adapter, destination: Destination, numbers: range
    ) -> None:
        destination.write(stream(make_rows(range(40))), HOUR, "run-1")
        adapter.tamper(destination, HOUR, make_rows(numbers))
        assert destination.inspect(HOUR).problems
        assert destination.inspect(HOUR, deep=True).problems

    def test_another_column_is_found(self, adapter: Adapter, destination: Destination) -> None:
        rows = make_rows(range(40))
        destination.write(stream(rows), HOUR, "run-1")
        adapter.tamper(destination, HOUR, rows.append_column("surprise", pa.array(["!"] * 40)))
        found = destination.columns(HOUR, PROJECTION.schema)
        assert "surprise" in " ".join(found.problems)

    def test_a_missing_column_is_found(self, adapter: Adapter, destination: Destination) -> None:
        rows = make_rows(range(40))
        destination.write(stream(rows), HOUR, "run-1")
        adapter.tamper(destination, HOUR, rows.drop_columns(["person_id"]))
        found = destination.columns(HOUR, PROJECTION.schema)
        assert "person_id" in " ".join(found.problems)

    @pytest.mark.parametrize(
        ("changes", "nulls", "duplicates"),
        [({1: 0}, 0, 1), ({1: 0, 2: 0, 5: 4}, 0, 3), ({3: None}, 1, 0), ({3: None, 4: None}, 2, 0)],
        ids=["twice", "thrice", "null", "nulls"],
    )
    def test_bad_keys_are_found(
        self,
        adapter: Adapter,
        destination: Destination,
        changes: Mapping[int, int | None],
        nulls: int,
        duplicates: int,
    ) -> None:
        rows = make_rows(range(40))
        destination.write(stream(rows), HOUR, "run-1")
        adapter.tamper(destination, HOUR, with_keys(rows, changes))
        found = destination.keys(HOUR, no_source)
        assert (found.rows, found.nulls, found.duplicates) == (40, nulls, duplicates)
        twice = {rows["uuid"][n].as_py() for n in changes.values() if n is not None}
        assert all(any(key in example for example in found.examples) for key in twice)


def assert_sound(destination: Destination, interval: DataInterval, rows: int) -> None:
    """All that the destination says of the interval, read anew, is that it is in order."""
    shallow, deep = destination.inspect(interval), destination.inspect(interval, deep=True)
    assert (shallow.problems, deep.problems, deep.rows) == ((), (), rows)
    assert shallow.rows in (None, rows)
    assert shallow.delivery == deep.delivery
    assert shallow.delivery.rows == rows
    columns = destination.columns(interval, PROJECTION.schema)
    assert columns.problems == ()
    assert set(columns.types) >= set(PROJECTION.schema.names)
    keys = destination.keys(interval, no_source)
    assert (keys.rows, keys.nulls, keys.duplicates, keys.examples) == (rows, 0, 0, ())


def no_source() -> AbstractContextManager[pa.RecordBatchReader]:
    """Where the rows of an interval can be told apart without their source."""
    raise AssertionError("the source was asked for keys")


def with_keys(rows: pa.Table, changes: Mapping[int, int | None]) -> pa.Table:
    """Rows that take the key of another, or lose theirs."""
    keys: list[str | None] = rows["uuid"].to_pylist()
    changed = [*keys]
    for number, other in changes.items():
        changed[number] = None if other is None else keys[other]
    return rows.set_column(0, pa.field("uuid", pa.string()), pa.array(changed, pa.string()))


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} was not met within {seconds} s")
        time.sleep(0.02)
