"""Requests that are tried again until they are answered, or patience ends."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from batch_exports.destinations.http.endpoint import Answer, Connections
from batch_exports.errors import Terminal, Transient

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0
# What is wrong is the body: fewer calls, or other ones, may pass.
_OF_THE_BODY = (400, 413, 422)
_LATER = (408, 425, 429)


class Pace:
    """At most so many requests a second, of all threads together; None for as many as there are."""

    def __init__(self, requests_per_second: float | None) -> None:
        self._distance = 1 / requests_per_second if requests_per_second else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    def turn(self) -> float:
        """Take the next turn, which comes in so many seconds."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._distance
            return turn - now

    def hold(self, seconds: float) -> None:
        """Let no turn come for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


@dataclass
class Tries:
    """Sends bodies. `patience_seconds` is how long one may be tried; `stop` ends all waiting."""

    connections: Connections
    pace: Pace
    patience_seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    jitter: Callable[[float, float], float] = random.uniform

    def answer(self, body: bytes) -> Answer:
        """The answer to a body: that it was taken, or that something is wrong with it.

        Overload, faults of the server and broken lines are tried again, with pauses that double,
        or that the server asks for. Raises `Transient` when patience ends, `Terminal` for what
        no retry cures.
        """
        ends = time.monotonic() + self.patience_seconds
        for number in count():
            self._wait(self.pace.turn())
            asked: float | None = None
            try:
                answer = self.connections.post(body)
            except Transient as error:
                failure = error
            else:
                if answer.is_good or answer.status in _OF_THE_BODY:
                    return answer
                failure, asked = self._judged(answer), answer.pause
            pause = asked or self._pause(number)
            if time.monotonic() + pause > ends:
                raise failure
            if asked:
                self.pace.hold(asked)
            self._wait(pause)
        raise AssertionError("counting has no end")

    def _pause(self, number: int) -> float:
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**number)
        return self.jitter(longest / 2, longest)

    def _wait(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Transient("The delivery was given up.", remedy="It is tried again.")

    def _judged(self, answer: Answer) -> Transient:
        """What the server would take later. Raises `Terminal` for all else."""
        if answer.status in _LATER or answer.status >= 500:
            asks = f" It asks to wait {answer.pause:.0f} s." if answer.pause else ""
            return Transient(
                f"{self.connections.endpoint.url} answers {answer}.{asks}",
                remedy="It is tried again. If it stays, set requests_per_second, or ask its "
                "operator.",
            )
        raise refusal(self.connections.endpoint.url, answer)


def refusal(url: str, answer: Answer) -> Terminal:
    """What an answer means that no retry changes."""
    text = f"{url} answers {answer}."
    if answer.is_page and answer.status < 300:
        return Terminal(
            f"{url} answers {answer.status} with a page in HTML: it takes no calls.",
            remedy="Correct the connection's endpoint_url and form.",
        )
    if answer.status in (401, 403):
        return Terminal(text, remedy="Correct the connection's write_key, and its form.")
    if answer.status == 404:
        return Terminal(
            text,
            remedy="Correct the connection's endpoint_url and form. RudderStack answers so for a "
            "source that is disabled: enable it.",
        )
    return Terminal(text, remedy="Correct the connection's endpoint_url and form.")
