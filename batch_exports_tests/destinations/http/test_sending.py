"""Packets against a receiver that is slow, overloaded, broken, or refuses what it gets."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pyarrow as pa
import pytest

from batch_exports.destinations.http.packets import Packet, spans
from batch_exports.destinations.http.sending import IN_FLIGHT, MOST_IN_A_ROW, Sent, send
from batch_exports.destinations.http.tries import Pace, Tries
from batch_exports.errors import Terminal, Transient
from batch_exports_tests.destinations.http.receiver import (
    KEY,
    Call,
    Fault,
    Receiver,
    answers,
    cut,
    silence,
)


def packet(*numbers: int) -> Packet:
    calls = pa.array([f'{{"userId":"{n}","messageId":"{n}"}},' for n in numbers])
    ends, text = spans(calls)
    return Packet(pa.RecordBatch.from_pydict({"n": list(numbers)}), text, ends)


def sent(
    receiver: Receiver,
    packets: list[Packet],
    *,
    key: str = KEY,
    pace: float | None = None,
    patience: float = 30,
    timeout: float = 10,
) -> list[Sent]:
    endpoint = receiver.endpoint(key)
    with endpoint.connected(timeout, IN_FLIGHT) as connections:
        tries = Tries(connections, Pace(pace), patience)
        return list(send(packets, tries, endpoint.form.envelope(key)))


def numbered(call: Call) -> int:
    return int(call["messageId"])


def in_two_seconds(request: Any) -> None:
    """Asks for a moment, by a clock that is an hour ahead."""
    ahead = datetime.now(UTC) + timedelta(hours=1)
    headers = {"Retry-After": format_datetime(ahead + timedelta(seconds=2), usegmt=True)}
    request.send_response_only(503)
    request.send_header("Date", format_datetime(ahead, usegmt=True))
    request.send_header("Content-Length", "0")
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()


def test_all_calls_arrive_once_and_are_accounted_for(receiver: Receiver) -> None:
    packets = [packet(*range(start, start + 10)) for start in range(0, 100, 10)]
    found = sent(receiver, packets)
    assert [each.packet.rows["n"][0].as_py() for each in found] == [*range(0, 100, 10)]
    assert sum(each.requests for each in found) == 10
    assert sum(each.bytes for each in found) > 100 * len('{"userId":"1","messageId":"1"}')
    assert len(receiver.calls) == 100
    assert receiver.repeated == 0
    assert len(receiver.connections) <= IN_FLIGHT


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        (answers(429, Retry_After="1"), 1.0),
        (in_two_seconds, 1.0),  # HTTP's times have no fractions
        (answers(503), 0.0),
        (answers(500), 0.0),
        (answers(408, Retry_After="never"), 0.0),
        (cut, 0.0),
        (silence, 0.5),
    ],
    ids=["429", "503 until", "503", "500", "408", "cut", "silence"],
)
def test_what_may_pass_is_tried_again(receiver: Receiver, fault: Fault, waits: float) -> None:
    receiver.faults.append(fault)
    began = time.monotonic()
    (found,) = sent(receiver, [packet(1, 2)], timeout=0.5 if fault is silence else 10)
    assert time.monotonic() - began >= waits
    assert (found.refused, found.requests) == ([], 1)
    assert {*receiver.requests} == {2}


def test_what_was_taken_without_an_answer_is_sent_again(receiver: Receiver) -> None:
    """The receiver knows the calls by their IDs."""

    def take(request: Any) -> None:
        receiver._taken([{"messageId": "1", "userId": "1"}])
        request.close_connection = True

    receiver.faults.append(take)
    (found,) = sent(receiver, [packet(1, 2)])
    assert found.refused == []
    assert (receiver.ids(), receiver.repeated) == (["1", "2"], 1)


@pytest.mark.parametrize(
    ("fault", "said"),
    [(answers(503), "answers 503: why"), (answers(429, Retry_After="60"), "asks to wait 60 s"),
     (cut, "does not answer")],
)  # fmt: skip
def test_patience_ends(receiver: Receiver, fault: Fault, said: str) -> None:
    receiver.faults += [fault] * 1000
    with pytest.raises(Transient, match=said):
        sent(receiver, [packet(1)], patience=0.3)


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [(answers(401), "write_key"), (answers(403), "write_key"), (answers(404), "endpoint_url"),
     (answers(302, Location="http://127.0.0.1:1"), "endpoint_url")],
)  # fmt: skip
def test_what_no_retry_cures(receiver: Receiver, fault: Fault, remedy: str) -> None:
    receiver.faults.append(fault)
    with pytest.raises(Terminal, match=rf"{receiver.address}/v1/batch answers \d+: why") as caught:
        sent(receiver, [packet(n) for n in range(20)])
    assert remedy in caught.value.remedy


def test_a_wrong_key(receiver: Receiver) -> None:
    with pytest.raises(Terminal, match="401: invalid write key") as caught:
        sent(receiver, [packet(1)], key="another-key")
    assert "another-key" not in str(caught.value)


@pytest.mark.parametrize("form", ["rudderstack", "segment"])
def test_bodies_that_are_too_large_are_halved(start: Callable[..., Receiver], form: str) -> None:
    receiver = start(form, most_bytes=100)
    (found,) = sent(receiver, [packet(*range(9))])
    assert (found.refused, found.requests) == ([], len(receiver.requests))
    assert sorted(map(numbered, receiver.calls.values())) == [*range(9)]


def test_bad_calls_are_found(receiver: Receiver) -> None:
    """A body with one is refused as a whole, and the others get through."""
    receiver.is_bad = lambda call: numbered(call) in (3, 4, 17)
    (found,) = sent(receiver, [packet(*range(20))])
    reason = 'was refused by the endpoint (400: {"error": "a bad call"})'
    assert sorted(found.refused) == [(3, reason), (4, reason), (17, reason)]
    assert len(receiver.calls) == 17
    assert receiver.repeated == 0


def test_an_endpoint_that_refuses_everything(receiver: Receiver) -> None:
    receiver.is_bad = lambda _: True
    with pytest.raises(Terminal, match=f"refuses {MOST_IN_A_ROW} calls one after the other"):
        sent(receiver, [packet(*range(1000))])
    assert len(receiver.requests) < 3 * MOST_IN_A_ROW


def test_a_pause_is_for_all_requests() -> None:
    pace = Pace(None)
    assert pace.turn() == 0
    pace.hold(100)
    pace.hold(50)
    assert 90 < pace.turn() <= 100


def test_a_page_takes_no_calls(receiver: Receiver) -> None:
    """Any web site may answer 200 to anything."""
    receiver.faults.append(answers(200, b"<html>", Content_Type="text/html; charset=utf-8"))
    with pytest.raises(Terminal, match="answers 200 with a page in HTML"):
        sent(receiver, [packet(1)])


def test_requests_keep_a_pace(receiver: Receiver) -> None:
    began = time.monotonic()
    sent(receiver, [packet(n) for n in range(6)], pace=10)
    assert time.monotonic() - began >= 0.5


def test_a_source_that_fails_leaves_nothing_in_flight(receiver: Receiver) -> None:
    """Whoever waits for a retry is woken."""

    def packets() -> Iterator[Packet]:
        yield packet(1)
        raise LookupError

    receiver.faults += [answers(503, Retry_After="20")]
    endpoint = receiver.endpoint()
    began = time.monotonic()
    with endpoint.connected(10, IN_FLIGHT) as connections:
        tries = Tries(connections, Pace(None), 60)
        sending = send(packets(), tries, endpoint.form.envelope(KEY))
        with closing(sending), pytest.raises(LookupError):
            next(sending)
    assert time.monotonic() - began < 15
    assert not [t for t in threading.enumerate() if t.name.startswith("send")]
