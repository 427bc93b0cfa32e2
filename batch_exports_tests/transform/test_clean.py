"""Every row is delivered or set aside, with its original bytes."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.errors import Terminal
from batch_exports.models import JSON
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.clean import (
    LONE_SURROGATE,
    MISSING,
    NOT_JSON,
    NOT_UTF8,
    Cleaned,
    aside_schema,
    clean,
)

LINES = Capabilities(parses_json=True, years=(1, 9999))
ANY_TEXT = Capabilities(parses_json=False)
REPLACE, REJECT, FAIL = OnUnrepresentable
TIME = pa.timestamp("us", "UTC")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
YEARS = "lies outside the years 1 to 9999"
SCHEMA = pa.schema(
    [
        pa.field("uuid", pa.string(), nullable=False),
        pa.field("event", pa.string()),
        pa.field("properties", JSON),
        pa.field("timestamp", TIME),
        pa.field("team_id", pa.int64()),
    ]
)
# One value of each kind: what it holds, what becomes of it, and the finding that tells why.
TEXTS = [(b"good", b"good", None), (b"a\xffb", "a\ufffdb".encode(), NOT_UTF8), (None, None, None)]
DOCUMENTS = [
    (b'{"a":1.10}', b'{"a":1.10}', None),
    (None, None, None),
    (rb'"\ud800"', rb'"\ufffd"', LONE_SURROGATE),
    (b'"\xff"', '"\ufffd"'.encode(), NOT_UTF8),
    (b"{", None, NOT_JSON),
    (b"", None, NOT_JSON),
]
FIRST = -62_135_596_800_000_000  # the beginning of year 1
END = 253_402_300_800_000_000  # the beginning of year 10000
TIMES = [(0, None), (None, None), (FIRST, None), (FIRST - 1, YEARS), (END - 1, None), (END, YEARS)]


def text(values: list[bytes | None]) -> pa.Array:
    return pa.array(values, pa.binary()).view(pa.string())


def batch(rows: list[tuple[Any, Any, Any]]) -> pa.RecordBatch:
    events, documents, times = zip(*rows, strict=True) if rows else ([], [], [])
    return pa.RecordBatch.from_arrays(
        [
            pa.array([f"row {number}" for number in range(len(rows))], pa.string()),
            text([event[0] for event in events]),
            pa.ExtensionArray.from_storage(JSON, text([document[0] for document in documents])),
            pa.array([time[0] for time in times], pa.int64()).cast(TIME),
            pa.array(range(len(rows)), pa.int64()),
        ],
        schema=SCHEMA,
    )


def raw(column: pa.Array) -> list[Any]:
    storage = column.storage if column.type.equals(JSON) else column
    if pa.types.is_timestamp(storage.type):
        return list(storage.cast(pa.int64()).to_pylist())
    return list(storage.cast(pa.binary()).to_pylist())


ROWS = st.lists(
    st.tuples(st.sampled_from(TEXTS), st.sampled_from(DOCUMENTS), st.sampled_from(TIMES)),
    max_size=8,
)


@given(ROWS, st.sampled_from([REPLACE, REJECT]), st.integers(0, 3))
def test_every_row_is_delivered_or_rejected(
    rows: list[Any], policy: OnUnrepresentable, offset: int
) -> None:
    given = batch([(TEXTS[1], DOCUMENTS[4], TIMES[0])] * offset + rows)[offset:]
    cleaned = clean(given, LINES, policy, ["uuid"])
    findings = [
        (number, column, reason)
        for number, (event, document, time) in enumerate(rows)
        for column, reason in (
            ("event", event[2]),
            ("properties", document[2]),
            ("timestamp", time[1]),
        )
        if reason
    ]
    mends = {NOT_UTF8, LONE_SURROGATE} if policy is REPLACE else set()
    rejected = {number for number, _, reason in findings if reason not in mends}
    changed = {number for number, _, _ in findings} - rejected
    delivered = [number for number in range(len(rows)) if number not in rejected]

    assert (cleaned.replaced, cleaned.rejected) == (len(changed), len(rejected))
    assert cleaned.batch.schema.equals(SCHEMA)
    cleaned.batch.validate(full=True)
    assert cleaned.batch["team_id"].to_pylist() == [offset + number for number in delivered]
    assert raw(cleaned.batch["event"]) == [rows[number][0][1] for number in delivered]
    assert raw(cleaned.batch["properties"]) == [rows[number][1][1] for number in delivered]
    assert raw(cleaned.batch["timestamp"]) == [rows[number][2][0] for number in delivered]
    assert aside_of(cleaned) == sorted(
        (
            offset + number,
            "rejected" if reason not in mends else "replaced",
            column,
            reason,
            rows[number][0][0],
            rows[number][1][0],
            rows[number][2][0],
        )
        for number, column, reason in findings
    )


def aside_of(cleaned: Cleaned) -> list[Any]:
    """The findings with the originals of their rows; none must not be an empty batch."""
    aside = cleaned.aside
    if aside is None:
        return []
    assert aside.num_rows
    assert aside.schema.equals(aside_schema(SCHEMA))
    columns = [
        aside["team_id"].to_pylist(),
        *(aside[name].to_pylist() for name in ("_action", "_column", "_reason")),
        raw(aside["event"]),
        raw(aside["properties"]),
        raw(aside["timestamp"]),
    ]
    return sorted(zip(*columns, strict=True))


def test_one_row_of_several_findings_is_counted_once() -> None:
    cleaned = clean(batch([(TEXTS[1], DOCUMENTS[2], TIMES[3])]), LINES, REPLACE, ["uuid"])
    assert (cleaned.replaced, cleaned.rejected, cleaned.batch.num_rows) == (0, 1, 0)
    assert cleaned.aside is not None
    assert cleaned.aside["_reason"].to_pylist() == [NOT_UTF8, LONE_SURROGATE, YEARS]
    both = clean(batch([(TEXTS[1], DOCUMENTS[2], TIMES[0])]), LINES, REPLACE, ["uuid"])
    assert (both.replaced, both.rejected, both.batch.num_rows) == (1, 0, 1)


def test_bad_bytes_and_a_lone_surrogate_in_one_value() -> None:
    document = (b'"\xff\\ud800"', None, None)
    cleaned = clean(batch([(TEXTS[0], document, TIMES[0])]), LINES, REPLACE, ["uuid"])
    assert raw(cleaned.batch["properties"]) == ['"\ufffd\\ufffd"'.encode()]
    assert cleaned.aside is not None
    assert cleaned.aside["_reason"].to_pylist() == [NOT_UTF8, LONE_SURROGATE]
    assert raw(cleaned.aside["properties"]) == [document[0]] * 2


def test_destinations_that_hold_any_text_take_it_as_it_is() -> None:
    rows = [(TEXTS[0], document, TIMES[5]) for document in (DOCUMENTS[2], DOCUMENTS[4])]
    given = batch(rows)
    assert clean(given, ANY_TEXT, REPLACE, ["uuid"]) == Cleaned(given)
    # UTF-8 it must be everywhere.
    assert clean(batch([(TEXTS[0], DOCUMENTS[3], TIMES[0])]), ANY_TEXT, REPLACE, []).replaced == 1


@pytest.mark.parametrize("policy", list(OnUnrepresentable))
def test_good_rows_pass_untouched(policy: OnUnrepresentable) -> None:
    for good in (batch([(TEXTS[0], DOCUMENTS[0], TIMES[0])] * 3), batch([])):
        assert clean(good, LINES, policy, ["uuid"]) == Cleaned(good)


def test_fail_names_the_first_row_and_its_column() -> None:
    rows = [(TEXTS[0], DOCUMENTS[0], TIMES[0]), (TEXTS[0], DOCUMENTS[2], TIMES[0])]
    with pytest.raises(Terminal) as caught:
        clean(batch([*rows, (TEXTS[1], DOCUMENTS[4], TIMES[3])]), LINES, FAIL, ["uuid"])
    assert "properties of the row {'uuid': b'row 1'} has an escaped" in caught.value.message
    assert "on_unrepresentable" in caught.value.remedy


@pytest.mark.parametrize("policy", [REPLACE, REJECT])
def test_null_where_none_may_be_is_rejected(policy: OnUnrepresentable) -> None:
    """Parquet's required columns hold no NULL; without this the whole interval would fail."""
    given = batch([(TEXTS[0], DOCUMENTS[0], TIMES[0])] * 3)
    given = pa.RecordBatch.from_arrays(
        [pa.array(["a", None, "c"]), *given.columns[1:]], schema=SCHEMA
    )
    cleaned = clean(given, ANY_TEXT, policy, ["uuid"])
    assert cleaned.batch["uuid"].to_pylist() == ["a", "c"]
    assert (cleaned.replaced, cleaned.rejected) == (0, 1)
    assert cleaned.aside is not None
    assert cleaned.aside.select(["_column", "_reason", "team_id"]).to_pylist() == [
        {"_column": "uuid", "_reason": MISSING, "team_id": 1}
    ]
    with pytest.raises(Terminal, match=r"uuid of the row \{'uuid': None\} is missing"):
        clean(given, ANY_TEXT, FAIL, ["uuid"])
