"""Work on the next items while the current one is in use."""

import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


_END = object()
_POLL_SECONDS = 0.1


@contextmanager
def prefetch(items: Iterable[T], ahead: int) -> Generator[Iterable[T], None, None]:
    """Iterate over `items` in a thread of their own, at most `ahead` finished ones waiting.

    An error of `items` is raised where they are consumed. On leaving the block the thread has
    ended and `items`, when it is a generator, is closed, however much of it was consumed.
    """
    queue: Queue[object] = Queue(maxsize=ahead)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, queue, stop), name="prefetch", daemon=True)
    thread.start()
    try:
        yield _drain(queue)
    finally:
        stop.set()
        _empty(queue)
        thread.join()


def _fill(items: Iterable[object], queue: Queue[object], stop: threading.Event) -> None:
    last: object = _END
    try:
        for item in items:
            if not _put(queue, item, stop):
                break
    except BaseException as error:  # handed to the consumer, whatever it is
        last = _Failed(error)
    finally:
        if isinstance(items, Generator):
            items.close()
    _put(queue, last, stop)


def _put(queue: Queue[object], item: object, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            queue.put(item, timeout=_POLL_SECONDS)
        except Full:
            continue
        return True
    return False


def _drain(queue: "Queue[object]") -> Generator[T, None, None]:
    while (item := queue.get()) is not _END:
        if isinstance(item, _Failed):
            raise item.error
        yield item  # type: ignore[misc]  # the queue holds what `items` yielded


def _empty(queue: Queue[object]) -> None:
    while True:
        try:
            queue.get_nowait()
        except Empty:
            return
