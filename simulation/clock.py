"""A clock that stands where it is put, for everything that runs in this process.

What is outside goes by the time it has: servers, certificates, and the signatures of requests to
S3, which a server refuses whose clock shows another time.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.auth
import time_machine

# What waits for less waits for a server, whose time is the real one.
_SKIPPED_SECONDS = 0.3


class Clock:
    """Goes on by itself from where it was put last."""

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def move_to(self, moment: datetime) -> None:
        """A moment that has passed is where the clock stands already."""
        if moment > self.now:
            self._traveller.move_to(moment)

    def pass_(self, length: timedelta) -> None:
        self._traveller.shift(length)


@contextmanager
def simulated(begin: datetime) -> Iterator[Clock]:
    """Within the block it is `begin` or later. Pauses between tries take no time."""
    sleep, signing = time.sleep, botocore.auth.get_current_datetime
    with time_machine.travel(begin, tick=True) as traveller:
        clock = Clock(traveller)

        def skip(seconds: float) -> None:
            in_main = threading.current_thread() is threading.main_thread()
            if seconds < _SKIPPED_SECONDS or not in_main:
                sleep(seconds)
            else:
                clock.pass_(timedelta(seconds=seconds))

        time.sleep = skip
        botocore.auth.get_current_datetime = _real_now
        try:
            yield clock
        finally:
            time.sleep, botocore.auth.get_current_datetime = sleep, signing


def _real_now(remove_tzinfo: bool = True) -> datetime:
    now: datetime = time_machine.escape_hatch.datetime.datetime.now(UTC)
    return now.replace(tzinfo=None) if remove_tzinfo else now
