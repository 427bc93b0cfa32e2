"""The audit of keys finds what counting in plain Python finds, however many passes it takes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_exports.destinations import duplicates
from batch_exports.destinations.duplicates import audit_keys

# Few values, so that keys recur; and such that only look alike.
_TEXT = st.sampled_from(["a", "b", "A", "", " ", "é", "a\0", "null"])
_SCHEMA = pa.schema([("id", pa.string()), ("number", pa.int64()), ("ignored", pa.int64())])
_ROWS = st.lists(
    st.tuples(st.none() | _TEXT, st.none() | st.sampled_from([0, 1, -1, 2**63 - 1]), st.just(7)),
    max_size=60,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=_ROWS,
    key=st.sampled_from([("id",), ("number",), ("id", "number"), ("number", "id")]),
    rows_a_batch=st.integers(1, 20),
    rows_a_pass=st.integers(1, 70),
)
def test_it_counts_as_plain_python_does(
    rows: list[tuple[str | None, int | None, int]],
    key: tuple[str, ...],
    rows_a_batch: int,
    rows_a_pass: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(duplicates, "ROWS_A_PASS", rows_a_pass)
    places = [_SCHEMA.names.index(name) for name in key]
    keys = [tuple(row[place] for place in places) for row in rows]
    times = Counter(k for k in keys if None not in k)
    repeated = {k: count for k, count in times.items() if count > 1}

    found = audit_keys(lambda: batches(rows, rows_a_batch), key, len(rows))

    assert found.rows == len(rows)
    assert found.nulls == sum(None in k for k in keys)
    assert found.duplicates == sum(repeated.values()) - len(repeated)
    assert len(found.examples) == min(10, len(repeated))
    assert set(found.examples) <= {str(dict(zip(key, k, strict=True))) for k in repeated}


def test_it_need_not_know_how_many_rows_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "ROWS_A_PASS", 10)
    rows: list[tuple[str | None, int | None, int]] = [(f"{n % 90}", None, 7) for n in range(100)]
    for told in (0, 5, 100, 1_000):
        found = audit_keys(lambda: batches(rows, 7), ["id"], told)
        assert (found.rows, found.nulls, found.duplicates) == (100, 0, 10)


def test_a_pass_holds_only_its_share_of_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "ROWS_A_PASS", 100)
    held = list[int]()
    original = duplicates._repeated_hashes
    rows: list[tuple[str | None, int | None, int]] = [(f"{n}", None, 7) for n in range(1_000)]

    def watched(
        read: Iterable[pa.RecordBatch], key: Sequence[str], number: int, passes: int
    ) -> Any:
        frames = (duplicates._keyed(batch, key) for batch in batches(rows, 100))
        held.append(sum(int((f.hash_rows() % passes == number).sum()) for f in frames))
        return original(read, key, number, passes)

    monkeypatch.setattr(duplicates, "_repeated_hashes", watched)
    audit_keys(lambda: batches(rows, 100), ["id"], 1_000)
    assert len(held) == 10
    assert sum(held) == 1_000
    assert max(held) < 200


def test_instants_in_keys_are_told_as_text() -> None:
    moment = datetime(2026, 11, 1, 9, 30, 0, 1, UTC)
    table = pa.table(
        {
            "id": ["a", "a", "a", "b"],
            "end": pa.array(
                [moment, moment, moment.replace(hour=8), None], pa.timestamp("us", "UTC")
            ),
        }
    )
    found = audit_keys(lambda: table.to_batches(1), ["id", "end"], 4)
    assert (found.rows, found.nulls, found.duplicates) == (4, 1, 1)
    assert found.examples == ("{'id': 'a', 'end': '2026-11-01 09:30:00.000001+00:00'}",)


def batches(
    rows: list[tuple[str | None, int | None, int]], rows_a_batch: int
) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(rows), rows_a_batch):
        columns = zip(*rows[start : start + rows_a_batch], strict=True)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)
