"""Receipts are committed only where they are those of one delivery."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from batch_exports.destinations.receipts import (
    Receipt,
    as_json,
    check_receipts,
    content_of,
    header,
)
from batch_exports.errors import Terminal
from batch_exports.transform.shard import Shard
from batch_exports_tests.destinations.rows import HOUR, NEXT_HOUR

Told = list[dict[str, Any]]


def receipts(of: int = 3) -> Told:
    made = [
        Receipt(
            **header("events", HOUR, "run-1", Shard(index, of), "as files"),
            rows=index,
            rejected=0,
            replaced=0,
            bytes=0,
            sha256=f"{index}",
        )
        for index in range(of)
    ]
    # As the event log keeps them.
    told: Told = msgspec.json.decode(msgspec.json.encode([as_json(receipt) for receipt in made]))
    return told


def checked(told: Told) -> list[Receipt]:
    return check_receipts(told, Receipt, "events", HOUR, "as files")


def test_they_come_in_the_order_of_their_shards() -> None:
    found = checked(receipts()[::-1])
    assert [receipt.shard for receipt in found] == [0, 1, 2]
    assert found[0].start == HOUR.start
    assert content_of(found) == content_of(checked(receipts()))
    assert content_of(found) != content_of(found[::-1])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: r[:2], r"shards \[0, 1\], of 3"),
        (lambda r: r[1:], r"shards \[1, 2\], of 3"),
        (lambda r: [], r"shards \[\], of no"),
        (lambda r: [*r, r[1]], r"shards \[0, 1, 1, 2\], of 3"),
        (lambda r: [r[0], r[1], r[1]], r"shards \[0, 1, 1\], of 3"),
        (lambda r: [*r[:2], receipts(4)[2]], r"shards \[0, 1, 2\], of 3 and 4"),
        (lambda r: receipts(4)[:3], r"shards \[0, 1, 2\], of 4"),
        (lambda r: [*r[:2], {**r[2], "run_id": "run-2"}], "of 2 runs"),
        (lambda r: [*r[:2], {**r[2], "export": "others"}], "a receipt is of 'others'"),
        (lambda r: [*r[:2], {**r[2], "end": f"{NEXT_HOUR.end:%FT%TZ}"}], "12:00:00Z"),
        (lambda r: [*r[:2], {**r[2], "form": "as rows"}], "shard 2 staged them as as rows"),
        (lambda r: [*r[:2], {"rows": 1}], "cannot be read"),
    ],
)
def test_others_are_refused(change: Callable[[Told], Told], told: str) -> None:
    with pytest.raises(Terminal, match=f"{told}.*Nothing was delivered.*Materialize"):
        checked(change(receipts()))
