"""Work that is not waited for longer than a time."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_Answer = TypeVar("_Answer")


class TimeIsUp(Exception):
    """The work has not ended within its time. It goes on beside, and its answer is lost."""


class _Work(threading.Thread, Generic[_Answer]):
    def __init__(self, work: Callable[[], _Answer]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.answer: _Answer | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.answer = self._work()
        except BaseException as error:
            self.error = error


def within(seconds: float, work: Callable[[], _Answer]) -> _Answer:
    """The work's answer. Raises what it raises, and `TimeIsUp`."""
    thread = _Work(work)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeIsUp
    if thread.error is not None:
        raise thread.error
    answer: _Answer = thread.answer  # type: ignore[assignment]
    return answer
