"""What goes wrong, when, and how often."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down"]

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What both kinds of fault have in common.

    With `forward`, what meets the fault still reaches its end, and the answer to it is lost: the
    connection breaks when the other end answers, so by then it has certainly acted.

    The first `skip` encounters do nothing, the next `times` are hits; None means for ever.
    `seconds` is how long a `delay` takes.
    """

    forward: bool = False
    seconds: float = 1.0
    times: int | None = 1
    skip: int = 0


@dataclass(frozen=True, kw_only=True)
class TcpFault(Fault):
    """Something happens to a connection when certain bytes come by.

    The bytes travel `up` to the server or `down` to the client. They are those after the first
    `after` bytes of the connection (of what is left of it, if it was open before the fault was
    added), or those of the pattern `match`. The bytes before them have passed. Then

    - `reset`: both ends get a connection reset.
    - `close`: both ends see the stream end as if in order.
    - `hang`: nothing passes any more, either way, and neither end learns of it.
    - `delay`: everything in this direction waits for a while, then goes on.
    """

    direction: Direction
    do: Literal["reset", "close", "hang", "delay"]
    after: int = 0
    match: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class HttpFault(Fault):
    """Something happens to HTTP requests whose "METHOD path?query" the regex `request` finds.

    `reply` answers in the server's place; the others are those of a TcpFault. The server never
    sees the request, unless with `forward`: then it acts, and its answer is lost or replaced.
    """

    request: str
    do: Literal["reply", "reset", "close", "hang", "delay"] = "reply"
    status: int = 503
    body: bytes = SLOW_DOWN


class Rule:
    """A fault in force: it counts its hits, and a test can wait for the first."""

    def __init__(self, fault: TcpFault | HttpFault) -> None:
        self.fault = fault
        self.hits = 0
        self._to_skip = fault.skip
        self._happened = threading.Event()

    def strikes(self) -> bool:
        """Whether this encounter is a hit. Asking counts as an encounter."""
        if self._to_skip:
            self._to_skip -= 1
            return False
        if self.fault.times is not None and self.hits >= self.fault.times:
            return False
        self.hits += 1
        return True

    def happened(self) -> None:
        """Wake those who wait. With `forward` a hit comes before the other end acts, this after."""
        self._happened.set()

    def wait(self, seconds: float = 10) -> None:
        """Return once the fault has happened: the moment to kill a process, say."""
        if not self._happened.wait(seconds):
            raise TimeoutError(f"nothing met {self.fault} within {seconds} s")


class Scan:
    """Finds where a TCP fault is met in the bytes of one direction of one connection."""

    def __init__(self, fault: TcpFault) -> None:
        self._pattern = fault.match
        self._left: int | None = fault.after
        self._tail = b""

    def feed(self, chunk: bytes) -> Iterator[int]:
        """How many bytes of `chunk` come before the fault, each time that it is met."""
        return self._count(chunk) if self._pattern is None else self._find(self._pattern, chunk)

    def _count(self, chunk: bytes) -> Iterator[int]:
        if self._left is None:
            return
        if self._left > len(chunk):
            self._left -= len(chunk)
            return
        offset, self._left = self._left, None
        yield offset

    def _find(self, pattern: bytes, chunk: bytes) -> Iterator[int]:
        # A pattern may arrive in two pieces. The tail is too short to hold one already found.
        tail, text = self._tail, self._tail + chunk
        self._tail = text[max(0, len(text) - len(pattern) + 1) :]
        found = text.find(pattern)
        while found >= 0:
            yield max(0, found - len(tail))
            found = text.find(pattern, found + len(pattern))
