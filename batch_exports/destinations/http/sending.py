"""Packets to an endpoint, several at a time; of a refused one, the calls that are to blame."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from batch_exports.destinations.http.endpoint import Answer
from batch_exports.destinations.http.packets import Packet
from batch_exports.destinations.http.tries import Tries
from batch_exports.errors import Terminal

IN_FLIGHT = 4
# An endpoint that refuses so many calls one after the other would refuse all.
MOST_IN_A_ROW = 100


@dataclass(frozen=True)
class Sent:
    """What became of a packet: `refused` are positions of its calls, with what the endpoint said.

    All others were taken, in so many `requests` that had so many `bytes` before compression.
    """

    packet: Packet
    refused: list[tuple[int, str]]
    requests: int
    bytes: int


def send(
    packets: Iterable[Packet], tries: Tries, envelope: tuple[bytes, bytes]
) -> Generator[Sent, None, None]:
    """Send all packets; a few are in flight while `packets` makes the next one.

    Each comes back in its turn when it was answered. Nothing is left in flight when this ends,
    however it ends. Close it where it is not exhausted.
    """
    waiting: deque[Future[Sent]] = deque()
    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="send") as workers:
        try:
            for packet in packets:
                if len(waiting) == IN_FLIGHT:
                    yield waiting.popleft().result()
                waiting.append(workers.submit(_deliver, packet, tries, envelope))
            while waiting:
                yield waiting.popleft().result()
        finally:
            tries.stop.set()
            workers.shutdown(cancel_futures=True)


def _deliver(packet: Packet, tries: Tries, envelope: tuple[bytes, bytes]) -> Sent:
    """Halve what is refused until single calls are.

    Raises `Terminal` where call after call is: then it is not the calls that are wrong.
    """
    refused: list[tuple[int, str]] = []
    spans = [(0, packet.rows.num_rows)]
    requests = size = in_a_row = 0
    while spans:
        first, last = spans.pop()
        body = packet.body(envelope, first, last)
        answer = tries.answer(body)
        if answer.is_good:
            requests, size, in_a_row = requests + 1, size + len(body), 0
        elif last - first > 1:
            middle = (first + last) // 2
            spans += [(middle, last), (first, middle)]
        else:
            refused.append((first, f"was refused by the endpoint ({answer})"))
            in_a_row += 1
            if in_a_row == MOST_IN_A_ROW:
                raise _refuses_all(tries, answer)
    return Sent(packet, refused, requests, size)


def _refuses_all(tries: Tries, answer: Answer) -> Terminal:
    return Terminal(
        f"{tries.connections.endpoint.url} refuses {MOST_IN_A_ROW} calls one after the other, the "
        f"last with {answer}.",
        remedy="Correct the connection's form and endpoint_url, or the mapping that makes the "
        "calls.",
    )
