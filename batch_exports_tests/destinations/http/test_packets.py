"""Calls in bodies that are as large as may be, and no larger."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.destinations.http.forms import FORMS, Form, Limit
from batch_exports.destinations.http.packets import gathered, packets

SOURCE = "https://example.com"


def form(most_bytes: int, most_calls: int | None) -> Form:
    calls = Limit(most_calls, SOURCE) if most_calls else None
    return Form("segment", "/", Limit(most_bytes, SOURCE), Limit(most_bytes, SOURCE), calls)


@given(
    st.lists(st.integers(2, 40), min_size=1, max_size=30), st.integers(60, 120), st.integers(1, 9)
)
def test_bodies_hold_all_calls_in_order(sizes: list[int], room: int, most: int) -> None:
    calls = [
        json.dumps("é" if size == 4 else "x" * (size - 2), ensure_ascii=False) for size in sizes
    ]
    numbers = pa.RecordBatch.from_pydict({"n": list(range(len(calls)))})
    # A slice has the buffers of what it was cut from.
    texts = pa.array(["before,", *(f"{call}," for call in calls)]).slice(1)
    one = form(room, most)
    envelope = one.envelope("")
    cut = list(packets(numbers, texts, one, envelope))
    bodies = [packet.body(envelope, 0, packet.rows.num_rows) for packet in cut]
    assert [n for packet in cut for n in packet.rows["n"].to_pylist()] == [*range(len(calls))]
    assert [call for body in bodies for call in json.loads(body)["batch"]] == [
        *map(json.loads, calls)
    ]
    assert all(len(body) <= room and len(json.loads(body)["batch"]) <= most for body in bodies)
    # None could have taken the next one's first call.
    for body, after in zip(bodies, cut[1:], strict=False):
        first = len(after.body((b"", b""), 0, 1)) + 1
        assert len(body) + first > room or len(json.loads(body)["batch"]) == most


def test_part_of_a_packet() -> None:
    rows = pa.RecordBatch.from_pydict({"n": [0, 1, 2]})
    (packet,) = packets(rows, pa.array(["1,", "2,", "3,"]), form(100, None), (b"[", b"]"))
    assert packet.body((b"[", b"]"), 1, 3) == b"[2,3]"


@pytest.mark.parametrize("name", FORMS)
def test_every_limit_has_a_source(name: str) -> None:
    limits = [value for value in vars(FORMS[name]).values() if isinstance(value, Limit)]
    assert len(limits) >= 2
    assert all(limit.source.startswith("https://") for limit in limits)


def test_small_batches_are_gathered() -> None:
    batches = [pa.RecordBatch.from_pydict({"n": [n]}) for n in range(10)]
    found = list(gathered(batches, 4 * batches[0].nbytes))
    assert [batch["n"].to_pylist() for batch in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
