"""One run at a time delivers an interval, whatever dies, answers late or is not understood."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest

from batch_exports.destinations.s3.lock import IntervalLock, held
from batch_exports.errors import Transient
from batch_exports.local.seaweedfs import Server
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, as_rows, make_rows, stream
from batch_exports_tests.destinations.s3.adapter import S3Adapter, client
from batch_exports_tests.destinations.suite import wait_until
from batch_exports_tests.faults import FaultProxy, HttpFault

LEASE = 2.0
NOT_IMPLEMENTED = b"<Error><Code>NotImplemented</Code><Message>No conditions.</Message></Error>"
Hold = Callable[..., AbstractContextManager[IntervalLock]]


@pytest.fixture
def hold(s3: S3Adapter) -> Hold:
    return partial(held, s3.client, s3.bucket, f"{s3.prefix}lock", {}, lease_seconds=LEASE)


def renewed(s3: S3Adapter) -> Any:
    return s3.client.head_object(Bucket=s3.bucket, Key=f"{s3.prefix}lock")["LastModified"]


def test_it_is_renewed_while_it_is_held_and_then_gone(s3: S3Adapter, hold: Hold) -> None:
    with hold(run_id="run-1") as lock:
        first = renewed(s3)
        wait_until(lambda: bool((renewed(s3) - first).total_seconds() > LEASE))
        lock.check()
    assert s3.listed() == []


def test_a_run_that_lives_is_named_to_others(hold: Hold) -> None:
    with (
        hold(run_id="run-1") as lock,
        pytest.raises(Transient, match="Run run-1 is delivering this interval"),
        hold(run_id="run-2"),
    ):
        raise AssertionError("both held it")
    with hold(run_id="run-3"):
        pass
    with pytest.raises(Transient, match="unknown"):
        lock.check()


def test_it_is_waited_for(hold: Hold) -> None:
    waiting, order = threading.Event(), list[str]()

    def second() -> None:
        waiting.set()
        with hold(run_id="run-2"):
            order.append("run-2")

    thread = threading.Thread(target=second)
    with hold(run_id="run-1"):
        thread.start()
        waiting.wait()
        order.append("run-1")
    thread.join()
    assert order == ["run-1", "run-2"]


def test_that_of_a_dead_run_is_taken_over(s3: S3Adapter, hold: Hold) -> None:
    dead = IntervalLock(s3.client, s3.bucket, f"{s3.prefix}lock", {}, "run-dead", LEASE)
    dead.acquire()  # and nobody renews it
    began = time.monotonic()
    with hold(run_id="run-2"):
        assert time.monotonic() - began > LEASE - 1  # S3 tells whole seconds
        with pytest.raises(Transient, match="Run run-2 took over this interval"):
            dead.check()
    dead.release()
    assert s3.listed() == []


def test_one_that_was_cut_off_while_it_was_written_is_taken_over(s3: S3Adapter, hold: Hold) -> None:
    s3.client.put_object(Bucket=s3.bucket, Key=f"{s3.prefix}lock", Body=b"")
    with hold(run_id="run-2") as lock:
        lock.check()
    assert s3.listed() == []


def test_one_that_was_lost_is_not_released(s3: S3Adapter, hold: Hold) -> None:
    with hold(run_id="run-1") as lock:
        body = b'{"token": "of another", "run_id": "run-2"}'
        s3.client.put_object(Bucket=s3.bucket, Key=f"{s3.prefix}lock", Body=body)
        with pytest.raises(Transient, match="Run run-2 took over"):
            lock.check()
    assert s3.body(f"{s3.prefix}lock") == body


@pytest.mark.parametrize("taken_by", ["another", "nobody"])
def test_a_lost_lock_prevents_the_commit(s3: S3Adapter, taken_by: str) -> None:
    destination = s3.destination(PROJECTION)
    before = make_rows(range(10))
    destination.write(stream(before), HOUR, "run-1")

    def lose() -> None:
        [key] = [key for key in s3.listed() if key.endswith("_lock.json")]
        if taken_by == "another":
            body = b'{"token": "of another", "run_id": "run-other"}'
            s3.client.put_object(Bucket=s3.bucket, Key=key, Body=body)
        else:
            s3.client.delete_object(Bucket=s3.bucket, Key=key)

    said = "run-other" if taken_by == "another" else "unknown"
    with pytest.raises(Transient, match=f"Run {said} took over"):
        destination.write(stream(make_rows(range(99)), then=lose), HOUR, "run-2")
    assert s3.read(destination, HOUR) == as_rows(before)
    assert list(s3.unfinished()) == []


@pytest.fixture
def proxy(s3_server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(("127.0.0.1", s3_server.ports["s3.port"])) as proxy:
        yield proxy


def behind(s3: S3Adapter, proxy: FaultProxy) -> Hold:
    through = client(**{**s3.connection, "endpoint_url": proxy.endpoint})
    return partial(held, through, s3.bucket, f"{s3.prefix}lock", {}, lease_seconds=LEASE)


def test_it_is_held_where_the_answer_was_lost(s3: S3Adapter, hold: Hold, proxy: FaultProxy) -> None:
    lost = proxy.add(HttpFault(request="^PUT .*lock", do="reset", forward=True))
    with behind(s3, proxy)(run_id="run-1") as lock:
        assert lost.hits == 1
        first = renewed(s3)
        wait_until(lambda: bool((renewed(s3) - first).total_seconds() > LEASE))
        with pytest.raises(Transient, match="run-1"), hold(run_id="run-2"):
            raise AssertionError("both held it")
        lock.check()
    assert s3.listed() == []


def test_it_is_renewed_after_an_answer_without_which_the_etag_is_unknown(
    s3: S3Adapter, hold: Hold
) -> None:
    with hold(run_id="run-1") as lock:
        # As a renewal of this run whose answer was lost, on a store that gives each put an ETag of
        # its own (S3 does with aws:kms); this one gives it by content.
        key = f"{s3.prefix}lock"
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=s3.body(key) + b" ")
        first = renewed(s3)
        wait_until(lambda: bool((renewed(s3) - first).total_seconds() > LEASE))
        lock.check()
    assert s3.listed() == []


def refuse_conditions(proxy: FaultProxy, times: int) -> None:
    """As a store without conditional writes: each is refused, and then tried without condition."""
    for number in range(times):
        # An older rule that strikes hides the request from this one: it strikes every other.
        proxy.add(HttpFault(request="^PUT .*lock", status=501, body=NOT_IMPLEMENTED, skip=number))


def test_it_is_held_where_conditions_are_unknown(s3: S3Adapter, proxy: FaultProxy) -> None:
    refuse_conditions(proxy, 100)
    with behind(s3, proxy)(run_id="run-1") as lock:
        first = renewed(s3)
        wait_until(lambda: bool((renewed(s3) - first).total_seconds() > LEASE))
        lock.check()
    assert s3.listed() == []


def test_a_delivery_needs_no_conditions(s3: S3Adapter, proxy: FaultProxy) -> None:
    refuse_conditions(proxy, 3)
    through = client(**{**s3.connection, "endpoint_url": proxy.endpoint})
    destination = s3.destination(PROJECTION, client=through)
    rows = make_rows(range(10))
    destination.write(stream(rows), HOUR, "run-1")
    assert s3.read(destination, HOUR) == as_rows(rows)
    assert s3.leftovers() == []


def test_a_renewal_under_way_does_not_outlive_the_release(s3: S3Adapter, proxy: FaultProxy) -> None:
    proxy.add(HttpFault(request="^PUT .*lock", status=501, body=NOT_IMPLEMENTED, skip=1))
    slow = proxy.add(HttpFault(request="^PUT .*lock", do="delay", seconds=0.5, skip=1))
    with behind(s3, proxy)(run_id="run-1"):
        slow.wait()  # the renewal is on its way, with no condition that could stop it
    assert s3.listed() == []
