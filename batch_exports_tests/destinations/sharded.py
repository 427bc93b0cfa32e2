"""What every destination must pass that takes an interval in shards."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest

from batch_exports.destinations.delivery import Delivery, ShardedDestination
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.transform.shard import Shard, rows_of
from batch_exports_tests.destinations.killed import deliver_half
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, as_rows, make_rows, stream
from batch_exports_tests.destinations.suite import (
    Adapter,
    SourceFailed,
    assert_sound,
    fail,
    wait_until,
)

SHARDS = 3


class ShardedSuite:
    """Subclasses override the fixture `adapter`; each test gets a fresh place to deliver to."""

    @pytest.fixture
    def adapter(self) -> Adapter:
        raise NotImplementedError

    @pytest.fixture
    def destination(self, adapter: Adapter) -> ShardedDestination:
        return sharded(adapter)

    @pytest.mark.parametrize("count", [0, 1, 200])
    def test_shards_are_one_delivery(
        self, adapter: Adapter, destination: ShardedDestination, count: int
    ) -> None:
        """Nothing is to be seen before the commit; to commit again changes nothing."""
        rows = make_rows(range(count))
        receipts = stage(destination, rows, "run-1")
        assert adapter.read(destination, HOUR) == []
        delivery = destination.commit(receipts, HOUR, "run-1")
        assert (delivery.rows, delivery.rejected, delivery.replaced) == (count, 0, 0)
        assert adapter.leftovers() == []
        again = destination.commit(receipts, HOUR, "run-1")
        assert again == delivery == destination.delivery(HOUR)
        assert adapter.read(destination, HOUR) == as_rows(rows)
        assert_sound(destination, HOUR, count)
        assert adapter.leftovers() == []

    def test_shards_and_whole_deliveries_replace_each_other(
        self, adapter: Adapter, destination: ShardedDestination
    ) -> None:
        destination.write(stream(make_rows(range(100))), HOUR, "run-1")
        for count, run in ((60, "run-2"), (3, "run-3")):
            rows = make_rows(range(count), label=run)
            destination.commit(stage(destination, rows, run), HOUR, run)
            assert adapter.read(destination, HOUR) == as_rows(rows)
            assert_sound(destination, HOUR, count)
        destination.write(stream(make_rows(range(5))), HOUR, "run-4")
        assert adapter.read(destination, HOUR) == as_rows(make_rows(range(5)))
        assert adapter.leftovers() == []

    def test_rejects_of_all_shards_are_kept(self, adapter: Adapter) -> None:
        destination = sharded(adapter, on_unrepresentable="reject")
        names = [b"caf\xe9" if number % 5 == 0 else "fine" for number in range(60)]
        rows = make_rows(range(60), columns={"distinct_id": names})
        delivery = destination.commit(stage(destination, rows, "run-1"), HOUR, "run-1")
        assert (delivery.rows, delivery.rejected, delivery.source_rows) == (48, 12, 60)
        kept = {row["uuid"].decode() for row in adapter.originals(destination, HOUR)}
        assert kept == {rows["uuid"][number].as_py() for number in range(0, 60, 5)}
        assert len(adapter.originals(destination, HOUR)) == 12
        assert_sound(destination, HOUR, 48)
        destination.write(stream(make_rows(range(4))), HOUR, "run-2")
        assert adapter.leftovers() == []

    def test_a_shard_that_failed_is_staged_again(
        self, adapter: Adapter, destination: ShardedDestination
    ) -> None:
        before, rows = make_rows(range(30)), make_rows(range(80), label="again")
        destination.write(stream(before), HOUR, "run-1")
        receipts = stage(destination, rows, "run-2", range(1, SHARDS))
        with pytest.raises(SourceFailed):
            destination.stage(stream(rows, then=fail), HOUR, "run-2", Shard(0, SHARDS))
        assert adapter.read(destination, HOUR) == as_rows(before)
        # The first of these two is as one whose step was lost when it was done.
        stage(destination, rows, "run-2", [0])
        receipts += stage(destination, rows, "run-2", [0])
        destination.commit(receipts, HOUR, "run-2")
        assert adapter.read(destination, HOUR) == as_rows(rows)
        assert_sound(destination, HOUR, 80)
        assert adapter.leftovers() == []

    def test_a_killed_run_is_swept_by_the_next_commit(self, adapter: Adapter) -> None:
        destination = sharded(adapter)
        stage(destination, make_rows(range(40), label="killed"), "run-killed", range(1, SHARDS))
        with deliver_half(adapter, Shard(0, SHARDS)) as process:
            wait_until(adapter.has_begun)
            process.kill()
        assert adapter.leftovers()
        assert adapter.read(destination, HOUR) == []
        rows = make_rows(range(50))
        destination.commit(stage(destination, rows, "run-2"), HOUR, "run-2")
        assert adapter.read(destination, HOUR) == as_rows(rows)
        assert_sound(destination, HOUR, 50)
        assert adapter.leftovers() == []

    @pytest.mark.parametrize("count", [70, 0])
    def test_of_two_runs_the_second_to_commit_fails(
        self, adapter: Adapter, destination: ShardedDestination, count: int
    ) -> None:
        """It read before the first one delivered: also where it found no row, and so staged
        nothing that could be swept."""
        first = make_rows(range(60), label="first")
        late = stage(destination, make_rows(range(count)), "run-2", range(1, SHARDS))
        receipts = stage(destination, first, "run-1")
        late += stage(destination, make_rows(range(count)), "run-2", [0])
        destination.commit(receipts, HOUR, "run-1")
        with pytest.raises(Terminal, match=r"nother run delivered.*Nothing was delivered"):
            destination.commit(late, HOUR, "run-2")
        assert adapter.read(destination, HOUR) == as_rows(first)
        assert_sound(destination, HOUR, 60)
        stale = stage(destination, make_rows(range(count)), "run-3")
        destination.write(stream(make_rows(range(9))), HOUR, "run-4")
        with pytest.raises(Terminal, match=r"nother run delivered.*Nothing was delivered"):
            destination.commit(stale, HOUR, "run-3")
        assert adapter.read(destination, HOUR) == as_rows(make_rows(range(9)))

    def test_two_commits_at_once_are_one(
        self, adapter: Adapter, destination: ShardedDestination
    ) -> None:
        """As where a step that was taken for dead goes on beside its second try."""
        rows = make_rows(range(90))
        receipts = stage(destination, rows, "run-1")

        def commit(_: int) -> Delivery | BatchExportError:
            try:
                return sharded(adapter).commit(receipts, HOUR, "run-1")
            except BatchExportError as error:
                return error

        with ThreadPoolExecutor(2) as threads:
            outcomes = list(threads.map(commit, range(2)))
        failed = [outcome for outcome in outcomes if isinstance(outcome, BatchExportError)]
        assert len(failed) <= 1
        assert all(isinstance(error, Transient) for error in failed)
        assert adapter.read(destination, HOUR) == as_rows(rows)
        assert_sound(destination, HOUR, 90)
        assert adapter.leftovers() == []

    def test_receipts_that_do_not_belong_together_change_nothing(
        self, adapter: Adapter, destination: ShardedDestination
    ) -> None:
        rows = make_rows(range(20))
        receipts = stage(destination, rows, "run-1")
        for wrong in (receipts[1:], [*receipts, receipts[0]], [*receipts[1:], receipts[1]]):
            with pytest.raises(Terminal, match="cannot be committed"):
                destination.commit(wrong, HOUR, "run-1")
        assert adapter.read(destination, HOUR) == []
        destination.commit(receipts, HOUR, "run-1")
        assert adapter.read(destination, HOUR) == as_rows(rows)


def sharded(adapter: Adapter, **settings: Any) -> ShardedDestination:
    destination: Any = adapter.destination(PROJECTION, lease_seconds=8, **settings)
    return destination  # type: ignore[no-any-return]


def stage(
    destination: ShardedDestination, rows: pa.Table, run_id: str, numbers: Any = range(SHARDS)
) -> list[Any]:
    """What shards of these numbers stage of the rows."""
    key = PROJECTION.model.key
    return [
        destination.stage(rows_of(stream(rows), key, shard), HOUR, run_id, shard)
        for shard in (Shard(number, SHARDS) for number in numbers)
    ]
