"""What is looked up of files before their turn: on object storage each look is a wait."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_AHEAD = 8
Prepared = TypeVar("Prepared")


def prepared_ahead(
    prepare: Callable[[str], Prepared], paths: Sequence[str]
) -> Generator[tuple[str, Future[Prepared]], None, None]:
    """Each path in order, with what `prepare` makes of it or raises.

    So many as `_AHEAD` of the path in use are prepared at the time. On closing no more are begun,
    and those under way are waited for.
    """
    with ThreadPoolExecutor(_AHEAD, "ahead") as pool:
        waiting = deque[tuple[str, Future[Prepared]]]()
        try:
            for path in paths:
                waiting.append((path, pool.submit(prepare, path)))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            pool.shutdown(cancel_futures=True)
