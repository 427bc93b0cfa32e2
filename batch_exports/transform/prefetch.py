"""Work on the next items while the current one is in use."""

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


_END = object()


@contextmanager
def prefetch(items: Iterable[T], ahead: int) -> Generator[Iterator[T], None, None]:
    """Iterate over `items` in a thread of their own, at most `ahead` of the consumer.

    The item in use and `ahead` more are all that exist at a time, finished or in the making. An
    error of `items` is raised where they are consumed. On leaving the block the thread has ended
    and `items`, when it is a generator, is closed, however much of it was consumed.
    """
    finished: SimpleQueue[object] = SimpleQueue()
    permits = threading.Semaphore(ahead)
    stop = threading.Event()
    thread = threading.Thread(
        target=_fill, args=(items, finished, permits, stop), name="prefetch", daemon=True
    )
    thread.start()
    try:
        yield _drain(finished, permits)
    finally:
        stop.set()
        permits.release()
        thread.join()


def _fill(
    items: Iterable[object],
    finished: SimpleQueue[object],
    permits: threading.Semaphore,
    stop: threading.Event,
) -> None:
    last: object = _END
    try:
        source = iter(items)
        while True:
            permits.acquire()
            if stop.is_set():
                break
            item = next(source, _END)
            if item is _END:
                break
            finished.put(item)
            del item
    except BaseException as error:  # handed to the consumer, whatever it is
        last = _Failed(error)
    finally:
        if isinstance(items, Generator):
            items.close()
    finished.put(last)


def _drain(finished: SimpleQueue[object], permits: threading.Semaphore) -> Iterator[T]:
    while (item := finished.get()) is not _END:
        if isinstance(item, _Failed):
            raise item.error
        permits.release()
        yield item  # type: ignore[misc]  # the queue holds what `items` yielded
        del item
