"""Items made ahead in a thread: all of them, in order, and none left over."""

import threading
from collections.abc import Iterator

import pytest

from batch_exports.transform.prefetch import prefetch

PATIENCE = 30


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.mark.parametrize("ahead", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_all_items_in_order(count: int, ahead: int) -> None:
    with prefetch(iter(range(count)), ahead) as items:
        assert list(items) == list(range(count))
    assert threads() == []


def test_lists_are_items_too() -> None:
    with prefetch([1, None, 3], 1) as items:
        assert list(items) == [1, None, 3]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_errors_are_raised_where_items_are_consumed(error: BaseException) -> None:
    def source() -> Iterator[int]:
        yield 1
        raise error

    with prefetch(source(), 1) as items:
        assert next(iter(items)) == 1
        with pytest.raises(type(error)) as caught:
            list(items)
    assert caught.value is error
    assert threads() == []


@pytest.mark.parametrize("consumed", [0, 1, 3])
def test_leaving_early_closes_the_generator_in_its_own_thread(consumed: int) -> None:
    closed: list[str] = []

    def source() -> Iterator[int]:
        try:
            yield from range(1_000_000)
        finally:
            closed.append(threading.current_thread().name)

    with prefetch(source(), 2) as items:
        for _, _ in zip(range(consumed), items, strict=False):
            pass
        # A generator that was never begun has nothing to close: wait until it is.
        if consumed == 0:
            next(iter(items))
    assert closed == ["prefetch"]
    assert threads() == []


def test_an_error_of_the_consumer_ends_the_thread() -> None:
    with pytest.raises(ZeroDivisionError), prefetch(iter(range(1_000_000)), 1) as items:
        next(iter(items))
        raise ZeroDivisionError
    assert threads() == []


@pytest.mark.parametrize("ahead", [1, 3])
def test_no_more_is_made_than_the_consumer_may_have_waiting(ahead: int) -> None:
    """Each item may be as large as a block: the item in use, and `ahead` more, is all there is."""
    made = threading.Semaphore(0)
    begun = 0

    def source() -> Iterator[int]:
        nonlocal begun
        for number in range(20):
            begun += 1
            made.release()
            yield number

    with prefetch(source(), ahead) as items:
        for taken, _ in enumerate(items, start=1):
            # They come ahead without being asked for, so there is nothing but patience to wait on.
            while taken + ahead > begun < 20:
                assert made.acquire(timeout=PATIENCE)
            assert begun <= taken + ahead
